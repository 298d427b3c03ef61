"""Scores, the best poses, their means, and the alternatives among them."""

from __future__ import annotations

import numpy as np
import pytest

from samepose.lifting._score_kernel import dot_halves
from samepose.lifting.candidates import Candidates
from samepose.lifting.structnet import HYPOTHESES, alternatives

RNG = np.random.default_rng(0)


def some(n: int, dtype: type = np.float32) -> Candidates:
    return Candidates(RNG.normal(size=(n, 17, 3)).astype(np.float32), RNG.normal(size=(n, 40)).astype(dtype))


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e9])
def test_halves_are_widened_exactly(scale: float) -> None:
    rows = (RNG.normal(size=(50, 33)) * 10.0 ** RNG.integers(-7, 4, (50, 33))).astype(np.float16)  # subnormals too
    vector = (scale * RNG.normal(size=33)).astype(np.float32)
    expected = rows.astype(np.float64) @ vector.astype(np.float64)
    np.testing.assert_allclose(dot_halves(rows, vector), expected, rtol=1e-4, atol=2e-5 * np.abs(expected).max())
    one = np.zeros((4, 33), np.float16)
    one[:, 5] = [1, -2, 6e-8, 65504]
    np.testing.assert_array_equal(dot_halves(one, np.eye(33, dtype=np.float32)[5]), one[:, 5].astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_best_are_those_of_a_full_sort(dtype: type) -> None:
    candidates, images = some(60, dtype), RNG.normal(size=(5, 40)).astype(np.float32)
    rows, scores = candidates.best(images, 7)
    full = images @ candidates.embeddings.astype(np.float32).T
    np.testing.assert_array_equal(rows, np.argsort(-full, axis=1)[:, :7])
    np.testing.assert_allclose(scores, -np.sort(-full, axis=1)[:, :7], rtol=1e-3, atol=1e-4)
    everyone, _ = candidates.best(images, 1000)
    assert everyone.shape == (5, 60)


def test_averages_are_a_loops_and_the_first_is_the_best() -> None:
    candidates = some(30)
    rows, _ = candidates.best(RNG.normal(size=(4, 40)).astype(np.float32), 12)
    found = candidates.averages(rows, (1, 5, 12, 99))
    for i in range(4):
        np.testing.assert_array_equal(found[0, i], candidates.poses[rows[i, 0]])
        np.testing.assert_allclose(found[1, i], sum(candidates.poses[r] for r in rows[i, :5]) / 5, atol=1e-6)
        np.testing.assert_array_equal(found[2, i], found[3, i])


def test_alternatives_are_groups_that_differ_the_largest_first() -> None:
    a, b = RNG.normal(size=(2, 17, 3))
    poses = np.stack([b + 0.01 * RNG.normal(size=(17, 3)) if k % 3 == 0 else a + 0.01 * RNG.normal(size=(17, 3))
                      for k in range(30)])
    means, shares = alternatives(poses)
    assert means.shape == (HYPOTHESES, 17, 3) and shares.sum() == pytest.approx(1)
    np.testing.assert_allclose(shares[:2], [2 / 3, 1 / 3])
    np.testing.assert_allclose(means[0], a, atol=0.02)
    np.testing.assert_allclose(means[1], b, atol=0.02)
    assert (shares[2:] == 0).all()
    np.testing.assert_array_equal(means[2], means[0])
