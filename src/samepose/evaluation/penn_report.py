"""Tables, JSON and the picture of the protocols on Penn Action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from samepose.evaluation.alignment import Alignment
from samepose.evaluation.penn_action import Recognition
from samepose.files import written


def to_json(result: Recognition) -> dict[str, Any]:
    """As the command line prints it; rates in 0..1, the confusion matrix in the order of `classes`."""
    return {**asdict(result), "classes": list(result.classes), "confusion": result.confusion.tolist()}


def alignment_json(result: Alignment) -> dict[str, Any]:
    """As the command line prints it."""
    return {**asdict(result), "worst": [list(row) for row in result.worst]}


def text_tables(result: Recognition) -> str:
    """For the terminal."""
    views = "index of" if result.protocol == "one-view" else "queries of"
    lines = [f"{_words(name):18s}{100 * value:6.1f}" for name, value in result.per_class.items()]
    lines += ["", *(f"{f'{views} {view}':18s}{100 * value:6.1f}" for view, value in result.per_view.items())]
    return "\n".join([*lines, "", f"{'accuracy':18s}{100 * result.accuracy:6.1f}", "", _caption(result)])


def markdown_tables(result: Recognition) -> str:
    """For a document."""
    heads = [*map(_words, result.per_class), "accuracy"]
    rates = [*result.per_class.values(), result.accuracy]
    views = "index of" if result.protocol == "one-view" else "queries of"
    by_view = _table([f"{views} {v}" for v in result.per_view], list(result.per_view.values()), 100, 1)
    return "\n\n".join([_table(heads, rates, 100, 1), by_view, _caption(result)])


def alignment_text(result: Alignment) -> str:
    """For the terminal."""
    lines = [f"{'':18s}{'tau':>7s}{'same view':>11s}{'different':>11s}"]
    lines += [f"{name:18s}{tau:>7s}{same:>11s}{different:>11s}" for name, tau, same, different in _tau_rows(result)]
    return "\n".join([*lines, "", f"{'along the path':18s}{result.path_tau:7.3f}", "",
                      f"{result.pairs:,} ordered pairs of videos"])


def alignment_markdown(result: Alignment) -> str:
    """For a document."""
    rows = [f"| {' | '.join(row)} |" for row in _tau_rows(result)]
    return "\n".join(["| | tau | same view | different view |", "|---|---|---|---|", *rows, "",
                      f"Along the path of dynamic time warping {result.path_tau:.3f}; {result.pairs:,} ordered pairs "
                      "of videos."])


def plot_confusion(result: Recognition, out: Path) -> None:
    """The confusion matrix: rows are actions, cells the share of a row in percent."""
    import numpy as np
    from matplotlib.figure import Figure

    share = result.confusion / np.maximum(result.confusion.sum(axis=1, keepdims=True), 1)
    names, size = [_words(name) for name in result.classes], 3.2 + 0.52 * len(result.classes)
    figure = Figure(figsize=(size, size * 0.92), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in zip(*np.nonzero(result.confusion)):
        axes.text(j, i, f"{100 * share[i, j]:.0f}" if share[i, j] >= 0.005 else f"{100 * share[i, j]:.1f}", ha="center",
                  va="center", fontsize=8, color="white" if share[i, j] > 0.5 else "black")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="action of the nearest video", ylabel="action",
             title=f"Penn Action, {result.protocol}: {100 * result.accuracy:.1f} % (mean over actions)")
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#dddddd", lw=0.6)
    axes.tick_params(which="minor", length=0)
    with written(out) as part:
        figure.savefig(part, dpi=130)


def _tau_rows(result: Alignment) -> list[tuple[str, str, str, str]]:
    """Actions, then their mean: tau of all pairs, of those of the same view, and of different views."""
    tables = (result.per_class, result.per_class_same_view, result.per_class_different_view)
    rows = [(_words(name), *(_three_digits(table.get(name)) for table in tables)) for name in result.per_class]
    means = (result.tau, result.same_view, result.different_view)
    return [*rows, ("mean over actions", *map(_three_digits, means))]  # type: ignore[list-item]


def _three_digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _caption(result: Recognition) -> str:
    return (f"{result.queries:,} queries among up to {result.index:,} videos in {result.seconds:.1f} s; "
            f"{100 * result.pruned:.1f} % of the pairs ruled out by the bound")


def _table(names: Sequence[str], values: Sequence[float], factor: float, digits: int) -> str:
    rows = (f"| {name} | {factor * value:.{digits}f} |" for name, value in zip(names, values))
    return "\n".join(["| | |", "|---|---|", *rows])


def _words(name: str) -> str:
    return name.replace("_", " ")
