"""The measures of image retrieval against plain loops, and what a perfect, a blind and two fused models reach."""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np
import pytest

from samepose.evaluation.image_retrieval import (
    LONGEST,
    RELATIVE,
    Ranking,
    Task,
    fuse,
    rank,
    rank_randomly,
)
from samepose.geometry.pose_difference import HIT

Q, N = 12, 70


def made_up(seed: int = 0, lost: float = 0.1) -> Task:
    """Random differences around the threshold, some pairs of which do not compare."""
    rng = np.random.default_rng(seed)
    differences = rng.gamma(4, 8, (Q, N)).astype(np.float32)
    differences[rng.random((Q, N)) < lost] = np.nan
    differences[0, 30:] = np.nan  # fewer candidates than ranks
    return Task(differences, rng.integers(-1, 2, Q), rng.integers(-1, 2, N))


def by_loops(distances: np.ndarray, task: Task) -> dict[str, np.ndarray]:
    """The measures as section 4.2 tells them; for distances without ties."""
    out = {name: np.zeros(LONGEST) for name in ("hit_absolute", "hit_relative", "pose_difference")}
    for i in range(Q):
        candidates = [j for j in range(N) if not np.isnan(task.differences[i, j])]
        ranked = sorted(candidates, key=lambda j: distances[i, j])
        least = min(task.differences[i, j] for j in candidates)
        for k in range(1, LONGEST + 1):
            first = [float(task.differences[i, j]) for j in ranked[:k]]
            out["pose_difference"][k - 1] += min(first) / Q
            out["hit_absolute"][k - 1] += any(d <= HIT for d in first) / Q
            out["hit_relative"][k - 1] += any(d <= least + RELATIVE for d in first) / Q
    return out


def means(ranking: Ranking) -> dict[str, np.ndarray]:
    return {name: values.mean(axis=0) for name, values in ranking.measures.items()}


def test_the_measures_equal_plain_loops() -> None:
    task = made_up()
    distances = np.random.default_rng(1).random((Q, N)).astype(np.float32)
    measured, expected = means(rank(distances, task)), by_loops(distances, task)
    for name, curve in expected.items():
        np.testing.assert_allclose(measured[name], curve, rtol=1e-5)
    assert (rank(distances, task).order[0] >= 0).sum() == task.candidates[0].sum() < LONGEST


def test_no_model_beats_the_oracle_and_a_perfect_one_reaches_it() -> None:
    task = made_up(2)
    oracle = rank(task.differences, task)
    assert (oracle.relative == 1).all() and (np.diff(oracle.difference) == 0).all()
    perfect = rank(np.nan_to_num(task.differences, nan=0) ** 2 + 3, task)  # any rising function of it
    np.testing.assert_array_equal(perfect.order, oracle.order)
    other = means(rank(np.random.default_rng(3).random((Q, N)).astype(np.float32), task))
    for name, curve in means(oracle).items():
        better = other[name] >= curve if name == "pose_difference" else other[name] <= curve
        assert better.all()


def test_random_choice_is_what_drawing_gives_on_average() -> None:
    task = made_up(4)
    expected = rank_randomly(task)
    rng = np.random.default_rng(5)
    draws = [rank(rng.random((Q, N)).astype(np.float32), task) for _ in range(2000)]
    for name, exact in expected.measures.items():
        drawn = np.stack([draw.measures[name] for draw in draws])
        error = drawn.std(axis=0) / np.sqrt(len(draws))
        rare = 2e-3 * drawn.max()  # what never came has no error of its own
        assert (np.abs(drawn.mean(axis=0) - exact) <= 5 * error + rare).all(), name
    confused = np.mean([draw.confused for draw in draws], axis=0)
    np.testing.assert_allclose(confused, expected.confused, atol=0.05)


