"""Curves through noisy samples: a smoothing spline on any times, with weights."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.linalg import solveh_banded

_ROUNDS = 4  # of weights for what lies off the curve; more change nothing to speak of


def smoothed(
    values: Float[np.ndarray, "time value"], times: Float[np.ndarray, " time"], weights: Float[np.ndarray, " time"],
    cutoff: float,
) -> Float[np.ndarray, "time value"]:
    """The curve that minimises Σ w (y - x)² + λ ∫ x''² over the samples: Whittaker's smoother (Eilers 2003, eq. 2-5).

    It looks both ways in time, so nothing lags: a whole clip is there before it is smoothed (a One-Euro filter, which
    live pictures need, trails behind each fast move). It needs no regular times, and where the weight is 0 it goes on
    as a curve of least bending: gaps are filled by the same rule. λ is chosen so that at weight 1 a swing of `cutoff`
    hertz keeps half its size; slower ones keep more, faster ones fall with the fourth power.

    Args:
        values: what is there counts nothing where its weight is 0, but must be finite.
        times: seconds, increasing.
        weights: 0 or more, not all 0.
        cutoff: hertz.
    """
    n = len(times)
    if n < 3:
        return values
    step = np.diff(times)
    bending = 1 / (np.median(step) * (2 * np.pi * cutoff) ** 4)
    # Second differences on uneven times, (x[i+1] - x[i]) / h[i] - (x[i] - x[i-1]) / h[i-1], each over its time.
    root = np.sqrt(bending * 2 / (step[1:] + step[:-1]))
    a, c = root / step[:-1], root / step[1:]
    b = -a - c
    bands = np.zeros((3, n))  # of the symmetric matrix W + λ D'D, as LAPACK wants the upper ones
    bands[2] = weights + 1e-9 * weights.max()
    bands[2, :-2] += a * a
    bands[2, 1:-1] += b * b
    bands[2, 2:] += c * c
    bands[1, 1:-1] += a * b
    bands[1, 2:] += b * c
    bands[0, 2:] = a * c
    curve: np.ndarray = solveh_banded(bands, weights[:, None] * values)
    return curve


def robustly_smoothed(
    values: Float[np.ndarray, "time value"], times: Float[np.ndarray, " time"], weights: Float[np.ndarray, " time"],
    cutoff: float, error: float,
) -> Float[np.ndarray, "time value"]:
    """As `smoothed`, but samples far off the curve hardly draw it: each is weighed anew by 1 / (1 + (e / error)²).

    Iteratively reweighted least squares for errors of a Cauchy distribution (Holland and Welsch 1977): an error of an
    estimator of poses is either small, or as long as an arm.

    Args:
        error: what small ones are like, in the values' unit; a sample so far off counts half.
    """
    curve = smoothed(values, times, weights, cutoff)
    for _ in range(_ROUNDS):
        off = ((values - curve) ** 2).sum(axis=1) / error**2
        curve = smoothed(values, times, weights / (1 + off), cutoff)
    return curve
