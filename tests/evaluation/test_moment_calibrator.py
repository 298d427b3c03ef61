"""The calibration of moments: made-up distances give back the map that they were drawn from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from made_up_motion import standing
from samepose.errors import UsageError
from samepose.evaluation import moment_calibrator
from samepose.evaluation.moment_calibrator import CONDITIONS, LENGTHS, _fitted, _Half, calibrate_moments, centres_of
from samepose.formats.poseset import PoseSet
from samepose.matching.embeddings import Embeddings, Matching


def poses(frames: int, fps: float | None = 30.0) -> PoseSet:
    """Two people, three clips each."""
    rng = np.random.default_rng(0)
    walk = standing() + np.cumsum(rng.normal(0, 0.02, (6 * frames, 17, 3)), axis=0)
    clip = np.arange(6 * frames) // frames
    return PoseSet(walk.astype(np.float32), clip, tuple("abcdef"), clip // 3, ("ann", "bob"), fps)


def test_the_map_is_found_again() -> None:
    rng, half = np.random.default_rng(0), _Half({}, {})
    for length in LENGTHS:
        for condition in CONDITIONS:
            for pairs, slope, offset in ((4, 0.7, 0.5), (7, 1.3, 2.0)):
                logit = rng.normal(0, 2, 8000)
                key = (length, *condition, pairs)
                half.distance[key] = np.log1p(np.exp(-logit))
                half.hit[key] = rng.random(8000) < 1 / (1 + np.exp(-(slope * logit + offset)))
    fitted = _fitted([half])
    np.testing.assert_allclose(fitted.slope, [[0.7, 1.3]] * 3, atol=0.06)
    np.testing.assert_allclose(fitted.offset, [[0.5, 2.0]] * 3, atol=0.1)


def test_moments_lie_within_one_clip() -> None:
    centres = centres_of(poses(90), np.array([1]), 0.3, 10_000)
    assert set((centres // 90).tolist()) == {3, 4, 5}  # clips of bob
    assert (centres % 90).min() >= 9 and (centres % 90).max() <= 80


def test_a_calibration_from_motion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moment_calibrator, "LENGTHS", (0.1, 0.3))
    monkeypatch.setattr(moment_calibrator, "CAMERAS", moment_calibrator.CAMERAS[:1] * 2)

    def embed(keypoints: np.ndarray) -> Embeddings:
        mean = np.nan_to_num(keypoints.reshape(len(keypoints), -1)).astype(np.float32)
        return Embeddings(mean, np.full_like(mean, 0.01))

    found = calibrate_moments(embed, Matching(2.0, 2.0), poses(90), moments=60)
    assert found.matching.seconds == (0.1, 0.3) and len(found.tests) == 2 * 2 * len(CONDITIONS)
    assert all(0 <= test.ece < 0.5 and test.pairs == 2 * 2 * 60 * 5 for test in found.tests)
    assert found.to_markdown().count("\n") == 1 + len(found.tests)
    assert found.to_json()["slope"] == found.matching.slope


def test_what_moments_cannot_be_calibrated_with() -> None:
    with pytest.raises(UsageError, match="different frame rates"):
        calibrate_moments(lambda k: Embeddings(k[:, 0], k[:, 0]), Matching(2.0, 2.0), replace(poses(90), fps=None))
    with pytest.raises(UsageError, match=r"only \d+ moments of ±1 s"):
        centres_of(poses(30), np.array([0, 1]), 1.0, 100)
