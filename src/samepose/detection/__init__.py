"""From a photo or video to the poses of the people in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from samepose.detection.cpm import CPM
from samepose.detection.movenet import MoveNet
from samepose.errors import MediaError
from samepose.media.image import IMAGE_SUFFIXES, read_image
from samepose.media.video import VIDEO_SUFFIXES, Frame, read_frames
from samepose.poses import Poses


@runtime_checkable
class Detector(Protocol):
    """Whatever finds poses in an image; `name` changes whenever its results might."""

    @property
    def name(self) -> str: ...

    def detect(self, image: UInt8[np.ndarray, "height width 3"]) -> Poses: ...


def detect(path: str | Path, detector: Detector, fps: float | None = 10.0) -> Iterator[Poses]:
    """The people of a photo, or of each sampled frame of a video: one Poses each, empty where nobody is.

    Photo: frames 0, times NaN, tracks = rank of prominence. Video: frames and times of the frame, tracks = person ids
    that last through the video.

    Args:
        fps: frames per second of a video to look at; None = all.

    Raises:
        MediaError: the file cannot be read; with a video that is cut, after its good frames.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        yield detector.detect(read_image(path))
    elif suffix in VIDEO_SUFFIXES:
        yield from _detect_video(path, detector, fps)
    else:
        known = ", ".join(sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES))
        raise MediaError(f"{path}: {suffix or 'no suffix'} is neither a photo's nor a video's suffix; use {known}")


def _detect_video(path: Path, detector: Detector, fps: float | None) -> Iterator[Poses]:
    from samepose.detection.track import Tracker

    tracker = Tracker()
    for frame, found in _detected(read_frames(path, fps), detector):
        poses = tracker.update(found, frame.time)
        n = len(poses)
        yield replace(poses, frames=np.full(n, frame.index, np.int64), times=np.full(n, frame.time), fps=fps)


def _detected(frames: Iterator[Frame], detector: Detector) -> Iterator[tuple[Frame, Poses]]:
    """Each frame and who is in it, in order; the next ones are decoded and looked at meanwhile.

    Frames on a core each take a quarter less time than the cores taking turns together on each frame. A detector that
    does not offer it is called for one frame at a time.
    """
    workers, cut = 1, None
    if isinstance(detector, (MoveNet, CPM)):
        workers, detector = detector.threads, detector.on_one_thread
    waiting: deque[tuple[Frame, Future[Poses]]] = deque()
    with ThreadPoolExecutor(workers, "samepose-detect") as pool:
        try:
            for frame in frames:
                waiting.append((frame, pool.submit(detector.detect, frame.image)))
                if len(waiting) > workers:  # one more than there are workers, so that none has to wait for its next
                    frame, found = waiting.popleft()
                    yield frame, found.result()
        except MediaError as error:  # the video breaks off here: first the frames before
            cut = error
        for frame, found in waiting:
            yield frame, found.result()
    if cut:
        raise cut
