"""Poses of one person over time as frames at one rate, which is what files of motion hold."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from samepose.errors import UsageError
from samepose.poses import Poses
from samepose.skeleton import H36M17

_LONGEST = 100_000  # frames: an hour at 30 a second


def resampled(poses: Poses, fps: float) -> Float[np.ndarray, "frame 17 3"]:
    """H36M17 points at 0, 1/fps, 2/fps… seconds after the first pose, float64, on straight lines between the poses.

    Poses that lack a joint are left out; what lies between their neighbours is drawn through.

    Args:
        poses: 3D, of one person, in order of time; or a single pose, which becomes one frame.
        fps: frames per second.

    Raises:
        UsageError: not 3D, nobody whole in it, several people, no times, or too long.
    """
    if poses.points.shape[-1] != 3:
        raise UsageError("`poses` are 2D; motion is written of 3D poses, see samepose.lift")
    if not 0 < fps < np.inf:
        raise UsageError(f"`fps` is {fps:g}; give frames per second above 0")
    points = poses.to(H36M17).points.astype(np.float64)
    whole = np.isfinite(points).all(axis=(1, 2))
    if not whole.any():
        raise UsageError("`poses` hold no pose with all joints of H36M17; nothing can be written")
    points, times = points[whole], _times(poses)[whole]
    if len(points) == 1:
        return points
    if not (np.diff(times) > 0).all():
        raise UsageError("`poses` are not one person in order of time; write one person after the other")
    count = (times[-1] - times[0]) * fps + 1e-6
    if count > _LONGEST:
        raise UsageError(f"`poses` last {times[-1] - times[0]:.0f} s; at most {_LONGEST} frames are written, so give "
                         "a part")
    grid = times[0] + np.arange(int(count) + 1) / fps
    after = np.clip(np.searchsorted(times, grid, side="right"), 1, len(times) - 1)
    share = np.clip((grid - times[after - 1]) / (times[after] - times[after - 1]), 0, 1)[:, None, None]
    between: np.ndarray = points[after - 1] * (1 - share) + points[after] * share
    return between


def _times(poses: Poses) -> Float[np.ndarray, " n"]:
    if len(poses) > 1 and np.isnan(poses.times).any():
        if poses.fps is None or not np.isnan(poses.times).all():
            raise UsageError(f"`poses` are {len(poses)} people without times; write one person after the other")
        return np.arange(len(poses)) / poses.fps
    return poses.times
