"""Search: a shortlist by vectors from the store, ranked by the matching probability.

The shortlist is ordered by E r², the expected squared distance between two embeddings, which the store can compute
(see `schema.PEOPLE`); the probability also depends on the spread of r. So the shortlist is several times longer than
what is asked for, and grows until k distinct people are found and its tail holds nothing likelier than the last of
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int

from samepose.errors import StoreError, UsageError
from samepose.index.schema import (
    embeddings_of,
    in_medium,
    medium_of,
    parse_id,
    poses_of,
    shown_id,
)
from samepose.poses import Poses
from samepose.skeleton import SKELETONS

if TYPE_CHECKING:
    from samepose.embeddings import Embeddings
    from samepose.index.store import Index

Mirror = Literal["off", "also", "only"]
_SHORTLIST = 200  # at least; and 20 for each hit asked for
_GROWTH = 4
_PROBES = 20  # partitions searched for the first shortlist
_FLAT_ROWS = 50_000  # a filter that leaves fewer is searched without the vector index
_BROAD = 0.05  # a filter that leaves a larger part is applied to the shortlist instead of in the store
_RETRIES = 3
_COLUMNS = ["id", "track", "time", "embedding", "variance"]


@dataclass(frozen=True, eq=False)
class Hit:
    """One person found.

    Attributes:
        id: names the person in `search` and `remove`.
        score: matching probability, 0..1.
        path: as stored, see `Index.file`.
        time: seconds, None in an image. span: (from, to) of the near-identical neighbours folded into this hit.
        frame: number in the clip, 0 in an image.
        person: track in a video, rank of prominence in an image.
        box: x0, y0, x1, y1 in pixels, None where unknown.
        mirrored: the mirrored query matched better.
        pose: the person's keypoints, one pose.
    """

    id: str
    score: float
    path: str
    time: float | None
    span: tuple[float, float] | None
    frame: int
    person: int
    box: tuple[float, float, float, float] | None
    mirrored: bool
    label: str | None
    pose: Poses


def search(
    index: Index,
    query: Embeddings,
    *,
    k: int = 10,
    mirror: Mirror = "off",
    where: str | None = None,
    label: str | None = None,
    time_from: float | None = None,
    time_to: float | None = None,
    distinct: float | None = 0.5,
    min_score: float | None = None,
    exclude_id: str | None = None,
) -> list[Hit]:
    """The likeliest matches of a pose, best first.

    Args:
        index: opened with the embedder.
        query: one embedding; two with `mirror`: of the pose, and of the mirrored pose.
        k: hits wanted; fewer come when no more match.
        mirror: "also" takes the better of both for each person, "only" searches the mirrored pose.
        where: pattern of paths, see `Index.select_media`.
        label: only people of this label.
        time_from, time_to: seconds in the clip, inclusive; leaves out images.
        distinct: people of one track within so many seconds of a better hit are folded into it; None or 0: not.
        min_score: leave out what matches with a lower probability.
        exclude_id: a person to leave out with what would be folded into it: "more like this".

    Raises:
        UsageError: an argument is out of range.
        StoreError: the index cannot be read.
    """
    queries = _queries(index, query, k, mirror)
    excluded = None if exclude_id is None else _Excluded.of(index, exclude_id)
    hidden = np.zeros(0, np.int64)
    for _ in range(_RETRIES):
        narrow = _Filter.of(index, where, label, time_from, time_to)
        if narrow.rows == 0:
            return []
        found = _Search(index, queries, mirror == "only", narrow, k, distinct or 0.0, min_score or 0.0, excluded,
                        hidden).run()
        try:
            return _hits(index, found)
        except _Unfinished:
            hidden = _unfinished_media(index)
        except _Moved:
            continue
    raise StoreError(f"{index.uri}: the index is being rewritten; search again in a moment")


class _Unfinished(Exception):
    """A person's medium has no row: its writer is at work, or was killed."""


class _Moved(Exception):
    """Rows changed their address between shortlist and reading: files were merged meanwhile."""


def _queries(index: Index, query: Embeddings, k: int, mirror: Mirror) -> Embeddings:
    if index.matching is None:
        raise UsageError("open the index with an embedder to search it")
    if k < 1:
        raise UsageError(f"k is {k}; expected 1 or more")
    if mirror not in ("off", "also", "only"):
        raise UsageError(f"mirror is {mirror!r}; expected off, also or only")
    if len(query) not in ((1, 2) if mirror == "off" else (2,)):
        raise UsageError(f"{len(query)} query embeddings; expected one, with `mirror` also that of the mirrored pose")
    return {"off": query[:1], "also": query, "only": query[1:]}[mirror]


