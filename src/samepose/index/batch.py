"""Commit: people on their way into the index, embedded and written many at a time, media last."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from samepose.embed.views import embed_any, enough_joints
from samepose.errors import StoreError
from samepose.geometry.frontal import solid
from samepose.index.pixels import Seen
from samepose.index.plan import PART
from samepose.index.schema import Medium, in_medium, number_of, people_batch
from samepose.index.spaces import PIXELS, Space
from samepose.index.upkeep import SMALL_FILES, optimise
from samepose.poses import Poses

if TYPE_CHECKING:
    from samepose.embed import Embedder
    from samepose.index.store import Store

# A commit takes some 10 ms: every few seconds costs nothing, and a killed run loses no more than that of images.
_SECONDS = 5.0
_PEOPLE = 4096
_MEDIA = 4096
_PART = 30.0  # seconds of work on one video that an interruption may cost
_EMBED = 256  # people per call of the embedder


@dataclass(frozen=True)
class _Pending:
    medium: Medium
    start: int
    seen: Seen
    labels: list[str | None] | None


class Batch:
    """Collects people and finished media, writes people first, media after, then deletes the people they replace.

    Killed anywhere in between, the index shows each medium as it was or as it is now; see `upkeep.recover`.
    """

    def __init__(self, store: Store, embedder: Embedder | None) -> None:
        """Begin; the embedder is that of the index's keypoints, None where it has no space of them."""
        self._store, self._embedder = store, embedder
        self._spaces = store.spaces
        self._schema = store.people.schema
        self._pending: list[_Pending] = []
        self._people = 0
        self._counts: dict[int, int] = {}  # people so far of media not finished
        self._finished: dict[str, Medium] = {}
        self._changed: dict[int, Medium] = {}
        self._parts: dict[int, Medium] = {}  # media that are being read, as far as they are
        self._begun: set[int] = set()  # those of them that have a row already
        self._stale: dict[int, Medium] = {}  # whose people go, and who takes their place
        self._before: dict[str, Medium | None] = {}  # by path, the row that one of a finished medium or part replaces
        self._version = store.media_version if store.shared else None  # as long as nobody else writes
        self._withdrawn: set[str] = set()  # paths of media that another writer was first with,
        self.given_way: list[Medium] = []  # and those media
        self._replaces = False
        self._last = time.monotonic()
        self._commits = 0

    def add(self, medium: Medium, seen: Seen, labels: list[str | None] | None = None) -> int:
        """The next people of a medium, labelled as it is where nothing else is given; how many."""
        start, n = self._counts.get(medium.id, 0), len(seen.poses)
        if medium.path in self._withdrawn:
            return n
        self._pending.append(_Pending(medium, start, seen, labels))
        self._counts[medium.id] = start + n
        self._people += n
        if self._people >= _PEOPLE and not self._store.shared:  # there never without the row of their medium
            self._write_people()
        return n

    def part(self, medium: Medium) -> None:
        """So much of a medium was read; what is written of it now and then has a row that says so."""
        if medium.path in self._withdrawn:
            return
        self._parts[medium.id] = replace(medium, status=PART)
        self._before.setdefault(medium.path, None)
        if time.monotonic() - self._last > _PART or self._many:
            self.flush()

    def go_on(self, medium: Medium, number: int, row: Medium | None) -> None:
        """The next people of a medium that has a row as a part are numbered from there."""
        self._before[medium.path] = row
        self._counts[medium.id] = number
        self._begun.add(medium.id)

    def copy(self, source: Medium, target: Medium, replaces: Medium | None) -> None:
        """All people of one medium again as those of another, which is finished by that."""
        self.flush()
        with self._store.turn():
            self._enlist(target, replaces)
            self._give_way()
            if source.people and target.path in self._finished:
                for batch in self._store.batches(_PEOPLE, medium=source.id):
                    self._store.add_people([_moved(batch, target)])
            if self._store.shared:
                self.flush()

    def drop(self, medium: Medium) -> None:
        """Forget the people of a medium that could not be read to its end."""
        self._pending = [p for p in self._pending if p.medium.id != medium.id]
        self._people = sum(len(p.seen.poses) for p in self._pending)
        self._end(medium)
        if self._counts.pop(medium.id, 0):
            self._stale[medium.id] = medium

    def finish(self, medium: Medium, replaces: Medium | None) -> None:
        """All people of the medium were added; `replaces` is the row its path had until now."""
        self._enlist(medium, replaces)
        if len(self._finished) >= _MEDIA or time.monotonic() - self._last > _SECONDS or self._many:
            self.flush()

    def _enlist(self, medium: Medium, replaces: Medium | None) -> None:
        if medium.path in self._withdrawn:
            self.given_way.append(medium)
            return
        self._before.setdefault(medium.path, replaces)
        self._counts.pop(medium.id, None)
        self._end(medium)
        self._finished[medium.path] = medium
        if replaces is not None:
            self._replaces = True
            if replaces.id != medium.id:
                self._stale[replaces.id] = medium
                self._changed.pop(replaces.id, None)

    def change(self, medium: Medium) -> None:
        """Other facts about a medium whose people stay."""
        self._changed[medium.id] = medium
        if len(self._changed) >= _MEDIA:
            self.flush()

    def flush(self) -> None:
        """Write all there is."""
        if self._finished or self._changed or self._parts or self._stale or not self._store.shared:
            with self._store.turn():
                self._give_way()
                self._write_all()
        self._last = time.monotonic()

    def _write_all(self) -> None:
        self._write_people()
        self._store.put_media(list(self._finished.values()), key="path" if self._replaces else "")
        self._store.put_media(list(self._changed.values()), key="id")
        self._store.put_media(list(self._parts.values()), key="path")
        self._begun |= self._parts.keys()
        self._store.drop_people_of(self._stale)
        self._before = {p: m for p, m in self._before.items() if p not in self._finished}
        self._before |= {m.path: m for m in self._parts.values()}
        self._finished, self._changed, self._stale, self._replaces = {}, {}, {}, False
        self._version = self._version and self._store.media_version

    @property
    def _many(self) -> bool:
        """People who wait for the rows of their media."""
        return self._store.shared and self._people >= _PEOPLE

    def _give_way(self) -> None:
        """Drop media whose rows another writer of a shared index has written or changed since they were looked at."""
        if not self._store.shared or self._version == self._store.media_version:
            return
        self._version = None  # from now on there may be rows that were not there when files were looked at
        if self._store.spaces != self._spaces:
            raise StoreError(f"{self._store.uri}: another writer has changed what people are found by; do this again")
        mine = [*self._finished.values(), *self._parts.values()]
        now = self._store.media_at([*mine, *self._changed.values()])
        by_path, by_id = {m.path: m for m in now}, {m.id: m for m in now}
        for medium in mine:
            taken = by_id.get(medium.id, medium).path != medium.path  # its id, by another file: the next run reads it
            if taken or _row(by_path.get(medium.path)) != _row(self._before.get(medium.path)):
                self._withdraw(medium)
        self._changed = {id: m for id, m in self._changed.items() if id in by_id}

    def _withdraw(self, medium: Medium) -> None:
        self.given_way += [medium] * (medium.path in self._finished)
        self._withdrawn.add(medium.path)
        self._pending = [p for p in self._pending if p.medium.id != medium.id]
        self._people = sum(len(p.seen.poses) for p in self._pending)
        self._finished.pop(medium.path, None)
        self._parts.pop(medium.id, None)
        self._stale = {id: m for id, m in self._stale.items() if m.path != medium.path}

    @contextmanager
    def kept_on_error(self) -> Iterator[None]:
        """When what runs inside is interrupted, write the media that were finished, and parts."""
        try:
            yield
        except StoreError:
            raise
        except BaseException:
            self._pending = [p for p in self._pending if p.medium.id not in self._counts.keys() - self._parts.keys()]
            self.flush()
            raise

    def _end(self, medium: Medium) -> None:
        """It is no part any more."""
        self._parts.pop(medium.id, None)
        if medium.id in self._begun:
            self._begun.remove(medium.id)
            self._replaces = True

    def _write_people(self) -> None:
        rows = {m.id for m in self._finished.values()} | self._parts.keys()
        ready = [p for p in self._pending if p.medium.id in rows] if self._store.shared else self._pending
        batches = []
        for _, group in groupby(ready, key=lambda p: (p.seen.poses.skeleton.name, p.seen.depth is None)):
            batches += self._rows(list(group))
        self._store.add_people(batches)
        self._pending = [p for p in self._pending if p.medium.id not in rows] if self._store.shared else []
        self._people = sum(len(p.seen.poses) for p in self._pending)
        self._commits += bool(batches)
        if self._commits >= SMALL_FILES:
            optimise(self._store, self._store.people)
            optimise(self._store, self._store.media)
            self._commits = 0

    def _rows(self, group: list[_Pending]) -> list[pa.RecordBatch]:
        seen = Seen.concatenate([p.seen for p in group])
        vectors = self._vectors(seen)
        rows, at = [], 0
        for _, run in groupby(group, key=lambda p: p.medium.id):
            same = list(run)
            first, n = same[0], sum(len(p.seen.poses) for p in same)
            own = {name: column.slice(at, n) for name, column in vectors.items()}
            labels = [label for p in same for label in p.labels or [p.medium.label] * len(p.seen.poses)]
            depth = None if seen.depth is None else seen.depth[at : at + n]
            rows.append(people_batch(first.medium, first.start, seen.poses[at : at + n], self._schema, own, labels,
                                     depth))
            at += n
        return rows

    def _vectors(self, seen: Seen) -> dict[str, pa.Array]:
        """The columns of all spaces; those that nobody can be embedded in are left out, and so null."""
        columns: dict[str, pa.Array] = {}
        for space in self._spaces:
            if space.name == PIXELS:
                columns |= {} if seen.pixels is None else space.of_points(seen.pixels)
            elif self._embedder is not None:
                bodies = None if seen.depth is None else solid(seen.poses, seen.depth)
                columns |= embedded(seen.poses if bodies is None else bodies, self._embedder, space)
        return columns


