"""The two ways to the best k: exactly among all who pass a filter, or approximately through the vector index.

Either takes a shortlist from the store, ordered by E r², the expected squared distance of two embeddings, which the
store can compute (see `spaces`); the probability also depends on the spread of r. So the shortlist is several times
longer than what is asked for, and grows until k distinct people are found and its tail holds nobody likelier than the
last of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samepose.index.filter import BROAD, Filter
from samepose.index.ranking import Candidates, Found, Question, fold, rank

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.index.store import Store

# Measured with a million people and 1,000 partitions: 50 probes and 200 rows hold all of the true best ten; 20 probes
# 99.2 % of them and save 0.2 ms of 4.
_SHORTLIST = 200  # at least; and 20 for each hit asked for
_PROBES = 50
# Without some joints a query is far from its own likes: the best ten of a mask are among the nearest thousands of all
# joints (results/ignored-joints.json). One long shortlist; it does not grow, for its tail says nothing about the order.
_IGNORING = 20_000
_GROWTH = 4


def best(store: Store, question: Question, filter: Filter) -> list[Found]:
    """The best k by the way that suits the filter."""
    first = max(_SHORTLIST, 20 * question.k)
    if question.ignoring is not None:
        return fold(rank(question, _nearest(store, question, filter, max(_IGNORING, first), probes=None)), question.k,
                    question.distinct)
    return exact(store, question, filter, first) if filter.narrow else approximate(store, question, filter, first)


def exact(store: Store, question: Question, filter: Filter, limit: int) -> list[Found]:
    """The store applies the filter and ranks all who pass it: nobody nearer is missing from a shortlist.

    Args:
        limit: length of the first shortlist.
    """
    while True:
        rows = _nearest(store, question, filter, limit, probes=None)
        candidates = rank(question, rows)
        found = fold(candidates, question.k, question.distinct)
        if len(rows) < limit * len(question.queries) or _certain(question, candidates, found):
            return found
        limit *= _GROWTH


def approximate(store: Store, question: Question, filter: Filter, first: int) -> list[Found]:
    """The nearest in some partitions of the vector index, then the filter: fast where most people pass it.

    Where too few pass, or the partitions hold too few, `exact` takes over. Without a vector index nothing is missed.

    Args:
        first: length of the first shortlist, for a filter that lets everybody pass.
    """
    widen = 1 / max(filter.part, BROAD)
    limit, probes = round(first * widen), round(_PROBES * widen)
    while True:
        rows = _nearest(store, question, filter, limit, probes)
        passed = rows.filter(filter.keep(rows)) if filter.sql and len(rows) else rows
        candidates = rank(question, passed)
        found = fold(candidates, question.k, question.distinct)
        if len(rows) < limit * len(question.queries):
            return found if limit >= store.count() else exact(store, question, filter, limit)
        if _certain(question, candidates, found):
            return found
        if filter.sql and len(candidates) < BROAD * len(rows):
            return exact(store, question, filter, first)
        limit, probes = limit * _GROWTH, probes * _GROWTH


def _certain(question: Question, candidates: Candidates, found: list[Found]) -> bool:
    """True when a longer shortlist would hardly change the best k: its last quarter has nobody as likely."""
    full = len(found) == question.k
    worst = found[-1].score if full else question.min_score
    return (full or question.min_score > 0) and candidates.tail <= worst


def _nearest(store: Store, question: Question, filter: Filter, limit: int, probes: int | None) -> pa.Table:
    """People nearest to each query by E r² with the columns that ranking needs.

    Args:
        probes: partitions of the vector index to look in; None for all, with the filter applied in the store.
    """
    space = question.space
    columns = [*question.columns, "_distance", *filter.columns]
    targets = space.targets(question.queries)
    if probes is not None:
        return store.nearest(space.rank, targets, columns, limit, probes)
    return store.nearest(space.rank, targets, columns, limit, where=filter.sql, scan=filter.scan, at_least=_PROBES)
