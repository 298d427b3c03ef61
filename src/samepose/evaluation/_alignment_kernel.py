"""The compiled passes of `alignment`: sequential, and the interpreter's lock released."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from samepose.sequences._kernels import steps_to, walk_back
from samepose.sequences._layout import Band
from samepose.sequences._nearest_kernel import averaged, plain_distances

_EXACT: Any = {"error_model": "numpy", "cache": True, "nogil": True}


@njit(**_EXACT)
def tau_b(x, y):  # type: ignore[no-untyped-def]
    """Kendall's tau-b of two (n,) lists of whole numbers; 0 where either is all ties."""
    order, ties_x, ties_y = 0, 0, 0
    for i in range(len(x)):
        for j in range(i):
            step_x, step_y = x[i] - x[j], y[i] - y[j]
            ties_x += step_x == 0
            ties_y += step_y == 0
            order += (step_x * step_y > 0) - (step_x * step_y < 0)
    pairs = len(x) * (len(x) - 1) // 2
    if ties_x == pairs or ties_y == pairs:
        return 0.0
    return order / math.sqrt(float(pairs - ties_x) * float(pairs - ties_y))


@njit(**_EXACT)
def nearest_tau(distance, found_a, found_b):  # type: ignore[no-untyped-def]
    """Tau-b between the moments of A that are found and their nearest ones in B; the first of equally near ones."""
    n, m = distance.shape
    x, y, count = np.empty(n, np.int64), np.empty(n, np.int64), 0
    for i in range(n):
        if not found_a[i]:
            continue
        best = -1
        for j in range(m):
            if found_b[j] and (best < 0 or distance[i, j] < distance[i, best]):
                best = j
        x[count], y[count] = i, best
        count += 1
    return tau_b(x[:count], y[:count])


@njit(**_EXACT)
def path_tau(distance):  # type: ignore[no-untyped-def]
    """Tau-b of the pairs along the path of dynamic time warping."""
    n, m = distance.shape
    step = np.empty((n, m), np.uint8)
    steps_to(distance, Band(np.zeros(n, np.int64), np.full(n, m)), np.inf, np.inf, step)
    pairs = walk_back(step, n - 1, m - 1)
    return tau_b(pairs[:, 0], pairs[:, 1])


@njit(**_EXACT)
def taus(a, b, parameters, out):  # type: ignore[no-untyped-def]
    """From A to B, from B to A, and along the path: each the larger of B as it is and B mirrored.

    Args:
        a, b: `Side`, A's as rows, B's as columns.
        parameters: `Parameters`.
        out: (3,) float64, filled.
    """
    plain = np.empty((2, a.poses.mean.shape[1], len(b.poses.own) // 2), np.float32)
    plain_distances(a.poses, b.poses, parameters, False, plain)
    out[:] = -2
    for version in range(2):
        distance = averaged(plain[version], a.window, b.window)
        out[0] = max(out[0], nearest_tau(distance, a.window.found, b.window.found))
        out[1] = max(out[1], nearest_tau(distance.T.copy(), b.window.found, a.window.found))
        out[2] = max(out[2], path_tau(distance))
