"""The page: HTML with its style and pictures inside, light and dark, for wide and narrow screens and for paper."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from samepose.matching.embeddings import in_words
from samepose.media.draw import LEFT_COLOUR, RIGHT_COLOUR
from samepose.report.cards import LEGEND_TEXT, Card, Section, score_text

SIZE = 440  # pixels: sharp on dense screens at some 220 points
_QUALITY = 82
_FEW = 4  # hits that share one row


def page(sections: Sequence[Section], root: Path, title: str, note: str) -> str:
    """The whole HTML document."""
    body = "\n".join(_section(section, root) for section in sections)
    found = sum(len(s.hits) for s in sections)
    counts = f"{_count(len(sections), 'query', 'queries')}, {_count(found, 'match', 'matches')}"
    return document(title, counts, score_text(sections), body, note)


def document(
    title: str, counts: str, legend_text: str, body: str, note: str = "", *, head: str = "", tail: str = "",
) -> str:
    """An HTML document around sections that are HTML already, as are what else goes into its head and at its end;
    everything else is text."""
    style = (files("samepose.report") / "page.css").read_text("utf-8")
    legend = "".join(
        f'<span class="key"><i style="background:rgb{colour}"></i>{text}</span>'
        for colour, text in zip((LEFT_COLOUR, RIGHT_COLOUR), LEGEND_TEXT)
    )
    footer = f"<p>{escape(note)}</p>" if note else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>
{style}</style>
{head}</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p class="counts">{escape(counts)}</p>
<p class="legend">{legend}<span>{escape(legend_text)}</span></p>
</header>
<main>
{body}
</main>
<footer>
{footer}
<p>samepose {version("samepose")}</p>
</footer>
{tail}</body>
</html>
"""


def _section(section: Section, root: Path) -> str:
    query, cards = section.cards(root, SIZE)
    hits = [card_html(card, str(card.rank or ""), "Match") for card in cards]
    return row(section.title, card_html(query, "Query"), hits or ['<p class="none">Nothing matches.</p>'], len(hits))


def row(title: str, first: str, others: Sequence[str], cards: int) -> str:
    """A section of the page: one card that stands out and others beside it, as HTML; `cards` of the others."""
    few = f' few" style="--hits:{cards}' if 0 < cards <= _FEW else ""
    heading = f"<h2>{escape(title)}</h2>\n" if title else ""
    beside = "\n".join(others)
    return f"""<section>
{heading}<div class="row{few}">
<div class="query">{first}</div>
<div class="hits">{beside}</div>
</div>
</section>"""


def card_html(card: Card, tag: str, kind: str = "") -> str:
    """A person as HTML, with a tag in the picture's corner; the picture's words begin with kind and tag."""
    name = f"{card.name} {card.when}".strip()
    alt = f"{f'{kind} {tag}'.strip()}: {name}"
    rank = f'<b class="rank">{tag}</b>' if tag else ""
    badge = '<b class="mirrored">mirrored</b>' if card.mirrored else ""
    lines = [
        "" if card.score is None else _score(card.score),
        f'<p class="name" title="{escape(_path(card))}">{_breakable(card.name)}</p>',
        f'<p class="folder" title="{escape(card.folder)}"><bdi>{escape(card.folder)}</bdi></p>' if card.folder else "",
        _when(card.when),
        f'<p class="problem">{escape(card.problem)}</p>' if card.problem else "",
        f'<p class="facts">{"".join(f"<span>{escape(fact)}</span>" for fact in card.facts)}</p>' if card.facts else "",
        f'<p class="id">{escape(card.id)}</p>' if card.id else "",
    ]
    image = (f'<img src="{data_uri(card.picture)}" alt="{escape(alt)}" width="{card.picture.shape[1]}" '
             f'height="{card.picture.shape[0]}">')
    if card.link:
        image = f'<a href="{escape(card.link)}">{image}</a>'
    return f"""<article>
<figure>{image}{rank}{badge}</figure>
{"".join(line for line in lines if line)}
</article>"""


def _score(score: float) -> str:
    bar = f'<span class="bar"><span style="width:{100 * score:.1f}%"></span></span>'
    return f'<p class="score"><b>{score:.2f}</b>{bar}<span>{in_words(score)}</span></p>'


def _when(when: str) -> str:
    time, _, span = when.partition("  ")
    more = f" <small>{escape(span)}</small>" if span else ""
    return f'<p class="when">{escape(time)}{more}</p>' if when else ""


def _path(card: Card) -> str:
    return f"{card.folder.rstrip('/')}/{card.name}" if card.folder else card.name


def _breakable(name: str) -> str:
    """A file name that a browser breaks where people would."""
    return re.sub(r"([_-]+)(?=.)", r"\1<wbr>", escape(name))


def data_uri(picture: UInt8[np.ndarray, "height width 3"]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"
