"""Where an index lives, whether there is one, and what its errors mean to the user."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from samepose.errors import StoreError
from samepose.media.remote import remedy

T = TypeVar("T")
_ATTEMPTS = 6
_CONFLICT = re.compile(r"conflict|status: 409|HTTP status 409", re.IGNORECASE)  # with another commit, or S3's own


def local_folder(uri: str) -> Path | None:
    """The folder of a local index, None for a remote one."""
    if uri.startswith("file://"):
        return Path(uri.removeprefix("file://"))
    return None if "://" in uri else Path(uri)


_RAISED = (OSError, RuntimeError, ValueError, KeyError)  # by the store; KeyError where a table lost its columns


def root_facts(uri: str, root: Path) -> dict[str, str]:
    """How an index remembers the folder that its paths are relative to: where the index lies in it, by the way there
    as well, so that both can be moved together."""
    folder = local_folder(uri)
    inside = folder is not None and folder.resolve().is_relative_to(root)
    way = Path(*[".."] * len(folder.resolve().relative_to(root).parts)).as_posix() if folder and inside else ""
    return {"root": root.as_posix(), "root_from_index": way}


def root_of(uri: str, facts: Mapping[str, str], first: str) -> Path:
    """The folder that stored paths are relative to; `first` is the one of an index that has no such facts."""
    folder, way = local_folder(uri), facts.get("root_from_index", "")
    return (folder / way).resolve() if folder is not None and way else Path(facts.get("root", first))


def committed(uri: str, change: Callable[[], T]) -> T:
    """Make one change of an index, again when another commit came between, or the store says so of a request.

    Raises:
        StoreError: see `store_errors`.
    """
    for attempt in range(_ATTEMPTS):
        with store_errors(uri):
            try:
                return change()
            except (OSError, RuntimeError) as error:
                if not _CONFLICT.search(str(error)) or attempt == _ATTEMPTS - 1:
                    raise
        time.sleep(0.05 * 2**attempt)
    raise AssertionError("unreachable")


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn what the store raises into a StoreError of one line that names the index and the remedy.

    Damage is only called so when it is proven, see `damage`. What is neither that nor of the disk, the network or
    the store is a mistake of this package and goes on as it is.
    """
    try:
        yield
    except Exception as error:
        panic = type(error).__name__ == "RustPanic"  # that class has no place to import
        if not (isinstance(error, _RAISED) or panic):
            raise
        text = _first_line(error)
        if local_folder(uri) is None and (what := remedy(error)):
            raise StoreError(f"{uri}: {what}") from error
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
        if full:
            raise StoreError(f"{uri}: the disk is full; free some space and do the same again, "
                             "what was indexed so far is kept") from error
        if isinstance(error, PermissionError) or "Permission denied" in str(error):
            raise StoreError(f"{uri}: permission denied; choose a folder you may write to") from error
        if (broken := damage(local_folder(uri), error)) is not None:
            raise StoreError(
                f"{uri}: the index is damaged: {broken}; put a copy of it in its place. Where there is none, save the "
                "labels with `Index.labels()` if they can still be read, delete the folder and index again"
            ) from error
        if isinstance(error, OSError):
            raise StoreError(f"{uri}: cannot be read or written now ({text[:200]}); nothing is known to be lost: "
                             "check the disk or the connection and try again") from error
        if type(error) in (RuntimeError, KeyError) or panic:  # as LanceDB raises
            raise StoreError(f"{uri}: the store could not do this ({text[:200]}); nothing is known to be lost: "
                             "try again, and report it if it stays") from error
        raise


def damage(folder: Path | None, error: BaseException) -> str | None:
    """What in a local index's folder cannot have been left by any writer, None where nothing is seen of that.

    The newest manifest of each table must be whole, and the files that it names must be there and end as Lance's
    files do. Files that no manifest names prove nothing: a killed writer leaves such. Bytes that are wrong in the
    middle of a file show only in what the store says of them.
    """
    if folder is None or not folder.is_dir():
        return None
    text = _first_line(error)
    for table in (folder / "media.lance", folder / "people.lance"):
        manifests = list((table / "_versions").glob("*.manifest"))
        if not manifests:
            return f"{table.name} has no manifest"
        newest = min(manifests, key=manifest_age)
        if not _ends_well(newest):
            return f"{table.name}/_versions/{newest.name} is cut or overwritten"
        # It also names files that its last change replaced; these may be gone, unless the store has asked for one.
        for file in (table / "data" / name for name in named_in(newest)):
            if not file.exists() and f"data/{file.name}" in text:
                return f"{table.name}/data/{file.name} is missing"
            if file.exists() and not _ends_well(file):
                return f"{table.name}/data/{file.name} is cut or overwritten"
    return text[:200] if any(proof in text for proof in _PROOFS) else None


_MAGIC = b"LANC"  # at the end of all files of Lance
_DATA_FILE = re.compile(rb"[0-9a-zA-Z-]{20,}\.lance")
# What Lance says of bytes that it cannot make sense of, and of nothing else.
_PROOFS = ("is outside file of size", "failed to decode Protobuf", "orrupt file", "checksum mismatch")


def named_in(manifest: Path) -> list[str]:
    """The data files that a manifest names; before each name stands its length, which may look like a digit."""
    found = {m[1:] if m[0] == len(m) - 1 else m for m in _DATA_FILE.findall(manifest.read_bytes())}
    return sorted(name.decode() for name in found)


def manifest_age(manifest: Path) -> int:
    """Smaller for newer ones: Lance names manifests 2**64 - 1 - version, or by the version itself in old tables."""
    number = int(manifest.stem) if manifest.stem.isdigit() else 1 << 64
    return number if number > 1 << 63 else (1 << 64) - number


def _ends_well(file: Path) -> bool:
    with file.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(size - len(_MAGIC), 0))
        return stream.read() == _MAGIC


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def connect(uri: str, stale: float | None = 0.0) -> Any:
    """A LanceDB connection that reads the latest state, one of at most so many seconds ago, or (None) always the one
    that was there when a table was opened.

    To ask for the latest takes a request for each access to a table: nothing in a folder, most of the time of a search
    in an object store.
    """
    # Its warnings speak to developers ("partition 7 is empty"); it reads this once, when it is imported.
    os.environ.setdefault("LANCEDB_LOG", "error")
    import lancedb

    with store_errors(uri):
        options = None if local_folder(uri) is not None else patience()
        interval = None if stale is None else timedelta(seconds=stale)
        return lancedb.connect(uri, read_consistency_interval=interval, storage_options=options)


def patience() -> dict[str, str]:
    """How a store is asked: a few times, not for minutes. Who gives an address without encryption means it."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    return {"client_max_retries": "4", "client_retry_timeout": "20", "connect_timeout": "5s", "timeout": "60s",
            **({"allow_http": "true"} if endpoint.startswith("http://") else {})}


def exists(uri: str) -> bool:
    """True when the creation of an index here got to its last step."""
    folder = local_folder(uri)
    if folder is not None:
        return any((folder / "media.lance" / "_versions").glob("*.manifest"))
    with store_errors(uri):
        return "media" in connect(uri).list_tables().tables
