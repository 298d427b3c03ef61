"""The compiled passes of sequences: averaging over time and dynamic time warping.

All are sequential and release the interpreter's lock: whoever has many clips to compare runs them in threads, or calls
them from a parallel loop of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_FAST: Any = {"fastmath": True, "error_model": "numpy", "cache": True, "nogil": True}
_EXACT: Any = {"error_model": "numpy", "cache": True, "nogil": True}  # infinities must stay infinite
DIAGONAL, DOWN, RIGHT, BEGIN = np.uint8(0), np.uint8(1), np.uint8(2), np.uint8(3)  # what leads to a cell
_INF = np.inf


@njit(**_FAST)
def kernel_mean(plain, a, b):  # type: ignore[no-untyped-def]
    """Mean of plain[a.taps[k, i], b.taps[k, j]] over the taps k at which both are found; elsewhere the mean of all.

    Args:
        plain: (n, m) float32, finite.
        a, b: `Window` of n and of m moments.

    Returns:
        (n, m) float32.
    """
    n, m = plain.shape
    found_a, taps_a, taps_b = a.found, a.taps, b.taps
    out = np.empty((n, m), np.float32)
    weight_b = b.found.astype(np.float32)
    total, count = np.empty(m, np.float32), np.empty(m, np.float32)
    whole, cells = 0.0, 0
    for i in range(n):
        total[:], count[:] = 0, 0
        for k in range(len(taps_a)):
            if found_a[taps_a[k, i]]:
                row, columns = plain[taps_a[k, i]], taps_b[k]
                for j in range(m):
                    total[j] += row[columns[j]] * weight_b[columns[j]]
                    count[j] += weight_b[columns[j]]
        for j in range(m):
            out[i, j] = total[j] / count[j] if count[j] > 0 else np.float32(-1)
            if count[j] > 0:
                whole += out[i, j]
                cells += 1
    neutral = np.float32(whole / cells) if cells else np.float32(0)
    for i in range(n):
        for j in range(m):
            if out[i, j] < 0:
                out[i, j] = neutral
    return out


@njit(**_EXACT)
def mean_along(distance):  # type: ignore[no-untyped-def]
    """Mean distance along the cheapest path from the first pair to the last; memory for two rows only.

    Ties are broken as in `steps_to`, so that it is the mean of the path that `dtw` returns.

    Args:
        distance: (n, m) floats, finite, n and m >= 1.
    """
    n, m = distance.shape
    cost, length = np.empty(m), np.empty(m, np.int32)
    cost[0], length[0] = distance[0, 0], 1
    for j in range(1, m):
        cost[j], length[j] = cost[j - 1] + distance[0, j], j + 1
    for i in range(1, n):
        diagonal, diagonal_length = cost[0], length[0]
        left, left_length = cost[0] + distance[i, 0], length[0] + 1
        cost[0], length[0] = left, left_length
        for j in range(1, m):
            best, steps = diagonal, diagonal_length
            diagonal, diagonal_length = cost[j], length[j]
            if diagonal < best:
                best, steps = diagonal, diagonal_length
            if left < best:
                best, steps = left, left_length
            left, left_length = best + distance[i, j], steps + 1
            cost[j], length[j] = left, left_length
    return cost[m - 1] / length[m - 1]


@njit(**_EXACT)
def steps_to(distance, band, skip_a, skip_b, step):  # type: ignore[no-untyped-def]
    """Fill in the step that leads to each cell on its cheapest path; the costs of the last row and column.

    Of equally cheap steps the diagonal is taken, then the one along the rows (down), then along the columns (right),
    and a beginning where it is no dearer than any step.

    Args:
        distance: (n, m) floats, finite.
        band: `Band` of n rows: where a path may go.
        skip_a, skip_b: cost of each row, or column, before the beginning of the path; infinite: begin with the first.
        step: (n, m) uint8, filled where a path may go.

    Returns:
        (m,), (n,) float64 costs of the paths that end in the last row, and in the last column; infinite outside the
        band.
    """
    n, m = distance.shape
    first, last = band.first, band.last
    cost, ends = np.full(m, _INF), np.full(n, _INF)
    left = _INF
    for j in range(first[0], last[0]):
        start = skip_b * j if j > 0 else 0.0  # 0 times infinity is no number
        step[0, j] = BEGIN if start <= left else RIGHT
        left = min(start, left) + distance[0, j]
        cost[j] = left
    ends[0] = cost[m - 1]
    for i in range(1, n):
        low, high = first[i], last[i]
        diagonal, left = _INF, _INF
        if low > 0:
            diagonal = cost[low - 1]
        for j in range(low, high):
            best, way = diagonal, DIAGONAL
            diagonal = cost[j]
            if diagonal < best:
                best, way = diagonal, DOWN
            if left < best:
                best, way = left, RIGHT
            if j == 0 and skip_a * i <= best:
                best, way = skip_a * i, BEGIN
            left = best + distance[i, j]
            cost[j], step[i, j] = left, way
        for j in range(first[i - 1], low):  # behind the band
            cost[j] = _INF
        ends[i] = cost[m - 1]
    return cost, ends


@njit(**_EXACT)
def walk_back(step, i, j):  # type: ignore[no-untyped-def]
    """The pairs of the path that ends at (i, j), from its beginning: (k, 2) int64."""
    pairs = np.empty((i + j + 1, 2), np.int64)
    k = len(pairs)
    while True:
        k -= 1
        pairs[k, 0], pairs[k, 1] = i, j
        way = step[i, j]
        if way == BEGIN:
            return pairs[k:].copy()
        if way != RIGHT:
            i -= 1
        if way != DOWN:
            j -= 1
