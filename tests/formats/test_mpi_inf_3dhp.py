"""MPI-INF-3DHP's annot.mat, made here with scipy in the training set's layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from samepose.errors import FormatError, UsageError
from samepose.evaluation.frame_list import frame_list, paper_frames
from samepose.evaluation.retrieval import Lifting, evaluate_views
from samepose.formats.body import bends_forward
from samepose.formats.mpi_inf_3dhp import CAMERAS, CHEST, NOT_OVERHEAD, read_3dhp
from samepose.geometry.procrustes import np_mpjpe_matrix
from samepose.skeleton import BODY13, H36M17

JOINTS28 = (
    "spine3", "spine4", "spine2", "spine", "pelvis", "neck", "head", "head_top",
    *(f"left_{j}" for j in ("clavicle", "shoulder", "elbow", "wrist", "hand")),
    *(f"right_{j}" for j in ("clavicle", "shoulder", "elbow", "wrist", "hand")),
    *(f"left_{j}" for j in ("hip", "knee", "ankle", "foot", "toe")),
    *(f"right_{j}" for j in ("hip", "knee", "ankle", "foot", "toe")),
)
THEIRS = {"thorax": "neck", "neck": "head"}  # what they call two of ours
FOCAL, CENTRE, AWAY = 1500.0, 1024.0, 3.5
STANCE = {
    "pelvis": (0, 0, 0), "spine": (0, 0.23, -0.02), "thorax": (0, 0.49, 0), "neck": (0, 0.61, 0.01),
    "head_top": (0, 0.72, 0.02), "left_hip": (0.09, 0, 0), "left_knee": (0.1, -0.43, 0.06),
    "left_ankle": (0.1, -0.87, 0), "left_shoulder": (0.19, 0.47, 0), "left_elbow": (0.3, 0.25, 0),
    "left_wrist": (0.35, 0, 0.08),
}
STANCE |= {j.replace("left", "right"): (-x, y, z) for j, (x, y, z) in STANCE.items() if j.startswith("left")}
BODY = np.array([STANCE[j] for j in H36M17.joints])


def people(frames: int, seed: int) -> np.ndarray:
    """(T, 17, 3) metres, y up, facing camera 0; each frame appears twice in a row."""
    each = BODY + np.random.default_rng(seed).normal(0, 0.06, (frames // 2, 17, 3))
    return np.repeat(each, 2, axis=0)


def seen_from(points: np.ndarray, camera: int) -> np.ndarray:
    """Poses in metres in a camera's axes: x right, y down, z away. Cameras stand around the person."""
    a = 2 * np.pi * camera / len(CAMERAS)
    turned = points @ np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    return turned * (1, -1, -1) + (0, 0, AWAY)


def pixels(seen: np.ndarray) -> np.ndarray:
    return seen[..., :2] / seen[..., 2:] * FOCAL + CENTRE


def rows28(body: np.ndarray) -> np.ndarray:
    """(T, 28 x D): ours at their places, one joint after the other; joints that must not be read are far away."""
    out = np.full((len(body), len(JOINTS28), body.shape[-1]), 1e5)
    for k, joint in enumerate(H36M17.joints):
        out[:, JOINTS28.index(THEIRS.get(joint, joint))] = body[:, k]
    return out.reshape(len(body), -1)


def cells(arrays: list[np.ndarray]) -> np.ndarray:
    out = np.empty((len(arrays), 1), dtype=object)
    for k, array in enumerate(arrays):
        out[k, 0] = array
    return out


def write(root: Path, points: np.ndarray, subject: str = "S1", sequence: str = "Seq1", **changes: Any) -> Path:
    path = root / subject / sequence / "annot.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    seen = [seen_from(points, c) for c in range(len(CAMERAS))]
    savemat(path, {
        "annot2": cells([rows28(pixels(s)) for s in seen]), "annot3": cells([rows28(1000 * s) for s in seen]),
        "univ_annot3": cells([rows28(1000 * s) for s in seen]), "cameras": np.arange(len(CAMERAS)),
        "frames": np.arange(len(points))[:, None],
    } | changes, do_compression=True)
    return path


def test_poses_and_keypoints_of_all_sequences(tmp_path: Path) -> None:
    first, second = people(6, 0), people(8, 1)
    write(tmp_path, first)
    write(tmp_path, second, "S2", "Seq2")
    views = read_3dhp(tmp_path)
    assert views.cameras == NOT_OVERHEAD and len(NOT_OVERHEAD) == 11
    assert views.clip_names == ("S1/Seq1", "S2/Seq2")
    assert frame_list(views)[5:7] == (("S1/Seq1", 5), ("S2/Seq2", 0))
    points = np.concatenate([first, second])
    # In the first camera's axes the person faces it, stands upright, and is not mirrored.
    np.testing.assert_allclose(views.points - views.points[:, :1], points - points[:, :1], atol=1e-5)
    assert bends_forward(views.points) > 0
    for k, camera in enumerate(NOT_OVERHEAD):
        expected = H36M17.convert(pixels(seen_from(points, int(camera))), BODY13)
        np.testing.assert_allclose(views.keypoints[k], expected, rtol=1e-5)


