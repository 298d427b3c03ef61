"""What the verbs that take media say of folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from samepose.errors import SameposeError, UsageError

if TYPE_CHECKING:
    from samepose.media.files import Walked


def existing(media: Sequence[str]) -> list[Path]:
    """The files and folders named, on this machine or at URIs.

    Raises:
        UsageError: one is not there.
    """
    from samepose.media.remote import located

    places = [located(name) for name in media]
    for place in places:
        if not place.exists():
            raise UsageError(f"{place}: no such file or folder")
    return places


def found_in(media: Sequence[Path], motion: bool = False) -> Walked:
    """The photos and videos named, and those in the folders named; on wish also motion capture.

    Raises:
        SameposeError: there are none.
    """
    from samepose.media.files import INDEXED_SUFFIXES, walk

    found = walk(media, INDEXED_SUFFIXES) if motion else walk(media)
    if not found.files:
        also = f" ({left_out_text(found.left_out)})" if found.left_out else ""
        raise SameposeError(f"{', '.join(map(str, media))}: no photo or video in there"
                            f"{', nor motion capture' if motion else ''}{also}; name files or another folder")
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
