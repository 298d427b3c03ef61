"""Pr-VIPE explained (Sun 2020, section 4.4 and figures 3, 5, 0.C8 and 0.C9): the numbers behind the pictures.

Is the matching probability honest, does the variance know which 2D poses are ambiguous, how do poses lie in the
embedding space, and what is retrieved?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import UsageError
from samepose.evaluation.calibration import (
    Bins,
    TopPairs,
    brier_score,
    expected_calibration_error,
    reliability,
    top_pairs,
)
from samepose.evaluation.retrieval import near_duplicates_removed
from samepose.evaluation.views import Camera, keypoint_views
from samepose.geometry.procrustes import np_mpjpe_2d_matrix, np_mpjpe_matrix
from samepose.matching.embeddings import Embeddings, Matching

KAPPA = 0.1  # NP-MPJPE of a match; also how far apart two poses must be to count as different (section 4.4)
NEIGHBOURS = 10  # 2D poses that make a 2D pose ambiguous
_MOST_VIEWS = 3000  # 2D poses compared with each other: 9 million pairs


@dataclass(frozen=True, eq=False)
class Scene:
    """The same N poses in C cameras, and what the model makes of them.

    Attributes:
        points: H36M17, y up.
        views: BODY13, x right and y down; the largest shoulder-hip distance is 0.5.
        embeddings: one batch for each camera.
        cameras, keypoints: names of the condition.
    """

    points: Float[np.ndarray, "n 17 3"]
    views: Float[np.ndarray, "camera n 13 2"]
    embeddings: tuple[Embeddings, ...]
    matching: Matching
    cameras: str
    keypoints: str

    @classmethod
    def of(
        cls, points: Float[np.ndarray, "n 17 3"], cameras: Sequence[Camera], embedder: PrVipeEmbedder, *,
        cameras_name: str, keypoints: Literal["perfect", "noisy"] = "perfect",
    ) -> Scene:
        """Look at poses (choose them with `select_frames`) from all cameras.

        Raises:
            UsageError: too few poses to find neighbours among.
        """
        if len(points) <= NEIGHBOURS:
            raise UsageError(f"{len(points)} different poses are too few to explain a model; give more than "
                             f"{NEIGHBOURS}")
        views = keypoint_views(points, cameras, keypoints)
        return cls(points, views, tuple(embedder.embed_keypoints(view) for view in views), embedder.matching,
                   cameras_name, keypoints)

    @cached_property
    def errors(self) -> Float[np.ndarray, "n n"]:
        """NP-MPJPE of every two poses, torso lengths."""
        return np_mpjpe_matrix(self.points, self.points)

    @cached_property
    def distinct(self) -> Int[np.ndarray, " m"]:
        """Poses at least KAPPA apart, few enough that all their views can be compared."""
        kept = near_duplicates_removed(self.points, KAPPA)
        most = max(NEIGHBOURS + 1, _MOST_VIEWS // len(self.views))
        return kept if len(kept) <= most else np.sort(np.random.default_rng(0).choice(kept, most, replace=False))


@dataclass(frozen=True, eq=False)
class Confidence:
    """Matching probability against the truth.

    Attributes:
        base_rate: share of all drawn pairs that match.
        before: bins, ECE and Brier score of the probability as learned; None where it was never calibrated.
    """

    pairs: TopPairs
    bins: Bins
    base_rate: float
    ece: float
    brier: float
    before: Confidence | None = None

    def to_json(self) -> dict[str, Any]:
        bins = {name: getattr(self.bins, name).tolist() for name in ("probability", "accuracy", "count")}
        return {"pairs": len(self.pairs.hit), "base_rate": self.base_rate, "ece": self.ece, "brier": self.brier,
                "bins": bins, "uncalibrated": None if self.before is None else self.before.to_json()}


def confidence(scene: Scene, queries: int = 100, top: int = 5) -> Confidence:
    """Figure 5d: `queries` random poses with their `top` retrievals, from every ordered pair of cameras."""
    matching = scene.matching
    learned = top_pairs(scene.embeddings, matching.uncalibrated, scene.errors, kappa=KAPPA, queries=queries, top=top)
    before = _confidence(learned)
    if matching == matching.uncalibrated:
        return before
    return replace(_confidence(replace(learned, probability=matching.calibrate(learned.probability))), before=before)


def _confidence(pairs: TopPairs) -> Confidence:
    p, hit = pairs.probability, pairs.hit
    return Confidence(pairs, reliability(p, hit), float(hit.mean()), expected_calibration_error(p, hit),
                      brier_score(p, hit))


@dataclass(frozen=True, eq=False)
class Ambiguity:
    """2D poses of `Scene.distinct` in all cameras, camera by camera: M = cameras x poses.

    Attributes:
        views: the 2D poses.
        variance: mean of the embedding's variances.
        distance: mean 2D NP-MPJPE to the NEIGHBOURS most alike 2D poses of other 3D poses; small = ambiguous.
        neighbours: those.
        rank_correlation: Spearman's of variance and distance; -1 if the variance knows all about ambiguity.
    """

    views: Float[np.ndarray, "m 13 2"]
    variance: Float[np.ndarray, " m"]
    distance: Float[np.ndarray, " m"]
    neighbours: Int[np.ndarray, "m k"]
    rank_correlation: float

    def binned(self, bins: int = 12) -> list[tuple[float, float, float]]:
        """(mean variance, mean distance, its standard error) of equally many 2D poses each, by variance."""
        parts = np.array_split(np.argsort(self.variance, kind="stable"), min(bins, len(self.variance)))
        return [(float(self.variance[p].mean()), float(self.distance[p].mean()),
                 float(self.distance[p].std() / np.sqrt(len(p)))) for p in parts]

    def to_json(self) -> dict[str, Any]:
        rows = [{"variance": v, "distance": d, "standard_error": e} for v, d, e in self.binned()]
        return {"poses_2d": len(self.variance), "neighbours": self.neighbours.shape[1],
                "rank_correlation": self.rank_correlation, "bins": rows}


def ambiguity(scene: Scene) -> Ambiguity:
    """Figures 5a, 5b and 0.C8: does the variance grow where different 3D poses look alike in 2D?

    Raises:
        UsageError: the poses are too much alike.
    """
    from scipy.stats import spearmanr

    chosen = scene.distinct
    if len(chosen) <= NEIGHBOURS:
        raise UsageError(f"only {len(chosen)} poses lie {KAPPA} NP-MPJPE apart; more than {NEIGHBOURS} are needed: "
                         "give more varied motion, or more `frames`")
    views = scene.views[:, chosen].reshape(-1, 13, 2)
    variance = np.concatenate([e.var[chosen].mean(axis=1) for e in scene.embeddings])
    frame = np.tile(np.arange(len(chosen)), len(scene.views))
    gaps = np_mpjpe_2d_matrix(views, views)
    gaps[frame[:, None] == frame] = np.inf
    nearest = np.argsort(gaps, axis=1, kind="stable")
    # A pose has one view in each camera: of each neighbour only its most alike view counts.
    neighbours = np.stack([row[_first_of_each(frame[row], NEIGHBOURS)] for row in nearest])
    distance = np.take_along_axis(gaps, neighbours, axis=1).mean(axis=1)
    return Ambiguity(views, variance, distance, neighbours, float(spearmanr(variance, distance).statistic))


def _first_of_each(labels: Int[np.ndarray, " m"], k: int) -> Int[np.ndarray, " k"]:
    return np.sort(np.unique(labels, return_index=True)[1])[:k]


@dataclass(frozen=True, eq=False)
class Space:
    """The embedding means of `Scene.distinct` in all cameras, on their first two principal components.

    Attributes:
        position: (camera, pose, 2), in units of the embedding space.
        explained: share of the variance that each of the two components carries.
        height: (pose,) vertical extent of the body in torso lengths.
        views: the 2D poses.
        spread: mean distance of a pose's views from their centre, over that of all: 0 = view-invariant.
    """

    position: Float[np.ndarray, "camera m 2"]
    explained: tuple[float, float]
    height: Float[np.ndarray, " m"]
    views: Float[np.ndarray, "camera m 13 2"]
    spread: float

    def to_json(self) -> dict[str, Any]:
        return {"poses": self.position.shape[1], "explained": list(self.explained), "spread_of_views": self.spread}


def space(scene: Scene) -> Space:
    """Figure 0.C9: principal components of the embedding means."""
    from samepose.geometry.normalise import normalise_3d

    chosen = scene.distinct
    means = np.stack([e.mean[chosen] for e in scene.embeddings]).astype(np.float64)
    flat = means.reshape(-1, means.shape[2])
    centred = flat - flat.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    share = sizes**2 / (sizes**2).sum()
    within = np.linalg.norm(means - means.mean(axis=0), axis=2).mean()
    up = normalise_3d(scene.points[chosen])[..., 1]
    return Space((centred @ axes[:2].T).reshape(*means.shape[:2], 2), (float(share[0]), float(share[1])),
                 np.ptp(up, axis=1), scene.views[:, chosen], float(within / np.linalg.norm(centred, axis=1).mean()))


@dataclass(frozen=True, eq=False)
class Retrievals:
    """Queries of one camera and their best matches in another.

    Attributes:
        query: (Q, 13, 2) and found: (Q, k, 13, 2), most probable first.
        probability, error: (Q, k) matching probability and NP-MPJPE.
        match: (Q, k) error <= KAPPA.
        cameras: (Q, 2) numbers of the query's camera and the other.
    """

    query: Float[np.ndarray, "q 13 2"]
    found: Float[np.ndarray, "q k 13 2"]
    probability: Float[np.ndarray, "q k"]
    error: Float[np.ndarray, "q k"]
    cameras: Int[np.ndarray, "q 2"]

    @property
    def match(self) -> Bool[np.ndarray, "q k"]:
        matches: np.ndarray = self.error <= KAPPA
        return matches

    def to_json(self) -> list[dict[str, Any]]:
        return [{"cameras": c.tolist(), "probability": p.tolist(), "np_mpjpe": e.tolist()}
                for c, p, e in zip(self.cameras, self.probability.astype(float), self.error.astype(float))]


def retrievals(scene: Scene, queries: int = 8, top: int = 5, seed: int = 0) -> Retrievals:
    """Figure 3: random queries of random cameras, and the `top` most probable poses in another camera."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(scene.points), min(queries, len(scene.points)), replace=False)
    cameras = np.stack([rng.choice(len(scene.views), 2, replace=False) for _ in chosen])
    found, probability, error = [], [], []
    for n, (q, e) in zip(chosen, cameras):
        p = scene.matching.probability(scene.embeddings[q][[n]], scene.embeddings[e])[0]
        best = np.argsort(-p, kind="stable")[:top]
        found.append(scene.views[e, best])
        probability.append(p[best])
        error.append(scene.errors[n, best])
    return Retrievals(scene.views[cameras[:, 0], chosen], np.stack(found), np.stack(probability), np.stack(error),
                      cameras)
