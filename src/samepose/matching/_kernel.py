"""The compiled passes of the matching probability; equations are those of `closed_form`.

The work is in sequential functions, and the parallel ones only hand it out: numba compiles a parallel loop with
Python's error model, which tests every divisor for zero, and then LLVM vectorises nothing (50 times slower).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, prange

from samepose.matching._layout import Derivatives, Gaussians, Span
from samepose.matching.closed_form import (
    FLOOR,
    GAMMA_POLY,
    GAUSS_HERMITE_NODES,
    GAUSS_HERMITE_WEIGHTS,
    LEAST_MEAN,
    LIMIT,
    WIDE_LIMIT,
)

TILE = 512  # poses side by side: two rows of intermediate results stay in the first cache, the tile in the second
ROWS = 256  # poses against one tile per task: enough to forget the time it took to lay out the tile
_BLOCK = 4096

_C0, _C1, _C2, _C3, _C4 = (np.float32(c) for c in GAMMA_POLY)
_X1, _X2 = (np.float32(x) for x in GAUSS_HERMITE_NODES)
_XX1, _XX2 = (np.float32(x * x / 1024) for x in GAUSS_HERMITE_NODES)
_W0, _W1, _W2 = (np.float32(w) for w in GAUSS_HERMITE_WEIGHTS)
_ZERO, _HALF, _ONE, _TWO = (np.float32(x) for x in (0, 0.5, 1, 2))
_LEAST_MEAN, _FLOOR, _LIMIT, _WIDE_LIMIT = (np.float32(x) for x in (LEAST_MEAN, FLOOR, LIMIT, WIDE_LIMIT))
_ROOT2 = np.float32(math.sqrt(2))
_E2, _E3, _E4, _E5, _E6 = (np.float32(1 / math.factorial(n)) for n in range(2, 7))
_H2, _H3, _H4 = (np.float32(2 / math.factorial(n)) for n in (4, 6, 8))
_L3, _L5, _L7, _L9 = (np.float32(2 / n) for n in (3, 5, 7, 9))
_LN2, _PER_LN2 = np.float32(math.log(2)), np.float32(1 / math.log(2))
_ROOT_HALF_BITS, _BIAS, _FRACTION = np.int32(0x3F3504F3), np.int32(127), np.int32(23)

_FAST: Any = {"fastmath": True, "error_model": "numpy", "cache": True}


@njit(inline="always", **_FAST)
def exp(x, limit):  # type: ignore[no-untyped-def]
    """e**x, x cut to +-limit <= 80, to 4e-6 relative. Plain arithmetic: unlike libm's, LLVM vectorises it."""
    x = min(max(x, -limit), limit)
    power = np.floor(x * _PER_LN2 + _HALF)
    y = x - power * _LN2
    p = _ONE + y * (_ONE + y * (_E2 + y * (_E3 + y * (_E4 + y * (_E5 + y * _E6)))))
    return p * np.int32((np.int32(power) + _BIAS) << _FRACTION).view(np.float32)


@njit(inline="always", **_FAST)
def log(x):  # type: ignore[no-untyped-def]
    """Natural logarithm of a normal float32 > 0, to 1e-6: exponent from the bits, atanh's series for the rest."""
    bits = np.float32(x).view(np.int32)
    power = np.int32((bits - _ROOT_HALF_BITS) >> _FRACTION)
    m = np.int32(bits - np.int32(power << _FRACTION)).view(np.float32)  # in sqrt(1/2)..sqrt(2)
    t = (m - _ONE) / (m + _ONE)
    t2 = t * t
    return np.float32(power) * _LN2 + t * (_TWO + t2 * (_L3 + t2 * (_L5 + t2 * (_L7 + t2 * _L9))))


@njit(inline="always", **_FAST)
def _two_cosh(y):  # type: ignore[no-untyped-def]
    """2 cosh(32 sqrt(y)), argument cut to 40: a series, then five times 2 cosh(2x) = (2 cosh x)² - 2."""
    y = min(y, _LIMIT * _LIMIT / np.float32(1024))
    t = _TWO + y * (_ONE + y * (_H2 + y * (_H3 + y * _H4)))
    t = t * t - _TWO
    t = t * t - _TWO
    t = t * t - _TWO
    t = t * t - _TWO
    return t * t - _TWO


