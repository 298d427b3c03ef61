"""How alike two detections are: by their joints (OKS) and by their boxes; and one of each person."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from samepose.poses import Poses

# Falloff per joint in COCO order, from the keypoint challenge's evaluation (cocodataset.org, "keypoints eval").
COCO_SIGMAS = np.array(
    [0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
     0.089], np.float32)

_SAME_JOINTS = 0.7  # OKS over which two poses are one person
_SAME_BOX = 0.7  # intersection over union over which two poses are one person, when they are at all alike
_AT_ALL_ALIKE = 0.2  # OKS


def oks(a: Poses, b: Poses, areas: Float[np.ndarray, " n"] | None = None) -> Float[np.ndarray, "n m"]:
    """Object keypoint similarity of every pose of `a` with every pose of `b`, 0 to 1 (COCO's definition).

    The mean over the joints that both have of exp(-d² / (2 area (2 sigma)²)); 0 where they share none.

    Args:
        a, b: COCO17 poses in pixels.
        areas: (n,) square pixels of the people of `a`, as COCO annotates them; None = estimated as half of their box,
            taken no narrower than half its height (the box of someone seen from the side hardly has a width).
    """
    if areas is None:
        sides = np.sort(np.nan_to_num(a.boxes[:, 2:] - a.boxes[:, :2]), axis=1)
        areas = 0.53 * np.maximum(sides[:, 0], sides[:, 1] / 2) * sides[:, 1]
    squares = ((a.points[:, None] - b.points[None]) ** 2).sum(axis=-1)  # n m joint
    falloff = 2 * np.maximum(areas, 1.0)[:, None, None] * (2 * COCO_SIGMAS) ** 2
    both: Bool[np.ndarray, "n m joint"] = ~np.isnan(squares)
    likeness = np.where(both, np.exp(-np.nan_to_num(squares) / falloff), 0)
    result: np.ndarray = (likeness.sum(axis=-1) / np.maximum(both.sum(axis=-1), 1)).astype(np.float32)
    return result


def overlap(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Intersection over union of every box with every other."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=-1)
    union = (a[:, 2:] - a[:, :2]).prod(axis=1)[:, None] + (b[:, 2:] - b[:, :2]).prod(axis=1)[None] - shared
    result: np.ndarray = np.nan_to_num(shared / np.maximum(union, 1e-6))
    return result


def distinct(people: Poses) -> list[int]:
    """Rows to keep for one pose per person: of poses of the same one, that with the highest mean joint score.

    They are the same when their OKS is over 0.7, or when their boxes coincide and their joints do a little: a person
    found at two sizes may get two rather different poses.
    """
    joints = oks(people, people)
    joints = np.maximum(joints, joints.T)
    same = (joints > _SAME_JOINTS) | ((overlap(people.boxes, people.boxes) > _SAME_BOX) & (joints > _AT_ALL_ALIKE))
    kept: list[int] = []
    for i in np.argsort(-people.scores.mean(axis=1), kind="stable"):
        if not same[i, kept].any():
            kept.append(int(i))
    return kept
