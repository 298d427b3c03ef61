"""Dot products of one float32 vector with float16 rows, in the time that memory takes to give the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numba import njit

# A float16's bits, moved 13 places up, are those of a float32 that is 2^112 times smaller; so no table is needed.
_UP, _REST = np.float32(2.0**100), np.float32(2.0**12)
_LARGEST = 2.0**26  # of the vector, so that it can be made 2^100 times larger


def dot_halves(rows: Float[np.ndarray, "c dim"], vector: Float[np.ndarray, " dim"]) -> Float[np.ndarray, " c"]:
    """`rows @ vector`, added in float32; half the memory of float32 rows is read, and no copy of them is made.

    Args:
        rows: float16, finite.
        vector: float32.
    """
    largest = float(np.abs(vector).max(initial=0))
    down = np.float32(min(1.0, _LARGEST / max(largest, 1e-30)))
    out = np.empty(len(rows), np.float32)
    _dot(np.ascontiguousarray(rows).view(np.uint16), vector * down * _UP, out)
    return np.asarray(out * (_REST / down), np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def _dot(rows: Any, vector: Any, out: Any) -> None:
    dim = rows.shape[1]
    bits = np.empty(dim, np.uint32)
    widened = bits.view(np.float32)
    for i in range(rows.shape[0]):
        for j in range(dim):
            half = np.uint32(rows[i, j])
            bits[j] = ((half & np.uint32(0x8000)) << np.uint32(16)) | ((half & np.uint32(0x7FFF)) << np.uint32(13))
        total = np.float32(0)
        for j in range(dim):
            total += widened[j] * vector[j]
        out[i] = total
