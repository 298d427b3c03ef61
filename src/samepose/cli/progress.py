"""The progress bar."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Display
from rich.text import Text

from samepose.cli.text import shown
from samepose.progress import Progress


class _Count(ProgressColumn):
    """So many of so many; nothing before the first report."""

    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.completed:.0f}/{task.total:.0f}")


class _Rate(ProgressColumn):
    """So many a second, or seconds for each."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f} {self._unit}s/s" if speed >= 1 else f"{1 / speed:.1f} s/{self._unit}", "dim")


@contextmanager
def bar(unit: str) -> Iterator[Progress]:
    """A bar on stderr that vanishes when all is done; yields what updates it."""
    columns = (
        BarColumn(30), _Count(), _Rate(unit), TimeRemainingColumn(),
        TextColumn("{task.fields[what]}", markup=False),
    )
    with Display(*columns, console=Console(file=sys.stderr), transient=True, speed_estimate_period=60) as display:
        task = display.add_task("", total=None, what="")
        yield lambda done, total, what: display.update(task, completed=done, total=total, what=_short(shown(what)))


def _short(text: str, width: int = 40) -> str:
    return text if len(text) <= width else "…" + text[1 - width :]
