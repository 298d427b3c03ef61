"""The two ways to the best k: exactly among all who pass a filter, or approximately through the vector index.

Either takes a shortlist from the store, ordered by E r², the expected squared distance of two embeddings, which the
store can compute (see `spaces`); the probability also depends on the spread of r. So the shortlist is several times
longer than what is asked for, and grows until k distinct people are found and its tail holds nobody likelier than the
last of them. Of several routes to people each gives a shortlist; everybody on one of them is ranked by all routes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from samepose.embed.pairs import SHORTLIST
from samepose.index.filter import BROAD, Filter
from samepose.index.moments import by_moment
from samepose.index.pairs import by_pairs
from samepose.index.ranking import ROUTE, Candidates, Found, Question, fold, rank

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.index.rows import Rows
    from samepose.index.store import Store

# Measured with a million people and 1,000 partitions: 50 probes and 200 rows hold all of the true best ten; 20 probes
# 99.2 % of them and save 0.2 ms of 4. Points of 128 dimensions lie in more partitions: of 100,000 made-up people in 316
# of these, 50 probes hold 97 % of the best ten of a new pose, 120 97 to 100 % by how the partitions turned out, 200
# hold 99.6 % of all best tens, in as much computing time (made up as in benchmarks/search_pixels.py).
_SHORTLIST = 200  # at least; and 20 for each hit asked for
_PROBES, _PROBES_OF_MANY = 50, 200
_MANY = 32  # dimensions
# Without some joints a query is far from its own likes: the best ten of a mask are among the nearest thousands of all
# joints (results/ignored-joints.json). One long shortlist; it does not grow, for its tail says nothing about the order.
_IGNORING = 20_000
_GROWTH = 4
_FUSED_MOST = 20_000  # where two routes disagree about everybody their shortlists would grow to the whole table


def best(store: Store, question: Question, filter: Filter, reader: Rows) -> list[Found]:
    """The best k by the way that suits the filter; of moments and pairs, the best of a shortlist by embeddings.

    Raises:
        MovedError: see `Rows`.
    """
    first = max(_SHORTLIST, 20 * question.k)
    if question.ignoring is not None:
        candidates = rank(question, _nearest(store, question, filter, max(_IGNORING, first), widen=None))
    else:
        way = exact if filter.narrow else approximate
        candidates = way(store, question, filter, first)
    by_moments = by_moment(store, question, candidates, first)
    looked_at = first * SHORTLIST // _SHORTLIST
    return fold(by_pairs(store, question, by_moments, looked_at, reader), question.k, question.distinct)


def exact(store: Store, question: Question, filter: Filter, limit: int) -> Candidates:
    """The store applies the filter and ranks all who pass it: nobody nearer is missing from a shortlist.

    Args:
        limit: length of the first shortlist.
    """
    while True:
        rows = _nearest(store, question, filter, limit, widen=None)
        exhausted = _exhausted(question, rows, limit)
        candidates = rank(question, rows, exhausted)
        if exhausted.all() or _certain(question, candidates) or _long(question, limit):
            return candidates
        limit *= _GROWTH


def approximate(store: Store, question: Question, filter: Filter, first: int) -> Candidates:
    """The nearest in some partitions of the vector index, then the filter: fast where most people pass it.

    Where too few pass, or the partitions hold too few, `exact` takes over. Without a vector index nothing is missed.

    Args:
        first: length of the first shortlist, for a filter that lets everybody pass.
    """
    widen = 1 / max(filter.part, BROAD)
    limit = round(first * widen)
    while True:
        rows = _nearest(store, question, filter, limit, widen)
        passed = rows.filter(filter.keep(rows)) if filter.sql and len(rows) else rows
        candidates = rank(question, passed)
        if _exhausted(question, rows, limit).any():
            return candidates if limit >= store.count() else exact(store, question, filter, limit)
        if _certain(question, candidates) or _long(question, limit):
            return candidates
        if filter.sql and len(candidates) < BROAD * len(rows):
            return exact(store, question, filter, first)
        limit, widen = limit * _GROWTH, widen * _GROWTH


def _exhausted(question: Question, rows: pa.Table, limit: int) -> Bool[np.ndarray, " route"]:
    """Which routes found fewer than they were asked for: there are no more, or not in the partitions looked in."""
    counts = np.bincount(np.asarray(rows[ROUTE]), minlength=len(question.routes))
    fewer: np.ndarray = counts < limit * len(question.mirrored)
    return fewer


def _long(question: Question, limit: int) -> bool:
    """True when a shortlist of several routes grows no more."""
    return len(question.routes) > 1 and limit >= _FUSED_MOST


def _certain(question: Question, candidates: Candidates) -> bool:
    """True when a longer shortlist would hardly change the best k: its last quarter has nobody as likely."""
    found = fold(candidates, question.k, question.distinct)
    full = len(found) == question.k
    worst = max(found[-1].score, question.min_score) if full else question.min_score
    return (full or question.min_score > 0) and candidates.tail <= worst


def _nearest(store: Store, question: Question, filter: Filter, limit: int, widen: float | None) -> pa.Table:
    """People nearest to each query of each route by E r² with the columns that ranking needs.

    Args:
        widen: so many times the usual partitions of the vector index are looked in; None for all, with the filter
            applied in the store.
    """
    import pyarrow as pa

    columns, found = [*question.columns, "_distance", *filter.columns], []
    for number, route in enumerate(question.routes):
        vector, targets = route.space.rank, route.space.targets(route.queries)
        probes = _PROBES if route.space.dimensions <= _MANY else _PROBES_OF_MANY
        if widen is not None:
            rows = store.nearest(vector, targets, columns, limit, round(probes * widen))
        else:
            rows = store.nearest(vector, targets, columns, limit, where=filter.sql, scan=filter.scan, at_least=probes)
        found.append(rows.append_column(ROUTE, pa.array(np.full(len(rows), number))))
    return pa.concat_tables(found)
