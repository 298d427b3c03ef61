"""Sources that are looked at: a photo or its pixels, and a video."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samepose.errors import UsageError
from samepose.poses import Poses
from samepose.query.around import in_video
from samepose.query.moment import Query
from samepose.query.source import Source

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.media.video import Frame


class Photo(Source):
    """A photo, or its pixels."""

    def __init__(self, name: str, path: Path | None, pixels: Any, detector: Callable[[], Detector]) -> None:
        super().__init__(name)
        self._path, self._pixels, self._detector = path, pixels, detector

    @cached_property
    def pixels(self) -> Any:
        from samepose.media.image import read_image

        return self._pixels if self._path is None else read_image(self._path)

    @cached_property
    def people(self) -> Poses:
        from samepose.detection import in_photo

        return in_photo(self.pixels, self._detector())

    def moment(self, at: float | None = None, person: int | None = None) -> Query:
        if at is not None:
            raise UsageError(f"{self.name}: is a photo; `at` is for videos")
        return self._one_of(self.people, person, media=[str(self._path or "")] * len(self.people), pixels=self.pixels)


class Video(Source):
    """A video. A moment without `person` decodes only what leads to it; one with `person`, all before it too."""

    def __init__(
        self, path: Path, detector: Callable[[], Detector], fps: float | None,
        span: tuple[float | None, float | None] = (None, None),
    ) -> None:
        super().__init__(str(path))
        self._path, self._detector, self._fps, self._span = path, detector, fps, span

    @property
    def video(self) -> Path | None:
        return self._path

    @cached_property
    def people(self) -> Poses:
        from samepose.detection import detect
        from samepose.skeleton import COCO17

        found = [poses for _, poses in detect(self._path, self._detector(), self._fps, *self._span) if len(poses)]
        if not found and self._span != (None, None):
            low, high = self._span
            until = "" if high is None else f" to {high:g} s"
            raise UsageError(f"{self.name}: nobody is found from {low or 0:g} s{until}")
        return Poses.concatenate(found) if found else Poses.empty(COCO17)

    def moment(self, at: float | None = None, person: int | None = None) -> Query:
        from samepose.media.video import frame_at

        if at is None:
            raise UsageError(f"{self.name}: is a video; say with `at` which moment you mean, in seconds")
        frame = frame_at(self._path, at)
        people = self._detector().detect(frame.image) if person is None else self._followed(frame)
        return self._one_of(people, person, time=frame.time, media=[self.name] * len(people), pixels=frame.image,
                            around=partial(in_video, self._path, self._detector, frame, people))

    def _followed(self, last: Frame) -> Poses:
        """The people in a frame, followed from the start of the video: only so have they ids."""
        from samepose.detection import TRACKING_FPS
        from samepose.detection.track import Tracker
        from samepose.media.video import read_frames

        tracker, detector = Tracker(), self._detector()
        for frame in read_frames(self._path, TRACKING_FPS):
            if frame.time >= last.time:
                break
            tracker.update(detector.detect(frame.image), frame.time)
        return tracker.update(detector.detect(last.image), last.time)
