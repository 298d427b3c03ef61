"""Reliability and calibration of probabilities."""

import numpy as np
import pytest

from made_up_motion import some_people
from samepose.errors import UsageError
from samepose.evaluation import calibrator
from samepose.evaluation.calibration import (
    brier_score,
    calibrated,
    expected_calibration_error,
    reliability,
    top_pairs,
)
from samepose.evaluation.calibrator import FITTED, alike_halves, calibrate
from samepose.evaluation.retrieval import select_frames
from samepose.evaluation.views import CHEST4, keypoint_views
from samepose.geometry.procrustes import np_mpjpe_matrix
from samepose.matching.embeddings import Embeddings, Matching

RNG = np.random.default_rng(0)
NAMES = ("ann", "bob", "cy", "dee")


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


def test_calibrating_moves_probabilities_as_the_matching_does_and_keeps_their_order() -> None:
    matching = Matching(1.0, 0.0, slope=0.6, offset=0.3)
    p = np.sort(RNG.random(1000))
    shown = matching.calibrate(p)
    assert (np.diff(shown) > 0).all()
    np.testing.assert_allclose(np.log(shown / (1 - shown)), 0.6 * np.log(p / (1 - p)) + 0.3, atol=1e-9)
    assert matching.uncalibrated == Matching(1.0, 0.0)
    assert np.isfinite(matching.calibrate(np.array([0.0, 1.0]))).all()


def blind(keypoints: np.ndarray) -> Embeddings:
    """An embedding of sorts: where the joints are, in units of the body, surer than it should be."""
    flat = np.nan_to_num(keypoints - np.nanmean(keypoints, axis=1, keepdims=True)).reshape(len(keypoints), 26)
    return Embeddings(4 * flat.astype(np.float32), np.full(flat.shape, 0.01, np.float32))


def test_the_stored_map_is_fitted_to_all_and_tested_on_people_it_has_not_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cameras = {"chest4": CHEST4[:3], "all11": CHEST4}  # fewer: a second instead of ten
    monkeypatch.setattr(calibrator, "CAMERAS", cameras)
    subject = np.repeat(np.arange(4), 15)
    found = calibrate(blind, Matching(2.0, 3.0, slope=9.0), some_people(60), subject, NAMES)
    (a, b), (first, second) = found.halves, found.maps
    assert len(a) == len(b) == 2 and set(a) | set(b) == set(NAMES)
    assert (found.matching.a, found.matching.b) == (2.0, 3.0) and found.matching.slope < 1  # it was too sure
    assert {(t.cameras, t.keypoints, t.people) for t in found.tests} == {
        (c, k, h) for c in cameras for k in ("perfect", *FITTED) for h in ("A", "B", "both")}
    # The test of half A by hand: its own pairs, B's map.
    (test,) = (t for t in found.tests if (t.cameras, t.keypoints, t.people) == ("chest4", "noisy", "A"))
    points = some_people(60)[np.isin(subject, [NAMES.index(n) for n in a])]
    points = points[select_frames(points)]
    seen = [blind(v) for v in keypoint_views(points, cameras["chest4"], "noisy")]
    pairs = top_pairs(seen, Matching(2.0, 3.0), np_mpjpe_matrix(points, points))
    shown = second.calibrate(pairs.probability)
    assert (test.frames, test.pairs, test.base_rate) == (len(points), len(pairs.hit), pairs.hit.mean())
    assert test.ece == pytest.approx([expected_calibration_error(p, pairs.hit) for p in (pairs.probability, shown)])
    assert test.brier == pytest.approx([brier_score(p, pairs.hit) for p in (pairs.probability, shown)])
    assert np.mean([t.ece[1] for t in found.tests]) < np.mean([t.ece[0] for t in found.tests])
    assert len(found.to_markdown().splitlines()) == 2 + 18
    assert found.to_json()["halves"][0] == {"people": list(a), "slope": first.slope, "offset": first.offset}


def test_halves_have_as_many_matches() -> None:
    """Two who hardly move and two who move a lot: one of each goes to each half."""
    poses, subject = some_people(80), np.repeat(np.arange(4), 20)
    for still in (0, 1):
        own = poses[subject == still]
        poses[subject == still] = own[:1] + 0.15 * (own - own[:1])
    for half in alike_halves(poses, subject):
        assert len(half) == 2 and len(set(half) & {0, 1}) == 1
    with pytest.raises(UsageError, match="two or more"):
        alike_halves(poses, np.zeros(80, int))


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
