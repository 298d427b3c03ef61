"""What the verbs that train and export networks tell."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samepose.cli.options import Options

if TYPE_CHECKING:
    from samepose.progress import Progress

Figures = dict[str, float]


def reporter(bar: Progress, options: Options, text: Callable[[Figures], str]) -> Callable[[int, int, Figures], None]:
    """The log of a run: the loss in the progress bar, figures of a validation, put into words by `text`, in a line."""
    def report(done: int, total: int, figures: Figures) -> None:
        if "loss" in figures:
            bar(done, total, f"loss {figures['loss']:.3f}")
        elif figures:
            options.note(f"step {done:,}: {text(figures)}")

    return report


def exported(
    out: Path, name: str, options: Options, facts: Mapping[str, Any] | None = None, told: str = ""
) -> None:
    """Say what was exported: its name, size and hash.

    Args:
        facts, told: what else there is to say, for programs and for people.
    """
    digest, size = hashlib.sha256(out.read_bytes()).hexdigest(), out.stat().st_size
    options.done({"model": str(out), "name": name, "sha256": digest, "bytes": size, **(facts or {})},
                 f"{told}{out}: {name}, {size / 1e6:.1f} MB, sha256 {digest}")
