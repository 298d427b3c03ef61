"""The distance of every moment of one clip to every moment of another (defined in `matching.moment`).

A clip of another rate than 30 frames a second takes the moments nearest to the same fractions of a second. Of two
performances at different paces the kernel would compare different stretches of the movement, so the pace may be given:
the fractions of a second then grow in the slower and shrink in the faster clip.

Mirrored: the paper takes, "when we compare two frames", the minimum over the four combinations of original and
mirrored embeddings "as the frame distance", and the kernel averages frame distances. So the minimum comes first, frame
pair by frame pair.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from samepose.errors import UsageError
from samepose.matching import moment
from samepose.matching.embeddings import Embeddings, Matching
from samepose.matching.moment import OFFSETS, PAPER_RATE
from samepose.sequences._layout import Window
from samepose.sequences.clip import Clip


def frame_distances(
    a: Clip, b: Clip, matching: Matching, *, offsets: Sequence[int] = OFFSETS, mirror: bool = False, pace: float = 1.0
) -> Float[np.ndarray, "a b"]:
    """Distance of every moment of `a` to every moment of `b`: the mean over `offsets` of -log P.

    Offsets that lead out of a clip take its first or last moment; pairs with a moment where nobody is found are left
    out of the mean. Where no pair is left at all, the distance is the mean of the others: such moments neither draw
    nor repel an alignment. The result is always finite.

    Args:
        offsets: in frames at 30 per second.
        mirror: the minimum of the four combinations of original and mirrored, before the mean (see the module).
        pace: how many times as fast A performs the movement as B.

    Returns:
        (len(a), len(b)) float32, >= 0.
    """
    if not len(offsets):
        raise UsageError("a kernel needs at least one offset, such as 0")
    from samepose.sequences._kernels import kernel_mean

    plain = minus_log(a.embeddings, b.embeddings, matching)
    if mirror:
        for x, y in ((a.embeddings, b.mirrored), (a.mirrored, b.embeddings), (a.mirrored, b.mirrored)):
            np.minimum(plain, minus_log(x, y, matching), out=plain)
    return kernel_mean(plain, window(a, offsets, pace**-0.5), window(b, offsets, pace**0.5))


def minus_log(a: Embeddings, b: Embeddings, matching: Matching) -> Float[np.ndarray, "a b"]:
    """-log P of every pair of frames, no kernel: float32 in 0..27.6."""
    return moment.minus_log(matching.probability(a, b))


def window(clip: Clip, offsets: Sequence[int], stretch: float = 1.0) -> Window:
    """The moments that `offsets`, in frames at 30 per second times `stretch`, lead to."""
    steps = np.rint(np.array(offsets) * (stretch * clip.rate / PAPER_RATE)).astype(np.int64)
    taps = np.clip(np.arange(len(clip)) + steps[:, None], 0, len(clip) - 1).astype(np.int32)
    return Window(clip.found, taps, steps)
