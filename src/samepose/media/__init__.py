"""Photos and videos in, pictures of poses out. Nothing here knows about networks."""

from __future__ import annotations

from pathlib import Path

from samepose.errors import MediaError


def check_readable(path: str | Path) -> Path:
    """The path, when it is a file with something in it.

    Raises:
        MediaError: it is missing, a directory, forbidden or empty.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise MediaError(f"{path}: there is no such file; check the path") from error
    except IsADirectoryError as error:
        raise MediaError(f"{path}: is a directory; name the files in it") from error
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
