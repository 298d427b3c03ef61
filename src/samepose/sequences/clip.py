"""A clip: one person's embeddings through time, on a regular grid of moments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.errors import SameposeError, UsageError
from samepose.matching.embeddings import Embeddings
from samepose.poses import Poses

if TYPE_CHECKING:
    from samepose.embed import Embedder

PAPER_RATE = 30.0  # frames per second that offsets in frames are meant at, and that frames without times are taken for
GAP = 0.75  # of the longer of the two steps, the clip's own and the grid's: farther from any pose, nobody is there
_LONGEST = 1_000_000  # moments: times in milliseconds, or of two recordings, would fill the memory


@dataclass(frozen=True, eq=False)
class Clip:
    """One person at T moments, evenly spaced. Build with `clip_of`.

    Attributes:
        embeddings: T rows; those of moments that are not `found` mean nothing.
        mirrored: T rows, of the left-right mirrored poses.
        times: (T,) float64 seconds of the grid.
        found: (T,) False where nobody is there, or with too few joints.
        poses: T rows, 2D, as the model took them: joints of a low score are NaN, and all of them where no sighting is
            near. `times` and `frames` are those of the nearest sighting.
    """

    embeddings: Embeddings
    mirrored: Embeddings
    times: Float[np.ndarray, " time"]
    found: Bool[np.ndarray, " time"]
    poses: Poses

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, key: slice) -> Clip:
        """The moments of a slice; `UsageError` when nobody is found in them."""
        if not self.found[key].any():
            raise UsageError(f"moments {key.start} to {key.stop} of {len(self)}: nobody is found there")
        return Clip(self.embeddings[key], self.mirrored[key], self.times[key], self.found[key], self.poses[key])

    @property
    def rate(self) -> float:
        """Moments per second; `PAPER_RATE` for a single moment."""
        return (len(self) - 1) / float(self.times[-1] - self.times[0]) if len(self) > 1 else PAPER_RATE


def clip_of(poses: Poses, embedder: Embedder, *, rate: float | None = None) -> Clip:
    """One person's poses on a regular grid of moments, embedded.

    Times that are NaN become frame numbers / `fps` (`PAPER_RATE` if unknown). The grid begins at the first pose and
    ends at the last; each moment takes the pose nearest in time, and is not `found` when that is farther away than
    `GAP` steps, so that dropped frames and absences stay gaps and variable frame rates do no harm.

    Args:
        poses: 2D poses of one person, in any order, one for each time.
        rate: moments per second of the grid; the poses' own rate by default. Clips to compare should share one.

    Raises:
        UsageError: no pose, several at one time, times over more than a million moments, or `rate` not positive.
        SameposeError: at no moment are there enough joints.
    """
    if not len(poses):
        raise UsageError("a clip needs at least one pose")
    if rate is not None and not 0 < rate < np.inf:
        raise UsageError(f"rate is {rate}; it must be a positive number of moments per second")
    poses = _timed(poses)
    times, found, nearest = _grid(poses.times, rate)
    searchable = embedder.searchable(poses)
    if not searchable.any():
        seen = int(np.isfinite(embedder.keypoints(poses)[..., 0]).sum(axis=1).max())
        raise SameposeError(f"nobody to compare: of {len(poses)} poses none shows more than {seen} joints, and "
                            f"{embedder.info.min_joints} are needed; choose another person or clip")
    embeddings, mirrored = embedder.embed(poses), embedder.embed(poses.mirrored())
    moments = poses.hide(below=embedder.info.joint_score)[nearest]
    points = np.where(found[:, None, None], moments.points, np.float32(np.nan))
    moments = replace(moments, points=points, scores=np.where(found[:, None], moments.scores, np.float32(0)))
    return Clip(embeddings[nearest], mirrored[nearest], times, found & searchable[nearest], moments)


def clips_of(a: Poses, b: Poses, embedder: Embedder, names: tuple[str, str] = ("A", "B")) -> tuple[Clip, Clip]:
    """Two people's poses as clips of one rate, the higher of the two; errors name which clip.

    Raises:
        SameposeError, UsageError: as `clip_of`.
    """
    clips = [_named(name, poses, embedder, None) for name, poses in zip(names, (a, b))]
    rate = max((clip.rate for clip in clips if len(clip) > 1), default=PAPER_RATE)
    first, second = (_named(name, poses, embedder, rate) for name, poses in zip(names, (a, b)))
    return first, second


def _named(name: str, poses: Poses, embedder: Embedder, rate: float | None) -> Clip:
    try:
        return clip_of(poses, embedder, rate=rate)
    except SameposeError as error:
        raise type(error)(f"{name}: {error}") from error


def _timed(poses: Poses) -> Poses:
    """In time order, every pose with a time."""
    times = poses.times
    if np.isnan(times).any():
        times = poses.frames / (poses.fps or PAPER_RATE)
    order = np.argsort(times, kind="stable")
    poses = replace(poses, times=times)[order]
    if (np.diff(poses.times) <= 0).any():
        moment = float(poses.times[:-1][np.diff(poses.times) <= 0][0])
        raise UsageError(f"several poses at {moment:g} s; a clip is of one person: choose one track")
    return poses


def _grid(
    seen: Float[np.ndarray, " n"], rate: float | None
) -> tuple[Float[np.ndarray, " time"], Bool[np.ndarray, " time"], Int[np.ndarray, " time"]]:
    """Moments, whether a pose is near, and which is nearest."""
    own = _step(seen)
    step = 1 / rate if rate else own
    count = round(float(seen[-1] - seen[0]) / step) + 1
    if count > _LONGEST:
        raise UsageError(f"times from {seen[0]:g} to {seen[-1]:g} s are {count:,} moments {step:g} s apart; "
                         "are the times in seconds, and of one clip?")
    times = seen[0] + np.arange(count) * step
    after = np.clip(np.searchsorted(seen, times), 1, max(len(seen) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(seen) - 1)
    nearest = np.where(np.abs(seen[after] - times) < np.abs(times - seen[before]), after, before)
    return times, np.abs(seen[nearest] - times) <= GAP * max(own, step), nearest


def _step(seen: Float[np.ndarray, " n"]) -> float:
    """Seconds from one sighting to the next where none is missing: a mean, for containers round single times."""
    steps = np.diff(seen)
    if not len(steps):
        return 1 / PAPER_RATE
    usual = float(np.median(steps))
    near = steps[steps < 2.5 * usual]  # a long gap would count with the error of `usual`
    return float(near.sum() / np.rint(near / usual).sum())
