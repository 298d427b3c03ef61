"""From a photo or video to the poses of the people in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import UInt8

from samepose.errors import MediaError
from samepose.media.image import IMAGE_SUFFIXES, read_image
from samepose.media.video import VIDEO_SUFFIXES, Frame, read_frames
from samepose.poses import Poses


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
    from samepose.detect.track import Tracker

    tracker = Tracker()
    for frame in _ahead(read_frames(path, fps)):
        poses = tracker.update(detector.detect(frame.image), frame.time)
        n = len(poses)
        yield replace(poses, frames=np.full(n, frame.index, np.int64), times=np.full(n, frame.time), fps=fps)


def _ahead(frames: Iterator[Frame], depth: int = 2) -> Iterator[Frame]:
    """The same frames, the next ones decoded on a thread while the current one is used."""
    with ThreadPoolExecutor(1, "samepose-decode") as pool:
        waiting = deque(pool.submit(next, frames, None) for _ in range(depth))
        while (frame := waiting.popleft().result()) is not None:
            waiting.append(pool.submit(next, frames, None))
            yield frame
