"""A clip: one person's embeddings through time, on a regular grid of moments."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.embed.views import embed_any, enough_joints
from samepose.errors import SameposeError, UsageError
from samepose.matching.embeddings import Embeddings, Matching
from samepose.matching.moment import PAPER_RATE  # also what frames without times are taken for
from samepose.poses import Poses
from samepose.query.kinds import FPS, open_source
from samepose.query.moment import shown as shown_as
from samepose.query.source import Source, about
from samepose.skeleton import BODY13

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.embed import Embedder

GAP = 0.75  # of the longer of the two steps, the clip's own and the grid's: farther from any pose, nobody is there
_LONGEST = 1_000_000  # moments: times in milliseconds, or of two recordings, would fill the memory


@dataclass(frozen=True, eq=False)
class Sightings:
    """What a clip is made from: one person's poses as they were seen, embedded once, for a grid of any rate.

    Attributes:
        poses: N, 2D, in order of time, as the model took them: joints of a low score are NaN. All have times.
        embeddings, mirrored: N rows, of the poses and of the left-right mirrored poses.
        searchable: (N,) which show enough joints; the embeddings of the others mean nothing.
        bodies: N, in 3D, where that is known: of motion capture and of 3D poses.
    """

    poses: Poses
    embeddings: Embeddings
    mirrored: Embeddings
    searchable: Bool[np.ndarray, " n"]
    bodies: Poses | None = None


@dataclass(frozen=True, eq=False)
class Clip:
    """One person at T moments, evenly spaced. Build with `Clip.open`, or with `clip_of` from poses.

    Attributes:
        embeddings: T rows; those of moments that are not `found` mean nothing.
        mirrored: T rows, of the left-right mirrored poses.
        times: (T,) float64 seconds of the grid.
        found: (T,) False where nobody is there, or with too few joints.
        poses: T rows, 2D in pixels, as the model took them: joints of a low score are NaN, and all of them where no
            sighting is near. `times` and `frames` are those of the nearest sighting.
        matching: the matching probability of the model that embedded it.
        name: as the user named it, "" where poses were given.
        video: to show moments from; None where there is none.
        sightings: what the grid was laid over; None: this rate is the only one there is.
        bodies: T rows in 3D (y up), NaN where no sighting is near, of motion capture and 3D poses; else None.
    """

    embeddings: Embeddings
    mirrored: Embeddings
    times: Float[np.ndarray, " time"]
    found: Bool[np.ndarray, " time"]
    poses: Poses
    matching: Matching
    name: str = ""
    video: Path | None = None
    sightings: Sightings | None = None
    bodies: Poses | None = None

    @classmethod
    def open(
        cls,
        what: str | os.PathLike[str] | Poses | Source,
        *,
        person: int | None = None,
        index: Any = None,
        detector: Detector | Callable[[], Detector] | None = None,
        embedder: Embedder | None = None,
        fps: float | None = FPS,
    ) -> Clip:
        """One person of a video, photo, motion capture or keypoint file; of a file in an index; or of given poses.

        Args:
            what: a path; where there is no such file, path or id of a file in the index, whose video is not read
                again; or poses, 2D in pixels or 3D (y up). What `open_source` made of one of these is read once for all
                its clips.
            person: track id, by default who stands out most over all the clip.
            index: an `Index`, or what opens it when it is needed.
            detector: for photos and videos, or what loads it when it is needed; the index's or MoveNet by default.
            embedder: the index's or the shipped one by default.
            fps: frames per second of a video or motion capture to look at; None = all.

        Raises:
            UsageError: neither a file nor one in the index; no such person; several poses of the person at one time.
            MediaError: the photo or video cannot be read, or nobody was found.
            FormatError: motion capture or a keypoint file cannot be read, or holds more than one clip.
            SameposeError: at no moment are there enough joints.
        """
        from samepose.embed import shipped

        source = what if isinstance(what, Source) else open_source(what, index=index, detector=detector, fps=fps)
        poses = source.track(person)
        name = "" if isinstance(what, Poses) else source.name
        return clip_of(poses, embedder or getattr(index, "embedder", None) or shipped(), name=name, video=source.video)

    def __len__(self) -> int:
        return len(self.times)

    def __repr__(self) -> str:
        return f"<Clip {self.name or 'of poses'}, person {self.person}: {self.times[0]:.2f} to {self.times[-1]:.2f} s>"

    def __getitem__(self, key: slice) -> Clip:
        """The moments of a slice; `UsageError` when nobody is found in them."""
        if not self.found[key].any():
            raise UsageError(f"moments {key.start} to {key.stop} of {len(self)}: nobody is found there")
        return replace(self, embeddings=self.embeddings[key], mirrored=self.mirrored[key], times=self.times[key],
                       found=self.found[key], poses=self.poses[key],
                       bodies=None if self.bodies is None else self.bodies[key])

    @property
    def person(self) -> int:
        """Track id."""
        return int(self.poses.tracks[0])

    def to_json(self) -> dict[str, Any]:
        """For programs: whose it is, and when."""
        return {"source": self.name, "start": round(float(self.times[0]), 3), "end": round(float(self.times[-1]), 3),
                "person": self.person}

    @property
    def rate(self) -> float:
        """Moments per second; `PAPER_RATE` for a single moment."""
        return (len(self) - 1) / float(self.times[-1] - self.times[0]) if len(self) > 1 else PAPER_RATE

    def part(self, start: float | None = None, end: float | None = None) -> Clip:
        """The moments from second `start` to second `end`, both included; None: from the beginning, to the end.

        Raises:
            UsageError: nobody is found in that part, or the clip has no such part.
        """
        low, high = self.times[0] if start is None else start, self.times[-1] if end is None else end
        half = 0.5 / self.rate  # the grid begins with the person's first sighting, not at 0
        inside = np.flatnonzero((self.times >= low - half) & (self.times <= high + half))
        if not len(inside) or not self.found[inside].any():
            text = f"nobody is found from {low:g} to {high:g} s"
            there = f"the person is there from {self.times[0]:.2f} to {self.times[-1]:.2f} s"
            with about(self.name):
                raise UsageError(f"{text}; {there}")
        return self[slice(int(inside[0]), int(inside[-1]) + 1)]

    def at_rate(self, rate: float) -> Clip:
        """The same stretch of time on a grid of so many moments per second, from the same sightings.

        Raises:
            UsageError: `rate` is not positive, or the grid would have more than a million moments.
        """
        if self.sightings is None or np.isclose(rate, self.rate, rtol=1e-9):
            return self
        seen = self.sightings.poses.times
        whole = self.times[-1] >= seen[-1] - 0.5 / self.rate  # the grid ends within half a step of the last sighting
        with about(self.name):
            return _laid_out(self, self.sightings, float(self.times[0]),
                             float(seen[-1] if whole else self.times[-1]), rate)

    def flipped(self) -> Clip:
        """The clip as a mirror shows it: embeddings and mirrored embeddings change places; `poses` stay."""
        return replace(self, embeddings=self.mirrored, mirrored=self.embeddings, sightings=None)


def clip_of(
    poses: Poses, embedder: Embedder, *, rate: float | None = None, name: str = "", video: Path | None = None
) -> Clip:
    """One person's poses on a regular grid of moments, embedded.

    Times that are NaN become frame numbers / `fps` (`PAPER_RATE` if unknown). The grid begins at the first pose and
    ends at the last; each moment takes the pose nearest in time, and is not `found` when that is farther away than
    `GAP` steps, so that dropped frames and absences stay gaps and variable frame rates do no harm.

    Args:
        poses: of one person, 2D in pixels or 3D (y up), in any order, one for each time. 3D poses are embedded from all
            sides, and shown from the front.
        rate: moments per second of the grid; the poses' own rate by default.
        name, video: see `Clip`; errors begin with the name.

    Raises:
        UsageError: no pose, several at one time, times over more than a million moments, or `rate` not positive.
        SameposeError: at no moment are there enough joints.
    """
    with about(name):
        if not len(poses):
            raise UsageError("a clip needs at least one pose")
        seen = _seen(_timed(poses), embedder)
        clip = Clip(seen.embeddings, seen.mirrored, seen.poses.times, seen.searchable, seen.poses, embedder.matching,
                    name, video, seen)
        return _laid_out(clip, seen, float(seen.poses.times[0]), float(seen.poses.times[-1]), rate)


def matching_of(*clips: Clip) -> Matching:
    """The matching probability that clips have in common.

    Raises:
        UsageError: they were embedded by different models.
    """
    if any(clip.matching != clips[0].matching for clip in clips):
        names = " and ".join(dict.fromkeys(clip.name or "a clip" for clip in clips))
        raise UsageError(f"{names}: embedded by different models and do not compare; open them with one `embedder`")
    return clips[0].matching


def _seen(poses: Poses, embedder: Embedder) -> Sightings:
    """The poses, in order of time, embedded."""
    searchable = enough_joints(poses, embedder)
    flat, bodies = shown_as(poses)
    shown = flat.hide(below=embedder.joint_score)
    if not searchable.any():
        most = int(shown.to(BODY13).visible.sum(axis=1).max())
        raise SameposeError(f"nobody to compare: of {len(poses)} poses none shows more than {most} joints, and "
                            f"{embedder.min_joints} are needed; choose another `person` or clip")
    return Sightings(shown, embed_any(poses, embedder), embed_any(poses, embedder, mirrored=True), searchable, bodies)


def _laid_out(clip: Clip, seen: Sightings, start: float, end: float, rate: float | None) -> Clip:
    """The clip on a grid from `start` to `end`; None: of the sightings' own rate."""
    if rate is not None and not 0 < rate < np.inf:
        raise UsageError(f"`rate` is {rate}; it must be a positive number of moments per second")
    times, near, nearest = _grid(seen.poses.times, start, end, rate)
    found = near & seen.searchable[nearest]
    if not found.any():
        raise UsageError(f"at none of {len(times)} moments from {start:g} to {end:g} s are there enough joints; take a "
                         "longer part, or another `person`")
    return replace(clip, embeddings=seen.embeddings[nearest], mirrored=seen.mirrored[nearest], times=times,
                   found=found, poses=_near(seen.poses[nearest], near),
                   bodies=None if seen.bodies is None else _near(seen.bodies[nearest], near))


def _near(moments: Poses, near: Bool[np.ndarray, " time"]) -> Poses:
    """Without the joints of moments that no sighting is near."""
    points = np.where(near[:, None, None], moments.points, np.float32(np.nan))
    return replace(moments, points=points, scores=np.where(near[:, None], moments.scores, np.float32(0)))


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
    seen: Float[np.ndarray, " n"], start: float, end: float, rate: float | None
) -> tuple[Float[np.ndarray, " time"], Bool[np.ndarray, " time"], Int[np.ndarray, " time"]]:
    """Moments, whether a pose is near, and which is nearest."""
    own = _step(seen)
    step = 1 / rate if rate else own
    count = round((end - start) / step) + 1
    if count > _LONGEST:
        raise UsageError(f"times from {start:g} to {end:g} s are {count:,} moments {step:g} s apart; "
                         "are the times in seconds, and of one clip?")
    times = start + np.arange(count) * step
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
