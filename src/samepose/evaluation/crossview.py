"""Synchronised cameras without ground truth: a pose should find its own moment in every other camera's video.

No 3D is needed: that the cameras ran in step is the annotation. A person who holds a pose, or does it twice, makes
wrong times of right matches, so the figures have a ceiling below perfection.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.errors import UsageError
from samepose.evaluation.retrieval import Scorer


@dataclass(frozen=True, eq=False)
class Pair:
    """One camera's frames looked for in another's.

    Attributes:
        query, index: numbers of the cameras, from 0.
        offsets: (Q,) seconds by which each frame's best match is later than the frame.
        tau: Kendall's tau-b between the times of frames and matches, 1: in order; 0 where all matches are one frame.
        top: (Q,) score of each best match.
    """

    query: int
    index: int
    offsets: Float[np.ndarray, " q"]
    tau: float
    top: Float[np.ndarray, " q"]


@dataclass(frozen=True, eq=False)
class CrossView:
    """All ordered pairs of different cameras."""

    pairs: tuple[Pair, ...]

    @property
    def median_offset(self) -> float:
        """Median over all frames of all pairs of the absolute offset, seconds."""
        return float(np.median(np.abs(self._offsets)))

    @property
    def mean_offset(self) -> float:
        """Mean of the same."""
        return float(np.abs(self._offsets).mean())

    @property
    def tau(self) -> float:
        """Kendall's tau, mean over pairs."""
        return float(np.mean([pair.tau for pair in self.pairs]))

    @property
    def _offsets(self) -> Float[np.ndarray, " n"]:
        return np.concatenate([pair.offsets for pair in self.pairs])


def cross_view(
    keypoints: Sequence[Any], times: Sequence[Float[np.ndarray, " _n"]], scorer: Scorer
) -> CrossView:
    """Look for every frame of every camera in every other camera, top match only.

    Args:
        keypoints: one person in each camera, as `scorer.describe` takes it: (n, 13, 2) BODY13 in pixels, NaN where
            hidden, for single frames. As many frames as were seen there.
        times: of those frames, seconds on a clock that all cameras share.

    Raises:
        UsageError: fewer than two cameras, or one without frames.
    """
    if len(keypoints) < 2 or not all(map(len, keypoints)):
        raise UsageError(f"cameras with {', '.join(str(len(k)) for k in keypoints)} frames; two with frames are needed")
    described = [scorer.describe(points) for points in keypoints]
    pairs = [
        _pair(q, e, scorer.scores(described[q], described[e]), times[q], times[e])
        for q, e in itertools.permutations(range(len(keypoints)), 2)
    ]
    return CrossView(tuple(pairs))


def _pair(
    query: int, index: int, scores: Float[np.ndarray, "q e"],
    query_times: Float[np.ndarray, " q"], index_times: Float[np.ndarray, " e"],
) -> Pair:
    best = scores.argmax(axis=1)
    found = index_times[best]
    return Pair(query, index, found - query_times, _kendall(query_times, found), scores.max(axis=1))


def _kendall(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"]) -> float:
    from scipy.stats import kendalltau

    tau: Any = kendalltau(a, b).statistic
    return 0.0 if np.isnan(tau) else float(tau)
