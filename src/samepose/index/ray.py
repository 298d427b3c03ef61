"""Looking for people on a Ray cluster: the plan and the commits stay where they are, the reading is done by workers.

A task reads one photograph, or one part of a video: the workers find the people of each frame, and who is who along a
video is decided here, which takes little time and goes from its beginning to its end. Results are taken in the order of
the plan, so the rows are those of a run without Ray. There are never more than `_AHEAD` tasks for each core begun and
not yet taken, and a result holds poses but no pictures: so memory is bounded, however fast the workers are.

Plain tasks rather than actors or a data set: Ray itself runs a task again elsewhere when its worker or node dies; a
worker loads the networks once and keeps them. Nothing is committed but here, so a worker's death doubles nothing, and
the death of this process leaves an index that the same call goes on from.
"""

from __future__ import annotations

import errno
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

import numpy as np

from samepose.errors import MediaError, SameposeError, StoreError
from samepose.index.pixels import Seen, seen
from samepose.index.plan import Read, Step, passing, why
from samepose.index.schema import MOTION, Medium
from samepose.poses import Poses

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.embed.image import ImageEmbedder

_AHEAD = 16  # tasks for each core
_PART = 60.0  # seconds of a video that are one task
_SECONDS = 5.0  # that a cluster may take to answer; between questions of how large it is
_TRIES = 5  # of a task whose worker dies


class Found(NamedTuple):
    """What a task gives: people with frames counted from its own first; how many frames; what ended it before its end,
    and whether that may pass."""

    people: list[Seen]
    frames: int
    error: Exception | None = None
    passing: bool = False


class _Reading:
    """A file that is read: its tasks, of which some are begun."""

    def __init__(self, step: Step, tasks: Iterator[tuple[Any, ...]]) -> None:
        self.step, self.tasks, self.begun = step, tasks, deque[Any]()


class Fleet:
    """Reads the files of a plan on a cluster. Get it from `fleet`."""

    def __init__(self, ray: Any, detector: Detector, embedder: ImageEmbedder | None) -> None:
        self._ray, self._models = ray, ray.put((uuid4().hex, detector, embedder))
        self._task = ray.remote(num_cpus=1, max_retries=_TRIES)(_look)
        self._queue = deque[_Reading]()
        self._steps: Iterator[Step] = iter(())
        self._feeding: _Reading | None = None
        self._now: _Reading | None = None
        self._begun = 0
        self._cores, self._asked = 1, float("-inf")  # nodes come and go

    def ahead(self, steps: Iterator[Step]) -> Iterator[Step]:
        """The same steps; files that are to be read are begun before it is their turn."""
        self._steps = steps
        while True:
            self._begin()
            if not self._queue:
                return
            self._now = self._queue.popleft()
            yield self._now.step

    def read(
        self, file: Path, medium: Medium, detector: Detector, tell: Callable[[float], None] | None = None,
        before: Poses | None = None, embedder: ImageEmbedder | None = None,
    ) -> Iterator[Seen]:
        """As `read.read`, of the file whose step came last."""
        from samepose.detection.track import Tracker
        from samepose.index.read import read

        now = self._now
        if now is None or not isinstance(now.step, Read) or now.step.file != file or medium.kind == MOTION:
            yield from read(file, medium, detector, tell, before, embedder)
            return
        tracker, first, part = Tracker(before), 0, 0
        try:
            while now.begun:
                found = self._taken(now)
                for sight in found.people:
                    if medium.kind == "video":
                        people = tracker.update(sight.poses, float(sight.poses.times[0]))
                        sight = sight._replace(poses=replace(people, frames=people.frames + first))
                    yield sight
                first, part = first + found.frames, part + 1
                if found.error is not None:
                    raise found.error from (OSError(errno.EIO, "") if found.passing else None)
                if tell and now.begun:
                    tell(part / (part + len(now.begun)))
        finally:  # what is left where it broke off
            self._begun -= len(now.begun)
            now.begun.clear()
            now.tasks = iter(())

    def _taken(self, now: _Reading) -> Found:
        reference = now.begun.popleft()
        try:
            found: Found = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError:  # a mistake of ours
            raise
        except self._ray.exceptions.RayError as error:
            raise OSError(errno.EIO, f"whoever read it died, {_TRIES + 1} times") from error
        finally:
            self._begun -= 1
            self._begin()
        if isinstance(found.error, SameposeError) and not isinstance(found.error, MediaError):
            raise found.error
        return found

    def _begin(self) -> None:
        """Begin tasks, in the order of the plan, as many as may be."""
        if time.monotonic() - self._asked > _SECONDS:
            self._cores = cores_of(self._ray)
            self._asked = time.monotonic()
        cores = self._cores
        while self._begun < _AHEAD * cores and len(self._queue) < 4 * _AHEAD * cores:
            task = next(self._feeding.tasks, None) if self._feeding else None
            if self._feeding and task:
                self._feeding.begun.append(self._task.remote(self._models, *task))
                self._begun += 1
                continue
            step = next(self._steps, None)
            if step is None:
                self._feeding = None
                return
            self._feeding = _Reading(step, iter(_tasks(step)) if isinstance(step, Read) else iter(()))
            self._queue.append(self._feeding)


