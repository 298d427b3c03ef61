"""The compiled passes of `nearest`: the distance of two clips, and the search for the nearest of many.

All are sequential and release the interpreter's lock; `nearest` runs a query per thread.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from samepose.matching._kernel import log, moments, probabilities
from samepose.sequences._kernels import kernel_mean, mean_along
from samepose.sequences._nearest_bound import averaged_stretches, farther, stretch_distances

_FAST: Any = {"fastmath": True, "error_model": "numpy", "cache": True, "nogil": True}
_ONE, _LEAST = np.float32(1), np.float32(1e-12)


@njit(**_FAST)
def plain_distances(mean, var, own, means, variances, owns, parameters, mirror, out):  # type: ignore[no-untyped-def]
    """-log P of every pair of moments, no temporal kernel.

    Args:
        mean, var, own: (2, n, dim), (2, n, dim), (2, n): original and mirrored, as `moments` takes poses.
        means, variances, owns: (dim, 2 m), (dim, 2 m), (2 m,) original poses, then mirrored ones.
        mirror: fill only out[0], with the least of the four combinations of original and mirrored.
        out: (1 or 2, n, m) float32, filled: original with original, and original with mirrored.
    """
    a, b, slope, odds, plain = parameters[0], parameters[1], parameters[2], parameters[3], parameters[4] > 0
    n, m = out.shape[1:]
    e, w = np.empty(2 * m, np.float32), np.empty(2 * m, np.float32)
    p, q = np.empty(2 * m, np.float32), np.empty(2 * m, np.float32)
    for i in range(n):
        moments(mean[0, i], var[0, i], own[0, i], means, variances, owns, e, w)
        probabilities(e, w, a, b, slope, odds, plain, p)
        if mirror:
            moments(mean[1, i], var[1, i], own[1, i], means, variances, owns, e, w)
            probabilities(e, w, a, b, slope, odds, plain, q)
            for j in range(m):
                p[j] = max(max(p[j], p[m + j]), max(q[j], q[m + j]))
        for version in range(len(out)):
            row, best = out[version, i], p[version * m : (version + 1) * m]
            for j in range(m):
                row[j] = -log(min(max(best[j], _LEAST), _ONE))


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


@njit(**_FAST)
def clip_at(clips, number):  # type: ignore[no-untyped-def]
    """One of many clips laid out one after the other, as `mean_distance` takes it."""
    means, variances, owns, found, taps, steps, starts = clips
    first, last = starts[number], starts[number + 1]
    dim, wide = len(means) // len(owns), 2 * (last - first)
    flat = slice(2 * first * dim, 2 * last * dim)
    return (means[flat].reshape(dim, wide), variances[flat].reshape(dim, wide), owns[2 * first : 2 * last],
            found[first:last], taps[:, first:last], steps[number])


@njit(**_FAST)
def stretches_at(stretches, number):  # type: ignore[no-untyped-def]
    """The stretches of one of many clips, as `stretch_distances` takes them."""
    lows, highs, tops, owns, starts = stretches
    first, last = starts[number], starts[number + 1]
    dim, wide = len(lows) // len(owns), 2 * (last - first)
    flat = slice(2 * first * dim, 2 * last * dim)
    return (lows[flat].reshape(dim, wide), highs[flat].reshape(dim, wide), tops[flat].reshape(dim, wide),
            owns[2 * first : 2 * last])


@njit(**_FAST)
def bound_rows(query, number, clips, stretches, size, own, parameters):  # type: ignore[no-untyped-def]
    """Lower bounds (n, stretches of the clip) on the averaged distances of a query and one of the clips."""
    found, taps = clips[3], clips[4]
    first, last = clips[6][number], clips[6][number + 1]
    columns = stretches[4][number + 1] - stretches[4][number]
    plain = np.empty((len(own[3]) // 2, columns), np.float32)
    stretch_distances(own, stretches_at(stretches, number), parameters, plain)
    out = np.empty((len(query[3]), columns), np.float32)
    whole = query[3].all() and found[first:last].all()
    averaged_stretches(plain, size, query[4], taps[:, first:last], whole, out)
    return out


@njit(**_FAST)
def search(query, clips, coarse, fine, parameters, candidates, exhaustive, numbers, distances):  # type: ignore
    """The nearest of many clips: first those that a coarse bound thinks near, the others if bounds do not exclude them.

    Args:
        query: as `mean_distance` takes it.
        clips: all clips one after the other (`clip_at`).
        coarse, fine: (moments per stretch, stretches of all clips (`stretches_at`), stretches of the query).
        candidates: numbers of the clips to look among.
        exhaustive: whether to do without bounds.
        numbers, distances: (k,) filled from the front, the nearest first; of equal distances the lower number first.

    Returns:
        how many clips were compared frame by frame.
    """
    starts, n, compared = coarse[1][4], len(query[3]), 0
    kept = np.empty((0, 0), np.float32)
    promise = np.zeros(len(candidates))
    places = np.zeros(len(candidates) + 1, np.int64)
    if not exhaustive:
        for c in range(len(candidates)):
            places[c + 1] = places[c] + starts[candidates[c] + 1] - starts[candidates[c]]
        kept = np.empty((n, places[-1]), np.float32)
        for c in range(len(candidates)):
            rows = bound_rows(query, candidates[c], clips, coarse[1], coarse[0], coarse[2], parameters)
            kept[:, places[c] : places[c + 1]] = rows
            for i in range(n):
                promise[c] += rows[i].min() / n
    for c in np.argsort(promise, kind="mergesort"):
        number, limit = candidates[c], distances[-1]
        if not exhaustive and limit < 1e300:
            columns = clips[6][number + 1] - clips[6][number]
            if farther(kept[:, places[c] : places[c + 1]], coarse[0], columns, limit):
                continue
            rows = bound_rows(query, number, clips, fine[1], fine[0], fine[2], parameters)
            if farther(rows, fine[0], columns, limit):
                continue
        insert(mean_distance(query, clip_at(clips, number), parameters), number, numbers, distances)
        compared += 1
    return compared


@njit(**_FAST)
def insert(distance, number, numbers, distances):  # type: ignore[no-untyped-def]
    """Keep the nearest in order."""
    place = len(distances)
    while place > 0 and (distance < distances[place - 1] or (
            distance == distances[place - 1] and number < numbers[place - 1])):
        place -= 1
    for k in range(len(distances) - 1, place, -1):
        distances[k], numbers[k] = distances[k - 1], numbers[k - 1]
    if place < len(distances):
        distances[place], numbers[place] = distance, number
