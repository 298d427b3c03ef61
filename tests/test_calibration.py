"""Reliability and calibration of probabilities."""

import numpy as np
import pytest

from samepose.embeddings import Embeddings, Matching
from samepose.errors import UsageError
from samepose.evaluation.calibration import (
    brier_score,
    calibrated,
    expected_calibration_error,
    reliability,
    top_pairs,
)

RNG = np.random.default_rng(0)


def drawn(n: int, slope: float = 1.0, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Claimed probabilities whose true chance is sigmoid(slope * logit + offset)."""
    logit = RNG.normal(0, 1.5, n)
    truth = 1 / (1 + np.exp(-(slope * logit + offset)))
    return 1 / (1 + np.exp(-logit)), RNG.random(n) < truth


def test_honest_probabilities_have_no_error() -> None:
    p, match = drawn(60_000)
    assert expected_calibration_error(p, match) < 0.01
    table = reliability(p, match)
    assert (table.count == 4000).all() and (np.diff(table.probability) > 0).all()


def test_figures_equal_a_loop() -> None:
    p, match = drawn(150, 2.0, 1.0)
    order, ece = sorted(range(150), key=lambda i: p[i]), 0.0
    for start in range(0, 150, 10):
        group = order[start : start + 10]
        ece += abs(sum(p[i] for i in group) - sum(match[i] for i in group)) / 150
    assert expected_calibration_error(p, match) == pytest.approx(ece)
    assert brier_score(p, match) == pytest.approx(sum((a - b) ** 2 for a, b in zip(p, match)) / 150)


def test_calibration_finds_the_map_and_mends_unseen_pairs() -> None:
    p, match = drawn(40_000, 1.8, -0.7)
    found = calibrated(Matching(1.0, 0.0), p, match)
    assert found.slope == pytest.approx(1.8, abs=0.1)
    assert found.offset == pytest.approx(-0.7, abs=0.1)
    fresh, happened = drawn(40_000, 1.8, -0.7)
    logit = np.log(fresh / (1 - fresh))
    mended = 1 / (1 + np.exp(-(found.slope * logit + found.offset)))
    assert expected_calibration_error(fresh, happened) > 0.05
    assert expected_calibration_error(mended, happened) < 0.015


def test_top_pairs_are_the_best_of_each_query() -> None:
    views = [Embeddings(RNG.normal(size=(30, 16)).astype(np.float32), np.full((30, 16), 0.05, np.float32))] * 3
    errors, matching = np.where(np.eye(30, dtype=bool), 0.0, 1.0), Matching(3.0, 4.0)
    found = top_pairs(views, matching, errors, queries=10, top=5)
    p, match = found.probability, found.hit
    assert p.shape == match.shape == (6 * 10 * 5,)
    assert match.reshape(-1, 5)[:, 0].all() and not match.reshape(-1, 5)[:, 1:].any()  # itself first, then others
    assert (np.diff(p.reshape(-1, 5)) <= 0).all()


def test_what_cannot_be_calibrated() -> None:
    p, match = drawn(100)
    with pytest.raises(UsageError, match="match and pairs that do not"):
        calibrated(Matching(1, 0), p, np.ones(100, bool))
    with pytest.raises(UsageError, match="cannot be calibrated"):
        calibrated(Matching(1, 0), p, p < 0.5)
    with pytest.raises(UsageError, match="not empty"):
        reliability(p[:0], match[:0])
