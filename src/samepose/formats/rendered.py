"""People that `samepose synth` rendered, as a data set; its shards are described in `synth.dataset`."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from samepose.errors import FormatError, MediaError
from samepose.formats.labelled import LabelledPeople
from samepose.formats.npz import read_npz
from samepose.media import one_line
from samepose.poses import Poses
from samepose.skeleton import SYNTH22, Skeleton


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
        return _pixels(self.images[i], self.files[self.images[i]])


def _pixels(path: Path, jpeg: bytes) -> UInt8[np.ndarray, "height width 3"]:
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
            return np.array(image.convert("RGB"))
    except Exception as error:  # Pillow's decoders raise errors of every kind on damaged files
        raise MediaError(f"{path}: the image is damaged ({one_line(error)}); make the set again") from error


def rendered_shards(folder: Path) -> list[Path]:
    """The shards in a folder, none if it is no set of rendered people."""
    return sorted(folder.glob("people-*.npz"))


@np.errstate(over="ignore", invalid="ignore")  # what float32 cannot hold becomes infinite: nowhere
def read_rendered(shards: Sequence[Path]) -> RenderedPeople:
    """Everyone of some shards. Joints outside the image are not marked; what hides a joint makes it occluded.

    Raises:
        FormatError: a shard is damaged.
    """
    points, occluded = [], []
    images: list[Path] = []
    names: tuple[str, ...] = ()
    files: dict[Path, bytes] = {}
    for path in shards:
        with _shard(path) as data:
            flat, inside = data["joints_2d"] - np.float32(0.5), data["inside"]  # our pixels' middles are whole
            points.append(np.where(inside[..., None], flat, np.nan))
            occluded.append(~data["visible"])
            names = tuple(str(j) for j in data["joints"])
            of_shard = {path / f"{i}.jpg": jpeg for i, jpeg in enumerate(_pictures(data))}
        files |= of_shard
        images += of_shard
    poses = Poses.of(np.concatenate(points), Skeleton("rendered", names))
    people = LabelledPeople.of("rendered people", poses, images, occluded=np.concatenate(occluded))
    return RenderedPeople(**vars(people), files=files)


@dataclass(frozen=True, eq=False)
class Sample:
    """One image of a set.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        joints_2d: (J, 2) float32 pixels.
        joints_3d: (J, 3) float32 metres, camera space.
        visible: (J,) bool.
        inside: (J,) bool.
        intrinsics: (3, 3) float32.
        shape: (6,) float32.
        instant, camera: see the module.
        clip, subject: names.
    """

    image: UInt8[np.ndarray, "height width 3"]
    joints_2d: Float[np.ndarray, "joint 2"]
    joints_3d: Float[np.ndarray, "joint 3"]
    visible: Bool[np.ndarray, " joint"]
    inside: Bool[np.ndarray, " joint"]
    intrinsics: Float[np.ndarray, "3 3"]
    shape: Float[np.ndarray, " 6"]
    instant: int
    camera: int
    clip: str
    subject: str


def read_shards(folder: str | Path, skeleton: Skeleton = SYNTH22) -> Iterator[Sample]:
    """The images of a set in order, one shard in memory at a time.

    Args:
        skeleton: what the joints are converted to, by name; LSP14, COCO17, H36M17, MPII16 and BODY13 are complete.

    Raises:
        FormatError: no shards, or a damaged one.
    """
    for path in shards_of(folder):
        yield from read_shard(path, skeleton)


def shards_of(folder: str | Path) -> tuple[Path, ...]:
    """The files of a set, in order.

    Raises:
        FormatError: there is none.
    """
    paths = tuple(rendered_shards(Path(folder)))
    if not paths:
        raise FormatError(f"{folder}: holds no people-*.npz; make them with `samepose synth`")
    return paths


def read_shard(path: Path, skeleton: Skeleton = SYNTH22) -> Iterator[Sample]:
    """The images of one file.

    Raises:
        FormatError: it is damaged.
    """
    with _shard(path) as data:
        own = Skeleton("shard", tuple(str(j) for j in data["joints"]))
        flat, deep = own.convert(data["joints_2d"], skeleton), own.convert(data["joints_3d"], skeleton)
        seen, inside = (own.convert_scores(data[k].astype(np.float32), skeleton) > 0.5 for k in ("visible", "inside"))
        for i, jpeg in enumerate(_pictures(data)):
            yield Sample(_pixels(path / f"{i}.jpg", jpeg), flat[i], deep[i], seen[i], inside[i],
                         data["intrinsics"][i], data["shape"][i], int(data["instant"][i]), int(data["camera"][i]),
                         str(data["clip"][i]), str(data["subject"][i]))


class Truth(NamedTuple):
    """What is known of a file's images, without them; see `Sample`."""

    joints_2d: Float[np.ndarray, "image joint 2"]
    joints_3d: Float[np.ndarray, "image joint 3"]
    inside: Bool[np.ndarray, "image joint"]
    clips: tuple[str, ...]
    subjects: tuple[str, ...]


