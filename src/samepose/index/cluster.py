"""Cluster: the poses of an index in groups, each with its most typical member."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int

from samepose.errors import StoreError, UsageError
from samepose.files import refuse_inputs, written
from samepose.index.grouping import Likeness, grouped, sightings
from samepose.index.hits import Hit
from samepose.index.ranking import Found
from samepose.index.rows import Rows
from samepose.index.schema import medium_of, person_id, shown_id
from samepose.index.search import read_hits
from samepose.index.spaces import Embedding, Space, spaces_meant

if TYPE_CHECKING:
    from samepose.index.store import Store
    from samepose.matching.embeddings import Matching

LEAST = 0.25  # of the matching probability with the centre: "perhaps", see `in_words`
MIN_SIZE = 3
DISTINCT = 0.5  # seconds of a track that are one sighting, as in a search
_ROWS = 1 << 14  # people read at a time


@dataclass(frozen=True)
class Group:
    """People in one pose.

    Attributes:
        id: from 1, the group with the most sightings first.
        medoid: id of the most typical member: the least mean distance -log P to the other sightings.
        members: ids of all, the medoid first, then by matching probability with it; frames of a video each by itself.
        scores: that probability of each member.
        sightings: members without near-duplicates in the same track; `min_size` is held against these.
    """

    id: int
    medoid: str
    members: tuple[str, ...]
    scores: tuple[float, ...]
    sightings: int

    @property
    def size(self) -> int:
        """Members."""
        return len(self.members)


class Groups(Sequence[Group]):
    """The groups of an index: a sequence of `Group`, the largest first.

    Attributes:
        noise: ids of the people in no group.
        not_embedded: people who cannot be compared, as too little is seen of them; in no group and no noise.
        labelled: people who were given a label.
    """

    def __init__(
        self, groups: Sequence[Group], noise: Sequence[str], not_embedded: int, root: Path,
        hits: Callable[[Sequence[str], Sequence[float]], list[Hit]],
    ) -> None:
        self._groups, self.noise, self.not_embedded, self.root = tuple(groups), tuple(noise), not_embedded, root
        self._hits, self.labelled = hits, 0

    def __len__(self) -> int:
        return len(self._groups)

    @overload
    def __getitem__(self, key: int) -> Group: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[Group]: ...
    def __getitem__(self, key: int | slice) -> Group | Sequence[Group]:
        """One group, or those of a slice."""
        return self._groups[key]

    def __iter__(self) -> Iterator[Group]:
        return iter(self._groups)

    def __repr__(self) -> str:
        return f"<Groups: {len(self)}, {len(self.noise)} people in none>"

    def to_json(self) -> dict[str, Any]:
        """`{"groups": [{"id", "size", "medoid", "members"}, …], "noise": people in no group, …}`, for programs."""
        groups = [{"id": g.id, "size": g.size, "sightings": g.sightings, "medoid": g.medoid, "members": list(g.members)}
                  for g in self]
        return {"groups": groups, "noise": len(self.noise), "not_embedded": self.not_embedded}

    def people(self, ids: Sequence[str], scores: Sequence[float]) -> list[Hit]:
        """People by id, with these scores; those who are not in the index any more are left out."""
        return self._hits(ids, scores)

    def write(self, path: str | os.PathLike[str], *, title: str = "Groups of one pose") -> None:
        """Write a page (.html) with pictures of the largest groups, the medoid first, or all groups as .json.

        Raises:
            UsageError: another suffix, or a file of the people shown.
            SameposeError: the file cannot be written.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in (".html", ".json"):
            raise UsageError(f"{path}: groups are written as *.html or *.json; choose one of them")
        if suffix == ".json":
            text = json.dumps(self.to_json(), allow_nan=False) + "\n"
        else:
            from samepose.report.groups import groups_page, shown_people

            shown = shown_people(self)
            refuse_inputs([Path(path)], [hit.file for row in shown for hit in row.people])
            text = groups_page(self, shown, title)
        with written(path) as part:
            part.write_text(text, encoding="utf-8")


def spaces_of(store: Store, by: Embedding) -> list[Space]:
    """The spaces to compare by.

    Raises:
        UsageError: no such choice.
        StoreError: the index has no such space.
    """
    there = {space.name: space for space in store.spaces}
    names = spaces_meant(by)
    for name in names:
        if name not in there:
            raise StoreError(f"{store.uri}: has no embeddings of {name}, only of {', '.join(there)}; add them with "
                             "`Index.re_embed(embedding='both')`")
    return [there[name] for name in names]


