"""Who is like whom, and triplets of them, drawn as they are needed (Mori 2015, section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.errors import UsageError
from samepose.geometry.pose_difference import pose_differences

_DRAWN = 64  # people looked at at once for a negative
_ATTEMPTS = 1000  # anchors without a positive or a negative in a row before it is said that there are none


@dataclass(frozen=True)
class LikenessConfig:
    """Who is alike, by the pose difference in pixels of the crop.

    Attributes:
        near: positives are nearer (paper: 7).
        far: negatives are farther (paper: 15).
        nearest: so many nearest are always positives (paper: 2).
        most_negatives: of those who are farther than `far` the nearest so many (paper: 5,000).

    Raises:
        UsageError: people both near and far, or no negatives.
    """

    near: float = 7.0
    far: float = 15.0
    nearest: int = 2
    most_negatives: int = 5000

    def __post_init__(self) -> None:
        if not 0 < self.near <= self.far or self.nearest < 0 or self.most_negatives < 1:
            raise UsageError("near must be above 0 and at most far, nearest at least 0, most-negatives at least 1")


class Neighbourhood(NamedTuple):
    """One person's positives, and the difference up to which others are negatives; 0 where there are none."""

    positives: Int[np.ndarray, " k"]
    limit: float


class Likeness:
    """Pose differences of N people, a few rows at a time: nothing of N x N is ever kept.

    Args:
        poses: on their torsos, pixels of the crop.
    """

    def __init__(self, poses: Float[np.ndarray, "n joint 2"], config: LikenessConfig | None = None) -> None:
        self.poses, self.config = poses, config or LikenessConfig()
        self._known: dict[int, Neighbourhood] = {}

    def neighbourhood(self, i: int) -> Neighbourhood:
        """Whom person i is like."""
        if i not in self._known:
            self._learn([i])
        return self._known[i]

    def pairs(self, count: int, rng: np.random.Generator) -> Int[np.ndarray, "count 2"]:
        """Anchors and a positive of each, anyone who has one being as likely as any other.

        Raises:
            UsageError: hardly anybody has one.
        """
        return self._draw(count, rng, negatives=False)

    def triplets(self, count: int, rng: np.random.Generator) -> Int[np.ndarray, "count 3"]:
        """Anchors, a positive and a negative of each.

        Raises:
            UsageError: hardly anybody has both.
        """
        return self._draw(count, rng, negatives=True)

    def may_be_negatives(
        self, rows: Int[np.ndarray, " t"], poses: Float[np.ndarray, "n joint 2"]
    ) -> Bool[np.ndarray, "t n"]:
        """Who of a batch is farther than `far` from those in some of its rows, as varied.

        Who is nearer, and who does not compare, is no negative (ours: the paper takes all others of the batch).
        """
        return pose_differences(poses[rows], poses) > self.config.far

    def _draw(self, count: int, rng: np.random.Generator, negatives: bool) -> np.ndarray:
        out: list[tuple[int, ...]] = []
        failed = 0
        while len(out) < count:
            wanted = rng.integers(len(self.poses), size=count - len(out)).tolist()
            self._learn([i for i in dict.fromkeys(wanted) if i not in self._known])
            for i in wanted:
                around = self._known[i]
                if len(around.positives) and (around.limit or not negatives):
                    pair = i, int(rng.choice(around.positives))
                    out.append((*pair, self._negative(i, around.limit, rng)) if negatives else pair)
                    failed = 0
                else:
                    failed += 1
            if failed > _ATTEMPTS:
                raise UsageError(f"{len(self.poses)} people, and hardly one of them has another that is like them and "
                                 "one that is not; give more people")
        return np.array(out)

    def _learn(self, rows: list[int]) -> None:
        """Look at all others of some people."""
        if not rows:
            return
        cfg, differences = self.config, pose_differences(self.poses[rows], self.poses)
        for i, row in zip(rows, differences):
            row[i] = np.nan
            row[np.isnan(row)] = np.inf
            order = np.argpartition(row, min(cfg.nearest, len(row) - 1))[: cfg.nearest]
            positives = np.union1d(np.flatnonzero(row < cfg.near), order[np.isfinite(row[order])])
            beyond = row[(row > cfg.far) & np.isfinite(row)]
            if len(beyond) > cfg.most_negatives:
                limit = float(np.partition(beyond, cfg.most_negatives - 1)[cfg.most_negatives - 1])
            else:
                limit = float(beyond.max(initial=0))
            self._known[i] = Neighbourhood(positives.astype(np.int32), limit)

    def _negative(self, i: int, limit: float, rng: np.random.Generator) -> int:
        """Each of the negatives as likely as any other: drawn from all until one is among them."""
        while True:
            drawn = rng.integers(len(self.poses), size=_DRAWN)
            away = pose_differences(self.poses[i : i + 1], self.poses[drawn])[0]
            fit = drawn[(away > self.config.far) & (away <= limit)]
            if len(fit):
                return int(fit[0])