def read_truth(path: Path, skeleton: Skeleton = SYNTH22) -> Truth:
    """Joints, clips and subjects of one file.

    Raises:
        FormatError: it is damaged.
    """
    with _shard(path) as data:
        own = Skeleton("shard", tuple(str(j) for j in data["joints"]))
        return Truth(own.convert(data["joints_2d"], skeleton), own.convert(data["joints_3d"], skeleton),
                     own.convert_scores(data["inside"].astype(np.float32), skeleton) > 0.5,
                     tuple(map(str, data["clip"])), tuple(map(str, data["subject"])))


def read_pictures(
    path: Path, wanted: Sequence[int]
) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"] | MediaError]]:
    """Some pictures of one file, or why they cannot be read.

    Raises:
        FormatError: the file is damaged.
    """
    with _shard(path) as data:
        files = list(_pictures(data))
    for i in wanted:
        try:
            yield i, _pixels(path / f"{i}.jpg", files[i])
        except MediaError as error:
            yield i, error


@contextmanager
def _shard(path: Path) -> Iterator[dict[str, np.ndarray]]:
    """The arrays of a shard, each read once; FormatError when they, or what is done with them, show that it is none."""
    try:
        data = read_npz(path)
        _check(data)
        yield data
    except (FormatError, MediaError, OSError, ValueError, KeyError, EOFError) as error:
        raise FormatError(f"{path}: is not a shard of rendered people ({error}); make it again") from error


def _check(data: dict[str, np.ndarray]) -> None:
    """That the arrays are of the kinds and shapes that `synth.dataset` lists.

    Raises:
        ValueError: one is not.
    """
    images, joints = data["start"].size - 1, data["joints"].size
    expected = {
        "jpeg": ("u", data["jpeg"].shape[:1]), "start": ("iu", (images + 1,)), "joints": ("U", (joints,)),
        "joints_2d": ("f", (images, joints, 2)), "joints_3d": ("f", (images, joints, 3)),
        "visible": ("b", (images, joints)), "inside": ("b", (images, joints)), "intrinsics": ("f", (images, 3, 3)),
        "shape": ("f", (images, 6)), **dict.fromkeys(("instant", "camera"), ("iu", (images,))),
        **dict.fromkeys(("clip", "subject"), ("U", (images,))),
    }
    for name, (kinds, shape) in expected.items():
        found = data.get(name)
        if found is not None and (found.dtype.kind not in kinds or found.shape != shape):
            raise ValueError(f"{name} is {found.dtype} {found.shape}; expected {shape}")
    if images < 0 or (np.diff(data["start"].astype(np.int64)) < 0).any():
        raise ValueError("start does not tell where the images are")


def _pictures(data: dict[str, np.ndarray]) -> Iterator[bytes]:
    """The JPEG file of each image."""
    return (data["jpeg"][a:b].tobytes() for a, b in pairwise(data["start"]))
