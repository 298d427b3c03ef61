"""Figures of image retrieval as JSON, tables and curves."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from samepose.evaluation.image_people import told
from samepose.evaluation.image_retrieval import RANKS, RELATIVE, WORST, Ranking
from samepose.evaluation.image_run import ORACLE, RANDOM, Results
from samepose.files import written
from samepose.geometry.pose_difference import HIT

_SHOWN = (1, 10, 50)  # ranks of the table
_MEASURES = {"hit_absolute": f"within {HIT:g} px", "hit_relative": f"best + {RELATIVE:g} px",
             "pose_difference": "px, best of K"}
_TITLES = {"pose_difference": "Pose difference of the best of K (px)",
           "hit_absolute": f"Hit@K-absolute, {HIT:g} px (%)",
           "hit_relative": f"Hit@K-relative, best + {RELATIVE:g} px (%)"}


def to_json(results: Results) -> dict[str, Any]:
    """Rates in 0..1, differences in pixels of the crop.

    By model the means at `RANKS`, `interval`: 95 % intervals over the queries drawn anew, and `curves` for every K from
    1 on. `front_back` is described at `Ranking.front_back`, `worst_detected` at `image_run.worst_detected`.
    """
    split = results.split
    out: dict[str, Any] = {
        "models": {name: _figures(ranking) | {"interval": _intervals(ranking), "curves": _curves(ranking)}
                   for name, ranking in ordered(results).items()},
        "queries": len(split.queries), "database": len(split.database),
        "front_back": {name: ranking.front_back for name, ranking in ordered(results).items()},
        "front_back_queries": {name: round(float(ranking.told.sum()), 1) for name, ranking in ordered(results).items()},
        "data": results.cropped.people.name, "split": split.name, "seed": split.seed, "train": split.train,
        "skipped": sum(results.skipped.values()), "skipped_why": {why: n for why, n in results.skipped.items() if n},
        "thresholds": {"absolute": HIT, "relative": RELATIVE},
    }
    if results.worst is not None:
        out["worst_detected"] = {
            "share": WORST, "queries": len(results.worst),
            "models": {name: _figures(ranking[results.worst]) for name, ranking in ordered(results).items()}}
    return out


def ordered(results: Results) -> dict[str, Ranking]:
    """The oracle first, random last."""
    return dict(sorted(results.rankings.items(), key=lambda item: (item[0] == RANDOM) - (item[0] == ORACLE)))


def text_tables(results: Results) -> str:
    """For a terminal of 80 columns."""
    return _document(results, _text)


def markdown_tables(results: Results) -> str:
    """For a document."""
    return _document(results, _markdown)


def plot_curves(results: Results, out: Path) -> None:
    """The paper's figures 4 to 6: the three measures over K."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.6), layout="constrained")
    rankings = ordered(results)
    for axes, measure in zip(figure.subplots(1, 3), _TITLES):
        for number, (name, ranking) in enumerate(rankings.items()):
            curve = ranking.measures[measure].mean(axis=0) * (1 if measure == "pose_difference" else 100)
            axes.plot(np.arange(1, len(curve) + 1), curve, label=name, lw=1.8, **_line(name, number))
        axes.set(title=_TITLES[measure], xlabel="K", xscale="log", ylim=(0, None))
        axes.set_xticks(RANKS, map(str, RANKS))
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", frameon=False)
    figure.suptitle(f"{results.cropped.people.name}: {len(results.split.queries):,} queries among "
                    f"{len(results.split.database):,} people")
    with written(out) as part:
        figure.savefig(part, dpi=120)


_NOTE = ("@K: the best of the first K. Pixels of the 128 x 128 crop: a mean over the\n"
         "joints, torsos aligned. front/back: first hits seen from the opposite side, in\n"
         "% of those where query and hit are both seen from the front or the back.")


def _document(results: Results, table: Callable[[dict[str, Ranking]], str]) -> str:
    parts = [_caption(results), table(ordered(results))]
    if results.worst is not None:
        worst = {name: ranking[results.worst] for name, ranking in ordered(results).items()}
        parts += [_worst_caption(len(results.worst)), table(worst)]
    return "\n\n".join([*parts, _NOTE])


def _line(name: str, number: int) -> dict[str, Any]:
    if name in (ORACLE, RANDOM):
        return {"color": "black" if name == ORACLE else "0.6", "ls": ":"}
    return {"color": f"C{(number - 1) % 10}", "ls": "--" if "+" in name else "-"}


def _figures(ranking: Ranking) -> dict[str, dict[str, float]]:
    return {name: {str(k): float(values[:, k - 1].mean()) for k in RANKS if k <= values.shape[1]}
            for name, values in ranking.measures.items()}


def _intervals(ranking: Ranking) -> dict[str, dict[str, list[float]]]:
    return {name: {str(k): [float(low[k - 1]), float(high[k - 1])] for k in RANKS if k <= len(low)}
            for name, (low, high) in ranking.intervals().items()}


def _curves(ranking: Ranking) -> dict[str, list[float]]:
    return {name: [float(v) for v in values.mean(axis=0)] for name, values in ranking.measures.items()}


def _caption(results: Results) -> str:
    split = results.split
    drawn = f", drawn with seed {split.seed}" if split.seed is not None else ""
    return (f"{results.cropped.people.name}, split {split.name}{drawn}: {len(split.queries):,} queries among "
            f"{len(split.database):,} people; {told(results.skipped)}")


def _worst_caption(queries: int) -> str:
    return f"The {100 * WORST:.0f} % of the queries on which MoveNet does worst ({queries:,}):"


def _cells(ranking: Ranking) -> list[list[str]]:
    """The three measures at the ranks that are shown, rates in %, and front-back confusions."""
    cells = [[f"{(1 if name == 'pose_difference' else 100) * ranking.measures[name][:, k - 1].mean():.1f}"
              for k in _SHOWN if k <= ranking.difference.shape[1]] for name in _MEASURES]
    mixed = ranking.front_back
    return [*cells, ["-" if mixed is None else f"{100 * mixed:.1f}"]]


def _text(rankings: dict[str, Ranking]) -> str:
    """Two lines of head: the measures, and their ranks."""
    ranks = [f"@{k}" for k in _SHOWN[: len(next(iter(map(_cells, rankings.values())))[0])]]
    name = max(map(len, rankings)) + 1
    rows = [" " * name + " ".join("".join(f"{cell:>6}" for cell in group) for group in groups)
            for groups in ([ranks, ranks, ranks, ["back"]], *map(_cells, rankings.values()))]
    heads = " ".join(f"{title:>{6 * len(ranks)}}" for title in _MEASURES.values())
    lines = [model.ljust(name) + row[name:] for model, row in zip(["", *rankings], rows)]
    return "\n".join([f"{'':{name}}{heads} front/", lines[0], "-" * len(lines[0]), *lines[1:]])


def _markdown(rankings: dict[str, Ranking]) -> str:
    groups = [_cells(ranking) for ranking in rankings.values()]
    heads = [f"{title} @{k}" for title in _MEASURES.values() for k in _SHOWN[: len(groups[0][0])]]
    rows = [["", *heads, "front/back"], *([name, *chain(*cells)] for name, cells in zip(rankings, groups))]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" + "|---:" * (len(rows[0]) - 1) + "|", *lines[1:]])
