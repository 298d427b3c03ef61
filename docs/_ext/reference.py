"""The reference: a page for each public name from its docstring, for each verb from the command line's own help."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import samepose

_KINDS = ("Classes", "Functions", "Protocols", "Errors", "Data")
_EVERYWHERE = re.compile(r"\*\*Everywhere\*\*:\n\n(?:\*.*\n?)+")


def write_pages(out: Path) -> None:
    """All pages of the reference."""
    written = {"index.md": _INDEX, **dict(_python()), **dict(_command_line())}
    for name, text in written.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")
    for old in set(out.rglob("*.md")) - {out / name for name in written}:
        old.unlink()


_INDEX = """# Reference

Written from the docstrings and from the help of the command line.

```{toctree}
:maxdepth: 1

python
command-line
```
"""


def _python() -> Iterator[tuple[str, str]]:
    names = [name for name in samepose.__all__ if not name.startswith("_")]
    kinds: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    for name in names:
        kinds[_kind(getattr(samepose, name))].append(name)
    lines = ["# Python", "Everything public is a name of `samepose`; importing it loads nothing until a name is used."]
    for kind, members in kinds.items():
        if members:
            lines += [f"## {kind}", _listed((n, getattr(samepose, n)) for n in members)]
    for name in names:
        yield f"python/{name}.md", _page(name, getattr(samepose, name))
    lines.append("```{toctree}\n:hidden:\n\n" + "\n".join(f"python/{name}" for name in names) + "\n```")
    yield "python.md", "\n\n".join(lines) + "\n"


def _kind(value: Any) -> str:
    if inspect.isclass(value):
        if issubclass(value, Exception):
            return "Errors"
        return "Protocols" if getattr(value, "_is_protocol", False) else "Classes"
    return "Functions" if callable(value) else "Data"


def _listed(entries: Iterator[tuple[str, Any]]) -> str:
    rows = (f"| [`{name}`](python/{name}.md) | {_first_line(value)} |" for name, value in entries)
    return "\n".join(["| | |", "|---|---|", *rows])


def _first_line(value: Any) -> str:
    documented = inspect.isclass(value) or callable(value)
    return (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|") if documented else ""


def _page(name: str, value: Any) -> str:
    head = f"# {name}"
    if _kind(value) == "Data":
        return f"{head}\n\nA dictionary by name: {', '.join(f'`{key}`' for key in value)}.\n"
    directive = "autofunction" if _kind(value) == "Functions" else "autoclass"
    members = "   :members:\n   :undoc-members:\n" if directive == "autoclass" else ""
    return f"{head}\n\n```{{eval-rst}}\n.. {directive}:: samepose.{name}\n{members}```\n"


def _command_line() -> Iterator[tuple[str, str]]:
    from samepose.cli.app import build_app

    text = build_app().generate_docs(output_format="markdown", recursive=True, include_hidden=False)
    # A verb's own usage line names the verb once more.
    text = re.sub(r"^samepose ([\w -]+) \1\b", r"samepose \1", text, flags=re.MULTILINE)
    text = "\n".join(_as_code(line) for line in text.splitlines())
    everywhere = next(iter(_EVERYWHERE.findall(text)), "").replace("**Everywhere**:", "## Options of every verb")
    start, *verbs = re.split(r"^## (?=samepose )", _EVERYWHERE.sub("", text), flags=re.MULTILINE)
    names = [verb.split("\n", 1)[0] for verb in verbs]
    listed = re.sub(r"\[`(\w+)`\]\(#samepose-(\w+)\)", r"[`\1`](cli/samepose-\2.md)", start.partition("**Try it**")[2])
    lines = ["# Command line", "`samepose VERB --help` prints what these pages say. With `--json` a verb prints one "
             "JSON value and nothing else. Exit codes: 0 all done, 1 some inputs failed and were reported, 2 wrong "
             "usage, 3 nothing could be done.", "**Try it**" + listed.rstrip(), everywhere.rstrip(),
             "```{toctree}\n:hidden:\n\n" + "\n".join(f"cli/{_slug(name)}" for name in names) + "\n```"]
    yield "command-line.md", re.sub(r"^\*\*(.+)\*\*:$", r"## \1", "\n\n".join(lines), flags=re.MULTILINE) + "\n"
    for name, verb in zip(names, verbs):
        body = re.sub(r"^#(#+ )", r"\1", verb.partition("\n")[2], flags=re.MULTILINE)
        yield f"cli/{_slug(name)}.md", f"# {name}\n{body.rstrip()}\n"


def _as_code(line: str) -> str:
    """Flags and patterns in a description: neither dashes nor asterisks mean anything to Markdown there."""
    flag, colon, told = line.rpartition("`: ") if line.startswith("* `") else ("", "", line)
    told = re.sub(r'(?<=[ (])(--[a-z][a-z-]*)', r"`\1`", told)
    return flag + colon + re.sub(r'"(\S*\*\S*)"', r"`\1`", told)


def _slug(name: str) -> str:
    return name.replace(" ", "-")
