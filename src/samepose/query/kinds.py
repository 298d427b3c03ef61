"""The kinds of sources, and which of them the user named: `open_source`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from samepose.errors import FormatError, MediaError, StoreError, UsageError
from samepose.formats.keypointfile import KeypointFile, ranked
from samepose.poses import Poses
from samepose.query.moment import Query
from samepose.query.source import Sighted, Source, existing

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.media.video import Frame

FPS = 30.0  # frames per second of a video that are looked at for a clip
_KEYPOINT_SUFFIXES = frozenset({".npz", ".json"})
_SHOWN = 10  # names in a message
_PERSON_ID = re.compile(r"[0-9a-f]{9}-[0-9]+")  # as `Hit.id`


def open_source(
    what: str | os.PathLike[str] | UInt8[np.ndarray, "height width 3"] | Poses | Sighted | Query,
    *,
    index: Any = None,
    detector: Detector | Callable[[], Detector] | None = None,
    fps: float | None = FPS,
    span: tuple[float | None, float | None] = (None, None),
) -> Source:
    """What the user named; nothing is decoded yet.

    Args:
        what: path of a photo, video, keypoint file or folder of them; if there is no such file, the path or id of a
            file, or the id of a person, in the index. Pixels, RGB (h, w, 3) uint8. 2D poses in pixels. A hit. A query.
        index: an `Index`, or what opens it; called when it is needed.
        detector: a detector, or what loads it; called when it is needed. The index's, or MoveNet, by default.
        fps: frames per second of a video to look at for `track`; None = all.
        span: seconds of a video between which to look for `track`; ids of tracks count from its beginning.

    Raises:
        UsageError: nothing of these, or neither a file nor one in the index.
        MediaError: a file of another kind, or one in which the index has nobody.
        StoreError: no such file, and the index, where it might be, cannot be opened.
    """
    find = _found_by(detector, index)
    if isinstance(what, (str, os.PathLike)):
        return _named(os.fspath(what), index, find, fps, span)
    if isinstance(what, np.ndarray):
        if what.dtype != np.uint8 or what.ndim != 3 or what.shape[2] != 3:
            raise UsageError(f"pixels are {what.dtype} {what.shape}; expected uint8 (height, width, 3), RGB")
        return Photo("pixels", None, what, find)
    if isinstance(what, Poses):
        if what.points.shape[-1] != 2:
            raise UsageError("the poses are 3D; give 2D poses in pixels, project these first")
        return Keypoints("poses", lambda: (KeypointFile(what, ("",) * len(what)), ()))
    if isinstance(what, Query):
        return Asked(what)
    if isinstance(what, Sighted):
        return Row(what.id, what, index() if callable(index) else index)
    raise UsageError(f"{type(what).__name__} is nothing to look for; give a path, an id, pixels, Poses or a hit")


def indexed_clips(index: Any) -> Iterator[tuple[float, str, int, Poses, Path | None]]:
    """Share of the files done, path, track, poses and video of everyone in an index's clips; no video is decoded."""
    clips = index.clips()
    for n, medium in enumerate(clips):
        video = index.file(medium.path) if medium.kind == "video" else None
        for track, poses in _of_medium(medium.path, medium, index).tracks():
            yield n / len(clips), medium.path, track, poses, video


def _named(
    text: str, index: Any, find: Callable[[], Detector], fps: float | None, span: tuple[float | None, float | None]
) -> Source:
    from samepose.media.image import IMAGE_SUFFIXES
    from samepose.media.video import VIDEO_SUFFIXES

    path, suffix = Path(text), Path(text).suffix.lower()
    if not path.exists():
        return _in_index(text, index)
    if path.is_dir() or suffix in _KEYPOINT_SUFFIXES:
        from samepose.formats.keypoints import load_poses

        return Keypoints(text, lambda: (load_poses(path), ()))
    if suffix in IMAGE_SUFFIXES:
        return Photo(text, path, None, find)
    if suffix in VIDEO_SUFFIXES:
        return Video(path, find, fps, span)
    raise MediaError(f"{text}: is no photo, video or keypoint file by its name; give one of these, or an id")


def _in_index(text: str, index: Any) -> Source:
    if index is None:
        what = "an id takes the `index` to look it up in" if _PERSON_ID.fullmatch(text) else "check the path"
        raise UsageError(f"{text}: no such file; {what}")
    try:
        opened = index() if callable(index) else index
    except StoreError as error:
        raise StoreError(f"{text}: no such file; and to look for it in an index: {error}") from error
    return Row(text, opened.row(text), opened) if _PERSON_ID.fullmatch(text) else _indexed(text, opened)


def _indexed(text: str, index: Any) -> Keypoints:
    """The people of the one file of an index that a path or an id means."""
    chosen = index.select(text)
    if len(chosen) != 1:
        what = f"{len(chosen)} files of" if len(chosen) else "no such file, nor one in"
        raise UsageError(f"{text}: {what} the index {index.uri}; give the path of a file, or an id from a search, such "
                         "as 0a1b2c3d4-17")
    return _of_medium(text, chosen[0], index)


def _of_medium(name: str, medium: Any, index: Any) -> Keypoints:
    if not medium.people:
        raise MediaError(f'{name}: the index {index.uri} has nobody in it; try `mode="accurate"`, or another file')

    def read() -> tuple[KeypointFile, Sequence[str]]:
        ids, poses = index.people_of(medium)[:2]
        return KeypointFile(poses, (str(index.file(medium.path)),) * len(poses)), ids

    return Keypoints(name, read)


