"""The compiled passes of `nearest`: the distance of two clips, and the search for the nearest of many.

All are sequential and release the interpreter's lock; `nearest` runs a query per thread.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from samepose.matching._kernel import log, moments, probabilities
from samepose.matching._layout import Gaussians
from samepose.sequences._kernels import kernel_mean, mean_along
from samepose.sequences._layout import Boxes, Side, Window
from samepose.sequences._nearest_bound import averaged_stretches, farther, stretch_distances

_FAST: Any = {"fastmath": True, "error_model": "numpy", "cache": True, "nogil": True}
_ONE, _LEAST = np.float32(1), np.float32(1e-12)


@njit(**_FAST)
def plain_distances(a, b, parameters, mirror, out):  # type: ignore[no-untyped-def]
    """-log P of every pair of moments, no temporal kernel.

    Args:
        a, b: `Gaussians`, A's as rows, B's as columns.
        parameters: `Parameters`.
        mirror: fill only out[0], with the least of the four combinations of original and mirrored.
        out: (1 or 2, n, m) float32, filled: original with original, and original with mirrored.
    """
    n, m = out.shape[1:]
    e, w = np.empty(2 * m, np.float32), np.empty(2 * m, np.float32)
    p, q = np.empty(2 * m, np.float32), np.empty(2 * m, np.float32)
    for i in range(n):
        moments(Gaussians(a.mean[0, i], a.var[0, i], a.own[0, i]), b, e, w)
        probabilities(e, w, parameters, p)
        if mirror:
            moments(Gaussians(a.mean[1, i], a.var[1, i], a.own[1, i]), b, e, w)
            probabilities(e, w, parameters, q)
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
def averaged(plain, a, b):  # type: ignore[no-untyped-def]
    """Plain distances (n, m) averaged over the temporal kernel, as `frame_distances`; a and b are `Window`."""
    if a.found.all() and b.found.all() and (a.steps == b.steps).all():
        out = np.empty_like(plain)
        steady_mean(plain, a.steps, out)
        return out
    return kernel_mean(plain, a, b)


@njit(**_FAST)
def mean_distance(query, clip, parameters):  # type: ignore[no-untyped-def]
    """Mean distance along the cheapest path of two clips, as `frame_distances(mirror=True)` and `dtw_mean`.

    Args:
        query, clip: `Side`, the query's as rows, the clip's as columns.
        parameters: `Parameters`.
    """
    plain = np.empty((1, query.poses.mean.shape[1], len(clip.poses.own) // 2), np.float32)
    plain_distances(query.poses, clip.poses, parameters, True, plain)
    return mean_along(averaged(plain[0], query.window, clip.window))


@njit(**_FAST)
def window_at(clips, number):  # type: ignore[no-untyped-def]
    """The `Window` of one of many `Clips`."""
    first, last, window = clips.starts[number], clips.starts[number + 1], clips.window
    return Window(window.found[first:last], window.taps[:, first:last], window.steps[number])


@njit(**_FAST)
def clip_at(clips, number):  # type: ignore[no-untyped-def]
    """One of many `Clips` as `Side`."""
    first, last, poses = clips.starts[number], clips.starts[number + 1], clips.poses
    dim, wide = len(poses.mean) // len(poses.own), 2 * (last - first)
    flat = slice(2 * first * dim, 2 * last * dim)
    part = Gaussians(poses.mean[flat].reshape(dim, wide), poses.var[flat].reshape(dim, wide),
                     poses.own[2 * first : 2 * last])
    return Side(part, window_at(clips, number))


@njit(**_FAST)
def boxes_at(stretches, number):  # type: ignore[no-untyped-def]
    """The `Boxes` of one of many clips."""
    first, last, boxes = stretches.starts[number], stretches.starts[number + 1], stretches.boxes
    dim, wide = len(boxes.low) // len(boxes.own), 2 * (last - first)
    flat = slice(2 * first * dim, 2 * last * dim)
    return Boxes(boxes.low[flat].reshape(dim, wide), boxes.high[flat].reshape(dim, wide),
                 boxes.top[flat].reshape(dim, wide), boxes.own[2 * first : 2 * last])


@njit(**_FAST)
def bound_rows(window, boxes, stretches, clips, number, parameters):  # type: ignore[no-untyped-def]
    """Lower bounds on the averaged distances of the moments of a query and the stretches of one of the clips.

    Args:
        window, boxes: of the query.
        stretches, clips: `Stretches`, of the query's length, of all `Clips`.
        number: of the clip.

    Returns:
        (n, stretches of the clip) float32.
    """
    columns = stretches.starts[number + 1] - stretches.starts[number]
    plain = np.empty((len(boxes.own) // 2, columns), np.float32)
    stretch_distances(boxes, boxes_at(stretches, number), parameters, plain)
    out = np.empty((len(window.found), columns), np.float32)
    averaged_stretches(plain, stretches.size, window, window_at(clips, number), out)
    return out


@njit(**_FAST)
def coarse_bounds(query, clips, parameters, candidates):  # type: ignore[no-untyped-def]
    """`bound_rows` of all candidates by their long stretches.

    Returns:
        (n, stretches of all candidates) bounds, (candidates + 1,) where each candidate's begin, and (candidates,) how
        far at least each moment of the query is from a candidate on average.
    """
    starts, n = clips.coarse.starts, len(query.clip.window.found)
    promise = np.zeros(len(candidates))
    places = np.zeros(len(candidates) + 1, np.int64)
    for c in range(len(candidates)):
        places[c + 1] = places[c] + starts[candidates[c] + 1] - starts[candidates[c]]
    bounds = np.empty((n, places[-1]), np.float32)
    for c in range(len(candidates)):
        rows = bound_rows(query.clip.window, query.coarse, clips.coarse, clips, candidates[c], parameters)
        bounds[:, places[c] : places[c + 1]] = rows
        for i in range(n):
            promise[c] += rows[i].min() / n
    return bounds, places, promise


@njit(**_FAST)
def search(query, clips, parameters, candidates, best):  # type: ignore[no-untyped-def]
    """The nearest of many clips: first those that a coarse bound thinks near, the others if bounds do not exclude them.

    Args:
        query: `Query`.
        clips: `Clips`.
        parameters: `Parameters`.
        candidates: numbers of the clips to look among.
        best: `Best`, filled from the front.

    Returns:
        how many clips were compared frame by frame.
    """
    bounds, places, promise = coarse_bounds(query, clips, parameters, candidates)
    compared = 0
    for c in np.argsort(promise, kind="mergesort"):
        number, limit = candidates[c], best.distances[-1]
        if limit < 1e300:
            columns = clips.starts[number + 1] - clips.starts[number]
            if farther(bounds[:, places[c] : places[c + 1]], clips.coarse.size, columns, limit):
                continue
            rows = bound_rows(query.clip.window, query.fine, clips.fine, clips, number, parameters)
            if farther(rows, clips.fine.size, columns, limit):
                continue
        insert(mean_distance(query.clip, clip_at(clips, number), parameters), number, best)
        compared += 1
    return compared


@njit(**_FAST)
def search_all(query, clips, parameters, candidates, best):  # type: ignore[no-untyped-def]
    """As `search`, without bounds: every candidate is compared."""
    for number in candidates:
        insert(mean_distance(query.clip, clip_at(clips, number), parameters), number, best)
    return len(candidates)


@njit(**_FAST)
def insert(distance, number, best):  # type: ignore[no-untyped-def]
    """Keep the nearest in order."""
    numbers, distances = best.numbers, best.distances
    place = len(distances)
    while place > 0 and (distance < distances[place - 1] or (
            distance == distances[place - 1] and number < numbers[place - 1])):
        place -= 1
    for k in range(len(distances) - 1, place, -1):
        distances[k], numbers[k] = distances[k - 1], numbers[k - 1]
    if place < len(distances):
        distances[place], numbers[place] = distance, number
