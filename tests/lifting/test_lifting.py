"""Lifting with the shipped networks: a person made up in space, seen by a camera, comes back as they were."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import samepose
from made_up_motion import standing
from moving_people import waving
from samepose.embed.lifting import LiftingNetwork, features, mirrored_features
from samepose.errors import SameposeError, UsageError
from samepose.geometry.camera import centred, project
from samepose.geometry.procrustes import procrustes_align
from samepose.lifting.lifted import grounded, stature, upright
from samepose.lifting.lifting import LiftingModel, load_lifter, moments_around
from samepose.poses import Poses
from samepose.skeleton import BODY13, H36M17
from samepose.weights import weight_file

HEIGHT = 1.8


@pytest.fixture(scope="module")
def lifter() -> LiftingModel:
    return load_lifter()


def photographed(body: np.ndarray, azimuth: float, elevation: float = 5.0, roll: float = 0.0) -> np.ndarray:
    """BODY13 in pixels; the nose is before the head, as a detector sees it."""
    neck, crown = body[H36M17.index("neck")], body[H36M17.index("head_top")]
    points = np.concatenate([((neck + crown) / 2 + [0, 0, 0.1])[None],
                             body[[H36M17.index(j) for j in BODY13.joints[1:]]]]) - body[:1]
    angles = (np.radians(a) for a in (azimuth, elevation, roll))
    return np.asarray(project(points, *angles, 4.0) * 1000 + 500)


def reach() -> np.ndarray:
    """A person who faces +z, the left arm up, the right one forward: no mirror image of it is the same."""
    body = standing().astype(np.float64)
    for joint, at in {"left_elbow": (0.3, 1.75, 0), "left_wrist": (0.3, 2.0, 0), "right_elbow": (-0.2, 1.42, 0.28),
                      "right_wrist": (-0.2, 1.42, 0.53)}.items():
        body[H36M17.index(joint)] = at
    return body


def joint(points: np.ndarray, name: str) -> np.ndarray:
    return points[..., H36M17.index(name), :]


@pytest.mark.parametrize("azimuth", [0, 45, 90, 135, 180, 225, 270, 315])
def test_a_person_comes_back_with_the_right_hand_on_the_right_side(lifter: LiftingModel, azimuth: float) -> None:
    """From the front, the sides and behind: left stays left, up is up, the arm that points forward points forward."""
    body = reach()
    (lifted,) = lifter.lift(Poses.of(photographed(body, azimuth), BODY13), HEIGHT).poses.points
    angle = math.radians(azimuth)
    turn = np.array([[math.cos(angle), 0, -math.sin(angle)], [0, 1, 0], [math.sin(angle), 0, math.cos(angle)]])
    true = centred(body) @ turn.T  # as the camera at that azimuth has it: x right, z to the viewer
    found = centred(lifted)
    across = joint(true, "left_shoulder") - joint(true, "right_shoulder")
    assert np.dot(joint(found, "left_shoulder") - joint(found, "right_shoulder"), across) > 0.5 * across @ across
    forward = turn @ [0.0, 0.0, 1.0]
    assert np.dot(joint(found, "right_wrist") - joint(found, "right_shoulder"), forward) > 0.2
    assert joint(found, "left_wrist")[1] > joint(found, "head_top")[1]
    assert joint(found, "right_ankle")[1] < -0.7
    errors = [np.linalg.norm(procrustes_align(t, lifted.astype(np.float64)) - t, axis=-1).mean()
              for t in (true, true[H36M17.mirror] * [-1, 1, 1])]
    assert errors[0] < 0.12 and errors[0] < errors[1]


def test_a_mirrored_picture_gives_the_mirrored_pose(lifter: LiftingModel) -> None:
    poses = Poses.of(photographed(reach(), 30), BODY13)
    one, other = lifter.lift(poses).poses, lifter.lift(poses.mirrored()).poses.mirrored()
    assert np.linalg.norm(one.points - other.points, axis=-1).mean() < 0.06


def test_size_is_the_height_and_up_is_found(lifter: LiftingModel) -> None:
    for roll in (-15, 0, 15):
        found = lifter.lift(Poses.of(photographed(standing(), 20, 15, roll), BODY13), HEIGHT)
        spine = joint(found.poses.points[0], "thorax") - joint(found.poses.points[0], "pelvis")
        assert math.degrees(math.acos(spine[1] / np.linalg.norm(spine))) < 15
        assert stature(found.poses.points.astype(np.float64)) == pytest.approx(HEIGHT, abs=1e-4)
        assert found.poses.points[0, :, 1].min() == 0 and found.poses.unit == "metre"
        assert found.poses.points[0, 0, [0, 2]] == pytest.approx(0)
    small = lifter.lift(Poses.of(photographed(standing(), 20), BODY13), 0.9).poses.points
    large = lifter.lift(Poses.of(photographed(standing(), 20), BODY13), 1.8).poses.points
    assert np.allclose(2 * small, large, atol=1e-5)


def test_alternatives_are_told_with_weights_and_differ(lifter: LiftingModel) -> None:
    found = lifter.lift(Poses.of(photographed(reach(), 0), BODY13), HEIGHT)
    assert found.alternatives.shape == (1, 4, 17, 3) and np.array_equal(found.alternatives[:, 0], found.poses.points)
    assert found.weights[0].sum() == pytest.approx(1, abs=1e-5) and (np.diff(found.weights[0]) <= 0).all()
    apart = np.linalg.norm(found.alternatives[0, 1:] - found.alternatives[0, :1], axis=-1).mean(axis=1)
    assert apart.max() > 0.05
    assert found.spread[0, 0] == 0 and (found.spread[0, 1:] > 0).all()
    assert found.spread[0, H36M17.index("left_wrist")] > found.spread[0, H36M17.index("left_hip")]


def test_what_is_hidden_is_less_sure(lifter: LiftingModel) -> None:
    poses = Poses.of(photographed(reach(), 20), BODY13)
    all_seen, hidden = (lifter.lift(p, HEIGHT) for p in (poses, poses.hide(["left_knee", "left_ankle"])))
    ankle = H36M17.index("left_ankle")
    assert hidden.spread[0, ankle] > 1.3 * all_seen.spread[0, ankle]
    assert hidden.poses.scores[0, ankle] < all_seen.poses.scores[0, ankle]
    assert np.isfinite(hidden.poses.points).all()


def test_a_track_is_lifted_moment_by_moment(lifter: LiftingModel) -> None:
    times = np.arange(40) / 25
    poses = waving(times, speed=2.0)
    found = lifter.lift(poses)
    assert np.array_equal(found.poses.times, times) and (found.poses.tracks == 0).all() and len(found) == 40
    other = lifter.lift(Poses.concatenate([waving(times[:5]), poses])[np.r_[20:45, 0:20]])
    assert len(other) == 45 and np.array_equal(other.poses.times[:25], times[15:])


def test_features_of_the_mirrored_picture_are_mirrored() -> None:
    keypoints = np.random.default_rng(0).normal(size=(3, 5, 13, 2)).astype(np.float32)
    keypoints[0, 1, 4] = np.nan
    expected = features(keypoints[:, :, BODY13.mirror] * np.array([-1, 1], np.float32))
    assert np.allclose(mirrored_features(features(keypoints)), expected, atol=1e-6)


def test_windows_hold_what_lies_between_sightings() -> None:
    rng, times = np.random.default_rng(0), np.array([0.0, 0.05, 0.1, 0.3, 0.9])
    keypoints = rng.normal(size=(5, 13, 2)).astype(np.float32)
    keypoints[2, 4] = np.nan
    window = moments_around(keypoints, times, np.array([0.0, 0.2, 0.6]), 27)
    assert window.shape == (3, 27, 13, 2)
    at = np.array([0.0, 0.2, 0.6])[:, None] + (np.arange(27) - 13) / 30
    expected = np.interp(at, times, keypoints[:, 7, 1])
    close = (at < 0.3) | (at > 0.9)
    assert np.allclose(window[:, :, 7, 1][close], expected[close], atol=1e-5)
    apart = window[:, :, 7, 1][~close]
    assert all(min(abs(v - keypoints[k, 7, 1]) for k in (3, 4)) < 1e-6 for v in apart)  # nobody knows: the nearer one
    assert np.allclose(window[1, 13, 4], np.nan, equal_nan=True) or np.allclose(window[1, 13, 4], keypoints[3, 4])


def test_upright_is_a_rotation_that_puts_up_on_top() -> None:
    rng = np.random.default_rng(0)
    up = rng.normal(size=(50, 3)) + np.array([0, -3, 0])
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    turns = upright(up)
    assert np.allclose(turns @ turns.swapaxes(1, 2), np.eye(3), atol=1e-6) and np.allclose(np.linalg.det(turns), 1)
    assert np.allclose((turns @ up[..., None])[..., 0], [0, 1, 0], atol=1e-6)
    assert np.allclose(upright(np.array([[0.0, -1.0, 0.0]]))[0], np.diag([1, -1, -1]))


def test_what_is_written_is_read_again(lifter: LiftingModel, tmp_path: Path) -> None:
    found = lifter.lift(Poses.of(photographed(reach(), 0), BODY13))
    found.write(tmp_path / "x.npz")
    assert np.array_equal(samepose.load_poses(tmp_path / "x.npz").poses.points, found.poses.points)
    found.write(tmp_path / "x.json")
    (person,) = json.loads((tmp_path / "x.json").read_text())["people"]
    assert np.allclose(person["points"], found.poses.points[0], atol=1e-4) and len(person["alternatives"]) == 4
    with pytest.raises(UsageError, match=r"x\.fbx: 3D poses are saved as"):
        found.write(tmp_path / "x.fbx")


def test_the_floor_is_under_the_lowest_joint() -> None:
    points = grounded(np.random.default_rng(0).normal(size=(3, 17, 3)))
    assert np.allclose(points[..., 1].min(axis=1), 0) and np.allclose(points[:, 0][:, [0, 2]], 0)


def test_what_cannot_be_lifted(lifter: LiftingModel) -> None:
    poses = Poses.of(photographed(reach(), 0), BODY13)
    with pytest.raises(UsageError, match="`height` is 180; give metres"):
        lifter.lift(poses, 180)
    with pytest.raises(UsageError, match="3D already"):
        lifter.lift(lifter.lift(poses).poses)
    few = poses.hide([j for j in BODY13.joints if "shoulder" not in j])
    with pytest.raises(SameposeError, match="at most 2 of 13 joints are known of anybody, and 6 are needed"):
        lifter.lift(few)
    with pytest.raises(UsageError, match="`model` is 'prvipe'; expected lifting"):
        samepose.lift(poses, model="prvipe")


def test_the_shipped_network_never_saw_the_held_out() -> None:
    from samepose.formats.subjects import read_subjects

    info = LiftingNetwork(weight_file("lifting")).info
    assert info.window == 1 and len(info.subjects) == 31 and not set(info.subjects) & set(read_subjects())
