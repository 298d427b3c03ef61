"""People as the API gives and takes them: joints by name, in pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from samepose.errors import UsageError
from samepose.poses import Poses
from samepose.skeleton import COCO17, SKELETONS, Skeleton
from samepose.web.answers import Figure
from samepose.web.answers import Skeleton as Shown

BOARD = 480, 640  # pixels: what a standing figure is drawn on
_STANDING = {  # of a person of height 1: how far from the middle line, how far below the crown
    "nose": (0.0, 0.07), "eye": (0.018, 0.055), "ear": (0.04, 0.065), "shoulder": (0.11, 0.18), "elbow": (0.14, 0.36),
    "wrist": (0.155, 0.52), "hip": (0.065, 0.5), "knee": (0.07, 0.73), "ankle": (0.07, 0.95),
}


def figures(poses: Poses, ids: Sequence[str] = ()) -> list[Figure]:
    """Everyone, with the exact coordinates of their joints."""
    return [Figure(person=int(poses.tracks[n]), id=ids[n] if ids else None, box=box(poses.boxes[n]),
                   score=round(float(poses.person_scores[n]), 4), keypoints=keypoints(poses[n]),
                   skeleton=poses.skeleton.name)
            for n in range(len(poses))]


def keypoints(pose: Poses) -> dict[str, tuple[float, float, float]]:
    """Joint -> x, y, score of one person; of the joints that are there. A float32 is told by its shortest decimal."""
    rows = np.concatenate([pose.points[0], pose.scores[0][:, None]], axis=1).astype(np.float32)
    return {joint: (float(str(x)), float(str(y)), float(str(s)))
            for joint, (x, y, s) in zip(pose.skeleton.joints, rows) if not np.isnan(x)}


def box(values: Any) -> tuple[float, float, float, float] | None:
    """Of one person; None where it is not known."""
    if values is None or np.isnan(values).any():
        return None
    x0, y0, x1, y1 = (round(float(v), 2) for v in values)
    return x0, y0, x1, y1


def pose_of(joints: Mapping[str, tuple[float, ...]], skeleton: str | None) -> Poses:
    """One person from their joints.

    Raises:
        UsageError: no skeleton has them all.
    """
    known = list(SKELETONS.values())
    if skeleton is not None and skeleton not in SKELETONS:
        raise UsageError(f"no skeleton {skeleton!r}; there are {', '.join(SKELETONS)}")
    fits = [s for s in known if set(joints) <= set(s.joints) and skeleton in (None, s.name)]
    if not fits or not joints:
        raise UsageError(f"no skeleton has these joints; use those of COCO17: {', '.join(COCO17.joints)}")
    points = np.full((1, len(fits[0]), 2), np.nan, np.float32)
    scores = np.zeros((1, len(fits[0])), np.float32)
    for joint, (x, y, *score) in joints.items():
        k = fits[0].index(joint)
        points[0, k], scores[0, k] = (x, y), score[0] if score else 1.0
    return Poses.of(points, fits[0], scores=scores)


def standing() -> Poses:
    """A figure to bend, seen from the front: its left is on the right of the picture."""
    width, height = BOARD
    size = 0.9 * height
    points = []
    for joint in COCO17.joints:
        side, _, stem = joint.rpartition("_")
        across, down = _STANDING[stem]
        points.append((width / 2 + (across if side == "left" else -across) * size, height * 0.05 + down * size))
    return Poses.of(np.array(points, np.float32), COCO17)


def skeleton_of(skeleton: Skeleton) -> Shown:
    """A skeleton for the page."""
    names = skeleton.joints
    return Shown(name=skeleton.name, joints=list(names), bones=[(names[a], names[b]) for a, b in skeleton.bones])
