"""What the verbs that take media say of folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from samepose.errors import SameposeError

if TYPE_CHECKING:
    from samepose.media.files import Walked


def found_in(media: Sequence[Path]) -> Walked:
    """The photos and videos named, and those in the folders named.

    Raises:
        SameposeError: there are none.
    """
    from samepose.media.files import walk

    found = walk(media)
    if not found.files:
        also = f" ({left_out_text(found.left_out)})" if found.left_out else ""
        raise SameposeError(f"{', '.join(map(str, media))}: no photo or video in there{also}; name files or another "
                            "folder")
    return found


def left_out_text(left_out: Mapping[str, int]) -> str:
    """ "12 left out: 10 .txt, 2 without suffix"."""
    kinds = ", ".join(f"{n:,} {suffix or 'without suffix'}" for suffix, n in Counter(left_out).most_common())
    return f"{sum(left_out.values()):,} left out: {kinds}"


def left_standing(file: Path) -> str | None:
    """Why something that was found in a folder cannot be read, None where nothing speaks against it."""
    from samepose.media.files import left_standing

    return left_standing(file)


def is_video(file: Path) -> bool:
    """By its name."""
    from samepose.media.video import VIDEO_SUFFIXES

    return file.suffix.lower() in VIDEO_SUFFIXES
