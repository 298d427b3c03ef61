"""People that `samepose synth` rendered, as a data set; its shards are described in `synth.dataset`."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from samepose.errors import FormatError, MediaError
from samepose.formats.labelled import LabelledPeople
from samepose.media import one_line
from samepose.poses import Poses
from samepose.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class RenderedPeople(LabelledPeople):
    """One person in each image of some shards; `images` are paths like set/people-00000.npz/17.jpg.

    Attributes:
        files: the images' JPEG files.
    """

    occluded_count: ClassVar[bool] = False  # ours: the mesh says of every joint whether it is hidden, a third are
    files: Mapping[Path, bytes] = field(default_factory=dict)

    def image(self, i: int) -> UInt8[np.ndarray, "height width 3"]:
        """The picture of person i.

        Raises:
            MediaError: it is damaged.
        """
        path = self.images[i]
        try:
            with Image.open(io.BytesIO(self.files[path])) as image:
                return np.asarray(image.convert("RGB"))
        except Exception as error:  # Pillow's decoders raise errors of every kind on damaged files
            raise MediaError(f"{path}: the image is damaged ({one_line(error)}); make the set again") from None


def rendered_shards(folder: Path) -> list[Path]:
    """The shards in a folder, none if it is no set of rendered people."""
    return sorted(folder.glob("people-*.npz"))


def read_rendered(shards: Sequence[Path]) -> RenderedPeople:
    """Everyone of some shards. Joints outside the image are not marked; what hides a joint makes it occluded.

    Raises:
        FormatError: a shard is damaged.
    """
    points, occluded, images = [], [], []
    names: tuple[str, ...] = ()
    files: dict[Path, bytes] = {}
    for path in shards:
        try:
            with np.load(path) as data:
                flat, inside = data["joints_2d"] - np.float32(0.5), data["inside"]  # our pixels' middles are whole
                points.append(np.where(inside[..., None], flat, np.nan))
                occluded.append(~data["visible"])
                jpeg, start = data["jpeg"], data["start"]
                names = tuple(str(j) for j in data["joints"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise FormatError(f"{path}: is not a shard of rendered people ({error}); make it again") from None
        of_shard = [path / f"{i}.jpg" for i in range(len(start) - 1)]
        files |= {image: jpeg[a:b].tobytes() for image, (a, b) in zip(of_shard, pairwise(start))}
        images += of_shard
    poses = Poses.of(np.concatenate(points), Skeleton("rendered", names))
    people = LabelledPeople.of("rendered people", poses, images, occluded=np.concatenate(occluded))
    return RenderedPeople(**vars(people), files=files)