@njit(inline="always", **_FAST)
def _gamma_matched(e, w):  # type: ignore[no-untyped-def]
    """Moments of r² -> e, u and q of eq. 4, within their bounds."""
    e = max(e, _LEAST_MEAN)
    u = min(max(w, _ZERO) / (e * e), _TWO)
    return e, u, u * (_C0 + u * (_C1 + u * (_C2 + u * (_C3 + u * _C4))))


@njit(inline="always", **_FAST)
def over_nodes(rho, variance, a, b):  # type: ignore[no-untyped-def]
    """Eq. 5, its nodes by pairs (eq. 6): uncalibrated P from the mean and the variance of r."""
    c = exp(a * rho - b, _LIMIT)
    spread2, far = a * a * variance, _ONE + c * c
    t1, t2 = c * _two_cosh(spread2 * _XX1), c * _two_cosh(spread2 * _XX2)
    return _W0 / (_ONE + c) + _W1 * (_TWO + t1) / (far + t1) + _W2 * (_TWO + t2) / (far + t2)


@njit(**_FAST)
def calibrate(p, parameters):  # type: ignore[no-untyped-def]
    """Eq. 7 of a row of P, in place."""
    if parameters.plain:
        return
    slope, odds = parameters.slope, parameters.odds
    for i in range(len(p)):
        against = max((_ONE - p[i]) / max(p[i], _FLOOR), _FLOOR)
        p[i] = _ONE / (_ONE + odds * exp(slope * log(against), _WIDE_LIMIT))


@njit(**_FAST)
def probabilities(e, w, parameters, out):  # type: ignore[no-untyped-def]
    """A row of moments of r² -> calibrated P."""
    a, b = parameters.a, parameters.b
    for i in range(len(out)):
        mean, _, q = _gamma_matched(e[i], w[i])
        out[i] = over_nodes(math.sqrt(mean * (_ONE - q)), mean * q, a, b)
    calibrate(out, parameters)


@njit(**_FAST)
def moments(pose, others, e, w):  # type: ignore[no-untyped-def]
    """Eq. 2 of one pose and a row of others; four dimensions at a time, so that e and w are seldom loaded and stored.

    Means come multiplied by sqrt(2), so with t = s + 2m²: e = (Σt + Σs) / 2 and w = 2 Σ s t.

    Args:
        pose, others: `Gaussians`, (dim,) and (dim, n).
        e, w: (n,) float32, filled.
    """
    mean, var, own = pose.mean, pose.var, pose.own
    means, variances, owns = others.mean, others.var, others.own
    for j in range(len(e)):
        e[j], w[j] = own + owns[j], _ZERO
    for d in range(0, len(mean), 4):
        m0, m1, m2, m3 = mean[d], mean[d + 1], mean[d + 2], mean[d + 3]
        v0, v1, v2, v3 = var[d], var[d + 1], var[d + 2], var[d + 3]
        for j in range(len(e)):
            g0, g1, g2, g3 = means[d, j] - m0, means[d + 1, j] - m1, means[d + 2, j] - m2, means[d + 3, j] - m3
            s0, s1 = variances[d, j] + v0, variances[d + 1, j] + v1
            s2, s3 = variances[d + 2, j] + v2, variances[d + 3, j] + v3
            t0, t1, t2, t3 = g0 * g0 + s0, g1 * g1 + s1, g2 * g2 + s2, g3 * g3 + s3
            e[j] += (t0 + t1) + (t2 + t3)
            w[j] += (s0 * t0 + s1 * t1) + (s2 * t2 + s3 * t3)
    for j in range(len(e)):
        e[j] *= _HALF
        w[j] *= _TWO


@njit(**_FAST)
def _side_by_side(poses, span, wide):  # type: ignore[no-untyped-def]
    """At most TILE poses of a `Batch` as `Gaussians` (wide, TILE).

    What no pose or dimension fills is zero; a dimension of zeros changes no moment.
    """
    means, variances = np.zeros((wide, TILE), np.float32), np.zeros((wide, TILE), np.float32)
    own = np.zeros(TILE, np.float32)
    for j in range(span.end - span.start):
        for d in range(poses.mean.shape[1]):
            means[d, j], variances[d, j] = _ROOT2 * poses.mean[span.start + j, d], poses.var[span.start + j, d]
            own[j] += poses.var[span.start + j, d]
    return Gaussians(means, variances, own)


