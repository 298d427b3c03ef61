"""Who is like whom, against loops over all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from samepose.errors import UsageError
from samepose.geometry.pose_difference import on_torso
from samepose.skeleton import LSP14
from samepose.training.image.triplets import Likeness, LikenessConfig

RNG = np.random.default_rng


def poses(n: int) -> np.ndarray:
    """More and more unlike three poses, on their torsos; some joints are missing."""
    kinds = RNG(1).uniform(-40, 40, (3, 14, 2))
    points = kinds[np.arange(n) % 3] + np.linspace(1, 10, n)[:, None, None] * RNG(0).normal(size=(n, 14, 2))
    points[n // 2, :2] = np.nan
    return on_torso(points.astype(np.float32), LSP14)


def by_hand(points: np.ndarray, i: int, config: LikenessConfig) -> tuple[set[int], set[int]]:
    """Positives and negatives of person i (Mori 2015, section 4.1)."""
    away = {j: float(np.nanmean(np.linalg.norm(points[i] - points[j], axis=-1))) for j in range(len(points)) if j != i}
    order = sorted(away, key=away.__getitem__)
    positives = {j for j in away if away[j] < config.near} | set(order[: config.nearest])
    return positives, set([j for j in order if away[j] > config.far][: config.most_negatives])


@pytest.mark.parametrize("config", [LikenessConfig(), LikenessConfig(9, 18, 2, 10), LikenessConfig(5, 12, 0, 7)])
def test_positives_and_negatives_are_a_loops(config: LikenessConfig) -> None:
    points = poses(60)
    likeness, rng, seen = Likeness(points, config), RNG(0), 0
    for i in range(60):
        positives, negatives = by_hand(points, i, config)
        around = likeness.neighbourhood(i)
        assert set(around.positives.tolist()) == positives
        seen += len(positives) > 2
        if negatives:
            drawn = {likeness._negative(i, around.limit, rng) for _ in range(40)}
            assert drawn <= negatives and len(drawn) > min(len(negatives), 10) / 2
    assert seen > 3


def test_all_triplets_come_and_no_others() -> None:
    points, config = poses(12), LikenessConfig(9, 18, 1, 4)
    likeness, rng = Likeness(points, config), RNG(0)
    drawn = {tuple(row) for _ in range(40) for row in likeness.triplets(50, rng).tolist()}
    everything = {(i, p, n) for i in range(12) for positives, negatives in [by_hand(points, i, config)]
                  for p in positives for n in negatives}
    assert drawn == everything
    pairs = {tuple(row) for _ in range(20) for row in likeness.pairs(50, rng).tolist()}
    assert pairs == {(i, p) for i in range(12) for p in by_hand(points, i, config)[0]}


def test_the_same_seed_draws_the_same_whatever_was_known_before() -> None:
    fresh, used = Likeness(poses(60)), Likeness(poses(60))
    used.triplets(200, RNG(5))
    np.testing.assert_array_equal(fresh.triplets(30, RNG(1)), used.triplets(30, RNG(1)))


def test_who_does_not_compare_is_neither() -> None:
    points = poses(30)
    points[4] = np.nan
    likeness = Likeness(points)
    assert 4 not in {int(j) for i in range(30) for j in likeness.neighbourhood(i).positives}
    assert not len(likeness.neighbourhood(4).positives) and likeness.neighbourhood(4).limit == 0
    assert 4 not in likeness.triplets(300, RNG(0))
    batch = likeness.may_be_negatives(np.array([0, 4]), points)
    assert not batch[0, 4] and not batch[1].any()


def test_negatives_of_a_batch_are_those_that_are_far_and_only_those() -> None:
    points = poses(30)
    allowed = Likeness(points).may_be_negatives(np.array([0, 7]), points)
    for row, i in zip(allowed, (0, 7)):
        for j in range(30):
            away = np.nanmean(np.linalg.norm(points[i] - points[j], axis=-1))
            assert row[j] == (away > 15)
    assert not allowed[0, 0] and not allowed[1, 7]


def test_people_who_are_all_alike_are_refused() -> None:
    with pytest.raises(UsageError, match="hardly"):
        Likeness(np.tile(poses(3)[:1], (5, 1, 1))).triplets(1, RNG(0))
    with pytest.raises(UsageError):
        LikenessConfig(near=20, far=15)
