"""What two pictures of one pose must agree on, whatever the cameras: the affine epipolar geometry of their joints.

Under an affine camera, which a person who is not close to the lens comes near to, the image coordinates of N points in
two views, centred, make a matrix (N, 4) of rank 3: the points have three coordinates (Tomasi and Kanade 1992, section
3). So there is a unit vector n of four numbers with [x_i, x'_i] · n = 0 for every joint i: the height along the first
half of n in one picture is the height along the second in the other (Koenderink and van Doorn 1991). Two different
poses have no such n, and what is left over at each joint says where they differ. No pose was learned for this: it is
geometry, and holds for people that nobody has seen.

The n of least squares is drawn by a joint that a detector has misplaced; so it is found again twice with Cauchy's
weights (Holland and Welsch 1977).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from samepose.skeleton import BODY13

FEATURES = 12 * len(BODY13) + 9  # numbers that `two_view_features` gives of a pair
FEWEST = 6  # joints in both views: five points have an n that fits all but one of them whatever the pose
_ROUNDS = 3
_OUTLIER = 0.04  # left over at a joint, in units of the pose's size, where its weight is half
_NOTHING = 0.01  # as much is left over of perfect keypoints in perspective cameras


def two_view_features(
    first: Float[np.ndarray, "n 13 2"], second: Float[np.ndarray, "n 13 2"], visible: Bool[np.ndarray, "n 13"]
) -> Float[np.ndarray, "n feature"]:
    """Pairs of BODY13 keypoints as the pair network takes them.

    Both poses, of their shared joints alone: centred, their root mean square distance from the middle 1; then the same
    turned so that corresponding joints should be at the same height; what is left over of that, and its logarithm;
    weights of the joints; and of n the two directions, the ratio of the two scales, and the spectrum of the pair.

    Args:
        first, second: in any unit, x right and y down.
        visible: joints that both views show. Of others nothing is taken.

    Returns:
        float32, `FEATURES` for each pair.
    """
    mask = visible.astype(np.float32)
    a, b = (_unit(points, visible) for points in (first, second))
    both = np.concatenate([a, b], axis=-1)
    weight, fit = mask, _fit(both, mask)
    for _ in range(_ROUNDS - 1):
        weight = mask / (1 + np.square(fit.left / np.float32(_OUTLIER)))
        fit = _fit(both, weight)
    centred, normal = fit.centred, fit.normal
    up, other_up, scales = _directions(normal)
    left = np.where(normal[:, 1:2] > 0, -fit.left, fit.left) * mask
    return np.concatenate([
        a.reshape(len(a), 2 * len(BODY13)), b.reshape(len(a), 2 * len(BODY13)), mask,
        *_turned(centred[..., :2], up, mask), *_turned(centred[..., 2:], other_up, mask),
        left, np.log(np.abs(left) + _NOTHING), weight, up, other_up, np.log(scales),
        np.log(np.maximum(fit.spectrum, 0) + _NOTHING**2),
    ], axis=1, dtype=np.float32)


class _Fit(NamedTuple):
    """Joints in both views from their weighted middle, the spectrum of their spread, n, and what n leaves over."""

    centred: Float[np.ndarray, "n 13 4"]
    spectrum: Float[np.ndarray, "n 4"]
    normal: Float[np.ndarray, "n 4"]
    left: Float[np.ndarray, "n 13"]


def _fit(both: Float[np.ndarray, "n 13 4"], weight: Float[np.ndarray, "n 13"]) -> _Fit:
    total = np.maximum(weight.sum(axis=1), 1e-6)[:, None]
    centred = both - ((weight[..., None] * both).sum(axis=1) / total)[:, None]
    spread = np.matmul((centred * weight[..., None]).transpose(0, 2, 1), centred) / total[..., None]
    spectrum, axes = np.linalg.eigh(spread)
    normal = axes[..., 0]
    return _Fit(centred, spectrum, normal, np.matmul(centred, normal[..., None])[..., 0])


def _unit(points: Float[np.ndarray, "n 13 2"], visible: Bool[np.ndarray, "n 13"]) -> Float[np.ndarray, "n 13 2"]:
    """Middle of the visible joints at the origin, their root mean square distance 1; 0 where not visible."""
    seen = np.where(visible[..., None], points, np.float32(0)).astype(np.float32, copy=False)
    count = np.maximum(visible.sum(axis=1), 1).astype(np.float32)[:, None, None]
    centred = np.where(visible[..., None], seen - seen.sum(axis=1, keepdims=True) / count, np.float32(0))
    size = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True) / count)
    unit: np.ndarray = centred / np.maximum(size, 1e-6)
    return unit


def _directions(
    normal: Float[np.ndarray, "n 4"],
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"], Float[np.ndarray, "n 1"]]:
    """Unit vectors along which both pictures show the same heights, up in the first, and the ratio of the scales."""
    sign = np.where(normal[:, 1:2] > 0, np.float32(-1), np.float32(1))
    first, second = sign * normal[:, :2], -sign * normal[:, 2:]
    lengths = [np.linalg.norm(half, axis=1, keepdims=True) for half in (first, second)]
    up, other_up = (half / np.maximum(length, 1e-6) for half, length in zip((first, second), lengths))
    return up, other_up, (lengths[0] + 0.05) / (lengths[1] + 0.05)


def _turned(
    points: Float[np.ndarray, "n 13 2"], up: Float[np.ndarray, "n 2"], mask: Float[np.ndarray, "n 13"]
) -> tuple[Float[np.ndarray, "n 13"], Float[np.ndarray, "n 13"]]:
    """Coordinates across and along a direction."""
    x, y = points[..., 0], points[..., 1]
    across = y * up[:, :1] - x * up[:, 1:]
    return across * mask, (x * up[:, :1] + y * up[:, 1:]) * mask
