"""Motion capture readers, against naive loops, pybvh, made-up people and (where there) the real CMU and HDM05 files."""

from __future__ import annotations

import os
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_up_motion import AT, NAMES, PERSON, POSE, POSITIONS, ROTATIONS, write_bvh
from samepose.errors import FormatError
from samepose.formats.asf_amc import INCH, find_asf, read_amc
from samepose.formats.body import bends_forward, to_body
from samepose.formats.bvh import parse_bvh, read_bvh
from samepose.formats.joint_names import match_joints
from samepose.formats.load_mocap import load_poseset
from samepose.formats.motion import read_joint_map, read_motion, thinned
from samepose.formats.poseset import save_poseset
from samepose.skeleton import H36M17

# ---------------------------------------------------------------- BVH

Joint = tuple[int, list[float], list[str]]  # parent, offset, channels


@st.composite
def random_bvh(draw: st.DrawFn, positions: bool = True) -> tuple[str, list[Joint], np.ndarray]:
    """Text, joints as (parent, offset, channels) with end sites, and motion of a random tree."""
    number = st.floats(-100, 100, allow_nan=False).map(lambda v: round(v, 4))
    joints: list[Joint] = []
    text = ["HIERARCHY"]

    def grow(parent: int, depth: int) -> None:
        me, offset = len(joints), draw(st.lists(number, min_size=3, max_size=3))
        channels = list(draw(st.permutations(ROTATIONS)))
        if parent < 0:
            channels = [*POSITIONS, *channels]
        elif positions and draw(st.booleans()):
            moved = draw(st.lists(st.sampled_from(POSITIONS), unique=True))
            channels = list(draw(st.permutations(channels + moved)))
        joints.append((parent, offset, channels))
        text.extend([f"{'JOINT' if depth else 'ROOT'} j{me}", "{", f"OFFSET {' '.join(map(str, offset))}",
                     f"CHANNELS {len(channels)} {' '.join(channels)}"])
        children = draw(st.integers(0, 2)) if depth < 3 else 0
        for _ in range(children):
            grow(me, depth + 1)
        if not children:
            end = draw(st.lists(number, min_size=3, max_size=3))
            joints.append((me, end, []))
            text.extend(["End Site", "{", f"OFFSET {' '.join(map(str, end))}", "}"])
        text.append("}")

    grow(-1, 0)
    width = sum(len(c) for _, _, c in joints)
    frames = draw(st.integers(1, 3))
    values = np.array(draw(st.lists(number, min_size=frames * width, max_size=frames * width))).reshape(frames, width)
    text += ["MOTION", f"Frames: {frames}", "Frame Time: 0.01"] + [" ".join(map(str, row)) for row in values]
    return "\n".join(text), joints, values


def naive_world(joints: list[Joint], row: np.ndarray) -> np.ndarray:
    """One joint at a time with 4 x 4 matrices."""
    matrices: list[np.ndarray] = []
    values = iter(row)
    for parent, offset, channels in joints:
        local, place = np.eye(4), list(offset)
        for channel in channels:
            value, axis = float(next(values)), "XYZ".index(channel[0])
            if channel.endswith("position"):
                place[axis] = value
                continue
            c, s = np.cos(np.radians(value)), np.sin(np.radians(value))
            turn = np.eye(4)
            a, b = [(1, 2), (2, 0), (0, 1)][axis]
            turn[a, a], turn[a, b], turn[b, a], turn[b, b] = c, -s, s, c
            local = local @ turn
        move = np.eye(4)
        move[:3, 3] = place
        matrices.append((matrices[parent] if parent >= 0 else np.eye(4)) @ move @ local)
    return np.array([m[:3, 3] for m in matrices])


@given(random_bvh())
@settings(max_examples=40, deadline=None)
def test_kinematics_equal_a_naive_loop(tmp_path_factory: pytest.TempPathFactory, made: tuple) -> None:
    text, joints, values = made
    path = tmp_path_factory.mktemp("bvh") / "a.bvh"
    path.write_text(text)
    tracks = read_bvh(path)
    np.testing.assert_allclose(tracks.points, [naive_world(joints, row) for row in values], atol=1e-9)
    assert tracks.frame_time == 0.01
    assert sum(n.endswith("_end") for n in tracks.names) == sum(not c for _, _, c in joints)


