"""The nearest of many clips to a clip, by mean distance along the alignment, without comparing most of them.

A clip is passed over when a lower bound on its distance is larger than the distance of one already compared. The bound
needs no frame distances, and cannot change the answer. The closed form knows only two numbers of a pair of poses, e and
w (eq. 2 of `matching.closed_form`). Boxes around the means and variances of a few moments give e from below and w from
above for any pair of moments from two of them, and so the largest P (eq. 10), the least distance, of two stretches of
moments. Averaged over the temporal kernel these bound the matrix of frame distances, and dynamic time warping on the
bounds, less the distance to beat, tells whether any path can beat it (`_nearest_bound.farther`). Long stretches exclude
the clips that are far away, short ones most of the others.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.errors import UsageError
from samepose.matching._layout import Gaussians
from samepose.matching.embeddings import Matching
from samepose.matching.moment import OFFSETS
from samepose.progress import Progress, silent
from samepose.sequences._layout import Best, Boxes, Clips, Query, Side, Stretches, Window
from samepose.sequences.clip import Clip
from samepose.sequences.distance import window

_FAR = 1e12  # of what nobody is in: too far for any probability
_NONE = 1e300  # instead of infinity, which fast arithmetic does not know
COARSE, FINE = 8, 3  # moments in a stretch: of three fit the temporal kernel's steps of three


@dataclass(frozen=True, eq=False)
class Nearest:
    """The nearest clips to each query.

    Attributes:
        clips: (Q, k) int64 numbers of clips, the nearest first; of equally near ones the first; -1 where there are no
            more.
        distances: (Q, k) mean distance along the path; infinite where there are no more.
        compared: how many pairs were compared frame by frame.
        pairs: how many there are.
    """

    clips: Int[np.ndarray, "q k"]
    distances: Float[np.ndarray, "q k"]
    compared: int
    pairs: int

    @property
    def pruned(self) -> float:
        """Share of the pairs that the bound ruled out."""
        return 1 - self.compared / max(self.pairs, 1)


class Gallery:
    """Clips to look among, laid out for comparing.

    Distances are those of `frame_distances(..., mirror=True)` and `dtw_mean`.
    """

    def __init__(self, clips: Sequence[Clip], matching: Matching, *, offsets: Sequence[int] = OFFSETS) -> None:
        if not len(clips) or not len(offsets):
            raise UsageError("a gallery needs at least one clip and one offset")
        self._offsets, self._parameters = tuple(offsets), matching._parameters()
        sides = [as_columns(clip, self._offsets) for clip in clips]
        found, taps, steps = zip(*(side.window for side in sides))
        self._clips = Clips(
            Gaussians(*_end_to_end([side.poses for side in sides])),
            Window(np.concatenate(found), np.concatenate(taps, axis=1), np.stack(steps)),
            _starts([len(clip) for clip in clips]), _stretches(clips, COARSE), _stretches(clips, FINE))

    def __len__(self) -> int:
        return len(self._clips.starts) - 1

    def nearest(
        self, queries: Sequence[Clip], k: int = 1, *, allowed: Bool[np.ndarray, "q clip"] | None = None,
        exhaustive: bool = False, threads: int | None = None, progress: Progress = silent,
    ) -> Nearest:
        """The `k` nearest clips to each query.

        Args:
            allowed: which clips each query may find; all by default.
            exhaustive: compare all of them: the same answer, slower.
            threads: each works on one query; as many as there are cores by default.
            progress: told how many queries are done.

        Raises:
            UsageError: `k` under 1, or `allowed` of another shape.
        """
        may = np.ones((len(queries), len(self)), bool) if allowed is None else np.asarray(allowed, bool)
        if k < 1 or may.shape != (len(queries), len(self)):
            raise UsageError(f"k is {k}, allowed {may.shape}; expected 1 or more, and {(len(queries), len(self))}")
        clips, distances = np.full((len(queries), k), -1), np.full((len(queries), k), np.inf)
        compared = 0
        with ThreadPoolExecutor(threads or os.cpu_count() or 1) as pool:
            tasks = {pool.submit(self._one, clip, k, np.flatnonzero(may[i]), exhaustive): i
                     for i, clip in enumerate(queries)}
            for done, task in enumerate(as_completed(tasks), 1):
                clips[tasks[task]], distances[tasks[task]], count = task.result()
                compared += count
                progress(done, len(queries), "nearest")
        return Nearest(clips, distances, compared, int(may.sum()))

    def _one(
        self, query: Clip, k: int, candidates: Int[np.ndarray, " n"], exhaustive: bool
    ) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, " k"], int]:
        """Numbers and distances of the nearest, and how many were compared."""
        from samepose.sequences._nearest_kernel import search, search_all

        best = Best(np.full(k, -1), np.full(k, _NONE))
        laid = Query(as_rows(query, self._offsets), boxes(query, COARSE), boxes(query, FINE))
        look = search_all if exhaustive else search
        compared = look(laid, self._clips, self._parameters, candidates, best)
        return best.numbers, np.where(best.numbers < 0, np.inf, best.distances), compared


def _versions(clip: Clip) -> tuple[Float[np.ndarray, "2 time dim"], Float[np.ndarray, "2 time dim"]]:
    """Means times sqrt(2) and variances of original and mirrored, for `matching._kernel.moments`.

    Dimensions are filled up to a multiple of four; zeros change no moment.
    """
    mean = np.stack([clip.embeddings.mean, clip.mirrored.mean]) * np.float32(np.sqrt(2))
    var = np.stack([clip.embeddings.var, clip.mirrored.var])
    more = ((0, 0), (0, 0), (0, -mean.shape[2] % 4))
    return np.pad(mean, more).astype(np.float32), np.pad(var, more).astype(np.float32)


def as_rows(clip: Clip, offsets: Sequence[int]) -> Side:
    """A clip as the compiled passes take the one whose moments are rows."""
    mean, var = _versions(clip)
    return Side(Gaussians(mean, var, var.sum(axis=2)), window(clip, offsets))


def as_columns(clip: Clip, offsets: Sequence[int]) -> Side:
    """A clip as they take the one whose moments are columns."""
    mean, var = (np.ascontiguousarray(x.reshape(-1, x.shape[2]).T) for x in _versions(clip))
    return Side(Gaussians(mean, var, var.sum(axis=0)), window(clip, offsets))


def boxes(clip: Clip, size: int) -> Boxes:
    """Around every `size` moments, as rows.

    Moments that are not found do not count; a stretch without any other is infinitely far from all.
    """
    mean, var = _versions(clip)
    at, lost = np.arange(0, len(clip), size), ~clip.found[None, :, None]
    low = np.minimum.reduceat(np.where(lost, _FAR, mean), at, axis=1)
    high = np.maximum.reduceat(np.where(lost, -_FAR, mean), at, axis=1)
    top = np.maximum.reduceat(np.where(lost, 0, var), at, axis=1)
    own = np.minimum.reduceat(np.where(lost[..., 0], _FAR, var.sum(axis=2)), at, axis=1)
    empty = low[..., 0] > high[..., 0]
    low[empty], high[empty] = 0, 0
    wide = (-1, mean.shape[2])
    low, high, top = (x.reshape(wide) for x in (low, high, top))
    return Boxes(*(x.astype(np.float32) for x in (low, high, top, own.ravel())))


def as_columns_of(rows: Boxes) -> Boxes:
    """The same, as columns."""
    return Boxes(*(np.ascontiguousarray(x.T) for x in rows))


def _stretches(clips: Sequence[Clip], size: int) -> Stretches:
    columns = [as_columns_of(boxes(clip, size)) for clip in clips]
    return Stretches(size, Boxes(*_end_to_end(columns)), _starts([len(x.own) // 2 for x in columns]))


def _end_to_end(many: Sequence[Gaussians] | Sequence[Boxes]) -> list[Float[np.ndarray, " all"]]:
    """Each field of all of them, flat, one after the other."""
    return [np.concatenate([np.ravel(x) for x in field]) for field in zip(*many)]


def _starts(lengths: Sequence[int]) -> Int[np.ndarray, " n1"]:
    return np.concatenate([[0], np.cumsum(lengths)])
