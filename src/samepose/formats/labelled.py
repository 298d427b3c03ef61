"""People whose joints somebody marked in photographs: what the keypoint data sets have in common."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, UInt8

from samepose.media.image import IMAGE_SUFFIXES
from samepose.poses import Poses

FEWEST_JOINTS = 3  # of two joints no pose can be learned or measured
SUBSETS = ("train", "validation", "test")
HELD_OUT = SUBSETS[1:]  # nothing is trained on them


@dataclass(frozen=True, eq=False)
class LabelledPeople:
    """N people of a data set. The images are read when they are asked for. Build with `LabelledPeople.of`.

    Attributes:
        name: of the data set, such as "LSP-Extended".
        poses: (N) in pixels of the image, NaN where a joint was not marked; the scores are all 1.
        images: N paths; people of one image repeat it. The file need not be there.
        occluded: (N, J) marked although it cannot be seen.
        centres: (N, 2) pixels: where the person is, if the data set tells; else NaN.
        sides: (N,) pixels: the side of a square around `centres` that holds the person; NaN: the whole image does.
        heads: (N, 4) x0, y0, x1, y1 of the head; NaN where the data set does not tell.
        subsets: N of "train", "validation", "test" or "" (not told).
        alone: (N,) apart enough from others to be measured as single people (MPII); all, if the data set does not tell.
        skipped: how many people of the file are not here, by reason.
        occluded_count: whether the published measures of the data set count occluded joints.
    """

    occluded_count: ClassVar[bool] = True  # LSP, MPII, FLIC, COCO: whoever was marked counts
    name: str
    poses: Poses
    images: tuple[Path, ...]
    occluded: Bool[np.ndarray, "n joint"]
    centres: Float[np.ndarray, "n 2"]
    sides: Float[np.ndarray, " n"]
    heads: Float[np.ndarray, "n 4"]
    subsets: tuple[str, ...]
    alone: Bool[np.ndarray, " n"]
    skipped: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(
        cls,
        name: str,
        poses: Poses,
        images: Sequence[Path],
        *,
        occluded: Any = None,
        centres: Any = None,
        sides: Any = None,
        heads: Any = None,
        subsets: Sequence[str] | None = None,
        alone: Any = None,
    ) -> LabelledPeople:
        """Everyone of a file; those with fewer than `FEWEST_JOINTS` marked joints are skipped and counted."""
        n = len(poses)
        marked = poses.visible
        people = cls(
            name, poses, tuple(images),
            np.zeros(marked.shape, bool) if occluded is None else np.asarray(occluded, bool) & marked,
            _floats(centres, (n, 2)), _floats(sides, (n,)), _floats(heads, (n, 4)),
            tuple(subsets) if subsets is not None else ("",) * n,
            np.ones(n, bool) if alone is None else np.asarray(alone, bool),
        )
        enough = marked.sum(axis=1) >= FEWEST_JOINTS
        return people.without(~enough, f"fewer than {FEWEST_JOINTS} joints marked")

    def __len__(self) -> int:
        return len(self.poses)

    def __getitem__(self, key: Any) -> LabelledPeople:
        """People at an index, slice, list or mask; `skipped` stays that of the file."""
        rows = np.atleast_1d(np.arange(len(self))[key])
        return replace(
            self, poses=self.poses[rows], images=tuple(self.images[i] for i in rows), occluded=self.occluded[rows],
            centres=self.centres[rows], sides=self.sides[rows], heads=self.heads[rows],
            subsets=tuple(self.subsets[i] for i in rows), alone=self.alone[rows],
        )

    def without(self, mask: Bool[np.ndarray, " n"], why: str) -> LabelledPeople:
        """The others; those of the mask are counted as skipped."""
        count = int(mask.sum())
        return replace(self[~mask], skipped=self.skipped + Counter({why: count})) if count else self

    def relabelled(self, points: Float[np.ndarray, "n joint 2"]) -> LabelledPeople:
        """The same people with other joints marked; NaN where none is."""
        marked = ~np.isnan(points).any(axis=-1)
        poses = replace(self.poses, points=points, scores=np.where(marked, self.poses.scores, np.float32(0)))
        return replace(self, poses=poses, occluded=self.occluded & marked)

    def image(self, i: int) -> UInt8[np.ndarray, "height width 3"]:
        """The photograph of person i.

        Raises:
            MediaError: it is missing or damaged.
        """
        from samepose.media.image import read_image

        return read_image(self.images[i])

    def square(self, i: int, shape: tuple[int, ...]) -> tuple[float, float, float]:
        """x0, y0 and side in pixels of the square to look for person i in: theirs, else the whole image.

        Args:
            shape: (height, width, …) of the image.
        """
        height, width = shape[:2]
        side, (x, y) = float(self.sides[i]), self.centres[i]
        if np.isnan([side, x, y]).any():
            side, x, y = float(max(height, width)), width / 2, height / 2
        return float(x) - side / 2, float(y) - side / 2, side

    def centre(self, i: int) -> Float[np.ndarray, " 2"]:
        """x, y in pixels of where person i is: as the data set tells, else the middle of the box of their joints.

        Wei 2016, section 4.2, trains on the positions of the joints too where a set tells nothing else.
        """
        if not np.isnan(self.centres[i]).any():
            return self.centres[i]
        marked = self.poses.points[i][self.poses.visible[i]]
        return (marked.min(axis=0) + marked.max(axis=0)) / 2

    def inside(self, i: int, shape: tuple[int, ...]) -> Bool[np.ndarray, " joint"]:
        """Which joints of person i lie in an image of that shape."""
        x, y = self.poses.points[i].T
        inside: np.ndarray = (x >= -0.5) & (y >= -0.5) & (x <= shape[1] - 0.5) & (y <= shape[0] - 0.5)
        return inside


def subset_named(file: Path) -> str:
    """The subset that a label file's name tells: `valid.json`, `person_keypoints_val2017.json`."""
    words = set(re.findall(r"[a-z]+", file.stem.lower()))
    return next((subset for subset, names in (("train", {"train", "training"}), ("test", {"test", "testing"}),
                                              ("validation", {"val", "valid", "validation"})) if words & names), "")


def image_files(root: Path) -> dict[str, Path]:
    """The image files under a folder by name. Of two files of one name the first in order of path counts."""
    found: dict[str, Path] = {}
    for parent, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES:
                found.setdefault(name, Path(parent, name))
    return found


def image_paths(names: Sequence[str], root: Path) -> list[Path]:
    """Where the images that a label file names are under `root`; where none is found, the path they should have."""
    files = image_files(root)
    return [files.get(Path(name).name, root / "images" / name) for name in names]


def _floats(values: Any, shape: tuple[int, ...]) -> np.ndarray:
    if values is None:
        return np.full(shape, np.nan, np.float32)
    array = np.asarray(values, np.float32)
    assert array.shape == shape, (array.shape, shape)
    return array
