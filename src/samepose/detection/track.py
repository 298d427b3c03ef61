"""Who is who from frame to frame: stable person ids within a video."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from samepose.detection.likeness import oks, overlap
from samepose.detection.movenet import JOINT_SCORE
from samepose.poses import Poses
from samepose.skeleton import COCO17

_FORGET = 1.5  # seconds without a sighting after which a track ends; the likeness to it fades until then
_LEAST_LIKENESS = 0.15  # under this two sightings are not joined
_FADING = 0.5  # of the likeness, for a track that is about to end: those still in view come first
_MEMORY = 0.8  # seconds of the past that the speed is fitted to
_LONGEST_GUESS = 0.8  # seconds that a motion is extrapolated at most
_NEAR = 0.1  # distance, in sizes of the person, at which the nearness of two middles has fallen to exp(-1/2)
_TRUNK = [COCO17.index(j) for j in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]


@dataclass
class _Track:
    """One person.

    Attributes:
        person: the last sighting, one pose.
        path: (seconds, x, y) of the middle of the body at the sightings of the last `_MEMORY` seconds, the last last.
        velocity: (2,) pixels per second at the last sighting.
    """

    number: int
    person: Poses
    path: list[tuple[float, float, float]]
    velocity: Float[np.ndarray, "2"]

    @property
    def time(self) -> float:
        return self.path[-1][0]

    def follow(self, person: Poses, middle: Float[np.ndarray, "2"], time: float) -> None:
        """Add a sighting."""
        self.person = person
        self.path = [p for p in self.path if time - p[0] <= _MEMORY] + [(time, float(middle[0]), float(middle[1]))]
        self.velocity = _velocity(self.path)


class Tracker:
    """Gives people ids 0, 1, 2… in the order in which they appear. Feed it one video, in order."""

    def __init__(self, before: Poses | None = None) -> None:
        """Begin, or go on where another one stopped.

        Args:
            before: what that one gave until then, with `tracks` and `times`; the last seconds decide, and the highest
                number.
        """
        self._tracks = [] if before is None else _recalled(before)
        self._next = 0 if before is None or not len(before) else int(before.tracks.max()) + 1

    def update(self, poses: Poses, time: float) -> Poses:
        """The same poses with `tracks` set.

        Args:
            poses: everyone in one frame, of any skeleton: only the joints of COCO17 are looked at.
            time: of that frame in seconds, later than the one before.
        """
        from scipy.optimize import linear_sum_assignment

        self._tracks = [t for t in self._tracks if time - t.time <= _FORGET]
        people = poses.to(COCO17)
        ids, middles = np.full(len(people), -1, np.int64), _middles(people.hide(below=JOINT_SCORE))
        if self._tracks and len(people):
            gone = np.array([time - t.time for t in self._tracks])
            likeness = _likeness(_expected(self._tracks, gone), people) * (1 - gone / _FORGET * _FADING)[:, None]
            for row, column in zip(*linear_sum_assignment(likeness, maximize=True)):
                if likeness[row, column] >= _LEAST_LIKENESS:
                    track = self._tracks[row]
                    ids[column] = track.number
                    track.follow(people[int(column)], middles[column], time)
        for i in np.flatnonzero(ids < 0):
            ids[i] = self._next
            track = _Track(self._next, people[int(i)], [], np.zeros(2))
            track.follow(track.person, middles[i], time)
            self._tracks.append(track)
            self._next += 1
        return replace(poses, tracks=ids)


def _recalled(before: Poses) -> list[_Track]:
    """The tracks as they were after these sightings; a track knows no more than its last `_MEMORY` seconds."""
    lately = before[before.times >= before.times.max() - _FORGET - _MEMORY] if len(before) else before
    people, tracks = lately.to(COCO17), []
    middles = _middles(people.hide(below=JOINT_SCORE))
    for number in np.unique(people.tracks):
        own = np.flatnonzero(people.tracks == number)
        own = own[np.argsort(people.times[own], kind="stable")]
        last = people.times[own[-1]]
        path = [(float(people.times[i]), float(middles[i][0]), float(middles[i][1]))
                for i in own if last - people.times[i] <= _MEMORY]
        tracks.append(_Track(int(number), people[int(own[-1])], path, _velocity(path)))
    return tracks


def _expected(tracks: list[_Track], gone: Float[np.ndarray, " n"]) -> Poses:
    """Where each person would be by now, `gone` seconds after the last sighting, going on in a straight line."""
    seen = Poses.concatenate([t.person for t in tracks])
    guess = np.minimum(gone, _LONGEST_GUESS)[:, None]
    shifts = (np.array([t.velocity for t in tracks]) * guess).astype(np.float32)
    return replace(seen, points=seen.points + shifts[:, None], boxes=seen.boxes + np.tile(shifts, 2))


def _velocity(path: list[tuple[float, float, float]]) -> Float[np.ndarray, "2"]:
    """Pixels per second, the slope of the line through the path; of a path of two points only half is believed."""
    if len(path) < 2:
        return np.zeros(2)
    points = np.array(path)
    points -= points.mean(axis=0)
    slope: np.ndarray = points[:, 0] @ points[:, 1:] / (points[:, 0] ** 2).sum()
    return slope if len(path) > 2 else slope / 2


def _middles(people: Poses) -> Float[np.ndarray, "n 2"]:
    """Of the trunk where it is seen, for limbs swing; else of the box. Joints of low score must be hidden."""
    trunk = people.points[:, _TRUNK].mean(axis=1)
    box = people.boxes.reshape(-1, 2, 2).mean(axis=1)
    middles: np.ndarray = np.where(np.isnan(trunk), box, trunk)
    return middles


def _likeness(a: Poses, b: Poses) -> Float[np.ndarray, "n m"]:
    """0 to 1: the mean of the overlap of the boxes, the nearness of the middles and the likeness of the joints.

    The joints' is OKS with areas nine times as large, for limbs move between frames.
    """
    a, b = a.hide(below=JOINT_SCORE), b.hide(below=JOINT_SCORE)
    areas = np.maximum((a.boxes[:, 2:] - a.boxes[:, :2]).prod(axis=1), 1.0)
    squares = ((_middles(a)[:, None] - _middles(b)[None]) ** 2).sum(axis=-1)
    nearness = np.exp(-squares / (2 * _NEAR**2 * areas[:, None]))
    joints = oks(a, b, 9 * areas)
    likeness: np.ndarray = (overlap(a.boxes, b.boxes) + nearness + joints) / 3
    return likeness
