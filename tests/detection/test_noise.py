"""The model of the detector's faults: its rates are those of its figures, and what it hides is what lies behind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from samepose.detection.noise import hidden_joints, movenet_noise
from samepose.evaluation.views import ALL11, keypoint_views, project_views
from samepose.geometry.camera import to_camera
from samepose.geometry.normalise import torso_scale_2d
from samepose.skeleton import BODY13, H36M17

ZERO = np.zeros(13, np.float32)
QUIET = replace(
    movenet_noise(), core=ZERO, tail=ZERO, miss=ZERO, miss_hidden=ZERO, outward=ZERO, up=ZERO, forward=ZERO,
    ankle_to_knee=0.0, swap_arms=0.0, swap_legs=0.0, swap_all=0.0, swap_all_back=0.0, definition_floor=0.0,
)


def stander() -> np.ndarray:
    """One body (13, 3) that faces +z, y up, torso length 1, arms a little out."""
    half = {"nose": (0, 1.3, 0.2), "shoulder": (0.35, 1, 0), "elbow": (0.5, 0.5, 0), "wrist": (0.55, 0, 0),
            "hip": (0.2, 0, 0), "knee": (0.2, -0.8, 0), "ankle": (0.2, -1.6, 0)}
    sides = {"left": 1.0, "right": -1.0}
    return np.array([
        np.array(half[j.split("_")[-1]]) * (sides.get(j.split("_")[0], 1.0), 1, 1) for j in BODY13.joints
    ])


def seen(body: np.ndarray, azimuth: float) -> np.ndarray:
    return np.asarray(to_camera(body, np.float64(np.radians(azimuth)), np.float64(0), np.float64(0)))


def crowd(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints and camera axes of `n` people seen from the front, none of whose joints are hidden but by nature."""
    turned = np.repeat(seen(stander(), 0)[None], n, 0)
    return turned[..., :2].astype(np.float32), turned


def test_without_faults_nothing_changes() -> None:
    points, turned = crowd(5)
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(QUIET.disturb(points, turned, rng), points)
    np.testing.assert_allclose(QUIET.redefine(turned, rng), turned)


def test_core_spread_and_what_a_limb_shares() -> None:
    points, turned = crowd()
    noise = replace(QUIET, core=movenet_noise().core, small=1.0)
    errors = noise.disturb(points, turned, np.random.default_rng(0)) - points
    errors /= 2 * torso_scale_2d(points)[:, None, None]
    np.testing.assert_allclose(errors.std(axis=(0, 2)), noise.core, rtol=0.05)
    elbow, wrist, knee = (BODY13.index(f"left_{j}") for j in ("elbow", "wrist", "knee"))
    x = errors[..., 0].T
    assert np.corrcoef(x[elbow], x[wrist])[0, 1] == pytest.approx(noise.shared, abs=0.05)
    assert np.corrcoef(x[elbow], x[knee])[0, 1] == pytest.approx(0, abs=0.05)


def test_a_small_person_errs_more() -> None:
    points, turned = crowd()
    noise = replace(QUIET, core=movenet_noise().core, small=3.0)
    errors = noise.disturb(points, turned, np.random.default_rng(0)) - points
    errors /= 2 * torso_scale_2d(points)[:, None, None]
    mean_square = (3.0**2 - 1) / (2 * np.log(3.0))  # of 3^q, q uniform
    np.testing.assert_allclose(errors.std(axis=(0, 2)), noise.core * mean_square**0.5, rtol=0.06)


def test_rates_of_missed_joints() -> None:
    points, turned = crowd()
    noise = replace(QUIET, miss=np.linspace(0.02, 0.2, 13).astype(np.float32))
    missed = np.isnan(noise.disturb(points, turned, np.random.default_rng(0))).any(axis=2)
    np.testing.assert_allclose(missed.mean(axis=0), noise.miss, atol=0.02)
    all_missed = replace(QUIET, miss=ZERO + 1).disturb(points, turned, np.random.default_rng(0))
    assert (~np.isnan(all_missed[..., 0])).sum(axis=1).min() >= 6


