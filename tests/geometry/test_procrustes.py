"""NP-MPJPE: against scipy's aligner and the SVD, on ordinary and degenerate poses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from samepose.errors import UsageError
from samepose.geometry.normalise import normalise_3d
from samepose.geometry.procrustes import (
    np_mpjpe,
    np_mpjpe_2d_matrix,
    np_mpjpe_matrix,
    pa_mpjpe_matrix,
    procrustes_align,
    within,
)
from samepose.skeleton import H36M17

STANCE = np.linspace((-0.3, 0, -0.1), (0.4, 1.7, 0.15), 17)


def some_poses(n: int, seed: int = 0, spread: float = 0.25) -> np.ndarray:
    return (STANCE + np.random.default_rng(seed).normal(0, spread, (n, 17, 3))).astype(np.float32)


def naive(a: np.ndarray, b: np.ndarray) -> float:
    """One pair by scipy: Wahba's problem for the rotation, then the least-squares scale."""
    a, b = normalise_3d(a.astype(np.float64)), normalise_3d(b.astype(np.float64))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    turned = Rotation.align_vectors(a, b)[0].apply(b)
    return float(np.linalg.norm(a - (a * turned).sum() / (b * b).sum() * turned, axis=1).mean())


def by_svd(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.stack([np_mpjpe(np.broadcast_to(pose, b.shape), b) for pose in a])


def test_matrix_and_rows_agree_with_scipy() -> None:
    a, b = some_poses(7), some_poses(5, seed=1)
    expected = np.array([[naive(x, y) for y in b] for x in a])
    assert expected.min() > 0.1
    np.testing.assert_allclose(by_svd(a, b), expected, atol=1e-9)
    matrix = np_mpjpe_matrix(a, b)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix, expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (3, 64), (33, 65), (70, 200), (0, 4), (4, 0)])
def test_every_tile_is_filled(shape: tuple[int, int]) -> None:
    a, b = some_poses(shape[0]), some_poses(shape[1], seed=1)
    expected = by_svd(a, b) if min(shape) else np.empty(shape)
    np.testing.assert_allclose(np_mpjpe_matrix(a, b), expected, atol=1e-5)


def degenerate_poses() -> dict[str, np.ndarray]:
    poses = some_poses(40, seed=2)
    line = STANCE * np.array([0, 1, 0])
    return {
        "planar": poses * np.array([1, 1, 0]),
        "nearly planar": poses * np.array([1, 1, 1e-4]),
        "collinear": poses * np.array([0, 1, 0]),
        "nearly collinear": line + (poses - STANCE) * np.array([1e-3, 0.1, 1e-3]),
        "mirrored": poses * np.array([-1, 1, 1]),
        "mirrored and thin": poses * np.array([-1, 1, 0.05]),
        "nearly the same": poses + np.random.default_rng(3).normal(0, 1e-3, poses.shape),
        "far away and huge": poses * 1000 + 5000,
    }


@pytest.mark.parametrize("kind", degenerate_poses())
def test_degenerate_poses(kind: str) -> None:
    poses, odd = some_poses(40, seed=2), degenerate_poses()[kind].astype(np.float32)
    for a, b in ((poses, odd), (odd, poses), (odd, odd)):
        np.testing.assert_allclose(np_mpjpe_matrix(a, b), by_svd(a, b), atol=1e-4)


def test_ties_between_rotations_still_give_an_optimal_one() -> None:
    """A mirrored pose without a long axis: many rotations are equally good, all with the same RMS error."""
    ball = some_poses(30, seed=4) * 0
    ball[:, :, :] = np.random.default_rng(4).normal(size=ball.shape)
    u, _, vt = np.linalg.svd(ball - ball.mean(axis=1, keepdims=True), full_matrices=False)
    isotropic = (u @ vt).astype(np.float32)
    mirrored = isotropic * np.array([-1, 1, 1], np.float32)
    found = np.diag(np_mpjpe_matrix(isotropic, mirrored))
    target, source = normalise_3d(isotropic.astype(np.float64)), normalise_3d(mirrored.astype(np.float64))
    rms = np.sqrt(((target - procrustes_align(target, source)) ** 2).sum(axis=2).mean(axis=1))
    assert (found > 0.5 * rms).all()
    assert (found <= rms + 1e-4).all()


def test_a_pose_is_at_zero_from_itself_and_a_mirror_is_not() -> None:
    poses = some_poses(50)
    assert np.diag(np_mpjpe_matrix(poses, poses)).max() < 1e-5
    assert np.diag(np_mpjpe_matrix(poses, poses * np.array([-1, 1, 1], np.float32))).min() > 0.05


@settings(max_examples=30, deadline=None)
@given(
    turn=st.tuples(*[st.floats(-3.1, 3.1)] * 3), scale=st.floats(0.05, 50), shift=st.floats(-20, 20),
    seed=st.integers(0, 99),
)
def test_a_similarity_changes_nothing(turn: tuple[float, ...], scale: float, shift: float, seed: int) -> None:
    a, b = some_poses(3, seed), some_poses(3, seed + 100)
    moved = scale * Rotation.from_euler("xyz", turn).apply(b.reshape(-1, 3)).reshape(b.shape) + shift
    np.testing.assert_allclose(np_mpjpe_matrix(a, moved), np_mpjpe_matrix(a, b), atol=2e-5)
    np.testing.assert_allclose(procrustes_align(moved, b), moved, atol=1e-4 * scale)


def test_it_is_not_symmetric() -> None:
    matrix = np_mpjpe_matrix(some_poses(10), some_poses(10))
    assert np.abs(matrix - matrix.T).max() > 1e-3


