"""The pair network's probability made honest: fitted and tested on people that it has not learned from.

Two fits, on held-out people in one gallery, in which every kind of keypoints (perfect, noisy, simulated detections) and
both sets of cameras count the same. How much the network's logit, the log-odds of the embedding and the distance in
space count is what puts those who match first in their shortlists, each by what it is worth alone; then a logistic
regression over the best few makes of what all agree on, and of how well the query is seen, a probability of what is
shown. Together that is six numbers. Tested is each half of the people with the numbers of the other half, and where
there are views of them by a real detector, with these too, to which nothing was fitted.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float16, Int

from samepose.embed.pairs import SHORTLIST, Compared, PairMatching, PairModel, log_odds, of_best
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import UsageError
from samepose.evaluation.calibration import brier_score, expected_calibration_error
from samepose.evaluation.calibrator import FRAMES, KAPPA, KEYPOINTS, Honesty, alike_halves, honesty_table
from samepose.evaluation.retrieval import select_frames
from samepose.evaluation.views import CAMERAS, keypoint_views
from samepose.formats.multiview import MultiView
from samepose.geometry.procrustes import np_mpjpe_matrix
from samepose.progress import Progress, silent

_QUERIES, _TOP = 100, 5  # of each pair of cameras, and what each retrieves: those of `calibration.top_pairs`


@dataclass(frozen=True)
class PairCalibration:
    """Fitted numbers and their test.

    Attributes:
        matching: fitted to everybody given.
        halves: names of the people of the two halves of the test.
        tests: every condition on each half and on both; of each figure the first is the embedding's, the second the
            pair network's of its own best.
    """

    matching: PairMatching
    halves: tuple[tuple[str, ...], tuple[str, ...]]
    tests: tuple[Honesty, ...]

    def to_json(self) -> dict[str, Any]:
        """As `samepose export` reports it."""
        return {"matching": vars(self.matching), "halves": [list(people) for people in self.halves],
                "tests": [t.to_json() for t in self.tests]}

    def to_markdown(self) -> str:
        """The tests as a table."""
        return honesty_table(self.tests)


class Listed(NamedTuple):
    """Shortlists of queries: what all say of everybody, the embedding of any two of them; who matches, of how many."""

    logit: Float[np.ndarray, "query k"]
    apart: Float[np.ndarray, "query k"]
    embedded: Float[np.ndarray, "query k"]
    between: Float16[np.ndarray, "query k k"]
    match: Bool[np.ndarray, "query k"]
    frames: int

    @property
    def said(self) -> Compared:
        return Compared(self.logit, self.apart)

    def best(self, matching: PairMatching) -> tuple[Float[np.ndarray, " pair"], Bool[np.ndarray, " pair"]]:
        """Probability of the best few of each, and whether they match."""
        return self._best(matching.probability(self.said, self.embedded, self.between))

    def best_embedded(self) -> tuple[Float[np.ndarray, " pair"], Bool[np.ndarray, " pair"]]:
        """The same of the embedding's own best."""
        return self._best(self.embedded)

    def _best(
        self, p: Float[np.ndarray, "query k"]
    ) -> tuple[Float[np.ndarray, " pair"], Bool[np.ndarray, " pair"]]:
        first = np.argsort(-p, axis=1, kind="stable")[:, :_TOP]
        return np.take_along_axis(p, first, axis=1).ravel(), np.take_along_axis(self.match, first, axis=1).ravel()


Scene = dict[tuple[str, str], Listed]  # cameras and keypoints
SEEN = ("any", "detector")  # of views