def test_chest_cameras_and_one_file(tmp_path: Path) -> None:
    path = write(tmp_path, people(4, 0))
    all14, chest = read_3dhp(tmp_path, CAMERAS), read_3dhp(path, CHEST)
    assert chest.cameras == ("0", "2", "4", "7", "8") and chest.clip_names == all14.clip_names == ("S1/Seq1",)
    np.testing.assert_array_equal(chest.keypoints, all14.seen_by(CHEST).keypoints)


def test_cells_are_found_by_their_camera_number(tmp_path: Path) -> None:
    points = people(4, 0)
    order = np.random.default_rng(3).permutation(14)
    seen = [seen_from(points, c) for c in order]
    mixed = write(tmp_path / "mixed", points, cameras=order, annot2=cells([rows28(pixels(s)) for s in seen]),
                  univ_annot3=cells([rows28(1000 * s) for s in seen]))
    ours, theirs = read_3dhp(mixed), read_3dhp(write(tmp_path / "sorted", points))
    np.testing.assert_array_equal(ours.keypoints, theirs.keypoints)
    np.testing.assert_array_equal(ours.points, theirs.points)


def test_any_camera_may_tell_what_is_up(tmp_path: Path) -> None:
    path = write(tmp_path, people(6, 0))
    first, other = read_3dhp(path).points, read_3dhp(path, up_camera="5").points
    assert not np.allclose(first, other, atol=0.05)
    assert np.diag(np_mpjpe_matrix(first, other)).max() < 1e-4


def test_the_papers_frames_and_retrieval_from_real_keypoints(tmp_path: Path) -> None:
    points = people(40, 0)
    write(tmp_path, points, frames=10 * np.arange(40))
    views = read_3dhp(tmp_path)
    kept = paper_frames(views)
    np.testing.assert_array_equal(kept, np.arange(0, 40, 2))  # every second one is its neighbour's copy
    chosen = views.take(kept)
    errors = np_mpjpe_matrix(chosen.points, chosen.points)
    assert errors[np.triu_indices(len(errors), 1)].min() >= 0.02
    place = {k.tobytes(): p for camera in chosen.keypoints for k, p in zip(camera, chosen.points)}
    oracle = Lifting(lambda seen: np.stack([place[k.tobytes()] for k in seen]))
    result = evaluate_views(chosen.points, chosen.keypoints, {"oracle": oracle}, cameras_name="3dhp",
                            keypoints="annotated")[0]
    assert result.frames == 20 and result.hit[0.1][1] == 1


def test_files_that_are_not_what_they_should_be(tmp_path: Path) -> None:
    points = people(4, 0)
    with pytest.raises(FormatError, match=r"holds no S\*/Seq\*/annot\.mat"):
        read_3dhp(tmp_path)
    with pytest.raises(FormatError, match="does not exist"):
        read_3dhp(tmp_path / "annot.mat")
    seventeen = cells([np.zeros((4, 34))] * 14)
    odd = people(4, 2)
    odd[1, 3] = np.nan
    for changes, why in (
        ({"annot2": seventeen}, r"annot2 of a camera is float64 \(4, 34\); expected a cell per camera with \(T, 56\)"),
        ({"annot2": np.zeros((4, 1, 17, 2))}, r"annot2 of a camera is float64 \(4, 1, 17, 2\)"),
        ({"annot2": cells([rows28(pixels(seen_from(points, 0)))] * 3)}, "annot2 of a camera is object"),
        ({"annot2": cells([rows28(pixels(seen_from(points[:3], 0)))] * 14)}, "different numbers of frames"),
        ({"univ_annot3": cells([rows28(1000 * seen_from(odd, 0))] * 14)}, "3D poses hold NaN"),
        ({"cameras": np.arange(8)}, "has no camera 8, 9, 10; it has 0, 1"),
        ({"cameras": np.array(["a", "b"], dtype=object)}, "cameras are not numbers"),
        ({"frames": np.arange(3)}, r"frames is .* \(3,\); expected 4"),
    ):
        with pytest.raises(FormatError, match=rf"annot\.mat: .*{why}"):
            read_3dhp(write(tmp_path, points, **changes))
    savemat(tmp_path / "annot.mat", {"annot2": seventeen})
    with pytest.raises(FormatError, match="has no univ_annot3"):
        read_3dhp(tmp_path / "annot.mat")


def test_a_matlab_7_3_file_as_the_test_set_has(tmp_path: Path) -> None:
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    (tmp_path / "annot_data.mat").write_bytes(head + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(FormatError, match=r"MATLAB 7\.3 file, as the test set has"):
        read_3dhp(tmp_path / "annot_data.mat")


def test_cut_and_damaged_files(tmp_path: Path) -> None:
    path = write(tmp_path, people(4, 0))
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for keep in (0, 3, 100, 130, 500, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:keep])
        with pytest.raises(FormatError, match=r"annot\.mat: "):
            read_3dhp(path)
    for k in rng.integers(128, len(whole), 60):
        damaged = bytearray(whole)
        damaged[k] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            read_3dhp(path)
        except FormatError as error:
            assert "\n" not in str(error)


def test_sequences_of_other_cameras_do_not_go_together(tmp_path: Path) -> None:
    write(tmp_path, people(4, 0))
    write(tmp_path, people(4, 1), "S2", cameras=np.arange(4))
    with pytest.raises(FormatError, match=r"S2.*has no camera"):
        read_3dhp(tmp_path)
    with pytest.raises(UsageError, match="no camera"):
        read_3dhp(tmp_path, ("0", "2")).seen_by(("1",))
