"""MPII Human Pose (Andriluka 2014): the authors' `.mat`, the JSON that most code trains on, and tables of joints alone.

Pixels count from 1 in both; here from 0. `scale` is the person's height over 200 pixels, roughly. The joints of the
test images are not public: one validates on the people of `valid.json`, by their heads in `gt_valid.mat`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from samepose.errors import FormatError
from samepose.formats.labelled import LabelledPeople, image_paths, subset_named
from samepose.formats.matfile import read_mat
from samepose.poses import Poses
from samepose.skeleton import MPII16

HEADS = "gt_"  # before the name of the file beside `valid.json`

_JOINTS = len(MPII16)
_HEIGHT = 200  # pixels of a person of scale 1
_ROOM = 1.25  # side of the square around a person in heights: arms reach beyond it (usual in code for this set)


@dataclass
class _Person:
    """One person in the file's own pixels, which count from 1."""

    image: str
    points: np.ndarray = field(default_factory=lambda: np.full((_JOINTS, 2), np.nan))
    occluded: np.ndarray = field(default_factory=lambda: np.zeros(_JOINTS, bool))
    centre: np.ndarray = field(default_factory=lambda: np.full(2, np.nan))
    scale: float = np.nan
    head: np.ndarray = field(default_factory=lambda: np.full(4, np.nan))
    subset: str = ""
    alone: bool = True


def parse_mpii_mat(release: Any, path: Path, root: Path) -> LabelledPeople:
    """Everyone with marked joints in the `RELEASE` of `mpii_human_pose_v1_u12_1.mat`.

    `img_train` tells the training images from the test images, `single_person` who is `alone`, "x1" to "y2" the head.

    Args:
        path: of the file, for messages.
        root: folder to look for images in.

    Raises:
        FormatError: of another layout.
    """
    try:
        people = list(_people(release))
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise FormatError(f"{path}: RELEASE is not laid out as MPII's ({error}); get it again") from error
    return _labelled(people, root)


def parse_mpii_json(content: Any, path: Path, root: Path) -> LabelledPeople:
    """A list of {"image", "joints": 16 x (x, y), "joints_vis", "center", "scale"}; a joint with vis 0 is not marked.

    The file's name tells the subset (`train.json`, `valid.json`). Where `gt_valid.mat`, which goes with `valid.json`,
    lies beside it, the heads are its `headboxes_src`: (2 corners, x and y, n). What is occluded is not told.

    Raises:
        FormatError: of another layout, or heads of another number of people.
    """
    people, subset = [], subset_named(path)
    if not isinstance(content, list):
        raise FormatError(f"{path}: is not a list of people as in MPII's JSON; export it again")
    for i, entry in enumerate(content):
        try:
            person = _Person(str(entry["image"]), np.array(entry["joints"], float).reshape(_JOINTS, 2), subset=subset)
            marked = np.array(entry["joints_vis"], float).reshape(_JOINTS) > 0
            person.centre = np.array(entry["center"], float).reshape(2)
            person.scale = float(entry["scale"])
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{path}: person {i} is not as in MPII's JSON ({error!r}); expected image, joints, "
                              "joints_vis, center and scale") from error
        person.points[~marked | (person.points <= 0).all(axis=1)] = np.nan
        people.append(person)
    for person, head in zip(people, _heads(path.with_name(f"{HEADS}{path.stem}.mat"), len(people))):
        person.head = head
    return _labelled(people, root)


def parse_mpii_csv(paths: Sequence[Path], root: Path) -> LabelledPeople:
    """Tables without a head: on each line an image's name and 16 times x and y, of people whose joints are all marked.

    A file's name tells the subset (`train_joints.csv`).

    Raises:
        FormatError: a line is not that.
    """
    people = []
    for path in paths:
        try:
            with path.open(encoding="utf-8", newline="") as file:
                for number, line in enumerate(csv.reader(file), 1):
                    try:
                        points = np.array(line[1:], float).reshape(_JOINTS, 2)
                    except ValueError as error:
                        raise FormatError(f"{path}: line {number} is not an image's name and {2 * _JOINTS} numbers, as "
                                          "in a table of MPII's joints") from error
                    points[~np.isfinite(points).all(axis=1) | (points <= 0).all(axis=1)] = np.nan
                    people.append(_Person(line[0], points, subset=subset_named(path)))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise FormatError(f"{path}: cannot be read as a table ({error}); export it again") from error
    return _labelled(people, root)


def _heads(path: Path, count: int) -> np.ndarray:
    """(count, 4), none where there is no such file."""
    if not path.exists():
        return np.empty((0, 4))
    corners = np.asarray(read_mat(path, ("headboxes_src",))["headboxes_src"], float)
    corners = corners[..., None] if corners.ndim == 2 else corners  # one person: the reader drops the last axis
    if corners.shape != (2, 2, count):
        raise FormatError(f"{path}: headboxes_src is {corners.shape}; expected (2, 2, {count}), one for each person")
    return corners.transpose(2, 0, 1).reshape(count, 4)


def _people(release: Any) -> Iterator[_Person]:
    training = np.atleast_1d(release.img_train)
    images = np.atleast_1d(release.annolist)
    alone = _of_images(getattr(release, "single_person", None), len(images))
    for k, entry in enumerate(images):
        for number, rect in enumerate(np.atleast_1d(entry.annorect), 1):
            found = getattr(getattr(rect, "annopoints", None), "point", None)
            if found is None:
                continue
            person = _Person(str(entry.image.name), subset="train" if training[k] else "test",
                             alone=alone is None or number in alone[k])
            for point in np.atleast_1d(found):
                joint = int(point.id)
                person.points[joint] = float(point.x), float(point.y)
                # Written as a number, as text, or not at all; the head's two points never have it.
                person.occluded[joint] = str(getattr(point, "is_visible", "1")) == "0"
            place = getattr(rect, "objpos", None)
            if place is not None and np.size(place) and np.size(rect.scale):
                person.centre, person.scale = np.array([place.x, place.y], float), float(rect.scale)
            if np.size(getattr(rect, "x1", ())):
                person.head = np.array([rect.x1, rect.y1, rect.x2, rect.y2], float)
            yield person


def _of_images(cells: Any, count: int) -> list[np.ndarray] | None:
    """`single_person`: for each image the numbers of its rectangles, from 1; None where the file has none."""
    if cells is None:
        return None
    listed = [cells] if count == 1 else list(cells)
    return [np.atleast_1d(numbers).astype(int) for numbers in listed]


def _labelled(people: list[_Person], root: Path) -> LabelledPeople:
    points = np.array([p.points for p in people]).reshape(-1, _JOINTS, 2) - 1
    sides = np.array([p.scale for p in people]) * (_HEIGHT * _ROOM)
    return LabelledPeople.of(
        "MPII", Poses.of(points, MPII16), image_paths([p.image for p in people], root),
        occluded=np.array([p.occluded for p in people]).reshape(-1, _JOINTS),
        centres=np.array([p.centre for p in people]).reshape(-1, 2) - 1,
        sides=np.where(sides > 0, sides, np.nan),  # -1 in the JSON where it is not known
        heads=np.array([p.head for p in people]).reshape(-1, 4) - 1, subsets=[p.subset for p in people],
        alone=[p.alone for p in people],
    )
