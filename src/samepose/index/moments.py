"""Search by moment: the best of a shortlist ranked anew by what they and the query do before and after.

Two moments are compared as `align` compares them (`matching.moment`), and their probability is calibrated like that of
frames. Whoever has no neighbours in time, in a photo, at a cut or in a track of a moment, keeps the probability of the
frame: both are probabilities of a match, so they go into one list.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from samepose.index.neighbours import neighbours
from samepose.index.ranking import Candidates
from samepose.matching.moment import LEAST_PAIRS, MomentMatching, mean_found, minus_log, near, offsets_of

if TYPE_CHECKING:
    from samepose.index.ranking import Question, Route
    from samepose.index.store import Store
    from samepose.matching.embeddings import Embeddings

_FRAME = 3  # of the seven: the moment's own


@dataclass(frozen=True, eq=False)
class Moment:
    """What a query does before and after.

    Attributes:
        seconds: before and after.
        queries: for each of the seven frames, embeddings as those of the route of keypoints (`Route.queries`).
        found: frames at which the person is there.
        matching: probability of moments.
    """

    seconds: float
    queries: tuple[Embeddings, ...]
    found: Bool[np.ndarray, "7"]
    matching: MomentMatching


def by_moment(store: Store, question: Question, candidates: Candidates, most: int) -> Candidates:
    """The first of a list, sorted by frames, in the order of their moments.

    Args:
        question: with a moment; its first route is that of keypoints.
        candidates: with the probabilities of their frames; those of too low a score are among them.
        most: so many of them; and all whom `fold` would show.
    """
    if question.moment is None or not len(candidates):
        return candidates
    chosen = candidates.first(question, most)
    of_moments = _probabilities(store, question, chosen)
    compared = np.isfinite(of_moments).all(axis=0)
    by_route = chosen.by_route.copy()
    by_route[0] = np.where(compared, of_moments, by_route[0])
    moment = np.where(compared, question.moment.seconds, 0.0)
    scored = replace(chosen, moment=moment).scored(question, by_route)
    least = np.where(scored.moment > 0, question.min_score, 0.0 if question.pairs else question.min_score)
    return scored[np.flatnonzero(scored.score >= least)]


def _probabilities(store: Store, question: Question, candidates: Candidates) -> Float[np.ndarray, "query n"]:
    """That each query's moment matches each person's; NaN where too few frame pairs are there."""
    moment = question.moment
    assert moment is not None
    route = question.routes[0]
    around = neighbours(store, candidates.id, candidates.track, candidates.time, offsets_of(moment.seconds),
                        near(moment.seconds), question.neighbour_columns, route.space.rank)
    found = (around.at >= 0) & moment.found
    found[:, _FRAME] = np.isfinite(candidates.by_route[0]).all(axis=0)
    distances = np.zeros((len(moment.queries[0]), *found.shape), np.float32)
    distances[..., _FRAME] = minus_log(candidates.by_route[0].astype(np.float32))
    for tap in range(found.shape[1]):
        who = np.flatnonzero(found[:, tap])
        if tap != _FRAME and len(who):
            rows, back = np.unique(around.at[who, tap], return_inverse=True)
            asked: Route = replace(route, queries=moment.queries[tap])
            probability = question.of_route(asked, around.rows.take(rows))
            least = probability.min(axis=0)  # below 0 where too few joints are left of those not ignored
            found[who, tap] = (least >= 0)[back]
            distances[:, who, tap] = minus_log(np.array(probability[:, back], np.float32))
    pairs = np.broadcast_to(found.sum(axis=1), distances.shape[:2])
    probability = moment.matching.probability(mean_found(distances, found), pairs, moment.seconds)
    return np.where(pairs < LEAST_PAIRS, np.nan, probability)
