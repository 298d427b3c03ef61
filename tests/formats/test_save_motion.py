"""3D poses written as BVH and C3D, read again by our readers and by pybvh."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from made_up_motion import standing
from samepose.errors import UsageError
from samepose.formats.bvh import parse_bvh, read_bvh
from samepose.formats.keypoints import load_poses
from samepose.formats.motion import read_motion
from samepose.formats.save_motion import check_suffix, save_motion
from samepose.geometry.kinematics import SEGMENTS, Template, pose_of
from samepose.poses import Poses
from samepose.skeleton import H36M17

AT = H36M17.index


def moving(n: int = 40, fps: float = 30.0) -> Poses:
    """A person who squats, swings the arms all round and turns while walking off."""
    time = np.arange(n) / fps
    angles = np.zeros((n, len(SEGMENTS), 3))
    place = {s.name: k for k, s in enumerate(SEGMENTS)}
    angles[:, 0, 1] = 2 * time
    angles[:, place["left_upper_arm"], 2] = 1.2 * np.sin(7 * time)
    angles[:, place["right_forearm"], 1] = 1 + np.sin(5 * time)
    for side in ("left", "right"):
        angles[:, place[f"{side}_thigh"], 0] = -0.8 + 0.79 * np.cos(4 * time)
        angles[:, place[f"{side}_shin"], 0] = 1.2 - 1.18 * np.cos(4 * time)
    points = pose_of(Template.measured(standing()[None]).symmetric(), angles)
    points += np.stack([0.5 * time, 0.9 + 0 * time, -0.3 * time], axis=-1)[:, None]
    return Poses.of(points, H36M17, times=3 + time, unit="metre", fps=fps)


@pytest.mark.parametrize("suffix", [".bvh", ".c3d"])
def test_read_again_the_joints_are_where_they_were(tmp_path: Path, suffix: str) -> None:
    if suffix == ".c3d":
        pytest.importorskip("ezc3d", reason="needs samepose[c3d]")
    poses = moving()
    save_motion(tmp_path / f"a{suffix}", poses)
    again = read_motion(tmp_path / f"a{suffix}")
    assert again.fps == 30 and len(again) == len(poses)
    np.testing.assert_allclose(again.points, poses.points, atol=1e-3)
    assert not any("exchanged" in note for note in again.notes)


def test_pybvh_sees_the_same(tmp_path: Path) -> None:
    try:
        import pybvh
    except ImportError:
        warnings.warn("pybvh is not installed, so no other program has read our BVH; pip install 'samepose[test]'",
                      stacklevel=1)
        pytest.skip("needs samepose[test]: pybvh")
    poses = moving()
    save_motion(tmp_path / "a.bvh", poses)
    theirs = pybvh.read_bvh_file(tmp_path / "a.bvh").node_positions()
    names = parse_bvh(tmp_path / "a.bvh").names
    for joint, name in (("pelvis", "Hips"), ("left_wrist", "LeftHand"), ("right_ankle", "RightFoot"),
                        ("head_top", "Head_end"), ("left_knee", "LeftLeg"), ("right_elbow", "RightForeArm")):
        np.testing.assert_allclose(theirs[:, names.index(name)], poses.points[:, AT(joint)], atol=1e-3)


def test_a_raised_left_arm_is_the_left_one(tmp_path: Path) -> None:
    points = standing()
    for side, up in (("left", 0.9), ("right", -0.9)):
        at = points[AT(f"{side}_shoulder")]
        points[AT(f"{side}_elbow")] = at + np.array([0, up / 3, 0])
        points[AT(f"{side}_wrist")] = at + np.array([0, up, 0.02])
    save_motion(tmp_path / "a.bvh", Poses.of(points, H36M17, unit="metre"))
    tracks = read_bvh(tmp_path / "a.bvh")
    height = dict(zip(tracks.names, tracks.points[0, :, 1]))
    assert height["LeftHand"] > height["Head"] > height["RightHand"]
    read = read_motion(tmp_path / "a.bvh").points[0]
    assert read[AT("left_wrist"), 1] > read[AT("head_top"), 1] - 0.1 > read[AT("right_wrist"), 1]
    assert read[AT("left_wrist"), 0] > 0 > read[AT("right_wrist"), 0]  # faces +z


def test_the_file_is_what_blender_reads(tmp_path: Path) -> None:
    save_motion(tmp_path / "a.bvh", moving())
    bvh = parse_bvh(tmp_path / "a.bvh")
    assert bvh.channels[0] == ("Xposition", "Yposition", "Zposition", "Zrotation", "Xrotation", "Yrotation")
    assert all(c in ((), ("Zrotation", "Xrotation", "Yrotation")) for c in bvh.channels[1:])
    assert np.isfinite(bvh.values).all() and bvh.frame_time == pytest.approx(1 / 30)
    assert np.abs(np.diff(bvh.values, axis=0)[:, 3:]).max() < 60  # degrees: no jump of a turn between two frames


def test_other_rates_and_gaps_become_frames_of_30(tmp_path: Path) -> None:
    poses = moving(50, 25.0)
    kept = np.ones(50, np.bool_)
    kept[10:13] = False
    hole = poses.points.copy()
    hole[20, AT("left_knee")] = np.nan
    some = Poses.of(hole[kept], H36M17, times=poses.times[kept], unit="metre")
    save_motion(tmp_path / "a.bvh", some, fps=30)
    again = read_motion(tmp_path / "a.bvh", fps=None)
    assert len(again) == int(49 / 25 * 30) + 1
    at = np.arange(len(again)) / 30 + 3
    for axis in range(3):
        true = np.interp(at, poses.times, poses.points[:, AT("right_wrist"), axis])
        np.testing.assert_allclose(again.points[:, AT("right_wrist"), axis], true, atol=0.03)


def test_the_pose_file_keeps_everything(tmp_path: Path) -> None:
    poses = moving()
    save_motion(tmp_path / "a.npz", poses)
    np.testing.assert_array_equal(load_poses(tmp_path / "a.npz").poses.points, poses.points)


def test_what_cannot_be_a_motion_is_told(tmp_path: Path) -> None:
    target, poses = tmp_path / "a.bvh", moving(3)
    with pytest.raises(UsageError, match=r"saved as .bvh, .c3d, .npz"):
        check_suffix(tmp_path / "a.fbx")
    with pytest.raises(UsageError, match="are 2D"):
        save_motion(target, Poses.of(np.ones((1, 17, 2)), H36M17))
    with pytest.raises(UsageError, match="not one person in order of time"):
        save_motion(target, Poses.of(poses.points, H36M17, times=[0, 0, 1], unit="metre"))
    with pytest.raises(UsageError, match="3 people without times"):
        save_motion(target, Poses.of(poses.points, H36M17, unit="metre"))
    with pytest.raises(UsageError, match="no pose with all joints"):
        save_motion(target, Poses.of(np.full((1, 17, 3), np.nan), H36M17, unit="metre"))
    with pytest.raises(UsageError, match="give frames per second above 0"):
        save_motion(target, poses, fps=0)
    assert not target.exists()
