"""Text for people: names that cannot take hold of a terminal, times as people write them, tables for any width."""

from __future__ import annotations

import math
import re
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

if TYPE_CHECKING:
    from cyclopts import Token
    from rich.table import Table

_JOINERS = "\u200c\u200d"  # parts of words and of emoji
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # control, format (direction of writing), surrogate, separators
_CLOCK = re.compile(r"(?:([0-9]+):(?=[0-5]?[0-9]:))?([0-9]+):([0-5]?[0-9](?:\.[0-9]*)?)")
_GAP, _LEAST = 2, 24  # columns between cells; columns under which a path gets a line of its own


def shown(text: str, keep: str = "") -> str:
    r"""Text from files, names and labels as a terminal may have it: what it would obey, not show, is escaped (`\x1b`).

    Escapes control characters, those that turn the direction of writing, line separators and lone surrogates.
    Everything that the command line prints goes through here.

    Args:
        keep: of these, characters to leave alone: "\n" in texts of several lines.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _UNSEEN and c not in keep + _JOINERS else c for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def seconds(text: str) -> float:
    """A time as people write it: seconds (`90.5`), `m:ss.s` or `h:mm:ss`, in seconds.

    Raises:
        ValueError: none of these.
    """
    clock = _CLOCK.fullmatch(text.strip())
    try:
        parts = (text,) if clock is None else clock.groups("0")
        value = sum(float(part) * 60**k for k, part in enumerate(reversed(parts)))
    except ValueError:
        value = math.nan
    if math.isnan(value):
        raise ValueError(f"{text!r} is no time; give seconds, m:ss.s or h:mm:ss")
    return value


def _seconds_of_token(_: type, tokens: Sequence[Token]) -> float:
    return seconds(tokens[0].value)


Seconds = Annotated[float, Parameter(validator=Number(gte=0), converter=_seconds_of_token)]


def table_text(table: Table) -> str:
    """A table as wide as the terminal; a pipe has no width, rows stay whole there.

    Where it does not fit, the column that may be folded (`overflow="fold"`, a path) is; where that would leave too
    little of it, each row becomes a few lines with the columns' names in them, and the path has its own.
    """
    from rich.cells import cell_len

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    names = [shown(str(column.header)) for column in table.columns]
    cells = [[shown(str(cell)) for cell in column.cells] for column in table.columns]
    wide = [max(map(cell_len, [name, *column])) for name, column in zip(names, cells)]
    fold = next((k for k, column in enumerate(table.columns) if column.overflow == "fold"), None)
    others = sum(wide) - (wide[fold] if fold is not None else 0) + _GAP * (len(wide) - 1)
    rows = list(zip(*cells))
    if others + (0 if fold is None else min(wide[fold], _LEAST)) > width:
        return "\n".join(line for row in rows for line in _block(names, row, fold, width))
    if fold is not None:
        wide[fold] = min(wide[fold], width - others)
    right = [column.justify == "right" for column in table.columns]
    return "\n".join(line for row in (names, *rows) for line in _lines(row, wide, right))


def _lines(row: Sequence[str], wide: Sequence[int], right: Sequence[bool]) -> list[str]:
    """A row with its cells one beside the other; in one line, unless a cell is wider than its column."""
    from rich.cells import cell_len, chop_cells

    folded = [chop_cells(cell, room) or [""] if cell_len(cell) > room else [cell] for cell, room in zip(row, wide)]
    lines = []
    for k in range(max(map(len, folded))):
        parts = [cell[k] if k < len(cell) else "" for cell in folded]
        padded = [" " * (room - cell_len(part)) + part if is_right else part + " " * (room - cell_len(part))
                  for part, room, is_right in zip(parts, wide, right)]
        lines.append((" " * _GAP).join(padded).rstrip())
    return lines


def _block(names: Sequence[str], row: Sequence[str], fold: int | None, width: int) -> list[str]:
    """A row as `1  score 0.943  time 2.00 s`, in as many lines as it takes; what may be folded has its own."""
    from rich.cells import cell_len, chop_cells

    lines = [""]
    for k, (name, cell) in enumerate(zip(names, row)):
        if k == fold or not cell:
            continue
        word = cell if name == "#" else f"{name} {cell}"
        if lines[-1] and cell_len(lines[-1]) + _GAP + cell_len(word) > width:
            lines.append("")
            word = "  " + word
        lines[-1] += (" " * _GAP if lines[-1] else "") + word
    if fold is not None:
        lines += [f"  {part}" for part in chop_cells(row[fold], max(width - 2, 1))]
    return lines
