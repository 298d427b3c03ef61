"""Angles at the joints: in space, or as they appear in the picture."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from samepose.poses import Poses

# The angle at the middle joint of three.
ANGLES: dict[str, tuple[str, str, str]] = {
    f"{side}_{joint}": (f"{side}_{before}", f"{side}_{joint}", f"{side}_{after}")
    for joint, before, after in (("elbow", "shoulder", "wrist"), ("shoulder", "elbow", "hip"),
                                 ("hip", "shoulder", "knee"), ("knee", "hip", "ankle"))
    for side in ("left", "right")
}


def joint_angles(poses: Poses) -> Float[np.ndarray, "n 8"]:
    """Degrees 0..180 at each of `ANGLES`, 180 = straight; NaN where a joint is not known. Of 3D poses they are those in
    space, of 2D ones those in the picture, which depend on where the camera stands."""
    out = np.full((len(poses), len(ANGLES)), np.nan)
    for k, joints in enumerate(ANGLES.values()):
        if set(joints) <= set(poses.skeleton.joints):
            before, middle, after = (poses.points[:, poses.skeleton.index(joint)].astype(float) for joint in joints)
            u, v = before - middle, after - middle
            area = np.linalg.norm(u[:, :, None] * v[:, None] - v[:, :, None] * u[:, None], axis=(1, 2)) / np.sqrt(2)
            out[:, k] = np.degrees(np.arctan2(area, (u * v).sum(axis=1)))
    return out


# As sports science names and counts them: flexion is 0 where the limb is straight, elevation 0 where the arm hangs.
SPORTS = tuple(f"{joint}_{'elevation' if 'shoulder' in joint else 'flexion'}" for joint in ANGLES)


def sports_angles(poses: Poses) -> Float[np.ndarray, "n 8"]:
    """Degrees 0..180 in the picture of each of `SPORTS`, without sign; NaN where a joint is not seen."""
    raised = np.array(["elevation" in name for name in SPORTS])
    angles = joint_angles(poses)
    return np.where(raised, angles, 180 - angles)
