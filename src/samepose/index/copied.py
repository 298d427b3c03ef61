"""A copy of a remote index on this disk, for whoever searches it again and again.

A search of an index in an object store reads the rows of its shortlist from there, which takes a request for nearly
each of them. Files of a Lance table never change once they are written; what changes is which of them the newest
manifest names. So a copy is kept up to date by the files that it lacks and then the manifest, and one request for each
table tells whether there is a newer one. The copy is read only: changes go to the index itself.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import Any

from samepose.errors import StoreError, UsageError
from samepose.files import written
from samepose.index.lock import write_lock
from samepose.index.place import connect, local_folder, manifest_age, named_in, store_errors
from samepose.media.remote import RemotePath, located

_ATTEMPTS = 5
_AT_ONCE = 8  # files that are fetched side by side
_PIECE = 8 << 20  # bytes
_KEEP = 600.0  # seconds that a file stays which the index has no more, for searches that run meanwhile
_NOT_READ = ("_versions", "_transactions")


class HeldError(StoreError):
    """Another process keeps a copy there."""


class Copy:
    """The two tables of a remote index, in a folder of this disk that one process has to itself."""

    def __init__(self, uri: str, folder: Path, stale: float) -> None:
        """
        Args:
            folder: for copies; each index has a folder of its own in it.
            stale: seconds that the copy may be behind.

        Raises:
            UsageError: the index is on this disk.
            HeldError: another process keeps a copy there.
        """
        refuse_local(uri)
        self._uri, self._stale = uri, stale
        self._folder = folder / hashlib.sha256(uri.encode()).hexdigest()[:16]
        self._tables: tuple[Any, Any] | None = None
        self._state: list[tuple[str, int]] = []  # manifests of media and people that the tables were opened with
        self._asked, self._changes = -float("inf"), 0
        self._gone: dict[Path, float] = {}
        self._lock, self._held = Lock(), ExitStack()
        with store_errors(str(folder)):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                self._held.enter_context(write_lock(self._folder))
            except StoreError as error:
                raise HeldError(f"{folder}: another process keeps a copy of {uri} here; name another one") from error

    def tables(self) -> tuple[Any, Any]:
        """People and media as they were at most `stale` seconds ago; while newer ones are fetched, others read on.

        Raises:
            StoreError: the index cannot be read, or the disk is full.
        """
        current = time.monotonic() - self._asked <= self._stale
        if not current and self._lock.acquire(blocking=self._tables is None or self._asked < 0):
            try:
                if time.monotonic() - self._asked > self._stale:
                    began, changes = time.monotonic(), self._changes
                    self._tables = self._latest()
                    self._asked = began if changes == self._changes else -float("inf")
            finally:
                self._lock.release()
        assert self._tables is not None
        return self._tables

    def expire(self) -> None:
        """Look anew before the next reading: the index was changed by whoever has the copy."""
        self._changes += 1
        self._asked = -float("inf")

    def _latest(self) -> tuple[Any, Any]:
        with store_errors(self._uri):
            for attempt in range(_ATTEMPTS):
                try:  # media first: their people were written before them
                    state = [self._fetch("media"), self._fetch("people")]
                    break
                except FileNotFoundError:  # a writer has merged files meanwhile and removed the old ones
                    if attempt == _ATTEMPTS - 1:
                        raise
        if self._tables is not None and state == self._state:
            return self._tables
        with store_errors(str(self._folder)):
            db = connect(str(self._folder), None)
            tables = db.open_table("people"), db.open_table("media")
        self._state = state
        return tables

    def _fetch(self, table: str) -> tuple[str, int]:
        """Bring one table up to date; name and time of its manifest."""
        there, here = located(f"{self._uri}/{table}.lance"), self._folder / f"{table}.lance"
        assert isinstance(there, RemotePath)
        manifests = [file for file in (there / "_versions").iterdir() if file.suffix == ".manifest"]
        if not manifests:
            raise StoreError(f"{self._uri}: no index here; make one with `create=True`")
        newest = min(manifests, key=manifest_age)
        manifest = here / "_versions" / newest.name
        state = newest.name, newest.stat().st_mtime_ns
        if _same(newest, manifest):
            return state
        named = set(named_in(newest))
        files = {here / way: file for way, file in there.everything()
                 if not way.startswith(_NOT_READ) and (not way.startswith("data/") or file.name in named)}
        lacking = {place: file for place, file in files.items()
                   if not place.exists() or place.stat().st_size != file.stat().st_size}
        need, free = sum(file.stat().st_size for file in lacking.values()), shutil.disk_usage(self._folder).free
        if need > free:
            raise StoreError(f"{self._folder.parent}: the copy of {self._uri} needs {need / 1e9:.1f} GB more and "
                             f"{free / 1e9:.1f} GB are free; name a folder on a larger disk, or do without a copy")
        for place in {place.parent for place in (*lacking, manifest)}:
            place.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(_download, lacking.values(), lacking))
        _download(newest, manifest)
        for other in manifest.parent.glob("*.manifest"):
            if other != manifest:
                other.unlink()
        self._remove_old(here, files)
        return state

    def _remove_old(self, here: Path, files: dict[Path, RemotePath]) -> None:
        """Delete what the index has had no more for a while; at once what an earlier process left."""
        now, at_once = time.monotonic(), self._tables is None
        for file in here.rglob("*"):
            if not file.is_file() or file in files or file.parent.name == "_versions":
                self._gone.pop(file, None)
            elif now - self._gone.setdefault(file, now) > _KEEP or at_once:
                file.unlink()
                self._gone.pop(file)


def refuse_local(uri: str) -> None:
    """`UsageError` for an index on this disk, of which nobody needs a copy."""
    if local_folder(uri) is not None:
        raise UsageError(f"{uri}: is on this disk and searched there; a copy is for an index at a URI, leave it away")


def _same(there: RemotePath, here: Path) -> bool:
    """By size and time: an index that was made anew counts its versions from one again."""
    if not here.exists():
        return False
    status, mine = there.stat(), here.stat()
    return (status.st_size, status.st_mtime_ns) == (mine.st_size, mine.st_mtime_ns)


def _download(there: RemotePath, here: Path) -> None:
    with written(here) as part:
        with there.open() as source, part.open("wb") as target:
            shutil.copyfileobj(source, target, _PIECE)
        os.utime(part, ns=(there.stat().st_mtime_ns,) * 2)