def _tasks(step: Read) -> Iterator[tuple[Any, ...]]:
    """(file, kind, fps, start, end) of each task of a file; the rest of a video of which a part was read is one."""
    from samepose.media.video import PARTED_SUFFIXES, part_limits, probe

    medium, limits = step.medium, [0.0, float("inf")]
    if medium.kind == MOTION:  # nobody is looked for in it: that is quicker done here
        return
    if medium.kind == "video" and step.file.suffix.lower() in PARTED_SUFFIXES and not step.go_on:
        with suppress(MediaError, OSError):  # whoever reads it says why
            limits = part_limits(probe(step.file).duration, medium.fps, _PART)
    yield from ((step.file, medium.kind, medium.fps, start, end) for start, end in pairwise(limits))


_loaded: dict[str, tuple[Any, Any]] = {}  # on a worker: networks of the run that it works for


def _look(models: tuple[str, Any, Any], file: Path, kind: str, fps: float | None, start: float, end: float) -> Found:
    """On a worker: who is in a photograph, or in a part of a video, `tracks` not yet set."""
    run, detector, embedder = models
    if run not in _loaded:
        _loaded.clear()
        _loaded[run] = getattr(detector, "on_one_thread", None) or detector, embedder
    detector, embedder = _loaded[run]
    people, frames = list[Seen](), [0]
    try:
        people.extend(seen(_moments(file, kind, fps, start, end, detector, frames), embedder))
    except (MediaError, OSError, SameposeError) as error:
        told = MediaError(f"{file}: {why(error, file)}") if isinstance(error, OSError) else error
        return Found(people, frames[0], told, passing(error))
    return Found(people, frames[0])


def _moments(
    file: Path, kind: str, fps: float | None, start: float, end: float, detector: Any, frames: list[int]
) -> Iterator[tuple[Any, Poses]]:
    from samepose.detection import detect
    from samepose.media.video import read_part

    if kind == "image":
        yield from detect(file, detector)
        return
    part = read_part(file, fps, start, end)
    while True:
        try:
            frame = next(part)
        except StopIteration as stop:
            frames[0] = stop.value
            return
        poses = detector.detect(frame.image)
        n = len(poses)
        yield frame, replace(poses, frames=np.full(n, frame.index, np.int64), times=np.full(n, frame.time), fps=fps)


@contextmanager
def fleet(address: str, detector: Detector, embedder: ImageEmbedder | None) -> Iterator[Fleet]:
    """A cluster to read files on; see `connected`."""
    with connected(address) as ray:
        yield Fleet(ray, detector, embedder)


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster.

    Args:
        address: of a cluster, or "auto": the one of this machine, which is started when there is none.

    Raises:
        StoreError: there is none, or it is of another version; or Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise StoreError("`ray` takes Ray, which is not installed: pip install 'samepose[ray]'") from error
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, address)
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()


def cores_of(ray: Any) -> int:
    """Cores of the cluster, as of now; at least one."""
    return max(int(ray.cluster_resources().get("CPU", 1)), 1)


def _connect(ray: Any, address: str) -> None:
    import logging
    import os
    import socket
    import warnings

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    how = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
    logging.getLogger("ray").setLevel(logging.ERROR)  # what it says before it reads these
    warnings.filterwarnings("ignore", "lancedb fork support", RuntimeWarning)  # Ray forks only to become others
    try:
        if colon:  # Ray itself would ask for minutes
            socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
        try:
            ray.init(address=address, **how)
        except ConnectionError:
            if address != "auto":
                raise
            ray.init(include_dashboard=False, **how)
    except Exception as error:  # Ray's share no base
        text = " ".join(str(error).split())[:200]
        if "ersion mismatch" in text:
            raise StoreError(f"{address}: runs another version of Ray or Python ({text}); install the same here"
                             ) from error
        raise StoreError(f"{address}: no Ray answers there ({text}); start one there, or use this "
                         "machine alone: `ray=auto`") from error
