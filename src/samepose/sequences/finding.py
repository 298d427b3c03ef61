"""A move in many clips, and how often in one: who is in them, and the best places of all."""

from __future__ import annotations

import csv
import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from samepose.embed.views import enough_joints
from samepose.errors import SameposeError, UsageError
from samepose.files import refuse_inputs, written
from samepose.poses import Mirror, Poses, check_mirror
from samepose.progress import Progress, silent
from samepose.query.kinds import indexed_clips, open_source
from samepose.query.source import Source, about
from samepose.sequences.clip import Clip, clip_of
from samepose.sequences.subsequence import RATE, Example, Place

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.embed import Embedder
    from samepose.media.excerpts import Excerpt

_CSV = ("score", "path", "start", "end", "person", "distance", "contrast", "mirrored")
Target = Any  # an Index, a Clip, a Source, or the path of a video, a pose file, or a folder of either


@dataclass(frozen=True)
class Sighting:
    """A place, and whose it is.

    Attributes:
        path: of the clip, as given, or as the index stores it.
        person: track id.
        video: that it is in, None where only poses are known.
    """

    path: str
    person: int
    place: Place
    video: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """As other programs read it."""
        return {"score": round(self.place.score, 4), "path": self.path, "start": round(self.place.start, 3),
                "end": round(self.place.end, 3), "person": self.person, "distance": round(self.place.distance, 4),
                "contrast": round(self.place.contrast, 4), "mirrored": self.place.mirrored}


