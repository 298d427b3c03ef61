"""Where a clip comes from: a video or photo, a pose file, or a file of an index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from samepose.errors import FormatError, MediaError, SameposeError, StoreError, UsageError
from samepose.poses import Poses

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.index import Index

FPS = 30.0  # frames per second of a video that are looked at
_SHOWN = 10  # track ids in a message


@dataclass(frozen=True, eq=False)
class Source:
    """Everyone in a clip.

    Attributes:
        name: as the user named it.
        people: their poses; `tracks` tells who is who.
        video: to show moments from; None where there is none.
    """

    name: str
    people: Poses
    video: Path | None

    def person(self, track: int | None = None) -> Poses:
        """The poses of one person, by default of the one who stands out most over all the clip.

        Raises:
            MediaError: nobody was found.
            UsageError: nobody has this track id.
        """
        if not len(self.people):
            raise MediaError(f"{self.name}: nobody was found; try --mode accurate, or another clip")
        ids, which = np.unique(self.people.tracks, return_inverse=True)
        ranked = ids[np.argsort(-np.bincount(which, self.people.prominence()), kind="stable")]
        chosen = int(ranked[0]) if track is None else track
        if chosen not in ids:
            more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
            raise UsageError(f"{self.name}: has no person {chosen}; there {'are' if len(ids) > 1 else 'is'} "
                             f"{', '.join(map(str, ranked[:_SHOWN]))}{more}, the most prominent first")
        return self.people[self.people.tracks == chosen]


def read_source(
    text: str, detector: Callable[[], Detector], index: Callable[[], Index], *, fps: float | None = FPS
) -> Source:
    """Everyone in a video, photo, keypoint file or folder of them; or, without decoding, in a file of the index.

    Args:
        text: a path; if there is no such file, the path or the id of a file in the index.
        detector, index: called when they are needed.
        fps: frames per second of a video to look at; None = all.

    Raises:
        UsageError: neither a file nor one in the index; or several.
        MediaError: a photo or video cannot be read.
        FormatError: a keypoint file cannot be read, or holds more than one clip, or 3D poses.
        StoreError: no such file, and the index, where it might be, cannot be opened.
    """
    path = Path(text)
    if not path.exists():
        try:
            opened = index()
        except StoreError as error:
            raise StoreError(f"{text}: no such file; and to look for it in an index: {error}") from None
        return _indexed(text, opened)
    if path.is_dir() or path.suffix.lower() in (".npz", ".json"):
        return _keypoints(path)
    from samepose.detection import detect
    from samepose.media.video import VIDEO_SUFFIXES
    from samepose.skeleton import COCO17

    found = [poses for poses in detect(path, detector(), fps) if len(poses)]
    people = Poses.concatenate(found) if found else Poses.empty(COCO17)
    return Source(text, people, path if path.suffix.lower() in VIDEO_SUFFIXES else None)


def _keypoints(path: Path) -> Source:
    from samepose.formats.keypoints import load_poses

    file = load_poses(path)
    if file.poses.points.shape[-1] != 2:
        raise FormatError(f"{path}: its poses are 3D; give 2D poses in pixels, project these first")
    media = sorted(set(file.media))
    if len(media) > 1:
        raise FormatError(f"{path}: holds the poses of {len(media)} files, such as {media[0]} and {media[1]}; "
                          "give one clip at a time")
    return Source(str(path), file.poses, _video(Path(media[0])) if media else None)


def _indexed(text: str, index: Index) -> Source:
    chosen = index.select([text])
    if len(chosen) != 1:
        what = f"{len(chosen)} files of" if len(chosen) else "no such file, nor one in"
        raise UsageError(f"{text}: {what} the index {index.uri}; give the path of a clip, or its id from a search")
    medium = chosen[0]
    if medium.status == "nobody":
        raise MediaError(f"{text}: the index {index.uri} has nobody in it; try --mode accurate, or another clip")
    return Source(text, index.people_of(medium)[1], _video(index.file(medium.path)))


def _video(path: Path) -> Path | None:
    from samepose.media.video import VIDEO_SUFFIXES

    return path if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file() else None


def people_in(source: Source) -> Iterator[tuple[int, Poses]]:
    """Track id and poses of everyone in a clip, in order of track."""
    for track in np.unique(source.people.tracks).tolist():
        yield track, source.people[source.people.tracks == track]


def indexed_people(index: Index) -> Iterator[tuple[float, str, int, Poses]]:
    """Share of the files done, path, track and poses of everyone in the clips of an index; no video is decoded."""
    clips = index.clips()
    for n, medium in enumerate(clips):
        people = index.people_of(medium)[1]
        for track in np.unique(people.tracks).tolist():
            yield n / len(clips), medium.path, track, people[people.tracks == track]


@contextmanager
def about(name: str) -> Iterator[None]:
    """Put the name of a clip before what is wrong with it."""
    try:
        yield
    except SameposeError as error:
        if str(error).startswith(name):
            raise
        raise type(error)(f"{name}: {error}") from error
