"""The body as a tree: against a naive loop over scipy's rotations, and back."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from made_up_motion import standing
from samepose.errors import UsageError
from samepose.geometry.kinematics import (
    SEGMENTS,
    TREE,
    Template,
    angles_of,
    bone_lengths,
    pose_of,
    turns_of,
    with_lengths,
)
from samepose.skeleton import H36M17

AT = H36M17.index
NAMES = [s.name for s in SEGMENTS]
BODY = Template.measured(standing()[None])


def random_angles(n: int, share: float = 0.8, seed: int = 0) -> np.ndarray:
    """Within a share of the limits; the pelvis anyhow, but not upside down."""
    low, high = BODY.limits[..., 0], BODY.limits[..., 1]
    angles = np.random.default_rng(seed).uniform(share * low, share * high, (n, len(SEGMENTS), 3))
    angles[:, 0, [0, 2]] *= 0.6
    return angles


def naive(angles: np.ndarray) -> dict[str, np.ndarray]:
    """One pose, segment by segment: swing after twist."""
    turns, at = {}, {"pelvis": np.zeros(3)}
    for segment, own in zip(SEGMENTS, angles):
        axis = "xyz".index(segment.rest[1])
        twist, swing = np.zeros(3), own.copy()
        twist[axis], swing[axis] = own[axis], 0
        above = turns.get(segment.above, Rotation.identity())
        turns[segment.name] = above * Rotation.from_rotvec(swing) * Rotation.from_rotvec(twist)
    for joint in ("left_hip", "right_hip"):
        at[joint] = turns["pelvis"].apply(BODY.offsets[AT(joint)])
    for segment in SEGMENTS[1:]:
        rest = np.zeros(3)
        rest["xyz".index(segment.rest[1])] = float(f"{segment.rest[0]}{BODY.lengths[AT(segment.end)]}")
        at[segment.end] = at[segment.start] + turns[segment.name].apply(rest)
    return at


def test_poses_equal_a_naive_loop() -> None:
    angles = random_angles(20)
    for mine, theirs in zip(pose_of(BODY, angles), map(naive, angles)):
        np.testing.assert_allclose(mine, [theirs[j] for j in H36M17.joints], atol=1e-12)


def test_rest_is_a_t_pose_that_faces_z_with_its_left_at_x() -> None:
    rest = dict(zip(H36M17.joints, pose_of(BODY, np.zeros((15, 3)))))
    assert rest["left_wrist"][0] > 0.4 and rest["right_wrist"][0] < -0.4
    np.testing.assert_allclose(rest["left_wrist"][1:], rest["thorax"][1:], atol=1e-12)
    assert rest["head_top"][1] > 0.5 and rest["left_ankle"][1] < -0.8


def test_hinges_bend_as_elbows_and_knees_do() -> None:
    angles = np.zeros((15, 3))
    angles[NAMES.index("left_forearm"), 1] = -1.5
    angles[NAMES.index("right_shin"), 0] = 1.5
    pose = dict(zip(H36M17.joints, pose_of(BODY, angles)))
    assert pose["left_wrist"][2] > 0.2 and abs(pose["right_wrist"][2]) < 1e-12  # forwards
    assert pose["right_ankle"][2] < -0.2 and abs(pose["left_ankle"][2]) < 1e-12  # backwards


def test_limits_of_the_right_mirror_those_of_the_left() -> None:
    for k, name in enumerate(NAMES):
        if name.startswith("left_"):
            x, y, z = BODY.limits[NAMES.index(name.replace("left", "right"))]
            np.testing.assert_array_equal(BODY.limits[k], [x, -y[::-1], -z[::-1]])


def test_other_lengths_leave_the_directions() -> None:
    points = pose_of(BODY, random_angles(20, share=1)) + np.arange(3.0)
    lengths = BODY.lengths * np.linspace(0.5, 2, 17)
    other = with_lengths(points, lengths)
    np.testing.assert_allclose(bone_lengths(other), np.broadcast_to(lengths, (20, 17)), atol=1e-9)
    np.testing.assert_allclose(with_lengths(other, BODY.lengths), points - points[:, :1], atol=1e-9)
    assert np.isfinite(with_lengths(np.zeros((1, 17, 3)), lengths)).all()


def test_every_bone_keeps_its_length() -> None:
    lengths = bone_lengths(pose_of(BODY, random_angles(500, share=1)))
    np.testing.assert_allclose(lengths, np.broadcast_to(BODY.lengths, lengths.shape), atol=1e-12)


def test_angles_of_a_pose_of_the_body_lead_back_to_it() -> None:
    """Also where the body leaves them open: a straight arm's twist, a head's turn."""
    points = pose_of(BODY, random_angles(300, share=0.5)) + np.array([1, 2, 3])
    back = angles_of(BODY, points)
    np.testing.assert_allclose(pose_of(BODY, back), points - points[:, :1], atol=1e-9)
    assert (back >= BODY.limits[..., 0] - 1e-12).all() and (back <= BODY.limits[..., 1] + 1e-12).all()


def test_angles_mirror_with_the_pose() -> None:
    points = pose_of(BODY, random_angles(50, share=0.5, seed=1))
    mirrored = points[:, H36M17.mirror] * (-1, 1, 1)
    again = pose_of(BODY.symmetric(), angles_of(BODY.symmetric(), mirrored))
    expected = pose_of(BODY.symmetric(), angles_of(BODY.symmetric(), points))[:, H36M17.mirror] * (-1, 1, 1)
    np.testing.assert_allclose(again, expected, atol=1e-9)


def test_a_knee_that_bends_forwards_is_straightened() -> None:
    points = standing()[None].repeat(1, axis=0)
    points[0, AT("left_ankle")] += (0, 0.2, 0.5)  # the shin points ahead
    angles = angles_of(BODY, points)
    assert angles[0, NAMES.index("left_shin"), 0] >= -0.2
    lifted = pose_of(BODY, angles)[0]
    shin = lifted[AT("left_ankle")] - lifted[AT("left_knee")]
    thigh = lifted[AT("left_knee")] - lifted[AT("left_hip")]
    assert shin @ thigh / np.linalg.norm(shin) / np.linalg.norm(thigh) > 0.7


def test_turns_carry_the_offsets() -> None:
    angles = random_angles(5)
    points, turns = pose_of(BODY, angles), turns_of(BODY, angles)
    for k, segment in enumerate(SEGMENTS[1:], 1):
        bone = points[:, AT(segment.end)] - points[:, AT(segment.start)]
        np.testing.assert_allclose(turns[:, k] @ BODY.offsets[AT(segment.end)], bone, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turns), 1, atol=1e-12)


def test_golden_number() -> None:
    assert np.abs(pose_of(BODY, random_angles(4, seed=3))).sum() == pytest.approx(GOLDEN, abs=1e-6)


def test_a_tree_of_all_joints() -> None:
    assert set(TREE) | {"pelvis"} == set(H36M17.joints)


def test_degenerate_bodies_are_told() -> None:
    points = standing()[None].copy()
    points[0, AT("left_knee")] = points[0, AT("left_hip")]
    with pytest.raises(UsageError, match=r"left_hip to left_knee is 0 m long"):
        Template.measured(points)
    with pytest.raises(UsageError, match=r"pose 0: left_hip and left_knee have no distance"):
        angles_of(BODY, points)
    points[0, AT("left_knee")] = np.nan
    with pytest.raises(UsageError, match="no pose has all 17 joints"):
        Template.measured(points)
    with pytest.raises(UsageError, match=r"left_hip and left_knee are not both there"):
        angles_of(BODY, points)
    with pytest.raises(UsageError, match="is inf m long"):
        Template.of_lengths(np.where(np.arange(17) == 8, np.inf, 0.3))


GOLDEN = 48.39764751086118
