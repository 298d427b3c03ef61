"""The compiled pass of `subsequence`: the cheapest place of a whole example in a part of a clip."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(error_model="numpy", cache=True, nogil=True)
def best_place(distance, low, high):  # type: ignore[no-untyped-def]
    """Where in columns low to high - 1 the example costs least.

    A path steps by (1, 1), (2, 1) or (1, 2), and passes through the cell between: it is nowhere slower than half the
    pace or faster than twice. Each row weighs 1, whatever its columns, so places of any length compare. Of equally
    cheap ways the diagonal wins, then (2, 1); of equally cheap ends the first.

    Args:
        distance: (n, m) float32, finite: example, clip.
        low, high: 0 <= low <= high <= m.

    Returns:
        mean distance over the rows, first column, last column; infinite, -1, -1 when the example does not fit.
    """
    n, width = len(distance), high - low
    cost, start = np.full((3, max(width, 1)), np.inf), np.full((3, max(width, 1)), -1, np.int64)
    for i in range(n):
        here, one, two = i % 3, (i - 1) % 3, (i - 2) % 3
        for j in range(width):
            d = np.float64(distance[i, low + j])
            if i == 0:
                cost[here, j], start[here, j] = d, j
                continue
            best, begin = np.inf, -1
            if j >= 1:
                best, begin = cost[one, j - 1] + d, start[one, j - 1]
            if j >= 1 and i >= 2:
                other = cost[two, j - 1] + distance[i - 1, low + j] + d
                if other < best:
                    best, begin = other, start[two, j - 1]
            if j >= 2:
                other = cost[one, j - 2] + (distance[i, low + j - 1] + d) / 2
                if other < best:
                    best, begin = other, start[one, j - 2]
            cost[here, j], start[here, j] = best, begin
    last = (n - 1) % 3
    end = int(cost[last, :width].argmin()) if width else -1
    if end < 0 or not np.isfinite(cost[last, end]):
        return np.inf, -1, -1
    return cost[last, end] / n, low + start[last, end], low + end
