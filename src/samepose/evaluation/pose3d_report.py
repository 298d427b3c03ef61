"""Figures of 3D pose estimation as JSON, tables and the curve over A."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from samepose.evaluation.pose3d import WITHIN, about_hip, by_action, paired
from samepose.evaluation.pose3d_bodies import longest_difference
from samepose.evaluation.pose3d_run import SPACE, Results
from samepose.files import written

_ORDER = ("max", "avg20", "avg500", "avg1500", "apf", "pred", "regression", "lifting", "lifting-true")
_COLUMNS = 6  # models of the table by action, which is for 80 columns
_CURVE = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1500)


def to_json(results: Results, within: dict[str, float] | None = None) -> dict[str, Any]:
    """Millimetres; `std` over the pictures.

    `missing` counts pictures in which a model found nobody: its means are over the others. `curves`: MPJPE of Avg(A)
    for A = 1, 2, …. `apf_longest_bone_difference`: of any bone of APF's bodies from the person's own. `to_avg500`:
    mean difference from Avg(500) on the same pictures and its standard error.

    Args:
        within: by model, the share of the training pictures whose best pose is within 30 mm.
    """
    errors = {name: results.errors[name] for name in ordered(results)}
    actions = results.images.actions
    tables = {name: by_action(value, actions) for name, value in errors.items()}
    out: dict[str, Any] = {
        "models": {name: value.figures() for name, value in errors.items()},
        "per_action": {action: {name: table[action] for name, table in tables.items()}
                       for action in sorted(set(actions))},
        "images": len(results.images), "images_per_action": {a: actions.count(a) for a in sorted(set(actions))},
        "curves": {name: [round(float(v), 3) for v in curve] for name, curve in results.curves.items()},
        "data": results.images.name, "action_is": results.images.action_is,
        "subjects": sorted(set(results.images.subjects)), "unreadable": len(results.unreadable),
    }
    if "avg500" in errors:
        out["to_avg500"] = {name: dict(zip(("mm", "standard_error"), paired(value, errors["avg500"])))
                            for name, value in errors.items() if name != "avg500"}
    if "apf" in errors:
        truth = about_hip(results.images.truth)
        out["apf_longest_bone_difference"] = longest_difference(results.predictions["apf"], truth)
    if within:
        out["train_within_30mm"] = within
    return out


def ordered(results: Results) -> list[str]:
    """Names of the predictions, the paper's first."""
    return sorted(results.errors, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER)))


def text_tables(results: Results, within: dict[str, float] | None = None) -> str:
    """For a terminal of 80 columns."""
    return _document(results, within, _text)


def markdown_tables(results: Results, within: dict[str, float] | None = None) -> str:
    """For a document."""
    return _document(results, within, _markdown)


def plot_curve(results: Results, out: Path) -> None:
    """MPJPE of Avg(A) over A (Li 2015, figure 3), of every model that scores poses; lines for what is no average."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.8), layout="constrained")
    axes = figure.subplots()
    for name, curve in results.curves.items():
        label = "Avg(A)" if name == SPACE else f"{name}, Avg(A)"
        axes.plot(np.arange(1, len(curve) + 1), curve, lw=2 if name == SPACE else 1.2, label=label)
    levels = [name for name in ("pred", "apf", "regression", "lifting") if name in results.errors]
    for number, name in enumerate(levels):
        figures = results.errors[name].figures()
        if figures is not None:
            axes.axhline(figures["mpjpe"], color=f"C{(len(results.curves) + number) % 10}", ls=":", lw=1.4,
                         label={"apf": "Avg(500)-APF", "pred": "Pred"}.get(name, name))
    axes.set(xlabel="A: best-scored poses that are averaged", ylabel="MPJPE (mm)", xscale="log",
             title=f"{results.images.name}: {len(results.images):,} pictures")
    axes.set_xticks(_CURVE, map(str, _CURVE))
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=9)
    with written(out) as part:
        figure.savefig(part, dpi=120)


def _document(results: Results, within: dict[str, float] | None, table: Any) -> str:
    names, actions = ordered(results), results.images.actions
    rows = [["", "MPJPE", "std", "PA-MPJPE", "nobody"]]
    for name in names:
        figures = results.errors[name].figures()
        rows.append([name, *(["-"] * 3 if figures is None else [f"{figures[k]:.1f}" for k in ("mpjpe", "std",
                    "pa_mpjpe")]), f"{len(actions) if figures is None else figures['missing']:,}"])
    shown = names[:_COLUMNS]
    tables = {name: by_action(results.errors[name], actions) for name in shown}
    each = [["", "n", *shown]]
    for action in sorted(set(actions)):
        cells = [tables[name][action] for name in shown]
        each.append([action, f"{actions.count(action):,}", *("-" if c is None else f"{c['mpjpe']:.1f}" for c in cells)])
    parts = [f"{results.images.name}: {len(results.images):,} pictures of {len(set(results.images.subjects))} people; "
             "mm", table(rows), f"MPJPE by action ({results.images.action_is}):", table(each)]
    parts += [f"{name}: the best pose of {100 * share:.1f} % of the training pictures is within {WITHIN:g} mm"
              for name, share in (within or {}).items()]
    return "\n\n".join(parts)


def _text(rows: list[list[str]]) -> str:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) if not k else c.rjust(w) for k, (c, w) in enumerate(zip(row, widths)))
             for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _markdown(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" + "|---:" * (len(rows[0]) - 1) + "|", *lines[1:]])
