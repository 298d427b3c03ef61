"""Embeddings, and the matching probability: the one notion of likeness of the whole project.

A pose is a diagonal Gaussian z ~ N(mean, var). Two poses match with probability (Sun 2020, section 3.2, eq. 6-7)

    P = E[ sigmoid(b - a ||z1 - z2||) ]

The paper estimates the expectation with 20 x 20 samples (`probability_monte_carlo`). Here it has a closed form:
z1 - z2 is Gaussian with mean m and variances s, so r² = ||z1 - z2||² has mean e = Σm² + Σs and variance
w = 2Σs² + 4Σm²s; a Gamma of that mean and variance gives the mean and variance of r, and five Gauss-Hermite nodes
integrate the sigmoid over a Gaussian r. All of it is one compiled pass over the pairs (`_kernels`): computing e and w
there costs no more than the matrix products they could be written as, and nothing cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.errors import UsageError

# Nodes and weights of E[f(x)], x ~ N(0, 1), with five points (symmetric: one zero, two pairs).
GAUSS_HERMITE_NODES = (1.3556261799742659, 2.8569700138728056)
GAUSS_HERMITE_WEIGHTS = (0.5333333333333333, 0.2220759220056126, 0.011257411327720688)
# (1 - R²/k) / u with R = Γ(k+½)/Γ(k) and u = 1/k in (0, 2], as a polynomial in u: Var r = e * u * poly(u).
# Least squares on Chebyshev nodes, largest error 2e-5; k >= 1/2 always, because e² >= w/2.
GAMMA_POLY = (0.25000465, -0.03121815, -0.00858266, 0.00524543, -0.00084565)
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
        slope, offset: monotone calibration on the logit, P' = sigmoid(slope * logit(P) + offset); slope > 0. Fitted on
            people that the model has not seen (`evaluation.calibrator`).
    """

    a: float
    b: float
    slope: float = 1.0
    offset: float = 0.0

    @property
    def uncalibrated(self) -> Matching:
        """The matching probability as it was learned."""
        return Matching(self.a, self.b)

    def calibrate(self, probability: Float[np.ndarray, "*pair"]) -> Float[np.ndarray, "*pair"]:
        """What becomes of probabilities of `uncalibrated`."""
        against = np.maximum((1 - probability) / np.maximum(probability, 1e-30), 1e-30)
        shown: np.ndarray = 1 / (1 + np.exp(np.clip(self.slope * np.log(against) - self.offset, -80, 80)))
        return shown

    def probability(self, query: Embeddings, other: Embeddings) -> Float[np.ndarray, "q n"]:
        """Calibrated matching probability of every pair, closed form.

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

        sides = [np.ascontiguousarray(x, np.float32) for x in (query.mean, query.var, other.mean, other.var)]
        out = np.empty((len(query), len(other)), np.float32)
        all_pairs(*sides, self._parameters(), out)
        return out

    def probability_rows(self, query: Embeddings, other: Embeddings) -> Float[np.ndarray, " n"]:
        """Calibrated matching probability of row i of `query` with row i of `other`: (N,) float32."""
        _check(query, other)
        return self._few(query.mean, query.var, other.mean, other.var)

    def _few(
        self, mean_1: np.ndarray, var_1: np.ndarray, mean_2: np.ndarray, var_2: np.ndarray
    ) -> Float[np.ndarray, "*pair"]:
        """The closed form as one reads it, for broadcast pairs (..., D); `_kernels` holds its compiled twin."""
        m2, s = (mean_1 - mean_2) ** 2, var_1 + var_2
        e, w = np.maximum((m2 + s).sum(axis=-1), 1e-12), (2 * s * s + 4 * m2 * s).sum(axis=-1)
        u = np.minimum(w / (e * e), 2)
        q = u * np.polynomial.polynomial.polyval(u, GAMMA_POLY)
        r, deviation = np.sqrt(e * (1 - q)), np.sqrt(e * q)
        p = np.zeros_like(e)
        for weight, node in zip(GAUSS_HERMITE_WEIGHTS, (0.0, *GAUSS_HERMITE_NODES)):
            for sign in (-1, 1) if node else (1,):
                p += weight / (1 + np.exp(np.minimum(self.a * (r + sign * node * deviation) - self.b, 80)))
        return (p if self.uncalibrated == self else self.calibrate(p)).astype(np.float32)

    def _parameters(self) -> Float[np.ndarray, "5"]:
        """As the compiled passes take them."""
        plain = self.slope == 1 and self.offset == 0
        return np.array([self.a, self.b, self.slope, np.exp(-self.offset), plain], np.float32)

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
