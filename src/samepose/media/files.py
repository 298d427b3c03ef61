"""Which photos and videos there are: the one rule by which folders are walked."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from samepose.errors import UsageError
from samepose.media import irregular
from samepose.media.image import IMAGE_SUFFIXES
from samepose.media.remote import RemotePath, is_remote, located
from samepose.media.video import VIDEO_SUFFIXES

MOTION_SUFFIXES = (".bvh", ".amc", ".c3d")  # motion capture, which `formats.motion` reads
INDEXED_SUFFIXES = IMAGE_SUFFIXES | VIDEO_SUFFIXES | frozenset(MOTION_SUFFIXES)


def is_motion(path: str | os.PathLike[str]) -> bool:
    """True for motion capture, by its name."""
    return Path(path).suffix.lower() in MOTION_SUFFIXES


@dataclass(frozen=True)
class Walked:
    """What some paths hold.

    Attributes:
        files: the files named, and those of the wanted kinds in the folders named. What cannot be read stands for
            itself among them: a folder that may not be looked into, a pipe, a link that leads nowhere.
        left_out: how many files of the folders were left out for their kind, by suffix ("" for none).
    """

    files: list[Path]
    left_out: Counter[str]


def media_files(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """The files named, whatever they are, and the photos and videos in the folders named, sorted within each.

    Hidden files and folders and the tables of an index are left out (photos beside them are not), links to folders are
    not followed. A folder that may not be looked into stands for itself, so that whoever reads the files reports it.

    Raises:
        UsageError: a path does not exist, or may not be looked at.
    """
    return walk(paths).files


def walk(
    paths: Sequence[str | os.PathLike[str]], suffixes: frozenset[str] = IMAGE_SUFFIXES | VIDEO_SUFFIXES
) -> Walked:
    """`media_files`, of any kinds, with what was left out.

    Args:
        suffixes: the kinds of file to take from folders, in lower case.
    """
    found: list[Path] = []
    left_out: Counter[str] = Counter()
    for path in map(located, paths):
        try:
            exists, folder = path.exists(), path.is_dir()
        except OSError as error:
            raise UsageError(f"{path}: cannot be looked at ({error.strerror}); change its permissions") from error
        if folder and is_remote(path):
            found += _listed(path, suffixes, left_out)
        elif folder:
            found += _walk(path, suffixes, left_out)
        elif exists:
            found.append(path)
        else:
            raise UsageError(f"{path}: no such file or folder; check the path")
    return Walked(list(dict.fromkeys(found)), left_out)


def left_standing(file: Path) -> str | None:
    """Why a path that `walk` found cannot be read, with the remedy; None for a regular file."""
    try:
        return "the folder may not be looked into; change its permissions" if file.is_dir() else irregular(file)
    except OSError:
        return None  # opening it tells why


def _walk(folder: Path, suffixes: frozenset[str], left_out: Counter[str]) -> Iterator[Path]:
    unreadable: list[Path] = []
    for parent, folders, files in os.walk(folder, onerror=lambda error: unreadable.append(Path(error.filename))):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and not _is_table(Path(parent, f)))
        for file in (Path(parent, f) for f in sorted(files) if not f.startswith(".")):
            if file.suffix.lower() in suffixes:
                yield file
            else:
                left_out[file.suffix.lower()] += 1
    yield from unreadable


def _listed(folder: Path, suffixes: frozenset[str], left_out: Counter[str]) -> Iterator[Path]:
    assert isinstance(folder, RemotePath)
    for file in folder.listed():
        if file.suffix.lower() in suffixes:
            yield file
        else:
            left_out[file.suffix.lower()] += 1


def copy(file: Path, target: Path) -> None:
    """The contents of a file, here or at a URI, at a path here."""
    if not is_remote(file):
        shutil.copyfile(file, target)
        return
    with file.open("rb") as source, target.open("wb") as out:
        shutil.copyfileobj(source, out)


def _is_table(folder: Path) -> bool:
    """A table of an index, as LanceDB keeps it."""
    try:
        return folder.suffix == ".lance" and (folder / "_versions").exists()
    except OSError:  # it may not be looked into: walking it says so
        return False
