"""The compiled elementwise pass of the matching probability (see `embeddings`)."""

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
