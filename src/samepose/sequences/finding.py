"""A move in many clips: who is in them, and the best places of all."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from samepose.poses import Mirror, Poses
from samepose.sequences.clip import Clip, clip_of
from samepose.sequences.subsequence import RATE, Example, Place

if TYPE_CHECKING:
    from samepose.embed import Embedder


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


class Finder:
    """Collects the k best places of an example, of one person after the other."""

    def __init__(self, example: Example, embedder: Embedder, k: int, mirror: Mirror = "off") -> None:
        self._example, self._embedder, self._k, self._mirror = example, embedder, k, mirror
        self._best: list[tuple[float, int, Sighting]] = []
        self._seen = 0

    def look(self, path: str, person: int, poses: Poses) -> None:
        """Search all poses of one person in one clip; a person who is never seen well enough, or too briefly, is
        passed over.

        Raises:
            UsageError: several poses at one time, or a clip that is too long for the memory.
        """
        clip = comparable(poses, self._embedder, len(self._example.clip) // 2)
        if clip is None:
            return
        for place in self._example.places(clip, mirror=self._mirror, most=self._k):
            self._seen += 1
            heapq.heappush(self._best, (place.score, -self._seen, Sighting(path, person, place)))
            if len(self._best) > self._k:
                heapq.heappop(self._best)

    @property
    def results(self) -> list[Sighting]:
        """What was found so far, best first."""
        return [sighting for *_, sighting in sorted(self._best, key=lambda b: b[:2], reverse=True)]


def comparable(poses: Poses, embedder: Embedder, moments: int) -> Clip | None:
    """A clip of `RATE` moments per second, None when it would be shorter than so many, or never shows enough joints.

    Raises:
        UsageError: see `clip_of`.
    """
    times = poses.times[~np.isnan(poses.times)]
    too_brief = len(times) == len(poses) and np.ptp(times) * RATE + 1.5 < moments
    if too_brief or not embedder.searchable(poses).any():
        return None
    return clip_of(poses, embedder, rate=RATE)
