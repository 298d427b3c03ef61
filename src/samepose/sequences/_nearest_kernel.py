"""The compiled passes of `nearest`: lower bounds on the distance of two clips, and the distance itself.

All are sequential and release the interpreter's lock; `nearest` runs a query per thread.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from samepose._kernels import _LIMIT, _fill, _log, _moments
from samepose.embeddings import GAUSS_HERMITE_NODES, GAUSS_HERMITE_WEIGHTS
from samepose.sequences._kernels import kernel_mean, mean_along

_FAST: Any = {"fastmath": True, "error_model": "numpy", "cache": True, "nogil": True}
_X1, _X2 = GAUSS_HERMITE_NODES
_W0, _W1, _W2 = GAUSS_HERMITE_WEIGHTS
_SLACK = 1e-3  # of a bound: far more than what float32 and the approximations of `_kernels` can be off
_ZERO, _ONE, _LEAST, _LARGE = np.float32(0), np.float32(1), np.float32(1e-12), np.float32(1e30)


@njit(**_FAST)
def box_gaps(mean, rest, low, high, box_rest, gap):  # type: ignore[no-untyped-def]
    """Least r² of a pose and any pose in each of many boxes, if it is less than what stands in `gap`: see `nearest`.

    Args:
        mean, rest: (dim,) the pose's mean, times sqrt(2), and its rest.
        low, high, box_rest: (dim, box), (dim, box), (box,) of the boxes.
        gap: (box,) float32, lowered.
    """
    total = np.zeros(len(gap), np.float32)
    for d in range(len(mean)):
        x, lo, hi = mean[d], low[d], high[d]
        for j in range(len(gap)):
            outside = max(max(lo[j] - x, x - hi[j]), _ZERO)
            total[j] += outside * outside
    for j in range(len(gap)):
        gap[j] = min(gap[j], np.float32(0.5) * total[j] + rest + box_rest[j])


@njit(**_FAST)
def least_distance(r2, spread2, parameters):  # type: ignore[no-untyped-def]
    """-log of the largest P of any pair with E r >= sqrt(r2) and Var r <= spread2 (proof in `nearest`)."""
    a, b, slope, odds, plain = parameters[0], parameters[1], parameters[2], parameters[3], parameters[4] > 0
    x = min(max(a * math.sqrt(r2) - b, -_LIMIT), _LIMIT)
    s = a * math.sqrt(spread2) if x > 0 else 0.0
    p = _W0 / (1 + math.exp(x))
    for weight, node in ((_W1, _X1), (_W2, _X2)):
        p += weight * (1 / (1 + math.exp(min(x + node * s, 80.0))) + 1 / (1 + math.exp(min(x - node * s, 80.0))))
    if not plain:
        p = 1 / (1 + odds * ((1 - p) / p) ** slope)
    return max(-math.log(min(max(p, 1e-12), 1.0)) - _SLACK, 0.0)


@njit(**_FAST)
def clip_bounds(mean, rest, peak, found, taps, boxes, starts, peaks, lengths, gaps, parameters, out):  # type: ignore
    """A lower bound on the mean distance along any path from one clip to each of many.

    Args:
        mean, rest: (2, n, dim), (2, n) of the query's poses, original and mirrored.
        peak: (n,) largest variance of either.
        found: (n,) bool.
        taps: (tap, n) int32.
        boxes: (low (dim, box), high (dim, box), rest (box,)) of all clips one after the other.
        starts: (clip + 1,) where the boxes of each begin.
        peaks, lengths, gaps: (clip,) largest variance, moments, and whether some are not found.
        out: (clip,) float64, filled.
    """
    low, high, box_rest = boxes
    n, clips = mean.shape[1], len(lengths)
    base = np.zeros((clips, n))
    gap = np.empty(low.shape[1], np.float32)
    for i in range(n):
        if not found[i]:
            continue
        gap[:] = _LARGE
        box_gaps(mean[0, i], rest[0, i], low, high, box_rest, gap)
        box_gaps(mean[1, i], rest[1, i], low, high, box_rest, gap)
        for c in range(clips):
            least = _LARGE
            for k in range(starts[c], starts[c + 1]):
                least = min(least, gap[k])
            base[c, i] = least_distance(least, 1.001 * (peak[i] + peaks[c]), parameters)
    whole = found.all()
    for c in range(clips):
        out[c] = path_bound(base[c], found, taps, whole and not gaps[c], lengths[c])


@njit(**_FAST)
def path_bound(base, found, taps, whole, columns):  # type: ignore[no-untyped-def]
    """Bound on the mean along a path, from bounds `base` (n,) on the plain distances in each row.

    A path has a cell in each of the n rows, and at most columns - 1 more; these cost at least the least row's.
    """
    n, floor = len(base), _LARGE
    for i in range(n):
        if found[i]:
            floor = min(floor, base[i])
    if not whole:  # a cell's mean may then be over any of its taps, or over the whole matrix
        return floor
    total, least = 0.0, _LARGE
    for i in range(n):
        row = 0.0
        for k in range(len(taps)):
            row += base[taps[k, i]]
        row /= len(taps)
        total, least = total + row, min(least, row)
    return (total + (columns - 1) * least) / (n + columns - 1)


@njit(**_FAST)
def plain_distances(mean, var, own, means, variances, owns, parameters, mirror, out):  # type: ignore[no-untyped-def]
    """-log P of every pair of moments, no temporal kernel.

    Args:
        mean, var, own: (2, n, dim), (2, n, dim), (2, n): original and mirrored, as `_kernels._moments` takes poses.
        means, variances, owns: (dim, 2 m), (dim, 2 m), (2 m,) original poses, then mirrored ones.
        mirror: fill only out[0], with the least of the four combinations of original and mirrored.
        out: (1 or 2, n, m) float32, filled: original with original, and original with mirrored.
    """
    a, b, slope, odds, plain = parameters[0], parameters[1], parameters[2], parameters[3], parameters[4] > 0
    n, m = out.shape[1:]
    e, w = np.empty(2 * m, np.float32), np.empty(2 * m, np.float32)
    p, q = np.empty(2 * m, np.float32), np.empty(2 * m, np.float32)
    for i in range(n):
        _moments(mean[0, i], var[0, i], own[0, i], means, variances, owns, e, w)
        _fill(e, w, a, b, slope, odds, plain, p)
        if mirror:
            _moments(mean[1, i], var[1, i], own[1, i], means, variances, owns, e, w)
            _fill(e, w, a, b, slope, odds, plain, q)
            for j in range(m):
                p[j] = max(max(p[j], p[m + j]), max(q[j], q[m + j]))
        for version in range(len(out)):
            row, best = out[version, i], p[version * m : (version + 1) * m]
            for j in range(m):
                row[j] = -_log(min(max(best[j], _LEAST), _ONE))


@njit(**_FAST)
def steady_mean(plain, steps, out):  # type: ignore[no-untyped-def]
    """`kernel_mean` where every moment is found and both clips have the offsets `steps`: shifted rows, no look-ups."""
    n, m = plain.shape
    reach = max(steps.max(), -steps.min())
    padded, share = np.empty(m + 2 * reach, np.float32), np.float32(1 / len(steps))
    for i in range(n):
        row = out[i]
        row[:] = 0
        for step in steps:
            source = plain[min(max(i + step, 0), n - 1)]
            for j in range(reach):
                padded[j], padded[reach + m + j] = source[0], source[m - 1]
            padded[reach : reach + m] = source
            shifted = padded[reach + step : reach + step + m]
            for j in range(m):
                row[j] += shifted[j]
        for j in range(m):
            row[j] *= share


@njit(**_FAST)
def averaged(plain, found_a, taps_a, steps_a, found_b, taps_b, steps_b):  # type: ignore[no-untyped-def]
    """Plain distances (n, m) averaged over the temporal kernel, as `frame_distances`."""
    if found_a.all() and found_b.all() and (steps_a == steps_b).all():
        out = np.empty_like(plain)
        steady_mean(plain, steps_a, out)
        return out
    return kernel_mean(plain, found_a, found_b, taps_a, taps_b)


@njit(**_FAST)
def mean_distance(query, clip, parameters):  # type: ignore[no-untyped-def]
    """Mean distance along the cheapest path of two clips, as `frame_distances(mirror=True)` and `dtw_mean`.

    Args:
        query: (mean, var, own, found, taps, steps), its poses as rows.
        clip: (means, variances, owns, found, taps, steps), its poses as columns.
    """
    mean, var, own, found_a, taps_a, steps_a = query
    means, variances, owns, found_b, taps_b, steps_b = clip
    plain = np.empty((1, mean.shape[1], len(owns) // 2), np.float32)
    plain_distances(mean, var, own, means, variances, owns, parameters, True, plain)
    return mean_along(averaged(plain[0], found_a, taps_a, steps_a, found_b, taps_b, steps_b))