def _found_by(detector: Any, index: Any) -> Callable[[], Detector]:
    """The detector that was given, else the index's own, else the one that comes with samepose: when it is needed."""
    def find() -> Detector:
        from samepose.detection import default_detector

        if detector is None:
            return getattr(index, "detector", None) or default_detector()
        return detector() if isinstance(detector, type) or not hasattr(detector, "detect") else detector

    return find


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
        return self._one_of(people, person, time=frame.time, media=[self.name] * len(people), pixels=frame.image)

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


class Keypoints(Source):
    """Poses that are there already: of a file, of an index, or of the user."""

    def __init__(self, name: str, read: Callable[[], tuple[KeypointFile, Sequence[str]]]) -> None:
        """From what gives the poses with the media they are in and, where an index has them, the ids of the rows."""
        super().__init__(name)
        self._read = read

    @cached_property
    def _content(self) -> tuple[KeypointFile, Sequence[str]]:
        file, ids = self._read()
        if file.poses.points.shape[-1] != 2:
            raise FormatError(f"{self.name}: its poses are 3D; give 2D poses in pixels, project these first")
        return file, ids

    @cached_property
    def people(self) -> Poses:
        file, _ = self._content
        media = sorted(set(file.media))
        if len(media) > 1:
            raise FormatError(f"{self.name}: holds the poses of {len(media)} files, such as {media[0]} and {media[1]}; "
                              "give one clip at a time")
        return file.poses

    def of(self, image: str) -> Keypoints:
        images = self._images()
        chosen = [name for name in images if name == image] or [name for name in images if Path(name).name == image]
        if len(chosen) != 1:
            raise UsageError(f"{self.name}: {len(chosen) or 'no'} pictures of the name {image}; there are "
                             f"{_some(chosen or list(images))}")

        def read() -> tuple[KeypointFile, Sequence[str]]:
            (file, ids), rows = self._content, images[chosen[0]]
            return (KeypointFile(file.poses[rows], tuple(file.media[i] for i in rows)),
                    [ids[i] for i in rows] if ids else ())

        return Keypoints(self.name, read)

    def _images(self) -> dict[str, list[int]]:
        """The poses of each picture: by its name, and by its number where all are of one clip or have no name."""
        file, _ = self._content
        names = file.media if len(set(file.media)) > 1 else tuple(map(str, file.poses.frames.tolist()))
        images: dict[str, list[int]] = {}
        for row, name in enumerate(names):
            images.setdefault(name, []).append(row)
        return images

    @property
    def video(self) -> Path | None:
        from samepose.media.video import VIDEO_SUFFIXES

        media = self._content[0].media
        path = existing(media[0]) if media else None
        return path if path is not None and path.suffix.lower() in VIDEO_SUFFIXES else None

    def moment(self, at: float | None = None, person: int | None = None) -> Query:
        file, ids = self._content
        poses = file.poses
        times = np.unique(poses.times[~np.isnan(poses.times)])
        if at is not None and not len(times):
            raise UsageError(f"{self.name}: its poses have no times; leave `at` out")
        if at is None and len(times) > 1:
            raise UsageError(f"{self.name}: holds {len(times)} moments from {times[0]:.2f} to {times[-1]:.2f} s; "
                             "say with `at` which one you mean, in seconds")
        if not len(times):
            if len(images := self._images()) > 1:
                raise UsageError(f"{self.name}: holds {len(images)} pictures, {_some(list(images))}; say with `image` "
                                 "which one you mean")
            return self._one_of(ranked(poses, [0] * len(poses)), person, media=file.media, ids=ids)
        time = float(times[np.argmin(np.abs(times - (times[0] if at is None else at)))])
        now = np.flatnonzero(poses.times == time).tolist()
        return self._one_of(poses[now], person, time=time, media=[file.media[i] for i in now],
                            ids=[ids[i] for i in now] if ids else ())


def _some(names: Sequence[str]) -> str:
    """The first names of many."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(name or "one without a name" for name in names[:_SHOWN]) + more


class Row(Source):
    """One person of an index at one time; their track is that of the file they are in."""

    def __init__(self, name: str, row: Sighted, index: Any) -> None:
        super().__init__(name)
        self._row, self._index = row, index

    @property
    def people(self) -> Poses:
        if self._index is None:
            raise UsageError(f"{self.name}: following a hit through its clip takes the `index` it is from")
        everyone = _indexed(self._row.id.partition("-")[0], self._index).people
        return everyone[everyone.tracks == self._row.person]

    @property
    def video(self) -> Path | None:
        return None if self._index is None else _indexed(self._row.id.partition("-")[0], self._index).video

    def moment(self, at: float | None = None, person: int | None = None) -> Query:
        if at is not None or person is not None:
            raise UsageError(f"{self.name}: an id is one person at one time; leave `at` and `person` out")
        image = existing(self._row.path) if self._index is None else self._index.file(self._row.path)
        return Query(self._row.pose, self.name, image, self._row.time, self._row.person, 1, True,
                     exclude_id=self._row.id)


class Asked(Source):
    """A query that was made before."""

    def __init__(self, query: Query) -> None:
        super().__init__(query.source)
        self._query = query

    @property
    def people(self) -> Poses:
        return self._query.pose

    def moment(self, at: float | None = None, person: int | None = None) -> Query:
        if at is not None or person is not None:
            raise UsageError(f"{self.name}: a query is one person at one time; leave `at` and `person` out")
        return self._query
