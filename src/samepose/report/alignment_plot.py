"""The picture of an alignment: all distances, the path through them, and the distance along it. Needs matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from samepose.files import written

if TYPE_CHECKING:
    from samepose.sequences.alignment import Alignment


def plot_alignment(found: Alignment, out: Path) -> None:
    """Dark: alike. The path in orange, the worst moments ringed; below, the distance along the path over A's time.

    Raises:
        SameposeError: the picture cannot be written.
    """
    times, distance = found.times, found.distance
    figure = Figure(figsize=(7.2, 8.0), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    half_a, half_b = 0.5 / found.a.rate, 0.5 / found.b.rate
    extent = (found.a.times[0] - half_a, found.a.times[-1] + half_a, found.b.times[0] - half_b,
              found.b.times[-1] + half_b)
    image = top.imshow(found.matrix.T, origin="lower", aspect="auto", extent=extent, cmap="viridis",
                       interpolation="nearest")
    figure.colorbar(image, ax=top, label="distance: mean −log P of the frames around")
    top.plot(times[:, 0], times[:, 1], color="#ff7f0e", lw=2)
    for n, moment in enumerate(found.worst()):
        top.plot(moment.time_a, moment.time_b, "o", ms=11, mfc="none", mec="white", mew=1.5)
        top.annotate(str(n + 1), (moment.time_a, moment.time_b), color="white", xytext=(8, -10),
                     textcoords="offset points")
    top.set(ylabel=f"seconds in B{', mirrored' if found.mirrored else ''}\n{_short(found.b.name)}",
            title=f"mean distance along the path {found.path.mean:.2f}")
    bottom.plot(times[:, 0], distance, color="#ff7f0e", lw=1.5)
    bottom.set(xlabel=f"seconds in A\n{_short(found.a.name)}", ylabel="distance", ylim=(0, None))
    if np.isnan(distance).any():
        bottom.set_title("gaps: nobody seen in A or B", fontsize=9)
    with written(out) as part:
        figure.savefig(part, dpi=130)


def _short(name: str) -> str:
    return name if len(name) <= 60 else f"…{name[-59:]}"
