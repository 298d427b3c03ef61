"""The best k people for a query, before their rows are read: shortlists from the store, ranked and folded.

A shortlist is ordered by E r², the expected squared distance between two embeddings, which the store can compute (see
`schema.PEOPLE`); the probability also depends on the spread of r. So the shortlist is several times longer than what
is asked for, and grows until k distinct people are found and its tail holds nobody likelier than the last of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int, Integer

from samepose.index.place import store_errors
from samepose.index.schema import embeddings_of, in_medium, medium_of, parse_id

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.index.store import Index
    from samepose.matching.embeddings import Embeddings

# Measured with a million people and 1,000 partitions: 50 probes and 200 rows hold all of the true best ten; 20 probes
# 99.2 % of them and save 0.2 ms of 4.
_SHORTLIST = 200  # at least; and 20 for each hit asked for
_PROBES = 50
_GROWTH = 4
# A filter is applied to a longer shortlist when a larger part than this passes, in the store otherwise; there without
# the vector index where few rows in few runs are left to read.
_BROAD = 0.05
_FEW_ROWS, _FEW_MEDIA = 50_000, 1000


@dataclass(frozen=True)
class Filter:
    """What people must fulfil, as SQL for the store and as a test of shortlists.

    Attributes:
        sql: None when every person will do.
        media: sorted ids, None for all.
        rows: people in `media`, None for all.
        part: their part of all people.
    """

    sql: str | None
    media: Int[np.ndarray, " n"] | None
    label: str | None
    times: tuple[float, float] | None
    rows: int | None
    part: float

    @classmethod
    def of(
        cls, index: Index, where: str | None, label: str | None, time_from: float | None, time_to: float | None
    ) -> Filter:
        """From the arguments of a search."""
        terms, media, rows, part, times = [], None, None, 1.0, None
        if where is not None:
            media, rows = index.select_media([where])
            part = rows / max(index.people.count_rows(), 1)
            terms.append(f"media IN ({', '.join(map(str, media.tolist()))})")
        if label is not None:
            quoted = label.replace("'", "''")
            terms.append(f"label = '{quoted}'")
        if time_from is not None or time_to is not None:
            times = (-np.inf if time_from is None else float(time_from), np.inf if time_to is None else float(time_to))
            terms += [f"time >= {times[0]!r}"] * (time_from is not None)
            terms += [f"time <= {times[1]!r}"] * (time_to is not None)
        return cls(" AND ".join(terms) or None, media, label, times, rows, part)

    @property
    def narrow(self) -> bool:
        """True when so few people are known to pass that the store had better apply it."""
        return self.rows is not None and (self.rows <= _FEW_ROWS or self.part < _BROAD)

    @property
    def scan(self) -> bool:
        """True when reading all that pass is faster than asking the vector index."""
        return self.media is not None and (self.rows or 0) <= _FEW_ROWS and len(self.media) <= _FEW_MEDIA

    @property
    def columns(self) -> list[str]:
        """What `keep` needs."""
        return [] if self.label is None else ["label"]

    def keep(self, rows: pa.Table) -> Bool[np.ndarray, " n"]:
        """Which rows of an unfiltered shortlist pass."""
        keep = np.ones(len(rows), bool)
        if self.media is not None:
            keep &= np.isin(medium_of(np.asarray(rows["id"])), self.media)
        if self.times is not None:
            time = np.asarray(rows["time"], np.float64)
            keep &= (time >= self.times[0]) & (time <= self.times[1])
        if self.label is not None:
            keep &= np.array([v == self.label for v in rows["label"].to_pylist()], bool)
        return keep


@dataclass(frozen=True)
class Excluded:
    """A person to leave out, with its neighbours in the same track."""

    id: int
    track: int
    time: float

    @classmethod
    def of(cls, index: Index, shown: str) -> Excluded:
        """From a shown id; StoreError when there is no such person."""
        person = index.row(shown)
        medium, number = parse_id(shown) or (0, None)
        assert number is not None  # index.row found it
        track = int(in_medium(medium, np.array([person.person]))[0])
        return cls(number, track, np.nan if person.time is None else person.time)


@dataclass(frozen=True)
class Found:
    """One hit before its row is read; `row` is LanceDB's address of it, `span` the times folded into it."""

    id: int
    row: int
    track: int
    score: float
    time: float
    span: tuple[float, float]
    mirrored: bool


@dataclass(frozen=True, eq=False)
class _Candidates:
    """People of a shortlist that pass, each once, best first; `tail`: the best score in its last quarter."""

    id: Int[np.ndarray, " n"]
    row: Integer[np.ndarray, " n"]
    track: Int[np.ndarray, " n"]
    time: Float[np.ndarray, " n"]
    score: Float[np.ndarray, " n"]
    mirrored: Bool[np.ndarray, " n"]
    tail: float