def _row(medium: Medium | None) -> tuple[int, str, int] | None:
    """What two writers of a row would write differently."""
    return None if medium is None else (medium.id, medium.status, medium.people)


def embedded(poses: Poses, embedder: Embedder, space: Space) -> dict[str, pa.Array]:
    """The columns of a space for people, in 2D or 3D, null for those with too few joints."""
    from samepose.matching.embeddings import Embeddings

    searchable = enough_joints(poses, embedder)
    chosen = poses[searchable]
    parts = [embed_any(chosen[i : i + _EMBED], embedder) for i in range(0, len(chosen), _EMBED)]
    none = np.zeros((0, space.dimensions), np.float32)
    return space.vectors(Embeddings.concatenate(parts) if parts else Embeddings(none, none), searchable)


def _moved(batch: pa.RecordBatch, target: Medium) -> Any:
    """People rows with the ids and label of another medium."""
    new = {
        "id": pa.array(in_medium(target.id, np.array([number_of(i) for i in batch["id"].to_pylist()]))),
        "media": pa.array(np.full(len(batch), target.id)),
        "track": pa.array(in_medium(target.id, np.array([number_of(i) for i in batch["track"].to_pylist()]))),
        "label": pa.array([target.label] * len(batch), pa.string()),
    }
    return pa.RecordBatch.from_arrays([new.get(n, batch[n]) for n in batch.schema.names], schema=batch.schema)
