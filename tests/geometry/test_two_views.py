"""What is left over of the rank of two views: nothing of one pose, and most where two poses differ."""

from __future__ import annotations

import numpy as np
import pytest

from made_up_motion import some_people
from samepose.evaluation.views import Camera, project_views
from samepose.geometry.two_views import FEATURES, two_view_features
from samepose.skeleton import BODY13

N = len(BODY13)
LEFT = slice(9 * N, 10 * N)  # after two poses, a mask and two turned poses
ALL = np.ones((1, N), bool)


def views(n: int = 40, distance: float = 1e5) -> tuple[np.ndarray, np.ndarray]:
    """Of so many bodies in two cameras, far away: their cameras are affine."""
    first, second = project_views(some_people(n), (Camera(20, 5, 3), Camera(130, -15, -8)), distance)
    return first, second


def left(first: np.ndarray, second: np.ndarray, visible: np.ndarray | None = None) -> np.ndarray:
    """(n, 13): how far corresponding joints are from one height."""
    visible = np.ones(first.shape[:2], bool) if visible is None else visible
    return np.abs(two_view_features(first, second, visible)[:, LEFT])


def test_of_one_pose_nothing_is_left_over_and_of_two_something() -> None:
    first, second = views()
    assert left(first, second).max() < 1e-3
    other = np.roll(second, 1, axis=0)
    assert np.sqrt((left(first, other) ** 2).mean(axis=1)).min() > 0.02


def test_a_near_camera_leaves_little() -> None:
    near, far = views(distance=8.0), views()
    assert 0.002 < left(*near).mean() < 0.3 * left(near[0], np.roll(near[1], 1, axis=0)).mean()
    assert left(*far).mean() < 0.01 * left(*near).mean()


def test_a_misplaced_joint_is_what_is_left_over() -> None:
    first, second = views()
    wrist = BODY13.index("left_wrist")
    moved = second.copy()
    moved[:, wrist] += (0.1, 0.3)
    found = left(first, moved)
    assert (found.argmax(axis=1) == wrist).mean() > 0.9
    others = np.delete(found, wrist, axis=1)
    assert np.median(others.max(axis=1)) < 0.3 * np.median(found[:, wrist])


def test_place_size_and_turn_of_the_pictures_do_not_matter() -> None:
    first, second = views()
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]], np.float32)
    other = np.roll(second, 1, axis=0)
    assert left(first, 400 * other @ turn.T + 70) == pytest.approx(left(first, other), abs=2e-3)


def test_joints_that_one_view_lacks_say_nothing() -> None:
    first, second = views()
    visible = np.ones((len(first), N), bool)
    visible[:, [3, 7]] = False
    hidden = two_view_features(first, second, visible)
    spoiled = second.copy()
    spoiled[:, [3, 7]] = np.nan
    assert np.array_equal(two_view_features(first, spoiled, visible), hidden)
    assert (hidden[:, LEFT][:, [3, 7]] == 0).all() and hidden.shape[1] == FEATURES and hidden.dtype == np.float32


def test_left_and_right_are_told_apart() -> None:
    first, second = views()
    mirrored = second[:, list(BODY13.mirror)]  # the names of left and right exchanged
    assert left(first, mirrored).mean() > 20 * left(first, second).mean()


def test_nobody_and_one_point_are_finite() -> None:
    assert two_view_features(np.zeros((0, N, 2)), np.zeros((0, N, 2)), np.zeros((0, N), bool)).shape == (0, FEATURES)
    flat = np.ones((1, N, 2), np.float32)
    assert np.isfinite(two_view_features(flat, flat, ALL)).all()
    assert np.isfinite(two_view_features(flat, flat, ~ALL)).all()
