"""Human3.6M and MPI-INF-3DHP against answers worked out by hand: axes, sides, lenses, and the known errors of the data.

Nothing here is projected or reordered by code of samepose: a person with round coordinates stands before a camera
whose pixels one can work out in the head, the joints are written at the numbers that the data sets document, and all
that must not be read is absurd.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from samepose.errors import FormatError
from samepose.formats.h36m import read_h36m, read_h36m_views
from samepose.formats.h36m_cameras import CAMERAS
from samepose.formats.mpi_inf_3dhp import read_3dhp
from samepose.formats.positions2d import Positions2D
from samepose.skeleton import BODY13, H36M17

# Metres to the person's left, forward and up of the spot between the feet.
PERSON = {
    "pelvis": (0, 0, 1), "spine": (0, 0, 1.25), "thorax": (0, 0, 1.5), "neck": (0, 0, 1.6), "head_top": (0, 0, 1.8),
    "left_shoulder": (0.2, 0, 1.5), "left_elbow": (0.4, 0, 1.5), "left_wrist": (0.5, 0, 1.5),
    "right_shoulder": (-0.2, 0, 1.5), "right_elbow": (-0.3, 0, 1.25), "right_wrist": (-0.3, 0.5, 1),
    "left_hip": (0.1, 0, 1), "left_knee": (0.1, 0, 0.5), "left_ankle": (0.1, 0, 0),
    "right_hip": (-0.1, 0, 1), "right_knee": (-0.1, 0, 0.5), "right_ankle": (-0.1, 0, 0),
}
# The numbers of the 32 joints in Human3.6M's documentation.
H36M_NUMBERS = {
    0: "pelvis", 1: "right_hip", 2: "right_knee", 3: "right_ankle", 6: "left_hip", 7: "left_knee", 8: "left_ankle",
    12: "spine", 13: "thorax", 14: "neck", 15: "head_top", 17: "left_shoulder", 18: "left_elbow", 19: "left_wrist",
    25: "right_shoulder", 26: "right_elbow", 27: "right_wrist",
}
# The names of the 28 joints in MPI-INF-3DHP's mpii_get_joint_set, in order, with what we call those that we read.
NAMES_3DHP = re.split(r"\s+", """
    spine3 spine4 spine2 spine=spine pelvis=pelvis neck=thorax head=neck head_top=head_top
    left_clavicle left_shoulder=left_shoulder left_elbow=left_elbow left_wrist=left_wrist left_hand
    right_clavicle right_shoulder=right_shoulder right_elbow=right_elbow right_wrist=right_wrist right_hand
    left_hip=left_hip left_knee=left_knee left_ankle=left_ankle left_foot left_toe
    right_hip=right_hip right_knee=right_knee right_ankle=right_ankle right_foot right_toe
