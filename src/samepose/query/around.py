"""The same person before and after the moment of a query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from samepose.errors import MediaError
from samepose.poses import Poses

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.media.video import Frame

# From offsets in seconds to the person's sightings at about these times, or more of them, in order of time.
Around = Callable[[Float[np.ndarray, " offset"]], Poses]


def in_video(path: Path, detector: Callable[[], Detector], now: Frame, people: Poses, person: int) -> Around:
    """Of a video: its frames at these times are looked at when they are first asked for, and the person is followed.

    Args:
        now: the frame of the moment.
        people: those who are in it; `person` is the place among them of the one who is meant.
    """

    known: dict[bytes, Poses] = {}

    def around(offsets: Float[np.ndarray, " offset"]) -> Poses:
        if offsets.tobytes() not in known:
            known[offsets.tobytes()] = look(offsets)
        return known[offsets.tobytes()]

    def look(offsets: Float[np.ndarray, " offset"]) -> Poses:
        from samepose.detection import detected
        from samepose.detection.track import Tracker

        frames = _nearest_frames(path, now, now.time + offsets)
        others = {frame.index: found for frame, found in detected((f for f in frames if f is not now), detector())}
        tracker, seen, number = Tracker(), [], -1
        for frame in frames:
            poses = tracker.update(people if frame is now else others[frame.index], frame.time)
            seen.append(replace(poses, times=np.full(len(poses), frame.time)))
            number = int(poses.tracks[person]) if frame is now else number
        everyone = Poses.concatenate(seen)
        return everyone[everyone.tracks == number]

    return around


def in_track(poses: Poses, person: int) -> Around | None:
    """Of poses that are there already; None where nobody can be followed: two of one track at one time.

    Args:
        person: the place among `poses` of the one who is meant.
    """
    own = poses[poses.tracks == poses.tracks[person]]
    own = own[np.argsort(own.times, kind="stable")]
    return (lambda offsets: own) if (np.diff(own.times) > 0).all() else None


def _nearest_frames(path: Path, now: Frame, times: Float[np.ndarray, " offset"]) -> list[Frame]:
    """The frames of a video that are nearest to some times, each once, in order; `now` among them."""
    from samepose.media.video import read_frames

    best: list[Frame] = [now] * len(times)
    try:
        for frame in read_frames(path, None, float(times.min()), float(times.max())):
            for i, time in enumerate(times):
                if abs(frame.time - time) < abs(best[i].time - time) and frame.time != now.time:
                    best[i] = frame
    except MediaError:  # the video breaks off here; what was read will do
        pass
    return sorted({frame.time: frame for frame in [*best, now]}.values(), key=lambda frame: frame.time)
