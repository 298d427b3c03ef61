"""The store: a media table and a people table in LanceDB, in a folder or at any URI it takes.

What a reader sees is decided by the media table alone: a medium's people are written first and its row last, in one
commit, so a medium is there whole or not at all. People whose medium has no row are remains of a killed writer; no
search shows them and the next writer deletes them (`upkeep.recover`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from jaxtyping import Float32

from samepose.errors import StoreError
from samepose.index.catalogue import Catalogue
from samepose.index.copied import Copy
from samepose.index.lock import write_lock
from samepose.index.place import committed, connect, exists, local_folder, root_facts, root_of, store_errors
from samepose.index.records import Info
from samepose.index.schema import FACT, FORMAT, Medium, media_of, media_schema, media_table, people_schema
from samepose.index.settings import for_research_only
from samepose.index.spaces import Space, from_json
from samepose.index.turns import Turns
from samepose.index.upgrade import FORMAT_1, spaces_of_format_1, upgrade

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
_STALE = 2.0  # seconds that a reader of a remote index may be behind; writers look anew in their turn
_FEW = 1000  # media that are asked for by id, not picked from the whole table


class Store:
    """The two opened tables. Reading needs no lock; every change is made inside `with store.writing():`."""

    def __init__(self, uri: str, copies: Path | None = None) -> None:
        self.uri, self.folder = uri, local_folder(uri)
        if not exists(uri):
            raise StoreError(f"{uri}: no index here; make one with `create=True`")
        self._catalogue: tuple[int, Catalogue] | None = None
        self._turns = None if self.folder is not None else Turns(uri)
        self._copy = None if copies is None else Copy(uri, copies, _STALE)
        self._changing, self._counting = 0, Lock()  # threads that change the index, which read the index itself
        self._check_format()
        self.root = root_of(uri, self.facts, self.metadata["root"])  # that stored paths are relative to

    @classmethod
    def create(cls, uri: str, spaces: Sequence[Space], root: Path, copies: Path | None = None) -> Store:
        """Make an empty index, or what is missing of one whose creation was killed, and open it."""
        folder, db = local_folder(uri), connect(uri)
        with store_errors(uri):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
            with write_lock(folder):
                if not exists(uri):
                    remains = db.list_tables().tables
                    media = media_schema(root_facts(uri, root))
                    for name, schema in (("people", people_schema(spaces, root.as_posix())), ("media", media)):
                        if folder is None:  # where another writer may be making the same
                            committed(uri, partial(db.create_table, name, schema=schema, exist_ok=True))
                        else:
                            db.create_table(name, schema=schema, mode="overwrite" if name in remains else "create")
        return cls(uri, copies)  # `media` came last: it marks the index as whole

    @cached_property
    def _tables(self) -> tuple[Any, Any]:
        db = connect(self.uri, _STALE if self.folder is None else 0.0)
        with store_errors(self.uri):
            return db.open_table("people"), db.open_table("media")

    @property
    def people(self) -> Any:
        """The table of people: the index's own, or a copy's while nothing is being changed."""
        return (self._tables if self._copy is None or self._changing else self._copy.tables())[0]

    @property
    def media(self) -> Any:
        """Likewise that of media."""
        return (self._tables if self._copy is None or self._changing else self._copy.tables())[1]

    @contextmanager
    def _itself(self) -> Iterator[None]:
        """Within it the index is read, not a copy, which is behind afterwards."""
        with self._counting:
            self._changing += 1
        try:
            yield
        finally:
            with self._counting:
                self._changing -= 1
            if self._copy is not None:
                self._copy.expire()

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def metadata(self) -> dict[str, str]:
        """Format, root and spaces, kept with the people table so that they change in one commit with it."""
        with store_errors(self.uri):
            return {k.decode(): v.decode() for k, v in (self.people.schema.metadata or {}).items()}

    @property
    def facts(self) -> dict[str, str]:
        """What may change without a row: how media are read, where they are. Kept with the media table's `id`."""
        with store_errors(self.uri):
            kept = self.media.schema.field("id").metadata or {}
        return {k.decode().removeprefix(FACT): v.decode() for k, v in kept.items() if k.startswith(FACT.encode())}

    @property
    def media_version(self) -> int:
        """Differs whenever a medium has changed."""
        with store_errors(self.uri):
            return int(self.media.version)

    @property
    def state(self) -> tuple[int, int]:
        """Versions of both tables."""
        with store_errors(self.uri):
            return self.people.version, self.media.version

    @property
    def spaces(self) -> tuple[Space, ...]:
        """What people can be found by, as of now: another process may have changed it."""
        have = self.metadata
        return spaces_of_format_1(have) if have["format"] == FORMAT_1 else from_json(have["spaces"])

    def spaces_of(self, names: Collection[str] | None) -> dict[str, Space]:
        """The spaces of those names, or the first one.

        Raises:
            StoreError: the index lacks one.
        """
        spaces = {space.name: space for space in self.spaces}
        for name in names or ():
            if name not in spaces:
                raise StoreError(f"{self.uri}: people cannot be found by {name} here, only by {', '.join(spaces)}; "
                                 "`Index.re_embed(embedding='both')` adds what is lacking")
        return {name: spaces[name] for name in names or list(spaces)[:1]}

    def catalogue(self) -> Catalogue:
        """Paths of all media, kept while the table does not change."""
        with store_errors(self.uri):
            version = self.media.version
            if self._catalogue is None or self._catalogue[0] != version:
                rows = self.media.search().select(list(Catalogue.COLUMNS)).to_arrow()
                self._catalogue = version, Catalogue.of(rows)
        return self._catalogue[1]

    def all_media(self, ids: Collection[int] | None = None) -> list[Medium]:
        """Rows of the media table; all, or those of the ids."""
        with store_errors(self.uri):
            query = self.media.search()
            few = ids is not None and len(ids) <= _FEW
            rows = media_of((query.where(f"id IN ({_listed(ids or (-1,))})") if few else query).to_arrow())
        return rows if ids is None else [m for m in rows if m.id in ids]

    def media_at(self, media: Collection[Medium]) -> list[Medium]:
        """The rows that now have the paths or the ids of these."""
        paths = ", ".join(_quoted(m.path) for m in media) or "''"
        with store_errors(self.uri):
            chosen = f"path IN ({paths}) OR id IN ({_listed([m.id for m in media] or (-1,))})"
            return media_of(self.media.search().where(chosen).limit(None).to_arrow())

    def media_of_size(self, size: int) -> list[Medium]:
        """Rows of the media table of files of so many bytes."""
        with store_errors(self.uri):
            return media_of(self.media.search().where(f"size = {size}").to_arrow())

    def person(self, id: int) -> pa.Table:
        """The row of one person; none where there is no such person."""
        with store_errors(self.uri):
            return self.people.search().where(f"id = {id}").limit(1).to_arrow()

    def people_by_id(self, ids: Collection[int], columns: list[str]) -> pa.Table:
        """Those people who are there, with their `_rowid`, in no order."""
        with store_errors(self.uri):
            query = self.people.search().where(f"id IN ({_listed(ids or (-1,))})").select(columns)
            return query.with_row_id(True).to_arrow()

    def people_of(self, medium: int) -> pa.Table:
        """The rows of all people of a medium, by number."""
        with store_errors(self.uri):
            return self.people.search().where(f"media = {medium}").to_arrow().sort_by("id")

    def differently_labelled(self, medium: Medium) -> bool:
        """True when somebody in the medium has another label than the medium, or none where it has one."""
        label = medium.label
        other = "label IS NOT NULL" if label is None else f"(label IS NULL OR label != {_quoted(label)})"
        with store_errors(self.uri):
            return bool(self.people.count_rows(f"media = {medium.id} AND {other}"))

    def nearest(
        self, vector: str, targets: Float32[np.ndarray, "query coordinate"], columns: list[str], limit: int,
        probes: int | None = None, *, where: str | None = None, scan: bool = False, at_least: int = 1,
    ) -> pa.Table:
        """The people whose vectors are nearest to each target, with their `_distance` (squared) and `_rowid`.

        Args:
            vector: the column to rank by.
            limit: people for each target.
            probes: partitions of the vector index to look in; None for all, in steps from `at_least` on.
            where: condition in SQL, applied before ranking.
            scan: pass the vector index by.
        """
        with store_errors(self.uri):
            query = self.people.search(targets if len(targets) > 1 else targets[0], vector_column_name=vector)
            query = query.distance_type("l2").limit(limit).select(columns).with_row_id(True)
            query = query.nprobes(probes) if probes else query.minimum_nprobes(at_least).maximum_nprobes(0)
            query = query.where(where, prefilter=True) if where else query
            return (query.bypass_vector_index() if scan else query).to_arrow()

    def rows(self, addresses: list[int], columns: list[str]) -> pa.Table:
        """People rows by their `_rowid`, as long as no files were merged since; in no order."""
        with store_errors(self.uri):
            return self.people.take_row_ids(addresses).select(columns).to_arrow()

    def batches(self, rows: int, columns: list[str] | None = None, medium: int | None = None) -> Iterator[Any]:
        """People rows, so many at a time; all of them, or those of a medium."""
        with store_errors(self.uri):
            query = self.people.search()
            query = query if medium is None else query.where(f"media = {medium}")
            yield from (query if columns is None else query.select(columns)).to_batches(rows)

    def count(self, where: str | None = None) -> int:
        """People, also those of media that are not finished; those who fulfil a condition in SQL."""
        with store_errors(self.uri):
            return int(self.people.count_rows(where))

    def covered(self, space: Space) -> int:
        """People who can be found by a space."""
        return self.count(f"{space.rank} IS NOT NULL")

    def info(self) -> Info:
        """See `Index.info`."""
        media, facts, spaces = self.all_media(), self.metadata, self.spaces
        embedded = " OR ".join(f"{space.rank} IS NOT NULL" for space in spaces)
        with store_errors(self.uri):
            labels = self.people.search().where("label IS NOT NULL").select(["label"]).to_arrow()["label"].to_pylist()
        covered = {space.name: self.covered(space) for space in spaces}
        searchable = self.count(embedded) if len(spaces) > 1 else sum(covered.values())
        size = None if self.folder is None else sum(f.stat().st_size for f in self.folder.rglob("*") if f.is_file())
        return Info(self.uri, self.root.as_posix(), facts["format"], spaces, len(media),
                    dict(Counter(m.status for m in media)), dict(Counter(m.kind for m in media)), self.count(),
                     searchable, covered, dict(Counter(labels)), size, len(for_research_only(self, media)))

    # -- changes: only inside `writing()` ------------------------------------------------------------------------

    @contextmanager
    def writing(self, *, shared: bool = False) -> Iterator[None]:
        """Be the only writer: first an old format is upgraded and the remains of a killed writer are removed, at the
        end the indices are kept up.

        Args:
            shared: others may write to a remote index meanwhile; what is changed is changed inside `turn()`.

        Raises:
            StoreError: another process is writing, or the disk is full.
        """
        from samepose.index.upkeep import maintain, recover

        with write_lock(self.folder), self._itself(), nullcontext() if shared else self.turn():
            with self.turn():
                upgrade(self)
                if self.folder is not None:  # else whoever takes a turn from a dead writer has done it
                    recover(self)
                if "root" not in self.facts:  # of an earlier version
                    self.move_root(self.root)
            yield
            with self.turn():
                maintain(self)

    @property
    def shared(self) -> bool:
        """Whether other writers may come between the turns of one that shares."""
        return self._turns is not None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Nobody else changes a remote index meanwhile; in a folder the writer's lock sees to that."""
        from samepose.index.upkeep import recover

        if self._turns is None:
            yield
            return
        with self._itself(), self._turns.taken() as inherited:
            if inherited is not None:  # else within another turn
                with store_errors(self.uri):
                    self.people.checkout_latest()
                    self.media.checkout_latest()
            if inherited:
                recover(self)
            yield

    def commit(self, change: Callable[[], T]) -> T:
        """Make one change, again when another commit came between."""
        def in_turn() -> T:
            if self._turns is not None:
                self._turns.check()
            return change()

        return committed(self.uri, in_turn)

    def rewrite_people(self, schema: pa.Schema, batches: Callable[[], Iterator[pa.RecordBatch]]) -> None:
        """All people rows anew, with another schema: they stream into a new version of the table, in one commit.

        Killed before it, the table is as it was. Indices on the old columns go with them.
        """
        import pyarrow as pa

        from samepose.index.upkeep import optimise

        causes: list[BaseException] = []  # the store would wrap what goes wrong while it reads the stream

        def watched() -> Iterator[pa.RecordBatch]:
            try:
                yield from batches()
            except BaseException as error:
                causes.append(error)
                raise

        def overwrite() -> None:
            rows = pa.RecordBatchReader.from_batches(schema, watched())
            # "null" keeps people without an embedding; LanceDB would refuse them in a stream otherwise.
            self.people.add(rows, mode="overwrite", on_bad_vectors="null")

        try:
            self.commit(overwrite)
        except StoreError as error:
            if causes:
                raise causes[-1] from error
            raise
        optimise(self, self.people)  # frees the old rows' files

    def add_people(self, batches: list[pa.RecordBatch]) -> None:
        """Append people rows in one commit."""
        import pyarrow as pa

        if batches:
            self.commit(lambda: self.people.add(pa.Table.from_batches(batches)))

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

    def put_facts(self, **facts: str) -> None:
        """Keep facts in one commit; others stay. In turn, since what is known of them may be some seconds old."""
        with self.turn():
            if facts.items() - self.facts.items():
                update = {"path": "id", "metadata": {FACT + name: value for name, value in facts.items()}}
                self.commit(lambda: self.media.update_field_metadata(update))

    def move_root(self, root: Path) -> None:
        """Stored paths are relative to another folder from now on."""
        self.put_facts(**root_facts(self.uri, root))
        self.root = root

    def drop_people(self, ids: Collection[int]) -> None:
        """Delete single people."""
        if ids:
            self.commit(lambda: self.people.delete(f"id IN ({_listed(ids)})"))

    def drop_people_of(self, media: Collection[int]) -> None:
        """Delete all people of media."""
        if media:
            self.commit(lambda: self.people.delete(f"media IN ({_listed(media)})"))

    def drop_media(self, media: Collection[int]) -> None:
        """Delete media and their people: the media rows first, so that no reader sees half."""
        if media:
            self.commit(lambda: self.media.delete(f"id IN ({_listed(media)})"))
            self.drop_people_of(media)

    def label_media(self, media: Collection[int], name: str | None) -> int:
        """Label media and their people; the number of people."""
        count = self._label(f"media IN ({_listed(media)})", name) if media else 0
        if media:
            self.commit(lambda: self.media.update(where=f"id IN ({_listed(media)})", values={"label": name}))
        return count

    def label_people(self, ids: Collection[int], name: str | None) -> int:
        """Label single people; how many there were."""
        return self._label(f"id IN ({_listed(ids)})", name) if ids else 0

    def unlabel_numbered(self, prefix: str) -> None:
        """Take labels "PREFIX-1", "PREFIX-2", … off single people."""
        pattern = _quoted(f"^{re.escape(prefix)}-[0-9]+$")
        self.commit(lambda: self.people.update(where=f"regexp_like(label, {pattern})", values={"label": None}))

    def _label(self, where: str, name: str | None) -> int:
        self.commit(lambda: self.people.update(where=where, values={"label": name}))
        with store_errors(self.uri):
            return int(self.people.count_rows(where))

    def _check_format(self) -> None:
        have = self.metadata
        if "format" not in have or "root" not in have:
            raise StoreError(f"{self.uri}: not an index of samepose; choose another folder")
        if have["format"] not in (FORMAT_1, FORMAT):
            raise StoreError(
                f"{self.uri}: written in format {have['format']}, this version reads format {FORMAT} and older; "
                "index the media again into a new folder, or use the version that wrote it"
            )


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _listed(ids: Collection[int]) -> str:
    return ", ".join(map(str, ids))
