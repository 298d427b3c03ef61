"""The valid body that comes nearest to a pose: annealed particle filtering of joint angles.

An average of poses, or what a network says, is no body: its bones shrink and its knees may bend forwards. Li, Zhang and
Chan (2015, section 5.2, StructNet-Avg-APF) therefore adjust the joint angles of the subject's template, from those of
one of the best poses on, to the least MPJPE to the average, by the annealed particle filter of Deutscher and Reid
(2005).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped

from samepose.errors import UsageError
from samepose.geometry.kinematics import SEGMENTS, TOPOLOGY, Template
from samepose.lifting import _particles_kernel as kernel

PARTICLES, LAYERS = 300, 140
_SURVIVE = 0.25  # share of the particles that survives a layer; Deutscher and Reid: 0.5 for 10 layers
_SPREAD = 0.4  # radians: of the first particles about the angles they begin with
_SHRINK = 0.46  # noise of a layer, in standard deviations of the particles that survived
# Which of five limbs a segment is of: 0 the trunk, arms 1 and 2, legs 3 and 4.
_LIMB = np.array([("left" in s.name) + 2 * ("right" in s.name) + 2 * s.name.endswith(("thigh", "shin"))
                  for s in SEGMENTS])


def annealed(
    template: Template, target: Shaped[np.ndarray, "*pose 17 3"], init_angles: Float[np.ndarray, "*pose 15 3"],
    rng: np.random.Generator, *, particles: int = PARTICLES, layers: int = LAYERS,
) -> tuple[Float[np.ndarray, "*pose 15 3"], Float[np.ndarray, "*pose 17 3"]]:
    """Joint angles of the template, within its limits, whose pose has a small MPJPE to each target.

    As in the paper by Deutscher and Reid: each layer weighs the particles by exp(-β E), β such that a given share of
    them survives (section 3.2), draws new ones with crossover between two parents, here of whole limbs (section 4.2),
    and scatters them in each angle in proportion to how the survivors vary in it (section 4.1). Ours: E is the MPJPE;
    the best particle is kept as it is from layer to layer and is the answer, where theirs is the weighted mean.

    Args:
        target: H36M17, metres, y up; only the places about the pelvis matter.
        init_angles: of a pose that is like it, see `angles_of`.
        rng: same state, same result.
        particles, layers: more are nearer and take longer.

    Returns:
        angles, and points in metres with the pelvis where the target's is, every bone as long as the template's.

    Raises:
        UsageError: a joint of a target is missing (NaN).
    """
    flat = np.ascontiguousarray(target.reshape(-1, 17, 3), np.float64)
    start = np.ascontiguousarray(init_angles.reshape(-1, len(SEGMENTS), 3), np.float64)
    if not np.isfinite(flat).all() or not np.isfinite(start).all():
        raise UsageError("a target pose or its first angles hold NaN; fill in the joints or leave the pose out")
    angles, points = np.empty_like(start), np.empty_like(flat)
    for k in range(len(flat)):
        kernel.search(flat[k] - flat[k, :1], start[k], rng, particles, layers, _SURVIVE, _SPREAD, _SHRINK,
                      template.limits, _LIMB, TOPOLOGY, template.offsets, angles[k], points[k])
    points += flat[:, :1]
    return angles.reshape(init_angles.shape), points.reshape(target.shape)