@dataclass(frozen=True, eq=False)
class Ranking:
    """One search over one state of the index.

    Attributes:
        queries: the embeddings to rank by, each person by its best.
        mirrored: Bool per query, is it of the mirrored pose.
        filter, k, distinct, min_score, excluded: see `search`.
        hidden: media to pass over.
    """

    index: Index
    queries: Embeddings
    mirrored: Bool[np.ndarray, " q"]
    filter: Filter
    k: int
    distinct: float
    min_score: float
    excluded: Excluded | None
    hidden: Int[np.ndarray, " n"]

    def best(self) -> list[Found]:
        """Shortlists, each longer than the last, until the best k are certain enough or there is no more."""
        first = max(_SHORTLIST, 20 * self.k)
        in_store = self.filter.narrow
        widen = 1.0 if in_store else 1 / max(self.filter.part, _BROAD)
        limit, probes = round(first * widen), 0 if in_store else round(_PROBES * widen)
        while True:
            shortlist = self._shortlist(limit, probes, in_store)
            candidates = self._rank(shortlist, in_store)
            found = self._fold(candidates)
            short = len(shortlist) < limit * len(self.queries)
            if short and (probes == 0 or limit >= self.index.people.count_rows()):
                return found
            enough = len(found) == self.k or self.min_score > 0
            worst = found[-1].score if len(found) == self.k else self.min_score
            if enough and not short and candidates.tail <= worst:
                return found
            if self.filter.sql and not in_store and len(candidates.id) < _BROAD * len(shortlist):
                in_store, limit, probes = True, first, 0
            elif short:
                probes = 0
            else:
                limit, probes = limit * _GROWTH, probes * _GROWTH

    def _shortlist(self, limit: int, probes: int, in_store: bool) -> pa.Table:
        """Nearest people of each query by E r²; `probes` 0: in all partitions."""
        vectors = np.hstack([self.queries.mean, np.zeros((len(self.queries), 1))]).astype(np.float32)
        columns = ["id", "track", "time", "embedding", "variance", "_distance", *self.filter.columns]
        with store_errors(self.index.uri):
            query = self.index.people.search(vectors if len(vectors) > 1 else vectors[0],
                                             vector_column_name="embedding")
            query = query.distance_type("l2").limit(limit).select(columns).with_row_id(True)
            query = query.nprobes(probes) if probes else query.minimum_nprobes(_PROBES).maximum_nprobes(0)
            if in_store:
                query = query.where(self.filter.sql, prefilter=True)
                query = query.bypass_vector_index() if self.filter.scan else query
            return query.to_arrow()

    def _rank(self, rows: pa.Table, in_store: bool) -> _Candidates:
        """Score a shortlist and sort those who pass."""
        if self.filter.sql and not in_store and len(rows):
            rows = rows.filter(self.filter.keep(rows))
        if not len(rows):
            none = np.zeros(0)
            return _Candidates(none.astype(int), none.astype(int), none.astype(int), none, none, none > 0, 0.0)
        assert self.index.matching is not None  # search checked
        scores = self.index.matching.probability(self.queries, embeddings_of(rows))
        score, mirrored = scores.max(axis=0), self.mirrored[scores.argmax(axis=0)]
        distance = np.asarray(rows["_distance"])
        tail = float(score[distance >= np.quantile(distance, 0.75)].max())
        id, track, time = np.asarray(rows["id"]), np.asarray(rows["track"]), np.asarray(rows["time"], np.float64)
        keep = (score >= self.min_score) & ~np.isin(medium_of(id), self.hidden)
        if self.excluded is not None:
            near = (track == self.excluded.track) & (np.abs(time - self.excluded.time) <= self.distinct)
            keep &= (id != self.excluded.id) & ~near
        order = np.lexsort((id, -score))
        order = order[keep[order]]
        order = order[np.sort(np.unique(id[order], return_index=True)[1])]  # found by both queries: once
        row = np.asarray(rows["_rowid"])
        return _Candidates(id[order], row[order], track[order], time[order], score[order], mirrored[order], tail)

    def _fold(self, c: _Candidates) -> list[Found]:
        """The best k, each with the neighbours in its track that lie within `distinct` seconds."""
        found: list[Found] = []
        free = np.ones(len(c.id), bool)
        for i in range(len(c.id)):
            if not free[i]:
                continue
            near: Any = [i]
            if self.distinct > 0 and not np.isnan(c.time[i]):
                near = np.flatnonzero(free & (c.track == c.track[i]) & (np.abs(c.time - c.time[i]) <= self.distinct))
            free[near] = False
            span = (float(c.time[near].min()), float(c.time[near].max()))
            found.append(Found(int(c.id[i]), int(c.row[i]), int(c.track[i]), float(c.score[i]), float(c.time[i]), span,
                               bool(c.mirrored[i])))
            if len(found) == self.k:
                break
        return found