def calibrate_pairs(
    embedder: PrVipeEmbedder, pairs: PairModel, points: Float[np.ndarray, "n 17 3"], subject: Int[np.ndarray, " n"],
    names: tuple[str, ...], *, views: MultiView | None = None, frames: int = FRAMES, progress: Progress = silent,
) -> PairCalibration:
    """Fit to people, and test on each half of them what was fitted to the other.

    Args:
        points: H36M17 poses, y up, of people that neither network has learned from.
        subject: whose pose it is, an index into `names`.
        views: what a detector saw of the same people, to be tested on alone.
        frames: poses in a gallery, drawn without near duplicates.

    Raises:
        UsageError: fewer than two people, a half of them without views, or retrievals that all match or all fail.
    """
    halves, scenes, maps = alike_halves(points, subject), [], []
    for k, people in enumerate((*halves, np.concatenate(halves))):
        progress(k, 3, ("half A", "half B", "everybody")[k])
        theirs = points[np.isin(subject, people)]
        theirs = theirs[select_frames(theirs, frames)]
        scenes.append(scene(embedder, pairs, theirs))
        maps.append(fitted(list(scenes[-1].values())))
        if views and k < 2:
            scenes[-1][SEEN] = seen_people(embedder, pairs, views, tuple(names[i] for i in people), frames)
    tests = []
    for condition in scenes[0]:
        lists = [scenes[k][condition] for k in range(2)]
        before = [one.best_embedded() for one in lists]
        after = [one.best(other) for one, other in zip(lists, (maps[1], maps[0]))]
        for name, chosen in (("A", [0]), ("B", [1]), ("both", [0, 1])):
            p, hit, shown, right = (np.concatenate([of[k][i] for k in chosen])
                                    for of, i in ((before, 0), (before, 1), (after, 0), (after, 1)))
            tests.append(Honesty(*condition, name, sum(lists[k].frames for k in chosen), len(right),
                                 float(right.mean()),
                                 (expected_calibration_error(p, hit), expected_calibration_error(shown, right)),
                                 (brier_score(p, hit), brier_score(shown, right))))
    a, b = (tuple(names[i] for i in people) for people in halves)
    return PairCalibration(maps[2], (a, b), tuple(tests))


def scene(embedder: PrVipeEmbedder, pairs: PairModel, points: Float[np.ndarray, "n 17 3"]) -> Scene:
    """Shortlists of some poses in every condition."""
    errors = np_mpjpe_matrix(points, points)
    return {(name, keypoints): listed(embedder, pairs, keypoint_views(points, cameras, keypoints), errors)
            for keypoints in KEYPOINTS for name, cameras in CAMERAS.items()}


def seen_people(
    embedder: PrVipeEmbedder, pairs: PairModel, views: MultiView, people: tuple[str, ...], frames: int
) -> Listed:
    """Shortlists of instants of some people that four cameras see, without near duplicates."""
    whose = np.array([name.split("/")[0] in people for name in views.clip_names])[views.clip]
    theirs = views.take(np.flatnonzero(whose)).seen_in()
    theirs = theirs.take(select_frames(theirs.points, frames))
    if len(theirs) < 2:
        raise UsageError(f"views: {len(theirs)} instants of {', '.join(people)} that four cameras see; render more "
                         "of the people that are held out")
    return listed(embedder, pairs, theirs.keypoints, np_mpjpe_matrix(theirs.points, theirs.points))


def listed(
    embedder: PrVipeEmbedder, pairs: PairModel, views: Float[np.ndarray, "camera n 13 2"],
    errors: Float[np.ndarray, "n n"],
) -> Listed:
    """Shortlists of random queries, from every ordered pair of different cameras.

    Args:
        views: BODY13 keypoints of the same n poses in each camera.
        errors: NP-MPJPE of pose i and pose j.
    """
    embedded, looks = [embedder.embed_keypoints(view) for view in views], [pairs.look(view) for view in views]
    rng, lists = np.random.default_rng(0), []
    for q, e in itertools.permutations(range(len(views)), 2):
        rows = rng.choice(len(errors), min(_QUERIES, len(errors)), replace=False)
        p = np.array(embedder.matching.probability(embedded[q][rows], embedded[e]))
        k = min(SHORTLIST, len(errors))
        best = np.argpartition(-p, k - 1, axis=1)[:, :k]
        said = pairs.compared(looks[q][rows], looks[e][best.ravel()])
        between = embedder.matching.probability(embedded[e], embedded[e])[best[:, :, None], best[:, None, :]]
        lists.append(Listed(*said, np.take_along_axis(p, best, axis=1), between.astype(np.float16),
                            errors[rows[:, None], best] <= KAPPA, len(errors)))
    together = {of: np.concatenate([getattr(one, of) for one in lists]) for of in Listed._fields[:-1]}
    return Listed(**together, frames=len(errors))