@given(random_bvh(positions=False))
@settings(max_examples=15, deadline=None)
def test_positions_equal_pybvh(tmp_path_factory: pytest.TempPathFactory, made: tuple) -> None:
    pybvh = pytest.importorskip("pybvh")
    text = made[0]
    # pybvh ignores the root's OFFSET as we do, where its position channels are given.
    path = tmp_path_factory.mktemp("bvh") / "a.bvh"
    path.write_text(text)
    np.testing.assert_allclose(read_bvh(path).points, pybvh.read_bvh_file(path).node_positions(), atol=1e-6)


def test_refuses_damaged_bvh(tmp_path: Path) -> None:
    good = write_bvh(tmp_path / "good.bvh", POSE, NAMES["mixamo"]).read_text()
    for name, text, says in (
        ("truncated", good[: int(len(good) * 0.98)], "cut short"),
        ("header only", good[: good.index("MOTION")], "no MOTION"),
        ("half a tree", good[: good.index("MOTION") // 2] + good[good.index("MOTION"):], "cut short"),
        ("too many", good + "1 2 3\n", "holds more"),
        ("no frames", good.replace("Frames: 3", "Frames: 0"), "no frame"),
        ("nan", good[: good.rindex("0.95")] + "nan" + good[good.rindex("0.95") + 4:], "frame 2 holds NaN"),
        ("words", good + "hello\n", "not a number"),
        ("channels", good.replace("CHANNELS 3", "CHANNELS 2", 1), "HIERARCHY cannot be read"),
        ("frame time", good.replace("Frame Time: 0.0333", "Frame Time: -0.0333"), "Frame Time"),
        ("empty", "", "HIERARCHY"),
    ):
        path = tmp_path / f"{name}.bvh"
        path.write_text(text)
        with pytest.raises(FormatError) as caught:
            read_bvh(path)
        assert str(caught.value).startswith(str(path)) and says in str(caught.value), (name, str(caught.value))
        assert "\n" not in str(caught.value)
    with pytest.raises(FormatError, match="check the path"):
        read_bvh(tmp_path / "absent.bvh")


def test_any_cut_of_a_bvh_is_an_error(tmp_path: Path) -> None:
    good = write_bvh(tmp_path / "good.bvh", POSE, NAMES["mixamo"]).read_text()
    path = tmp_path / "cut.bvh"
    end = len(good.rstrip().rsplit(" ", 1)[0])  # beyond, only the digits of the last number are cut
    for cut in range(0, end, 53):
        path.write_text(good[:cut])
        with pytest.raises(FormatError):
            read_bvh(path)


# ---------------------------------------------------------------- ASF/AMC

ASF = """# made up
:version 1.10
:units
  mass 1.0
  length {length}
  angle {angle}
:root
  order TX TY TZ RX RY RZ
  axis {root_axis}
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name thigh
    direction 0 -1 0
    length 2
    axis {a} {b} {c} XYZ
    dof rx ry rz
  end
  begin
    id 2
    name shin
    direction 0.6 -0.8 0
    length 3
    axis 0 0 {b} ZYX
    dof rz rx
  end
:hierarchy
  begin
    root thigh
    thigh shin
  end
"""


def turned(order: str, angles: dict[str, float]) -> np.ndarray:
    """Turn about the first axis first, each about the fixed world axes, angles in degrees."""
    out = np.eye(3)
    for axis in order:
        c, s = np.cos(np.radians(angles.get(axis, 0))), np.sin(np.radians(angles.get(axis, 0)))
        a, b = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis]
        one = np.eye(3)
        one[a, a], one[a, b], one[b, a], one[b, b] = c, -s, s, c
        out = one @ out
    return out


def write_acclaim(folder: Path, unit: str = "deg", root_axis: str = "XYZ", header: str = ":DEGREES") -> Path:
    to = np.pi / 180 if unit == "rad" else 1.0
    asf = ASF.format(length=0.45, angle=unit, root_axis=root_axis, a=10 * to, b=20 * to, c=30 * to)
    (folder / "01.asf").write_text(asf)
    to = np.pi / 180 if header == ":RADIANS" else 1.0
    text = ["#!OML:ASF f\xfcr", ":FULLY-SPECIFIED", header, "1", f"root 1 2 3 {40 * to} {50 * to} {60 * to}",
            f"thigh {15 * to} {25 * to} {35 * to}", f"shin {45 * to} {-55 * to}", "2", "root 1 2 3 0 0 0",
            "thigh 0 0 0", "shin 0 0"]
    (folder / "01_02.amc").write_bytes("\n".join(text).encode("latin-1"))
    return folder / "01_02.amc"


@pytest.mark.parametrize("unit", ["deg", "rad"])
@pytest.mark.parametrize("header", [":DEGREES", ":RADIANS"])
@pytest.mark.parametrize("root_axis", ["XYZ", "ZXY"])
def test_acclaim_by_hand(tmp_path: Path, unit: str, header: str, root_axis: str) -> None:
    tracks = read_amc(write_acclaim(tmp_path, unit, root_axis, header))
    root = turned(root_axis, {"X": 40, "Y": 50, "Z": 60})
    c1 = turned("XYZ", {"X": 10, "Y": 20, "Z": 30})
    thigh = root @ c1 @ turned("XYZ", {"X": 15, "Y": 25, "Z": 35}) @ c1.T
    # Axis ZYX: the axis values 0 0 20 belong to Z, Y, X; of the motion, rz comes first in the file.
    c2 = turned("ZYX", {"Z": 0, "Y": 0, "X": 20})
    shin = thigh @ c2 @ turned("ZYX", {"Z": 45, "X": -55}) @ c2.T
    knee = np.array([1, 2, 3]) + thigh @ [0, -2, 0]
    expected = np.array([[1, 2, 3], knee, knee + shin @ [1.8, -2.4, 0]]) * INCH / 0.45
    assert tracks.names == ("root", "thigh", "shin") and tracks.points.shape == (2, 3, 3)
    np.testing.assert_allclose(tracks.points[0], expected, atol=1e-12)
    np.testing.assert_allclose(tracks.points[1] / INCH * 0.45, [[1, 2, 3], [1, 0, 3], [2.8, -2.4, 3]], atol=1e-12)


def test_finds_the_skeleton_beside_a_motion(tmp_path: Path) -> None:
    for name in ("HDM_bd.asf", "HDM_b.asf", "HDM_bk.asf"):
        (tmp_path / name).touch()
    assert find_asf(tmp_path / "HDM_bd_squat_001_120.amc").name == "HDM_bd.asf"
    with pytest.raises(FormatError, match="none of the 3"):
        find_asf(tmp_path / "other_1.amc")
    alone = tmp_path / "alone"
    alone.mkdir()
    with pytest.raises(FormatError, match=r"no \.asf skeleton"):
        find_asf(alone / "01_01.amc")
    (alone / "any.asf").touch()
    assert find_asf(alone / "01_01.amc").name == "any.asf"


def test_refuses_damaged_amc(tmp_path: Path) -> None:
    amc = write_acclaim(tmp_path)
    good = amc.read_text("latin-1")
    for text, says in (
        (good[: good.rindex("shin")], "cut short"),
        (good.replace("shin 0 0", "shin 0"), "should have 2 values"),
        (good.replace("shin 0 0", "toe 0 0"), "has not"),
        (good.replace("shin 0 0", "shin 0 x"), "not a number"),
        (":DEGREES\n", "no frame"),
    ):
        amc.write_text(text, "latin-1")
        with pytest.raises(FormatError, match=says):
            read_amc(amc)
    amc.write_text(good, "latin-1")
    asf = tmp_path / "01.asf"
    whole = asf.read_text()
    for text, says in ((whole[: whole.index(":hierarchy")], ":hierarchy"),
                       (whole.replace("dof rz rx", "dof l"), "degrees"),
                       (whole.replace("length 2", "length two"), "cannot be read")):
        asf.write_text(text)
        with pytest.raises(FormatError, match=says):
            read_amc(amc)


# ---------------------------------------------------------------- one body from any file


@pytest.mark.parametrize("style", sorted(NAMES))
def test_names_of_every_convention(tmp_path: Path, style: str) -> None:
    motion = read_motion(write_bvh(tmp_path / "a.bvh", POSE, NAMES[style]))
    skip = {"spine"} if style in ("mixamo", "smpl", "biped", "unreal", "xsens") else set()  # theirs is another vertebra
    for joint in set(H36M17.joints) - skip:
        np.testing.assert_allclose(motion.points[0, AT(joint)], PERSON[joint], atol=1e-5, err_msg=joint)
    assert motion.points.dtype == np.float32 and motion.notes == () and motion.fps == 30
    assert_left_is_left(motion.points)


def assert_left_is_left(points: np.ndarray) -> None:
    """With up x forward = left for the body: forward from the knees, which only bend one way."""
    up = points[:, AT("thorax")] - points[:, AT("pelvis")]
    left = points[:, AT("left_hip")] - points[:, AT("right_hip")]
    shoulders = points[:, AT("left_shoulder")] - points[:, AT("right_shoulder")]
    knees = np.zeros_like(up)
    for side in ("left", "right"):
        hip, knee, ankle = (points[:, AT(f"{side}_{j}")] for j in ("hip", "knee", "ankle"))
        knees += knee - (hip + ankle) / 2
    assert np.mean(np.sum(np.cross(up, knees) * left, -1)) > 0
    assert np.mean(np.sum(left * shoulders, -1)) > 0


def test_acclaim_names_stand_for_the_end_of_a_bone() -> None:
    names = ("root", "lhipjoint", "lfemur", "ltibia", "lfoot", "rhipjoint", "rfemur", "rtibia", "rfoot", "lowerback",
             "thorax", "lowerneck", "upperneck", "head", "lclavicle", "lhumerus", "lradius", "lwrist", "rclavicle",
             "rhumerus", "rradius", "rwrist")
    columns = match_joints("x", names).columns
    for ours, theirs in (("left_hip", "lhipjoint"), ("left_knee", "lfemur"), ("right_ankle", "rtibia"),
                         ("left_shoulder", "lclavicle"), ("right_elbow", "rhumerus"), ("left_wrist", "lwrist"),
                         ("head_top", "head"), ("left_toe", "lfoot")):
        assert columns[ours] == (names.index(theirs),)


@pytest.mark.parametrize(("factor", "note"), [(1, None), (100, "centimetres"), (1000, "millimetres"), (39.37, "inches"),
                                              (17.717, "CMU BVH"), (1e5, "no known unit")])
def test_units_are_found(tmp_path: Path, factor: float, note: str | None) -> None:
    motion = read_motion(write_bvh(tmp_path / "a.bvh", POSE * factor, NAMES["ours"]))
    assert [note in n for n in motion.notes] == ([True] if note else [])
    height = np.ptp(motion.points[..., 1], axis=1)
    np.testing.assert_allclose(height, np.ptp(POSE[:, 1]), rtol=0.06 if factor == 1e5 else 1e-3)


def test_a_person_of_170_units_is_in_centimetres() -> None:
    body, _, notes = to_body("x", H36M17.joints, POSE[None] * 170 / 1.75)
    assert 1.5 < np.ptp(body[0, :, 1]) < 1.7 and "centimetres" in notes[0]


def test_z_up_is_turned() -> None:
    z_up = np.stack([POSE[:, 0], -POSE[:, 2], POSE[:, 1]], axis=-1)
    for convention in (True, False):
        body, _, notes = to_body("x", H36M17.joints, z_up[None], z_up=convention)
        np.testing.assert_allclose(body[0], POSE, atol=1e-6)
        assert notes == ("turned from z up to y up",)
    for convention in (True, False):
        assert to_body("x", H36M17.joints, POSE[None], z_up=convention)[2] == ()


def test_lying_for_a_while_stays_lying() -> None:
    lying = np.stack([POSE[:, 0], -POSE[:, 2], POSE[:, 1]], axis=-1)
    body, _, notes = to_body("x", H36M17.joints, np.stack([POSE] + [lying] * 20))
    np.testing.assert_allclose(body[1], lying, atol=1e-6)
    assert notes == ()


@pytest.mark.parametrize("how", ["reflected", "renamed"])
def test_exchanged_sides_are_repaired_and_said(how: str) -> None:
    wrong = POSE * (-1, 1, 1) if how == "reflected" else POSE[H36M17.mirror]
    body, _, notes = to_body("x", H36M17.joints, wrong[None])
    assert len(notes) == 1 and "left and right exchanged" in notes[0]
    assert bends_forward(body) > 0 > bends_forward(wrong[None])
    np.testing.assert_allclose(body[0], POSE, atol=1e-6)  # PERSON is symmetric, so both repairs end at the same pose
    assert_left_is_left(body)


def test_toes_tell_the_side_of_stiff_legs() -> None:
    stiff = POSE.copy()
    stiff[[AT("left_knee"), AT("right_knee")], 2] = 0
    toes = stiff[[AT("left_ankle"), AT("right_ankle")]] + (0, -0.05, 0.15)
    names = (*H36M17.joints, "left_toe", "right_toe")
    assert to_body("x", names, np.concatenate([stiff, toes])[None])[2] == ()
    flipped = np.concatenate([stiff, toes])[None] * (-1, 1, 1)
    assert "exchanged" in to_body("x", names, flipped)[2][0]


def test_frames_with_nan_are_dropped(tmp_path: Path) -> None:
    rows = np.zeros((5, 3 + 3 * 17))
    rows[:, :3] = PERSON["pelvis"]
    rows[:, 0] = np.arange(5)
    rows[2, 10] = np.nan
    path = write_bvh(tmp_path / "a.bvh", POSE, NAMES["ours"], rows=rows)
    motion = read_motion(path)
    np.testing.assert_allclose(motion.points[:, 0, 0], [0, 1, 3, 4])
    assert motion.notes == ("1 of 5 frames dropped: joints are missing (NaN)",)
    with pytest.raises(FormatError, match="no frame has all joints"):
        to_body("x", H36M17.joints, np.full((2, 17, 3), np.nan))


@pytest.mark.parametrize(("a", "b"), [("left_elbow", "left_shoulder"), ("right_knee", "right_hip")])
def test_zero_length_bone_is_refused(tmp_path: Path, a: str, b: str) -> None:
    pose = POSE.copy()
    pose[AT(a)] = pose[AT(b)]
    path = write_bvh(tmp_path / "a.bvh", pose, NAMES["ours"])
    with pytest.raises(FormatError, match=f"{b} and {a} lie at one point") as caught:
        read_motion(path)
    assert str(caught.value).startswith(str(path))


def test_unknown_names_need_a_joint_map(tmp_path: Path) -> None:
    strange = {j: f"Gelenk {k}" for k, j in enumerate(H36M17.joints)}
    path = write_bvh(tmp_path / "a.bvh", POSE, strange)
    with pytest.raises(FormatError, match=r"left_hip.*Gelenk 3.*`joint_map`") as caught:
        read_motion(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
    toml = tmp_path / "map.toml"
    lines = [f'{ours} = "{theirs}"' for ours, theirs in strange.items() if ours not in ("thorax", "spine", "pelvis")]
    toml.write_text("\n".join([*lines, f'thorax = ["{strange["neck"]}", "{strange["spine"]}"]']))
    motion = read_motion(path, joint_map=read_joint_map(toml))
    for joint in set(H36M17.joints) - {"thorax", "spine"}:
        np.testing.assert_allclose(motion.points[0, AT(joint)], PERSON[joint], atol=1e-6)
    np.testing.assert_allclose(motion.points[0, AT("thorax")], (POSE[AT("neck")] + POSE[AT("spine")]) / 2, atol=1e-6)
    with pytest.raises(FormatError, match="wants Nase for neck"):
        read_motion(path, joint_map={"neck": "Nase"})
    with pytest.raises(FormatError, match="none of ours"):
        read_motion(path, joint_map={"tail": "Gelenk 1"})


@pytest.mark.parametrize(("text", "says"), [("left_hip = 3", "name or a list"), ("tail = 'x'", "none of ours"),
                                            ("left_hip", "not a TOML"), ("left_hip = []", "name or a list")])
def test_bad_joint_maps(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "map.toml"
    path.write_text(text)
    with pytest.raises(FormatError, match=says) as caught:
        read_joint_map(path)
    assert str(caught.value).startswith(str(path))


def test_missing_trunk_is_derived() -> None:
    names = [j for j in H36M17.joints if j not in ("pelvis", "spine", "thorax", "head_top")]
    names = [n.replace("neck", "upper_neck") for n in names]
    body, _, notes = to_body("x", tuple(names), POSE[None][:, [AT(n.replace("upper_", "")) for n in names]])
    np.testing.assert_allclose(body[0, AT("pelvis")], PERSON["pelvis"], atol=1e-6)
    np.testing.assert_allclose(body[0, AT("thorax")], (0, 1.42, 0), atol=1e-6)
    assert 1.68 < body[0, AT("head_top"), 1] < 1.8 and notes == ()


@given(rate=st.sampled_from([24.0, 29.97, 30.0, 50.0, 59.94, 60.0, 100.0, 119.88, 120.0, 240.0]), n=st.integers(1, 400))
@settings(max_examples=60, deadline=None)
def test_thinning_takes_the_nearest_frames(rate: float, n: int) -> None:
    kept = thinned(n, rate, 30.0)
    assert kept[0] == 0 and kept[-1] < n and (np.diff(kept) > 0).all()
    if rate > 30.3:
        assert abs(len(kept) - n * 30 / rate) <= 1
        assert np.abs(kept / rate - np.arange(len(kept)) / 30).max() <= 0.5 / rate + 1e-9 or kept[-1] == n - 1
    else:
        assert len(kept) == n


def test_rate_and_single_frames(tmp_path: Path) -> None:
    fast = write_bvh(tmp_path / "fast.bvh", POSE, NAMES["ours"], frames=120, fps=120)
    assert (len(read_motion(fast)), read_motion(fast).fps) == (30, 30)
    assert (len(read_motion(fast, fps=None)), round(read_motion(fast, fps=None).fps)) == (120, 120)
    slow = write_bvh(tmp_path / "slow.bvh", POSE, NAMES["ours"], frames=1, fps=15)
    assert (len(read_motion(slow)), read_motion(slow).fps) == (1, 15)


def test_fake_first_frame_of_cgspeed_and_its_missing_bones(tmp_path: Path) -> None:
    """A person written as cgspeed wrote CMU: a T-pose in front, no thorax bone, two thirds of the forearm."""
    path = tmp_path / "05_07.bvh"
    path.write_text(CGSPEED)
    bvh = parse_bvh(path)
    motion = read_motion(path)
    assert len(motion) == len(bvh.values) - 1 and motion.subject == "cmu-05" and motion.clip == "05_07"
    assert any("frame 0 dropped" in n for n in motion.notes) and any("put back" in n for n in motion.notes)
    scale = 0.056444
    forearm = np.linalg.norm(motion.points[0, AT("left_wrist")] - motion.points[0, AT("left_elbow")])
    np.testing.assert_allclose(forearm, 1.5 * 3.4 * scale, rtol=1e-4)
    raw = bvh.tracks()
    shoulder = raw.points[1, raw.names.index("LeftArm")] * scale
    np.testing.assert_allclose(motion.points[0, AT("left_shoulder")] - shoulder, (0, 2.1 * scale, 0), atol=1e-3)


def _cgspeed_limb(side: str, sign: int) -> tuple[str, str]:
    turn = "CHANNELS 3 Zrotation Yrotation Xrotation"
    leg = (f"JOINT {side[0]}HipJoint {{ OFFSET 0 0 0 {turn} JOINT {side}UpLeg {{ OFFSET {sign * 1.6} -1.8 0.8 {turn} "
           f"JOINT {side}Leg {{ OFFSET {sign * 0.5} -7 0.8 {turn} JOINT {side}Foot {{ OFFSET 0 -7.2 -0.8 {turn} "
           f"JOINT {side}ToeBase {{ OFFSET 0 -0.5 2.2 {turn} End Site {{ OFFSET 0 0 1 }} }} }} }} }} }}")
    arm = (f"JOINT {side}Shoulder {{ OFFSET 0 0 0 {turn} JOINT {side}Arm {{ OFFSET {sign * 3.3} 0.6 0.2 {turn} "
           f"JOINT {side}ForeArm {{ OFFSET {sign * 5} 0 0 {turn} JOINT {side}Hand {{ OFFSET {sign * 3.4} 0 0 {turn} "
           f"End Site {{ OFFSET {sign} 0 0 }} }} }} }} }}")
    return leg, arm


def _cgspeed() -> str:
    turn = "CHANNELS 3 Zrotation Yrotation Xrotation"
    (left_leg, left_arm), (right_leg, right_arm) = _cgspeed_limb("Left", 1), _cgspeed_limb("Right", -1)
    text = (f"HIERARCHY\nROOT Hips {{ OFFSET 0 0 0 CHANNELS 6 {' '.join(POSITIONS)} Zrotation Yrotation Xrotation "
            f"{left_leg} {right_leg} JOINT LowerBack {{ OFFSET 0 0 0 {turn} JOINT Spine {{ OFFSET 0 2.1 0 {turn} "
            f"JOINT Spine1 {{ OFFSET 0 2.1 0 {turn} JOINT Neck {{ OFFSET 0 0 0 {turn} "
            f"JOINT Neck1 {{ OFFSET 0 1.7 0 {turn} JOINT Head {{ OFFSET 0 1.6 0 {turn} "
            f"End Site {{ OFFSET 0 1.7 0 }} }} }} }} {left_arm} {right_arm} }} }} }} }}")
    width = text.count("CHANNELS 3") * 3 + 6
    rows = np.zeros((4, width))
    rows[:, 1] = 17
    rows[1:, 4] = 1.0  # the real frames turn the hips a little
    motion = "\n".join(" ".join(f"{v:g}" for v in row) for row in rows)
    return f"{text}\nMOTION\nFrames: 4\nFrame Time: 0.0333333\n{motion}\n"


CGSPEED = _cgspeed()


def test_other_suffixes_and_c3d_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FormatError, match=r"\.bvh, \.amc, \.c3d"):
        read_motion(tmp_path / "a.fbx")
    monkeypatch.setitem(__import__("sys").modules, "ezc3d", None)
    with pytest.raises(FormatError, match=r"pip install 'samepose\[c3d\]'"):
        read_motion(tmp_path / "a.c3d")


# ---------------------------------------------------------------- pose sets


def test_pose_set_of_a_folder_survives_saving(tmp_path: Path) -> None:
    folder = tmp_path / "anna"
    folder.mkdir()
    write_bvh(folder / "one.bvh", POSE, NAMES["mixamo"], frames=4)
    write_bvh(folder / "two.bvh", POSE * 100, NAMES["human36m"], frames=2)
    (folder / "bad.bvh").write_text("HIERARCHY")
    (folder / "notes.txt").write_text("not a motion")
    loaded = load_poseset(folder)
    assert loaded.clip_names == ("one.bvh", "two.bvh") and loaded.clip.tolist() == [0] * 4 + [1] * 2
    assert loaded.subject_names == ("anna",) and loaded.fps == 30
    assert loaded.notes == ("two.bvh: scaled by 0.01: the lengths are centimetres",)
    assert [(Path(p).name, "no MOTION" in why) for p, why in loaded.failed] == [("bad.bvh", True)]
    noise = np.random.default_rng(0).normal(0, 0.01, loaded.points.shape)
    loaded = replace(loaded, points=(loaded.points + noise).astype(np.float32))
    save_poseset(tmp_path / "set.npz", loaded)
    again = load_poseset(tmp_path / "set.npz")
    np.testing.assert_array_equal(again.points, loaded.points)
    np.testing.assert_array_equal(again.clip, loaded.clip)
    assert (again.clip_names, again.subject_names, again.fps) == (loaded.clip_names, loaded.subject_names, 30)
    assert list(tmp_path.glob(".*")) == []
    (folder / "one.bvh").unlink()
    (folder / "two.bvh").unlink()
    with pytest.raises(FormatError, match=r"none of its 1 .* no MOTION"):
        load_poseset(folder)
    (folder / "bad.bvh").unlink()
    with pytest.raises(FormatError, match="holds no"):
        load_poseset(folder)


def test_pose_set_with_other_order_names_units_and_clips(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(17)
    points = np.repeat(POSE[None, order] * 1000, 6, axis=0)
    points[:, :, 0] += np.arange(6)[:, None] * 1000
    points[4, 3] = np.nan
    path = tmp_path / "a.npz"
    np.savez(path, points=points, joints=np.array([NAMES["human36m"][H36M17.joints[k]] for k in order]),
             skeleton="theirs", clip=[7, 7, 7, 3, 3, 3], fps=60.0)
    loaded = load_poseset(path, fps=None)
    np.testing.assert_allclose(loaded.points[1], POSE + np.array([1, 0, 0]), atol=1e-5)
    assert loaded.clip_names == ("7", "3") and loaded.clip.tolist() == [0, 0, 0, 1, 1] and loaded.fps == 60
    assert any("1 of 6 frames dropped" in n for n in loaded.notes) and any("millimetres" in n for n in loaded.notes)
    thin = load_poseset(path)
    np.testing.assert_allclose(thin.points[:, 0, 0], [0, 2, 3], atol=1e-5)
    assert thin.clip.tolist() == [0, 0, 1] and thin.fps == 30


def test_bad_pose_sets(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    good = {"points": POSE[None], "joints": np.array(H36M17.joints), "skeleton": np.array("H36M17"),
            "clip": np.array([0])}
    for change, says in (
        ({"points": None}, "no array 'points'"), ({"joints": None, "skeleton": None}, "no array 'joints'"),
        ({"points": POSE[None, :5]}, r"expected numbers \(N, 17, 3\)"), ({"points": np.zeros((0, 17, 3))}, "no pose"),
        ({"clip": np.zeros(4)}, r"clip has shape \(4,\)"), ({"fps": np.array(-1.0)}, "fps is"),
        ({"joints": np.array([f"j{k}" for k in range(17)])}, "`joint_map`"),
        ({"clip": np.array([{"an": "object"}])}, "clip is a pickle, which is not read"),
    ):
        np.savez(path, **{k: v for k, v in (good | change).items() if v is not None})
        with pytest.raises(FormatError, match=says) as caught:
            load_poseset(path)
        assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
    np.savez(path, **{k: v for k, v in good.items() if k != "joints"})
    assert len(load_poseset(path)) == 1  # a skeleton we know needs no names
    path.write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(FormatError, match=r"not a readable \.npz"):
        load_poseset(path)
    with pytest.raises(FormatError, match="does not exist"):
        load_poseset(tmp_path / "absent.npz")


# ---------------------------------------------------------------- the real files

WANTED = {
    "cmu.tar.xz": ("asf_amc/02/02.asf", "asf_amc/02/02_01.amc", "bvh_walk/02_01.bvh", "bvh_cgspeed/05/05_01.bvh",
                   "bvh_daz/salsa/04.bvh"),
    "hdm05.tar.xz": ("HDM_bd.asf", "HDM_bd_squat1Reps_001_120.amc"),
}


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shared = os.environ.get("SAMEPOSE_SHARED")
    if not shared:
        pytest.skip("SAMEPOSE_SHARED does not name the folder with data/cmu.tar.xz and data/hdm05.tar.xz")
    folder = tmp_path_factory.mktemp("mocap")
    for archive, wanted in WANTED.items():
        left = set(wanted)
        with tarfile.open(Path(shared) / "data" / archive, "r|xz") as tar:
            for member in tar:
                hit = next((w for w in left if member.name.endswith(w)), None)
                if hit:
                    (folder / hit).parent.mkdir(parents=True, exist_ok=True)
                    (folder / hit).write_bytes(tar.extractfile(member).read())
                    left.discard(hit)
                if not left:
                    break
        assert not left
    return folder


def test_real_people_stand_upright_with_left_on_the_left(real: Path) -> None:
    for name, subject in (("asf_amc/02/02_01.amc", "cmu-02"), ("bvh_walk/02_01.bvh", "cmu-02"),
                          ("bvh_cgspeed/05/05_01.bvh", "cmu-05"), ("bvh_daz/salsa/04.bvh", "salsa"),
                          ("HDM_bd_squat1Reps_001_120.amc", "hdm05-bd")):
        motion = read_motion(real / name)
        assert_left_is_left(motion.points)
        assert not any("exchanged" in n or "turned" in n for n in motion.notes)
        assert (motion.subject, motion.fps) == (subject, 30)
        height = np.percentile(np.ptp(motion.points[..., 1], axis=1), 90)
        assert 1.4 < height < 1.9, (name, height)
        if "squat" not in name:  # people walk and dance the way they face
            assert (motion.points[:, AT("head_top"), 1] > motion.points[:, AT("left_knee"), 1]).all()
    walk = read_motion(real / "asf_amc/02/02_01.amc").points
    forward = np.cross(walk[:, AT("left_hip")] - walk[:, AT("right_hip")], (0, 1, 0)).mean(axis=0)
    assert forward @ (walk[-1, 0] - walk[0, 0]) > 0


def test_cgspeed_agrees_with_its_own_source(real: Path) -> None:
    bvh, amc = read_motion(real / "bvh_walk/02_01.bvh").points, read_motion(real / "asf_amc/02/02_01.amc").points
    assert len(bvh) == len(amc)
    assert np.linalg.norm(bvh - amc, axis=-1).max() < 0.002
