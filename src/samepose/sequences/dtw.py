"""Dynamic time warping, exact: the cheapest way through a matrix of distances.

A path steps from (i, j) to (i + 1, j + 1), (i + 1, j) or (i, j + 1), each pair on it costs its distance once, and its
cost is the sum (Sun 2020, section 4.3: "minimizing the sum of frame matching distances"). Of equally cheap steps the
diagonal wins, then the one that moves on in A: the result is deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from samepose.errors import UsageError
from samepose.sequences._layout import Band


@dataclass(frozen=True, eq=False)
class Path:
    """An alignment.

    Attributes:
        pairs: (K, 2) int64 moments of A and B, in order; neither ever goes back.
        total: sum of the distances of the pairs.
    """

    pairs: Int[np.ndarray, "k 2"]
    total: float

    @property
    def mean(self) -> float:
        """Mean distance along the path."""
        return self.total / len(self.pairs)


def dtw(
    distance: Float[np.ndarray, "a b"], *, band: int | None = None, open_begin: bool = False, open_end: bool = False
) -> Path:
    """The cheapest path.

    Args:
        distance: (A, B) finite distances >= 0.
        band: how many moments of B a path may stray from the straight line between the corners; no limit by default.
            Where the line is so steep that no path would fit, the band is as much wider as is needed.
        open_begin: the path may begin at any moment of B; with the first of A in any case.
        open_end: the path may end at any moment of B. With both, A is looked for as a part of B.

    Raises:
        UsageError: no or infinite distances, or a band together with open ends.
    """
    values = _checked(distance)
    if band is not None and (open_begin or open_end):
        raise UsageError("a band lies about the line between the corners; leave it out, or the open ends")
    if band is not None and band < 0:
        raise UsageError(f"band is {band}; it must be 0 or more")
    from samepose.sequences._kernels import steps_to, walk_back

    n, m = values.shape
    step = np.empty((n, m), np.uint8)
    costs, _ = steps_to(values, _band(n, m, band), np.inf, 0.0 if open_begin else np.inf, step)
    end = int(costs.argmin()) if open_end else len(costs) - 1
    return Path(walk_back(step, n - 1, end), float(costs[end]))


def dtw_overlap(distance: Float[np.ndarray, "a b"], skip: float) -> Path:
    """The path through what two clips share, when each may begin or end without the other.

    A path may begin with the first moment of either clip and end with the last of either; each moment of the other
    that is left out before or after costs `skip`. So what is farther apart than twice `skip` is rather left out.

    Args:
        distance: (A, B) finite distances >= 0.

    Returns:
        the path; `total` is without the cost of what is left out.

    Raises:
        UsageError: no or infinite distances, or a negative `skip`.
    """
    values = _checked(distance)
    if not skip >= 0:
        raise UsageError(f"skip is {skip}; it must be 0 or more")
    from samepose.sequences._kernels import steps_to, walk_back

    n, m = values.shape
    step = np.empty(values.shape, np.uint8)
    last_row, last_column = steps_to(values, _band(n, m, None), skip, skip, step)
    last_row += skip * np.arange(m - 1, -1, -1)
    last_column += skip * np.arange(n - 1, -1, -1)
    row, column = int(last_column.argmin()), int(last_row.argmin())
    end = (n - 1, column) if last_row[column] <= last_column[row] else (row, m - 1)
    pairs = walk_back(step, *end)
    return Path(pairs, float(values[pairs[:, 0], pairs[:, 1]].sum(dtype=np.float64)))


def dtw_mean(distance: Float[np.ndarray, "a b"]) -> float:
    """`dtw(distance).mean` without the path: faster, and memory for two rows only.

    The compiled function inside, `_kernels.mean_along`, may be called from compiled loops over many clips.

    Raises:
        UsageError: no or infinite distances.
    """
    from samepose.sequences._kernels import mean_along

    return float(mean_along(_checked(distance)))


def _checked(distance: Float[np.ndarray, "a b"]) -> Float[np.ndarray, "a b"]:
    if distance.ndim != 2 or not distance.size:
        raise UsageError(f"distances have shape {distance.shape}; expected a matrix with at least one of each clip")
    if not np.isfinite(distance).all():
        raise UsageError("distances hold NaN or infinity; leave such moments out, or give them a finite distance")
    return np.ascontiguousarray(distance)


def _band(n: int, m: int, band: int | None) -> Band:
    """`band` moments of B about the line between the corners, for each moment of A."""
    if band is None or n == 1:
        return Band(np.zeros(n, np.int64), np.full(n, m, np.int64))
    slope = (m - 1) / (n - 1)
    line, half = np.arange(n) * slope, max(band, slope / 2, 0.5)
    return Band(np.maximum(np.ceil(line - half), 0).astype(np.int64), np.minimum(line + half + 1, m).astype(np.int64))