def test_golden_random_choice_among_four() -> None:
    task = Task(np.array([[10.0, 20, 30, 40]], np.float32), np.array([1]), np.array([1, -1, -1, 0]))
    found = rank_randomly(task)
    np.testing.assert_allclose(found.difference[0], [25, (10 * 3 + 20 * 2 + 30) / 6, 12.5, 10])
    np.testing.assert_allclose(found.absolute[0], [1 - comb(3, k) / comb(4, k) for k in range(1, 5)])
    assert found.front_back == pytest.approx(2 / 3)


def test_unknown_distances_rank_last_and_ties_follow_no_order_of_the_data() -> None:
    rng = np.random.default_rng(6)
    task = Task(rng.gamma(4, 8, (Q, N)).astype(np.float32), np.ones(Q, int), np.ones(N, int))
    distances = np.full((Q, N), np.nan, np.float32)
    distances[:, 40:44] = rng.random((Q, 4))
    order = rank(distances, task).order
    assert (np.sort(order[:, :4], axis=1) == np.arange(40, 44)).all()
    rest = order[0, 4:]
    assert (np.diff(rest) < 0).any() and (np.diff(rest) > 0).any()  # neither the first nor the last come first
    np.testing.assert_array_equal(order[:, 4:], np.tile(rest, (Q, 1)))


def test_golden_fusion() -> None:
    task = Task(np.array([[1.0, 2, 3, np.nan], [1, 2, 3, 4]], np.float32), np.zeros(2, int), np.zeros(4, int))
    a = np.array([[1, 2, 4, 8], [np.nan] * 4], np.float32)
    b = np.array([[10, 5, np.nan, 100], [2, 4, 6, 8]], np.float32)
    fused = fuse(a, b, task)
    np.testing.assert_allclose(fused[0, :3], [(0.25 + 1) / 2, (0.5 + 0.5) / 2, (1 + 1) / 2])  # 8 and 100 never count
    np.testing.assert_allclose(fused[1], [(1 + v) / 2 for v in (0.25, 0.5, 0.75, 1)])
    np.testing.assert_array_equal(rank(fused, task).order[1], [0, 1, 2, 3])


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_unit_of_a_distance_does_not_matter_in_a_fusion(scale: float) -> None:
    task, rng = made_up(7), np.random.default_rng(8)
    a, b = rng.random((2, Q, N)).astype(np.float32)
    np.testing.assert_allclose(fuse(a * np.float32(scale), b, task), fuse(a, b, task), rtol=1e-5)


def test_front_and_back_are_counted_where_both_are_told() -> None:
    differences = np.array([[5.0, 9, 9]] * 4, np.float32)
    task = Task(differences, np.array([1, -1, 0, 1]), np.array([-1, 1, 0]))
    first: Callable[[int], np.ndarray] = lambda column: np.where(np.arange(3) == column, 0, 1)  # noqa: E731
    distances = np.stack([first(0), first(0), first(0), first(2)]).astype(np.float32)
    ranking = rank(distances, task)
    # front finds back: confused; back finds back: not; a query from the side and a hit from the side: not told
    assert ranking.confused.tolist() == [1, 0, 0, 0] and ranking.told.tolist() == [1, 1, 0, 0]
    assert ranking.front_back == 0.5
    assert ranking[np.array([2])].front_back is None


def test_the_interval_holds_the_mean_and_narrows_with_more_queries() -> None:
    few, many = made_up(9, 0), made_up(9, 0)
    many = Task(np.tile(few.differences, (16, 1)), np.tile(few.query_facing, 16), few.facing)
    distances = np.random.default_rng(10).random((Q, N)).astype(np.float32)
    widths = []
    for task, values in ((few, distances), (many, np.tile(distances, (16, 1)))):
        ranking = rank(values, task)
        low, high = ranking.intervals()["pose_difference"]
        mean = ranking.difference.mean(axis=0)
        assert (low <= mean).all() and (mean <= high).all()
        widths.append((high - low)[0])
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.15)
