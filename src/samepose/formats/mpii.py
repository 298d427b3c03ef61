"""MPII Human Pose (Andriluka 2014): the authors' `.mat`, and the JSON that most code trains on.

Pixels count from 1 in both; here from 0. `scale` is the person's height over 200 pixels, roughly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from samepose.errors import FormatError
from samepose.formats.keypointfile import read_json
from samepose.formats.labelled import LabelledPeople, image_paths
from samepose.formats.matfile import read_mat
from samepose.poses import Poses
from samepose.skeleton import MPII16

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


def read_mpii_mat(path: Path | str, root: Path | None = None) -> LabelledPeople:
    """Everyone with marked joints in `mpii_human_pose_v1_u12_1.mat`. The test images' joints are not public.

    Args:
        root: folder to look for images in; None = the file's own.

    Raises:
        FormatError: unreadable or of another layout.
    """
    path = Path(path)
    release = read_mat(path, ("RELEASE",))["RELEASE"]
    try:
        people = list(_people(release))
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise FormatError(f"{path}: RELEASE is not laid out as MPII's ({error}); get it again") from None
    return _labelled(path, people, root)


def read_mpii_json(path: Path | str, root: Path | None = None) -> LabelledPeople:
    """A list of {"image", "joints": 16 x (x, y), "joints_vis", "center", "scale"}; a joint with vis 0 is not marked.

    Raises:
        FormatError: unreadable or of another layout.
    """
    path = Path(path)
    content, people = read_json(path), []
    if not isinstance(content, list):
        raise FormatError(f"{path}: is not a list of people as in MPII's JSON; export it again")
    for i, entry in enumerate(content):
        try:
            person = _Person(str(entry["image"]), np.array(entry["joints"], float).reshape(_JOINTS, 2))
            marked = np.array(entry["joints_vis"], float).reshape(_JOINTS) > 0
            person.centre = np.array(entry["center"], float).reshape(2)
            person.scale = float(entry["scale"])
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{path}: person {i} is not as in MPII's JSON ({error!r}); expected image, joints, "
                              "joints_vis, center and scale") from None
        person.points[~marked | (person.points <= 0).all(axis=1)] = np.nan
        people.append(person)
    return _labelled(path, people, root)


def _people(release: Any) -> Iterator[_Person]:
    training = np.atleast_1d(release.img_train)
    for k, entry in enumerate(np.atleast_1d(release.annolist)):
        for rect in np.atleast_1d(entry.annorect):
            found = getattr(getattr(rect, "annopoints", None), "point", None)
            if found is None:
                continue
            person = _Person(str(entry.image.name), subset="train" if training[k] else "test")
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


def _labelled(path: Path, people: list[_Person], root: Path | None) -> LabelledPeople:
    points = np.array([p.points for p in people]).reshape(-1, _JOINTS, 2) - 1
    sides = np.array([p.scale for p in people]) * (_HEIGHT * _ROOM)
    return LabelledPeople.of(
        "MPII", Poses.of(points, MPII16), image_paths([p.image for p in people], root or path.parent),
        occluded=np.array([p.occluded for p in people]).reshape(-1, _JOINTS),
        centres=np.array([p.centre for p in people]).reshape(-1, 2) - 1,
        sides=np.where(sides > 0, sides, np.nan),  # -1 in the JSON where it is not known
        heads=np.array([p.head for p in people]).reshape(-1, 4) - 1, subsets=[p.subset for p in people],
    )
