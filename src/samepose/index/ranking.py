"""From a shortlist of people rows to the best k, each with those folded into it; pure functions of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int, Integer

from samepose.embed.pairs import log_odds
from samepose.index.copies import Copies
from samepose.index.filter import Excluded
from samepose.index.schema import medium_of
from samepose.index.spaces import Space

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.index.ignoring import Ignoring
    from samepose.index.moments import Moment
    from samepose.index.pairs import Pairs
    from samepose.matching.embeddings import Embeddings, Matching


@dataclass(frozen=True, eq=False)
class Route:
    """One way to find people.

    Attributes:
        space: whose vectors are compared.
        matching: of its embedder.
        queries: what to compare them with, each person by its best.
    """

    space: Space
    matching: Matching
    queries: Embeddings

    def probability(self, rows: pa.Table) -> Float[np.ndarray, "query n"]:
        """That each of the queries matches each of the rows; NaN: a row has no vector."""
        known = rows[self.space.rank].is_valid()
        who = np.asarray(known)
        scores = np.full((len(self.queries), len(rows)), np.nan, np.float32)
        if who.any():
            some = rows if who.all() else rows.filter(known)
            scores[:, who] = self.matching.probability(self.queries, self.space.embeddings(some))
        return scores


@dataclass(frozen=True, eq=False)
class Question:
    """What is searched for, apart from whom the filter leaves out.

    Attributes:
        routes: the ways to find people; each has as many queries, of the same poses.
        mirrored: for each query, is it of the mirrored pose?
        k, distinct, min_score: see `SearchOptions`.
        hidden: media to pass over.
        copies: pictures to pass over at the query's moment.
        ignoring: joints that shall not matter; the queries are without them. Of one route only.
        moment: what the queries do before and after; the first route is then that of keypoints.
        pairs: what the queries look like, for a second look at a shortlist; likewise.
    """

    COLUMNS = ("id", "track", "time")

    routes: Sequence[Route]
    mirrored: Bool[np.ndarray, " query"]
    k: int
    distinct: float
    min_score: float
    excluded: Excluded | None
    hidden: Int[np.ndarray, " medium"]
    copies: Copies | None = None
    ignoring: Ignoring | None = None
    moment: Moment | None = None
    pairs: Pairs | None = None

    @property
    def columns(self) -> list[str]:
        """Of the people table, what ranking needs."""
        if self.ignoring is not None:
            return [*self.COLUMNS, self.routes[0].space.rank, *self.ignoring.COLUMNS]
        return [*self.COLUMNS, *(column for route in self.routes for column in route.space.columns)]

    @property
    def neighbour_columns(self) -> list[str]:
        """What ranking by moments needs of people before and after."""
        return [*self.routes[0].space.columns, *(() if self.ignoring is None else self.ignoring.COLUMNS)]

    def probabilities(self, rows: pa.Table) -> Float[np.ndarray, "route query n"]:
        """By each route, that each of the queries matches each of the rows; -1 or NaN: they do not compare."""
        return np.stack([self.of_route(route, rows) for route in self.routes])

    def of_route(self, route: Route, rows: pa.Table) -> Float[np.ndarray, "query n"]:
        """The same by one route."""
        if self.ignoring is not None:
            return self.ignoring.probability(route.queries, self.mirrored, rows, route.space)
        return route.probability(rows)


def fused(probabilities: Float[np.ndarray, "route ..."]) -> Float[np.ndarray, "..."]:
    """One probability from those of all routes that know one: the sigmoid of their mean logit; 0 where none does.

    It is the geometric mean of the odds: calibrated probabilities need no rescaling, and which others were found
    changes nobody's score.
    """
    if len(probabilities) == 1:
        return probabilities[0]
    known = np.isfinite(probabilities)
    logit = (log_odds(np.where(known, probabilities, 0.5)) * known).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    fused: np.ndarray = np.where(known.any(axis=0), 1 / (1 + np.exp(-logit)), 0)
    return fused


@dataclass(frozen=True)
class Found:
    """One hit before its row is read.

    Attributes:
        row: the store's address of it.
        span: times folded into it.
        moment: seconds before and after that were compared; 0: the frame alone.
    """

    id: int
    row: int
    track: int
    score: float
    time: float
    span: tuple[float, float]
    mirrored: bool
    moment: float = 0.0


@dataclass(frozen=True, eq=False)
class Candidates:
    """People of a shortlist who are not left out, each once, best first.

    Attributes:
        tail: the best score in its last quarter, which nobody who is not in it is likely to exceed; of several routes,
            what the best of each last quarter would score together (the threshold of Fagin 2001).
        by_route: what the score is made of.
        moment: seconds before and after that were compared; 0: the frame alone.
    """

    id: Int[np.ndarray, " n"]
    row: Integer[np.ndarray, " n"]
    track: Int[np.ndarray, " n"]
    time: Float[np.ndarray, " n"]
    score: Float[np.ndarray, " n"]
    mirrored: Bool[np.ndarray, " n"]
    tail: float
    by_route: Float[np.ndarray, "route query n"]
    moment: Float[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.id)

    def __getitem__(self, at: Int[np.ndarray, " m"]) -> Candidates:
        """Some of them, in that order."""
        return Candidates(self.id[at], self.row[at], self.track[at], self.time[at], self.score[at], self.mirrored[at],
                          self.tail, self.by_route[..., at], self.moment[at])

    def shown(self, question: Question) -> Int[np.ndarray, " found"]:
        """Positions of those whom `fold` leaves."""
        found = [f.id for f in fold(self, question.k, question.distinct)]
        positions: np.ndarray = np.flatnonzero(np.isin(self.id, found))
        return positions

    def first(self, question: Question, most: int) -> Candidates:
        """So many of the first, and all whom `fold` would show."""
        return self[np.union1d(np.arange(min(most, len(self))), self.shown(question))]

    def scored(self, question: Question, by_route: Float[np.ndarray, "route query n"]) -> Candidates:
        """The same with other probabilities, in their order."""
        scores = fused(by_route)
        anew = replace(self, score=scores.max(axis=0), mirrored=question.mirrored[scores.argmax(axis=0)],
                       by_route=by_route)
        return anew[np.lexsort((anew.id, -anew.score))]


ROUTE = "_route"  # column of a shortlist: the number of the route that a row was found by


def rank(question: Question, rows: pa.Table, exhausted: Bool[np.ndarray, " route"] | None = None) -> Candidates:
    """Score the rows of a shortlist by probability and sort them.

    Args:
        rows: with `ROUTE`.
        exhausted: routes that have found everybody they can.
    """
    if not len(rows):
        none = np.zeros(0)
        return Candidates(none.astype(int), none.astype(int), none.astype(int), none, none, none > 0, 0.0,
                          np.zeros((len(question.routes), len(question.mirrored), 0)), none)
    by_route = question.probabilities(rows)
    scores = fused(by_route)
    score, mirrored = scores.max(axis=0), question.mirrored[scores.argmax(axis=0)]
    tail = _tail(by_route.max(axis=1), rows, exhausted)
    id, track, time = np.asarray(rows["id"]), np.asarray(rows["track"]), np.asarray(rows["time"], np.float64)
    first_look = question.moment is None and question.pairs is None
    least = question.min_score if first_look else 0.0  # a moment, or a pair, may be likelier than embeddings alone
    keep = (score >= least) & ~np.isin(medium_of(id), question.hidden)
    if (out := question.excluded) is not None:
        keep &= (id != out.id) & ~((track == out.track) & (np.abs(time - out.time) <= question.distinct))
    if question.copies is not None:
        keep &= ~question.copies.show(medium_of(id), time, question.distinct)
    order = np.lexsort((id, -score))
    order = order[keep[order]]
    order = order[np.sort(np.unique(id[order], return_index=True)[1])]  # found by both queries: once
    row = np.asarray(rows["_rowid"])
    return Candidates(id, row, track, time, score, mirrored, tail, by_route, np.zeros(len(id)))[order]


def _tail(best: Float[np.ndarray, "route n"], rows: pa.Table, exhausted: Bool[np.ndarray, " route"] | None) -> float:
    """See `Candidates.tail`; a route that found everybody says nothing about others."""
    distance, route, tails = np.asarray(rows["_distance"]), np.asarray(rows[ROUTE]), []
    for r in range(len(best)):
        own = route == r
        if own.any() and (exhausted is None or not exhausted[r]):
            tails.append(best[r, own][distance[own] >= np.quantile(distance[own], 0.75)].max())
    return float(fused(np.array(tails, np.float32)[:, None])[0]) if tails else 0.0


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
                           bool(c.mirrored[i]), float(c.moment[i])))
        if len(found) == k:
            break
    return found
