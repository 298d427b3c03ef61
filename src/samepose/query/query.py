"""What to look for: one person in a photo, a video, a keypoint file, or in the index itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from samepose.errors import FormatError, MediaError, SameposeError, UsageError
from samepose.poses import Poses
from samepose.skeleton import BODY13

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.embed import Embedder
    from samepose.index import Index
    from samepose.matching.embeddings import Embeddings

_TRACKING_FPS = 10.0  # what `detect` and `index` sample videos with by default: track ids are the same
_KEYPOINT_SUFFIXES = frozenset({".npz", ".json"})


@dataclass(frozen=True, eq=False)
class Query:
    """One pose to search by.

    Attributes:
        pose: one pose, 2D in pixels, without the joints to ignore.
        source: what it was made from, as the user named it.
        image: the photo or video it is in; None for keypoints without one.
        time: seconds in the video, None in a photo.
        person: rank of prominence in a photo (0 = first), track id in a video; None for the most prominent of a frame.
        people: how many there were to choose from.
        chosen: somebody asked for this person; else it is the most prominent.
        ignored: joints that shall not matter.
        exclude_id: the row it was taken from, which need not be found again.
    """

    pose: Poses
    source: str
    image: Path | None
    time: float | None
    person: int | None
    people: int
    chosen: bool = False
    ignored: tuple[str, ...] = ()
    exclude_id: str | None = None

    def describe(self) -> str:
        """For people, e.g. "photo.jpg, person 0 of 3 (most prominent)"."""
        text = self.source if self.exclude_id is None else f"{self.source}, {self.image}"
        if self.time is not None:
            text += f" at {self.time:.2f} s"
        if self.exclude_id is not None:
            text += f", person {self.person}"
        elif self.person is None:
            text += f", the most prominent of {self.people}" if self.people > 1 else ", the only person"
        elif self.time is not None:
            text += f", person {self.person} ({self.people} in view)"
        else:
            text += f", person {self.person} of {self.people}{'' if self.chosen else ' (most prominent)'}"
        return text + (f", without {', '.join(self.ignored)}" if self.ignored else "")

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        box = [round(float(v), 2) for v in self.pose.boxes[0]]
        return {
            "source": self.source, "image": None if self.image is None else str(self.image), "time": self.time,
            "person": self.person, "people": self.people, "box": None if np.isnan(box).any() else box,
            "ignored": list(self.ignored), "id": self.exclude_id,
        }


def resolve_query(
    text: str,
    index: Index | None = None,
    detector: Detector | None = None,
    *,
    at: float | None = None,
    person: int | None = None,
    ignore: Sequence[str] = (),
) -> Query:
    """The person that a path or an id names.

    Args:
        text: a photo; a video (with `at`); a pose or keypoint file; or the id of a person in the index.
        index: where ids are looked up.
        detector: for photos and videos.
        at: seconds in the video.
        person: rank of prominence in a photo, track id in a video; the most prominent by default.
        ignore: joints that shall not matter, see `samepose.skeleton.parts`.

    Raises:
        UsageError: no such file or id, a video without `at`, a person who is not there.
        MediaError: the photo or video cannot be read, or nobody is in it.
        FormatError: the keypoint file cannot be read.
        StoreError: no such id in the index.
    """
    from samepose.media.image import IMAGE_SUFFIXES
    from samepose.media.video import VIDEO_SUFFIXES

    path, suffix = Path(text), Path(text).suffix.lower()
    pick = _Pick(path, at, person, tuple(ignore))
    if not path.exists():
        return _of_row(text, index, pick)
    if path.is_dir() or suffix in _KEYPOINT_SUFFIXES:
        return _of_keypoints(pick)
    if suffix not in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
        raise MediaError(f"{path}: is no photo, video or keypoint file by its name; give one of these, or an id")
    if detector is None:
        raise UsageError(f"{path}: finding people in it takes a detector")
    return _of_photo(pick, detector) if suffix in IMAGE_SUFFIXES else _of_video(pick, detector)


def embed_query(query: Query, embedder: Embedder) -> Embeddings:
    """Embeddings of the pose and of its mirror image, in this order.

    Raises:
        SameposeError: too few joints are left.
    """
    from samepose.matching.embeddings import Embeddings

    pose = query.pose.to(BODY13).hide(query.ignored)
    if not embedder.searchable(pose)[0]:
        seen = int(np.isfinite(embedder.keypoints(pose)[0, :, 0]).sum())
        raise SameposeError(
            f"{query.describe()}: only {seen} of {len(BODY13)} joints are known and {embedder.info.min_joints} are "
            "needed; choose another person (--person) or picture, or ignore less"
        )
    return Embeddings.concatenate([embedder.embed(pose), embedder.embed(pose.mirrored())])


@dataclass(frozen=True)
class _Pick:
    """How to choose among the people of a file."""

    path: Path
    at: float | None
    person: int | None
    ignore: tuple[str, ...]

    def take(self, people: Poses, media: Sequence[str], time: float | None, ids: bool) -> Query:
        """One of the people, each with the photo or video it is in.

        Args:
            ids: `person` is held against `tracks`, not against the rank.
        """
        if not len(people):
            raise MediaError(f"{self._where(time)}: nobody was found; try --mode accurate, or another picture")
        rank = np.argsort(-people.prominence(), kind="stable")
        if self.person is None:
            choice = int(rank[0])
        elif ids:
            choice = self._index_of(people.tracks.tolist(), self.person, time)
        else:
            choice = int(rank[self._index_of(list(range(len(people))), self.person, time)])
        number = None if ids and self.person is None else self.person or 0
        image = Path(media[choice]) if media[choice] and Path(media[choice]).is_file() else None
        return Query(people[choice].hide(self.ignore), str(self.path), image, time, number, len(people),
                     self.person is not None, self.ignore)

    def _index_of(self, have: list[int], wanted: int, time: float | None) -> int:
        if wanted not in have:
            raise UsageError(f"{self._where(time)}: has no person {wanted}; there "
                             f"{'are' if len(have) > 1 else 'is'} {', '.join(map(str, sorted(have)))}")
        return have.index(wanted)

    def _where(self, time: float | None) -> str:
        return str(self.path) if time is None else f"{self.path} at {time:.2f} s"


def _of_photo(pick: _Pick, detector: Detector) -> Query:
    from samepose.media.image import read_image

    if pick.at is not None:
        raise UsageError(f"{pick.path}: is a photo; --at is for videos")
    people = detector.detect(read_image(pick.path))
    return pick.take(people, [str(pick.path)] * len(people), None, ids=False)


def _of_video(pick: _Pick, detector: Detector) -> Query:
    from samepose.media.video import frame_at

    if pick.at is None:
        raise UsageError(f"{pick.path}: is a video; say with --at SECONDS which moment you mean")
    frame = frame_at(pick.path, pick.at)
    people = detector.detect(frame.image) if pick.person is None else _followed(pick.path, frame.time, detector)
    return pick.take(people, [str(pick.path)] * len(people), frame.time, ids=True)


def _followed(path: Path, until: float, detector: Detector) -> Poses:
    """The people in the frame shown at `until`, followed from the start of the video: only so have they ids."""
    from samepose.detection.track import Tracker
    from samepose.media.video import frame_at, read_frames

    tracker, people, last = Tracker(), None, -1.0
    for frame in read_frames(path, _TRACKING_FPS):
        if frame.time > until:
            break
        people, last = tracker.update(detector.detect(frame.image), frame.time), frame.time
    if people is None or last < until:
        people = tracker.update(detector.detect(frame_at(path, until).image), until)
    return people


def _of_keypoints(pick: _Pick) -> Query:
    from samepose.formats.keypoints import load_poses

    file = load_poses(pick.path)
    poses = file.poses
    if poses.points.shape[-1] != 2:
        raise FormatError(f"{pick.path}: its poses are 3D; give 2D poses in pixels, project these first")
    times = np.unique(poses.times[~np.isnan(poses.times)])
    if pick.at is not None and not len(times):
        raise UsageError(f"{pick.path}: its poses have no times; leave --at out")
    if pick.at is None and len(times) > 1:
        raise UsageError(f"{pick.path}: holds {len(times)} moments from {times[0]:.2f} to {times[-1]:.2f} s; "
                         "say with --at SECONDS which one you mean")
    if not len(times):
        return pick.take(poses, file.media, None, ids=False)
    time = float(times[np.argmin(np.abs(times - (times[0] if pick.at is None else pick.at)))])
    now = np.flatnonzero(poses.times == time)
    return pick.take(poses[now], [file.media[i] for i in now], time, ids=True)


def _of_row(text: str, index: Index | None, pick: _Pick) -> Query:
    from samepose.index.schema import parse_id

    if (parsed := parse_id(text)) is None or parsed[1] is None:
        raise UsageError(f"{text}: no such file, nor the id of a person such as 0a1b2c3d4-17")
    if pick.at is not None or pick.person is not None:
        raise UsageError(f"{text}: an id is one person at one time; leave --at and --person out")
    if index is None:
        raise UsageError(f"{text}: an id takes an index to look it up in")
    row = index.row(text)
    return Query(row.pose.hide(pick.ignore), text, index.file(row.path), row.time, row.person, 1, True, pick.ignore,
                 exclude_id=text)
