"""The media table's short columns in memory: whose people were found, and which paths a pattern means."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int

from samepose.errors import UsageError
from samepose.index.schema import parse_id
from samepose.media.remote import located


@dataclass(frozen=True, eq=False)
class Catalogue:
    """All media of one version of the table, sorted by id; some 80 bytes each.

    Attributes:
        people: how many are in each.
        skeletons: null where nobody is.
        mtimes: nanoseconds since the epoch; 0 or less where there was no file, or it could not be read.
    """

    ids: Int[np.ndarray, " n"]
    paths: pa.StringArray
    people: Int[np.ndarray, " n"]
    skeletons: pa.StringArray
    mtimes: Int[np.ndarray, " n"]

    COLUMNS = ("id", "path", "people", "skeleton", "mtime")

    @classmethod
    def of(cls, rows: pa.Table) -> Catalogue:
        """From the table's rows with `COLUMNS`."""
        rows = rows.sort_by("id").combine_chunks()
        paths, skeletons = (rows[name].combine_chunks() for name in ("path", "skeleton"))
        return cls(np.asarray(rows["id"]), paths, np.asarray(rows["people"]), skeletons, np.asarray(rows["mtime"]))

    def find(self, media: Collection[int]) -> dict[int, tuple[str, str]]:
        """(path, skeleton) of those media that have a row."""
        wanted = np.array(sorted(media), np.int64)
        at = np.searchsorted(self.ids, wanted)
        at = at[np.isin(wanted, self.ids[at[at < len(self.ids)]])]
        return {int(self.ids[i]): (self.paths[i].as_py(), self.skeletons[i].as_py()) for i in at}

    def chosen(
        self, patterns: Sequence[str], root: Path, dates: tuple[int, int] | None = None
    ) -> tuple[Int[np.ndarray, " n"], int]:
        """Ids of the media that patterns and ids mean, sorted, and how many people are in them.

        Args:
            dates: first and last time at which their files were changed last, nanoseconds since the epoch.
        """
        chosen = self.select(patterns, root)
        if dates is not None:
            chosen &= (self.mtimes >= max(dates[0], 1)) & (self.mtimes <= dates[1])
        return self.ids[chosen], int(self.people[chosen].sum())

    def select(self, patterns: Sequence[str], root: Path) -> Bool[np.ndarray, " n"]:
        """Which media a list of patterns and ids means, see `Index.select`.

        Raises:
            UsageError: a pattern is empty, or nothing but a dot: that would mean everything, and seldom does.
        """
        for pattern in patterns:
            if located(pattern.strip()) == Path():
                raise UsageError(f"{pattern!r} names no file; give a pattern such as 'holiday/*', or '*' for all")
        parsed = [parse_id(p) for p in patterns]
        wanted = [p[0] for p in parsed if p and p[1] is None]
        chosen: np.ndarray = np.isin(self.ids, np.array(wanted, np.int64))
        terms = [_regex(p, root) for p, id in zip(patterns, parsed) if id is None]
        if terms and len(self.ids):
            matched = pc.match_substring_regex(self.paths, f"^(?s:{'|'.join(terms)})$")
            chosen |= np.asarray(matched)
        return chosen


def _regex(pattern: str, root: Path) -> str:
    """The paths that one pattern means, as a regular expression of RE2."""
    text = located(pattern).as_posix().removeprefix(root.as_posix() + "/")
    if text == root.as_posix():
        return "[^/].*"  # everything under the root
    body = _glob(text)
    return f"{body}(?:/.*)?" if "/" in text else f"(?:.*/)?{body}|{body}/.*"


def _glob(pattern: str) -> str:
    """`*`, `?`, `[abc]` and `[!abc]` as in the shell, but that they match slashes too."""
    out, at = "", 0
    while at < len(pattern):
        char, end = pattern[at], pattern.find("]", at + 2)
        if char == "[" and end > 0:
            inside = pattern[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            out += f"[^{inside[1:]}]" if inside[0] == "!" else "[" + inside.replace("^", "\\^") + "]"
            at = end
        else:
            out += {"*": ".*", "?": "."}.get(char) or re.escape(char)
        at += 1
    return out
