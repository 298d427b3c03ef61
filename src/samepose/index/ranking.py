"""From a shortlist of people rows to the best k, each with those folded into it; pure functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int, Integer

from samepose.index.copies import Copies
from samepose.index.filter import Excluded
from samepose.index.schema import medium_of
from samepose.index.spaces import Space

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.index.ignoring import Ignoring
    from samepose.matching.embeddings import Embeddings, Matching


@dataclass(frozen=True, eq=False)
class Question:
    """What is searched for, apart from whom the filter leaves out.

    Attributes:
        space: of the queries.
        queries: the embeddings to rank by, each person by its best.
        mirrored: for each query, is it of the mirrored pose?
        k, distinct, min_score: see `SearchOptions`.
        hidden: media to pass over.
        copies: pictures to pass over at the query's moment.
        ignoring: joints that shall not matter; the queries are without them.
    """

    COLUMNS = ("id", "track", "time")

    space: Space
    matching: Matching
    queries: Embeddings
    mirrored: Bool[np.ndarray, " query"]
    k: int
    distinct: float
    min_score: float
    excluded: Excluded | None
    hidden: Int[np.ndarray, " medium"]
    copies: Copies | None = None
    ignoring: Ignoring | None = None

    @property
    def columns(self) -> list[str]:
        """Of the people table, what ranking needs."""
        ignoring = () if self.ignoring is None else self.ignoring.COLUMNS
        return [*self.COLUMNS, *self.space.columns, *ignoring]

    def probability(self, rows: pa.Table) -> Float[np.ndarray, "query n"]:
        """That each of the queries matches each of the rows; -1: they do not compare."""
        if self.ignoring is not None:
            return self.ignoring.probability(self.queries, self.mirrored, rows, self.space)
        return self.matching.probability(self.queries, self.space.embeddings(rows))


@dataclass(frozen=True)
class Found:
    """One hit before its row is read; `row` is the store's address of it, `span` the times folded into it."""

    id: int
    row: int
    track: int
    score: float
    time: float
    span: tuple[float, float]
    mirrored: bool


@dataclass(frozen=True, eq=False)
class Candidates:
    """People of a shortlist who are not left out, each once, best first; `tail`: the best score in its last quarter."""

    id: Int[np.ndarray, " n"]
    row: Integer[np.ndarray, " n"]
    track: Int[np.ndarray, " n"]
    time: Float[np.ndarray, " n"]
    score: Float[np.ndarray, " n"]
    mirrored: Bool[np.ndarray, " n"]
    tail: float

    def __len__(self) -> int:
        return len(self.id)


def rank(question: Question, rows: pa.Table) -> Candidates:
    """Score the rows of a shortlist by probability and sort them."""
    if not len(rows):
        none = np.zeros(0)
        return Candidates(none.astype(int), none.astype(int), none.astype(int), none, none, none > 0, 0.0)
    scores = question.probability(rows)
    score, mirrored = scores.max(axis=0), question.mirrored[scores.argmax(axis=0)]
    distance = np.asarray(rows["_distance"])
    tail = float(score[distance >= np.quantile(distance, 0.75)].max())
    id, track, time = np.asarray(rows["id"]), np.asarray(rows["track"]), np.asarray(rows["time"], np.float64)
    keep = (score >= question.min_score) & ~np.isin(medium_of(id), question.hidden)
    if (out := question.excluded) is not None:
        keep &= (id != out.id) & ~((track == out.track) & (np.abs(time - out.time) <= question.distinct))
    if question.copies is not None:
        keep &= ~question.copies.show(medium_of(id), time, question.distinct)
    order = np.lexsort((id, -score))
    order = order[keep[order]]
    order = order[np.sort(np.unique(id[order], return_index=True)[1])]  # found by both queries: once
    row = np.asarray(rows["_rowid"])
    return Candidates(id[order], row[order], track[order], time[order], score[order], mirrored[order], tail)


def fold(c: Candidates, k: int, distinct: float) -> list[Found]:
    """The best k, each with the neighbours in its track that lie within `distinct` seconds."""
    found: list[Found] = []
    free = np.ones(len(c), bool)
    for i in range(len(c)):
        if not free[i]:
            continue
        near: Any = [i]
        if distinct > 0 and not np.isnan(c.time[i]):
            near = np.flatnonzero(free & (c.track == c.track[i]) & (np.abs(c.time - c.time[i]) <= distinct))
        free[near] = False
        span = (float(c.time[near].min()), float(c.time[near].max()))
        found.append(Found(int(c.id[i]), int(c.row[i]), int(c.track[i]), float(c.score[i]), float(c.time[i]), span,
                           bool(c.mirrored[i])))
        if len(found) == k:
            break
    return found
