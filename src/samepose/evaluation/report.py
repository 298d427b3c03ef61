"""Retrieval results as JSON, as the paper's Table 1 in plain text, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from samepose.errors import UsageError
from samepose.evaluation.retrieval import KAPPAS, RANKS, Hits, RetrievalResult

_Condition = tuple[str, str, tuple[str, ...]]


def to_json(results: Sequence[RetrievalResult]) -> dict[str, Any]:
    """`{"models": {name: {"hit": {kappa: {k: rate}}, "frames", "cameras", "keypoints"}}}`, rates in 0..1.

    `"hidden"` is added where joints were hidden, and of `evaluate_hidden_pairs` the hit rates of `"complete"` queries
    and of the `"worst"` pair of joints, and the `"drop"` of Hit@1 at kappa 0.1 from the complete ones.

    Raises:
        UsageError: a model appears twice, under different conditions: write one document per condition.
    """
    models: dict[str, Any] = {}
    for result in results:
        if result.model in models:
            raise UsageError(f"model {result.model} has two results; write one JSON per set of cameras and keypoints")
        models[result.model] = {
            "hit": _hits(result.hit),
            "frames": result.frames,
            "cameras": result.cameras,
            "keypoints": result.keypoints,
        }
        if result.hidden:
            models[result.model]["hidden"] = list(result.hidden)
        if result.any_two:
            mean, worst = _drops(result)
            models[result.model] |= {
                "complete": _hits(result.any_two.complete), "drop": {"mean": mean, "worst": worst},
                "worst": {"hidden": list(result.any_two.worst), "hit": _hits(result.any_two.worst_hit)},
            }
    return {"models": models}


def hidden_pairs_text(result: RetrievalResult) -> str:
    """What hiding two joints costs, in one line; "" of other results."""
    if not result.any_two:
        return ""
    mean, worst = _drops(result)
    return (f"{result.model}: two hidden joints cost {100 * mean:.1f} points of Hit@{RANKS[0]} at kappa {KAPPAS[0]} on "
            f"average, {100 * worst:.1f} at worst ({' and '.join(result.any_two.worst)})")


def _drops(result: RetrievalResult) -> tuple[float, float]:
    assert result.any_two
    complete, worst = (hits[KAPPAS[0]][RANKS[0]] for hits in (result.any_two.complete, result.any_two.worst_hit))
    return complete - result.hit[KAPPAS[0]][RANKS[0]], complete - worst


def _hits(hits: Hits) -> dict[str, dict[str, float]]:
    return {str(kappa): {str(k): rate for k, rate in row.items()} for kappa, row in hits.items()}


def text_table(results: Sequence[RetrievalResult], kappa: float = 0.1) -> str:
    """Models down, conditions across, "Hit@1/10/20" in % at one kappa: the shape of Sun 2020, table 1."""
    rows = _rows(results, kappa)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def markdown_table(results: Sequence[RetrievalResult], kappa: float = 0.1) -> str:
    """`text_table` as a Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in _rows(results, kappa)]
    rule = "|---" * (lines[0].count(" | ") + 1) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _rows(results: Sequence[RetrievalResult], kappa: float) -> list[list[str]]:
    if not results:
        raise UsageError("no retrieval results to show")
    cells = {(r.model, _condition(r)): _cell(r, kappa) for r in results}
    models = list(dict.fromkeys(r.model for r in results))
    conditions = list(dict.fromkeys(_condition(r) for r in results))
    ranks = "/".join(str(k) for k in next(iter(results[0].hit.values())))
    head = [f"Hit@{ranks} in %, kappa {kappa}", *(_title(c) for c in conditions)]
    return [head, *([model, *(cells.get((model, c), "-") for c in conditions)] for model in models)]


def _condition(result: RetrievalResult) -> _Condition:
    return result.cameras, result.keypoints, result.hidden


def _title(condition: _Condition) -> str:
    cameras, keypoints, hidden = condition
    return f"{cameras}, {keypoints}" + (f", hidden {' '.join(hidden)}" if hidden else "")


def _cell(result: RetrievalResult, kappa: float) -> str:
    if kappa not in result.hit:
        raise UsageError(f"no hit rates at kappa {kappa}; there are {', '.join(str(k) for k in result.hit)}")
    return "/".join(f"{100 * rate:.1f}" for rate in result.hit[kappa].values())
