"""How far a matching probability can be taken at its word (Sun 2020, section 4.4, "Retrieval Confidence").

The paper draws queries and their best retrievals from every pair of cameras and bins them by confidence; we add the
usual two numbers, the expected calibration error and the Brier score.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from samepose.errors import UsageError
from samepose.matching.embeddings import Embeddings, Matching


@dataclass(frozen=True, eq=False)
class TopPairs:
    """Queries with what they retrieved.

    Attributes:
        probability: (N,) float32 matching probability, 0..1.
        hit: (N,) whether the 3D poses match.
    """

    probability: Float[np.ndarray, " n"]
    hit: Bool[np.ndarray, " n"]


def top_pairs(
    embeddings: Sequence[Embeddings], matching: Matching, errors: Float[np.ndarray, "n n"], *,
    kappa: float = 0.1, queries: int = 100, top: int = 5, seed: int = 0,
) -> TopPairs:
    """Random queries and their most probable poses, from every ordered pair of different cameras.

    Args:
        embeddings: of the same N frames, one for each camera.
        errors: NP-MPJPE of frame i (query) and frame j.
        kappa: the largest error of a match.
        queries: per pair of cameras; all frames where there are fewer.
        top: retrievals per query, the most probable.

    Raises:
        UsageError: fewer than two cameras, no frames, or another number of frames than errors.
    """
    n = len(errors)
    if len(embeddings) < 2 or n == 0 or any(len(e) != n for e in embeddings):
        raise UsageError(f"need two cameras or more of the same frames, got {[len(e) for e in embeddings]} frames in "
                         f"{len(embeddings)} cameras and {n} in the errors")
    rng = np.random.default_rng(seed)
    probability, hit = [], []
    for q, e in itertools.permutations(embeddings, 2):
        rows = rng.choice(n, min(queries, n), replace=False)
        p = matching.probability(q[rows], e)
        best = np.argsort(-p, axis=1, kind="stable")[:, :top]
        probability.append(np.take_along_axis(p, best, axis=1).ravel())
        hit.append((errors[rows[:, None], best] <= kappa).ravel())
    return TopPairs(np.concatenate(probability), np.concatenate(hit))


@dataclass(frozen=True, eq=False)
class Bins:
    """Pairs of like probability put together.

    Attributes:
        probability: mean of each bin, ascending.
        accuracy: share of the bin that matches.
        count: pairs in the bin.
    """

    probability: Float[np.ndarray, " bin"]
    accuracy: Float[np.ndarray, " bin"]
    count: Float[np.ndarray, " bin"]


def reliability(probability: Float[np.ndarray, " n"], hit: Bool[np.ndarray, " n"], bins: int = 15) -> Bins:
    """Equal-mass bins in order of probability: as many pairs in each, give or take one; no bin is empty.

    Raises:
        UsageError: nothing to bin, or arrays of different length.
    """
    p, right = np.asarray(probability, np.float64), np.asarray(hit, np.float64)
    if p.ndim != 1 or p.shape != right.shape or len(p) == 0:
        raise UsageError(f"probabilities {p.shape} and hits {right.shape} must be two lists of one length, not empty")
    order = np.argsort(p, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return Bins(np.array([p[part].mean() for part in parts]), np.array([right[part].mean() for part in parts]),
                np.array([float(len(part)) for part in parts]))


def expected_calibration_error(
    probability: Float[np.ndarray, " n"], hit: Bool[np.ndarray, " n"], bins: int = 15
) -> float:
    """Mean over pairs of |accuracy - mean probability| of their equal-mass bin: 0 is honest."""
    table = reliability(probability, hit, bins)
    return float((table.count * np.abs(table.accuracy - table.probability)).sum() / table.count.sum())


def brier_score(probability: Float[np.ndarray, " n"], hit: Bool[np.ndarray, " n"]) -> float:
    """Mean squared error of the probabilities as forecasts; always saying the base rate r gives r (1 - r)."""
    gap = np.asarray(probability, np.float64) - np.asarray(hit, np.float64)
    return float((gap * gap).mean())


def calibrated(
    matching: Matching, probability: Float[np.ndarray, " n"], hit: Bool[np.ndarray, " n"]
) -> Matching:
    """`matching` with the slope and offset of largest likelihood, fitted to its own uncalibrated probabilities.

    Platt's way, on the logit: monotone, so that no ranking changes.

    Raises:
        UsageError: no match or nothing but matches, or the probability says nothing about them (slope <= 0).
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    if hit.all() or not hit.any():
        raise UsageError("calibration needs pairs that match and pairs that do not")
    chance = np.clip(np.asarray(probability, np.float64), 1e-9, 1 - 1e-9)
    logit = np.log(chance / (1 - chance))

    def cost(x: np.ndarray) -> tuple[float, np.ndarray]:
        t = x[0] * logit + x[1]
        residual = expit(t) - hit
        loss = float(np.logaddexp(0, np.where(hit, -t, t)).mean())
        return loss, np.array([(residual * logit).mean(), residual.mean()])

    slope, offset = (float(v) for v in minimize(cost, np.array([1.0, 0.0]), jac=True).x)
    if slope <= 0:
        raise UsageError("the matching probability does not rise with the matches; this model cannot be calibrated")
    return replace(matching, slope=slope, offset=offset)
