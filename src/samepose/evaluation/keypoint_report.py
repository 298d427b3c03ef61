"""Figures of a detector on labelled people, as JSON and as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from samepose.evaluation.keypoints import ALPHAS, VIEWPOINTS, Errors

PCKH_ALPHA = 0.5
_ALPHA = 0.2  # of the figures by stage and viewpoint
_PAIRS = ("ankle", "knee", "hip", "wrist", "elbow", "shoulder")


@dataclass(frozen=True, eq=False)
class KeypointResult:
    """One detector on one data set.

    Attributes:
        people: how many were measured by PCK.
        why: how many were not, by reason.
        stages: errors in torsos after each stage.
        observer_centric: errors in torsos with left and right as the observer sees them.
        heads: errors in heads.
        viewpoints: of every row of the errors, see `evaluation.keypoints.viewpoints`.
        outside: joints left out because they were marked outside the image.
        seconds: per person.
    """

    detector: str
    data: str
    people: int
    why: Counter[str]
    stages: tuple[Errors, ...]
    observer_centric: Errors
    heads: Errors
    viewpoints: tuple[str, ...]
    outside: int
    seconds: float

    @property
    def torsos(self) -> Errors:
        """After the last stage."""
        return self.stages[-1]

    def why_text(self) -> str:
        """Who is not measured."""
        return "; ".join(f"{n:,} with {reason}" for reason, n in self.why.items() if n) or "nobody left out"

    def to_json(self) -> dict[str, Any]:
        """Rates in 0..1; null where there was nothing to count."""
        heads = self.heads.rates(PCKH_ALPHA)
        observer = self.observer_centric.rates(_ALPHA)
        return {
            "detector": self.detector, "data": self.data, "people": self.people, "skipped": sum(self.why.values()),
            "skipped_why": {reason: n for reason, n in self.why.items() if n}, "joints_outside": self.outside,
            "pck": {str(alpha): self.torsos.rates(alpha).to_json() for alpha in ALPHAS},
            "auc": {str(_ALPHA): self.torsos.area(_ALPHA).to_json()},
            "pckh": {str(PCKH_ALPHA): heads.to_json(), "auc": self.heads.area(PCKH_ALPHA).to_json(),
                     "people": heads.people},
            "stages": [{"mean": r.mean, "mean12": r.mean12} for r in (e.rates(_ALPHA) for e in self.stages)],
            "viewpoint": {
                view: {"mean": r.mean, "mean12": r.mean12, "people": r.people} for view in VIEWPOINTS
                for r in (self.torsos.rates(_ALPHA, np.array(self.viewpoints) == view),)
            },
            "observer_centric": {"mean": observer.mean, "mean12": observer.mean12},
            "ms_per_person": round(1000 * self.seconds, 2),
        }


def text_tables(result: KeypointResult) -> str:
    """For the terminal."""
    return "\n\n".join([_caption(result), *(_text(rows) for rows in _tables(result))])


def markdown_tables(result: KeypointResult) -> str:
    """For a document."""
    return "\n\n".join([_caption(result), *(_markdown(rows) for rows in _tables(result))])


def _caption(result: KeypointResult) -> str:
    skipped = sum(result.why.values())
    return (f"{result.detector} on {result.data}: {result.people:,} people, {1000 * result.seconds:.0f} ms each; "
            f"{skipped:,} not measured ({result.why_text()})")


def _tables(result: KeypointResult) -> list[list[list[str]]]:
    """Measures by joint, stages, viewpoints; rates in %."""
    torsos, heads = result.torsos, result.heads
    measures = [(f"PCK@{alpha}", torsos.rates(alpha)) for alpha in ALPHAS]
    measures += [(f"AUC to {_ALPHA}", torsos.area(_ALPHA)),
                 (f"PCK@{_ALPHA} observer-centric", result.observer_centric.rates(_ALPHA)),
                 (f"PCKh@{PCKH_ALPHA}", heads.rates(PCKH_ALPHA)), ("PCKh AUC", heads.area(PCKH_ALPHA))]
    others = [j for j in torsos.joints if j.partition("_")[2] not in _PAIRS and measures[0][1].per_joint[j] is not None]
    by_joint = [["in %", "mean12", "mean", *_PAIRS, *others]]
    for name, rates in measures:
        pairs = [_both(rates.per_joint, pair) for pair in _PAIRS]
        cells = (rates.mean12, rates.mean, *pairs, *(rates.per_joint[joint] for joint in others))
        by_joint.append([name, *map(_percent, cells)])
    tables = [by_joint]
    if len(result.stages) > 1:
        rates_of = [e.rates(_ALPHA) for e in result.stages]
        tables.append([[f"PCK@{_ALPHA} after stage", *(str(k + 1) for k in range(len(rates_of)))],
                       ["mean12", *(_percent(r.mean12) for r in rates_of)],
                       ["mean", *(_percent(r.mean) for r in rates_of)]])
    views = [torsos.rates(_ALPHA, np.array(result.viewpoints) == view) for view in VIEWPOINTS]
    tables.append([["seen from the", *VIEWPOINTS], ["people", *(f"{r.people:,}" for r in views)],
                   [f"PCK@{_ALPHA} mean12", *(_percent(r.mean12) for r in views)]])
    return tables


def _both(rates: Any, pair: str) -> float | None:
    """The mean of left and right."""
    sides = [rates.get(f"{side}_{pair}") for side in ("left", "right")]
    known = [rate for rate in sides if rate is not None]
    return sum(known) / len(known) if known else None


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.1f}"


def _text(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:]))]) for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---" + "|---:" * (len(rows[0]) - 1) + "|", *lines[1:]])
