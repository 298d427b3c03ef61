"""From a photo or video to the people in it: the `Detector` protocol, `detect`, and the detectors samepose ships."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from samepose.errors import MediaError
from samepose.formats.keypointfile import ranked
from samepose.media.image import IMAGE_SUFFIXES, read_image
from samepose.media.remote import located
from samepose.media.video import VIDEO_SUFFIXES, Frame, read_frames
from samepose.poses import Poses

if TYPE_CHECKING:
    from samepose.detection.movenet import MoveNet

TRACKING_FPS = 10.0  # frames per second that videos are looked at by default: the same rate, the same track ids


@runtime_checkable
class Detector(Protocol):
    """Whatever finds poses in an image; `name` changes whenever its results might.

    One that may be called from several threads at once also has `threads`, how many it may use, and `on_one_thread`, a
    detector of the same results that uses one thread for each call: then frames of a video are looked at side by side.
    One whose results are for research only, such as by the licence of what it has learned from, says so by an attribute
    `research_only` that is true: an index remembers it.
    """

    @property
    def name(self) -> str: ...

    def detect(self, image: UInt8[np.ndarray, "height width 3"]) -> Poses:
        """Everyone in an upright RGB image, in its pixels (x right, y down); no pose where nobody is."""
        ...


class Detected(NamedTuple):
    """A picture, and who is in it.

    Attributes:
        frame: a photo is frame 0 at NaN seconds.
        poses: everyone, empty where nobody is. Photo: frames 0, times NaN, tracks = rank of prominence. Video: frames
            and times of the frame, tracks = ids that last through the video.
    """

    frame: Frame
    poses: Poses


def detect(
    path: str | Path, detector: Detector | None = None, fps: float | None = TRACKING_FPS,
    start: float | None = None, end: float | None = None,
) -> Iterator[Detected]:
    """The people of a photo, or of each sampled frame of a video, with the picture they were found in.

    Args:
        path: of the photo or video.
        detector: MoveNet in its balanced mode by default.
        fps: frames per second of a video to look at; None = all.
        start, end: seconds of a video between which to look; ids of tracks count from there.

    Raises:
        MediaError: the file cannot be read; with a video that is cut, after its good frames.
    """
    path = located(path)
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        image = read_image(path)
        yield Detected(Frame(0, math.nan, image), in_photo(image, detector or default_detector()))
    elif suffix in VIDEO_SUFFIXES:
        yield from _detect_video(path, detector or default_detector(), fps, start, end)
    else:
        known = ", ".join(sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES))
        raise MediaError(f"{path}: {suffix or 'no suffix'} is neither a photo's nor a video's suffix; use {known}")


def in_photo(image: UInt8[np.ndarray, "height width 3"], detector: Detector) -> Poses:
    """Everyone in a picture; `tracks` is the rank of prominence, 0 = first, whatever the detector calls them."""
    poses = detector.detect(image)
    return ranked(poses, [0] * len(poses))


@cache
def default_detector() -> MoveNet:
    """MoveNet, balanced: one for the whole process, whose networks are loaded when it first looks at a picture."""
    from samepose.detection.movenet import MoveNet

    return MoveNet("balanced")


def go_on(path: Path, detector: Detector, fps: float | None, before: Poses) -> Iterator[Detected]:
    """The rest of a video of which `detect`, with the same detector and fps, gave the people `before`.

    Their ids go on too: together it is what one undisturbed `detect` gives.
    """
    return _detect_video(path, detector, fps, before=before)


def _detect_video(
    path: Path, detector: Detector, fps: float | None, start: float | None = None, end: float | None = None,
    before: Poses | None = None,
) -> Iterator[Detected]:
    from samepose.detection.track import Tracker

    tracker = Tracker(before)
    last = int(before.frames.max()) if before is not None and len(before) else -1
    rest = (frame for frame in read_frames(path, fps, start, end) if frame.index > last)
    for frame, found in detected(rest, detector):
        poses = tracker.update(found, frame.time)
        n = len(poses)
        yield Detected(
            frame, replace(poses, frames=np.full(n, frame.index, np.int64), times=np.full(n, frame.time), fps=fps))


def detected(frames: Iterator[Frame], detector: Detector) -> Iterator[Detected]:
    """Each frame and who is in it, in order; the next ones are decoded and looked at meanwhile.

    Frames on a core each take a quarter less time than the cores taking turns together on each frame. A detector that
    does not offer it is called for one frame at a time.
    """
    workers, cut = 1, None
    if single := getattr(detector, "on_one_thread", None):
        workers, detector = getattr(detector, "threads", 1), single
    waiting: deque[tuple[Frame, Future[Poses]]] = deque()
    with ThreadPoolExecutor(workers, "samepose-detect") as pool:
        try:
            for frame in frames:
                waiting.append((frame, pool.submit(detector.detect, frame.image)))
                if len(waiting) > workers:  # one more than there are workers, so that none has to wait for its next
                    frame, found = waiting.popleft()
                    yield Detected(frame, found.result())
        except MediaError as error:  # the video breaks off here: first the frames before
            cut = error
        for frame, found in waiting:
            yield Detected(frame, found.result())
    if cut:
        raise cut