@njit(**_FAST)
def tile(poses, rows, others, columns, parameters, out):  # type: ignore[no-untyped-def]
    """`all_pairs` of the poses of one span of rows and the others of one span of columns, at most TILE."""
    wide = (poses.mean.shape[1] + 3) // 4 * 4
    beside = _side_by_side(others, columns, wide)
    mean, var = np.zeros(wide, np.float32), np.zeros(wide, np.float32)
    e, w = np.empty(TILE, np.float32), np.empty(TILE, np.float32)
    for i in range(rows.start, rows.end):
        own = _ZERO
        for d in range(poses.mean.shape[1]):
            mean[d], var[d] = _ROOT2 * poses.mean[i, d], poses.var[i, d]
            own += var[d]
        moments(Gaussians(mean, var, own), beside, e, w)
        row = out[i]  # a row of a contiguous array is known to be contiguous, a two-dimensional cut is not
        probabilities(e, w, parameters, row[columns.start : columns.end])


@njit(parallel=True, **_FAST)
def all_pairs(poses, others, parameters, out):  # type: ignore[no-untyped-def]
    """Calibrated P of every pair.

    Args:
        poses, others: `Batch` of q and of n, float32.
        parameters: `Parameters`.
        out: (q, n) float32, filled.
    """
    q, n = out.shape
    tiles = (n + TILE - 1) // TILE
    for task in prange((q + ROWS - 1) // ROWS * tiles):
        row, column = task // tiles * ROWS, task % tiles * TILE
        rows, columns = Span(row, min(row + ROWS, q)), Span(column, min(column + TILE, n))
        tile(poses, rows, others, columns, parameters, out)


@njit(**_FAST)
def _fill_with_gradients(e, w, a, b, out):  # type: ignore[no-untyped-def]
    """Eq. 5 and 8. Each sigmoid of a pair of nodes is needed by itself, so eq. 6 is of no use."""
    p, de, dw, da, db = out.p, out.e, out.w, out.a, out.b
    for i in range(len(e)):
        mean, u, q = _gamma_matched(e[i], w[i])
        dq = _C0 + u * (_TWO * _C1 + u * (np.float32(3) * _C2 + u * (np.float32(4) * _C3 + u * np.float32(5) * _C4)))
        r, deviation = math.sqrt(mean * (_ONE - q)), math.sqrt(mean * q) + np.float32(1e-9)
        centre, spread = exp(a * r - b, _LIMIT), a * deviation
        g1, g2 = exp(spread * _X1, _LIMIT), exp(spread * _X2, _LIMIT)
        s0, near1, near2 = _ONE / (_ONE + centre), g1 / (g1 + centre), g2 / (g2 + centre)
        far1, far2 = _ONE / (_ONE + centre * g1), _ONE / (_ONE + centre * g2)
        p[i] = _W0 * s0 + _W1 * (far1 + near1) + _W2 * (far2 + near2)
        n1, f1 = _W1 * near1 * (_ONE - near1), _W1 * far1 * (_ONE - far1)
        n2, f2 = _W2 * near2 * (_ONE - near2), _W2 * far2 * (_ONE - far2)
        slope = _W0 * s0 * (_ONE - s0) + n1 + f1 + n2 + f2
        tilt = _X1 * (f1 - n1) + _X2 * (f2 - n2)
        db[i], da[i] = slope, -(slope * r + tilt * deviation)
        by_r, by_deviation = -a * slope * _HALF / r, -a * tilt * _HALF / deviation
        across = (by_deviation - by_r) * dq
        de[i] = by_r * (_ONE - q) + by_deviation * q - _TWO * u * across
        dw[i] = across / mean


@njit(parallel=True, **_FAST)
def probability_with_gradients(e, w, a, b, out):  # type: ignore[no-untyped-def]
    """Uncalibrated P and its derivatives.

    Args:
        e, w: (pair,) float32 moments of r².
        a, b: parameters of eq. 5.
        out: `Derivatives` of (pair,) float32 arrays, filled.
    """
    a32, b32 = np.float32(a), np.float32(b)
    for block in prange((len(e) + _BLOCK - 1) // _BLOCK):
        part = slice(block * _BLOCK, min((block + 1) * _BLOCK, len(e)))
        cut = Derivatives(out.p[part], out.e[part], out.w[part], out.a[part], out.b[part])
        _fill_with_gradients(e[part], w[part], a32, b32, cut)
