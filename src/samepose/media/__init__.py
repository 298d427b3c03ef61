"""Photos and videos in, pictures of poses out. Nothing here knows about networks."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from samepose.errors import MediaError
from samepose.media.remote import is_remote, located


def irregular(path: str | Path) -> str | None:
    """What a path is if it is no regular file, with the remedy; None for a regular file, and where nothing is there.

    To be asked before anything is opened: opening a pipe waits for its writer, and reading a device may never end.
    """
    try:
        mode = located(path).stat().st_mode
    except OSError as error:
        # A name that leads back to itself is something that is there.
        return "is a link that leads to itself; remove it" if error.errno == errno.ELOOP else None
    except ValueError:
        return "no file can have this name; correct it"
    kinds = ((stat.S_ISDIR, "directory; name the files in it"), (stat.S_ISFIFO, "pipe; save it as a file first"),
             (stat.S_ISSOCK, "socket; name a file"), (stat.S_ISREG, None))
    return next((what and f"is a {what}" for of_kind, what in kinds if of_kind(mode)), "is a device; name a file")


def check_readable(path: str | Path) -> Path:
    """The path, when it is a file with something in it.

    Raises:
        MediaError: it is missing, no regular file, forbidden or empty.
    """
    path = located(path)
    if what := irregular(path):
        raise MediaError(f"{path}: {what}")
    try:
        if is_remote(path):
            empty = not path.stat().st_size
        else:
            with path.open("rb") as file:
                empty = not file.read(1)
    except FileNotFoundError as error:
        raise MediaError(f"{path}: there is no such file; check the path") from error
    except PermissionError as error:
        raise MediaError(f"{path}: reading it is not permitted; change its permissions") from error
    except (OSError, ValueError) as error:
        raise MediaError(f"{path}: cannot be opened ({one_line(error)}); check the path and the disk") from error
    if empty:
        raise MediaError(f"{path}: the file is empty; copy it again")
    return path


def one_line(error: BaseException | str) -> str:
    """What an error says, on one line: decoders add newlines and whole paragraphs."""
    return " ".join(str(error).split())[:200] or type(error).__name__
