"""Naming actions by their nearest examples (Sun 2020, section 4.3.1), without training.

The distance of two clips is the mean along their alignment, each frame distance the least of the four combinations of
original and mirrored. The paper names the action of the nearest clip. Ours: how far is too far, and how sure it is.
Both come from the examples alone, each held against all others. As near as to its own action a clip should be; as near
as to the other actions it would be, were its own not among the examples. The cut-off parts these two best.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.errors import UsageError
from samepose.matching.embeddings import Matching
from samepose.sequences.clip import Clip
from samepose.sequences.distance import frame_distances
from samepose.sequences.dtw import dtw_mean

_MOST_FITTED = 300  # examples that are held against each other: 45,000 pairs, some 20 s
_SPREADS = np.geomspace(0.05, 20, 60)  # that are tried
_SPREAD = 1.0  # where the examples do not tell


@dataclass(frozen=True, eq=False)
class Labelled:
    """An example.

    Attributes:
        path: names it to people.
    """

    action: str
    path: str
    clip: Clip


@dataclass(frozen=True)
class Neighbour:
    """An example, and its mean distance along the alignment, in nats (-log of the matching probability)."""

    action: str
    path: str
    distance: float


@dataclass(frozen=True)
class Named:
    """What a clip was recognised as.

    Attributes:
        action: None for none of the examples' actions.
        confidence: 0..1, of `action`, or that it is none of them.
        neighbours: the nearest examples, nearest first.
    """

    action: str | None
    confidence: float
    neighbours: tuple[Neighbour, ...]

    def to_json(self) -> dict[str, Any]:
        """As other programs read it."""
        return {
            "action": self.action, "confidence": round(self.confidence, 4),
            "distance": round(self.neighbours[0].distance, 4),
            "neighbours": [{"action": n.action, "path": n.path, "distance": round(n.distance, 4)}
                           for n in self.neighbours],
        }


@dataclass(frozen=True)
class Fit:
    """What the examples tell about distances.

    Attributes:
        cutoff: a clip whose nearest example is farther away shows none of the actions; None where nothing is: one
            example alone tells of no distance.
        spread: difference in distance that makes one action e times as likely as another.
    """

    cutoff: float | None
    spread: float

    @classmethod
    def of(cls, distance: Float[np.ndarray, "n n"], actions: Sequence[str]) -> Fit:
        """From the distances of examples to each other; the diagonal is ignored.

        With a single action the cut-off is the largest distance to the next example; with single examples only it is
        the least distance of two.
        """
        names = np.array(actions)
        same = names[:, None] == names
        apart = ~np.eye(len(names), dtype=bool)
        own = np.where(same & apart, distance, np.inf).min(axis=1, initial=np.inf)
        other = np.where(~same, distance, np.inf).min(axis=1, initial=np.inf)
        return cls(_cutoff(own[np.isfinite(own)], other[np.isfinite(other)]), _spread(distance, names, own))

    def name(self, distance: Float[np.ndarray, " n"], actions: Sequence[str]) -> tuple[str | None, float]:
        """The action of a clip by its distances to the examples, or None, and the confidence in it.

        The actions are weighed by exp(-distance / spread) of their nearest examples, and "none" by that of the cut-off.
        """
        nearest: dict[str | None, float] = {}
        for d, action in zip(distance.tolist(), actions):
            nearest[action] = min(d, nearest.get(action, np.inf))
        if self.cutoff is not None:
            nearest[None] = self.cutoff
        best = min(nearest, key=lambda action: nearest[action])
        total = sum(np.exp((nearest[best] - d) / self.spread) for d in nearest.values())
        return best, float(1 / total)


class Recogniser:
    """Examples to compare with. Adding one is to build another: nothing is trained."""

    def __init__(
        self, examples: Sequence[Labelled], matching: Matching, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Hold the examples against each other.

        Args:
            examples: clips of one rate.
            progress: called with how many examples are done, of how many.

        Raises:
            UsageError: no example.
        """
        if not examples:
            raise UsageError("no examples to recognise by")
        self.examples, self._matching = tuple(examples), matching
        chosen = [examples[i] for i in np.linspace(0, len(examples) - 1, min(len(examples), _MOST_FITTED)).astype(int)]
        matrix = np.zeros((len(chosen), len(chosen)))
        for i, a in enumerate(chosen):
            matrix[i, :i] = matrix[:i, i] = [clip_distance(a.clip, b.clip, matching) for b in chosen[:i]]
            if progress:
                progress(i + 1, len(chosen))
        self.fit = Fit.of(matrix, [e.action for e in chosen])

    @property
    def actions(self) -> dict[str, int]:
        """How many examples each action has."""
        return dict(Counter(e.action for e in self.examples))

    def recognise(self, clip: Clip, k: int = 3) -> Named:
        """Name the action of a clip, and its k nearest examples."""
        distance = np.array([clip_distance(clip, e.clip, self._matching) for e in self.examples])
        action, confidence = self.fit.name(distance, [e.action for e in self.examples])
        order = np.argsort(distance, kind="stable")[:k]
        nearest = (Neighbour(self.examples[i].action, self.examples[i].path, float(distance[i])) for i in order)
        return Named(action, confidence, tuple(nearest))


def clip_distance(a: Clip, b: Clip, matching: Matching) -> float:
    """Mean frame distance along the alignment of two clips of one rate, in nats; mirrored ones are as near."""
    return dtw_mean(frame_distances(a, b, matching, mirror=True))


def _cutoff(own: Float[np.ndarray, " n"], other: Float[np.ndarray, " m"]) -> float | None:
    if not len(own) and not len(other):
        return None
    if not len(other):
        return float(own.max())
    if not len(own):
        return float(other.min())
    values = np.unique(np.concatenate([own, other]))  # two clips next to each other have one distance
    middles = (values[1:] + values[:-1]) / 2 if len(values) > 1 else values
    right = (own <= middles[:, None]).mean(axis=1) + (other > middles[:, None]).mean(axis=1)
    return float(np.median(middles[right == right.max()]))


def _spread(
    distance: Float[np.ndarray, "n n"], names: np.ndarray, own: Float[np.ndarray, " n"]
) -> float:
    """The spread under which the examples' own actions are likeliest, each without itself."""
    known = np.isfinite(own)
    if not known.any() or len(set(names.tolist())) < 2:
        return _SPREAD
    apart = np.where(np.eye(len(names), dtype=bool), np.inf, distance)
    nearest = np.stack([apart[:, names == name].min(axis=1) for name in sorted(set(names.tolist()))], axis=1)[known]
    gap = (nearest - own[known, None])[..., None] / _SPREADS
    loss = np.logaddexp.reduce(-gap, axis=1).mean(axis=0)
    return float(_SPREADS[loss.argmin()])
