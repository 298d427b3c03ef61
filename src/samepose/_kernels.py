"""The compiled elementwise passes of the matching probability (see `embeddings`)."""

from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from samepose.embeddings import GAMMA_POLY, GAUSS_HERMITE_NODES, GAUSS_HERMITE_WEIGHTS

_C0, _C1, _C2, _C3, _C4 = (np.float32(c) for c in GAMMA_POLY)
_X1, _X2 = (np.float32(x) for x in GAUSS_HERMITE_NODES)
_W0, _W1, _W2 = (np.float32(w) for w in GAUSS_HERMITE_WEIGHTS)
_ONE, _ZERO, _TINY, _LIMIT = np.float32(1), np.float32(0), np.float32(1e-12), np.float32(40)
_E2, _E3, _E4, _E5, _E6 = (np.float32(1 / math.factorial(n)) for n in range(2, 7))
_FLOOR = np.float32(1e-30)
_BLOCK = 4096
_SHRINK = np.float32(1 / 32)


@njit(inline="always", fastmath=True)
def _exp(x):  # type: ignore[no-untyped-def]
    """e**x for |x| <= 40 to about 1e-5 relative, in plain arithmetic: unlike libm's, LLVM vectorises it."""
    y = min(max(x, -_LIMIT), _LIMIT) * _SHRINK
    p = _ONE + y * (_ONE + y * (_E2 + y * (_E3 + y * (_E4 + y * (_E5 + y * _E6)))))
    p *= p
    p *= p
    p *= p
    p *= p
    return p * p


@njit(parallel=True, fastmath=True, cache=True)
def moments_to_probability(e, w, a, b, slope, offset, out):  # type: ignore[no-untyped-def]
    """e, w: mean and variance of r² per pair, (n,) float32 -> calibrated P in `out` (n,) float32."""
    a32, b32 = np.float32(a), np.float32(b)
    slope32, odds32 = np.float32(slope), np.float32(math.exp(-offset))
    plain = slope == 1.0 and offset == 0.0
    blocks = (len(e) + _BLOCK - 1) // _BLOCK
    for block in prange(blocks):
        first, last = block * _BLOCK, min((block + 1) * _BLOCK, len(e))
        for i in range(first, last):
            mean = max(e[i], _TINY)
            u = min(max(w[i], _ZERO) / (mean * mean), np.float32(2))
            q = u * (_C0 + u * (_C1 + u * (_C2 + u * (_C3 + u * _C4))))
            centre = _exp(a32 * math.sqrt(mean * (_ONE - q)) - b32)
            spread = a32 * math.sqrt(mean * q)
            g1, g2 = _exp(spread * _X1), _exp(spread * _X2)
            out[i] = (
                _W0 / (_ONE + centre)
                + _W1 * (_ONE / (_ONE + centre * g1) + g1 / (g1 + centre))
                + _W2 * (_ONE / (_ONE + centre * g2) + g2 / (g2 + centre))
            )
        if not plain:
            for i in range(first, last):
                p = max(out[i], _FLOOR)
                out[i] = _ONE / (_ONE + odds32 * ((_ONE - p) / p) ** slope32)


@njit(parallel=True, fastmath=True, cache=True)
def probability_with_gradients(e, w, a, b, p, de, dw, da, db):  # type: ignore[no-untyped-def]
    """As above, uncalibrated, with dP/de, dP/dw, dP/da, dP/db: flat float32 arrays, filled in one pass."""
    a32, b32, half = np.float32(a), np.float32(b), np.float32(0.5)
    two, three, four = np.float32(2), np.float32(3), np.float32(4)
    blocks = (len(e) + _BLOCK - 1) // _BLOCK
    for block in prange(blocks):
        for i in range(block * _BLOCK, min((block + 1) * _BLOCK, len(e))):
            mean = max(e[i], _TINY)
            u = min(max(w[i], _ZERO) / (mean * mean), two)
            q = u * (_C0 + u * (_C1 + u * (_C2 + u * (_C3 + u * _C4))))
            dq = _C0 + u * (two * _C1 + u * (three * _C2 + u * (four * _C3 + u * np.float32(5) * _C4)))
            r, deviation = math.sqrt(mean * (_ONE - q)), math.sqrt(mean * q) + np.float32(1e-9)
            centre, spread = _exp(a32 * r - b32), a32 * deviation
            g1, g2 = _exp(spread * _X1), _exp(spread * _X2)
            s0, near1, near2 = _ONE / (_ONE + centre), g1 / (g1 + centre), g2 / (g2 + centre)
            far1, far2 = _ONE / (_ONE + centre * g1), _ONE / (_ONE + centre * g2)
            p[i] = _W0 * s0 + _W1 * (far1 + near1) + _W2 * (far2 + near2)
            n1, f1 = _W1 * near1 * (_ONE - near1), _W1 * far1 * (_ONE - far1)
            n2, f2 = _W2 * near2 * (_ONE - near2), _W2 * far2 * (_ONE - far2)
            slope = _W0 * s0 * (_ONE - s0) + n1 + f1 + n2 + f2
            tilt = _X1 * (f1 - n1) + _X2 * (f2 - n2)
            db[i], da[i] = slope, -(slope * r + tilt * deviation)
            # e and w act through r² = e (1 - q) and deviation² = e q, with q a function of u = w / e².
            by_r, by_deviation = -a32 * slope * half / r, -a32 * tilt * half / deviation
            across = (by_deviation - by_r) * dq
            de[i] = by_r * (_ONE - q) + by_deviation * q - two * u * across
            dw[i] = across / mean
