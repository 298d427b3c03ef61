"""Search results to look at: a query beside its matches, as one HTML page or one PNG.

Both show the same cards (`report.cards`), and neither needs anything but itself: the page's pictures are inside it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from samepose.files import written
from samepose.report.cards import Section

if TYPE_CHECKING:
    from samepose.index import Hit
    from samepose.query.query import Query

__all__ = ["Section", "write_report", "write_sections", "write_sheet", "write_sheet_sections"]


def write_report(path: str | os.PathLike[str], query: Query, hits: Sequence[Hit], root: str | os.PathLike[str]) -> None:
    """Write a query and its matches as a page of HTML that works offline and alone.

    Args:
        path: of the page, replaced when it exists.
        query: what was searched for.
        hits: best first.
        root: folder that the hits' paths are relative to, see `Index.root`.

    Raises:
        SameposeError: the page cannot be written. A picture that cannot be read does not raise: its card says why.
    """
    write_sections(path, [Section(query, hits)], root)


def write_sections(
    path: str | os.PathLike[str], sections: Sequence[Section], root: str | os.PathLike[str],
    *, title: str = "Same pose", note: str = "",
) -> None:
    """`write_report` over several queries, under a title, with a note in the footer."""
    from samepose.report.page import page

    content = page(sections, Path(root), title, note).encode()
    with written(path) as part:  # a page that is open in a browser is never half there
        part.write_bytes(content)


def write_sheet(path: str | os.PathLike[str], query: Query, hits: Sequence[Hit], root: str | os.PathLike[str]) -> None:
    """Write a query and its matches as PNG, see `write_sheet_sections`; arguments and errors as `write_report`."""
    write_sheet_sections(path, [Section(query, hits)], root)


def write_sheet_sections(
    path: str | os.PathLike[str], sections: Sequence[Section], root: str | os.PathLike[str],
    *, title: str = "Same pose", note: str = "",
) -> None:
    """`write_sheet` over several queries, one below the other; more than 60 hits go on in `…-2.png`, `…-3.png`, …"""
    from samepose.report.sheet import numbered, paged, sheet

    pages = paged(sections)
    for target, shown in zip(numbered(Path(path), len(pages)), pages):
        content = sheet(shown, Path(root), title, note)
        with written(target) as part:
            part.write_bytes(content)
