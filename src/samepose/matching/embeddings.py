"""Embeddings of poses, and the matching probability of pairs of them (derived in `closed_form`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.errors import UsageError
from samepose.matching import closed_form
from samepose.matching._layout import Batch, Parameters

_FEW_PAIRS = 1 << 15  # up to so many pairs numpy is done before numba is loaded and its threads are awake


@dataclass(frozen=True, eq=False)
class Embeddings:
    """N Gaussian embeddings of dimension D.

    Attributes:
        mean: (N, D) float32.
        var: (N, D) float32 variances, >= 0 (0: point embeddings).
    """

    mean: Float[np.ndarray, "n dim"]
    var: Float[np.ndarray, "n dim"]

    def __post_init__(self) -> None:
        if self.mean.ndim != 2 or self.mean.shape != self.var.shape:
            raise UsageError(f"mean {self.mean.shape} and var {self.var.shape} must be one (N, D) shape")

    def __len__(self) -> int:
        return len(self.mean)

    def __getitem__(self, key: Any) -> Embeddings:
        """Embeddings at an index, slice, list or mask; always a batch."""
        if isinstance(key, (int, np.integer)):
            key = [key]
        return Embeddings(self.mean[key], self.var[key])

    @staticmethod
    def concatenate(many: Sequence[Embeddings]) -> Embeddings:
        """One batch of several, in order."""
        return Embeddings(np.concatenate([e.mean for e in many]), np.concatenate([e.var for e in many]))


@dataclass(frozen=True)
class Matching:
    """The matching probability's parameters, learned with the embedding and stored beside it.

    Attributes:
        a: slope, > 0, per unit of embedding distance.
        b: offset; two certain embeddings at distance 0 match with sigmoid(b).
        slope, offset: monotone calibration on the logit (eq. 7 of `closed_form`); slope > 0.
    """

    a: float
    b: float
    slope: float = 1.0
    offset: float = 0.0

    @classmethod
    def of_fields(cls, fields: Mapping[str, Any]) -> Matching:
        """From a file's numbers; TypeError or ValueError when they are none that can be."""
        found = cls(**{name: float(value) for name, value in fields.items()})
        if not (found.a > 0 and found.slope > 0 and np.isfinite(list(vars(found).values())).all()):
            raise ValueError(f"{found} is no matching probability")
        return found

    @property
    def uncalibrated(self) -> Matching:
        """The matching probability as it was learned."""
        return Matching(self.a, self.b)

    def calibrate(self, probability: Float[np.ndarray, "*pair"]) -> Float[np.ndarray, "*pair"]:
        """What becomes of probabilities of `uncalibrated`."""
        return closed_form.calibrated(probability, self.slope, self.offset)

    def probability(self, query: Embeddings, other: Embeddings) -> Float[np.ndarray, "q n"]:
        """Calibrated matching probability of every pair (eq. 5 and 7 of `closed_form`).

        Args:
            query: Q embeddings.
            other: N embeddings of the same dimension.

        Returns:
            (Q, N) float32 in 0..1.
        """
        _check(query, other)
        if len(query) * len(other) <= _FEW_PAIRS:
            return self._few(query.mean[:, None], query.var[:, None], other.mean, other.var)
        # Imported on first use: loading numba and its kernels takes longer than anything else here.
        from samepose.matching._kernel import all_pairs

        poses, others = (Batch(*(np.ascontiguousarray(x, np.float32) for x in (e.mean, e.var))) for e in (query, other))
        out = np.empty((len(query), len(other)), np.float32)
        all_pairs(poses, others, self._parameters(), out)
        return out

    def probability_rows(self, query: Embeddings, other: Embeddings) -> Float[np.ndarray, " n"]:
        """Calibrated matching probability of row i of `query` with row i of `other`: (N,) float32."""
        _check(query, other)
        return self._few(query.mean, query.var, other.mean, other.var)

    def _few(
        self, mean_1: np.ndarray, var_1: np.ndarray, mean_2: np.ndarray, var_2: np.ndarray
    ) -> Float[np.ndarray, "*pair"]:
        """Broadcast pairs (..., D) in numpy."""
        p = closed_form.probability(*closed_form.moments(mean_1, var_1, mean_2, var_2), self.a, self.b)
        return (p if self.uncalibrated == self else self.calibrate(p)).astype(np.float32)

    def _parameters(self) -> Parameters:
        """As the compiled passes take them."""
        a, b, slope, odds = (np.float32(x) for x in (self.a, self.b, self.slope, np.exp(-self.offset)))
        return Parameters(a, b, slope, odds, plain=self.slope == 1 and self.offset == 0)

    def probability_monte_carlo(
        self, query: Embeddings, other: Embeddings, rng: np.random.Generator, samples: int = 20
    ) -> Float[np.ndarray, "q n"]:
        """The paper's estimate (eq. 7): mean over all pairs of `samples` draws each, uncalibrated.

        The reference for the closed form; Q x N x samples² work.
        """
        _check(query, other)
        draws = [
            e.mean[:, None] + np.sqrt(e.var)[:, None] * rng.standard_normal((len(e), samples, e.mean.shape[1]))
            for e in (query, other)
        ]
        out = np.empty((len(query), len(other)), np.float32)
        for i in range(len(query)):
            gap = np.linalg.norm(draws[0][i][None, :, None] - draws[1][:, None], axis=-1)
            out[i] = (1 / (1 + np.exp(self.a * gap - self.b))).mean(axis=(1, 2))
        return out


def _check(query: Embeddings, other: Embeddings) -> None:
    if query.mean.shape[1] != other.mean.shape[1]:
        raise UsageError(f"embeddings of {query.mean.shape[1]} and {other.mean.shape[1]} dimensions do not compare")


_WORDS = ((0.8, "very likely"), (0.5, "likely"), (0.25, "perhaps"), (0.0, "unlikely"))  # from this probability on


def in_words(score: float) -> str:
    """A matching probability in words: how likely it is that both are the same pose.

    By keypoints that is the same 3D pose, by pixels the same pose in the picture (see `Hits.query.by`).
    """
    return next(word for least, word in _WORDS if score >= least)
