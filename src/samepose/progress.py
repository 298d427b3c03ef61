"""How a long piece of work tells how far it is: the one signature, wherever something takes time."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """Called with how much is done, of how much (in the work's own unit), and what is being worked on."""

    def __call__(self, done: float, total: float, what: str, /) -> None: ...


def silent(done: float, total: float, what: str, /) -> None:
    """Nobody is told."""
