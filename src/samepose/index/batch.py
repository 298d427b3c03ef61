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

from samepose.errors import StoreError
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
        self._stale: list[int] = []
        self._replaces = False
        self._last = time.monotonic()
        self._commits = 0

    def add(self, medium: Medium, seen: Seen, labels: list[str | None] | None = None) -> int:
        """The next people of a medium, labelled as it is where nothing else is given; how many."""
        start, n = self._counts.get(medium.id, 0), len(seen.poses)
        self._pending.append(_Pending(medium, start, seen, labels))
        self._counts[medium.id] = start + n
        self._people += n
        if self._people >= _PEOPLE:
            self._write_people()
        return n

    def part(self, medium: Medium) -> None:
        """So much of a medium was read; what is written of it now and then has a row that says so."""
        self._parts[medium.id] = replace(medium, status=PART)
        if time.monotonic() - self._last > _PART:
            self.flush()

    def go_on(self, medium: Medium, number: int) -> None:
        """The next people of a medium that has a row as a part are numbered from there."""
        self._counts[medium.id] = number
        self._begun.add(medium.id)

    def copy(self, source: Medium, target: Medium) -> None:
        """All people of one medium again as those of another."""
        self.flush()
        if not source.people:
            return
        for batch in self._store.batches(_PEOPLE, medium=source.id):
            self._store.add_people([_moved(batch, target)])

    def drop(self, medium: Medium) -> None:
        """Forget the people of a medium that could not be read to its end."""
        self._pending = [p for p in self._pending if p.medium.id != medium.id]
        self._people = sum(len(p.seen.poses) for p in self._pending)
        self._end(medium)
        if self._counts.pop(medium.id, 0):
            self._stale.append(medium.id)

    def finish(self, medium: Medium, replaces: Medium | None) -> None:
        """All people of the medium were added; `replaces` is the row its path had until now."""
        self._counts.pop(medium.id, None)
        self._end(medium)
        self._finished[medium.path] = medium
        if replaces is not None:
            self._replaces = True
            if replaces.id != medium.id:
                self._stale.append(replaces.id)
                self._changed.pop(replaces.id, None)
        if len(self._finished) >= _MEDIA or time.monotonic() - self._last > _SECONDS:
            self.flush()

    def change(self, medium: Medium) -> None:
        """Other facts about a medium whose people stay."""
        self._changed[medium.id] = medium
        if len(self._changed) >= _MEDIA:
            self.flush()

    def flush(self) -> None:
        """Write all there is."""
        self._write_people()
        self._store.put_media(list(self._finished.values()), key="path" if self._replaces else "")
        self._store.put_media(list(self._changed.values()), key="id")
        self._store.put_media(list(self._parts.values()), key="path")
        self._begun |= self._parts.keys()
        self._store.drop_people_of(self._stale)
        self._finished, self._changed, self._stale, self._replaces = {}, {}, [], False
        self._last = time.monotonic()

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
        batches = []
        for _, group in groupby(self._pending, key=lambda p: p.seen.poses.skeleton.name):
            batches += self._rows(list(group))
        self._store.add_people(batches)
        self._pending, self._people = [], 0
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
            rows.append(people_batch(first.medium, first.start, seen.poses[at : at + n], self._schema, own, labels))
            at += n
        return rows

    def _vectors(self, seen: Seen) -> dict[str, pa.Array]:
        """The columns of all spaces; those that nobody can be embedded in are left out, and so null."""
        columns: dict[str, pa.Array] = {}
        for space in self._spaces:
            if space.name == PIXELS:
                columns |= {} if seen.pixels is None else space.of_points(seen.pixels)
            elif self._embedder is not None:
                columns |= embedded(seen.poses, self._embedder, space)
        return columns


def embedded(poses: Poses, embedder: Embedder, space: Space) -> dict[str, pa.Array]:
    """The columns of a space for people, null for those with too few joints."""
    from samepose.matching.embeddings import Embeddings

    searchable = embedder.searchable(poses)
    chosen = poses[searchable]
    parts = [embedder.embed(chosen[i : i + _EMBED]) for i in range(0, len(chosen), _EMBED)]
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
