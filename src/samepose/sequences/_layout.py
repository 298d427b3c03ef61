"""What the compiled passes of sequences take and fill; free of numba, which is slow to load.

Originals and mirrored poses lie beside each other: as rows, arrays begin with an axis of these two; as columns, the
m original poses are followed by the m mirrored ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.matching._layout import Gaussians


class Band(NamedTuple):
    """The columns first[i] <= j < last[i] that a path may use in row i; neither decreases."""

    first: Int[np.ndarray, " n"]
    last: Int[np.ndarray, " n"]


class Window(NamedTuple):
    """The moments that the temporal kernel takes in around each moment of a clip.

    Attributes:
        found: which moments anybody is found at.
        taps: which moment each offset leads to, clamped at the ends: int32.
        steps: the offsets in moments, not clamped: int64.
    """

    found: Bool[np.ndarray, " time"]
    taps: Int[np.ndarray, "tap time"]
    steps: Int[np.ndarray, " tap"]


class Side(NamedTuple):
    """One of two clips that are compared.

    Attributes:
        poses: as rows, (2, n, dim) and (2, n); as columns, (dim, 2 m) and (2 m,).
        window: of the temporal kernel.
    """

    poses: Gaussians
    window: Window


class Boxes(NamedTuple):
    """Around the Gaussians of stretches: what is true of every moment of one that is found.

    Attributes:
        low, high: least and largest means times sqrt(2): as rows (2 stretches, dim), as columns (dim, 2 stretches).
        top: largest variances, the same shape.
        own: (2 stretches,) least sums of variances.
    """

    low: Float[np.ndarray, "*stretch"]
    high: Float[np.ndarray, "*stretch"]
    top: Float[np.ndarray, "*stretch"]
    own: Float[np.ndarray, " stretches"]


class Stretches(NamedTuple):
    """Many clips cut into stretches of the same length.

    Attributes:
        size: moments in a stretch; the last of a clip may have fewer.
        boxes: as columns, those of one clip after those of the other, all flat.
        starts: (clips + 1,) where in a list of all stretches each clip's begin.
    """

    size: int
    boxes: Boxes
    starts: Int[np.ndarray, " clips1"]


class Clips(NamedTuple):
    """Many clips to look among.

    Attributes:
        poses: as columns, those of one clip after those of the other, all flat.
        window: found (moments of all,), taps (tap, moments of all) counted within each clip, steps (clips, tap).
        starts: (clips + 1,) where in a list of all moments each clip's begin.
        coarse, fine: the same clips in long stretches and in short ones.
    """

    poses: Gaussians
    window: Window
    starts: Int[np.ndarray, " clips1"]
    coarse: Stretches
    fine: Stretches


class Query(NamedTuple):
    """A clip to look for: its poses and boxes as rows, the boxes of stretches as long as those of `Clips`."""

    clip: Side
    coarse: Boxes
    fine: Boxes


class Best(NamedTuple):
    """The nearest clips so far, the nearest first; of equal distances the lower number first."""

    numbers: Int[np.ndarray, " k"]
    distances: Float[np.ndarray, " k"]
