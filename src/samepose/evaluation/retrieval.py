"""Cross-view pose retrieval (Sun 2020, section 4.2): query in one camera, index in another, Hit@k.

A retrieved pose is right when its 3D pose lies within NP-MPJPE kappa of the query's. Hit@k is the share of queries
with a right one among the first k, averaged over all ordered pairs of different cameras. All frames are seen by all
cameras, so a single NP-MPJPE matrix decides for every pair.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.embed.pairs import SHORTLIST, Looks, PairModel
from samepose.errors import UsageError
from samepose.evaluation.views import Camera, Keypoints, keypoint_views
from samepose.geometry.procrustes import np_mpjpe_2d_matrix, np_mpjpe_matrix, pa_mpjpe_matrix, within
from samepose.matching.embeddings import Embeddings, Matching
from samepose.skeleton import BODY13

KAPPAS = (0.1, 0.05)
RANKS = (1, 10, 20)
_BLOCK = 2048


@runtime_checkable
class Scorer(Protocol):
    """A model under test: what it makes of one camera's keypoints, and how alike it finds two of those."""

    def describe(self, keypoints: Float[np.ndarray, "n 13 2"]) -> Any:
        """Called once per camera; a hidden joint is NaN."""

    def scores(self, query: Any, index: Any) -> Float[np.ndarray, "q e"]:
        """Higher is more alike."""


@dataclass(frozen=True)
class PrVipe:
    """Gaussian embeddings, ranked by the matching probability.

    Attributes:
        embed: BODY13 keypoints (N, 13, 2), NaN where hidden -> Embeddings.
    """

    embed: Callable[[Float[np.ndarray, "n 13 2"]], Embeddings]
    matching: Matching

    def describe(self, keypoints: Float[np.ndarray, "n 13 2"]) -> Embeddings:
        return self.embed(keypoints)

    def scores(self, query: Embeddings, index: Embeddings) -> Float[np.ndarray, "q e"]:
        return self.matching.probability(query, index)


class _Seen(NamedTuple):
    embeddings: Embeddings
    looks: Looks


@dataclass(frozen=True)
class Reranked:
    """As `search` ranks: the likeliest by their embeddings, in the order of a second look at two views together.

    Attributes:
        embedding: whose shortlists they are.
        shortlist: so many are looked at together with the query; the rest come after them.
    """

    embedding: PrVipe
    pairs: PairModel
    shortlist: int = SHORTLIST

    def describe(self, keypoints: Float[np.ndarray, "n 13 2"]) -> _Seen:
        return _Seen(self.embedding.describe(keypoints), self.pairs.look(keypoints))

    def scores(self, query: _Seen, index: _Seen) -> Float[np.ndarray, "q e"]:
        (asked, seen), (embedded, others) = query, index
        p = np.array(self.embedding.scores(asked, embedded))
        k = min(self.shortlist, len(others))
        best = np.argpartition(-p, k - 1, axis=1)[:, :k]
        between = self.embedding.scores(embedded, embedded)[best[:, :, None], best[:, None, :]]
        again = self.pairs.probability(seen, others[best.ravel()], np.take_along_axis(p, best, axis=1), between)
        scores = p - 1  # below any probability
        np.put_along_axis(scores, best, again, axis=1)
        return scores


@dataclass(frozen=True)
class PointEmbedding:
    """Points in a space, ranked by squared distance.

    Attributes:
        embed: BODY13 keypoints (N, 13, 2), NaN where hidden -> (N, D).
    """

    embed: Callable[[Float[np.ndarray, "n 13 2"]], Float[np.ndarray, "n dim"]]

    def describe(self, keypoints: Float[np.ndarray, "n 13 2"]) -> Float[np.ndarray, "n dim"]:
        return self.embed(keypoints)

    def scores(self, query: Float[np.ndarray, "q dim"], index: Float[np.ndarray, "e dim"]) -> Float[np.ndarray, "q e"]:
        # |q|² is the same for a whole row and cannot change the ranking.
        ranked: np.ndarray = 2 * query @ index.T - (index**2).sum(axis=1)
        return ranked


@dataclass(frozen=True)
class Keypoints2D:
    """No model: Procrustes distance in the image, for every two frames over the joints that both show."""

    def describe(self, keypoints: Float[np.ndarray, "n joint 2"]) -> Float[np.ndarray, "n joint 2"]:
        return keypoints

    def scores(
        self, query: Float[np.ndarray, "q joint 2"], index: Float[np.ndarray, "e joint 2"]
    ) -> Float[np.ndarray, "q e"]:
        distance = np_mpjpe_2d_matrix(query, index)
        scores: np.ndarray = np.where(np.isnan(distance), np.float32(-np.inf), -distance)
        return scores


