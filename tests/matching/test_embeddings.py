"""The matching probability of embeddings: against samples, loops and its own properties."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln

from samepose.errors import UsageError
from samepose.matching.embeddings import Embeddings, Matching

MATCHING = Matching(a=1.7, b=1.2)


def random_embeddings(n: int, seed: int, spread: float = 0.5, dim: int = 16) -> Embeddings:
    rng = np.random.default_rng(seed)
    deviation = rng.uniform(0.02, spread, (n, dim))
    return Embeddings(rng.normal(0, 0.5, (n, dim)).astype(np.float32), (deviation**2).astype(np.float32))


def reference(query: Embeddings, other: Embeddings, matching: Matching) -> np.ndarray:
    """One pair at a time in float64 with libm's gamma function: Gamma-matched r², five Gauss-Hermite nodes."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    out = np.empty((len(query), len(other)))
    for i in range(len(query)):
        for j in range(len(other)):
            m = query.mean[i].astype(float) - other.mean[j]
            s = query.var[i].astype(float) + other.var[j]
            e, w = (m**2).sum() + s.sum(), (2 * s**2 + 4 * m**2 * s).sum()
            k, theta = e * e / w, w / e
            r = math.sqrt(theta) * math.exp(gammaln(k + 0.5) - gammaln(k))
            draws = r + math.sqrt(max(e - r * r, 0)) * nodes
            out[i, j] = (weights / (1 + np.exp(matching.a * draws - matching.b))).sum() / weights.sum()
    return out


def test_closed_form_equals_the_naive_loop() -> None:
    query, other = random_embeddings(9, 0), random_embeddings(13, 1, spread=1.0)
    np.testing.assert_allclose(MATCHING.probability(query, other), reference(query, other, MATCHING), atol=2e-5)


def test_closed_form_is_nearer_to_many_samples_than_the_papers_twenty() -> None:
    query, other = random_embeddings(6, 2), random_embeddings(6, 3)
    rng = np.random.default_rng(0)
    truth = MATCHING.probability_monte_carlo(query, other, rng, samples=700)
    closed = np.abs(MATCHING.probability(query, other) - truth)
    sampled = np.abs(MATCHING.probability_monte_carlo(query, other, rng, samples=20) - truth)
    assert closed.mean() < 0.002
    assert sampled.mean() > 2 * closed.mean()


def test_point_embeddings_reduce_to_the_sigmoid_of_their_distance() -> None:
    drawn = random_embeddings(5, 4), random_embeddings(7, 5)
    query, other = (Embeddings(e.mean, np.zeros_like(e.var)) for e in drawn)
    distance = np.linalg.norm(query.mean[:, None] - other.mean, axis=-1)
    expected = 1 / (1 + np.exp(MATCHING.a * distance - MATCHING.b))
    np.testing.assert_allclose(MATCHING.probability(query, other), expected, atol=2e-3)


def test_rows_are_the_diagonal_of_all_pairs() -> None:
    query, other = random_embeddings(40, 6), random_embeddings(40, 7)
    matrix = MATCHING.probability(query, other)
    np.testing.assert_allclose(MATCHING.probability_rows(query, other), np.diag(matrix), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_symmetric_bounded_and_falling_with_distance_and_variance(seed: int) -> None:
    a, b = random_embeddings(4, seed), random_embeddings(5, seed + 1)
    p = MATCHING.probability(a, b)
    assert ((p > 0) & (p < 1 / (1 + math.exp(-MATCHING.b)))).all()
    np.testing.assert_allclose(p, MATCHING.probability(b, a).T, atol=1e-5)
    itself = MATCHING.probability_rows(a, a)
    vaguer = MATCHING.probability_rows(a, Embeddings(a.mean, a.var * 4))
    assert (vaguer < itself).all()


@pytest.mark.parametrize("copies", [1, 2000])
def test_far_pairs_still_rank(copies: int) -> None:
    """The tail must not collapse to one number: -log P is a distance."""
    one = Embeddings(np.zeros((copies, 16), np.float32), np.full((copies, 16), 0.01, np.float32))
    steps = np.linspace(1, 5, 20, dtype=np.float32)[:, None] * np.ones(16, np.float32)
    far = Embeddings(steps, np.full_like(steps, 0.01))
    assert (np.diff(MATCHING.probability(one, far)[0]) < 0).all()


def test_calibration_is_monotone_and_moves_the_logit() -> None:
    query, other = random_embeddings(6, 8), random_embeddings(8, 9)
    plain = MATCHING.probability(query, other).astype(float)
    moved = Matching(MATCHING.a, MATCHING.b, slope=1.5, offset=0.7).probability(query, other)
    expected = 1 / (1 + np.exp(-(1.5 * np.log(plain / (1 - plain)) + 0.7)))
    np.testing.assert_allclose(moved, expected, rtol=1e-3)
    assert (np.argsort(plain.ravel()) == np.argsort(moved.ravel())).mean() > 0.99


@pytest.mark.parametrize("dim", [3, 16])
@pytest.mark.parametrize("matching", [MATCHING, Matching(a=1.7, b=1.2, slope=1.4, offset=-0.5)])
def test_the_compiled_pass_equals_numpy(matching: Matching, dim: int) -> None:
    """More pairs than one tile holds: the same numbers as pair by pair."""
    query, other = random_embeddings(300, 10, dim=dim), random_embeddings(1300, 11, dim=dim)
    matrix = matching.probability(query, other)
    for i in (0, 51, 255, 256, 299):
        np.testing.assert_allclose(matrix[i], matching.probability(query[i], other)[0], atol=2e-5, rtol=2e-4)


@pytest.mark.usefixtures("unchecked")
def test_dimensions_must_agree() -> None:
    with pytest.raises(UsageError, match="16 and 8 dimensions"):
        MATCHING.probability(random_embeddings(2, 0), random_embeddings(2, 0, dim=8))
    with pytest.raises(UsageError, match="shape"):
        Embeddings(np.zeros((2, 16), np.float32), np.zeros((3, 16), np.float32))
