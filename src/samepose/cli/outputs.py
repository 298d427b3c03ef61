"""The one rule for files that a verb writes: `check_outputs`, asked before any work is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from samepose.errors import SameposeError, UsageError
from samepose.files import refuse_inputs


def check_outputs(
    paths: Sequence[Path], suffixes: tuple[str, ...], inputs: Sequence[str | Path] = (), *, index: str | None = None,
    force: bool = False,
) -> None:
    """Refuse files to write before any work is done.

    They never take the place of an input or of a photo or video of the index, whatever links and letter case say; of
    other files only with `force`. A device or pipe (`/dev/stdout`) may be written to.

    Args:
        inputs: what the verb reads: files, and folders, whose photos and videos are meant; what is none is passed over.
        index: address of the index whose media are meant, if there is one.

    Raises:
        UsageError: another suffix, a folder that does not exist, an input, or a file that is there.
    """
    for path in paths:
        if path.suffix.lower() not in suffixes:
            raise UsageError(f"{path}: name it *{' or *'.join(suffixes)}")
        if not path.parent.is_dir():
            raise UsageError(f"{path}: there is no folder {path.parent}; make it first")
        if path.is_dir():
            raise UsageError(f"{path}: is a folder; give a file name")
    there = [path for path in paths if path.is_file()]
    if there:
        refuse_inputs(there, chain(_read(there, inputs), _indexed(index)))
        if not force:
            raise UsageError(f"{there[0]}: exists already; --force replaces it, or give another name")


def sheets(path: Path, hits: int) -> list[Path]:
    """The files that a sheet of at most so many hits may become."""
    if not hits:
        return [path]
    from samepose.report.sheet import sheet_paths

    return sheet_paths(path, hits)


def _read(paths: Sequence[Path], inputs: Sequence[str | Path]) -> Iterator[Path]:
    """The files that are read, as far as they are one of `paths`: a photo or video in a folder that is read is."""
    from samepose.media.image import IMAGE_SUFFIXES
    from samepose.media.video import VIDEO_SUFFIXES

    media = [path for path in map(Path.resolve, paths) if path.suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES]
    for given in map(Path, inputs):
        if given.is_dir():
            folder = given.resolve()
            yield from (path for path in media if path.is_relative_to(folder))
        else:
            yield given


def _indexed(index: str | None) -> Iterator[Path]:
    import samepose

    if index is None:
        return
    try:
        if samepose.Index.exists(index):
            opened = samepose.Index.open(index)
            yield from (opened.file(medium.path) for medium in opened.select())
    except SameposeError:  # it says nothing about files; who needs it hears of it when it is opened
        return
