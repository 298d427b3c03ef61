"""Normalisation and the camera."""

import numpy as np
import torch

from made_up_motion import standing
from samepose.geometry.camera import centred, project
from samepose.geometry.normalise import normalise_2d, normalise_3d, torso_length, torso_scale_2d
from samepose.skeleton import BODY13, H36M17
from samepose.training.prvipe.augment import normalise

RNG = np.random.default_rng(0)


def view(azimuth: float, elevation: float = 0, roll: float = 0) -> dict[str, np.ndarray]:
    angles = (np.float64(np.radians(a)) for a in (azimuth, elevation, roll))
    points = project(centred(standing()[None]), *angles, np.float64(4.0))[0]
    return dict(zip(H36M17.joints, points))


def test_from_the_front_the_left_hand_is_on_the_right_and_up_is_up() -> None:
    front = view(0)
    assert front["left_wrist"][0] > 0 > front["right_wrist"][0]
    assert front["head_top"][1] < 0 < front["left_ankle"][1]
    np.testing.assert_allclose(front["pelvis"], 0, atol=1e-12)


def test_from_behind_left_is_left() -> None:
    back = view(180)
    assert back["left_wrist"][0] < 0 < back["right_wrist"][0]


def test_azimuth_90_shows_the_left_side() -> None:
    """The camera stands on +x, the side of the left hand: that hand is nearer, so it looks larger."""
    side = view(90)
    assert abs(side["left_hip"][1] - side["left_ankle"][1]) > abs(side["right_hip"][1] - side["right_ankle"][1])
    assert side["left_knee"][0] < 0  # the knee is bent forward (+z), which is to the left seen from +x


def test_from_above_and_rolled() -> None:
    high = view(0, elevation=89)
    assert abs(high["head_top"][1] - high["left_ankle"][1]) < 0.1  # seen along the body
    rolled = view(0, roll=90)  # anticlockwise: the head goes to the left
    assert rolled["head_top"][0] < 0 < rolled["left_ankle"][0]


def test_projection_equals_a_naive_pinhole() -> None:
    points, (az, el, distance) = RNG.normal(size=(5, 17, 3)) * 0.3, (0.7, 0.3, 5.0)
    camera = distance * np.array([np.sin(az) * np.cos(el), np.sin(el), np.cos(az) * np.cos(el)])
    forward = -camera / np.linalg.norm(camera)
    right = np.cross(forward, [0, 1, 0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    expected = np.empty((5, 17, 2))
    for i, pose in enumerate(points):
        for j, p in enumerate(pose):
            seen = p - camera
            expected[i, j] = (seen @ right) / (seen @ forward), (seen @ down) / (seen @ forward)
    angles = np.float64(az), np.float64(el), np.float64(0), np.float64(distance)
    np.testing.assert_allclose(project(points, *angles), expected, atol=1e-12)
    tensors = project(torch.from_numpy(points), *(torch.tensor(a) for a in angles), xp=torch)
    np.testing.assert_allclose(tensors.numpy(), expected, atol=1e-12)


def test_normalise_2d_ignores_hidden_joints_and_forgets_place_and_size() -> None:
    points = RNG.normal(size=(4, 13, 2)).astype(np.float32)
    points[1, 3] = points[2, [0, 5, 6]] = np.nan
    unit, visible = normalise_2d(points)
    moved, _ = normalise_2d(points * 37 + np.array([5, -8], np.float32))
    np.testing.assert_allclose(unit, moved, atol=1e-4)
    assert (unit[~visible] == 0).all()
    for pose, seen in zip(unit, visible):
        np.testing.assert_allclose(pose[seen].mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose((pose[seen] ** 2).sum() / seen.sum(), 1, rtol=1e-4)
    tensor = torch.from_numpy(np.nan_to_num(points, nan=999.0))  # what a hidden joint holds never matters
    np.testing.assert_allclose(normalise(tensor, torch.from_numpy(visible)).numpy(), unit, atol=1e-5)


def test_normalise_2d_of_nothing_is_zero() -> None:
    unit, visible = normalise_2d(np.full((1, 13, 2), np.nan, np.float32))
    assert not visible.any() and (unit == 0).all()


def test_normalise_3d() -> None:
    pose = standing()[None] * 3 + 7
    unit = normalise_3d(pose)
    np.testing.assert_allclose(unit[0, H36M17.index("pelvis")], 0, atol=1e-12)
    np.testing.assert_allclose(torso_length(unit), 1)


def test_torso_scale_is_the_largest_of_six() -> None:
    points = np.zeros((1, 13, 2))
    points[0, BODY13.index("left_shoulder")] = 3, 4
    points[0, BODY13.index("right_hip")] = -3, -4
    assert torso_scale_2d(points) == 10