@dataclass(frozen=True)
class Lifting:
    """3D lifting, ranked by the mean joint distance of the predicted poses after Procrustes alignment per pair.

    Normalising them first (Sun 2020, section 4.2.1) would scale each query's scores and change no ranking.

    Attributes:
        lift: BODY13 keypoints (N, 13, 2), NaN where hidden -> poses (N, joints, 3) of any unit and heading; 13 joints
            in the paper (section 4.4).
    """

    lift: Callable[[Float[np.ndarray, "n 13 2"]], Float[np.ndarray, "n joint 3"]]

    def describe(self, keypoints: Float[np.ndarray, "n 13 2"]) -> Float[np.ndarray, "n joint 3"]:
        return self.lift(keypoints)

    def scores(
        self, query: Float[np.ndarray, "q joint 3"], index: Float[np.ndarray, "e joint 3"]
    ) -> Float[np.ndarray, "q e"]:
        return -pa_mpjpe_matrix(query, index)


Hits = dict[float, dict[int, float]]


@dataclass(frozen=True)
class HiddenPairs:
    """What it costs to hide two joints of the queries.

    Attributes:
        complete: hit rates with no joint hidden.
        worst: the two joints without which Hit@1 at kappa 0.1 is lowest, and
        worst_hit: the hit rates without those.
    """

    complete: Hits
    worst: tuple[str, str]
    worst_hit: Hits


@dataclass(frozen=True)
class RetrievalResult:
    """Hit rates of one model under one condition.

    Attributes:
        hit: kappa -> k -> rate in 0..1.
        frames: poses per camera.
        cameras, keypoints: names of the condition.
        hidden: joints hidden from the queries.
        any_two: what else `evaluate_hidden_pairs` found; `hit` is then the mean over all pairs of joints.
    """

    model: str
    hit: Hits
    frames: int
    cameras: str
    keypoints: str
    hidden: tuple[str, ...] = ()
    any_two: HiddenPairs | None = None


def near_duplicates_removed(points: Float[np.ndarray, "n 17 3"], threshold: float = 0.02) -> Int[np.ndarray, " kept"]:
    """Frames to keep, in order: each at least `threshold` NP-MPJPE from every frame kept before it.

    Decided in 3D, so that all cameras share the frames. Frames with NaN are left out.
    """
    finite = np.flatnonzero(np.isfinite(points).all(axis=(1, 2)))
    kept: list[Int[np.ndarray, " block"]] = []
    for start in range(0, len(finite), _BLOCK):
        fresh = finite[start : start + _BLOCK]
        for earlier in reversed(kept):  # the latest first: a frame is most often like those just before it
            fresh = fresh[~within(points[earlier], points[fresh], threshold).any(axis=0)]
        fresh = fresh[_greedy(within(points[fresh], points[fresh], threshold))]
        kept.append(fresh)
    return np.concatenate(kept) if kept else finite


def _greedy(alike: Bool[np.ndarray, "n n"]) -> Bool[np.ndarray, " n"]:
    """Keep a row unless an earlier kept row is alike."""
    dropped = np.zeros(len(alike), np.bool_)
    for i in range(len(alike)):
        if not dropped[i]:
            dropped[i + 1 :] |= alike[i, i + 1 :]
    return ~dropped


def select_frames(points: Float[np.ndarray, "n 17 3"], n: int = 1500, seed: int = 0) -> Int[np.ndarray, " chosen"]:
    """`n` frames drawn without near duplicates, in order; all of them where there are fewer."""
    kept = near_duplicates_removed(points)
    if len(kept) <= n:
        return kept
    return np.sort(np.random.default_rng(seed).choice(kept, n, replace=False))


def hit_rates(
    scores: Float[np.ndarray, "q e"], match: Bool[np.ndarray, "q e"], ranks: Sequence[int] = RANKS
) -> Float[np.ndarray, " rank"]:
    """Hit@k for each k of `ranks`: the share of queries with a right pose among the k that score highest.

    Counts the wrong poses at or above the best right one, which needs no sorting. Ties count against the model, so
    that a scorer that cannot tell poses apart gets nothing for it; so do NaN scores.

    Args:
        match: which index poses are right for each query.
    """
    from samepose.evaluation._rank_kernel import wrong_ahead

    ahead = np.empty(len(scores), np.int64)
    wrong_ahead(np.ascontiguousarray(scores, np.float32), np.ascontiguousarray(match), ahead)
    return np.array([((ahead >= 0) & (ahead < k)).mean() for k in ranks])


