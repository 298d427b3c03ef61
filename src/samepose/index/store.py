"""The store: a media table and a people table in LanceDB, in a folder or at any URI it takes.

What a reader sees is decided by the media table alone: a medium's people are written first and its row last, in one
commit, so a medium is there whole or not at all. People whose medium has no row are remains of a killed writer; no
search shows them and the next writer deletes them (`upkeep.recover`).
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from jaxtyping import Int

from samepose.errors import StoreError, UsageError
from samepose.index.catalogue import Catalogue
from samepose.index.lock import write_lock
from samepose.index.place import connect, exists, local_folder, store_errors
from samepose.index.records import Info, Person, person_of
from samepose.index.schema import (
    FORMAT,
    MEDIA,
    PEOPLE,
    Medium,
    embeddings_of,
    media_of,
    media_table,
    parse_id,
    poses_of,
    shown_id,
)
from samepose.poses import Poses
from samepose.skeleton import SKELETONS

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.embed import Embedder
    from samepose.matching.embeddings import Embeddings, Matching

T = TypeVar("T")
_ATTEMPTS = 6


class Index:
    """An opened index. Reading needs no lock; every change is made inside `with index.writing():`."""

    def __init__(self, uri: str, db: Any, matching: Matching | None) -> None:
        self.uri, self._db, self.matching = uri, db, matching
        self.folder = local_folder(uri)
        self._catalogue: tuple[int, Catalogue] | None = None
        with store_errors(uri):
            self.people, self.media = db.open_table("people"), db.open_table("media")
        self._check_format()

    @classmethod
    def open(cls, uri: str | os.PathLike[str], embedder: Embedder | None = None) -> Index:
        """Open an index; cheap, no table is read.

        Args:
            uri: a folder, or an address LanceDB takes (`s3://…`).
            embedder: to search or add with; checked against the one the index was made with.

        Raises:
            StoreError: there is no index, it is damaged or of another version, or made with another model.
        """
        uri = os.fspath(uri)
        if not exists(uri):
            raise StoreError(f"{uri}: no index here; make one with `samepose index MEDIA --index {uri}`")
        index = cls(uri, connect(uri), embedder.matching if embedder else None)
        if embedder:
            index.check_model(embedder)
        return index

    @classmethod
    def create(
        cls, uri: str | os.PathLike[str], embedder: Embedder, root: str | os.PathLike[str] | None = None
    ) -> Index:
        """Open an index to add to, and make it first if there is none.

        Args:
            root: folder that stored paths are relative to, the working directory by default; only used for a new one.

        Raises:
            StoreError: as `open`; or the folder cannot be written.
        """
        uri = os.fspath(uri)
        folder, db = local_folder(uri), connect(uri)
        with store_errors(uri):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            if not exists(uri):
                with write_lock(folder):  # `media` comes last: it marks the index as whole
                    remains = db.list_tables().tables  # of a creation that was killed
                    schema = people_schema(embedder, Path(root or ".").resolve().as_posix())
                    for name, columns in (("people", schema), ("media", MEDIA)):
                        db.create_table(name, schema=columns, mode="overwrite" if name in remains else "create")
        return cls.open(uri, embedder)

    @property
    def metadata(self) -> dict[str, str]:
        """format, model, model_sha256 and root, kept with the people table so that they change in one commit."""
        return {k.decode(): v.decode() for k, v in (self.people.schema.metadata or {}).items()}

    @property
    def root(self) -> Path:
        """The folder that stored paths are relative to."""
        return Path(self.metadata["root"])

    def check_model(self, embedder: Embedder) -> None:
        """StoreError unless the index was made with this embedder."""
        have = self.metadata
        if (have["model"], have["model_sha256"]) != (embedder.name, embedder.sha256):
            raise StoreError(
                f"{self.uri}: made with the model {have['model']} ({have['model_sha256'][:8]}), not {embedder.name} "
                f"({embedder.sha256[:8]}); run `samepose index --re-embed --index {self.uri}`"
            )

    def file(self, path: str) -> Path:
        """Where the file of a stored path should be."""
        return self.root / path

    def all_media(self, where: str | None = None) -> list[Medium]:
        """Rows of the media table, optionally by a filter in SQL."""
        with store_errors(self.uri):
            query = self.media.search()
            return media_of((query.where(where) if where else query).to_arrow())

    def select_media(self, patterns: Sequence[str]) -> tuple[Int[np.ndarray, " n"], int]:
        """Media whose path matches one of the patterns, or whose 9-digit id is given.

        A pattern with a slash is held against the whole path (`*` crosses slashes), one without against the file's
        name; a folder stands for all that lies in it.

        Returns:
            sorted ids of the media, and the number of people in them.
        """
        catalogue = self.catalogue()
        chosen = catalogue.select(patterns, self.root)
        return catalogue.ids[chosen], int(catalogue.people[chosen].sum())

    def catalogue(self) -> Catalogue:
        """Paths of all media, kept while the table does not change."""
        with store_errors(self.uri):
            version = self.media.version
            if self._catalogue is None or self._catalogue[0] != version:
                rows = self.media.search().select(list(Catalogue.COLUMNS)).to_arrow()
                self._catalogue = version, Catalogue.of(rows)
        return self._catalogue[1]

    def row(self, id: str) -> Person:
        """One person by id, e.g. to search by.

        Raises:
            StoreError: there is none of that id.
        """
        parsed = parse_id(id)
        if parsed is None or parsed[1] is None:
            raise UsageError(f"{id!r} is no id of a person; ids look like 0a1b2c3d4-17")
        media = self.all_media(f"id = {parsed[0]}")
        with store_errors(self.uri):
            rows = self.people.search().where(f"id = {parsed[1]}").limit(1).to_arrow()
        if not media or not len(rows):
            raise StoreError(f"{self.uri}: no person {id}; it was removed or its file was indexed anew")
        return person_of(media[0], rows)

    def people_of(self, medium: Medium) -> tuple[list[str], Poses, Embeddings, Any]:
        """All people of a medium with people, by time then track, for sequences.

        Returns:
            ids, poses (n), embeddings of the searchable ones (m), and which those are: Bool (n,).
        """
        if medium.skeleton is None:
            raise UsageError(f"{medium.path}: nobody in it")
        with store_errors(self.uri):
            rows = self.people.search().where(f"media = {medium.id}").to_arrow().sort_by("id")
        searchable = np.asarray(rows["embedding"].is_valid())
        ids = [shown_id(i) for i in rows["id"].to_pylist()]
        return ids, poses_of(rows, SKELETONS[medium.skeleton]), embeddings_of(rows.filter(searchable)), searchable

    def info(self) -> Info:
        """Counts, model and size; reads small columns of both tables."""
        media = self.all_media()
        with store_errors(self.uri):
            people = self.people.count_rows()
            searchable = self.people.count_rows("embedding IS NOT NULL")
            labels = Counter(self.people.search().where("label IS NOT NULL").select(["label"]).to_arrow()["label"]
                             .to_pylist())
        have = self.metadata
        size = None if self.folder is None else sum(f.stat().st_size for f in self.folder.rglob("*") if f.is_file())
        return Info(self.uri, have["root"], have["format"], have["model"], have["model_sha256"], len(media),
                    dict(Counter(m.status for m in media)), dict(Counter(m.kind for m in media)), people, searchable,
                    dict(labels), size)

    def remove(self, patterns: Sequence[str]) -> int:
        """Remove media by pattern or id with all their people, or single people by id; files are not touched.

        Returns:
            people removed.
        """
        from samepose.index.upkeep import recover

        with self.writing():
            before = self.people.count_rows()
            self.drop_media(self.select_media(patterns)[0].tolist())
            single = _single_people(patterns)
            if single:
                self.commit(lambda: self.people.delete(f"id IN ({_listed(single)})"))
                recover(self)  # counts the people left in each medium
            return int(before - self.people.count_rows())

    def label(self, patterns: Sequence[str], name: str | None) -> int:
        """Label all people of media by pattern or id, or single people by id; None takes labels off.

        Returns:
            people labelled.
        """
        with self.writing():
            count = self.set_label(self.select_media(patterns)[0].tolist(), name)
            single = _single_people(patterns)
            if single:
                where = f"id IN ({_listed(single)})"
                count += self.people.count_rows(where)
                self.commit(lambda: self.people.update(where=where, values={"label": name}))
            return int(count)

    # -- changes: only inside `writing()` ------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer: first the remains of a killed one are removed, at the end the indices are kept up.

        Raises:
            StoreError: another process is writing, or the disk is full.
        """
        from samepose.index.upkeep import maintain, recover

        with write_lock(self.folder):
            recover(self)
            yield
            maintain(self)

    def commit(self, change: Callable[[], T]) -> T:
        """Make one change, again when another commit came between."""
        for attempt in range(_ATTEMPTS):
            with store_errors(self.uri):
                try:
                    return change()
                except (OSError, RuntimeError) as error:
                    if "conflict" not in str(error).lower() or attempt == _ATTEMPTS - 1:
                        raise
            time.sleep(0.05 * 2**attempt)
        raise AssertionError("unreachable")

    def add_people(self, batches: list[pa.RecordBatch]) -> None:
        """Append people rows in one commit."""
        import pyarrow as pa

        if batches:
            self.commit(lambda: self.people.add(pa.Table.from_batches(batches, PEOPLE)))

    def put_media(self, media: Sequence[Medium], key: str) -> None:
        """Write media rows in one commit, each in place of the one with the same `key` ("id", "path" or "": new)."""
        if not media:
            return
        rows = media_table(list(media))
        if not key:
            self.commit(lambda: self.media.add(rows))
            return
        merge = self.media.merge_insert(key).when_matched_update_all().when_not_matched_insert_all()
        self.commit(lambda: merge.execute(rows))

    def drop_people(self, media: Collection[int]) -> None:
        """Delete all people of media."""
        if media:
            self.commit(lambda: self.people.delete(f"media IN ({_listed(media)})"))

    def drop_media(self, media: Collection[int]) -> None:
        """Delete media and their people: the media rows first, so that no reader sees half."""
        if media:
            self.commit(lambda: self.media.delete(f"id IN ({_listed(media)})"))
            self.drop_people(media)

    def set_label(self, media: Collection[int], name: str | None) -> int:
        """Label media and their people; the number of people."""
        if not media:
            return 0
        listed = _listed(media)
        self.commit(lambda: self.people.update(where=f"media IN ({listed})", values={"label": name}))
        self.commit(lambda: self.media.update(where=f"id IN ({listed})", values={"label": name}))
        return int(self.people.count_rows(f"media IN ({listed})"))

    def _check_format(self) -> None:
        have = self.metadata
        if "model" not in have:
            raise StoreError(f"{self.uri}: not an index of samepose; choose another folder")
        if have.get("format") != FORMAT:
            raise StoreError(
                f"{self.uri}: written in format {have.get('format')}, this version reads format {FORMAT}; "
                "index the media again into a new folder, or use the version that wrote it"
            )


def people_schema(embedder: Embedder, root: str) -> pa.Schema:
    """The people table's columns with the facts about the index that must change with its rows."""
    return PEOPLE.with_metadata({
        "format": FORMAT, "model": embedder.name, "model_sha256": embedder.sha256, "root": root,
    })


def _single_people(patterns: Sequence[str]) -> list[int]:
    return [parsed[1] for p in patterns if (parsed := parse_id(p)) and parsed[1] is not None]


def _listed(ids: Collection[int]) -> str:
    return ", ".join(map(str, ids))
