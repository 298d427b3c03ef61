"""`--clips` of the verbs that find something."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from samepose.cli.options import Options, counted
from samepose.errors import UsageError

if TYPE_CHECKING:
    from samepose import Finds, Hits


def cut_clips(found: Hits | Finds, folder: Path, options: Options, *inputs: str | Path) -> bool:
    """Cut out what was found, none over an input or, without --force, over another file; were all there?

    Raises:
        UsageError: the folder is a file, or a clip would take the place of one.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is no folder; give another name")
    folder.mkdir(parents=True, exist_ok=True)
    paths = found.clip_paths(folder)
    options.outputs(paths, tuple({path.suffix.lower() for path in paths}), *inputs)
    written, failed = found.clips(folder)
    options.note(f"wrote {counted(len(written), 'file')} to {folder}")
    for failure in failed:
        options.warn(failure)
    return not failed
