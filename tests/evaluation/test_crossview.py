"""Cross-view search on synchronised cameras, against cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from samepose.errors import UsageError
from samepose.evaluation.crossview import cross_view
from samepose.evaluation.retrieval import Keypoints2D, PointEmbedding
from samepose.geometry.procrustes import np_mpjpe_2d_matrix

TIMES = np.arange(12) / 30


@pytest.fixture
def motion() -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.normal(size=(12, 13, 2)).cumsum(axis=0).astype(np.float32)


def by_first_joint(keypoints: np.ndarray) -> np.ndarray:
    return keypoints[:, 0]


def test_cameras_in_step_find_their_own_moments(motion: np.ndarray) -> None:
    result = cross_view([motion, 3 * motion + 100, motion], [TIMES] * 3, Keypoints2D())
    assert [(p.query, p.index) for p in result.pairs] == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    assert result.median_offset == result.mean_offset == 0
    assert result.tau == pytest.approx(1)


def test_offsets_and_order_are_those_of_the_matches(motion: np.ndarray) -> None:
    late = cross_view([motion, motion], [TIMES, TIMES + 0.5], PointEmbedding(by_first_joint))
    assert late.pairs[0].offsets == pytest.approx(np.full(12, 0.5)) and late.tau == pytest.approx(1)
    assert late.pairs[1].offsets == pytest.approx(np.full(12, -0.5)) and late.median_offset == pytest.approx(0.5)
    backwards = cross_view([motion, motion[::-1]], [TIMES, TIMES], PointEmbedding(by_first_joint))
    assert backwards.tau == pytest.approx(-1)
    assert backwards.mean_offset == pytest.approx(np.abs(TIMES - TIMES[::-1]).mean())


def test_one_match_for_all_frames_is_no_order(motion: np.ndarray) -> None:
    same = np.repeat(motion[:1], 12, axis=0)
    assert cross_view([motion, same], [TIMES] * 2, Keypoints2D()).pairs[0].tau == 0


def test_baseline_compares_the_joints_that_two_frames_share(motion: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    query, index = (np.where(rng.random((12, 13, 1)) < 0.25, np.float32(np.nan), motion) for _ in range(2))
    query[0, 2:] = np.nan  # two joints fit anything
    scores = Keypoints2D().scores(query, index)
    assert np.isinf(scores[0]).all()
    for i in range(1, 12):
        for j in range(12):
            shared = ~np.isnan(query[i, :, 0] + index[j, :, 0])
            expected = -np_mpjpe_2d_matrix(query[i : i + 1, shared], index[j : j + 1, shared])[0, 0]
            assert scores[i, j] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_cameras_without_frames_are_refused(motion: np.ndarray) -> None:
    with pytest.raises(UsageError, match="12, 0 frames"):
        cross_view([motion, motion[:0]], [TIMES, TIMES[:0]], Keypoints2D())
    with pytest.raises(UsageError, match="two with frames"):
        cross_view([motion], [TIMES], Keypoints2D())
