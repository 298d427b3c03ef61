"""Skeletons: conversion by joint name, mirroring, and what derived joints are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from samepose import errors
from samepose.skeleton import (
    BLAZEPOSE33,
    BODY13,
    BODY25,
    COCO17,
    DERIVED,
    H36M17,
    LSP14,
    MPII16,
    PENN13,
    SKELETONS,
    Skeleton,
    mirrored_name,
    parts,
)

STEMS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
LIMBS = [f"{side}_{stem}" for side in ("left", "right") for stem in STEMS]
# Some joints of each, as the data sets' documentation numbers them.
PUBLISHED = [
    (COCO17, {0: "nose", 1: "left_eye", 4: "right_ear", 5: "left_shoulder", 10: "right_wrist", 16: "right_ankle"}),
    (BODY25, {1: "thorax", 2: "right_shoulder", 7: "left_wrist", 8: "pelvis", 14: "left_ankle", 19: "left_big_toe",
              24: "right_heel"}),
    (MPII16, {0: "right_ankle", 5: "left_ankle", 6: "pelvis", 7: "thorax", 9: "head_top", 10: "right_wrist"}),
    (LSP14, {0: "right_ankle", 6: "right_wrist", 11: "left_wrist", 12: "neck", 13: "head_top"}),
    (PENN13, {0: "head", 1: "left_shoulder", 2: "right_shoulder", 11: "left_ankle", 12: "right_ankle"}),
    (H36M17, {0: "pelvis", 1: "right_hip", 4: "left_hip", 7: "spine", 10: "head_top", 11: "left_shoulder"}),
    (BLAZEPOSE33, {0: "nose", 2: "left_eye", 8: "right_ear", 9: "left_mouth", 11: "left_shoulder", 28: "right_ankle"}),
    (BODY13, {0: "nose", 1: "left_shoulder", 12: "right_ankle"}),
]
skeletons = st.sampled_from(list(SKELETONS.values()))


@st.composite
def posed(draw, dims=(2, 3)):
    """A skeleton with points of it, some missing."""
    skeleton = draw(skeletons)
    shape = (draw(st.integers(1, 3)), len(skeleton), draw(st.sampled_from(dims)))
    points = draw(arrays(np.float32, shape, elements=st.floats(-1000, 1000, width=32)))
    points[draw(arrays(np.bool_, shape[:2]))] = np.nan
    return skeleton, points


@pytest.mark.parametrize(("skeleton", "numbered"), PUBLISHED, ids=lambda v: getattr(v, "name", ""))
def test_joint_order_is_the_data_sets(skeleton, numbered):
    assert {i: skeleton.joints[i] for i in numbered} == numbered


@given(posed(), skeletons)
def test_round_trip_is_exact_for_shared_joints(pose, other):
    skeleton, points = pose
    there = skeleton.convert(points, other)
    back = other.convert(there, skeleton)
    shared = [j for j in skeleton.joints if j in other.joints]
    assert set(LIMBS) <= set(shared)
    for joint in shared:
        np.testing.assert_array_equal(there[:, other.index(joint)], points[:, skeleton.index(joint)])
        np.testing.assert_array_equal(back[:, skeleton.index(joint)], points[:, skeleton.index(joint)])


@pytest.mark.parametrize("source", SKELETONS.values(), ids=SKELETONS)
@pytest.mark.parametrize("target", SKELETONS.values(), ids=SKELETONS)
def test_left_stays_left(source, target):
    """Points that say which side they are of, by the sign of x, still do in every skeleton."""
    side = np.array([1.0 if j.startswith("left_") else -1.0 if j.startswith("right_") else 0.0 for j in source.joints])
    converted = source.convert(np.stack([side, side], axis=-1)[None], target)[0, :, 0]
    for joint, x in zip(target.joints, converted):
        if joint in LIMBS:
            assert x == (1 if joint.startswith("left_") else -1), joint
        elif not joint.startswith(("left_", "right_")):
            assert np.isnan(x) or x == 0, joint


@given(posed(), skeletons)
def test_convert_agrees_with_a_naive_loop(pose, other):
    skeleton, points = pose
    converted = skeleton.convert(points, other)
    for n in range(len(points)):
        for k, joint in enumerate(other.joints):
            groups = [(joint,), *DERIVED.get(joint, ())]
            group = next((g for g in groups if all(j in skeleton.joints for j in g)), None)
            expected = (
                np.full(points.shape[-1], np.nan) if group is None
                else np.mean([points[n, skeleton.joints.index(j)].astype(float) for j in group], axis=0)
            )
            np.testing.assert_allclose(converted[n, k], expected, rtol=1e-5, atol=1e-3, err_msg=joint)


@pytest.mark.parametrize(("joint", "sources"), [
    ("pelvis", ("left_hip", "right_hip")),
    ("thorax", ("left_shoulder", "right_shoulder")),
    ("spine", ("left_hip", "right_hip", "left_shoulder", "right_shoulder")),
])
def test_a_derived_joint_is_the_mean_and_missing_if_a_source_is(joint, sources):
    points = np.random.default_rng(0).normal(size=(1, 17, 2)).astype(np.float32)
    at = H36M17.index(joint)
    expected = np.mean([points[0, COCO17.index(s)] for s in sources], axis=0)
    np.testing.assert_allclose(COCO17.convert(points, H36M17)[0, at], expected, rtol=1e-5)
    points[0, COCO17.index(sources[-1])] = np.nan
    assert np.isnan(COCO17.convert(points, H36M17)[0, at]).all()


def test_a_joint_nobody_can_derive_is_missing():
    converted = COCO17.convert(np.ones((1, 17, 2)), LSP14)
    assert np.isnan(converted[0, LSP14.index("head_top")]).all()
    assert not np.isnan(converted[0, LSP14.index("left_knee")]).any()


def test_scores_of_derived_joints_are_the_lowest_and_of_missing_ones_zero():
    scores = np.linspace(0.1, 0.9, 17, dtype=np.float32)[None]
    converted = COCO17.convert_scores(scores, MPII16)[0]
    assert converted[MPII16.index("pelvis")] == scores[0, [COCO17.index("left_hip"), COCO17.index("right_hip")]].min()
    assert converted[MPII16.index("head_top")] == 0
    assert converted[MPII16.index("left_knee")] == scores[0, COCO17.index("left_knee")]


@given(skeletons)
def test_mirror_exchanges_sides_and_twice_is_the_identity(skeleton):
    np.testing.assert_array_equal(skeleton.mirror[skeleton.mirror], np.arange(len(skeleton)))
    for joint, other in zip(skeleton.joints, skeleton.mirror):
        assert skeleton.joints[other] == mirrored_name(joint)
    assert skeleton.mirror[skeleton.index("left_wrist")] == skeleton.index("right_wrist")


@given(posed(), skeletons)
def test_mirroring_and_converting_commute(pose, other):
    skeleton, points = pose
    first = skeleton.convert(points[:, skeleton.mirror], other)
    then = skeleton.convert(points, other)[:, other.mirror]
    np.testing.assert_allclose(first, then, rtol=1e-5, atol=1e-3)


@given(skeletons)
def test_bones_join_the_limbs_of_one_side(skeleton):
    named = {frozenset((skeleton.joints[a], skeleton.joints[b])) for a, b in skeleton.bones}
    assert {frozenset(("left_hip", "left_knee")), frozenset(("right_elbow", "right_wrist"))} <= named
    assert not {frozenset(("left_wrist", "left_hip")), frozenset(("left_hip", "right_knee"))} & named
    assert {frozenset(map(mirrored_name, bone)) for bone in named} == named


def test_an_unknown_joint_or_a_repeated_one_is_a_usage_error():
    with pytest.raises(errors.UsageError, match=r"no joint 'tail'.*left_knee"):
        COCO17.index("tail")
    with pytest.raises(errors.UsageError, match="repeat"):
        Skeleton("twice", ("nose", "nose"))


def test_parts_name_joints():
    assert parts("left_arm, legs") == (
        "left_elbow", "left_wrist", "left_knee", "left_ankle", "right_knee", "right_ankle"
    )
    assert parts("arms,left_arm,nose") == ("left_elbow", "left_wrist", "right_elbow", "right_wrist", "nose")
    with pytest.raises(errors.UsageError, match="no body part 'tail'"):
        parts("tail")
