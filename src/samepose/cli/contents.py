"""`samepose info`, `remove` and `label`: what an index holds."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from samepose.cli.options import DEFAULTS, Flag, Options, counted, people_text
from samepose.cli.text import shown, table_text
from samepose.errors import FormatError, SameposeError, UsageError
from samepose.files import written

if TYPE_CHECKING:
    from samepose import Index


def info(
    *, files: Flag = False, failed: Flag = False, export: Path | None = None, options: Options = DEFAULTS
) -> None:
    """Say what an index holds: files, people, labels, model and size.

    Args:
        files: List all files with their status.
        failed: List the files that could not be read, wholly or to the end, and why.
        export: Write all labels to this JSON file, for `samepose label --import`.
    """
    index = options.open_index()
    if export is not None:
        options.output(export, (".json",))
        _export(index, export, options)
        return
    if files or failed:
        _list(index, failed, options)
        return
    facts = index.info()
    lines = [
        ("index", facts.uri), ("paths start at", facts.root),
        ("files", f"{facts.media} ({_counts(facts.kind)}): {_counts(facts.status)}"),
        ("people", f"{facts.people}, {facts.searchable} of them searchable"), ("labels", _counts(facts.labels)),
        ("found by", "; ".join(f"{space.name}: {space.model} ({space.sha256[:8]}){_covered(facts.covered, space.name)}"
                               for space in facts.spaces)),
        ("format", facts.format),
        ("size", "unknown" if facts.bytes is None else f"{facts.bytes / 1e6:.1f} MB"),
    ]
    if facts.research_only:
        were = "file was" if facts.research_only == 1 else "files were"
        lines.append(("licence", f"{facts.research_only:,} {were} read by a network that is for research only, and so "
                                 "are their people"))
    options.result(asdict(facts), "\n".join(f"{name + ':':16}{shown(str(value))}" for name, value in lines))


def remove(*what: str, yes: Flag = False, dry_run: Flag = False, options: Options = DEFAULTS) -> None:
    """Remove files or people from an index; the files themselves stay where they are.

    More than 20 files, or half of the index, are removed only after a question.

    Args:
        what: Patterns of paths such as "holiday/*", or ids of people from a search.
        yes: Do not ask.
        dry_run: Only list what would be removed.
    """
    if not what:
        raise UsageError("name what to remove: a pattern of paths, or ids")
    index = options.open_index()
    meant = index.remove(what, dry_run=True)
    if not any(meant):
        raise SameposeError(f"{options.index}: nothing matches {' '.join(what)}; `samepose info` says what there is")
    if dry_run:
        paths = [medium.path for medium in index.select(what)]
        options.result({"index": options.index, **meant._asdict(), "paths": paths},
                       "\n".join([*map(shown, paths), f"{options.index}: {_removed(*meant)} would be removed"]))
        return
    if not yes and meant.much(index.info().media):
        _ask(f"{options.index}: {_removed(*meant)} would be removed", options)
    people, files = index.remove(what)
    options.done({"index": options.index, "people": people, "files": files},
                 f"{options.index}: {_removed(people, files)} removed")


def label(
    *what_name: str,
    import_: Annotated[Path | None, Parameter("--import")] = None,
    options: Options = DEFAULTS,
) -> int:
    """Give files or people of an index a label, to search by with --label.

    Args:
        what_name: Patterns of paths or ids of people; last the label, "" to take labels off.
        import_: Give back all labels that `samepose info --export` wrote to this file.
    """
    if import_ is not None:
        if what_name:
            raise UsageError("--import says itself whom to label; name nobody beside it")
        return _import(options.open_index(), import_, options)
    if len(what_name) < 2:
        raise UsageError("name what to label (a pattern of paths, or ids), and last the label")
    *what, name = what_name
    people = options.open_index().label(what, name or None)
    if not people:
        raise SameposeError(f"{options.index}: nobody matches {' '.join(what)}; `samepose info` says what there is")
    options.done({"index": options.index, "people": people, "label": name or None},
                 f"{options.index}: {people_text(people)} "
                 + (f"labelled {name!r}" if name else "without a label now"))
    return 0


def _list(index: Index, failed: bool, options: Options) -> None:
    """Files with their status; all, or those with which something is amiss."""
    media = [m for m in index.select() if not failed or m.error is not None or m.status == "partial"]
    value = [m.to_json() for m in media]
    if options.json:
        options.result(value, "")
        return
    if not media:
        options.note(f"{options.index}: {'no file has failed' if failed else 'holds no file'}")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("status", "people", "path", *(["error"] if any(m.error for m in media) else [])):
        table.add_column(name, justify="right" if name == "people" else "left", overflow="fold")
    for m in media:
        error = [Text(shown(m.error or ""))] if len(table.columns) > 3 else []
        table.add_row(m.status, str(m.people), Text(shown(m.path)), *error)
    options.result(value, table_text(table))


def _export(index: Index, file: Path, options: Options) -> None:
    labels = index.labels()
    with written(file) as part:
        part.write_text(json.dumps(labels, indent=1), encoding="utf-8")
    if labels["incomplete"]:
        options.warn(f"only labels of whole files could be read: {labels['incomplete']}")
    files = len(labels["media"])
    options.done({"index": options.index, "export": str(file), "files": files, "incomplete": labels["incomplete"]},
                 f"{options.index}: labels of {counted(files, 'file')} written to {file}")


def _import(index: Index, file: Path, options: Options) -> int:
    people, lost = index.restore_labels(_read(file))
    for path, why in lost:
        options.warn(f"{path}: {why}; label it by hand")
    options.done({"index": options.index, "people": people, "lost": [{"path": p, "error": why} for p, why in lost]},
                 f"{options.index}: {people_text(people)} labelled as {file} says")
    return 0 if not lost else 1 if people else 3


def _read(file: Path) -> dict[str, Any]:
    """The JSON object in a file."""
    if not file.is_file():
        raise UsageError(f"{file}: no such file")
    try:
        labels = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{file}: is not the JSON that `samepose info --export` wrote") from error
    if not isinstance(labels, dict):
        raise FormatError(f"{file}: is not the JSON that `samepose info --export` wrote")
    return labels


def _ask(what: str, options: Options) -> None:
    """Go on only when somebody at a terminal says yes.

    Raises:
        UsageError: nobody is there to ask.
        SameposeError: the answer is no.
    """
    if options.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{what}; say --yes to do so, or --dry-run for a list")
    print(f"{what}. Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise SameposeError("nothing was removed")


def _removed(people: int, files: int) -> str:
    return f"{counted(files, 'file')} and {people_text(people)}"


def _covered(covered: dict[str, int], space: str) -> str:
    return f", {people_text(covered[space])}" if len(covered) > 1 else ""


def _counts(parts: dict[str, int]) -> str:
    return ", ".join(f"{n} {shown(name)}" for name, n in parts.items()) or "none"
