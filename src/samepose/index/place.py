"""Where an index lives, whether there is one, and what its errors mean to the user."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from samepose.errors import StoreError


def local_folder(uri: str) -> Path | None:
    """The folder of a local index, None for a remote one."""
    if uri.startswith("file://"):
        return Path(uri.removeprefix("file://"))
    return None if "://" in uri else Path(uri)


_RAISED = (OSError, RuntimeError, ValueError, KeyError)  # by the store; KeyError where a table lost its columns


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn what the store raises into a StoreError of one line that names the index and the remedy."""
    try:
        yield
    except Exception as error:
        if not (isinstance(error, _RAISED) or type(error).__name__ == "RustPanic"):  # that class has no place to import
            raise
        text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
        if full:
            raise StoreError(f"{uri}: the disk is full; free some space and do the same again, "
                             "what was indexed so far is kept") from error
        if isinstance(error, PermissionError) or "Permission denied" in str(error):
            raise StoreError(f"{uri}: permission denied; choose a folder you may write to") from error
        raise StoreError(f"{uri}: the index is damaged or unreadable; restore it, or delete the folder and index "
                         f"again ({text[:200]})") from error


def connect(uri: str) -> Any:
    """A LanceDB connection that always reads the latest state."""
    # Its warnings speak to developers ("partition 7 is empty"); it reads this once, when it is imported.
    os.environ.setdefault("LANCEDB_LOG", "error")
    import lancedb

    with store_errors(uri):
        return lancedb.connect(uri, read_consistency_interval=timedelta(0))


def exists(uri: str) -> bool:
    """True when the creation of an index here got to its last step."""
    folder = local_folder(uri)
    if folder is not None:
        return any((folder / "media.lance" / "_versions").glob("*.manifest"))
    with store_errors(uri):
        return "media" in connect(uri).list_tables().tables
