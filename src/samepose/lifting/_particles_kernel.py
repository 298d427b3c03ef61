"""The compiled search of `particles`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from samepose.geometry._kinematics_kernel import pose


@njit(cache=True, nogil=True)
def _survival(errors: Any, beta: float, weights: Any) -> float:
    """Weights exp(-beta E), and the share of particles that survives them: 1 / (N Σ π²) (Deutscher and Reid, eq. 9)."""
    total, square, least = 0.0, 0.0, errors.min()
    for i in range(len(errors)):
        weights[i] = math.exp(-beta * (errors[i] - least))
        total += weights[i]
        square += weights[i] * weights[i]
    for i in range(len(errors)):
        weights[i] /= total
    return total * total / square / len(errors)


@njit(cache=True, nogil=True)
def _weigh(errors: Any, survive: float, weights: Any) -> None:
    """The sharpness at which so many survive, by halving."""
    low, high = 0.0, 1.0
    while high < 1e12 and _survival(errors, high, weights) > survive:
        low, high = high, high * 4
    for _ in range(20):
        middle = (low + high) / 2
        if _survival(errors, middle, weights) > survive:
            low = middle
        else:
            high = middle


@njit(cache=True, nogil=True)
def _drawn(sums: Any, rng: Any) -> int:
    return min(np.searchsorted(sums, rng.random() * sums[-1]), len(sums) - 1)


@njit(cache=True, nogil=True)
def search(target: Any, start: Any, rng: Any, count: int, layers: int, survive: float, spread: float, shrink: float,
           limits: Any, limb: Any, topology: Any, offsets: Any, best: Any, points: Any) -> float:
    """One target: `best` (segment, 3) and `points` (17, 3) receive the nearest particle, whose MPJPE is returned."""
    above, axis, carrier, tree = topology
    segments = len(above)
    turns, own, out = np.empty((segments, 3, 3)), np.empty((3, 3)), np.empty((17, 3))
    now, new = np.empty((count, segments, 3)), np.empty((count, segments, 3))
    sigma, errors, weights = np.empty((segments, 3)), np.empty(count), np.empty(count)
    least = np.inf
    for s in range(segments):
        for i in range(3):
            room = limits[s, i, 1] - limits[s, i, 0]
            sigma[s, i] = min(spread, room / 4)
            for n in range(count):
                now[n, s, i] = min(max(start[s, i], limits[s, i, 0]), limits[s, i, 1])
    for layer in range(layers + 1):
        for n in range(count):
            if n or layer:  # the first particle begins as it is told
                for s in range(segments):
                    for i in range(3):
                        if sigma[s, i] > 0 and n:
                            value = now[n, s, i] + sigma[s, i] * rng.standard_normal()
                            now[n, s, i] = min(max(value, limits[s, i, 0]), limits[s, i, 1])
            pose(now[n], above, axis, carrier, tree, offsets, own, turns, out)
            total = 0.0
            for k in range(1, 17):
                x = out[k, 0] - target[k, 0]
                y = out[k, 1] - target[k, 1]
                z = out[k, 2] - target[k, 2]
                total += math.sqrt(x * x + y * y + z * z)
            errors[n] = total / 17
            if errors[n] < least:
                least = errors[n]
                best[:] = now[n]
                points[:] = out
        if layer == layers:
            break
        _weigh(errors, survive, weights)
        sums = np.cumsum(weights)
        new[0] = best
        for n in range(1, count):
            one, other = _drawn(sums, rng), _drawn(sums, rng)
            mine = int(rng.random() * 32)  # which limbs come from the one
            for s in range(segments):
                new[n, s] = now[one, s] if mine >> limb[s] & 1 else now[other, s]
        now, new = new, now
        for s in range(segments):
            for i in range(3):
                mean, square = 0.0, 0.0
                for n in range(count):
                    mean += now[n, s, i]
                    square += now[n, s, i] * now[n, s, i]
                mean /= count
                sigma[s, i] = shrink * math.sqrt(max(square / count - mean * mean, 0.0)) if sigma[s, i] > 0 else 0.0
    return least
