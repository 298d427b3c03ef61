"""Which photos and videos there are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from samepose.errors import UsageError
from samepose.media.image import IMAGE_SUFFIXES
from samepose.media.video import VIDEO_SUFFIXES


def media_files(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The files named, whatever they are, and the photos and videos in the folders named, sorted within each.

    Hidden files and folders and the tables of an index are left out (photos beside them are not), links to folders are
    not followed. A folder that may not be looked into stands for itself, so that whoever reads the files reports it.

    Raises:
        UsageError: a path does not exist.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += _walk(path)
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder; check the path")
    return list(dict.fromkeys(found))


def _walk(folder: Path) -> Iterator[Path]:
    unreadable: list[Path] = []
    for parent, folders, files in os.walk(folder, onerror=lambda error: unreadable.append(Path(error.filename))):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and not _is_table(Path(parent, f)))
        for file in (Path(parent, f) for f in sorted(files) if not f.startswith(".")):
            if file.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
                yield file
    yield from unreadable


def _is_table(folder: Path) -> bool:
    """A table of an index, as LanceDB keeps it."""
    return folder.suffix == ".lance" and (folder / "_versions").exists()
