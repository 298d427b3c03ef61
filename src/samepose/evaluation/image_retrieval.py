"""Finding people who look alike in pose (Mori 2015, section 4.2): the three measures, over the first K of a ranking.

All of them ask how far the people that a model ranks first stand from the query by their marked joints (see
`geometry.pose_difference`), in pixels of the 128 x 128 crop, and of the first K only the best one counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.geometry.pose_difference import HIT

RELATIVE = 5.0  # pixels beyond the best of the database for a hit at K-relative (ours: our text of the paper lost them)
LONGEST = 50  # ranking that is measured
RANKS = (1, 2, 5, 10, 20, 50)  # that tables and JSON tell
WORST = 0.1  # share of the queries that are told apart because a detector does worst on them (ours)

_CHUNK = 256  # queries whose rankings are sorted together
_BOOTSTRAPS = 2000
_TIES = 2015  # seed of the order in which equal distances are ranked
_LEAST = 1e-12


@dataclass(frozen=True, eq=False)
class Task:
    """Who is looked for among whom, and what is right.

    Attributes:
        differences: (Q, N) pixels between query and database person; NaN: not to be found (the query itself, or too few
            joints marked in both), and left out of that query's rankings.
        query_facing, facing: 1 who is seen from the front, -1 from the back, 0 from the side or not known.
    """

    differences: Float[np.ndarray, "q n"]
    query_facing: Int[np.ndarray, " q"]
    facing: Int[np.ndarray, " n"]

    @cached_property
    def candidates(self) -> Bool[np.ndarray, "q n"]:
        """Who may be found."""
        found: np.ndarray = ~np.isnan(self.differences)
        return found

    @cached_property
    def best(self) -> Float[np.ndarray, " q"]:
        """Pixels to the best candidate."""
        least: np.ndarray = np.where(self.candidates, self.differences, np.inf).min(axis=1)
        return least


@dataclass(frozen=True, eq=False)
class Ranking:
    """What a model did, query by query; of random rankings the expected values.

    Attributes:
        order: (Q, K) columns of the database, nearest first; -1 beyond the last candidate, and all -1 of random.
        difference: (Q, K) pixels of the best within the first 1, 2, … K.
        absolute, relative: (Q, K) whether there is a hit within the first 1, 2, … K.
        confused, told: (Q,) the first hit is seen from the opposite side; both are seen from the front or back.
    """

    order: Int[np.ndarray, "q k"]
    difference: Float[np.ndarray, "q k"]
    absolute: Float[np.ndarray, "q k"]
    relative: Float[np.ndarray, "q k"]
    confused: Float[np.ndarray, " q"]
    told: Float[np.ndarray, " q"]

    def __getitem__(self, rows: Int[np.ndarray, " some"]) -> Ranking:
        """Some of the queries."""
        return Ranking(*(array[rows] for array in vars(self).values()))

    @property
    def measures(self) -> dict[str, Float[np.ndarray, "q k"]]:
        """The three of the paper, as JSON calls them."""
        return {"hit_absolute": self.absolute, "hit_relative": self.relative, "pose_difference": self.difference}

    @property
    def front_back(self) -> float | None:
        """Share of the first hits that are seen from the opposite side, of queries and hits seen from front or back."""
        return float(self.confused.sum() / self.told.sum()) if self.told.sum() else None

    def intervals(self, seed: int = 0) -> dict[str, Float[np.ndarray, "2 k"]]:
        """Between which the means lie in 95 % of the times that the queries are drawn anew, with replacement."""
        n = len(self.difference)
        drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=_BOOTSTRAPS) / n
        return {name: np.percentile(drawn @ values, [2.5, 97.5], axis=0) for name, values in self.measures.items()}


def rank(distances: Float[np.ndarray, "q n"], task: Task) -> Ranking:
    """Measure a model by its distances; NaN is not known, and ranked behind all that are.

    Equal distances are ranked in one random order, always the same: a data set's own order may tell something.
    """
    shuffled = np.random.default_rng(_TIES).permutation(distances.shape[1])
    k = min(LONGEST, distances.shape[1])
    order = np.empty((len(distances), k), np.int64)
    for start in range(0, len(distances), _CHUNK):
        part = slice(start, start + _CHUNK)
        keys = np.where(np.isnan(distances[part]), np.inf, distances[part])
        keys = np.where(task.candidates[part], keys, np.nan)[:, shuffled]  # NaN sorts behind infinity
        order[part] = shuffled[np.argsort(keys, axis=1, kind="stable")[:, :k]]
    real = np.take_along_axis(task.candidates, order, axis=1)
    found = np.where(real, np.take_along_axis(task.differences, order, axis=1), np.inf)
    best = np.minimum.accumulate(found, axis=1).astype(np.float64)
    sides = task.query_facing * task.facing[order[:, 0]] * real[:, 0]
    return Ranking(np.where(real, order, -1), best, (best <= HIT).astype(float),
                   (best <= task.best[:, None] + RELATIVE).astype(float), (sides < 0).astype(float),
                   (sides != 0).astype(float))


def rank_randomly(task: Task) -> Ranking:
    """What drawing without replacement gives on average: exact, nothing is drawn.

    Of n candidates in order of their difference, d_1 <= … <= d_n, the j best are all missed by K draws with probability
    C(n - j, K) / C(n, K): the hypergeometric distribution. So is a hit, with j the number of those that are right, and
    the expected best of K is the sum of d_j times the probability that j - 1 are missed and the next is not.
    """
    sizes, k = task.candidates.sum(axis=1), min(LONGEST, task.differences.shape[1])
    ordered = np.sort(task.differences, axis=1).astype(np.float64)  # NaN last
    right = {"absolute": (ordered <= HIT).sum(axis=1),
             "relative": (ordered <= task.best[:, None] + RELATIVE).sum(axis=1)}
    best = np.empty((len(ordered), k))
    hits = {name: np.empty((len(ordered), k)) for name in right}
    for n in np.unique(sizes):
        rows, missed = np.flatnonzero(sizes == n), _all_missed(int(n), k)
        best[rows] = ordered[rows, :n] @ (missed[:, :-1] - missed[:, 1:]).T
        for name, count in right.items():
            hits[name][rows] = 1 - missed[:, count[rows]].T
    sides = task.query_facing[:, None] * task.facing * task.candidates
    return Ranking(np.full((len(ordered), k), -1), best, hits["absolute"], hits["relative"],
                   (sides < 0).sum(axis=1) / sizes, (sides != 0).sum(axis=1) / sizes)


def fuse(
    a: Float[np.ndarray, "q n"], b: Float[np.ndarray, "q n"], task: Task
) -> Float[np.ndarray, "q n"]:
    """Each query's distances by either model over their maximum, averaged (section 4.2).

    Distances that are not known count as the maximum.
    """
    return (_over_maximum(a, task) + _over_maximum(b, task)) / 2


def _over_maximum(distances: Float[np.ndarray, "q n"], task: Task) -> Float[np.ndarray, "q n"]:
    known = task.candidates & ~np.isnan(distances)
    greatest = np.where(known, distances, 0).max(axis=1, keepdims=True)
    return np.where(np.isnan(distances), 1, distances / np.maximum(greatest, _LEAST)).astype(np.float32)


def _all_missed(n: int, k: int) -> Float[np.ndarray, "k n_plus_1"]:
    """Probability that 1, 2, … k draws of n without replacement miss all of j chosen ones, for j = 0 … n."""
    others = n - np.arange(n + 1.0)
    rows, row = [], np.ones(n + 1)
    for drawn in range(k):
        if drawn < n:  # there is nothing left to draw: the row stays
            row = row * np.maximum(others - drawn, 0) / (n - drawn)
        rows.append(row)
    return np.stack(rows)
