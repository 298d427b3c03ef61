"""A move in many clips, and how often in one: who is in them, and the best places of all."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from samepose.errors import SameposeError, UsageError
from samepose.poses import Mirror, Poses, check_mirror
from samepose.progress import Progress, silent
from samepose.query.kinds import indexed_clips, open_source
from samepose.query.source import about
from samepose.sequences.clip import Clip, clip_of
from samepose.sequences.subsequence import RATE, Example, Place

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.embed import Embedder

Target = Any  # an Index, a Clip, or the path of a video, a pose file, or a folder of either


@dataclass(frozen=True)
class Sighting:
    """A place, and whose it is.

    Attributes:
        path: of the clip, as given, or as the index stores it.
        person: track id.
    """

    path: str
    person: int
    place: Place

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
                        yield from (Sighting(path, person, p) for p in wanted.places(clip, mirror=mirror, most=k))
            except SameposeError as error:
                failed.append(error)

    best = heapq.nlargest(k, found(), key=lambda sighting: sighting.place.score)
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
        return [Sighting(clip.name, clip.person, place) for place in wanted.count(clip, mirror=mirror)]


def targets(where: Target | Sequence[Target]) -> list[Target]:
    """What is to be searched, one by one; of a folder its videos, unless OpenPose wrote it.

    Raises:
        UsageError: a folder without videos.
    """
    from samepose.media.files import media_files
    from samepose.media.video import VIDEO_SUFFIXES

    found: list[Target] = []
    for target in where if isinstance(where, (list, tuple)) else [where]:
        path = Path(target) if isinstance(target, (str, os.PathLike)) else None
        if path is None or not path.is_dir() or any(path.glob("*.json")):
            found.append(target)
            continue
        videos = [str(file) for file in media_files([path]) if file.suffix.lower() in VIDEO_SUFFIXES]
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
    if isinstance(target, (str, os.PathLike)):
        source = open_source(target, detector=detector, fps=RATE)
        people: Iterable[tuple[float, str, int, Poses]] = (
            (0.0, source.name, track, poses) for track, poses in source.tracks())
    else:
        people = indexed_clips(target)
    for part, path, track, poses in people:
        if (clip := _comparable(poses, embedder, moments, path)) is not None:
            yield part, path, track, clip


def _comparable(poses: Poses, embedder: Embedder, moments: int, name: str) -> Clip | None:
    """A clip of `RATE`, None when it would be shorter than so many moments, or never shows enough joints."""
    times = poses.times[~np.isnan(poses.times)]
    too_brief = len(times) == len(poses) and np.ptp(times) * RATE + 1.5 < moments
    if too_brief or not embedder.searchable(poses).any():
        return None
    return clip_of(poses, embedder, rate=RATE, name=name)


def _name(target: Target) -> str:
    return os.fspath(target) if isinstance(target, (str, os.PathLike)) else getattr(target, "uri", "") or target.name
