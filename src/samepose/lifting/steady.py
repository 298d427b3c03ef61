"""3D poses of a person over time made into a motion: smooth, with bones of one length and feet that stand still."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from samepose.errors import UsageError
from samepose.geometry.kinematics import Template, angles_of, pose_of
from samepose.lifting.feet import ANKLES, picture_speeds, runs, stands
from samepose.lifting.lifted import JOINT_SCORE
from samepose.lifting.smooth import robustly_smoothed
from samepose.poses import Poses
from samepose.skeleton import H36M17

# Hertz of the joints about the pelvis, see `smoothed`: the farther from it, the faster a joint moves.
CUTOFF = dict.fromkeys(H36M17.joints, 2.0) | {
    f"{side}_{joint}": hertz for side in ("left", "right")
    for joint, hertz in (("knee", 3.0), ("elbow", 3.0), ("ankle", 4.0), ("wrist", 4.0))}
ERROR = 0.05  # metres, of a joint's common errors: known twice as well it counts four times, so far off the curve half
_LEAST = 0.005  # metres: nothing is known better
_FAINT = 0.05  # what a joint that is there counts at least, and scores if it was filled in
LONGEST_GAP = 0.5  # seconds: what somebody does in a longer one is not known
_EASE = 0.15  # seconds in which a foot comes to where it stands, and leaves it
_REACH = 0.9995  # of a straight leg
_LEGS = tuple(tuple(H36M17.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle"))
              for side in ("left", "right"))


def steady(
    poses: Poses, template: Template | None = None, spread: Float[np.ndarray, "n joint"] | None = None,
    seen: Poses | None = None,
) -> Poses:
    """3D poses of one person over time, as a body would move.

    Joints are smoothed about the pelvis (`robustly_smoothed`); a body of fixed bones follows their directions, within
    the limits of its joints; and as a single camera does not tell where a person goes, the feet that stand do
    (`feet.stands`): the pelvis travels so that they stay, and legs bend so that they stay exactly, as far as they are
    long enough. Whatever way the poses' pelvis went is given up. The floor is taken as level, and standing ankles as at
    y = 0. How high both feet together leave the ground in a jump is not seen about the pelvis, so such a jump comes out
    flat.

    Args:
        poses: 3D, metres, y up, times increasing; joints that are missing (NaN) for up to `LONGEST_GAP` are filled in,
            poses in the middle of longer gaps, and before and after the person is seen, come back empty.
        template: the person's bones; by default measured on the poses, left as long as right.
        spread: of H36M17, metres, how far off each joint may be along an axis: it counts by the inverse of the square;
            by default joints count by their scores.
        seen: the 2D poses that they were lifted from, moment by moment: a foot that keeps its place in the picture
            stands.

    Returns:
        as many poses at the same times, H36M17, the first over x = z = 0.

    Raises:
        UsageError: 2D, several people, no times, no joint ever seen with the others, or bones without length; `seen`
            has another number of poses.
    """
    points, weights = _checked(poses, spread)
    times = poses.times
    filled = _fillable(weights > 0, times)
    if not filled.any():
        raise UsageError("`poses` hold no moment with all joints of H36M17; nothing can be made steady")
    around = np.nan_to_num(points - points[:, :1])
    for start, end in _parts(filled, times):
        around[start:end] = _smooth(around[start:end], times[start:end], weights[start:end])
    speeds = None
    if seen is not None:
        if len(seen) != len(poses):
            raise UsageError(f"`seen` has {len(seen)} poses and `poses` {len(poses)}; give those they were lifted from")
        speeds = picture_speeds(seen.hide(below=JOINT_SCORE).to(H36M17).points, points, times)
    body = template or Template.measured(around[filled]).symmetric()
    out, place = np.full(points.shape, np.nan), np.zeros(3)
    for start, end in _parts(filled, times):
        still = None if speeds is None else speeds[start:end]
        part = _grounded(body, pose_of(body, angles_of(body, around[start:end])), times[start:end], still)
        out[start:end] = part + place * (1, 0, 1)
        place = out[end - 1, 0]
    scores = poses.to(H36M17).scores.copy()
    scores[~filled] = 0
    scores[filled] = np.maximum(scores[filled], _FAINT)
    return replace(poses, points=out.astype(np.float32), skeleton=H36M17, scores=scores)


def _checked(
    poses: Poses, spread: np.ndarray | None
) -> tuple[Float[np.ndarray, "time 17 3"], Float[np.ndarray, "time 17"]]:
    if poses.points.shape[-1] != 3:
        raise UsageError("`poses` are 2D; lift them first, see samepose.lift")
    if not (np.diff(poses.times) > 0).all() or np.isnan(poses.times).any():
        raise UsageError("`poses` are not one person in order of time; give one track of a video")
    body = poses.to(H36M17)
    seen = np.isfinite(body.points).all(axis=-1) & np.isfinite(body.points[:, :1]).all(axis=-1)
    weights = np.maximum(body.scores, _FAINT) if spread is None else weights_of(spread)
    return body.points.astype(np.float64), np.where(seen, weights, 0.0)


def weights_of(spread: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """What joints count that may be so far off, metres."""
    weights: np.ndarray = np.maximum((ERROR / np.maximum(spread, _LEAST)) ** 2, _FAINT)
    return weights


def _fillable(seen: Bool[np.ndarray, "time 17"], times: np.ndarray) -> Bool[np.ndarray, " time"]:
    """Moments at which every joint was seen, or will be before long and was not long ago."""
    whole = np.ones(len(times), np.bool_)
    for joint in range(seen.shape[1]):
        for start, end in runs(~seen[:, joint]):
            if start == 0 or end == len(times) or times[end] - times[start - 1] > LONGEST_GAP:
                whole[start:end] = False
    return whole


def _parts(filled: Bool[np.ndarray, " time"], times: np.ndarray) -> list[tuple[int, int]]:
    """Stretches without a long gap."""
    parts = []
    for start, end in runs(filled):
        cuts = start + 1 + np.flatnonzero(np.diff(times[start:end]) > LONGEST_GAP)
        parts += list(zip([start, *cuts.tolist()], [*cuts.tolist(), end]))
    return parts


def _smooth(around: np.ndarray, times: np.ndarray, weights: np.ndarray) -> Float[np.ndarray, "time 17 3"]:
    out = np.zeros_like(around)
    for k, joint in enumerate(H36M17.joints[1:], 1):
        out[:, k] = robustly_smoothed(around[:, k], times, weights[:, k], CUTOFF[joint], ERROR)
    return out


def _grounded(
    body: Template, around: np.ndarray, times: np.ndarray, picture: np.ndarray | None
) -> Float[np.ndarray, "time 17 3"]:
    standing, pelvis = stands(around, times, picture)
    points = around + pelvis[:, None]
    for foot in range(2):
        goal = points[:, ANKLES[foot]] + _shift(points[:, ANKLES[foot]], standing[:, foot], times)
        goal[:, 1] = np.maximum(goal[:, 1], 0)  # nor does a foot that swings go through the floor
        _reach(points, _LEGS[foot], goal, body.lengths)
    return points


def _shift(
    ankle: Float[np.ndarray, "time 3"], standing: Bool[np.ndarray, " time"], times: np.ndarray
) -> Float[np.ndarray, "time 3"]:
    """What brings an ankle to the one place where it stands, and eases in and out of that."""
    shift, weight = np.zeros_like(ankle), np.zeros(len(times))
    for start, end in runs(standing):
        place = ankle[start:end].mean(axis=0) * (1, 0, 1)
        here = np.clip(np.arange(len(times)), start, end - 1)
        far = np.abs(times - times[here]) / _EASE
        share = np.where(far < 1, (1 - far) ** 2 * (1 + 2 * far), 0)
        share[standing & (here != np.arange(len(times)))] = 0  # there it stands elsewhere
        shift += share[:, None] * (place - ankle[here])
        weight += share
    return shift / np.maximum(weight, 1)[:, None]


def _reach(points: np.ndarray, leg: tuple[int, ...], goal: np.ndarray, lengths: np.ndarray) -> None:
    """Bend a leg, in the plane it lies in, so that its ankle comes to the goal, or as near as it is long enough."""
    hip, knee, ankle = leg
    thigh, shin = lengths[knee], lengths[ankle]
    line = goal - points[:, hip]
    far = np.linalg.norm(line, axis=-1, keepdims=True)
    line = line / np.maximum(far, 1e-9)
    far = np.clip(far, abs(thigh - shin) + 1e-4, _REACH * (thigh + shin))
    along = (far**2 + thigh**2 - shin**2) / (2 * far)
    bent = points[:, knee] - points[:, hip]
    bent = bent - (bent * line).sum(-1, keepdims=True) * line
    bent /= np.maximum(np.linalg.norm(bent, axis=-1, keepdims=True), 1e-9)
    points[:, knee] = points[:, hip] + along * line + np.sqrt(np.maximum(thigh**2 - along**2, 0)) * bent
    points[:, ankle] = points[:, hip] + far * line