def test_golden_number() -> None:
    """From scipy, as in `naive`, to eight digits."""
    t = np.arange(17 * 3).reshape(17, 3)
    assert np_mpjpe_matrix(np.sin(t)[None], np.cos(0.7 * t)[None])[0, 0] == pytest.approx(0.26616938, abs=1e-6)


def test_nan_stays_with_its_pose() -> None:
    a, b = some_poses(3), some_poses(70, seed=1)
    a[1, H36M17.index("left_wrist")] = np.nan
    b[66, 4] = np.nan
    matrix = np_mpjpe_matrix(a, b)
    assert np.isnan(matrix[1]).all()
    assert np.isnan(matrix[:, 66]).all()
    assert np.isfinite(np.delete(matrix[[0, 2]], 66, axis=1)).all()
    assert np.isnan(np_mpjpe(a, b[:3])).tolist() == [False, True, False]
    assert not within(a, b, 0.04)[:, 66].any()


def test_any_skeleton_is_aligned_in_the_unit_of_the_first() -> None:
    """PA-MPJPE of 13 joints against SVD, and of 17 against NP-MPJPE, of which it is a multiple per target."""
    rng = np.random.default_rng(5)
    a, b = 300 * rng.normal(size=(6, 13, 3)) + 1000, rng.normal(size=(70, 13, 3))
    expected = np.linalg.norm(a[:, None] - procrustes_align(a[:, None], b[None]), axis=-1).mean(-1)
    np.testing.assert_allclose(pa_mpjpe_matrix(a, b), expected, rtol=2e-4)
    whole, other = rng.normal(size=(5, 17, 3)), rng.normal(size=(40, 17, 3))
    ratio = pa_mpjpe_matrix(whole, other) / np_mpjpe_matrix(whole, other)
    np.testing.assert_allclose(ratio, ratio[:, :1].repeat(40, 1), rtol=2e-4)


@pytest.mark.usefixtures("unchecked")
def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"\(3, 13, 3\); expected \(N, 17, 3\)"):
        np_mpjpe_matrix(some_poses(3)[:, :13], some_poses(3))


@pytest.mark.parametrize("kappa", [0.005, 0.02, 0.05, 0.1])
def test_within_prunes_without_loss(kappa: float) -> None:
    """Clusters of near copies, so that there are pairs on both sides of kappa."""
    rng = np.random.default_rng(5)
    centres = some_poses(4, seed=5)
    poses = centres[rng.integers(0, 4, 300)] + rng.normal(size=(300, 17, 3)) * rng.uniform(0, 0.1, (300, 1, 1))
    matrix = np_mpjpe_matrix(poses, poses[:130])
    found = within(poses, poses[:130], kappa)
    sure = np.abs(matrix - kappa) > 1e-6
    assert 0 < (matrix <= kappa).mean() < 0.9
    assert ((matrix <= kappa) == found)[sure].all()


def in_the_plane(a: np.ndarray, b: np.ndarray) -> float:
    """One pair over the joints that both show, as complex numbers."""
    z, w = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    both = ~np.isnan(z + w)
    z, w = z[both] - z[both].mean(), w[both] - w[both].mean()
    return float(np.abs(z - np.vdot(w, z) / np.vdot(w, w) * w).mean())


def test_in_the_plane_against_complex_numbers() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=(20, 13, 2)) * 100 + 300, rng.normal(size=(70, 13, 2))
    expected = [[in_the_plane(x, y) for y in b] for x in a]
    np.testing.assert_allclose(np_mpjpe_2d_matrix(a, b), expected, rtol=1e-4)
    turned = a @ np.array([[0.6, -0.8], [0.8, 0.6]]) * 3 + 7
    assert np.diag(np_mpjpe_2d_matrix(a, turned)).max() < 1e-3
    assert np.diag(np_mpjpe_2d_matrix(a, a * [-1, 1])).min() > 1


def test_in_the_plane_each_pair_takes_the_joints_it_shares() -> None:
    rng = np.random.default_rng(7)
    whole = rng.normal(size=(90, 13, 2))
    a, b = whole[:20] * 100 + 300, whole[10:] @ np.array([[0.6, -0.8], [0.8, 0.6]]) + 3
    a[rng.random((20, 13)) < 0.3] = np.nan
    b[rng.random((80, 13)) < 0.3] = np.nan
    a[3, 2:] = np.nan  # two joints fit anything
    a[4, 3:], b[5, :11], b[6] = np.nan, np.nan, np.nan
    found = np_mpjpe_2d_matrix(a, b)
    for i, j in np.ndindex(found.shape):
        if (~np.isnan(a[i] + b[j])).all(axis=1).sum() < 3:
            assert np.isnan(found[i, j])
        else:
            assert found[i, j] == pytest.approx(in_the_plane(a[i], b[j]), rel=1e-4, abs=1e-3)
    assert np.isnan(found[3]).all() and np.isnan(found[4, 5]) and np.isnan(found[:, 6]).all()
    moved = [(i, i - 10) for i in range(10, 20) if not np.isnan(found[i, i - 10])]
    assert moved and max(found[i, j] for i, j in moved) < 1e-3  # the same pose, with other joints missing in each
    clear = np_mpjpe_2d_matrix(whole[:20], whole)
    one = whole.copy()
    one[50, 4] = np.nan  # what is missing in one frame changes nothing for the others
    np.testing.assert_allclose(np.delete(np_mpjpe_2d_matrix(whole[:20], one), 50, axis=1),
                               np.delete(clear, 50, axis=1), atol=1e-5)
