"""The derivation of the matching probability, equation by equation, and its three forms against one another."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import gammaln
from scipy.stats import ncx2

from samepose.losses.matching import log_matching_probability, matching_probability
from samepose.matching import _kernel, closed_form
from samepose.matching._layout import Derivatives
from samepose.matching.closed_form import GAMMA_POLY, GAUSS_HERMITE_NODES, GAUSS_HERMITE_WEIGHTS
from samepose.matching.embeddings import Matching
from samepose.sequences._nearest_bound import largest_probability

A, B = 1.7, 1.2
CALIBRATED = Matching(A, B, slope=1.4, offset=-0.5)


def some_moments(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances of r², from certain (w = 0) to as vague as they can be (w = 2e²)."""
    rng = np.random.default_rng(seed)
    e = np.exp(rng.uniform(math.log(0.01), math.log(40), n))
    return e, e * e * np.linspace(0, 2, n) ** 3 / 4


def test_nodes_and_weights_are_those_of_five_point_quadrature() -> None:
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    np.testing.assert_allclose(nodes[2:], (0, *GAUSS_HERMITE_NODES), atol=1e-14)
    np.testing.assert_allclose(weights[2:] / weights.sum(), GAUSS_HERMITE_WEIGHTS, atol=1e-14)


def test_the_polynomial_is_that_of_the_gamma_function() -> None:
    """Eq. 4 to its stated error; and what the bound of eq. 9 rests on."""
    u = np.linspace(1e-3, 2, 2000)
    share = 1 / u - np.exp(2 * (gammaln(1 / u + 0.5) - gammaln(1 / u)))
    taken = np.polynomial.Polynomial(GAMMA_POLY)(u)
    np.testing.assert_allclose(taken, share, atol=2.0e-5)
    assert (np.diff(share) < 0).all() and share[0] < 0.25 and taken.max() < 0.25 + 5e-6


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_moments_are_those_of_samples_and_u_is_at_most_two(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (m1, m2), (v1, v2) = rng.normal(0, 1, (2, 4)), rng.exponential(rng.choice([0.01, 1, 30]), (2, 4))
    e, w = closed_form.moments(m1, v1, m2, v2)
    assert w <= 2 * e * e * (1 + 1e-12)
    z1, z2 = (m + np.sqrt(v) * rng.standard_normal((20_000, 4)) for m, v in ((m1, v1), (m2, v2)))
    squares = ((z1 - z2) ** 2).sum(axis=1)
    np.testing.assert_allclose(squares.mean(), e, atol=6 * math.sqrt(w / 20_000))
    np.testing.assert_allclose(squares.var(), w, rtol=0.25)


@pytest.mark.parametrize("variance", [0.001, 0.02, 0.1, 0.5])
@pytest.mark.parametrize("gap", [0.05, 0.3, 1.0, 2.5])
def test_against_the_exact_distribution(variance: float, gap: float) -> None:
    """To 5e-4. Where all variances are equal r² is a noncentral chi², and eq. 1 an integral of one dimension."""
    dim, spread = 16, 2 * variance

    def integrand(r: float) -> float:
        return 2 * r / spread * float(ncx2.pdf(r * r / spread, dim, gap**2 / spread)) / (1 + math.exp(A * r - B))

    low, high = np.sqrt(spread * ncx2.ppf((1e-12, 1 - 1e-12), dim, gap**2 / spread))
    exact, _ = quad(integrand, low, high, epsabs=1e-10, limit=200)
    mean = np.zeros((1, dim))
    apart = mean + np.eye(dim)[:1] * gap
    ours = closed_form.probability(*closed_form.moments(mean, mean + variance, apart, mean + variance), A, B)
    assert abs(float(ours[0]) - exact) < 5e-4


@pytest.mark.parametrize("deviation, error", [(0.3, 4e-4), (0.6, 1.5e-3)])
def test_against_twenty_thousand_samples(deviation: float, error: float) -> None:
    """`error` beyond four standard errors of the samples themselves, for any pair; variances differ tenfold."""
    rng = np.random.default_rng(1)
    mean, root = rng.normal(0, 0.35, (2, 40, 16)), rng.uniform(0.02, deviation, (2, 40, 16))
    z1, z2 = mean[..., None, :] + root[..., None, :] * rng.standard_normal((2, 40, 20_000, 16))
    samples = 1 / (1 + np.exp(A * np.linalg.norm(z1 - z2, axis=2) - B))
    ours = closed_form.probability(*closed_form.moments(mean[0], root[0] ** 2, mean[1], root[1] ** 2), A, B)
    noise = samples.std(axis=1) / math.sqrt(20_000)
    assert (np.abs(ours - samples.mean(axis=1)) < error + 4 * noise).all()


def test_two_nodes_at_once() -> None:
    """Eq. 6."""
    rng = np.random.default_rng(2)
    y, x = rng.uniform(-6, 6, 100), rng.uniform(0, 5, 100)
    c, t = np.exp(-y), 2 * np.cosh(x)
    sigmoids = 1 / (1 + np.exp(-(y - x))) + 1 / (1 + np.exp(-(y + x)))
    np.testing.assert_allclose((2 + c * t) / (1 + c * t + c * c), sigmoids, rtol=1e-12)


def test_golden_numbers() -> None:
    golden = (0.7058248011361032, 0.5135915122788276, 0.37248337633673506, 0.022694610259987345)
    calibrated = (0.6737660459617326, 0.39559135765753894, 0.2261448734491109, 0.0031170683703647902)
    e, w = np.array([0.05, 0.5, 2.0, 9.0]), np.array([0.004, 0.1, 8.0, 3.0])
    p = closed_form.probability(e, w, A, B)
    np.testing.assert_allclose(p, golden, rtol=1e-9)
    np.testing.assert_allclose(closed_form.calibrated(p, 1.4, -0.5), calibrated, rtol=1e-9)


def test_numpy_numba_and_torch_are_one() -> None:
    """The same moments: float64 in numpy, float32 elsewhere: to 5e-6 in torch, 1e-5 compiled."""
    e, w = some_moments(4000, 3)
    exact = closed_form.probability(e, w, A, B)
    e32, w32 = e.astype(np.float32), w.astype(np.float32)
    for matching, expected in ((Matching(A, B), exact), (CALIBRATED, closed_form.calibrated(exact, 1.4, -0.5))):
        compiled = np.empty_like(e32)
        _kernel.probabilities(e32, w32, matching._parameters(), compiled)
        np.testing.assert_allclose(compiled, expected, atol=1e-5)
    tensors = torch.from_numpy(e32), torch.from_numpy(w32), torch.tensor(A), torch.tensor(B)
    np.testing.assert_allclose(log_matching_probability(*tensors).exp(), exact, atol=5e-6)
    np.testing.assert_allclose(matching_probability(*tensors), exact, atol=5e-6)


def test_compiled_gradients_are_difference_quotients() -> None:
    """Eq. 8, against central differences of the float64 form, within 1e-3 of the largest."""
    e, w = some_moments(500, 4)
    e, w = e[1:-1], w[1:-1]  # at w = 0 and w = 2e² it has an edge
    found = Derivatives(*(np.empty(len(e), np.float32) for _ in range(5)))
    _kernel.probability_with_gradients(e.astype(np.float32), w.astype(np.float32), A, B, found)
    point = (e, w, np.full_like(e, A), np.full_like(e, B))
    np.testing.assert_allclose(found.p, closed_form.probability(*point), atol=5e-6)  # type: ignore[arg-type]
    for k, derivative in enumerate(found[1:]):
        step = 1e-5 * point[k]
        up, down = ([x + sign * step * (i == k) for i, x in enumerate(point)] for sign in (1, -1))
        quotient = (closed_form.probability(*up) - closed_form.probability(*down)) / (2 * step)  # type: ignore[arg-type]
        np.testing.assert_allclose(derivative * point[k], quotient * point[k], atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([Matching(A, B), CALIBRATED, Matching(1.5, 8.0)]))
def test_no_moments_within_the_limits_match_better(seed: int, matching: Matching) -> None:
    """Eq. 10: of e >= e0 and w <= w0, thousands of them."""
    rng = np.random.default_rng(seed)
    e0, u0 = np.exp(rng.uniform(math.log(0.05), math.log(60))), rng.uniform(0, 2)
    w0 = u0 * e0 * e0
    most = np.empty(1, np.float32)
    largest_probability(np.full(1, e0, np.float32), np.full(1, w0, np.float32), matching._parameters(), most)
    e = e0 * (1 + np.r_[0, 0, rng.exponential(0.3, 2000)])
    w = w0 * np.r_[0, 1, rng.uniform(0, 1, 2000)]
    p = matching.calibrate(closed_form.probability(e, w, matching.a, matching.b))
    assert p.max() <= most[0] * (1 + 1e-3)
    if u0 < 0.01:
        assert most[0] < p.max() + 0.01