@dataclass(frozen=True)
class _Excluded:
    """A person to leave out, with its neighbours in the same track."""

    id: int
    track: int
    time: float

    @classmethod
    def of(cls, index: Index, shown: str) -> _Excluded:
        person = index.row(shown)
        medium, number = parse_id(shown) or (0, None)
        assert number is not None  # index.row found it
        track = int(in_medium(medium, np.array([person.person]))[0])
        return cls(number, track, np.nan if person.time is None else person.time)


@dataclass(frozen=True, eq=False)
class _Candidates:
    """People of a shortlist, each once, best first."""

    id: Int[np.ndarray, " n"]
    row: Int[np.ndarray, " n"]  # LanceDB's address of the row
    track: Int[np.ndarray, " n"]
    time: Float[np.ndarray, " n"]
    score: Float[np.ndarray, " n"]
    mirrored: Bool[np.ndarray, " n"]

    def __getitem__(self, key: Any) -> _Candidates:
        return _Candidates(self.id[key], self.row[key], self.track[key], self.time[key], self.score[key],
                           self.mirrored[key])


@dataclass(frozen=True)
class _Filter:
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
    ) -> _Filter:
        terms, media, rows, part = [], None, None, 1.0
        if where is not None:
            media, rows = index.select_media([where])
            part = rows / max(index.people.count_rows(), 1)
            terms.append(f"media IN ({', '.join(map(str, media.tolist()))})")
        if label is not None:
            quoted = label.replace("'", "''")
            terms.append(f"label = '{quoted}'")
        times = None
        if time_from is not None or time_to is not None:
            times = (-np.inf if time_from is None else time_from, np.inf if time_to is None else time_to)
            terms += [f"time >= {times[0]!r}"] * (time_from is not None) + [f"time <= {times[1]!r}"] * (
                time_to is not None)
        return cls(" AND ".join(terms) or None, media, label, times, rows, part)

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
class _Found:
    """One hit before its row is read."""

    id: int
    row: int
    track: int
    score: float
    time: float
    span: tuple[float, float]
    mirrored: bool


