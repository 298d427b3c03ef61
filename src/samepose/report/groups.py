"""The page of groups: a row of cards for each of the largest, the medoid first, and at last some who are in none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

from samepose.report.cards import hit_card
from samepose.report.page import SIZE, card_html, document, row

if TYPE_CHECKING:
    from samepose.index import Group, Groups, Hit

_GROUPS = 40  # on a page; each picture takes some 30 kB
_MEMBERS = 8  # of a group, beside its medoid
_NOISE = 16
_LEGEND = ("Score: how probable it is that a member and the most typical one of its group are in the same pose (0 to "
           "1). Members are shown from the likeliest to the least likely.")


@dataclass(frozen=True, eq=False)
class Row:
    """People to show: of a group the medoid first, or of the noise."""

    title: str
    group: Group | None
    people: list[Hit]


def shown_people(groups: Groups) -> list[Row]:
    """The largest groups, of each some members all the way from the likeliest to the least likely, and some noise."""
    rows = []
    for group in groups[:_GROUPS]:
        some = _spread(range(1, group.size), _MEMBERS)
        chosen = [0, *some]
        people = groups.people([group.members[i] for i in chosen], [group.scores[i] for i in chosen])
        text = f"Group {group.id}: {_people(group.size)}"
        rows.append(Row(text + _distinct(group), group, people))
    noise = [groups.noise[i] for i in _spread(range(len(groups.noise)), _NOISE)]
    title = f"Noise: {_people(len(groups.noise))} in no group"
    return [*rows, Row(title, None, groups.people(noise, [0.0] * len(noise)))]


def groups_page(groups: Groups, rows: Sequence[Row], title: str) -> str:
    """The whole HTML document."""
    inside = sum(group.size for group in groups)
    counts = [f"{len(groups)} {'group' if len(groups) == 1 else 'groups'} of {_people(inside)}",
              f"{len(groups.noise):,} in none"]
    if groups.not_embedded:
        counts.append(f"{groups.not_embedded:,} too little seen to compare")
    note = "" if len(groups) <= _GROUPS else f"The {_GROUPS} largest of {len(groups):,} groups are shown."
    return document(title, ", ".join(counts), _LEGEND, "\n".join(_section(each, groups) for each in rows), note)


def _section(each: Row, groups: Groups) -> str:
    cards = [hit_card(hit, "", groups.root, SIZE) for hit in each.people]
    if each.group is None:
        beside = "\n".join(card_html(replace(card, score=None), "", "Noise") for card in cards)
        return (f'<section>\n<h2>{escape(each.title)}</h2>\n<div class="hits">'
                f'{beside or "<p>Nobody.</p>"}</div>\n</section>')
    if not cards:
        return f"<section>\n<h2>{escape(each.title)}</h2>\n<p>None of them is in the index any more.</p>\n</section>"
    first = card_html(replace(cards[0], score=None), "Most typical")
    return row(each.title, first, [card_html(card, "", "Member") for card in cards[1:]], len(cards) - 1)


def _spread(rows: range, count: int) -> list[int]:
    """So many of the rows at most, evenly spaced, the first and the last among them."""
    if len(rows) <= count:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (count - 1))] for i in range(count)]


def _people(n: int) -> str:
    return f"{n:,} {'person' if n == 1 else 'people'}"


def _distinct(group: Group) -> str:
    return "" if group.sightings == group.size else f", {group.sightings:,} without near-duplicates of a video"