""".strip())
ABSURD = 1e7


def at(points: np.ndarray, joint: str) -> list[float]:
    skeleton = H36M17 if points.shape[-2] == 17 else BODY13
    return points[..., skeleton.index(joint), :].tolist()


# Human3.6M: z up; here the person stands at (2, 0, 0) and faces the world's -y, so their left is the world's +x.


def h36m_frame() -> np.ndarray:
    frame = np.full((32, 3), ABSURD, np.float32)
    for number, joint in H36M_NUMBERS.items():
        left, forward, up = PERSON[joint]
        frame[number] = 2 + left, -forward, up
    return frame


def write_3d(path: Path, frames: int = 1, clips: dict[str, list[str]] | None = None) -> Path:
    table = {s: {a: np.repeat(h36m_frame()[None], frames, 0) for a in actions}
             for s, actions in (clips or {"S9": ["Eating"]}).items()}
    np.savez(path, positions_3d=np.array(table, dtype=object))
    return path


def write_2d(path: Path, table: dict[str, dict[str, Any]]) -> Path:
    sides = [[k for k, j in enumerate(BODY13.joints) if j.startswith(s)] for s in ("left_", "right_")]
    np.savez(path, positions_2d=np.array(table, dtype=object),
             metadata=np.array({"num_joints": 13, "keypoints_symmetry": sides}, dtype=object))
    return path


def write_cameras(path: Path, k: tuple[float, float, float] = (0, 0, 0), p: tuple[float, float] = (0, 0)) -> Path:
    """Four cameras 1 m above the ground, 5 m from the person: before, behind, on their left and on their right.

    Each has f = 1,000 and its centre at (500, 400). Rows of R: right, down and away of the camera in the world.
    """
    h5py = pytest.importorskip("h5py", reason="needs samepose[h36m]")
    places = (
        ((2000, -5000, 1000), ((1, 0, 0), (0, 0, -1), (0, 1, 0))),  # looks along +y, into the face
        ((2000, 5000, 1000), ((-1, 0, 0), (0, 0, -1), (0, -1, 0))),
        ((7000, 0, 1000), ((0, 1, 0), (0, 0, -1), (-1, 0, 0))),
        ((-3000, 0, 1000), ((0, -1, 0), (0, 0, -1), (1, 0, 0))),
    )
    with h5py.File(path, "w") as file:
        for number, (name, (place, axes)) in enumerate(zip(CAMERAS, places), 1):
            camera = file.create_group(f"subject9/camera{number}")
            camera["R"] = np.array(axes, float).T  # MATLAB wrote it column by column
            camera["T"] = np.array(place, float)[:, None]
            camera["f"], camera["c"] = np.array([[1000.0], [1000.0]]), np.array([[500.0], [400.0]])
            camera["k"], camera["p"] = np.array(k)[:, None], np.array(p)[:, None]
            camera["Name"] = np.array([[ord(c)] for c in name])
    return path


def test_human36m_has_left_up_and_forward_where_the_person_has_them(tmp_path: Path) -> None:
    points = read_h36m(write_3d(tmp_path / "data_3d_h36m.npz")).points[0]
    for joint, (left, forward, up) in PERSON.items():  # y up, and who faces -y of the data faces our +z
        np.testing.assert_allclose(at(points, joint), (2 + left, up, forward), atol=1e-6, err_msg=joint)


def test_real_cameras_of_human36m_see_what_a_pinhole_sees(tmp_path: Path) -> None:
    write_3d(tmp_path / "data_3d_h36m.npz")
    write_cameras(tmp_path / "cameras.h5")
    views = read_h36m_views(tmp_path, subjects=["S9"])
    assert views.cameras == ("54138969", "55011271", "58860488", "60457274")
    before, behind, left, right = views.keypoints[:, 0]
    np.testing.assert_allclose(at(before, "left_wrist"), (600, 300), atol=1e-3)  # 0.5 m aside and 0.5 m above, 5 m away
    np.testing.assert_allclose(at(before, "right_shoulder"), (460, 300), atol=1e-3)
    np.testing.assert_allclose(at(before, "left_ankle"), (520, 600), atol=1e-3)
    np.testing.assert_allclose(at(before, "nose"), (500, 260), atol=1e-3)  # between neck and crown, 1.7 m up
    np.testing.assert_allclose(at(behind, "left_wrist"), (400, 300), atol=1e-3)
    np.testing.assert_allclose(at(before, "right_wrist"), (500 - 300 / 4.5, 400), atol=1e-3)  # nearer by half a metre
    np.testing.assert_allclose(at(behind, "right_wrist"), (500 + 300 / 5.5, 400), atol=1e-3)
    np.testing.assert_allclose(at(left, "right_wrist"), (500 - 500 / 5.3, 400), atol=1e-3)  # forward is to the left
    np.testing.assert_allclose(at(left, "left_wrist"), (500, 400 - 500 / 4.5), atol=1e-3)
    np.testing.assert_allclose(at(right, "right_wrist"), (500 + 500 / 4.7, 400), atol=1e-3)


def test_the_lens_bends_as_human36m_says(tmp_path: Path) -> None:
    write_3d(tmp_path / "data_3d_h36m.npz")
    write_cameras(tmp_path / "cameras.h5", k=(-0.2, 0.5, 2), p=(0.001, 0.002))
    before = read_h36m_views(tmp_path, subjects=["S9"]).keypoints[0, 0]
    # left wrist: x = 0.1, y = -0.1, r² = 0.02; radial 1 - 0.004 + 0.0002 + 0.000016; tangential -0.0001 + 0.0002
    stretch = 0.996216 + 0.0001
    np.testing.assert_allclose(at(before, "left_wrist"), (500 + 100 * stretch + 0.04, 400 - 100 * stretch + 0.02),
                               atol=1e-3)


def test_projected_keypoints_of_a_file_are_taken_before_cameras_and_a_detectors_before_both(tmp_path: Path) -> None:
    write_3d(tmp_path / "data_3d_h36m.npz")
    with pytest.raises(FormatError, match=r"holds neither data_2d_h36m_gt\.npz nor cameras\.h5"):
        read_h36m_views(tmp_path, subjects=["S9"])
    flat = [np.full((3, 13, 2), c, np.float32) for c in range(4)]
    write_2d(tmp_path / "data_2d_h36m_gt.npz", {"S9": {"Eating": flat}})
    write_2d(tmp_path / "cpn.npz", {"S9": {"Eating": dict.fromkeys(CAMERAS, 7 + flat[0])}})
    projected = read_h36m_views(tmp_path, subjects=["S9"])
    assert projected.keypoints.shape == (4, 1, 13, 2) and projected.keypoints[:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert (read_h36m_views(tmp_path, tmp_path / "cpn.npz", ["S9"]).keypoints == 7).all()


def test_cameras_that_are_none(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs samepose[h36m]")
    write_3d(tmp_path / "data_3d_h36m.npz", clips={"S9": ["Eating"], "S11": ["Eating"]})
    path = write_cameras(tmp_path / "cameras.h5")
    with pytest.raises(FormatError, match=r"cameras\.h5: has no camera 54138969, .* of S11"):
        read_h36m_views(tmp_path)
    with h5py.File(path, "a") as file:
        del file["subject9/camera2/f"]
    with pytest.raises(FormatError, match=r"cameras\.h5: /subject9/camera2 is no camera with R, T, f, c, k, p"):
        read_h36m_views(tmp_path, subjects=["S9"])
    path.write_bytes(b"no")
    with pytest.raises(FormatError, match=r"cameras\.h5: is not a readable \.h5 file"):
        read_h36m_views(tmp_path, subjects=["S9"])


# S11's Directions


def of_s11(tmp_path: Path, directions: Any) -> Path:
    flat = [np.full((2, 13, 2), c, np.float32) for c in range(4)]
    clips = {"Directions 1": flat} | ({} if directions is None else {"Directions": directions(flat)})
    write_3d(tmp_path / "data_3d_h36m.npz", 2, {"S11": ["Directions", "Directions 1"]})
    return write_2d(tmp_path / "cpn.npz", {"S11": clips})


@pytest.mark.parametrize("directions", [lambda f: [None, *f[1:]], lambda f: dict(zip(CAMERAS[1:], f[1:]))])
def test_the_damaged_video_of_s11_is_missing_from_one_camera(tmp_path: Path, directions: Any) -> None:
    views = read_h36m_views(tmp_path, of_s11(tmp_path, directions), ["S11"])
    assert views.clip_names == ("S11/Directions", "S11/Directions 1")
    assert np.isnan(views.keypoints[0, :2]).all() and not np.isnan(views.keypoints[1:]).any()
    assert views.in_all_cameras().tolist() == [False, False, True, True]
    assert views.notes == ("S11 Directions: no video in camera 54138969, which is damaged",)


def test_a_keypoint_file_without_s11s_damaged_clip_is_read(tmp_path: Path) -> None:
    views = read_h36m_views(tmp_path, of_s11(tmp_path, None), ["S11"])
    assert views.clip_names == ("S11/Directions 1",) and len(views) == 2
    assert views.notes[0].startswith("S11 Directions: left out, cpn.npz lacks it")


def test_no_other_clip_or_camera_may_be_missing(tmp_path: Path) -> None:
    flat = [np.zeros((2, 13, 2), np.float32)] * 4
    write_3d(tmp_path / "data_3d_h36m.npz", 2, {"S9": ["Directions", "Eating"]})
    path = write_2d(tmp_path / "cpn.npz", {"S9": {"Eating": flat}})
    with pytest.raises(FormatError, match="no keypoints of S9 Directions;"):
        read_h36m_views(tmp_path, path, ["S9"])
    write_2d(path, {"S9": {"Eating": flat, "Directions": [None, *flat[1:]]}})
    with pytest.raises(FormatError, match="S9 Directions lacks camera 54138969"):
        read_h36m_views(tmp_path, path, ["S9"])
    write_2d(path, {"S9": {"Eating": flat[:3], "Directions": flat}})
    with pytest.raises(FormatError, match="S9 Eating is 3 cameras; expected those of the data set, 54138969"):
        read_h36m_views(tmp_path, path, ["S9"])
    write_2d(path, {"S9": {"Eating": {"front": flat[0]}, "Directions": flat}})
    with pytest.raises(FormatError, match="S9 Eating is cameras front; expected"):
        read_h36m_views(tmp_path, path, ["S9"])


def test_actions_that_go_by_two_names_find_each_other(tmp_path: Path) -> None:
    write_3d(tmp_path / "data_3d_h36m.npz", 1, {"S9": ["TakingPhoto 1", "WalkDog"]})
    flat = [np.zeros((1, 13, 2), np.float32)] * 4
    path = write_2d(tmp_path / "cpn.npz", {"S9": {"Photo 1": flat, "WalkingDog": flat}})
    assert read_h36m_views(tmp_path, path, ["S9"]).clip_names == ("S9/Photo 1", "S9/WalkDog")


# MPI-INF-3DHP: a camera's own axes, x right, y down, z away; the person stands 4 m before camera 0 and faces it.


def frame_3dhp(mirrored: bool = False) -> np.ndarray:
    frame = np.full((28, 3), ABSURD)
    for number, name in enumerate(NAMES_3DHP):
        joint = name.partition("=")[2]
        if joint:
            if mirrored:  # whoever annotated it took the left for the right
                side, under, rest = joint.partition("_")
                joint = {"left": "right", "right": "left"}.get(side, side) + under + rest
            left, forward, up = PERSON[joint]
            frame[number] = left, 1 - up, 4 - forward
    return frame


def write_annotations(root: Path, sequence: str, frames: list[int], mirrored: tuple[int, ...] = ()) -> None:
    """14 cameras: the odd ones stand where the even ones do, but upside down, so that mixing them up shows."""
    solid = np.stack([frame_3dhp(f in mirrored) for f in frames])
    seen = [solid * ((-1, -1, 1) if c % 2 else (1, 1, 1)) for c in range(14)]
    flat = [s[..., :2] / s[..., 2:] * 1500 + 1024 for s in seen]
    path = root / sequence / "annot.mat"
    path.parent.mkdir(parents=True, exist_ok=True)

    def cells(arrays: list[np.ndarray]) -> np.ndarray:
        out = np.empty((14, 1), dtype=object)
        for k, array in enumerate(arrays):
            out[k, 0] = array.reshape(len(frames), -1)
        return out

    savemat(path, {"annot2": cells(flat), "univ_annot3": cells([1000 * s for s in seen]), "cameras": np.arange(14),
                   "frames": np.array(frames)[:, None]})


def test_mpi_inf_3dhp_has_left_up_and_forward_where_the_person_has_them(tmp_path: Path) -> None:
    write_annotations(tmp_path, "S1/Seq1", [0])
    views = read_3dhp(tmp_path)
    for joint, (left, forward, up) in PERSON.items():
        np.testing.assert_allclose(at(views.points[0], joint), (left, up - 1, forward - 4), atol=1e-6, err_msg=joint)
    before, over = views.keypoints[:2, 0]
    np.testing.assert_allclose(at(before, "left_wrist"), (1024 + 1500 * 0.5 / 4, 1024 - 1500 * 0.5 / 4), rtol=1e-6)
    np.testing.assert_allclose(at(over, "left_wrist"), (1024 - 1500 * 0.5 / 4, 1024 + 1500 * 0.5 / 4), rtol=1e-6)
    np.testing.assert_allclose(at(before, "right_wrist"), (1024 - 1500 * 0.3 / 3.5, 1024), rtol=1e-6)
    np.testing.assert_allclose(at(before, "nose"), (1024, 1024 - 1500 * 0.7 / 4), rtol=1e-6)  # neck 0.6, crown 0.8


def test_left_and_right_are_set_right_in_s4_seq2(tmp_path: Path) -> None:
    frames = [3758, 3759, 4800, 5852, 5853]
    write_annotations(tmp_path, "S4/Seq2", frames, mirrored=(3759, 4800, 5852))
    mended, raw = read_3dhp(tmp_path), read_3dhp(tmp_path, mend=False)
    for k in range(5):
        np.testing.assert_array_equal(mended.points[k], mended.points[0])
        np.testing.assert_array_equal(mended.keypoints[:, k], mended.keypoints[:, 0])
    assert at(mended.points[2], "left_wrist") == at(raw.points[0], "left_wrist") != at(raw.points[2], "left_wrist")
    assert mended.notes == ("S4/Seq2: left and right set right in frames 3,759 to 5,852",)
    write_annotations(tmp_path / "other", "S4/Seq1", frames, mirrored=(4800,))
    assert at(read_3dhp(tmp_path / "other").points[2], "left_wrist") == at(raw.points[2], "left_wrist")


def test_the_frame_that_s3_seq1_has_too_many_is_left_out(tmp_path: Path) -> None:
    write_annotations(tmp_path, "S3/Seq1", [12486, 12487, 12488])
    write_annotations(tmp_path, "S3/Seq2", [12486, 12487, 12488])
    views = read_3dhp(tmp_path)
    assert views.frame.tolist() == [12486, 12487, 12486, 12487, 12488]
    assert views.notes == ("S3/Seq1: left out what is annotated after the end of its videos",)


def test_detected_keypoints_take_the_place_of_the_annotated(tmp_path: Path) -> None:
    write_annotations(tmp_path, "S1/Seq1", [0, 2])
    rows = [np.full((3, 13, 2), 100 * c, np.float32) + np.arange(3, dtype=np.float32)[:, None, None] for c in range(14)]
    views = read_3dhp(tmp_path, detections=write_2d(tmp_path / "d.npz", {"S1": {"Seq1": rows}}), cameras=("4", "2"))
    assert views.keypoints[:, :, 0, 0].tolist() == [[400, 402], [200, 202]]  # by camera, and by the frame's number
    with pytest.raises(FormatError, match=r"d\.npz: has no keypoints of S1/Seq1"):
        read_3dhp(tmp_path, detections=write_2d(tmp_path / "d.npz", {"S2": {"Seq1": rows}}))
    with pytest.raises(FormatError, match=r"d\.npz: has no keypoints of camera 3 of S1/Seq1"):
        read_3dhp(tmp_path, ("2", "3"), detections=write_2d(tmp_path / "d.npz", {"S1": {"Seq1": {"2": rows[2]}}}))
    with pytest.raises(FormatError, match="S1/Seq1 has 2 frames in camera 2, fewer than its 3 annotated"):
        read_3dhp(tmp_path, ("2",), detections=write_2d(tmp_path / "d.npz", {"S1": {"Seq1": {"2": rows[2][:2]}}}))


def test_the_short_video_of_s6_seq2_ends_in_nan(tmp_path: Path) -> None:
    write_annotations(tmp_path, "S6/Seq2", [3910, 3911])
    seen = {"1": np.zeros((3912, 13, 2), np.float32), "2": np.zeros((3911, 13, 2), np.float32)}
    views = read_3dhp(tmp_path, ("1", "2"), detections=write_2d(tmp_path / "d.npz", {"S6": {"Seq2": seen}}))
    assert views.in_all_cameras().tolist() == [True, False] and not np.isnan(views.keypoints[0]).any()
    assert views.notes == ("S6/Seq2: the video of camera 2 ends at frame 3,911",)


def test_keypoints_of_one_joint_are_enough_to_be_seen(tmp_path: Path) -> None:
    seen = np.full((2, 13, 2), np.nan, np.float32)
    seen[1, 5] = 3
    found = Positions2D.read(write_2d(tmp_path / "d.npz", {"S9": {"Eating": {CAMERAS[1]: seen}}}))
    clip = found.clip("S9", "Eating", CAMERAS)
    assert clip is not None and list(clip) == [CAMERAS[1]]
    np.testing.assert_array_equal(clip[CAMERAS[1]], seen)
    assert found.clip("S9", "Posing", CAMERAS) is None
