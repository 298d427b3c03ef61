"""The one way in which a file is written: it appears whole, or the old one stays as it was."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from samepose.errors import SameposeError


@contextmanager
def written(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A place to write what shall be at `path`: it takes that name when the block ends well, and is removed when not.

    Every file of the package that is written as a whole goes through here; what grows line by line (a log, an index)
    does not. The place is beside `path`, because only within one file system a renaming is a single step; it has the
    same suffix, from which many writers tell the kind of file, and this process's number, so that two runs do not
    write into each other's. A kill leaves the old file; a power cut may not, as nothing waits for the disk. A device
    or pipe (`/dev/stdout`) is written to directly, a link to a file leads to that file.

    Raises:
        SameposeError: the operating system refuses: no such folder, no permission, the disk is full.
    """
    target = Path(path)
    direct = target.exists() and not target.is_file()
    whole = target if direct else target.resolve()
    part = target if direct else whole.with_name(f".{whole.stem}.{os.getpid()}.part{whole.suffix}")
    try:
        try:
            yield part
            if not direct:
                part.replace(whole)
        finally:
            if not direct:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise SameposeError(f"{path}: cannot be written ({error.strerror or error}); choose another place") from error
