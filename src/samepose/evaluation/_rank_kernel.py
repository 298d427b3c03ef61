"""The compiled pass of `retrieval.hit_rates`: one reading of each row of scores instead of five."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(parallel=True, error_model="numpy", cache=True)
def wrong_ahead(scores, match, ahead):  # type: ignore[no-untyped-def]
    """ahead[q]: wrong poses that score at least what the best right one does, or NaN; -1 where none is right.

    scores (q, e) float32, match (q, e) bool, ahead (q,) int64.
    """
    lowest = np.float32(-np.inf)
    for q in prange(scores.shape[0]):
        best, right, odd = lowest, 0, 0
        for e in range(scores.shape[1]):
            best = max(best, scores[q, e] if match[q, e] else lowest)
            right += match[q, e]
            odd += match[q, e] and scores[q, e] != scores[q, e]
        count = 0
        for e in range(scores.shape[1]):
            count += not match[q, e] and not scores[q, e] < best
        ahead[q] = -1 if right == 0 else (scores.shape[1] if odd else count)
