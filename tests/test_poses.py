"""Poses: what is validated where it enters, and the verbs on a batch."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from samepose.errors import UsageError
from samepose.poses import Poses
from samepose.skeleton import BODY13, COCO17, H36M17, LSP14, SKELETONS

FIELDS = ("points", "scores", "boxes", "person_scores", "frames", "times", "tracks")


def assert_same(a: Poses, b: Poses) -> None:
    assert (a.skeleton, a.unit, a.fps) == (b.skeleton, b.unit, b.fps)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@st.composite
def batches(draw, skeleton=None):
    """2D poses in pixels with missing joints, scores and every column filled."""
    skeleton = skeleton or draw(st.sampled_from(list(SKELETONS.values())))
    n = draw(st.integers(1, 4))
    points = draw(arrays(np.float32, (n, len(skeleton), 2), elements=st.floats(-500, 2000, width=32)))
    points[draw(arrays(np.bool_, points.shape[:2]))] = np.nan
    return Poses.of(
        points, skeleton,
        scores=draw(arrays(np.float32, points.shape[:2], elements=st.floats(0, 1, width=32))),
        frames=range(n), times=np.arange(n) / 10, tracks=[draw(st.integers(0, 9)) for _ in range(n)],
    )


def test_defaults_of_one_pose():
    points = np.arange(34, dtype=float).reshape(17, 2)
    poses = Poses.of(points, COCO17, scores=np.full(17, 0.5))
    assert len(poses) == 1 and poses.visible.all()
    assert poses.points.dtype == np.float32 and poses.unit == "pixel" and poses.fps is None
    np.testing.assert_array_equal(poses.boxes, [[0, 1, 32, 33]])
    assert (poses.person_scores[0], poses.frames[0], poses.tracks[0]) == (0.5, 0, 0) and np.isnan(poses.times[0])


def test_a_joint_with_one_nan_is_missing_altogether_and_scores_zero():
    points = np.ones((1, 17, 2))
    points[0, 3, 1] = np.nan
    poses = Poses.of(points, COCO17, scores=np.full((1, 17), np.nan))
    assert np.isnan(poses.points[0, 3]).all() and not poses.visible[0, 3]
    assert (poses.scores == 0).all() and poses.visible.sum() == 16
    assert Poses.of(points, COCO17).scores[0, 3] == 0


def test_the_callers_array_is_not_touched():
    points = np.ones((1, 17, 2), np.float32)
    points[0, 0, 0] = np.nan
    Poses.of(points, COCO17)
    assert points[0, 0, 1] == 1


@pytest.mark.parametrize(("change", "message"), [
    ({"points": np.ones((2, 13, 2))}, r"shape \(2, 13, 2\); expected \(N, 17, 2 or 3\) for skeleton COCO17"),
    ({"points": np.ones((2, 17, 4))}, "expected"),
    ({"points": np.full((2, 17, 2), np.inf)}, "mark a missing joint with NaN"),
    ({"scores": np.ones((2, 13))}, "scores have shape"),
    ({"boxes": np.ones((1, 4))}, "boxes have shape"),
    ({"frames": [1]}, "frames have shape"),
    ({"times": [1.0, 2.0, 3.0]}, "times have shape"),
])
def test_what_cannot_be_a_pose_is_refused(change, message):
    arguments = {"points": np.ones((2, 17, 2)), "skeleton": COCO17} | change
    with pytest.raises(UsageError, match=message):
        Poses.of(**arguments)


@pytest.mark.parametrize("unit", ["pixel", "metre"])
def test_empty(unit):
    poses = Poses.empty(BODY13, unit)
    assert len(poses) == 0 and poses.points.shape == (0, 13, 2 if unit == "pixel" else 3)
    assert len(Poses.of([], COCO17)) == 0
    assert len(poses.mirrored()) == len(poses.to(COCO17)) == len(poses.hide(["nose"])) == len(poses.prominence()) == 0


@given(batches())
def test_mirroring_twice_is_the_identity(poses):
    assert_same(poses.mirrored().mirrored(), poses)


@given(batches())
def test_a_mirror_shows_the_other_side(poses):
    mirrored, left, right = poses.mirrored(), *(poses.skeleton.index(f"{s}_wrist") for s in ("left", "right"))
    np.testing.assert_array_equal(mirrored.points[:, left], poses.points[:, right] * [-1, 1])
    np.testing.assert_array_equal(mirrored.scores[:, left], poses.scores[:, right])
    np.testing.assert_array_equal(mirrored.boxes, Poses.of(mirrored.points, poses.skeleton).boxes)


@given(batches(), st.data())
def test_slices_put_together_again_are_the_whole(poses, data):
    at = data.draw(st.integers(0, len(poses)))
    assert_same(Poses.concatenate([poses[:at], poses[at:]]), poses)
    assert_same(poses[np.arange(len(poses))], poses)
    assert_same(poses[-1], poses[np.arange(len(poses)) == len(poses) - 1])


def test_concatenate_refuses_what_does_not_go_together():
    flat, solid = Poses.of(np.ones((1, 17, 2)), COCO17, fps=30), Poses.of(np.ones((1, 17, 3)), COCO17, unit="metre")
    with pytest.raises(UsageError, match="2D pixel, 3D metre"):
        Poses.concatenate([flat, solid])
    with pytest.raises(UsageError, match="BODY13, COCO17"):
        Poses.concatenate([flat, flat.to(BODY13)])
    with pytest.raises(UsageError, match="nothing"):
        Poses.concatenate([])


def test_concatenate_keeps_a_frame_rate_only_if_it_is_everyones():
    slow, fast = (Poses.of(np.ones((1, 17, 2)), COCO17, fps=fps) for fps in (25, 50))
    assert Poses.concatenate([Poses.empty(COCO17), slow, slow]).fps == 25
    assert Poses.concatenate([slow, fast]).fps is None
    assert len(Poses.concatenate([Poses.empty(COCO17)])) == 0


@given(batches())
def test_conversion_marks_what_is_missing(poses):
    for skeleton in SKELETONS.values():
        converted = poses.to(skeleton)
        assert converted.skeleton == skeleton
        assert (converted.scores[~converted.visible] == 0).all()
        np.testing.assert_array_equal(converted.boxes, poses.boxes)
    assert poses.to(poses.skeleton) is poses


def test_hide_by_name_and_by_score():
    poses = Poses.of(np.ones((1, 17, 2)), COCO17, scores=np.linspace(0, 1, 17)[None])
    hidden = poses.hide(["right_ankle"], below=0.5)
    assert [j for j, there in zip(COCO17.joints, hidden.visible[0]) if there] == list(COCO17.joints[8:16])
    assert hidden.scores[0, 16] == 0 and poses.visible.all()


def test_prominence_prefers_big_and_sure():
    box = [[0, 0, 10, 10], [0, 0, 20, 20], [0, 0, 20, 20], [np.nan] * 4]
    poses = Poses.of(np.ones((4, 14, 2)), LSP14, boxes=box, person_scores=[0.8, 0.8, 0.4, 1])
    np.testing.assert_allclose(poses.prominence(), [8, 16, 8, 0])


def test_poses_in_space_have_no_box():
    poses = Poses.of(np.ones((2, 17, 3)), H36M17, unit="metre")
    assert np.isnan(poses.boxes).all() and poses.visible.all()


def test_importing_poses_loads_no_other_library():
    """Only numpy and jaxtyping: the readers are imported when they are called."""
    heavy = ("torch", "onnxruntime", "av", "lancedb", "numba", "scipy", "PIL", "samepose.formats")
    code = f"import sys, samepose.poses; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
