"""Pictures of what was found, after the figures 3 and 8 of Mori 2015."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from samepose.errors import SameposeError
from samepose.evaluation.image_run import ORACLE, Results
from samepose.files import written
from samepose.geometry.pose_difference import HIT
from samepose.media.draw import LEFT_COLOUR, RIGHT_COLOUR

_QUERIES = 12  # as many as the paper shows
_HITS = 7
_CELL, _GAP, _EDGE, _WORDS = 168, 8, 24, 24  # pixels
_ACROSS = 2  # triples of figure 3 beside each other
_PAPER, _INK, _SOFT, _QUERY = (246, 246, 244), (28, 29, 31), (104, 107, 112), (200, 30, 40)
_LINE = 3
_JOINTS = ("joints", "movenet", "cpm", "cpm-synthetic")  # models that compare joints

_Cell = tuple[int, str, tuple[int, int, int]]  # row of `CroppedPeople`, words below, colour of the frame


def shown_models(results: Results) -> list[str]:
    """The model of figure 8, and the one by joints that figure 3 sets beside it, as far as they were measured.

    Raises:
        SameposeError: there is none: nothing but the oracle and random choice.
    """
    names = [name for name in results.distances if name != ORACLE and "+" not in name]
    if not names:
        raise SameposeError("there is nothing to show: no model was measured, only oracle and random choice")
    first = "image" if "image" in names else names[0]
    return [first, *[name for name in _JOINTS if name in names and name != first][:1]]


def confident_sheet(results: Results, out: Path) -> None:
    """Figure 8: the queries that lie nearest to their first hit, the nearest first, each with its ranked hits."""
    model = shown_models(results)[0]
    ranking, distances = results.rankings[model], results.distances[model]
    first = distances[np.arange(len(distances)), ranking.order[:, 0]]
    rows = []
    for query in np.argsort(first, kind="stable")[:_QUERIES].tolist():
        hits = [hit for hit in ranking.order[query, :_HITS].tolist() if hit >= 0]
        rows.append([_query(results, query), *(_hit(results, query, hit) for hit in hits)])
    _draw(results, rows, out, f"{model}: the most confidently matched queries, and what is ranked first for them",
          f"In red the query; then the first {_HITS}, with the difference of their marked joints from the query's.")


def compared_sheet(results: Results, out: Path) -> None:
    """Figure 3: queries evenly drawn from all, what the model by joints ranks first, and what the other does."""
    names = list(reversed(shown_models(results)))
    count = min(2 * _QUERIES, len(results.split.queries))
    triples = []
    for query in np.linspace(0, len(results.split.queries) - 1, count).round().astype(int).tolist():
        triples.append([_query(results, query), *(
            _hit(results, query, int(results.rankings[name].order[query, 0]), name) for name in names)])
    rows = [[cell for triple in triples[start : start + _ACROSS] for cell in triple]
            for start in range(0, count, _ACROSS)]
    _draw(results, rows, out, f"Ranked first by {' and by '.join(names)}, for queries drawn evenly",
          "In red the query; the others with the difference of their marked joints from the query's.")


def _query(results: Results, query: int) -> _Cell:
    return int(results.split.queries[query]), f"best there is: {results.task.best[query]:.0f} px", _QUERY


def _hit(results: Results, query: int, hit: int, name: str = "") -> _Cell:
    difference = results.task.differences[query, hit]
    mixed = results.task.query_facing[query] * results.task.facing[hit] < 0
    words = f"{name + ': ' if name else ''}{difference:.0f} px{', other side' if mixed else ''}"
    return int(results.split.database[hit]), words, RIGHT_COLOUR if difference <= HIT else LEFT_COLOUR


def _draw(results: Results, rows: Sequence[Sequence[_Cell]], out: Path, title: str, legend: str) -> None:
    columns = max(map(len, rows))
    large, small = ImageFont.load_default(size=22), ImageFont.load_default(size=14)
    width = 2 * _EDGE + columns * (_CELL + _GAP) - _GAP
    heading = wrapped(title, large, width - 2 * _EDGE)
    words_of = wrapped(f"{legend} Blue: within {HIT:g} px, a hit; orange: none.", small, width - 2 * _EDGE)
    below = 16 + 32 * len(heading)
    head = below + 18 * len(words_of) + 12
    canvas = Image.new("RGB", (width, head + len(rows) * (_CELL + _WORDS + _GAP) + _EDGE), _PAPER)
    pen = ImageDraw.Draw(canvas)
    for line, text in enumerate(heading):
        pen.text((_EDGE, 16 + 32 * line), text, _INK, large)
    for line, text in enumerate(words_of):
        pen.text((_EDGE, below + 18 * line), text, _SOFT, small)
    for line, row in enumerate(rows):
        for column, (person, words, colour) in enumerate(row):
            x, y = _EDGE + column * (_CELL + _GAP), head + line * (_CELL + _WORDS + _GAP)
            canvas.paste(Image.fromarray(_picture(results, person)), (x, y))
            pen.rectangle((x, y, x + _CELL - 1, y + _CELL - 1), None, colour, _LINE)
            pen.text((x + 2, y + _CELL + 3), words, _INK, small)
    with written(out) as part:
        canvas.save(part, "PNG")


def wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> list[str]:
    """Lines of whole words, none wider than so many pixels where its words are not."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _picture(results: Results, person: int) -> UInt8[np.ndarray, "size size 3"]:
    return results.cropped.squares[person].crop(results.cropped.people.image(person), _CELL)
