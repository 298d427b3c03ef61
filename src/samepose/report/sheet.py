"""The contact sheet: the same cards as the page in one PNG, or a few where there are many, to paste anywhere."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from samepose.media.draw import LEFT_COLOUR, RIGHT_COLOUR
from samepose.report.cards import LEGEND_TEXT, Card, Section, score_text

Colour = tuple[int, int, int]

_PAPER: Colour = (246, 246, 244)
_CARD: Colour = (255, 255, 255)
_LINE: Colour = (223, 223, 219)
_WELL: Colour = (233, 233, 229)
_INK: Colour = (28, 29, 31)
_SOFT: Colour = (104, 107, 112)
_ACCENT: Colour = (11, 122, 117)
_MIRRORED: Colour = (138, 62, 166)
_WARN: Colour = (154, 74, 0)

_CELL, _GAP, _EDGE, _INSET = 300, 16, 28, 12  # pixels
_HEAD = 92
_COLUMNS = 5  # of hits
HITS_PER_SHEET = 60  # twelve rows, some 5,000 pixels high: what viewers and pages still show
_ROUND = 10
_SYSTEM_FONTS = ("NotoSans-Regular.ttf", "DejaVuSans.ttf", "Arial Unicode.ttf", "Arial.ttf", "arial.ttf")
_LINES = {"score": 34, "name": 23, "small": 20}  # height of a line of text by its kind


@dataclass(frozen=True)
class _Line:
    kind: str
    text: str
    colour: Colour


def numbered(path: Path, pages: int) -> list[Path]:
    """Where so many sheets go: `found.png`, `found-2.png`, …"""
    return [path, *(path.with_name(f"{path.stem}-{n}{path.suffix}") for n in range(2, pages + 1))]


def sheet_paths(path: Path, hits: int) -> list[Path]:
    """Where the sheets of one query with so many hits go."""
    return numbered(path, max(-(-hits // HITS_PER_SHEET), 1))


def paged(sections: Sequence[Section]) -> list[list[Section]]:
    """The sections of each sheet: a long one goes on over several, with its query on each; at least one sheet."""
    pages: list[list[Section]] = [[]]
    for section in sections:
        for start in range(0, max(len(section.hits), 1), HITS_PER_SHEET):
            part = slice(start, start + HITS_PER_SHEET)
            piece = replace(section, hits=section.hits[part], notes=section.notes[part], first=section.first + start)
            if pages[-1] and sum(max(len(s.hits), 1) for s in [*pages[-1], piece]) > HITS_PER_SHEET:
                pages.append([])
            pages[-1].append(piece)
    return pages


def sheet(sections: Sequence[Section], root: Path, title: str, note: str) -> bytes:
    """The PNG file."""
    rows = [section.cards(root, _CELL) for section in sections]
    columns = max(min(max((len(hits) for _, hits in rows), default=0), _COLUMNS), 2)
    width = 2 * _EDGE + (columns + 1) * _CELL + columns * _GAP
    heights = [_section_height(section, *cards, columns) for section, cards in zip(sections, rows)]
    height = _HEAD + sum(heights) + _EDGE + (24 if note else 0)
    canvas = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(canvas)
    _header(pen, title, score_text(sections), width)
    y = _HEAD
    for section, (query, hits), tall in zip(sections, rows, heights):
        _draw_section(canvas, y, section, query, hits, columns)
        y += tall
    if note:
        font = _font(14, note)
        pen.text((_EDGE, y + 4), _fitted(note, font, width - 2 * _EDGE), _SOFT, font)
    buffer = io.BytesIO()
    canvas.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _header(pen: ImageDraw.ImageDraw, title: str, scores: str, width: int) -> None:
    pen.text((_EDGE, 22), title, _INK, _font(28, title))
    x = float(_EDGE)
    for colour, text in zip((LEFT_COLOUR, RIGHT_COLOUR), LEGEND_TEXT):
        pen.rounded_rectangle((x, 69, x + 22, 74), 3, colour)
        pen.text((x + 30, 62), text, _SOFT, _font(15))
        x += 30 + _font(15).getlength(text) + 24
    room = width - _EDGE - x
    first, stop, rest = scores.partition(". ")
    lines = [(62, scores)] if not rest or _font(15).getlength(scores) <= room else [(47, first + stop), (67, rest)]
    for y, text in lines:
        pen.text((x, y), _fitted(text, _font(15), room), _SOFT, _font(15))


def _section_height(section: Section, query: Card, hits: list[Card], columns: int) -> int:
    tall = sum(_row_height(row) + _GAP for row in _rows(hits, columns))
    return max(tall, _card_height(query) + _GAP) + (30 if section.title else 0)


def _draw_section(
    canvas: Image.Image, y: int, section: Section, query: Card, hits: list[Card], columns: int
) -> None:
    if section.title:
        ImageDraw.Draw(canvas).text((_EDGE, y), section.title, _INK, _font(17, section.title))
        y += 30
    rows = _rows(hits, columns)
    _draw_card(canvas, _EDGE, y, query, _row_height([query, *rows[0]]) if len(rows) == 1 else _card_height(query))
    if not hits:
        ImageDraw.Draw(canvas).text((_EDGE + _CELL + _GAP, y + 20), "Nothing matches.", _SOFT, _font(17))
    for row in rows:
        tall = _row_height([query, *row]) if len(rows) == 1 else _row_height(row)
        for column, card in enumerate(row, 1):
            _draw_card(canvas, _EDGE + column * (_CELL + _GAP), y, card, tall)
        y += tall + _GAP


def _draw_card(canvas: Image.Image, x: int, y: int, card: Card, height: int) -> None:
    pen = ImageDraw.Draw(canvas)
    outline, line = (_ACCENT, 3) if card.score is None else (_LINE, 1)
    pen.rounded_rectangle((x, y, x + _CELL - 1, y + height - 1), _ROUND, _CARD)
    well = Image.new("RGB", (_CELL, _CELL), _WELL)
    tall, wide = card.picture.shape[:2]
    well.paste(Image.fromarray(card.picture), ((_CELL - wide) // 2, (_CELL - tall) // 2))
    mask = Image.new("L", (_CELL, _CELL + _ROUND), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, _CELL - 1, _CELL + _ROUND), _ROUND, 255)
    canvas.paste(well, (x, y), mask.crop((0, 0, _CELL, _CELL)))
    pen.rounded_rectangle((x, y, x + _CELL - 1, y + height - 1), _ROUND, None, outline, line)
    if card.score is None:
        _badge(pen, x + 9, y + 9, "Query", _ACCENT)
    elif card.rank is not None:
        _badge(pen, x + 9, y + 9, str(card.rank), _INK)
    if card.mirrored:
        _badge(pen, x + _CELL - 9, y + 9, "mirrored", _MIRRORED, right=True)
    _draw_words(pen, x + _INSET, y + _CELL + 10, card)


def _draw_words(pen: ImageDraw.ImageDraw, x: int, y: int, card: Card) -> None:
    room = _CELL - 2 * _INSET
    if card.score is not None:
        pen.text((x, y + 2), f"{card.score:.2f}", _INK, _font(23))
        pen.rounded_rectangle((x + 62, y + 13, x + room, y + 20), 4, _WELL)
        pen.rounded_rectangle((x + 62, y + 13, x + 62 + max((room - 62) * card.score, 7), y + 20), 4, _ACCENT)
        y += _LINES["score"]
    for line in _lines(card):
        font = _font(17 if line.kind == "name" else 14, line.text)
        pen.text((x, y), _fitted(line.text, font, room), line.colour, font)
        y += _LINES[line.kind]


def _lines(card: Card) -> list[_Line]:
    lines = [
        _Line("name", card.name, _INK), _Line("small", card.folder, _SOFT), _Line("small", card.when, _INK),
        *(_Line("small", text, _WARN) for text in _wrapped(card.problem or "", _CELL - 2 * _INSET)),
        _Line("small", ",  ".join(card.facts), _SOFT), _Line("small", card.id, _SOFT),
    ]
    return [line for line in lines if line.text]


def _card_height(card: Card) -> int:
    words = sum(_LINES[line.kind] for line in _lines(card)) + (0 if card.score is None else _LINES["score"])
    return _CELL + 10 + words + 10


def _row_height(cards: list[Card]) -> int:
    return max(map(_card_height, cards))


def _rows(hits: list[Card], columns: int) -> list[list[Card]]:
    return [hits[start : start + columns] for start in range(0, len(hits), columns)]


def _badge(pen: ImageDraw.ImageDraw, x: float, y: float, text: str, colour: Colour, right: bool = False) -> None:
    font = _font(15)
    wide = font.getlength(text) + 20
    x -= wide if right else 0
    pen.rounded_rectangle((x, y, x + wide, y + 24), 12, colour)
    pen.text((x + 10, y + 12), text, _CARD, font, anchor="lm")


def _fitted(text: str, font: Any, room: float) -> str:
    """The text, its middle cut out where it is wider than `room`: the ends of a file name tell most."""
    if font.getlength(text) <= room:
        return text
    kept = len(text)
    while kept > 2 and font.getlength(_shortened(text, kept)) > room:
        kept -= 1
    return _shortened(text, kept)


def _shortened(text: str, kept: int) -> str:
    return text[: kept - kept // 2] + "…" + text[len(text) - kept // 2 :]


def _wrapped(text: str, room: float, most: int = 3) -> list[str]:
    """Lines of whole words."""
    lines: list[str] = []
    for word in text.split():
        if lines and _font(14).getlength(f"{lines[-1]} {word}") <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines[:most]


@cache
def _font(size: int, text: str = "") -> Any:
    """Pillow's own font; one of the system's, where there is one, for letters that Pillow's lacks."""
    if not text.isascii():
        for name in _SYSTEM_FONTS:
            with suppress(OSError):
                return ImageFont.truetype(name, size)
    return ImageFont.load_default(size=size)
