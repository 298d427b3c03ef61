"""One writer at a time on a local index: an advisory lock that dies with its process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from samepose.errors import StoreError

_FAR = 1 << 30  # Windows locks bytes against reading too: lock one far behind the pid


@contextmanager
def write_lock(folder: Path | None) -> Iterator[None]:
    """Hold the folder's writer lock; None (a remote index, which has no such lock) holds nothing.

    Raises:
        StoreError: another process, or another part of this one, is writing.
    """
    if folder is None:
        yield
        return
    with (folder / "writer.lock").open("a+") as file:
        if not _try_lock(file):
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise StoreError(f"{folder}: process {owner} is writing to this index; wait for it to end and try again")
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield  # closing the file, or the death of the process, frees the lock


def _try_lock(file: IO[str]) -> bool:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
