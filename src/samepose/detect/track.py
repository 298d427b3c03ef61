"""Who is who from frame to frame: stable person ids within a video."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from samepose.detect.movenet import JOINT_SCORE, oks
from samepose.poses import Poses

_FORGET = 1.5  # seconds without a sighting after which a track ends
_LEAST_LIKENESS = 0.15  # under this two sightings are not joined
_MEMORY = 0.25  # seconds over which the speed is averaged
_LONGEST_GUESS = 0.5  # seconds that a motion is extrapolated at most


@dataclass
class _Track:
    """One person: the last sighting and how they move.

    Attributes:
        person: one pose.
        time: seconds.
        velocity: (2,) pixels per second of the middle of the body.
    """

    number: int
    person: Poses
    time: float
    velocity: Float[np.ndarray, "2"]

    def expected(self, time: float) -> Poses:
        """Where the person would be by now."""
        shift = self.velocity * min(time - self.time, _LONGEST_GUESS)
        return replace(
            self.person, points=self.person.points + shift, boxes=self.person.boxes + np.tile(shift, 2)
        )


class Tracker:
    """Gives people ids 0, 1, 2… in the order in which they appear. Feed it one video, in order."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._next = 0

    def update(self, poses: Poses, time: float) -> Poses:
        """The same poses with `tracks` set.

        Args:
            poses: everyone in one frame.
            time: of that frame in seconds, later than the one before.
        """
        from scipy.optimize import linear_sum_assignment

        self._tracks = [t for t in self._tracks if time - t.time <= _FORGET]
        ids = np.full(len(poses), -1, np.int64)
        if self._tracks and len(poses):
            expected = Poses.concatenate([t.expected(time) for t in self._tracks])
            likeness = _likeness(expected, poses)
            for row, column in zip(*linear_sum_assignment(likeness, maximize=True)):
                if likeness[row, column] >= _LEAST_LIKENESS:
                    track = self._tracks[row]
                    ids[column] = track.number
                    _follow(track, poses[int(column)], time)
        for i in np.flatnonzero(ids < 0):
            ids[i] = self._next
            self._tracks.append(_Track(self._next, poses[int(i)], time, np.zeros(2, np.float32)))
            self._next += 1
        return replace(poses, tracks=ids)


def _follow(track: _Track, person: Poses, time: float) -> None:
    elapsed = max(time - track.time, 1e-3)
    now, before = _middle(person), _middle(track.person)
    if not np.isnan(now + before).any():
        fresh = 1 - np.exp(-elapsed / _MEMORY)
        track.velocity = (track.velocity + fresh * ((now - before) / elapsed - track.velocity)).astype(np.float32)
    track.person, track.time = person, time


def _middle(person: Poses) -> Float[np.ndarray, "2"]:
    """Of the trunk where it is seen: limbs swing."""
    trunk = person.hide(below=JOINT_SCORE).points[0, [5, 6, 11, 12]]
    if np.isnan(trunk).any():
        trunk = person.boxes[0].reshape(2, 2)
    middle: np.ndarray = trunk.mean(axis=0)
    return middle


def _likeness(a: Poses, b: Poses) -> Float[np.ndarray, "n m"]:
    """0 to 1: half the overlap of the boxes, half that of the joints (OKS, three times as forgiving)."""
    areas = 9 * np.maximum((a.boxes[:, 2:] - a.boxes[:, :2]).prod(axis=1), 1.0)
    return 0.5 * _overlap(a.boxes, b.boxes) + 0.5 * oks(a.hide(below=JOINT_SCORE), b.hide(below=JOINT_SCORE), areas)


def _overlap(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Intersection over union of every box with every other."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=-1)
    union = (a[:, 2:] - a[:, :2]).prod(axis=1)[:, None] + (b[:, 2:] - b[:, :2]).prod(axis=1)[None] - shared
    result: np.ndarray = np.nan_to_num(shared / np.maximum(union, 1e-6))
    return result
