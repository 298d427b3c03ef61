"""Reads `results/*.json` (results/README.md says what is in them) and writes one page for each.

A broken file stops the build: an unknown or missing key, a figure that is not there, one that is never shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

GROUPS = ("Embedding", "Probability", "Sequences", "Keypoints", "Speed")
REQUIRED = ("title", "group", "summary", "commands", "commit", "date", "machine", "setup", "equal", "budget", "figures",
            "body", "limits")
BLOCK = {"heading", "command", "text", "columns", "rows", "caption", "image", "alt"}
_TARGETS = {"at_least": ("at least", lambda value, bound: value >= bound),
            "at_most": ("at most", lambda value, bound: value <= bound)}
_REFERENCE = re.compile(r"\{([a-z0-9][a-z0-9_.-]*)\}")


class BrokenResultError(ValueError):
    """A file of results that does not hold to the schema; says which and where."""


@dataclass(frozen=True)
class Figure:
    """One measured value. `target` is (at_least or at_most, bound), None where nothing was aimed at."""

    name: str
    value: str
    unit: str
    target: tuple[str, float] | None

    @property
    def met(self) -> bool | None:
        """Whether the target is reached."""
        return None if self.target is None else _TARGETS[self.target[0]][1](float(self.value), self.target[1])

    @property
    def shown(self) -> str:
        """Value and unit."""
        return f"{_number(float(self.value)) if self.value.isdigit() else self.value} {self.unit}".rstrip()

    @classmethod
    def of(cls, where: str, fields: dict[str, Any]) -> Figure:
        """From its JSON object."""
        extra = fields.keys() - {"name", "value", "unit", "target"}
        if extra or not {"name", "value", "unit"} <= fields.keys():
            raise BrokenResultError(f"{where}: a figure has name, value, unit and perhaps target, not {sorted(fields)}")
        value, target = fields["value"], None
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise BrokenResultError(f"{where}: value is {value!r}; expected a number")
        try:
            float(value)
            if "target" in fields:
                ((kind, bound),) = fields["target"].items()
                target = (kind, float(bound))
                _TARGETS[kind]
        except (ValueError, KeyError, AttributeError) as error:
            raise BrokenResultError(f"{where}: {error}; value is a number, target one of {list(_TARGETS)}") from error
        return cls(fields["name"], str(value), fields["unit"], target)


@dataclass(frozen=True)
class Topic:
    """One file of results. `fields` is its JSON, checked."""

    name: str
    fields: dict[str, Any]
    figures: dict[str, Figure]

    def filled(self, text: str) -> str:
        """The text with values for `{id}`; a percentage stays on one line."""
        text = _REFERENCE.sub(lambda found: self.figures[found[1]].value, text)
        return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", text)

    def texts(self) -> Iterator[str]:
        """Everything in which a figure may be named."""
        yield from (self.fields[key] or "" for key in ("summary", "setup", "equal", "budget"))
        yield from (*self.fields["limits"], *self.fields.get("withdrawn", ()))
        for block in self.fields["body"]:
            yield from (block.get("text", ""), block.get("caption", ""))
            yield from (str(cell) for row in block.get("rows", ()) for cell in row)


def read_topics(folder: Path) -> list[Topic]:
    """All topics of a folder, in order of their groups and titles.

    Raises:
        BrokenResultError: a file that does not hold to the schema.
    """
    topics = [read_topic(path) for path in folder.glob("*.json")]
    return sorted(topics, key=lambda t: (GROUPS.index(t.fields["group"]), t.fields["title"]))


def read_topic(path: Path) -> Topic:
    """One checked topic."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_without_doubles)
    except ValueError as error:
        raise BrokenResultError(f"{path}: {error}") from error
    wrong = set(REQUIRED) ^ (fields.keys() - {"withdrawn"})
    if wrong:
        raise BrokenResultError(f"{path}: keys that are missing or unknown: {', '.join(sorted(wrong))}")
    figures = {id: Figure.of(f"{path}: {id}", figure) for id, figure in fields["figures"].items()}
    topic = Topic(path.stem, fields, figures)
    _check(path, topic)
    return topic


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; one key twice would hide a figure."""
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError(f"a key stands twice among {[key for key, _ in pairs]}")
    return dict(pairs)


def _check(path: Path, topic: Topic) -> None:
    fields = topic.fields
    if fields["group"] not in GROUPS:
        raise BrokenResultError(f"{path}: group is {fields['group']!r}; expected one of {', '.join(GROUPS)}")
    if not re.fullmatch(r"[0-9a-f]{7,40}", fields["commit"]) or not re.fullmatch(r"\d{4}-\d\d-\d\d", fields["date"]):
        raise BrokenResultError(f"{path}: commit is 7 to 40 hexadecimal digits and date YYYY-MM-DD")
    if not fields["commands"]:
        raise BrokenResultError(f"{path}: name the command that printed the figures")
    for n, block in enumerate(fields["body"]):
        if block.keys() - BLOCK or ("rows" in block) != ("columns" in block) or ("image" in block) != ("alt" in block):
            raise BrokenResultError(f"{path}: block {n} of the body has {sorted(block)}")
        if any(len(row) != len(block["columns"]) for row in block.get("rows", ())):
            raise BrokenResultError(f"{path}: block {n}: a row has not {len(block['columns'])} cells")
    named = {id for text in topic.texts() for id in _REFERENCE.findall(text)}
    if named - topic.figures.keys():
        raise BrokenResultError(f"{path}: no figure {', '.join(sorted(named - topic.figures.keys()))}")
    silent = {id for id, figure in topic.figures.items() if figure.target is None} - named
    if silent:
        raise BrokenResultError(f"{path}: never shown: {', '.join(sorted(silent))}")


def page(topic: Topic) -> str:
    """A topic as Markdown."""
    fields = topic.fields
    lines = [f"# {fields['title']}", fields["summary"], _code(fields["commands"])]
    aims = [[f.name, f.shown, f"{_TARGETS[f.target[0]][0]} {_number(f.target[1])} {f.unit}".rstrip(),
             "met" if f.met else "**missed**"] for f in topic.figures.values() if f.target]
    if aims:
        lines += ["## Against the targets", _table(["", "measured", "target", ""], aims)]
    lines.append("## What was measured")
    lines += [fields["setup"], *(f"**{title}.** {fields[key]}" for title, key in
                                 (("Held equal", "equal"), ("Budget", "budget")) if fields[key])]
    for block in fields["body"]:
        lines += _block(block)
    for title, key in (("What this cannot show", "limits"), ("Withdrawn", "withdrawn")):
        if fields.get(key):
            lines += [f"## {title}", "\n".join(f"- {line}" for line in fields[key])]
    lines.append(f"{{.provenance}}\nMeasured {fields['date']} at commit `{fields['commit']}` on {fields['machine']}.")
    return topic.filled("\n\n".join(lines)) + "\n"


def _block(block: dict[str, Any]) -> Iterator[str]:
    if "heading" in block:
        yield f"### {block['heading']}"
    if "command" in block:
        yield _code([block["command"]])
    if "text" in block:
        yield block["text"]
    if "rows" in block:
        yield _table(block["columns"], block["rows"])
    if "caption" in block:
        yield f"*{block['caption']}*"
    if "image" in block:
        yield f"![{block['alt']}](../{block['image']})"


def _code(commands: list[str]) -> str:
    return "```console\n" + "\n".join(f"$ {command}" for command in commands) + "\n```"


def _table(columns: list[str], rows: list[list[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(value: Any) -> str:
    """One cell; what is between slashes stays on one line."""
    return str(value).replace("|", "\\|").replace(" / ", "\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) and abs(value) >= 1 else f"{value:g}"


def write_pages(results: Path, out: Path) -> None:
    """A page for each topic, and one that lists them."""
    topics = read_topics(results)
    missed = [f for topic in topics for f in topic.figures.values() if f.met is False]
    aimed = [f for topic in topics for f in topic.figures.values() if f.target]
    lines = ["# Results", "What was measured, with the command that printed it, what was held equal, and what it "
             f"cannot show. Of {len(aimed)} targets {len(aimed) - len(missed)} are met and {len(missed)} missed; each "
             "page says which. All of it can be measured again with your data."]
    for group, members in groupby(topics, lambda t: t.fields["group"]):
        each = list(members)
        lines += [f"## {group}", "\n".join(f"- [{t.fields['title']}]({t.name}.md). {t.filled(t.fields['summary'])}"
                                           for t in each)]
    lines.append("```{toctree}\n:hidden:\n\n" + "\n".join(topic.name for topic in topics) + "\n```")
    written = {"index.md": "\n\n".join(lines) + "\n", **{f"{topic.name}.md": page(topic) for topic in topics}}
    out.mkdir(exist_ok=True)
    for name, text in written.items():
        (out / name).write_text(text, encoding="utf-8")
    for old in set(out.glob("*.md")) - {out / name for name in written}:
        old.unlink()
