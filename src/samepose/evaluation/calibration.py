"""Is the shown probability right? Reliability of the matching probability, and the monotone map that mends it.

Sun 2020, section 4.4 "Retrieval confidence": 100 queries and their top 5 retrievals per camera pair; the event is
NP-MPJPE <= kappa. Calibrated in Platt's way on the logit, P' = sigmoid(slope * logit(P) + offset), which keeps every
ranking.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from samepose.embeddings import Embeddings, Matching
from samepose.errors import UsageError

BINS = 15


@dataclass(frozen=True, eq=False)
class Reliability:
    """How probabilities compare with what happened, in equal-mass bins.

    Attributes:
        confidence, accuracy: (bins,) mean probability and share of matches of each bin, rising confidence.
        ece: expected calibration error, mean |confidence - accuracy| over pairs.
        brier: mean squared error of the probability.
        base_rate: share of matches among all pairs.
        pairs: how many.
    """

    confidence: Float[np.ndarray, " bins"]
    accuracy: Float[np.ndarray, " bins"]
    ece: float
    brier: float
    base_rate: float
    pairs: int


def top_pairs(
    views: Sequence[Embeddings], matching: Matching, errors: Float[np.ndarray, "n n"], kappa: float = 0.1,
    queries: int = 100, top: int = 5, seed: int = 0,
) -> tuple[Float[np.ndarray, " pairs"], Bool[np.ndarray, " pairs"]]:
    """Probability of each query's best retrievals, and whether they match, over all ordered camera pairs.

    Args:
        views: embeddings of the same N poses, one per camera.
        errors: NP-MPJPE of the poses.
        queries: drawn anew for each camera pair, without repeats.
    """
    rng = np.random.default_rng(seed)
    chances, hits = [], []
    for q, e in itertools.permutations(range(len(views)), 2):
        rows = rng.choice(len(errors), min(queries, len(errors)), replace=False)
        p = matching.probability(views[q][rows], views[e])
        best = np.argsort(-p, axis=1, kind="stable")[:, :top]
        chances.append(np.take_along_axis(p, best, axis=1).ravel())
        hits.append((np.take_along_axis(errors[rows], best, axis=1) <= kappa).ravel())
    return np.concatenate(chances), np.concatenate(hits)


def reliability(p: Float[np.ndarray, " pairs"], match: Bool[np.ndarray, " pairs"], bins: int = BINS) -> Reliability:
    """Reliability over `bins` bins of equal mass."""
    if len(p) < bins:
        raise UsageError(f"{len(p)} pairs do not fill {bins} bins; use more poses")
    groups = np.array_split(np.argsort(p, kind="stable"), bins)
    confidence = np.array([p[g].mean(dtype=np.float64) for g in groups])
    accuracy = np.array([match[g].mean() for g in groups])
    sizes = np.array([len(g) for g in groups])
    ece = float((sizes * np.abs(confidence - accuracy)).sum() / len(p))
    brier = float(((p.astype(np.float64) - match) ** 2).mean())
    return Reliability(confidence, accuracy, ece, brier, float(match.mean()), len(p))


def calibrated(
    matching: Matching, p: Float[np.ndarray, " pairs"], match: Bool[np.ndarray, " pairs"]
) -> Matching:
    """`matching` with the slope and offset of largest likelihood, fitted to its own uncalibrated probabilities.

    Raises:
        UsageError: no match or nothing but matches, or the probability says nothing about them (slope <= 0).
    """
    from scipy.optimize import minimize

    if match.all() or not match.any():
        raise UsageError("calibration needs pairs that match and pairs that do not")
    chance = np.clip(p.astype(np.float64), 1e-9, 1 - 1e-9)
    logit = np.log(chance / (1 - chance))

    def cost(x: np.ndarray) -> tuple[float, np.ndarray]:
        t = x[0] * logit + x[1]
        residual = 1 / (1 + np.exp(-t)) - match
        return float(np.logaddexp(0, np.where(match, -t, t)).mean()), np.array(
            [(residual * logit).mean(), residual.mean()]
        )

    slope, offset = (float(v) for v in minimize(cost, np.array([1.0, 0.0]), jac=True).x)
    if slope <= 0:
        raise UsageError("the matching probability does not rise with the matches; this model cannot be calibrated")
    return replace(matching, slope=slope, offset=offset)
