"""Finding a move in long clips, and counting how often it is repeated.

The example is held against every part of a clip: the cheapest path through their distances (Sun 2020, section 4.3)
that covers all of the example and any stretch of the clip, at half to twice the pace. The paper aligns whole clips;
the open ends and the limits of the pace are ours (a path without them may squeeze the example into one moment of the
clip). The best place is taken first, then the best in what is left before and after it, so that no two overlap.

A distance alone does not tell whether a place shows the move: another person under another camera is farther away than
oneself standing still. What tells is that the moments agree in their order, and so a place has a contrast,
(mean over all pairs - mean along the path) / (mean over all pairs - that of the example with itself): 1 when it follows
the example exactly, 0 when any order would have done. `Place.score` joins the two: it is the probability that the best
place of a clip shows the move, where half of the clips do.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Bool, Float

from samepose.errors import UsageError
from samepose.poses import Mirror
from samepose.query.source import about
from samepose.sequences.clip import Clip, matching_of
from samepose.sequences.distance import frame_distances

RATE = 10.0  # moments per second that examples and clips are brought to: what `samepose index` reads videos with
LEAST_MOMENTS = 3  # a shorter example is a pose
LIKELY = 0.5  # score from which a place counts as a repetition
# The logit of the score, ours: logistic regression on five actions of HDM05's five actors, each with noise, at another
# pace and from another angle than the example, against the other four actions. results/moves.json says what came of it.
_CONTRAST, _DISTANCE, _OFFSET = 9.8, -0.72, 2.18
# By which the logit is divided (Guo 2017, "temperature"): the likeliest on pairs of real clips, from pixels; fitted on
# motion capture alone it was too sure, and most of what is found scored 1.00. experiments/find_scores.py.
_TEMPERATURE = 1.83
_RELATIVE = 0.4  # of the best contrast in a clip: what follows the example much less well is another move
_FOUND = 0.5  # share of a place's moments at which somebody has to be found
_MOST_PAIRS = 150_000_000  # of moments: a gigabyte of distances


@dataclass(frozen=True)
class Place:
    """A part of a clip that may show the example.

    Attributes:
        start, end: seconds.
        distance: mean of the frame distances along the path, each moment of the example weighing 1.
        contrast: how much of it is owed to the order of the moments, see the module; up to 1.
        mirrored: the mirrored example is nearer.
    """

    start: float
    end: float
    distance: float
    contrast: float
    mirrored: bool

    @property
    def score(self) -> float:
        """How likely it is the move, 0..1; from `LIKELY` on it counts as one."""
        return float(1 / (1 + np.exp(-self.logit / _TEMPERATURE)))

    @property
    def logit(self) -> float:
        """What contrast and distance tell, before the temperature: 0 where the score is `LIKELY`."""
        return _CONTRAST * self.contrast + _DISTANCE * self.distance + _OFFSET


@dataclass(frozen=True, eq=False)
class Example:
    """A move to look for. Build with `Example.of`.

    Attributes:
        clip: the move, some `RATE` moments per second.
        baseline: its mean distance to itself, moment by moment.
    """

    clip: Clip
    baseline: float

    @classmethod
    def of(cls, clip: Clip) -> Example:
        """From one person's clip, which is brought to `RATE`.

        Raises:
            UsageError: it is shorter than three moments, or nobody is seen for most of it.
        """
        clip = clip.at_rate(RATE)
        with about(clip.name):
            if len(clip) < LEAST_MOMENTS:
                raise UsageError(f"the example lasts {len(clip) / RATE:.1f} s; a move takes {LEAST_MOMENTS / RATE:.1f} "
                                 "s at least. For a single pose there is `Index.search`")
            if clip.found.mean() < _FOUND:
                raise UsageError(f"the person is seen in {100 * clip.found.mean():.0f} % of the example only; choose "
                                 "another part of it, or another `person`")
        return cls(clip, float(np.diag(frame_distances(clip, clip, clip.matching)).mean()))

    def places(self, clip: Clip, *, mirror: Mirror = "off", most: int | None = None) -> list[Place]:
        """Where in a clip, which is brought to `RATE`, the example fits, nearest first, none overlapping another.

        Places at which nobody is found for half of the time are left out. Every part of the clip that is long enough
        fits somehow: `Place.score` says how well.

        Args:
            mirror: look for the example as it is, mirrored, or both.
            most: how many at most.

        Raises:
            UsageError: so long that the distances would fill the memory, or embedded by another model.
        """
        matching, clip = matching_of(self.clip, clip), clip.at_rate(RATE)
        if len(self.clip) * len(clip) > _MOST_PAIRS:
            raise UsageError(f"an example of {len(self.clip):,} and a clip of {len(clip):,} moments are too long to "
                             "compare every pair; choose a shorter part of the example (`Clip.part`)")
        flips = {"off": (False,), "only": (True,), "also": (False, True)}[mirror]
        sides = {flip: frame_distances(self.clip.flipped() if flip else self.clip, clip, matching)
                 for flip in flips}
        found = _cheapest(sides, clip.found)
        return [self._place(clip, sides[flip], cost, first, last, flip)
                for cost, first, last, flip in (found if most is None else islice(found, most))]

    def count(self, clip: Clip, *, mirror: Mirror = "off") -> list[Place]:
        """The repetitions of the example in a clip, in order of time.

        A place is one when its score is at least `LIKELY`, and its contrast at least 0.4 of the best such place's.
        """
        likely = [p for p in self.places(clip, mirror=mirror) if p.score >= LIKELY]
        least = _RELATIVE * max((p.contrast for p in likely), default=0.0)
        return sorted((p for p in likely if p.contrast >= least), key=lambda p: p.start)

    def _place(
        self, clip: Clip, distance: Float[np.ndarray, "a b"], cost: float, first: int, last: int, flip: bool
    ) -> Place:
        any_order = float(distance[:, first : last + 1].mean())
        contrast = (any_order - cost) / max(any_order - self.baseline, 1e-6)
        return Place(float(clip.times[first]), float(clip.times[last]), cost, contrast, flip)


def _cheapest(
    sides: dict[bool, Float[np.ndarray, "a b"]], found: Bool[np.ndarray, " b"]
) -> Iterable[tuple[float, int, int, bool]]:
    """(cost, first, last, mirrored) of the cheapest place, then of the cheapest that is left, and so on."""
    from samepose.sequences._subsequence_kernel import best_place

    heap: list[tuple[float, int, int, bool, int, int]] = []

    def look(low: int, high: int) -> None:
        cost, first, last, flip = min((*best_place(distance, low, high), flip) for flip, distance in sides.items())
        if np.isfinite(cost):
            heapq.heappush(heap, (float(cost), int(first), int(last), flip, low, high))

    look(0, len(found))
    while heap:
        cost, first, last, flip, low, high = heapq.heappop(heap)
        if found[first : last + 1].mean() >= _FOUND:
            yield cost, first, last, flip
        look(low, first)
        look(last + 1, high)
