"""The compiled passes of the lower bound that `nearest` prunes with; equations are those of `matching.closed_form`.

A stretch is some consecutive moments of a clip. Arrays of stretches hold those of the original poses, then those of the
mirrored ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from samepose.matching._kernel import calibrate, log, over_nodes

_FAST: Any = {"fastmath": True, "error_model": "numpy", "cache": True, "nogil": True}
_SLACK = np.float32(1e-3)  # far more than float32 and the approximations of the closed form can be off
_QUARTER = np.float32(0.2501)  # no less than the polynomial of eq. 4 anywhere
_ZERO, _HALF, _ONE, _TWO, _LEAST = (np.float32(x) for x in (0, 0.5, 1, 2, 1e-12))


@njit(**_FAST)
def largest_probability(e, w, parameters, out):  # type: ignore[no-untyped-def]
    """Eq. 10: the largest calibrated P of moments of r² of mean e or more and variance w or less; flat arrays."""
    a, b = parameters.a, parameters.b
    for i in range(len(out)):
        mean = max(e[i], _LEAST)
        variance = _QUARTER * w[i] / mean
        rho = math.sqrt(max(mean - variance, _ZERO))
        out[i] = over_nodes(rho, variance if a * rho > b else _ZERO, a, b)
    calibrate(out, parameters)


@njit(**_FAST)
def stretch_distances(a, b, parameters, out):  # type: ignore[no-untyped-def]
    """A lower bound on -log P, the least of the four combinations, of any moments of two stretches.

    Args:
        a, b: `Boxes`, A's as rows, B's as columns.
        parameters: `Parameters`.
        out: (rows, columns) float32, filled.
    """
    rows, columns = out.shape
    e, w = np.empty(2 * columns, np.float32), np.empty(2 * columns, np.float32)
    p, best = np.empty(2 * columns, np.float32), np.empty(columns, np.float32)
    for i in range(rows):
        best[:] = _LEAST
        for k in range(i, 2 * rows, rows):
            e[:], w[:] = _ZERO, _ZERO
            for d in range(a.low.shape[1]):
                lo, hi, v = a.low[k, d], a.high[k, d], a.top[k, d]
                below, above, most = b.low[d], b.high[d], b.top[d]
                for j in range(2 * columns):
                    near = max(max(below[j] - hi, lo - above[j]), _ZERO)
                    far, s = max(above[j] - lo, hi - below[j]), v + most[j]
                    e[j] += near * near
                    w[j] += s * (s + far * far)
            for j in range(2 * columns):
                e[j] = _HALF * e[j] + a.own[k] + b.own[j]
                w[j] *= _TWO
            largest_probability(e, w, parameters, p)
            for j in range(columns):
                best[j] = max(best[j], max(p[j], p[columns + j]))
        for j in range(columns):
            out[i, j] = max(-log(min(best[j], _ONE)) - _SLACK, _ZERO)


@njit(**_FAST)
def averaged_stretches(plain, size, a, b, out):  # type: ignore[no-untyped-def]
    """Bounds on the distances averaged over the temporal kernel, of moments of A and stretches of B.

    Args:
        plain: (rows, columns) of `stretch_distances`.
        size: moments per stretch.
        a, b: `Window` of n and of m moments.
        out: (n, columns) float32, filled.
    """
    if not (a.found.all() and b.found.all()):  # a cell's mean may be over any taps, or over the matrix
        out[:] = plain.min()
        return
    taps_a, taps_b = a.taps, b.taps
    m, part = taps_b.shape[1], np.empty_like(plain)
    out[:] = _ZERO
    for k in range(len(taps_a)):
        for j in range(plain.shape[1]):
            first, last = taps_b[k, j * size] // size, taps_b[k, min(j * size + size, m) - 1] // size
            for i in range(len(plain)):
                part[i, j] = plain[i, first]
                for other in range(first + 1, last + 1):
                    part[i, j] = min(part[i, j], plain[i, other])
        for i in range(len(out)):
            row, source = out[i], part[taps_a[k, i] // size]
            for j in range(len(row)):
                row[j] += source[j]
    share = np.float32(1 / len(taps_a))
    for i in range(len(out)):
        row = out[i]
        for j in range(len(row)):
            row[j] *= share


@njit(**_FAST)
def farther(bounds, size, columns, limit):  # type: ignore[no-untyped-def]
    """Whether every path costs more than `limit` a step on average.

    That is so when no path has a sum of (distance - limit) <= 0. A path that enters a stretch in some row has at least
    one cell there, and at most as many as the stretch has columns.

    Args:
        bounds: (n, stretches) of `averaged_stretches`.
        size, columns: moments per stretch and of the clip.
    """
    n, m = bounds.shape
    sums = np.empty(m, np.float64)
    for i in range(n):
        diagonal, left = 0.0, 1e300
        for j in range(m):
            best = min(diagonal, left)
            if i > 0:
                diagonal = sums[j]
                best = min(best, diagonal)
                if j == 0:
                    best = diagonal
            elif j > 0:
                best = left
            cost = bounds[i, j] - limit
            if cost < 0:
                cost *= min(size, columns - j * size)
            left = best + cost
            sums[j] = left
    return sums[m - 1] > 0
