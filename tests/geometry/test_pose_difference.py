"""The pose difference of Mori 2015."""

from __future__ import annotations

import numpy as np
import pytest

from samepose.errors import UsageError
from samepose.geometry.pose_difference import on_torso, pose_differences
from samepose.skeleton import LSP14, Skeleton


def _poses(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 128, (n, 14, 2)).astype(np.float32)


def test_equals_a_loop_over_pairs_and_joints() -> None:
    a, b = on_torso(_poses(4), LSP14), on_torso(_poses(3, 1), LSP14)
    a[1, 5] = np.nan
    for i, j in np.ndindex(4, 3):
        gaps = [float(np.linalg.norm(a[i, k] - b[j, k])) for k in range(14) if not np.isnan(a[i, k]).any()]
        assert pose_differences(a, b)[i, j] == pytest.approx(sum(gaps) / len(gaps), rel=1e-5)


def test_moving_a_person_changes_nothing_and_growing_does() -> None:
    poses = _poses(1)
    one, same = on_torso(poses, LSP14), on_torso(poses + np.float32([30, -12]), LSP14)
    assert pose_differences(one, same)[0, 0] < 1e-4
    assert pose_differences(one, on_torso(poses * np.float32(1.5), LSP14))[0, 0] > 5


def test_who_has_no_hip_or_too_few_joints_does_not_compare() -> None:
    poses = _poses(3)
    poses[1, LSP14.index("left_hip")] = np.nan
    poses[2, :5] = np.nan
    hips = [LSP14.index("left_hip"), LSP14.index("right_hip")]
    poses[2, hips] = 1.0
    aligned = on_torso(poses, LSP14)
    assert np.isnan(aligned[1]).all()
    found = pose_differences(aligned, aligned)
    assert np.isnan(found[1]).all() and np.isnan(found[:, 1]).all()
    assert np.isnan(found[0, 2]) == (np.isfinite(aligned[2]).all(-1).sum() < 10)


def test_a_skeleton_without_hips_is_refused() -> None:
    with pytest.raises(UsageError, match="hip"):
        on_torso(np.zeros((1, 2, 2), np.float32), Skeleton("arms", ("left_wrist", "right_wrist")))
