"""`samepose info`, `remove` and `label`: what an index holds."""

from __future__ import annotations

from dataclasses import asdict

from samepose.cli.options import DEFAULTS, Options, counted, people_text
from samepose.cli.text import shown
from samepose.errors import SameposeError, UsageError


def info(*, options: Options = DEFAULTS) -> None:
    """Say what an index holds: files, people, labels, model and size."""
    facts = options.open_index().info()
    lines = [
        ("index", facts.uri), ("paths start at", facts.root),
        ("files", f"{facts.media} ({_counts(facts.kind)}): {_counts(facts.status)}"),
        ("people", f"{facts.people}, {facts.searchable} of them searchable"), ("labels", _counts(facts.labels)),
        ("found by", ", ".join(f"{s.name}: {s.model} ({s.sha256[:8]})" for s in facts.spaces)),
        ("format", facts.format),
        ("size", "unknown" if facts.bytes is None else f"{facts.bytes / 1e6:.1f} MB"),
    ]
    options.result(asdict(facts), "\n".join(f"{name + ':':16}{shown(str(value))}" for name, value in lines))


def remove(*what: str, options: Options = DEFAULTS) -> None:
    """Remove files or people from an index; the files themselves stay where they are.

    Args:
        what: Patterns of paths such as "holiday/*", or ids of people from a search.
    """
    if not what:
        raise UsageError("name what to remove: a pattern of paths, or ids")
    people, files = options.open_index().remove(what)
    if not (people or files):
        raise SameposeError(f"{options.index}: nothing matches {' '.join(what)}; `samepose info` says what there is")
    options.done({"index": options.index, "people": people, "files": files},
                 f"{options.index}: {counted(files, 'file')} and {people_text(people)} removed")


def label(*what_name: str, options: Options = DEFAULTS) -> None:
    """Give files or people of an index a label, to search by with --label.

    Args:
        what_name: Patterns of paths or ids of people; last the label, "" to take labels off.
    """
    if len(what_name) < 2:
        raise UsageError("name what to label (a pattern of paths, or ids), and last the label")
    *what, name = what_name
    people = options.open_index().label(what, name or None)
    if not people:
        raise SameposeError(f"{options.index}: nobody matches {' '.join(what)}; `samepose info` says what there is")
    options.done({"index": options.index, "people": people, "label": name or None},
                 f"{options.index}: {people_text(people)} "
                 + (f"labelled {name!r}" if name else "without a label now"))


def _counts(parts: dict[str, int]) -> str:
    return ", ".join(f"{n} {shown(name)}" for name, n in parts.items()) or "none"
