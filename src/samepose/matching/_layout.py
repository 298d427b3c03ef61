"""What the compiled passes of the matching probability take and fill; free of numba, which is slow to load."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float


class Parameters(NamedTuple):
    """Of eq. 5 and 7 of `closed_form`.

    Attributes:
        a, b: slope, per unit of embedding distance, and offset of the sigmoid.
        slope, odds: the calibration; `odds` is exp(-offset).
        plain: whether the calibration does nothing.
    """

    a: np.float32
    b: np.float32
    slope: np.float32
    odds: np.float32
    plain: bool


class Span(NamedTuple):
    """Rows or columns start <= i < end."""

    start: int
    end: int


class Batch(NamedTuple):
    """Embeddings as they are: means and variances."""

    mean: Float[np.ndarray, "n dim"]
    var: Float[np.ndarray, "n dim"]


class Gaussians(NamedTuple):
    """Embeddings as `_kernel.moments` compares them, the number of dimensions filled up with zeros to one of fours.

    Attributes:
        mean: means times sqrt(2): (dim,) of one pose, (dim, n) of poses side by side; elsewhere as is said there.
        var: variances, the same shape.
        own: their sums over the dimensions: a number, or (n,).
    """

    mean: Float[np.ndarray, "*pose"]
    var: Float[np.ndarray, "*pose"]
    own: Float[np.ndarray, "*pose"] | np.float32


class Derivatives(NamedTuple):
    """Uncalibrated P of pairs, and what it gains per unit of e, w, a and b (eq. 8 of `closed_form`)."""

    p: Float[np.ndarray, " pair"]
    e: Float[np.ndarray, " pair"]
    w: Float[np.ndarray, " pair"]
    a: Float[np.ndarray, " pair"]
    b: Float[np.ndarray, " pair"]
