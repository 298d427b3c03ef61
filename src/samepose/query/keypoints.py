"""Sources that nobody has to look at: poses in 2D or 3D, and motion capture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int

from samepose.errors import FormatError, UsageError
from samepose.formats.keypointfile import KeypointFile, ranked
from samepose.poses import Poses
from samepose.query.around import in_track
from samepose.query.moment import Query
from samepose.query.source import Source, existing

_SHOWN = 10  # names in a message


class Keypoints(Source):
    """Poses that are there already, 2D or 3D: of a file, of an index, or of the user."""

    def __init__(self, name: str, read: Callable[[], tuple[KeypointFile, Sequence[str]]]) -> None:
        """From what gives the poses with the media they are in and, where an index has them, the ids of the rows."""
        super().__init__(name)
        self._read = read

    @cached_property
    def _content(self) -> tuple[KeypointFile, Sequence[str]]:
        return self._read()

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

    def numbered(self, frame: int) -> Source:
        file, ids = self._content
        frames = file.poses.frames
        if not len(frames) or not frames.any():  # poses without numbers are counted
            frames = np.arange(len(frames))
        rows = np.flatnonzero(frames == frame).tolist()
        if not rows:
            raise UsageError(f"{self.name}: has no pose at frame {frame}; its {len(np.unique(frames))} frames are "
                             f"numbered {_span(frames)}")
        time = float(file.poses.times[rows[0]])
        if not np.isnan(time):
            return _Timed(self, time)
        return Keypoints(self.name, lambda: (KeypointFile(file.poses[rows], tuple(file.media[i] for i in rows)),
                                             [ids[i] for i in rows] if ids else ()))

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
                             "say with `at` which one you mean, in seconds, or with `frame`")
        if not len(times):
            if len(images := self._images()) > 1:
                raise UsageError(f"{self.name}: holds {len(images)} pictures, {_some(list(images))}; say with `image` "
                                 "which one you mean")
            return self._one_of(ranked(poses, [0] * len(poses)), person, media=file.media, ids=ids)
        time = float(times[np.argmin(np.abs(times - (times[0] if at is None else at)))])
        now = np.flatnonzero(poses.times == time).tolist()
        return self._one_of(poses[now], person, time=time, media=[file.media[i] for i in now],
                            ids=[ids[i] for i in now] if ids else (), around=lambda k: in_track(poses, now[k]))


class _Timed(Keypoints):
    """Poses of which one frame was named; what is before and after stays known."""

    def __init__(self, whole: Keypoints, time: float) -> None:
        super().__init__(whole.name, lambda: whole._content)
        self._time = time

    def moment(self, at: float | None = None, person: int | None = None) -> Query:
        if at is not None:
            raise UsageError(f"{self.name}: `at` and `frame` both say when; give one of them")
        return super().moment(self._time, person)


def _some(names: Sequence[str]) -> str:
    """The first names of many."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(name or "one without a name" for name in names[:_SHOWN]) + more


def _span(frames: Int[np.ndarray, " n"]) -> str:
    return f"{frames.min()} to {frames.max()}" if len(frames) else "in no way"


class Motion(Keypoints):
    """A motion capture file: a clip of the frames at so many per second, but any of its frames as a moment.

    Args:
        fps: frames per second that are read for `people`; None for all.
    """

    def __init__(self, path: Path, fps: float | None) -> None:
        super().__init__(str(path), lambda: (_motion(path, fps), ()))
        self._path = path

    @cached_property
    def _whole(self) -> Keypoints:
        return Keypoints(self.name, lambda: (_motion(self._path, None), ()))

    def numbered(self, frame: int) -> Source:
        return self._whole.numbered(frame)

    def moment(self, at: float | None = None, person: int | None = None) -> Query:
        return self._whole.moment(at, person)


def _motion(path: Path, fps: float | None) -> KeypointFile:
    from samepose.formats.motion import read_motion

    poses = read_motion(path, fps).poses
    return KeypointFile(poses, (str(path),) * len(poses))
