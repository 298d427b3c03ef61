"""Indexing runs: one at a time, each with how far it is, for as long as the server runs."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Literal

import anyio

from samepose.web.answers import Job, Problem
from samepose.web.problems import log, missing, one_line, problem_of

if TYPE_CHECKING:
    from samepose.index import Index

_MOST = 100  # that are remembered
_LOOK, _BEAT = 0.2, 15.0  # seconds between looks at a job, and between signs of life where nothing changes


State = Literal["waiting", "running", "done", "cancelled", "failed"]


class _CancelledError(Exception):
    """Somebody called it off."""


@dataclass(eq=False)
class _Run:
    paths: list[str]
    label: str | None
    prune: bool
    id: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    state: State = "waiting"
    done: float = 0.0
    total: float = 0.0
    what: str = ""
    report: dict[str, Any] | None = None
    error: Problem | None = None
    stop: Event = field(default_factory=Event)

    def told(self, done: float, total: float, what: str, /) -> None:
        """As `Progress`; raises when it was called off: the index keeps what is finished."""
        if self.stop.is_set():
            raise _CancelledError
        self.done, self.total, self.what = done, total, what

    def shown(self) -> Job:
        return Job(job=self.id, state=self.state, done=self.done, total=self.total, what=self.what, paths=self.paths,
                   report=self.report, error=self.error)


class Jobs:
    """The runs of one server."""

    def __init__(self, index: Callable[[], Index]) -> None:
        """Take what opens, or makes, the index to add to."""
        self._index, self._runs = index, dict[str, _Run]()
        self._pool = ThreadPoolExecutor(1, "samepose-index")

    def start(self, paths: list[str], label: str | None, prune: bool) -> Job:
        """Begin to index, after the runs that were started before."""
        run = _Run(paths, label, prune)
        self._runs[run.id] = run
        ended = [old for old in self._runs.values() if old.state not in ("waiting", "running")]
        for old in ended[: max(len(self._runs) - _MOST, 0)]:
            del self._runs[old.id]
        self._pool.submit(self._work, run)
        return run.shown()

    def all(self) -> list[Job]:
        """Newest first."""
        return [run.shown() for run in reversed(self._runs.values())]

    def get(self, id: str) -> Job:
        """One; `Refusal` where there is none."""
        return self._run(id).shown()

    def cancel(self, id: str) -> Job:
        """Call one off; what is finished is kept."""
        run = self._run(id)
        run.stop.set()
        if run.state == "waiting":
            run.state = "cancelled"
        return run.shown()

    async def events(self, id: str) -> AsyncIterator[str]:
        """The job as server-sent events, until it has ended."""
        run, last, quiet = self._run(id), "", 0.0
        while True:
            now = run.shown()
            text = now.model_dump_json()
            if text != last:
                last, quiet = text, 0.0
                yield f"event: job\ndata: {text}\n\n"
            elif quiet >= _BEAT:
                quiet = 0.0
                yield ": still here\n\n"
            if now.state not in ("waiting", "running"):
                return
            await anyio.sleep(_LOOK)
            quiet += _LOOK

    def close(self) -> None:
        """Call all off and wait for the one at work."""
        for run in self._runs.values():
            run.stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, id: str) -> _Run:
        if id not in self._runs:
            raise missing()
        return self._runs[id]

    def _work(self, run: _Run) -> None:
        if run.stop.is_set():
            run.state = "cancelled"
            return
        run.state = "running"
        try:
            report = self._index().add(*map(Path, run.paths), label=run.label, prune=run.prune, progress=run.told)
            run.report = report.to_json()
            run.state = "done"
        except _CancelledError:
            run.state = "cancelled"
        except BaseException as error:  # whatever it is, the page must hear of it
            run.error = Problem(**problem_of(error)[1]["error"])
            log.warning("%s", one_line(f"{type(error).__name__}: {error}"))
            run.state = "failed"