def cluster(store: Store, spaces: Sequence[tuple[Space, Matching]], min_size: int) -> Groups:
    """See `Index.cluster`."""
    if min_size < 2:
        raise UsageError(f"`min_size` is {min_size}; a group has 2 people at least")
    rows, embedded = _people(store, [space for space, _ in spaces])
    _check_enough(store, int(embedded.sum()), min_size)
    some = rows.filter(pa.array(embedded))
    id, track = (np.asarray(some[name]) for name in ("id", "track"))
    likeness = Likeness(tuple((matching, space.embeddings(some)) for space, matching in spaces))
    own = sightings(track, np.asarray(some["time"], np.float64), likeness, DISTINCT, LEAST)
    seen = np.flatnonzero(own == np.arange(len(own)))
    _check_enough(store, len(seen), min_size)
    found = grouped(likeness[seen], min_size, LEAST)
    group = np.full(len(id), -1)
    group[seen] = found.group
    group, medoids = group[own], seen[found.medoids]
    score = np.full(len(id), -1.0)
    inside = np.flatnonzero(group >= 0)
    score[inside] = likeness[inside].probability_rows(likeness[medoids[group[inside]]])
    group[(own != np.arange(len(own))) & (score < LEAST)] = -1  # beside a member, but in another pose
    sizes = np.bincount(found.group[found.group >= 0], minlength=len(medoids))
    return Groups(_groups(id, group, score, medoids, sizes), [shown_id(i) for i in id[group < 0].tolist()],
                  int((~embedded).sum()), store.root, lambda ids, scores: people_by_id(store, ids, scores))


def label_groups(store: Store, groups: Groups, prefix: str) -> int:
    """Label the members of each group "PREFIX-1", "PREFIX-2", …; the number of people.

    Such labels of an earlier grouping are taken off first: who is in no group now would keep one that is not true.
    """
    with store.writing():
        store.unlabel_numbered(prefix)
        return sum(store.label_people([person_id(i)[1] for i in group.members], f"{prefix}-{group.id}")
                   for group in groups)


def people_by_id(store: Store, ids: Sequence[str], scores: Sequence[float]) -> list[Hit]:
    """The rows of people as hits, in this order; who is gone is left out."""
    wanted = [person_id(id)[1] for id in ids]
    rows = store.people_by_id(wanted, ["id", "track", "time"])
    columns = (rows[name].to_pylist() for name in ("id", "_rowid", "track", "time"))
    at = {id: (row, track, np.nan if time is None else time) for id, row, track, time in zip(*columns)}
    return read_hits(store, [Found(id, at[id][0], at[id][1], score, at[id][2], (at[id][2],) * 2, False)
                             for id, score in zip(wanted, scores) if id in at], Rows(store))


def _check_enough(store: Store, there: int, min_size: int) -> None:
    if there < min_size:
        raise StoreError(f"{store.uri}: {there} different sightings of people to group, fewer than the {min_size} "
                         "of the smallest group; add media, or give a smaller `min_size`")


def _people(store: Store, spaces: Sequence[Space]) -> tuple[pa.Table, Bool[np.ndarray, " n"]]:
    """All people of finished media by id: what grouping needs of them, and who has an embedding in every space."""
    columns = ["id", "track", "time", *(name for space in spaces for name in space.columns)]
    batches = list(store.batches(_ROWS, columns))
    if not batches:
        return pa.table({name: pa.array([], pa.int64()) for name in columns}), np.zeros(0, bool)
    rows = pa.Table.from_batches(batches).sort_by("id")
    rows = rows.filter(pa.array(np.isin(medium_of(np.asarray(rows["id"])), store.catalogue().ids)))
    return rows, np.logical_and.reduce([np.asarray(rows[space.rank].is_valid()) for space in spaces])


def _groups(
    id: Int[np.ndarray, " n"], group: Int[np.ndarray, " n"], score: Float[np.ndarray, " n"],
    medoids: Int[np.ndarray, " group"], sizes: Int[np.ndarray, " group"],
) -> list[Group]:
    first = np.ones(len(id), bool)
    first[medoids] = False
    order = np.lexsort((id, -score, first, group))
    members = np.split(order, np.searchsorted(group[order], np.arange(len(medoids))))[1:]
    return [Group(n, shown_id(int(id[medoid])), tuple(shown_id(i) for i in id[own].tolist()),
                  tuple(score[own].tolist()), int(size))
            for n, (medoid, own, size) in enumerate(zip(medoids, members, sizes), 1)]
