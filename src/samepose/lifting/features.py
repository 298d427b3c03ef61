"""What lifting sees of keypoints: normalised points, which are there, and how place and size change in a track."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from samepose.geometry.normalise import normalise_2d
from samepose.skeleton import BODY13


def features(keypoints: Float[np.ndarray, "n frame 13 2"]) -> Float[np.ndarray, "n frame 42"]:
    """Per frame: 13 x (x, y) as `normalise_2d`, the mask, then `motion`.

    Args:
        keypoints: BODY13 of consecutive frames, x right and y down, any unit, NaN where missing.
    """
    n, frames = keypoints.shape[:2]
    points, visible = normalise_2d(keypoints.reshape(-1, len(BODY13), 2).astype(np.float32, copy=False))
    still = np.concatenate([points.reshape(len(points), -1), visible.astype(np.float32)], axis=1)
    return np.concatenate([still.reshape(n, frames, -1), motion(keypoints)], axis=2)


def mirrored_features(x: Float[np.ndarray, "n frame 42"]) -> Float[np.ndarray, "n frame 42"]:
    """Those of the mirrored picture, left called right."""
    joints, order = len(BODY13), BODY13.mirror
    points = x[..., : 2 * joints].reshape(*x.shape[:2], joints, 2)[:, :, order] * np.array([-1, 1], x.dtype)
    still = [points.reshape(*x.shape[:2], -1), x[..., 2 * joints : 3 * joints][..., order]]
    return np.concatenate([*still, x[..., 3 * joints :] * np.array([-1, 1, 1], x.dtype)], axis=2)


def motion(keypoints: Float[np.ndarray, "n frame 13 2"]) -> Float[np.ndarray, "n frame 3"]:
    """How far the person moved since the frame before, right and down, and the log of how much larger they became.

    From the joints that both frames show, so that one which vanishes moves nobody; in units of the person's size (root
    mean square distance from the middle), 0 at the first frame and where fewer than two joints are shared.
    """
    out = np.zeros((*keypoints.shape[:2], 3), np.float32)
    before, now = keypoints[:, :-1], keypoints[:, 1:]
    shared = ~np.isnan(before + now).any(axis=-1, keepdims=True)
    count = np.maximum(shared.sum(axis=2), 1)
    middles, sizes = [], []
    for points in (before, now):
        seen = np.where(shared, points, 0)
        middle = seen.sum(axis=2) / count
        gaps = np.where(shared, seen - middle[:, :, None], 0)
        middles.append(middle)
        sizes.append(np.maximum(np.sqrt((gaps**2).sum(axis=(2, 3)) / count[..., 0]), 1e-6))
    enough = count[..., 0] >= 2
    moved = (middles[1] - middles[0]) / sizes[0][..., None]
    out[:, 1:, :2] = np.where(enough[..., None], moved, 0)
    out[:, 1:, 2] = np.where(enough, np.log(sizes[1] / sizes[0]), 0)
    return np.clip(out, -1, 1)
