"""How far apart two people stand in the picture: the pose difference of Mori 2015, sections 4.1 and 4.2.

The mean distance of the joints after the torsos are laid on each other by translation alone, in pixels of the crop
around a person (128 x 128 there). The crop takes out place and size; nothing takes out the angle of view.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from samepose.skeleton import Skeleton

HIT = 15.0  # pixels of the crop: no farther, and two are in the same pose (Mori 2015, section 4.2)
MIN_JOINTS = 10  # marked in both of a pair, or they do not compare (ours: the paper's people have all joints)


def on_torso(points: Float[np.ndarray, "n joint 2"], skeleton: Skeleton) -> Float[np.ndarray, "n joint 2"]:
    """Poses with the middle of the hips at the origin; all NaN where a hip is missing.

    The paper says "to match the 2D torso (root) locations"; in MPII, whose people it compares, the root is the pelvis.

    Raises:
        UsageError: a skeleton without hips.
    """
    hips = [skeleton.index(f"{side}_hip") for side in ("left", "right")]
    return points - points[:, hips].mean(axis=1, keepdims=True)


def pose_differences(
    a: Float[np.ndarray, "n joint 2"], b: Float[np.ndarray, "m joint 2"]
) -> Float[np.ndarray, "n m"]:
    """Mean distance of the joints that both have, in the unit of the poses, which are aligned (`on_torso`).

    NaN for pairs with fewer than `MIN_JOINTS` of them, or than both skeletons have.
    """
    total, count = np.zeros((len(a), len(b)), np.float32), np.zeros((len(a), len(b)), np.float32)
    for joint in range(a.shape[1]):
        gap = np.hypot(*(a[:, None, joint, axis] - b[None, :, joint, axis] for axis in (0, 1)))
        both = np.isfinite(gap)
        total += np.where(both, gap, 0)
        count += both
    enough = count >= min(MIN_JOINTS, a.shape[1])
    return np.where(enough, total / np.maximum(count, 1), np.float32(np.nan)).astype(np.float32)
