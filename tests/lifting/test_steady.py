"""Poses over time made steady, on a walker whose way is known."""

from __future__ import annotations

import numpy as np
import pytest

from made_up_motion import standing
from samepose.errors import UsageError
from samepose.geometry.kinematics import SEGMENTS, Template, bone_lengths, pose_of
from samepose.lifting.feet import ANKLES, picture_speeds, stands
from samepose.lifting.smooth import robustly_smoothed, smoothed
from samepose.lifting.steady import steady
from samepose.poses import Poses
from samepose.skeleton import H36M17

FPS = 30.0
BODY = Template.measured(standing()[None]).symmetric()
PLACE = {s.name: k for k, s in enumerate(SEGMENTS)}
AT = H36M17.index


def walker(n: int = 120, stride: float = 0.35, period: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Someone who walks along +z: points with the pelvis' true way, and when each foot (left, right) stands.

    The leg that stands turns back evenly, the other one comes forward with a bent knee; the pelvis goes as the foot
    that stands demands.
    """
    angles, stand = np.zeros((n, len(SEGMENTS), 3)), np.zeros((n, 2), np.bool_)
    for k, side in enumerate(("left", "right")):
        share = (np.arange(n) / period + k / 2) % 1
        swing = np.pi * np.maximum(2 * share - 1, 0)
        stand[:, k] = share < 0.5
        thigh = np.where(stand[:, k], stride * (4 * share - 1), stride * np.cos(swing))
        angles[:, PLACE[f"{side}_thigh"], 0] = thigh - 0.35 * np.sin(swing)
        angles[:, PLACE[f"{side}_shin"], 0] = 0.05 + 0.9 * np.sin(swing)
    points = pose_of(BODY, angles)
    feet = points[:, ANKLES]
    step = np.where(stand[1:, :1], -np.diff(feet[:, 0], axis=0), -np.diff(feet[:, 1], axis=0))
    way = np.concatenate([np.zeros((1, 3)), np.cumsum(step, axis=0)])
    way[:, 1] = -np.where(stand[:, 0], feet[:, 0, 1], feet[:, 1, 1])
    return points + way[:, None], stand


def as_seen(points: np.ndarray, noise: float = 0.0, **more: object) -> Poses:
    """About the pelvis, as lifting gives it."""
    around = points - points[:, :1] + np.random.default_rng(0).normal(0, 1, points.shape) * noise
    more.setdefault("times", np.arange(len(points)) / FPS)
    return Poses.of(around - around[:, :1], H36M17, unit="metre", **more)


def slides(points: np.ndarray, stand: np.ndarray) -> np.ndarray:
    """Millimetres per frame of feet that stand in both frames."""
    moved = np.linalg.norm(np.diff(points[:, ANKLES].astype(float), axis=0), axis=-1) * 1000
    return moved[stand[1:] & stand[:-1]]


def test_bones_are_constant_and_feet_stand_under_noise() -> None:
    points, stand = walker()
    lengths = bone_lengths(steady(as_seen(points, 0.03)).points.astype(float))[:, 1:]
    assert np.ptp(lengths, axis=0).max() < 1e-5
    inner = stand & np.roll(stand, 3, axis=0) & np.roll(stand, -3, axis=0)  # the frames of a change may go either way
    moved = slides(steady(as_seen(points, 0.03)).points, inner)
    assert (moved <= 15).mean() > 0.97
    raw = slides(as_seen(points, 0.03).points, inner)
    assert np.median(raw) > 40


def test_the_way_is_the_walkers() -> None:
    points, _ = walker()
    way, true = steady(as_seen(points)).points[:, 0], points[:, 0] - points[0, 0]
    assert abs(way[-1, 2] - true[-1, 2]) < 0.2 * true[-1, 2]
    assert way[-1, 2] > 1 and np.abs(way[:, 0]).max() < 0.1
    np.testing.assert_allclose(way[0, [0, 2]], 0, atol=1e-6)


def test_noise_falls_and_a_still_person_stays() -> None:
    still = np.broadcast_to(standing(), (90, 17, 3))
    out = steady(as_seen(still, 0.02)).points
    true = still - still[:, :1]
    error = np.linalg.norm(out - out[:, :1] - true, axis=-1).mean()
    assert error < 0.6 * np.linalg.norm(as_seen(still, 0.02).points - true, axis=-1).mean()
    assert np.ptp(out[:, 0], axis=0).max() < 0.03
    np.testing.assert_allclose(out[:, ANKLES, 1], 0, atol=0.02)


def test_mirrored_poses_come_out_mirrored() -> None:
    seen = as_seen(walker(60)[0], 0.01)
    np.testing.assert_allclose(steady(seen.mirrored()).points, steady(seen).mirrored().points, atol=2e-4)


def test_short_gaps_are_filled_and_long_ones_left() -> None:
    points, _ = walker(90)
    seen = as_seen(points).points.copy()
    seen[10:14] = np.nan  # 0.13 s
    seen[30, AT("left_wrist")] = np.nan
    seen[50:75] = np.nan  # 0.83 s
    seen[:2] = np.nan
    out = steady(Poses.of(seen, H36M17, times=np.arange(90) / FPS, unit="metre"))
    empty = np.isnan(out.points).all(axis=(1, 2))
    assert np.flatnonzero(empty).tolist() == [0, 1, *range(50, 75)]
    around = out.points[10:14] - out.points[10:14, :1]
    assert np.linalg.norm(around - as_seen(points).points[10:14], axis=-1).mean() < 0.06
    assert (out.scores[empty] == 0).all() and (out.scores[~empty] > 0).all()


def test_the_way_goes_on_where_it_was_before_a_long_gap() -> None:
    points, _ = walker(90)
    kept = np.r_[:40, 65:90]
    way = steady(as_seen(points[kept], times=kept / FPS)).points[:, 0]
    assert np.linalg.norm(way[40] - way[39]) < 0.15


def test_smoothing_equals_a_dense_solution_and_halves_at_its_cutoff() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.5, 1.5, 40)) / FPS
    values, weights = rng.normal(size=(40, 2)), rng.uniform(0, 1, 40)
    bends = np.zeros((38, 40))
    for k in range(38):
        before, after = times[k + 1] - times[k], times[k + 2] - times[k + 1]
        bends[k, k:k + 3] = np.array([1 / before, -1 / before - 1 / after, 1 / after]) / np.sqrt((before + after) / 2)
    strength = 1 / (np.median(np.diff(times)) * (2 * np.pi * 3.0) ** 4)
    dense = np.linalg.solve(np.diag(weights) + strength * bends.T @ bends, weights[:, None] * values)
    np.testing.assert_allclose(smoothed(values, times, weights, 3.0), dense, atol=1e-6)
    times = np.arange(600) / 100
    wave = np.sin(2 * np.pi * 3.0 * times)[:, None]
    assert np.ptp(smoothed(wave, times, np.ones(600), 3.0)[100:500]) == pytest.approx(1, abs=0.03)


def test_what_is_far_off_hardly_draws_the_curve() -> None:
    times, rng = np.arange(60) / FPS, np.random.default_rng(0)
    true = np.sin(2 * np.pi * 0.5 * times)[:, None] * [1.0, 0.5, 0.2]
    noisy, even = true + rng.normal(0, 0.02, true.shape), np.ones(60)
    plain, robust = smoothed(noisy, times, even, 3.0), robustly_smoothed(noisy, times, even, 3.0, 0.05)
    assert np.abs(robust - plain).max() < 0.02
    wrong = noisy.copy()
    wrong[20:23] += 0.8
    plain, robust = smoothed(wrong, times, even, 3.0), robustly_smoothed(wrong, times, even, 3.0, 0.05)
    assert np.linalg.norm(robust - true, axis=1).max() < 0.1 < 0.5 < np.linalg.norm(plain - true, axis=1).max()


def test_joints_count_by_how_surely_they_are_known() -> None:
    points, _ = walker(60)
    seen = as_seen(points)
    wrong = seen.points.copy()
    wrist, spread = AT("left_wrist"), np.full((60, 17), 0.02)
    unsure = np.arange(60) % 3 != 0
    wrong[unsure, wrist, 1] += 0.3
    spread[unsure, wrist] = 0.5
    moved = Poses.of(wrong, H36M17, times=seen.times, unit="metre")
    right = steady(seen).points[30, wrist]
    assert np.linalg.norm(steady(moved, BODY, spread).points[30, wrist] - right) < 0.1
    assert np.linalg.norm(steady(moved, BODY).points[30, wrist] - right) > 0.15


def test_a_foot_that_keeps_its_place_in_the_picture_stands() -> None:
    """Depth that sways lets feet that stand seem to slide; in the picture of a still camera they do not."""
    points, stand = walker()
    around = points - points[:, :1]
    sway = 0.15 * np.sin(2 * np.pi * 1.2 * np.arange(len(points)) / FPS)
    around[:, ANKLES, 2] += sway[:, None] * [1, -1]
    lifted = as_seen(around)
    pixels = Poses.of(np.array([300, 900]) + points[..., [2, 1]] * [200, -200], H36M17, times=lifted.times)
    inner = stand & np.roll(stand, 3, axis=0) & np.roll(stand, -3, axis=0)
    told, alone = (slides(steady(lifted, BODY, seen=seen).points, inner) for seen in (pixels, None))
    assert (told > 15).mean() < 0.5 * (alone > 15).mean()
    with pytest.raises(UsageError, match="`seen` has 3 poses and `poses` 120"):
        steady(lifted, seen=pixels[:3])


def test_speeds_in_the_picture_are_metres_at_the_persons_distance() -> None:
    times = np.arange(40) / FPS
    around = np.broadcast_to(standing() - standing()[:1], (40, 17, 3))
    seen = np.broadcast_to(100 * around[..., :2] * [1, -1], (40, 17, 2)).copy()
    seen[:, ANKLES[0], 0] += 30 * times  # 0.3 m a second
    seen[5:10, ANKLES[1]] = np.nan
    speeds = picture_speeds(seen, around, times)
    assert np.allclose(speeds[:, 0], 0.3, rtol=0.1)
    assert np.isinf(speeds[5:10, 1]).all() and (speeds[10:, 1] < 0.01).all()
    assert np.isinf(picture_speeds(np.full((40, 17, 2), np.nan), around, times)).all()


def test_a_camera_that_follows_tells_nothing_of_feet() -> None:
    points, _ = walker()
    lifted, times = as_seen(points), np.arange(len(points)) / FPS
    followed = np.array([300, 900]) + (points - points[:, :1])[..., [2, 1]] * [200, -200]
    assert np.isinf(picture_speeds(followed, lifted.points.astype(float), times)).all()
    seen = Poses.of(followed, H36M17, times=times)
    np.testing.assert_array_equal(steady(lifted, seen=seen).points, steady(lifted).points)


def test_who_stands_is_told_by_both_feet() -> None:
    points, stand = walker()
    seen, way = stands(points - points[:, :1], np.arange(len(points)) / FPS)
    assert (seen == stand)[5:-5].mean() > 0.8
    assert way[-1, 2] > 1


def test_what_is_no_clip_is_told() -> None:
    points, _ = walker(10)
    with pytest.raises(UsageError, match="are 2D"):
        steady(Poses.of(points[..., :2], H36M17, times=np.arange(10)))
    with pytest.raises(UsageError, match="not one person in order of time"):
        steady(as_seen(points, times=np.zeros(10)))
    with pytest.raises(UsageError, match="no moment with all joints"):
        steady(Poses.of(np.full((10, 17, 3), np.nan), H36M17, times=np.arange(10), unit="metre"))
    flat = np.zeros((10, 17, 3))
    with pytest.raises(UsageError, match="is 0 m long"):
        steady(as_seen(flat))