def test_swaps_exchange_left_and_right() -> None:
    points, turned = crowd()
    got = replace(QUIET, swap_legs=0.1).disturb(points, turned, np.random.default_rng(0))
    knees = [BODY13.index("left_knee"), BODY13.index("right_knee")]
    swapped = (got[:, knees] == points[:, knees[::-1]]).all(axis=(1, 2))
    assert swapped.mean() == pytest.approx(0.1, abs=0.02)
    arms = [k for k, j in enumerate(BODY13.joints) if "knee" not in j and "ankle" not in j]
    np.testing.assert_array_equal(got[:, arms], points[:, arms])
    back = np.repeat(seen(stander(), 180)[None], 2000, 0)
    got = replace(QUIET, swap_all_back=0.2).disturb(back[..., :2], back, np.random.default_rng(0))
    mirrored = (got == back[..., :2][:, BODY13.mirror]).all(axis=(1, 2))
    assert mirrored.mean() == pytest.approx(0.2, abs=0.03)


def test_hidden_joints_lie_behind_the_body() -> None:
    body = stander()
    body[BODY13.index("left_wrist")] = (0.1, 0.5, -0.3)  # behind the back
    front, back, side = (hidden_joints(seen(body, a)[None])[0] for a in (0, 180, -90))
    assert {j for j, h in zip(BODY13.joints, front) if h} == {"left_wrist"}
    assert {j for j, h in zip(BODY13.joints, back) if h} == {"nose"}
    hidden = {j for j, h in zip(BODY13.joints, side) if h}  # from the person's right the left leg is behind
    assert {"left_knee", "left_ankle"} <= hidden
    assert {j for j in hidden if j.startswith("right")} == {"right_hip"}  # the hand hangs before it


def test_definition_is_the_same_from_all_sides_and_for_both_sides_of_the_body() -> None:
    noise = movenet_noise()
    bodies = np.repeat(stander()[None], 3000, 0)
    moved = noise.redefine(bodies, np.random.default_rng(0)) - bodies
    np.testing.assert_allclose(moved[:, BODY13.mirror] * (-1, 1, 1), moved, atol=1e-6)
    nose = moved[:, 0].mean(axis=0)
    np.testing.assert_allclose(nose, (0, noise.up[0], noise.forward[0]), atol=0.01)
    ankle = moved[:, BODY13.index("left_ankle")].mean(axis=0)
    np.testing.assert_allclose(ankle, (0, 0.8 * noise.ankle_to_knee, 0), atol=0.01)
    before, after = (
        noise.redefine(body[None], np.random.default_rng(1))[0] for body in (stander(), seen(stander(), 130))
    )
    np.testing.assert_allclose(after, seen(before, 130), atol=1e-6)


def test_detected_views() -> None:
    person = BODY13.convert(stander()[None], H36M17)[0]
    person[H36M17.index("neck")], person[H36M17.index("head_top")] = (0, 1.15, 0), (0, 1.45, 0)
    people = person + np.random.default_rng(3).normal(0, 0.05, (60, 17, 3))
    truth, got = project_views(people, ALL11), keypoint_views(people, ALL11, "detected", seed=1)
    assert got.shape == truth.shape and got.dtype == np.float32
    np.testing.assert_array_equal(got, keypoint_views(people, ALL11, "detected", seed=1))
    assert not np.array_equal(got, keypoint_views(people, ALL11, "detected", seed=2), equal_nan=True)
    missed = np.isnan(got)
    np.testing.assert_array_equal(missed[..., 0], missed[..., 1])
    assert 0.005 < missed.mean() < 0.15
    assert 0.01 < np.nanmedian(np.linalg.norm(got - truth, axis=-1)) < 0.06


def test_training_views_have_the_detectors_faults() -> None:
    torch = pytest.importorskip("torch", reason="training needs samepose[train]")
    from samepose.training.prvipe.augment import AugmentConfig, random_views

    person = np.nan_to_num(BODY13.convert(stander()[None], H36M17)[0])
    people = torch.from_numpy(np.repeat(person[None], 800, 0)).float()
    config = AugmentConfig(hide=0, jitter=0, swap=0, nose=0)
    plain, detected, again = (
        random_views(people, replace(config, detector=share), torch.Generator().manual_seed(1))
        for share in (0.0, 1.0, 1.0)
    )
    assert plain.visible.all()
    assert 0.005 < float((~detected.visible).float().mean()) < 0.15
    assert detected.points.isfinite().all() and (detected.points[~detected.visible] == 0).all()
    torch.testing.assert_close(detected.points, again.points, rtol=0, atol=0)  # the generator decides everything
