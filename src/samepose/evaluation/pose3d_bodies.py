"""Valid bodies from averaged poses: StructNet-Avg(A)-APF (Li 2015, section 5.2)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from samepose.evaluation.pose3d import about_hip
from samepose.geometry.kinematics import Template, angles_of, bone_lengths, with_lengths
from samepose.lifting.particles import annealed

_UPRIGHT = np.array([1, -1, -1])  # camera space to y up and z towards the viewer, and back


def valid_bodies(
    targets: Float[np.ndarray, "n 17 3"], starts: Float[np.ndarray, "n 17 3"], truth: Float[np.ndarray, "n 17 3"],
    seed: int = 0,
) -> Float[np.ndarray, "n 17 3"]:
    """The body nearest to each target, of the bone lengths of the true pose, as the paper's is the test subject's.

    Bones of an average are too short, as poses that point in different directions cancel out, and to come near its
    joints a body would have to fold. So each bone of a target is first made as long as the body's (ours).

    Args:
        targets, starts, truth: mm about the hip, camera space; joint angles begin with those of `starts`, one of the
            best-scored poses. Of the truth only the bone lengths are looked at.

    Returns:
        The same axes and unit; NaN where a target is.
    """
    out, rng = np.full(targets.shape, np.nan), np.random.default_rng(seed)
    for k in np.flatnonzero(np.isfinite(targets + starts).all(axis=(1, 2))):
        template = Template.measured(truth[k] / 1000)
        target, start = targets[k] / 1000 * _UPRIGHT, starts[k] / 1000 * _UPRIGHT
        target = with_lengths(target, template.lengths)
        _, points = annealed(template, target, angles_of(template, start), rng)
        out[k] = about_hip(points * _UPRIGHT)
    return out


def longest_difference(found: Float[np.ndarray, "n 17 3"], truth: Float[np.ndarray, "n 17 3"]) -> float:
    """The largest difference of a bone's length from the truth's, mm."""
    return float(np.nanmax(np.abs(bone_lengths(found) - bone_lengths(truth))))
