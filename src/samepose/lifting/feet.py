"""Where a person walks who was seen without a place: the feet that stand tell it.

A single camera gives poses about the pelvis. A foot that stands does not move, so while it does the body moves against
it. Nor does it move in the picture of a camera that stands, where no error of depth can hide it.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from samepose.lifting.smooth import smoothed
from samepose.skeleton import H36M17

ANKLES = tuple(H36M17.index(f"{side}_ankle") for side in ("left", "right"))
_LOW = 0.03  # metres: so much higher than the other, a foot counts 1/e as much in the first round
_SLOW = 0.3  # metres a second: what a foot that stands seems to move, by errors of the poses
_RAISED = 0.05  # metres: how much higher than the other it seems to be, by the same
_SWINGS = 3.0  # what a foot that swings costs; one that stands costs half the squares of its speed and rise by those
_CHANGE = 5.0  # what it costs besides to set a foot down or lift it
_PLACE = 0.08  # metres from the middle of where it stood: beyond, a foot has made a small step
_STEP = 0.15  # metres a second, of small steps
_FEET, _TRAVEL, _RISE = 3.0, 1.5, 4.0  # hertz, see `smoothed`: of the feet's and the pelvis' velocity, and its height
_FOLLOWS = 0.15  # metres a second: if the slower foot mostly moves faster in the picture, so does the camera
_NOWHERE = 1e-3  # weight of standing still, where no foot tells anything
_AFLOAT = 0.5  # seconds without a foot on the ground after which the lowest joint lies on it


def stands(
    around: Float[np.ndarray, "time 17 3"], times: Float[np.ndarray, " time"],
    picture: Float[np.ndarray, "time 2"] | None = None,
) -> tuple[Bool[np.ndarray, "time 2"], Float[np.ndarray, "time 3"]]:
    """When the left and the right foot stand, and where the pelvis is meanwhile.

    The velocity of the pelvis and the feet that stand tell one another: it begins with the lower foot, and the feet
    that turn out slow count more in the next round. A foot is as slow as it is over the ground or in the picture,
    whichever is less.

    Args:
        around: joints about the pelvis, metres, y up, without noise from frame to frame.
        times: seconds, increasing.
        picture: how fast the ankles move in the picture (`picture_speeds`); infinite where that is not known.

    Returns:
        standing, and the pelvis: metres, at first over (0, 0), ankles that stand at about y = 0.
    """
    feet = around[:, ANKLES]
    even = np.ones(len(times))
    calm = smoothed(feet.reshape(len(times), 6), times, even, _FEET).reshape(feet.shape)
    moves = np.gradient(calm, times, axis=0)[..., [0, 2]] if len(times) > 1 else np.zeros((len(times), 2, 2))
    above = calm[..., 1] - calm[..., 1].min(axis=1, keepdims=True)
    most = np.full((len(times), 2), np.inf) if picture is None else picture
    weights = low = np.exp(-((above / _LOW) ** 2))
    for _ in range(4):
        velocity = _velocity(moves, weights, times, _TRAVEL)
        speeds = np.minimum(np.linalg.norm(velocity[:, None] + moves, axis=-1), most)
        weights = low / (1 + (speeds / _SLOW) ** 2)
    cost = (speeds / _SLOW) ** 2 / 2 + (above / _RAISED) ** 2 / 2
    standing = np.stack([_sequence(cost[:, foot]) for foot in range(2)], axis=1)
    ground = _way(_velocity(moves, standing * weights, times, 2 * _TRAVEL), times)
    for foot in range(2):
        for start, end in runs(standing[:, foot]):
            place = (ground + calm[:, foot][:, [0, 2]])[start:end]
            if np.linalg.norm(place - place.mean(axis=0), axis=-1).max() > _PLACE:
                standing[start:end, foot] &= speeds[start:end, foot] < _STEP
    ground = _way(_velocity(moves, standing * weights, times, 2 * _TRAVEL), times)
    return standing, np.stack([ground[:, 0], _height(around, standing, times), ground[:, 1]], axis=-1)


def picture_speeds(
    seen: Float[np.ndarray, "time 17 2"], around: Float[np.ndarray, "time 17 3"], times: Float[np.ndarray, " time"]
) -> Float[np.ndarray, "time 2"]:
    """How fast each ankle moves in the picture, metres a second at the person's distance.

    Infinite where not seen, and everywhere if the camera seems to move. It stands if the slower foot mostly does: who
    is followed by a camera has feet that move back and forth in the picture, and none that stands.

    Args:
        seen: pixels, NaN where missing.
        around: the same joints lifted, metres, NaN where missing: they tell how large the person is in the picture.
    """
    known = ~(np.isnan(seen).any(axis=-1) | np.isnan(around).any(axis=-1))
    size = [np.sqrt(np.mean([np.var(p[k], axis=0).sum() for p, k in zip(points, known) if k.sum() > 2] or [0.0]))
            for points in (around[..., :2], seen)]
    out = np.full((len(times), 2), np.inf)
    for foot, ankle in enumerate(ANKLES):
        there = known[:, ankle]
        if there.sum() < 3 or not size[1]:
            continue
        way = smoothed(np.nan_to_num(seen[:, ankle]), times, there.astype(float), _FEET) * size[0] / size[1]
        out[there, foot] = np.linalg.norm(np.gradient(way, times, axis=0), axis=-1)[there]
    slower = out.min(axis=1)
    still = np.isfinite(slower)
    return out if still.any() and np.median(slower[still]) < _FOLLOWS else np.full_like(out, np.inf)


def _velocity(moves: np.ndarray, weights: np.ndarray, times: np.ndarray, cutoff: float) -> Float[np.ndarray, "time 2"]:
    """Of the pelvis over the ground, if the feet by their weights are still; metres a second."""
    total = weights.sum(axis=1) + _NOWHERE
    return smoothed(-(weights[..., None] * moves).sum(axis=1) / total[:, None], times, total, cutoff)


def _way(velocity: Float[np.ndarray, "time 2"], times: np.ndarray) -> Float[np.ndarray, "time 2"]:
    step = np.diff(times)[:, None] * (velocity[1:] + velocity[:-1]) / 2
    return np.concatenate([np.zeros((1, 2)), np.cumsum(step, axis=0)])


def _sequence(cost: Float[np.ndarray, " time"]) -> Bool[np.ndarray, " time"]:
    """When one foot stands: the sequence of standing and swinging of least cost (Viterbi), changes included."""
    swings, stands_ = 0.0, 0.0
    came = np.zeros((len(cost), 2), np.bool_)  # whether it stood before, if it swings or stands now
    for k, standing in enumerate(cost.tolist()):
        came[k] = stands_ + _CHANGE < swings, stands_ <= swings + _CHANGE
        swings, stands_ = min(swings, stands_ + _CHANGE) + _SWINGS, min(stands_, swings + _CHANGE) + standing
    out = np.zeros(len(cost), np.bool_)
    now = stands_ <= swings
    for k in range(len(cost) - 1, -1, -1):
        out[k], now = now, bool(came[k, int(now)])
    return out


def runs(mask: Bool[np.ndarray, " time"]) -> list[tuple[int, int]]:
    """Start and end (not included) of each stretch that is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _height(around: np.ndarray, standing: np.ndarray, times: np.ndarray) -> Float[np.ndarray, " time"]:
    """Metres of the pelvis above the ankles that stand; in the air between, afterwards that of the lowest joint."""
    counts = standing.sum(axis=1)
    feet = (standing * around[:, ANKLES, 1]).sum(axis=1) / np.maximum(counts, 1)
    afloat = np.zeros(len(times), np.bool_)
    for start, end in runs(counts == 0):
        afloat[start:end] = times[min(end, len(times) - 1)] - times[max(start - 1, 0)] > _AFLOAT or not counts.any()
    heights = np.where(afloat, -around[..., 1].min(axis=1), -feet)
    return smoothed(heights[:, None], times, np.where(afloat, 0.3, counts.astype(float)), _RISE)[:, 0]
