"""Annealed particle filtering: a valid body near a pose that is none."""

from __future__ import annotations

import numpy as np
import pytest

from made_up_motion import standing
from samepose.errors import UsageError
from samepose.geometry.kinematics import SEGMENTS, Template, angles_of, bone_lengths, pose_of
from samepose.lifting.particles import annealed
from samepose.skeleton import H36M17

BODY = Template.measured(standing()[None]).symmetric()


def some_poses(n: int, share: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Angles, and those of other poses like them to begin with."""
    rng = np.random.default_rng(0)
    low, high = BODY.limits[..., 0], BODY.limits[..., 1]
    angles = rng.uniform(share * low, share * high, (n, len(SEGMENTS), 3))
    return angles, np.clip(angles + rng.normal(0, 0.2, angles.shape), low, high)


def mpjpe(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Millimetres of each pose, in a plain loop."""
    return np.array([1000 * sum(np.sqrt(((p - q) ** 2).sum()) for p, q in zip(x, y)) / 17 for x, y in zip(a, b)])


@pytest.fixture(scope="module")
def found() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    angles, start = some_poses(6)
    target = pose_of(BODY, angles) + np.array([0.3, 1, -2])
    return target, start, *annealed(BODY, target, start, np.random.default_rng(1))


def test_a_pose_of_the_body_is_found_to_a_few_millimetres(found: tuple) -> None:
    target, start, _, points = found
    before = mpjpe(pose_of(BODY, start), target - target[:, :1])
    after = mpjpe(points, target)
    assert before.mean() > 60
    assert after.mean() < 8 and after.max() < 14


def test_the_result_is_a_valid_body(found: tuple) -> None:
    target, _, angles, points = found
    assert (angles >= BODY.limits[..., 0]).all() and (angles <= BODY.limits[..., 1]).all()
    lengths = bone_lengths(points)
    np.testing.assert_allclose(lengths, np.broadcast_to(BODY.lengths, lengths.shape), atol=1e-9)
    np.testing.assert_allclose(pose_of(BODY, angles), points - points[:, :1], atol=1e-9)
    np.testing.assert_allclose(points[:, 0], target[:, 0], atol=1e-12)


def test_an_average_that_is_no_body_comes_out_better_than_by_its_bones_alone() -> None:
    """Bones too short: aiming each bone in closed form adds up the errors, the filter weighs them."""
    angles, start = some_poses(4)
    rng = np.random.default_rng(2)
    average = pose_of(BODY, angles) * 0.85 + rng.normal(0, 0.03, (4, 17, 3))
    average -= average[:, :1]
    aimed = pose_of(BODY, angles_of(BODY, average))
    _, points = annealed(BODY, average, start, np.random.default_rng(0))
    assert mpjpe(points, average).mean() < mpjpe(aimed, average).mean()


def test_more_layers_are_nearer_and_the_same_seed_gives_the_same() -> None:
    angles, start = some_poses(3)
    target = pose_of(BODY, angles)
    short, long, again = (annealed(BODY, target, start, np.random.default_rng(5), particles=100, layers=layers)[1]
                          for layers in (5, 40, 40))
    assert mpjpe(long, target).mean() < mpjpe(short, target).mean()
    np.testing.assert_array_equal(long, again)


def test_left_stays_left() -> None:
    """Left arm up, right arm down, from a T-pose on."""
    angles = np.zeros((len(SEGMENTS), 3))
    angles[[s.name in ("left_upper_arm", "right_upper_arm") for s in SEGMENTS], 2] = 1.2
    points = annealed(BODY, pose_of(BODY, angles), 0 * angles, np.random.default_rng(0), particles=100, layers=40)[1]
    assert points[H36M17.index("left_wrist"), 1] > points[H36M17.index("head_top"), 1] - 0.2
    assert points[H36M17.index("right_wrist"), 1] < points[H36M17.index("spine"), 1] + 0.1


def test_missing_joints_are_told() -> None:
    angles, start = some_poses(1)
    target = pose_of(BODY, angles)
    target[0, 3] = np.nan
    with pytest.raises(UsageError, match="hold NaN"):
        annealed(BODY, target, start, np.random.default_rng(0))
