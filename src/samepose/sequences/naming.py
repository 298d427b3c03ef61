"""Which action a clip shows by its distances to examples of them, or none, and how sure that is.

The examples alone tell how far is too far, each held against all others. As near as to its own action a clip should
be; as near as to the other actions it would be, were its own not among the examples. The cut-off parts these two best;
what that costs, and what other rules would, is in results/moves.json. What a classifier says of the actions is taken
for independent of the distances: probabilities are multiplied. Whether it is none of them distance alone decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from samepose.sequences.classifier import log_softmax

_SPREADS = np.geomspace(0.05, 20, 60)  # that are tried
_SPREAD = 1.0  # where the examples do not tell


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

    def name(
        self, distance: Float[np.ndarray, " n"], actions: Sequence[str], told: Mapping[str, float] | None = None
    ) -> tuple[str | None, float]:
        """The action of a clip by its distances to the examples, or None, and the confidence in it.

        The actions are weighed by exp(-distance / spread) of their nearest examples, and "none" by that of the cut-off.

        Args:
            told: logarithm of each action's probability, by a classifier.
        """
        names = list(dict.fromkeys(actions))
        nearest = np.array([min(d for d, action in zip(distance, actions) if action == name) for name in names])
        cutoff = np.inf if self.cutoff is None else self.cutoff
        none, *known = np.exp(log_softmax(-np.array([cutoff, *nearest]) / self.spread))
        if cutoff < nearest.min():
            return None, float(none)
        shares = np.array(known)
        if told:
            shares = (1 - none) * np.exp(log_softmax(-nearest / self.spread + [told[name] for name in names]))
        return names[int(shares.argmax())], float(shares.max())

    def score(self, distance: float) -> float | None:
        """How likely a clip so far from an example shows its action, were there but this action and none of them.

        0.5 at the cut-off, and by the spread more or less: the scale is that of these examples, not of poses. None
        where there is no cut-off.
        """
        return None if self.cutoff is None else float(1 / (1 + np.exp((distance - self.cutoff) / self.spread)))


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