class Finds(Sequence[Sighting]):
    """The places that a move was found at, best first.

    Attributes:
        failed: a line for each clip that could not be searched.
    """

    def __init__(self, sightings: Sequence[Sighting], failed: tuple[str, ...] = ()) -> None:
        self._sightings, self.failed = tuple(sightings), failed

    def __len__(self) -> int:
        return len(self._sightings)

    @overload
    def __getitem__(self, key: int) -> Sighting: ...
    @overload
    def __getitem__(self, key: slice) -> Finds: ...
    def __getitem__(self, key: int | slice) -> Sighting | Finds:
        """One sighting, or those of a slice."""
        return Finds(self._sightings[key], self.failed) if isinstance(key, slice) else self._sightings[key]

    def __repr__(self) -> str:
        best = f", best {self[0].place.score:.2f} in {self[0].path}" if self else ""
        return f"<Finds: {len(self)}{best}{f', {len(self.failed)} failed' if self.failed else ''}>"

    def to_json(self) -> dict[str, Any]:
        """`{"results": [{…}, …], "failed": [line, …]}`, for programs."""
        return {"results": [sighting.to_json() for sighting in self], "failed": list(self.failed)}

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a table with a row for each place (.csv), times in seconds; an existing file is replaced.

        Raises:
            UsageError: another suffix, or the file of a clip.
            SameposeError: it cannot be written.
        """
        if Path(path).suffix.lower() != ".csv":
            raise UsageError(f"{path}: finds are written as *.csv; name it so")
        refuse_inputs([path], [given for s in self for given in (s.path, s.video) if given])
        with written(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, _CSV, lineterminator="\n")
            table.writeheader()
            table.writerows(sighting.to_json() for sighting in self)

    def clip_paths(self, folder: str | os.PathLike[str]) -> list[Path]:
        """What `clips` would write."""
        from samepose.media.excerpts import excerpt_paths

        return excerpt_paths(self._excerpts(), Path(folder))

    def clips(self, folder: str | os.PathLike[str]) -> tuple[list[Path], list[str]]:
        """Cut each place out of its video, as a small video whose name begins with the rank.

        An existing file is replaced, but never a video that was searched.

        Returns:
            what was written, and a line for each place of which there is no video, or none that can be read.

        Raises:
            UsageError: one would take the place of a video that was searched.
        """
        from samepose.media.excerpts import write_excerpts

        return write_excerpts(self._excerpts(), Path(folder))

    def _excerpts(self) -> list[Excerpt]:
        from samepose.media.excerpts import Excerpt

        return [Excerpt(rank, s.video, s.path, s.place.start, s.place.end) for rank, s in enumerate(self, 1)]


def find(
    example: Clip,
    where: Target | Sequence[Target],
    *,
    k: int = 10,
    mirror: Mirror = "off",
    detector: Detector | Callable[[], Detector] | None = None,
    embedder: Embedder | None = None,
    progress: Progress = silent,
) -> Finds:
    """The k best places of a move in clips, from any camera angle, at half to twice the pace; best first.

    What cannot be searched stops nothing: `Finds.failed` names it.

    Args:
        example: shows the move, see `Clip.part`.
        where: an `Index`, whose videos are not read again; a clip, of one person; the path of a video, a pose file or a
            folder of either, in which everyone is looked at; or several of these. Who is never seen well enough, or
            too briefly, is passed over.
        k: how many to find.
        mirror: look for the move as it is ("off"), mirrored ("only"), or both ("also").
        detector: for videos, or what loads it when it is needed; MoveNet by default.
        embedder: the one that `example` was embedded with; the index's or the shipped one by default.
        progress: told how many of `where` are done, in parts for an index.

    Raises:
        UsageError: the example is no move, no such file, another model, or a clip too long for the memory.
        SameposeError: nothing of `where` can be read; of what kind the first error is.
    """
    if k < 1:
        raise UsageError(f"`k` is {k}; expected 1 or more")
    check_mirror(mirror)
    wanted, places = Example.of(example), targets(where)

    failed: list[SameposeError] = []

    def found() -> Iterator[Sighting]:
        for n, target in enumerate(places):
            progress(n, len(places), _name(target))
            try:
                for part, path, person, clip in _everyone(target, len(wanted.clip) // 2, detector, embedder):
                    progress(n + part, len(places), path)
                    with about(path):
                        yield from (Sighting(path, person, p, clip.video) for p in
                                    wanted.places(clip, mirror=mirror, most=k))
            except SameposeError as error:
                failed.append(error)

    best = heapq.nlargest(k, found(), key=lambda sighting: (sighting.place.score, -sighting.place.distance))
    if failed and len(failed) == len(places):
        more = f" (and {len(failed) - 1} more that cannot be searched)" if len(failed) > 1 else ""
        raise type(failed[0])(f"{failed[0]}{more}") from failed[0]
    return Finds(best, tuple(map(str, failed)))


def count(example: Clip, clip: Clip, *, mirror: Mirror = "off") -> list[Sighting]:
    """The repetitions of a move in one person's clip, in order of time.

    Args:
        example: shows the move once; it may be a part of the very clip.
        mirror: count the move as it is ("off"), mirrored ("only"), or both ("also").

    Raises:
        UsageError: the example is no move, another model, or a clip too long for the memory.
    """
    check_mirror(mirror)
    wanted = Example.of(example)
    with about(clip.name):
        return [Sighting(clip.name, clip.person, place, clip.video) for place in wanted.count(clip, mirror=mirror)]


def targets(where: Target | Sequence[Target]) -> list[Target]:
    """What is to be searched, one by one; of a folder its videos and motion capture, unless OpenPose wrote it.

    Raises:
        UsageError: a folder without these.
    """
    from samepose.media.files import MOTION_SUFFIXES, walk
    from samepose.media.video import VIDEO_SUFFIXES

    found: list[Target] = []
    for target in where if isinstance(where, (list, tuple)) else [where]:
        path = Path(target) if isinstance(target, (str, os.PathLike)) else None
        if path is None or not path.is_dir() or any(path.glob("*.json")):
            found.append(target)
            continue
        videos = list(map(str, walk([path], VIDEO_SUFFIXES | frozenset(MOTION_SUFFIXES)).files))
        if not videos:
            raise UsageError(f"{path}: no video is in this folder; name clips, or an index as `Index.open(…)`")
        found += videos
    return list(dict.fromkeys(found))


def _everyone(
    target: Target, moments: int, detector: Any, embedder: Embedder | None
) -> Iterator[tuple[float, str, int, Clip]]:
    """Share of the target that is done, path, track and clip of everyone in it who is there for so many moments."""
    if isinstance(target, Clip):
        yield 0.0, target.name, target.person, target
        return
    from samepose.embed import shipped

    embedder = embedder or getattr(target, "embedder", None) or shipped()
    if isinstance(target, (str, os.PathLike, Source)):
        source = target if isinstance(target, Source) else open_source(target, detector=detector, fps=RATE)
        people: Iterable[tuple[float, str, int, Poses, Path | None]] = (
            (0.0, source.name, track, poses, source.video) for track, poses in source.tracks())
    else:
        people = indexed_clips(target)
    for part, path, track, poses, video in people:
        if (clip := _comparable(poses, embedder, moments, path, video)) is not None:
            yield part, path, track, clip


def _comparable(
    poses: Poses, embedder: Embedder, moments: int, name: str, video: Path | None
) -> Clip | None:
    """A clip of `RATE`, None when it would be shorter than so many moments, or never shows enough joints."""
    times = poses.times[~np.isnan(poses.times)]
    too_brief = len(times) == len(poses) and np.ptp(times) * RATE + 1.5 < moments
    if too_brief or not enough_joints(poses, embedder).any():
        return None
    return clip_of(poses, embedder, rate=RATE, name=name, video=video)


def _name(target: Target) -> str:
    return os.fspath(target) if isinstance(target, (str, os.PathLike)) else getattr(target, "uri", "") or target.name