def fitted(lists: Sequence[Listed]) -> PairMatching:
    """The six numbers of largest likelihood, see the module; each of some conditions counts the same.

    Raises:
        UsageError: retrievals that all match or all fail, or matches that the network finds no likelier.
    """
    weights = _weights(lists)
    matching, rows, hits, counts = PairMatching(**weights), [], [], []
    for one in lists:
        order = matching.order(one.said, one.embedded, one.between)
        first = np.argsort(np.where(np.isnan(order), np.inf, -order), axis=1, kind="stable")[:, :_TOP]
        shown = np.take_along_axis(order, first, axis=1)
        told = ~np.isnan(shown)
        level = np.broadcast_to(of_best(order, log_odds(one.embedded))[:, None], told.shape)
        rows.append(np.stack([shown[told], level[told]], axis=1))
        hits.append(np.take_along_axis(one.match, first, axis=1)[told])
        counts.append(np.full(told.sum(), 1 / told.sum()))
    (slope, best), offset = _logistic(*map(np.concatenate, (rows, hits, counts)))
    if slope <= 0:
        raise UsageError("matches are no likelier than others by this network and embedding; it cannot be calibrated")
    return PairMatching(**weights, slope=slope, offset=offset, best=best)


def _logistic(
    x: Float[np.ndarray, "pair column"], hit: Bool[np.ndarray, " pair"], weight: Float[np.ndarray, " pair"]
) -> tuple[tuple[float, ...], float]:
    """Slopes of columns, and the offset, of largest likelihood."""
    from scipy.optimize import minimize
    from scipy.special import expit

    if hit.all() or not hit.any():
        raise UsageError("calibration needs pairs that match and pairs that do not")
    middle, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    unit = np.concatenate([(x - middle) / spread, np.ones((len(x), 1))], axis=1)

    def cost(w: np.ndarray) -> tuple[float, np.ndarray]:
        t = unit @ w
        return float(weight @ np.logaddexp(0, np.where(hit, -t, t))), unit.T @ (weight * (expit(t) - hit))

    found = minimize(cost, np.zeros(unit.shape[1]), jac=True).x
    slopes = found[:-1] / spread
    return tuple(map(float, slopes)), float(found[-1] - slopes @ middle)


def _weights(lists: Sequence[Listed]) -> dict[str, float]:
    """Of logit, log-odds of the embedding and distance in space: the conditional logit (McFadden 1974) over shortlists.

    A regression over single pairs would ask how likely each is to match, though most of them nobody will see, and gave
    the network a third of the weight that ranks best.
    """
    from scipy.optimize import minimize
    from scipy.special import logsumexp, softmax

    logit, apart, embedded, match = (np.concatenate([getattr(one, of) for one in lists])
                                     for of in ("logit", "apart", "embedded", "match"))
    weight = np.concatenate([np.full(len(one.match), 1 / len(one.match)) for one in lists])
    told = ~np.isnan(logit)
    some = (match & told).any(axis=1)
    if not some.any():
        raise UsageError("calibration needs pairs that match and pairs that do not")
    said = {"network": np.nan_to_num(logit[some]), "embedding": log_odds(embedded[some]),
            "lifting": -np.log(apart[some])}
    x = np.stack(list(said.values()), axis=-1).astype(np.float64)
    everybody = np.where(told[some], 0.0, -np.inf)
    right = np.where(match[some] & told[some], 0.0, -np.inf)
    counts = weight[some] / weight[some].sum()

    def cost(w: np.ndarray) -> tuple[float, np.ndarray]:
        score = x @ w
        loss = logsumexp(score + everybody, axis=1) - logsumexp(score + right, axis=1)
        pull = softmax(score + everybody, axis=1) - softmax(score + right, axis=1)
        return float(counts @ loss), np.einsum("q,qk,qkw->w", counts, pull, x)

    found = minimize(cost, [1.0, 1.0, 0.0], jac=True, bounds=[(0, None)] * 3).x
    return dict(zip(said, map(float, found)))
