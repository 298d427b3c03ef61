"""The nearest of many clips to a clip, by mean distance along the alignment, without comparing most of them.

A clip is passed over when a lower bound on its distance is no less than the distance of one already compared. The
bound needs no frame distances, and cannot change the answer. With m the difference of two poses' means, s their summed
variances and M² = Σm², the closed form (`embeddings`) takes a normal r of variance v = e·q <= w/4e and of mean square
e - v. From w = 2Σs² + 4Σm²s <= max(s) (2Σs + 4M²) follows v <= max(s), and so

    (E r)² >= M² + Σs - max(s) >= M² + (Σv₁ - max v₁) + (Σv₂ - max v₂),    Var r <= max v₁ + max v₂.

P falls as E r grows; as Var r grows it rises if E r > b / a, and falls otherwise: each pair of nodes is
sigmoid(t - x) + sigmoid(t + x). The largest P that these two inequalities allow is thus known from M² alone, and the
least M² to any pose of a stretch of a clip from the box around its means. Averaged over the temporal kernel, that
bounds every row of the matrix of frame distances, and a path has a cell in every row (`_nearest_kernel.path_bound`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.embeddings import Matching
from samepose.errors import UsageError
from samepose.sequences.clip import Clip
from samepose.sequences.distance import OFFSETS, taps

STRETCH = 4  # moments that share a box: fewer bound better and take longer
Report = Callable[[int, int], None]


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
        self._columns = [as_columns(clip, self._offsets) for clip in clips]
        boxes = [_boxes(clip) for clip in clips]
        self._boxes = tuple(np.ascontiguousarray(np.concatenate(part, axis=-1)) for part in zip(*boxes))
        self._starts = np.concatenate([[0], np.cumsum([b[2].size for b in boxes])])
        self._peaks = np.array([_peak(clip)[clip.found].max() for clip in clips])
        self._lengths = np.array([len(clip) for clip in clips])
        self._gaps = np.array([not clip.found.all() for clip in clips])

    def __len__(self) -> int:
        return len(self._columns)

    def nearest(
        self, queries: Sequence[Clip], k: int = 1, *, allowed: Bool[np.ndarray, "q clip"] | None = None,
        exhaustive: bool = False, threads: int | None = None, report: Report = lambda done, total: None,
    ) -> Nearest:
        """The `k` nearest clips to each query.

        Args:
            allowed: which clips each query may find; all by default.
            exhaustive: compare all of them: the same answer, slower.
            threads: each works on one query; as many as there are cores by default.
            report: called with how many queries are done, of how many.

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
                found, count = task.result()
                for place, (distance, number) in enumerate(found):
                    clips[tasks[task], place], distances[tasks[task], place] = number, distance
                compared += count
                report(done, len(queries))
        return Nearest(clips, distances, compared, int(may.sum()))

    def bounds(self, query: Clip) -> Float[np.ndarray, " clip"]:
        """A lower bound on the distance of `query` to each clip."""
        from samepose.sequences._nearest_kernel import clip_bounds

        mean, var = _versions(query)
        rest = (var.sum(axis=2) - 1.001 * var.max(axis=2)).astype(np.float32)
        out = np.empty(len(self))
        clip_bounds(mean, rest, _peak(query), query.found, taps(query, self._offsets), self._boxes, self._starts,
                    self._peaks, self._lengths, self._gaps, self._parameters, out)
        return out

    def _one(
        self, query: Clip, k: int, candidates: Int[np.ndarray, " n"], exhaustive: bool
    ) -> tuple[list[tuple[float, int]], int]:
        """(distance, clip) of the nearest, and how many were compared; in order of the bound, the best soon."""
        from samepose.sequences._nearest_kernel import mean_distance

        bounds = np.zeros(len(self)) if exhaustive else self.bounds(query)
        rows = as_rows(query, self._offsets)
        best: list[tuple[float, int]] = []
        order = candidates[np.argsort(bounds[candidates], kind="stable")]
        for compared, number in enumerate(order):
            if len(best) == k and bounds[number] > best[-1][0]:
                return best, compared
            distance = mean_distance(rows, self._columns[number], self._parameters)
            best = sorted([*best, (distance, int(number))])[:k]
        return best, len(order)


def _versions(clip: Clip) -> tuple[Float[np.ndarray, "2 time dim"], Float[np.ndarray, "2 time dim"]]:
    """Means times sqrt(2) and variances of original and mirrored; a multiple of four dimensions, as `_kernels` wants.

    Dimensions of zeros change no moment.
    """
    mean = np.stack([clip.embeddings.mean, clip.mirrored.mean]) * np.float32(np.sqrt(2))
    var = np.stack([clip.embeddings.var, clip.mirrored.var])
    more = ((0, 0), (0, 0), (0, -mean.shape[2] % 4))
    return np.pad(mean, more).astype(np.float32), np.pad(var, more).astype(np.float32)


def as_rows(clip: Clip, offsets: Sequence[int]) -> tuple[Any, ...]:
    """A clip as the compiled passes take the one whose moments are rows."""
    mean, var = _versions(clip)
    return mean, var, var.sum(axis=2), clip.found, taps(clip, offsets), _steps(clip, offsets)


def as_columns(clip: Clip, offsets: Sequence[int]) -> tuple[Any, ...]:
    """A clip as they take the one whose moments are columns."""
    mean, var = (np.ascontiguousarray(x.reshape(-1, x.shape[2]).T) for x in _versions(clip))
    return mean, var, var.sum(axis=0), clip.found, taps(clip, offsets), _steps(clip, offsets)


def _steps(clip: Clip, offsets: Sequence[int]) -> Int[np.ndarray, " tap"]:
    """The offsets in moments of the clip, not cut at its ends."""
    from samepose.sequences.clip import PAPER_RATE

    return np.rint(np.array(offsets) * (clip.rate / PAPER_RATE)).astype(np.int64)


def _peak(clip: Clip) -> Float[np.ndarray, " time"]:
    """Largest variance of each moment, original or mirrored."""
    largest: np.ndarray = _versions(clip)[1].max(axis=(0, 2))
    return largest


def _boxes(clip: Clip) -> tuple[Float[np.ndarray, "dim box"], Float[np.ndarray, "dim box"], Float[np.ndarray, " box"]]:
    """Around the means of every `STRETCH` found moments: lows, highs and the least Σv - max v within."""
    mean, var = (x[:, clip.found] for x in _versions(clip))
    rest = (var.sum(axis=2) - 1.001 * var.max(axis=2)).astype(np.float32)
    at = np.arange(0, mean.shape[1], STRETCH)
    low, high = np.minimum.reduceat(mean, at, axis=1), np.maximum.reduceat(mean, at, axis=1)
    dim = mean.shape[2]
    return low.reshape(-1, dim).T, high.reshape(-1, dim).T, np.minimum.reduceat(rest, at, axis=1).ravel()