def evaluate(
    points: Float[np.ndarray, "n 17 3"], scorers: Mapping[str, Scorer], cameras: Sequence[Camera],
    *, cameras_name: str, keypoints: Keypoints = "perfect", seed: int = 0,
    hide: Sequence[str] = (), hide_index: bool = False,
) -> list[RetrievalResult]:
    """Hit rates of every scorer on the frames `points` (choose them with `select_frames`).

    Args:
        points: H36M17, any unit, y up.
        scorers: name -> model.
        cameras_name: what the report calls the cameras.
        seed: of the noise of "noisy" keypoints.
        hide: BODY13 joints hidden from the queries, and from the index too with `hide_index`.

    Raises:
        UsageError: no frames, fewer than two cameras, or a joint that does not exist.
    """
    _check(len(points), len(cameras))
    views = keypoint_views(points, cameras, keypoints, seed)
    return evaluate_views(points, views, scorers, cameras_name=cameras_name, keypoints=keypoints, hide=hide,
                          hide_index=hide_index)


def evaluate_views(
    points: Float[np.ndarray, "n 17 3"], views: Float[np.ndarray, "camera n 13 2"], scorers: Mapping[str, Scorer],
    *, cameras_name: str, keypoints: str, hide: Sequence[str] = (), hide_index: bool = False,
) -> list[RetrievalResult]:
    """`evaluate` with keypoints that are there already, such as a detector's (`formats.multiview.MultiView`).

    Args:
        views: BODY13 of the frames `points` in every camera, x right and y down, any unit; NaN where missing.
        keypoints: what the report calls them.

    Raises:
        UsageError: as `evaluate`, or `points` and `views` of different frames.
    """
    _check(len(points), len(views))
    if views.shape[1:] != (len(points), len(BODY13), 2):
        raise UsageError(f"views have shape {views.shape}; expected (C, {len(points)}, 13, 2) for {len(points)} frames")
    matches = _matches(points)
    query_views = _hidden(views, hide)
    results = []
    for name, scorer in scorers.items():
        queries = [scorer.describe(view) for view in query_views]
        index = queries if hide_index or not hide else [scorer.describe(view) for view in views]
        hit = _table(_mean_rates(scorer, queries, index, matches))
        results.append(RetrievalResult(name, hit, len(points), cameras_name, keypoints, tuple(hide)))
    return results


def evaluate_hidden_pairs(
    points: Float[np.ndarray, "n 17 3"], scorers: Mapping[str, Scorer], cameras: Sequence[Camera],
    *, cameras_name: str, keypoints: Keypoints = "perfect", seed: int = 0,
) -> list[RetrievalResult]:
    """`evaluate` averaged over all 78 ways to hide two joints from the queries; `hidden` says "any two".

    `any_two` of the results has the rates of complete queries and of the worst pair.
    """
    _check(len(points), len(cameras))
    matches, views = _matches(points), keypoint_views(points, cameras, keypoints, seed)
    pairs = list(itertools.combinations(BODY13.joints, 2))
    results = []
    for name, scorer in scorers.items():
        index = [scorer.describe(view) for view in views]
        rates = [
            _mean_rates(scorer, [scorer.describe(view) for view in _hidden(views, pair)], index, matches)
            for pair in pairs
        ]
        worst = int(np.argmin([rate[0, 0] for rate in rates]))
        found = HiddenPairs(_table(_mean_rates(scorer, index, index, matches)), pairs[worst], _table(rates[worst]))
        mean = _table(np.mean(rates, axis=0))
        results.append(RetrievalResult(name, mean, len(points), cameras_name, keypoints, ("any two",), found))
    return results


def _check(frames: int, cameras: int) -> None:
    if frames == 0 or cameras < 2:
        raise UsageError(f"retrieval needs frames and two cameras, got {frames} and {cameras}")


def _matches(points: Float[np.ndarray, "n 17 3"]) -> list[Bool[np.ndarray, "n n"]]:
    """Which poses are right for which query, per kappa."""
    errors = np_mpjpe_matrix(points, points)
    return [errors <= kappa for kappa in KAPPAS]


def _mean_rates(
    scorer: Scorer, queries: Sequence[Any], index: Sequence[Any], matches: Sequence[Bool[np.ndarray, "n n"]]
) -> Float[np.ndarray, "kappa rank"]:
    """Hit rates averaged over all ordered pairs of different cameras."""
    rates = []
    for q, e in itertools.permutations(range(len(queries)), 2):
        scores = scorer.scores(queries[q], index[e])
        rates.append([hit_rates(scores, match) for match in matches])
    mean: np.ndarray = np.mean(rates, axis=0)
    return mean


def _hidden(views: Float[np.ndarray, "camera n 13 2"], hide: Sequence[str]) -> Float[np.ndarray, "camera n 13 2"]:
    if not hide:
        return views
    hidden = views.copy()
    hidden[:, :, [BODY13.index(joint) for joint in hide]] = np.nan
    return hidden


def _table(rates: Float[np.ndarray, "kappa rank"]) -> Hits:
    return {kappa: {k: float(r) for k, r in zip(RANKS, row)} for kappa, row in zip(KAPPAS, rates)}

