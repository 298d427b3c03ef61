"""Search, the second look: the best of a shortlist ranked anew by the pair network and by lifting.

The index keeps everybody's keypoints, so two views can be held against each other. Motion capture and 3D queries are
not views of a camera and keep the probability of the embedding, as do people who were compared by moments; all of these
are calibrated probabilities of a match, so they go into one list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from samepose.embed.pairs import SHORTLIST
from samepose.index.ranking import Candidates
from samepose.index.rows import Rows, by_skeleton
from samepose.index.schema import keypoints_of
from samepose.poses import Poses
from samepose.skeleton import BODY13, SKELETONS

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.embed import Embedder
    from samepose.embed.pairs import PairModel
    from samepose.index.ranking import Question
    from samepose.index.store import Store


@dataclass(frozen=True, eq=False)
class Pairs:
    """What the query looks like, to be seen beside others.

    Attributes:
        embedder: the one of the index, which says which keypoints count.
        model: the network that ranks its shortlists.
        queries: BODY13 keypoints of each of the route's queries, NaN where missing.
    """

    embedder: Embedder
    model: PairModel
    queries: Float[np.ndarray, "query 13 2"]


def by_pairs(store: Store, question: Question, candidates: Candidates, most: int, reader: Rows) -> Candidates:
    """The first of a list, in the order of what the pair network says of them.

    Args:
        question: with pairs; its first route is that of keypoints.
        candidates: those who were not compared by moments have the probabilities of their frames, whatever the least.
        most: so many of them; and all whom `fold` would show.

    Raises:
        MovedError: see `Rows`.
    """
    if question.pairs is None or not len(candidates):
        return candidates
    chosen = candidates.first(question, most)
    frames = np.flatnonzero((chosen.moment == 0) & np.isfinite(chosen.by_route[0]).all(axis=0))
    by_route = chosen.by_route.copy()
    if len(frames):
        rows, route = reader.read(chosen.id[frames].tolist(), chosen.row[frames].tolist()), question.routes[0]
        model = question.pairs.model
        seen = _keypoints(store, question.pairs.embedder, chosen.id[frames], rows)
        looks, asked = model.look(np.concatenate([question.pairs.queries, seen])), len(question.pairs.queries)
        queries, others = looks[:asked], looks[asked:]
        embedded = route.space.embeddings(rows)
        for number in range(asked):
            likeliest = np.argsort(-by_route[0, number, frames], kind="stable")
            between = route.matching.probability(embedded[likeliest], embedded[likeliest[:SHORTLIST]])
            at = frames[likeliest]
            by_route[0, number, at] = model.probability(
                queries[[number]], others[likeliest], by_route[0, number, at][None], between[None])[0]
    scored = chosen.scored(question, by_route)
    return scored[np.flatnonzero(scored.score >= question.min_score)]


def _keypoints(
    store: Store, embedder: Embedder, ids: Int[np.ndarray, " n"], rows: pa.Table
) -> Float[np.ndarray, "n 13 2"]:
    """BODY13 keypoints of people's rows that count, NaN where missing; all NaN of motion capture."""
    seen = np.full((len(ids), len(BODY13), 2), np.nan, np.float32)
    for name, of in by_skeleton(store, ids):
        keypoints, depth = keypoints_of(rows.take(of), SKELETONS[name])
        poses = Poses.of(keypoints[..., :2], SKELETONS[name], scores=keypoints[..., 2])
        flat = np.isnan(depth).all(axis=1)
        seen[of[flat]] = poses.hide(below=embedder.joint_score).to(BODY13).points[flat]
    return seen
