"""A 3D pose as a picture, where there is none: from the front, in parallel projection, so that depth adds what it lost.

The person faces the viewer with the middle of the hips at the centre of a square of `SIDE` pixels, `PER_METRE` of them
a metre, and stays upright or lying as they are: only the heading is turned, so that hips and shoulders lie across the
picture. Depth is in pixels too, away from the viewer; `solid` is the inverse of `pictured` but for place and heading.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from samepose.errors import UsageError
from samepose.poses import Poses

SIDE, PER_METRE = 512, 200.0  # room for 1.28 m from the hips to any side


def trunk(poses: Poses) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Of 3D poses: the middle of the hips; from there to the middle of the shoulders; from the right to the left side.

    Raises:
        UsageError: 2D poses, or hips and shoulders that are not known or lie at one point.
    """
    if poses.points.shape[-1] != 3:
        raise UsageError("2D poses have no depth; give 3D poses")
    left, right, upper_left, upper_right = (
        poses.points[:, poses.skeleton.index(f"{side}_{joint}")].astype(np.float64)
        for joint in ("hip", "shoulder") for side in ("left", "right"))
    up, across = (upper_left + upper_right - left - right) / 2, left - right + upper_left - upper_right
    if not (np.minimum(np.linalg.norm(up, axis=1), np.linalg.norm(across, axis=1)) > 1e-6).all():
        raise UsageError("the hips and shoulders of a 3D pose are not known, or lie at one point")
    return (left + right) / 2, up, across


def pictured(poses: Poses) -> tuple[Poses, Float[np.ndarray, "n joint"]]:
    """2D poses in pixels of 3D ones (metres, y up), and the depth of each joint; NaN where it is missing.

    Raises:
        UsageError: as `trunk`.
    """
    hips, _, across = trunk(poses)
    length = np.hypot(across[:, 0], across[:, 2])
    level = length > 1e-9  # who lies on one side has no heading
    safe = np.where(level, length, 1)
    cos, sin = np.where(level, across[:, 0] / safe, 1)[:, None], np.where(level, across[:, 2] / safe, 0)[:, None]
    x, y, z = np.moveaxis(poses.points - hips[:, None], -1, 0)
    flat = np.stack([cos * x + sin * z, -y], axis=-1) * PER_METRE + SIDE / 2
    depth = (sin * x - cos * z) * PER_METRE
    seen = Poses.of(flat, poses.skeleton, scores=poses.scores)
    return replace(poses, points=seen.points, boxes=seen.boxes, unit="pixel"), depth.astype(np.float32)


def solid(poses: Poses, depth: Float[np.ndarray, "n joint"]) -> Poses:
    """3D poses (metres, y up, facing +z, the middle of the hips at the origin) from what `pictured` gave."""
    flat = (poses.points - np.float32(SIDE / 2)) / np.float32(PER_METRE)
    points = np.stack([flat[..., 0], -flat[..., 1], -depth / np.float32(PER_METRE)], axis=-1)
    points[np.isnan(points).any(axis=-1)] = np.nan
    boxes = np.full_like(poses.boxes, np.nan)
    return replace(poses, points=points.astype(np.float32), boxes=boxes, unit="metre")
