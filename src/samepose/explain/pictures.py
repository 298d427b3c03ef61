"""The pictures of `explain.prvipe`, drawn with matplotlib. No global state: figures are made, saved and forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from samepose.explain.prvipe import KAPPA, Ambiguity, Confidence, Retrievals, Scene, Space
from samepose.files import written
from samepose.skeleton import BODY13

LEFT, RIGHT, MIDDLE = "#d1580b", "#1f5fa8", "#555555"  # of the person; told apart without seeing red and green
_GOOD, _BAD, _INK = "#1a9850", "#d73027", "#333333"
_NOSE = BODY13.index("nose")
_SHOULDERS = [BODY13.index("left_shoulder"), BODY13.index("right_shoulder")]


def confidence_picture(found: Confidence, scene: Scene, path: Path) -> None:
    """Accuracy of equal-mass bins of probability, and how the probabilities are spread."""
    figure = Figure(figsize=(6.4, 7.2), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    bins = found.bins
    error = np.sqrt(bins.accuracy * (1 - bins.accuracy) / bins.count)
    top.plot([0, 1], [0, 1], color="#999999", lw=1, ls="--", label="honest: accuracy = probability")
    top.axhline(found.base_rate, color=LEFT, lw=1, ls=":", label=f"base rate {found.base_rate:.3f}")
    top.errorbar(bins.probability, bins.accuracy, error, color=RIGHT, marker="o", ms=5, capsize=2,
                 label=f"{len(bins.count)} bins of {bins.count.mean():,.0f} pairs (± standard error)")
    if found.before is not None:
        top.plot(found.before.bins.probability, found.before.bins.accuracy, color="#9db8d6", marker="o", ms=3, lw=1,
                 label=f"before calibration (expected calibration error {found.before.ece:.3f})")
    top.set(xlim=(0, 1), ylim=(0, 1.02), ylabel=f"accuracy: share with NP-MPJPE ≤ {KAPPA}",
            title="Can the matching probability be taken at its word?")
    top.legend(loc="upper left", frameon=False)
    top.text(0.98, 0.04, f"expected calibration error {found.ece:.3f}\nBrier score {found.brier:.3f}\n"
             f"(always saying the base rate: {found.base_rate * (1 - found.base_rate):.3f})",
             ha="right", transform=top.transAxes)
    bottom.hist(found.pairs.probability, np.linspace(0, 1, 41), color="#9db8d6")
    bottom.set(xlabel=f"matching probability of a query and one of its top retrievals\nN = {len(found.pairs.hit):,} "
                      f"pairs; {scene.cameras} ({len(scene.views)} cameras), {scene.keypoints} "
                      "keypoints", ylabel="pairs")
    _save(figure, path)


def ambiguity_picture(found: Ambiguity, scene: Scene, path: Path, shown: int = 3) -> None:
    """Variance against ambiguity; the surest and the least sure 2D poses with those that look most alike."""
    figure = Figure(figsize=(13, 6.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.35), squeeze=False)[0]
    axes = left.subplots()
    rows = np.array(found.binned())
    axes.plot(found.variance, found.distance, ".", ms=2.5, color="#b9c6d6", label="one 2D pose")
    axes.errorbar(rows[:, 0], rows[:, 1], rows[:, 2], color=LEFT, marker="o", ms=5, capsize=2,
                  label=f"mean of {len(found.variance) / len(rows):,.0f} (± standard error)")
    condition = _condition(scene).replace("; ", "\n")
    axes.set(xlabel=f"variance of the embedding, mean over its dimensions\n{condition}", xscale="log",
             ylabel=f"mean 2D NP-MPJPE to the {found.neighbours.shape[1]} most alike 2D poses of other 3D poses\n"
                    "(largest shoulder-hip distance = 0.5); low = ambiguous",
             title=f"Does the variance know what is ambiguous?\nrank correlation {found.rank_correlation:+.2f}; "
                   f"N = {len(found.variance):,} 2D poses")
    axes.legend(frameon=False)
    order = np.argsort(found.variance, kind="stable")
    for part, which, poses in zip(right.subfigures(2, 1, squeeze=False)[:, 0], ("Smallest", "Largest"),
                                  (order[:shown], order[::-1][:shown])):
        part.suptitle(f"{which} variance, and the most alike 2D poses of other 3D poses", fontsize=10)
        for cells, pose in zip(part.subplots(shown, 7, squeeze=False), poses):
            _cell(cells[0], found.views[pose], _INK)
            cells[0].set_ylabel(f"variance {found.variance[pose]:.2g}", fontsize=8)
            for axis, other in zip(cells[1:], found.neighbours[pose]):
                _cell(axis, _aligned(found.views[other], found.views[pose]), "#dddddd")
    _save(figure, path)


def space_picture(found: Space, scene: Scene, path: Path, drawn: int = 45) -> None:
    """First two principal components of the embedding means, poses drawn where they lie."""
    figure = Figure(figsize=(11, 9), layout="constrained")
    axes = figure.subplots()
    flat = found.position.reshape(-1, 2)
    lines = [found.position[:, m] for m in range(found.position.shape[1])]
    axes.add_collection(LineCollection(lines, colors="#dddddd", linewidths=0.4, zorder=1))
    height = np.tile(found.height, len(found.position))
    dots = axes.scatter(flat[:, 0], flat[:, 1], c=height, cmap="viridis", s=8, lw=0, zorder=2)
    axes.set_aspect("equal", "datalim")
    size = 0.075 * max(np.ptp(flat, axis=0))
    views = found.views.reshape(-1, 13, 2)
    for m in _spread_out(flat, drawn):
        _figure_at(axes, views[m], flat[m], size)
    axes.set(xlabel=f"1st principal component ({100 * found.explained[0]:.0f} % of the variance)",
             ylabel=f"2nd principal component ({100 * found.explained[1]:.0f} %)",
             title="Where poses lie in the embedding space")
    figure.colorbar(dots, ax=axes, label="height of the body in torso lengths: upright is high", shrink=0.7)
    figure.supxlabel(f"N = {found.position.shape[1]:,} poses, the views of one joined by lines, {found.spread:.2f} as "
                     f"far apart as all\n{_condition(scene)}", fontsize=9)
    _save(figure, path)


def retrieval_picture(found: Retrievals, scene: Scene, path: Path) -> None:
    """Queries, and their most probable poses in another camera, framed green where right and red where wrong."""
    queries, top = found.probability.shape
    figure = Figure(figsize=(1.55 * (top + 1), 1.82 * queries + 0.9), layout="constrained")
    cells = figure.subplots(queries, top + 1, squeeze=False)
    for row in range(queries):
        _cell(cells[row, 0], found.query[row], _INK)
        cells[row, 0].set_title(f"query, camera {found.cameras[row, 0] + 1}", fontsize=8)
        for k in range(top):
            axis, right = cells[row, k + 1], found.match[row, k]
            _cell(axis, found.found[row, k], _GOOD if right else _BAD, 2.5)
            axis.set_title(f"p {found.probability[row, k]:.2f}   error {found.error[row, k]:.3f}", fontsize=8)
        cells[row, 1].set_ylabel(f"camera {found.cameras[row, 1] + 1}", fontsize=8)
    figure.suptitle(f"Most probable poses in another camera\ngreen: NP-MPJPE ≤ {KAPPA} torso lengths, red: above; "
                    f"{100 * found.match[:, 0].mean():.0f} % of these {queries} first finds are right", fontsize=10)
    figure.supxlabel(f"N = {len(scene.points):,} poses to find among; {_condition(scene)}", fontsize=8)
    _save(figure, path)


def _condition(scene: Scene) -> str:
    return (f"{scene.cameras} ({len(scene.views)} cameras), {scene.keypoints} keypoints; the person's left is orange, "
            "the right blue")


def _figure_at(
    axes: Any, points: Float[np.ndarray, "13 2"], place: Float[np.ndarray, " 2"] | tuple[float, float], size: float
) -> None:
    """One pose, `size` for a shoulder-hip distance of 0.5, its middle at `place`, upright in axes whose y goes up."""
    body = (points - (points.min(axis=0) + points.max(axis=0)) / 2) * np.array([1, -1]) * size + place
    lines, colours = [], []
    for a, b in BODY13.bones:
        names = {BODY13.joints[a].split("_")[0], BODY13.joints[b].split("_")[0]}
        lines.append(body[[a, b]])
        colours.append(LEFT if names == {"left"} else RIGHT if names == {"right"} else MIDDLE)
    lines.append(np.stack([body[_NOSE], body[_SHOULDERS].mean(axis=0)]))
    axes.add_collection(LineCollection(lines, colors=[*colours, MIDDLE], linewidths=1.4, capstyle="round", zorder=4))
    axes.plot(*body[_NOSE], "o", ms=3.5, mew=0, color=MIDDLE, zorder=4)


def _cell(axes: Any, points: Float[np.ndarray, "13 2"], frame: str, width: float = 1.0) -> None:
    """One pose alone, filling its cell."""
    half = max(np.ptp(points, axis=0)) * 0.56
    _figure_at(axes, points, (0, 0), 1.0)
    axes.set(xlim=(-half, half), ylim=(-half, half), aspect="equal", xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(edgecolor=frame, linewidth=width)


def _aligned(points: Float[np.ndarray, "13 2"], onto: Float[np.ndarray, "13 2"]) -> Float[np.ndarray, "13 2"]:
    """Turned and scaled onto another 2D pose, which is what 2D NP-MPJPE compares."""
    a, b = ((p - p.mean(axis=0)) @ np.array([1, 1j]) for p in (onto, points))
    turned = b * (np.vdot(b, a) / np.vdot(b, b).real)
    return np.stack([turned.real, turned.imag], axis=1)


def _spread_out(points: Float[np.ndarray, "n 2"], n: int) -> list[int]:
    """Indices of points far from each other: each next is the farthest from all before."""
    chosen = [int(np.argmin(np.linalg.norm(points - points.mean(axis=0), axis=1)))]
    gap = np.linalg.norm(points - points[chosen[0]], axis=1)
    while len(chosen) < min(n, len(points)):
        chosen.append(int(gap.argmax()))
        gap = np.minimum(gap, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return chosen


def _save(figure: Figure, path: Path) -> None:
    with written(path) as part:
        figure.savefig(part, dpi=130, facecolor="white")
