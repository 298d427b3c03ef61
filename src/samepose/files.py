"""The one way in which a file is written: it appears whole, or the old one stays as it was; and never over an input."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

from samepose.errors import SameposeError, UsageError

PathLike = str | os.PathLike[str]

_PART = f".samepose-{re.sub('[^A-Za-z0-9]+', '-', platform.node())[:40]}-"
_count = count()


@contextmanager
def written(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A place to write what shall be at `path`: it takes that name when the block ends well, and is removed when not.

    Every file of the package that is written as a whole goes through here; what grows line by line (a log, an index)
    does not. The place is beside `path`, because only within one file system a renaming is a single step; it has the
    same suffix, from which many writers tell the kind of file, and the numbers of this machine's process, so that two
    runs do not write into each other's. A kill leaves the old file; a power cut may not, as nothing waits for the
    disk. What a killed process left half written goes when the next one writes into that folder. A device or pipe
    (`/dev/stdout`) is written to directly, a link to a file leads to that file.

    Raises:
        SameposeError: the operating system refuses: no such folder, no permission, the disk is full.
    """
    target = Path(path)
    direct = target.exists() and not target.is_file()
    whole = target if direct else target.resolve()
    part = target if direct else whole.with_name(f"{_PART}{os.getpid()}-{next(_count)}.part{whole.suffix}")
    try:
        if not direct:
            _sweep(whole.parent)
        try:
            yield part
            if not direct:
                part.replace(whole)
        finally:
            if not direct:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise SameposeError(f"{path}: cannot be written ({error.strerror or error}); choose another place") from error


def refuse_inputs(outputs: Iterable[PathLike], inputs: Iterable[PathLike]) -> None:
    """Make sure that what shall be written does not take the place of what was read.

    Files are the same by device and number, so whatever links and letter case say; an input that is not there is none.

    Raises:
        UsageError: it would.
    """
    targets = {key: path for path in outputs if (key := _identity(path))}
    for given in inputs if targets else ():
        if target := targets.get(_identity(given) or (0, 0)):
            raise UsageError(f"{os.fspath(target)}: would replace {os.fspath(given)}, an input or a file of the "
                             "index; give another name")


def _identity(path: PathLike) -> tuple[int, int] | None:
    try:
        status = Path(path).stat()
    except (OSError, ValueError):  # not there; an id, an address
        return None
    return status.st_dev, status.st_ino


@cache
def _sweep(folder: Path) -> None:
    """Remove what processes of this machine that are gone left half written in a folder; looked at once."""
    if os.name != "posix" or not folder.is_dir():  # elsewhere asking for a process may end it
        return
    ours = re.compile(rf"{re.escape(_PART)}([0-9]+)-[0-9]+\.part(\..*)?")
    for entry in os.scandir(folder):
        if (match := ours.fullmatch(entry.name)) and not _alive(int(match[1])):
            Path(entry.path).unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another user's; no number of a process
        return True
    return True
