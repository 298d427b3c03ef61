"""C3D files made here with ezc3d: units, axes, prefixes, markers that were not seen, Plug-in Gait markers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samepose.errors import FormatError
from samepose.formats.bvh import JointTracks
from samepose.formats.load_mocap import load_poseset
from samepose.formats.motion import read_motion
from samepose.formats.plug_in_gait import joint_centres
from samepose.skeleton import H36M17

ezc3d: Any = pytest.importorskip("ezc3d", reason="needs samepose[c3d]")
AT = H36M17.index

# Metres, y up, facing +z, so left is +x. Hips are where Bell's regression puts them from these four pelvis markers.
PERSON = {
    "pelvis": (0, 0.928, 0.0544), "thorax": (0, 1.44, 0.03), "neck": (0, 1.56, 0.03), "head_top": (0, 1.68, 0.03),
    "left_hip": (0.0864, 0.928, 0.0544), "left_knee": (0.1, 0.5, 0.1), "left_ankle": (0.1, 0.08, 0.02),
    "left_shoulder": (0.19, 1.42, 0), "left_elbow": (0.22, 1.14, -0.02), "left_wrist": (0.24, 0.9, 0.08),
}
MARKERS = {
    "LASI": (0.12, 1.0, 0.1), "LPSI": (0.04, 1.0, -0.06), "LSHO": (0.19, 1.42, 0), "LELB": (0.22, 1.14, -0.02),
    "LWRA": (0.26, 0.91, 0.11), "LWRB": (0.22, 0.89, 0.05), "LKNE": (0.1, 0.5, 0.1), "LANK": (0.1, 0.08, 0.02),
    "LTOE": (0.1, 0.03, 0.2), "LFHD": (0.07, 1.64, 0.12), "LBHD": (0.07, 1.64, -0.06),
}
for table, mirrored in ((PERSON, lambda n: n.replace("left", "right")), (MARKERS, lambda n: f"R{n[1:]}")):
    table |= {mirrored(n): (-x, y, z) for n, (x, y, z) in table.items() if n.startswith(("left", "L"))}
PERSON["spine"] = tuple(np.mean([PERSON["pelvis"], PERSON["thorax"]], axis=0))
MARKERS |= {"C7": (0, 1.5, -0.06), "CLAV": (0, 1.38, 0.12), "T10": (0, 1.25, -0.1), "STRN": (0, 1.25, 0.14)}
POSE = np.array([PERSON[j] for j in H36M17.joints])


def walked(points: dict[str, tuple[float, float, float]], frames: int = 6) -> np.ndarray:
    """(T, J, 3) millimetres, z up: a person who turns while walking; the first frame is `points` as they are."""
    still = np.array(list(points.values()), float)
    turned = []
    for k in range(frames):
        c, s = np.cos(0.1 * k), np.sin(0.1 * k)
        turned.append(still @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) + (0, 0, 0.03 * k))
    y_up = 1000 * np.array(turned)
    return np.stack([y_up[..., 0], -y_up[..., 2], y_up[..., 1]], axis=-1)


def write(path: Path, names: list[str], points: np.ndarray, rate: float = 100.0, unit: str = "mm") -> Path:
    """A C3D file; a marker of NaN gets the residual -1, as Vicon writes what it did not see."""
    file = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [rate]
    file["parameters"]["POINT"]["UNITS"]["value"] = [unit]
    file["parameters"]["POINT"]["LABELS"]["value"] = tuple(names)
    data = np.ones((4, *points.shape[1::-1]))
    data[:3] = np.moveaxis(points, -1, 0).swapaxes(1, 2)
    unseen = np.isnan(data[:3]).any(axis=0)
    file["data"]["points"] = data
    file["data"]["meta_points"] = {
        "residuals": np.where(unseen, -1.0, 0.0)[None], "camera_masks": np.zeros((7, *unseen.shape), bool)}
    file.write(str(path))
    return path


def prefixed(table: dict[str, tuple[float, float, float]]) -> list[str]:
    return [f"Anna:{name}" for name in table]


def test_joints_of_a_prefixed_file_in_millimetres_with_z_up(tmp_path: Path) -> None:
    joints = {j: PERSON[j] for j in H36M17.joints}
    motion = read_motion(write(tmp_path / "turn.c3d", prefixed(joints), walked(joints)), fps=None)
    assert motion.fps == 100
    assert motion.subject == tmp_path.name
    assert any("millimetres" in note for note in motion.notes) and any("z up" in note for note in motion.notes)
    np.testing.assert_allclose(motion.points[0], POSE, atol=1e-6)
    np.testing.assert_allclose(motion.points[1:, AT("pelvis"), 1], 0.928, atol=1e-6)


def test_plug_in_gait_markers_become_joint_centres(tmp_path: Path) -> None:
    path = write(tmp_path / "pig.c3d", [*prefixed(MARKERS), "*110"], np.pad(walked(MARKERS), ((0, 0), (0, 1), (0, 0))))
    motion = read_motion(path, fps=None)
    np.testing.assert_allclose(motion.points[0], POSE, atol=1e-6)
    assert any("Plug-in Gait" in note for note in motion.notes)
    # A rigid turn of the markers turns the hips with them.
    lengths = np.linalg.norm(motion.points[:, AT("left_hip")] - motion.points[:, AT("left_knee")], axis=-1)
    np.testing.assert_allclose(lengths, lengths[0], rtol=1e-5)


def test_medial_markers_move_knee_and_ankle_inwards() -> None:
    medial = {"LKNM": (0.0, 0.5, 0.1), "LMED": (0.02, 0.08, 0.02)}
    table = MARKERS | medial
    centres = joint_centres(JointTracks(tuple(table), np.array([list(table.values())], float), 0.01))
    assert centres is not None
    at = centres.names.index
    np.testing.assert_allclose(centres.points[0, at("left_knee")], (0.05, 0.5, 0.1))
    np.testing.assert_allclose(centres.points[0, at("left_ankle")], (0.06, 0.08, 0.02))
    np.testing.assert_allclose(centres.points[0, at("right_knee")], (-0.1, 0.5, 0.1))


@pytest.mark.parametrize("unseen", [np.nan, 0.0])
def test_frames_with_a_marker_that_was_not_seen_are_dropped(tmp_path: Path, unseen: float) -> None:
    points = walked(MARKERS)
    points[2, list(MARKERS).index("LKNE")] = unseen
    points[4, list(MARKERS).index("STRN")] = unseen  # no joint needs it
    motion = read_motion(write(tmp_path / "gap.c3d", list(MARKERS), points), fps=None)
    assert len(motion) == 5
    assert any("1 of 6 frames dropped" in note for note in motion.notes)


def test_metres_and_thinning(tmp_path: Path) -> None:
    path = write(tmp_path / "m.c3d", list(MARKERS), walked(MARKERS, 12) / 1000, rate=120.0, unit="m")
    motion = read_motion(path, fps=30)
    assert motion.fps == 30 and len(motion) == 3
    np.testing.assert_allclose(motion.points[0], POSE, atol=1e-6)


def test_a_marker_set_without_the_arms_is_refused_by_name(tmp_path: Path) -> None:
    legs = {n: p for n, p in MARKERS.items() if n[1:] not in ("SHO", "ELB", "WRA", "WRB")}
    with pytest.raises(FormatError, match=r"legs\.c3d: cannot tell which joints are .*LASI.*`joint_map`"):
        read_motion(write(tmp_path / "legs.c3d", list(legs), walked(legs)))


@pytest.mark.parametrize("keep", [0, 100, 700, -600])
def test_a_file_that_was_cut_is_refused(tmp_path: Path, keep: int) -> None:
    path = write(tmp_path / "cut.c3d", list(MARKERS), walked(MARKERS, 30))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FormatError, match=r"cut\.c3d: "):
        read_motion(path)


def test_a_folder_of_c3d_is_a_pose_set(tmp_path: Path) -> None:
    write(tmp_path / "one.c3d", list(MARKERS), walked(MARKERS))
    (tmp_path / "two.c3d").write_bytes(b"not a C3D file")
    poses = load_poseset(tmp_path, fps=None)
    assert poses.clip_names == ("one.c3d",) and len(poses) == 6
    assert [Path(p).name for p, _ in poses.failed] == ["two.c3d"]