@dataclass
class _Search:
    """One search over one state of the index; see `search` for the arguments."""

    index: Index
    queries: Embeddings
    only_mirrored: bool
    narrow: _Filter
    k: int
    distinct: float
    min_score: float
    excluded: _Excluded | None
    hidden: Int[np.ndarray, " n"]

    def run(self) -> list[_Found]:
        """Shortlists, each longer than the last, until the best k are certain enough or there is no more."""
        total, limit, probes = self.index.people.count_rows(), max(_SHORTLIST, 20 * self.k), _PROBES
        in_store = self._filter_in_store()
        if self.narrow.sql and not in_store:
            limit = round(limit / max(self.narrow.part, _BROAD))
            probes = round(probes / max(self.narrow.part, _BROAD))
        while True:
            shortlist = self._shortlist(min(limit, total), 0 if in_store else probes, in_store)
            candidates, tail_best = self._rank(shortlist)
            found = self._fold(candidates)
            exhausted = len(shortlist) < limit * len(self.queries)
            if exhausted and (in_store or probes == 0 or limit >= total):
                return found
            worst = found[-1].score if len(found) == self.k else self.min_score
            if not exhausted and tail_best <= worst and (len(found) == self.k or self.min_score > 0):
                return found
            if self.narrow.sql and not in_store and len(candidates.id) < _SHORTLIST:
                in_store = True
                limit = max(_SHORTLIST, 20 * self.k)
            elif exhausted:
                probes = 0
            else:
                limit, probes = limit * _GROWTH, probes * _GROWTH

    def _filter_in_store(self) -> bool:
        """True when so few people pass the filter that the store had better apply it."""
        few = self.narrow.rows is not None and (self.narrow.rows <= _FLAT_ROWS or self.narrow.part < _BROAD)
        return self.narrow.sql is not None and few

    def _shortlist(self, limit: int, probes: int, in_store: bool) -> pa.Table:
        """Nearest people of each query by E r²; `probes` 0: in all partitions."""
        from samepose.index.store import store_errors

        vectors = np.hstack([self.queries.mean, np.zeros((len(self.queries), 1))]).astype(np.float32)
        columns = [*_COLUMNS, "_distance", *(["label"] if self.narrow.label is not None and not in_store else [])]
        with store_errors(self.index.uri):
            query = self.index.people.search(vectors if len(vectors) > 1 else vectors[0],
                                             vector_column_name="embedding")
            query = query.distance_type("l2").limit(limit).select(columns).with_row_id(True)
            query = query.nprobes(probes) if probes else query.minimum_nprobes(_PROBES).maximum_nprobes(0)
            if in_store:
                query = query.where(self.narrow.sql, prefilter=True)
                rows = self.narrow.rows
                if rows is None or rows > _FLAT_ROWS:
                    rows = self.index.people.count_rows(self.narrow.sql)
                if rows <= _FLAT_ROWS:
                    query = query.bypass_vector_index()
            return query.to_arrow()

    def _rank(self, shortlist: pa.Table) -> tuple[_Candidates, float]:
        """Candidates that pass, and the best score in the last quarter of the shortlist."""
        if not len(shortlist):
            none = np.zeros(0)
            return _Candidates(none.astype(int), none.astype(int), none.astype(int), none, none, none > 0), 0.0
        rows = shortlist if self.narrow.sql is None else shortlist.filter(self.narrow.keep(shortlist)) \
            if "label" in shortlist.column_names or self.narrow.label is None else shortlist
        if not len(rows):
            return self._rank(shortlist.slice(0, 0))[0], 0.0
        matching = self.index.matching
        assert matching is not None  # _queries checked
        scores = matching.probability(self.queries, embeddings_of(rows))
        best = scores.max(axis=0)
        distance = np.asarray(rows["_distance"])
        tail = best[distance >= np.quantile(distance, 0.75)]
        id, track = np.asarray(rows["id"]), np.asarray(rows["track"])
        time = np.asarray(rows["time"], np.float64)
        mirrored = np.full(len(id), True) if self.only_mirrored else scores.argmax(axis=0) == 1
        keep = (best >= self.min_score) & ~np.isin(medium_of(id), self.hidden)
        if self.excluded is not None:
            near = (track == self.excluded.track) & (np.abs(time - self.excluded.time) <= self.distinct)
            keep &= (id != self.excluded.id) & ~near
        order = np.lexsort((id, -best))
        order = order[keep[order]]
        order = order[np.sort(np.unique(id[order], return_index=True)[1])]  # found by both queries: once
        return _Candidates(id[order], np.asarray(rows["_rowid"])[order], track[order], time[order], best[order],
                           mirrored[order]), float(tail.max())

    def _fold(self, c: _Candidates) -> list[_Found]:
        """The best k, each with the neighbours in its track that lie within `distinct` seconds."""
        found: list[_Found] = []
        free = np.ones(len(c.id), bool)
        for i in range(len(c.id)):
            if not free[i]:
                continue
            near = np.array([i])
            if self.distinct > 0 and not np.isnan(c.time[i]):
                near = np.flatnonzero(free & (c.track == c.track[i]) & (np.abs(c.time - c.time[i]) <= self.distinct))
            free[near] = False
            span = (float(c.time[near].min()), float(c.time[near].max()))
            found.append(_Found(int(c.id[i]), int(c.row[i]), int(c.track[i]), float(c.score[i]), float(c.time[i]), span,
                                bool(c.mirrored[i])))
            if len(found) == self.k:
                break
        return found


def _hits(index: Index, found: list[_Found]) -> list[Hit]:
    """The full rows of what was found, in that order."""
    from samepose.index.store import store_errors

    if not found:
        return []
    media = index.catalogue().find({medium_of(f.id) for f in found})
    if any(medium_of(f.id) not in media for f in found):
        raise _Unfinished
    columns = ["id", "frame", "score", "box", "keypoints", "label"]
    with store_errors(index.uri):
        rows = index.people.take_row_ids([f.row for f in found]).select(columns).to_arrow()
    at = {id: i for i, id in enumerate(rows["id"].to_pylist())}
    if any(f.id not in at for f in found):
        raise _Moved
    return [_hit(f, *media[medium_of(f.id)], rows.slice(at[f.id], 1)) for f in found]


def _hit(found: _Found, path: str, skeleton: str, row: pa.Table) -> Hit:
    row = row.append_column("time", pa.array([found.time])).append_column("track", pa.array([found.track]))
    pose = poses_of(row, SKELETONS[skeleton])
    box = row["box"][0].as_py()
    timeless = np.isnan(found.time)
    return Hit(
        shown_id(found.id), found.score, path, None if timeless else found.time, None if timeless else found.span,
        int(pose.frames[0]), int(pose.tracks[0]), None if box is None else tuple(box), found.mirrored,
        row["label"][0].as_py(), pose,
    )


def _unfinished_media(index: Index) -> Int[np.ndarray, " n"]:
    """Media that have people but no row."""
    from samepose.index.upkeep import people_per_medium

    known = index.catalogue().ids.tolist()
    return np.array(sorted(people_per_medium(index).keys() - known), np.int64)
