"""Groups of people in one pose each, by sphere exclusion (Butina 1999); pure functions of embeddings.

D. Butina, "Unsupervised data base clustering based on Daylight's fingerprint and Tanimoto similarity", J. Chem. Inf.
Comput. Sci. 39(4), 1999. Whoever has the most matches becomes the centre of a group of all of them, then whoever has
the most of the rest, and so on. Everybody in a group matches its centre, so that no chain of small steps makes one
group of all who stand; density-based clusterings have such chains. Ours: a match is a pair of at least `least`
matching probability; afterwards everybody goes to the likeliest centre and the centres to the medoids, as in k-medoids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.matching.closed_form import FLOOR
from samepose.matching.embeddings import Embeddings, Matching

_PAIRS = 1 << 23  # probabilities at a time, 32 MB
_CENTRES = 64  # candidates whose matches are looked up at once
_ROUNDS = 3  # of k-medoids


@dataclass(frozen=True, eq=False)
class Likeness:
    """How alike n people are, by one space or by several: the geometric mean of their matching probabilities.

    That is the mean of the distances -log P, in which a probability of 0.5 lies equally far in every space.
    """

    spaces: tuple[tuple[Matching, Embeddings], ...]

    def __len__(self) -> int:
        return len(self.spaces[0][1])

    def __getitem__(self, key: Any) -> Likeness:
        return Likeness(tuple((matching, embeddings[key]) for matching, embeddings in self.spaces))

    def probability(self, other: Likeness) -> Float[np.ndarray, "q n"]:
        """Of every pair of these and the others: 0..1, float32."""
        return self._mean([m.probability(e, o) for (m, e), (_, o) in zip(self.spaces, other.spaces)])

    def probability_rows(self, other: Likeness) -> Float[np.ndarray, " n"]:
        """Of row i of these and row i of the others."""
        return self._mean([m.probability_rows(e, o) for (m, e), (_, o) in zip(self.spaces, other.spaces)])

    def _mean(self, each: Sequence[np.ndarray]) -> np.ndarray:
        if len(each) == 1:
            return each[0]
        mean: np.ndarray = np.exp(np.mean([np.log(np.maximum(p, np.float32(FLOOR))) for p in each], axis=0))
        return mean


@dataclass(frozen=True, eq=False)
class Grouping:
    """Groups of n people, the largest first.

    Attributes:
        group: of each person, -1 for those in none.
        medoids: row of the member of each group with the least mean distance -log P to the others.
    """

    group: Int[np.ndarray, " n"]
    medoids: Int[np.ndarray, " group"]


def sightings(
    track: Int[np.ndarray, " n"], time: Float[np.ndarray, " n"], likeness: Likeness, distinct: float, least: float
) -> Int[np.ndarray, " n"]:
    """For each person the row that stands for it: the near-duplicates of a track count once.

    Along a track, who is seen within `distinct` seconds of the last sighting, or still matches it, belongs to it: a
    pose that is held for minutes counts once, one that is taken again and again each time. People of images stand for
    themselves.
    """
    own = np.arange(len(track))
    order = np.lexsort((time, track))
    starts = np.flatnonzero(np.diff(track[order], prepend=track[order[:1]] - 1)) if len(track) else own
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    by_rank = order[np.argsort(rank, kind="stable")]
    first = order[np.repeat(starts, np.diff(starts, append=len(order)))]
    last = np.empty(len(track), int)  # the last sighting of the track, kept at its first person
    head = np.empty(len(track), int)
    head[order] = first
    last[order] = first
    sizes = np.bincount(rank) if len(rank) else rank
    for step in np.split(by_rank, np.cumsum(sizes)[:-1])[1:]:
        step = step[~np.isnan(time[step])]
        before = last[head[step]]
        same = time[step] - time[before] <= distinct
        rest = np.flatnonzero(~same)
        same[rest] = likeness[step[rest]].probability_rows(likeness[before[rest]]) >= least
        last[head[step]] = own[step] = np.where(same, before, step)
    return own


def grouped(likeness: Likeness, min_size: int, least: float) -> Grouping:
    """Groups of at least `min_size` of n people who match their centre with a probability of at least `least`.

    Deterministic; n² pairs are looked at, n numbers kept.
    """
    centres = _spheres(likeness, min_size, least)
    group = np.full(len(likeness), -1)
    for _ in range(_ROUNDS):
        group, medoids = _settled(likeness, centres, min_size, least)
        if np.array_equal(medoids, centres):
            break
        centres = medoids
    sizes = np.bincount(group[group >= 0], minlength=len(centres))
    order = np.lexsort((centres, -sizes))
    number = np.append(np.argsort(order), -1)  # -1 stays -1
    return Grouping(number[group], centres[order])


def nearest(likeness: Likeness, centres: Likeness) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """The likeliest centre of each person, and the probability; 0 and -1 where there are no centres."""
    best, score = np.zeros(len(likeness), int), np.full(len(likeness), -1, np.float32)
    rows = max(_PAIRS // max(len(likeness), 1), 1)
    for start in range(0, len(centres), rows):
        p = centres[start : start + rows].probability(likeness)
        at = p.argmax(axis=0)
        highest = p[at, np.arange(p.shape[1])]
        better = highest > score
        best[better], score[better] = start + at[better], highest[better]
    return best, score


def _spheres(likeness: Likeness, min_size: int, least: float) -> Int[np.ndarray, " group"]:
    """The centres, those with the most matches first."""
    matches = _matches(likeness, least)
    waiting = np.argsort(-matches, kind="stable")
    waiting = waiting[matches[waiting] >= min_size]
    free, centres = np.ones(len(likeness), bool), []
    while len(waiting):
        some, waiting = waiting[:_CENTRES], waiting[_CENTRES:]
        left = np.flatnonzero(free)
        near = likeness[some].probability(likeness[left]) >= least
        for centre, row in zip(some, near):
            if free[centre]:
                mine = left[row]
                mine = np.union1d(mine[free[mine]], [centre])
                if len(mine) >= min_size:
                    free[mine] = False
                    centres.append(int(centre))
        waiting = waiting[free[waiting]]
    return np.array(centres, int)


def _matches(likeness: Likeness, least: float) -> Int[np.ndarray, " n"]:
    """How many match each person, itself counted."""
    n = len(likeness)
    count = np.ones(n, np.int64)
    rows = max(_PAIRS // max(n, 1), 1)
    for start in range(0, n, rows):
        end = min(start + rows, n)
        near: Bool[np.ndarray, "q n"] = likeness[start:end].probability(likeness[start:]) >= least
        own = near[:, : end - start]
        np.fill_diagonal(own, False)
        count[start:end] += np.add.reduce(near, axis=1, dtype=np.int32)
        count[end:] += np.add.reduce(near[:, end - start :], axis=0, dtype=np.int32)  # P is symmetric
    return count


def _settled(
    likeness: Likeness, centres: Int[np.ndarray, " group"], min_size: int, least: float
) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " kept"]]:
    """Everybody in the group of the likeliest centre, the groups that are large enough, and their medoids."""
    group = np.full(len(likeness), -1)
    while len(centres):
        group, score = nearest(likeness, likeness[centres])
        group[score < least] = -1
        large = np.bincount(group[group >= 0], minlength=len(centres)) >= min_size
        if large.all():
            break
        centres = centres[large]
    if not len(centres):
        return np.full(len(likeness), -1), centres
    order = np.argsort(group, kind="stable")
    members = np.split(order, np.searchsorted(group[order], np.arange(len(centres))))[1:]
    return group, np.array([own[_medoid(likeness[own])] for own in members], int)


def _medoid(likeness: Likeness) -> int:
    """Who has the least mean distance -log P to the others."""
    n = len(likeness)
    total, rows = np.empty(n), max(_PAIRS // n, 1)
    for start in range(0, n, rows):
        p = likeness[start : start + rows].probability(likeness)
        distance = -np.log(np.maximum(p, np.float32(FLOOR)))
        np.fill_diagonal(distance[:, start:], 0)
        total[start : start + rows] = distance.sum(axis=1, dtype=np.float64)
    return int(total.argmin())
