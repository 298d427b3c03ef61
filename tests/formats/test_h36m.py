"""Human3.6M in made-up files of the public layouts, hostile pickles, and the paper's choice of frames."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samepose.errors import FormatError, SameposeError, UsageError
from samepose.evaluation.frame_list import (
    frame_list,
    listed_frames,
    paper_frames,
    read_frame_list,
    write_frame_list,
)
from samepose.evaluation.retrieval import Keypoints2D, Lifting, evaluate, evaluate_views
from samepose.evaluation.views import CHEST4, project_views
from samepose.formats.h36m import FPS, TEST_SUBJECTS, TRAIN_SUBJECTS, read_h36m, read_h36m_views
from samepose.formats.h36m_cameras import CAMERAS
from samepose.formats.load_mocap import load_poseset
from samepose.formats.multiview import MultiView
from samepose.formats.objectnpz import read_object
from samepose.geometry.procrustes import np_mpjpe
from samepose.skeleton import BODY13, COCO17, H36M17, MPII16, Skeleton

# Where Human3.6M's documentation has our 17 among its 32 joints.
PLACES = {
    "pelvis": 0, "right_hip": 1, "right_knee": 2, "right_ankle": 3, "left_hip": 6, "left_knee": 7, "left_ankle": 8,
    "spine": 12, "thorax": 13, "neck": 14, "head_top": 15, "left_shoulder": 17, "left_elbow": 18, "left_wrist": 19,
    "right_shoulder": 25, "right_elbow": 26, "right_wrist": 27,
}
STANCE = {
    "pelvis": (0, 0.95, 0), "spine": (0, 1.18, -0.02), "thorax": (0, 1.44, 0), "neck": (0, 1.56, 0.01),
    "head_top": (0, 1.7, 0.02), "left_hip": (0.09, 0.95, 0), "left_knee": (0.1, 0.52, 0.06),
    "left_ankle": (0.1, 0.08, 0), "left_shoulder": (0.19, 1.42, 0), "left_elbow": (0.3, 1.2, 0),
    "left_wrist": (0.35, 0.95, 0.08),
}
STANCE |= {j.replace("left", "right"): (-x, y, z) for j, (x, y, z) in STANCE.items() if j.startswith("left")}
BODY = np.array([STANCE[j] for j in H36M17.joints])


def moving(frames: int, seed: int = 0, step: float = 0.01) -> np.ndarray:
    """(T, 17, 3) metres, y up: joints that wander off slowly, so that neighbours are near duplicates."""
    walk = np.random.default_rng(seed).normal(0, step, (frames, 17, 3)).cumsum(axis=0)
    return (BODY + walk).astype(np.float32)


def z_up_32(points: np.ndarray) -> np.ndarray:
    """Our poses as Human3.6M stores them; the other 15 joints hold what must not be read."""
    out = np.full((len(points), 32, 3), 99, np.float32)
    for k, joint in enumerate(H36M17.joints):
        out[:, PLACES[joint]] = np.stack([points[:, k, 0], -points[:, k, 2], points[:, k, 1]], axis=-1)
    return out


PEOPLE = {subject: {"Walking 1": moving(40, k), "Eating": moving(30, k + 50)}
          for k, subject in enumerate((*TRAIN_SUBJECTS, *TEST_SUBJECTS))}


@pytest.fixture
def solid(tmp_path: Path) -> Path:
    path = tmp_path / "data_3d_h36m.npz"
    np.savez_compressed(path, positions_3d=np.array(
        {s: {a: z_up_32(p) for a, p in actions.items()} for s, actions in PEOPLE.items()}, dtype=object))
    return path


def on_layout(body13: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """BODY13 keypoints on another skeleton whose conversion gives them back; joints nobody reads are far away."""
    out = np.full((*body13.shape[:-2], len(skeleton), 2), 1e4, np.float32)
    for k, joint in enumerate(BODY13.joints):
        for name in (joint,) if joint in skeleton.joints else ("neck", "head_top"):
            out[..., skeleton.index(name), :] = body13[..., k, :]
    return out


def views_of(points: np.ndarray) -> np.ndarray:
    return project_views(points, CHEST4) * 400 + 500


def write_2d(path: Path, skeleton: Skeleton = COCO17, extra: int = 3, **changes: Any) -> Path:
    """Keypoints of every person in four cameras, with `extra` frames after the motion capture has ended."""
    positions: dict[str, dict[str, list[np.ndarray]]] = {}
    for subject, actions in PEOPLE.items():
        for action, points in actions.items():
            seen = on_layout(views_of(points), skeleton)
            longer = np.concatenate([seen, np.repeat(seen[:, -1:], extra, axis=1)], axis=1)
            positions.setdefault(subject, {})[action] = [np.array(c) for c in longer]
    sides = [[k for k, j in enumerate(skeleton.joints) if j.startswith(s)] for s in ("left_", "right_")]
    metadata = {"layout_name": "x", "num_joints": len(skeleton), "keypoints_symmetry": sides} | changes
    np.savez_compressed(path, positions_2d=np.array(positions, dtype=object), metadata=np.array(metadata, dtype=object))
    return path


def npz_of(path: Path, pickled: bytes, key: str = "positions_3d") -> Path:
    """An `.npz` whose object array has this pickle."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|O", "fortran_order": False, "shape": ()})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{key}.npy", head.getvalue() + pickled)
    return path


def wrapped(table: Any, protocol: int) -> bytes:
    return pickle.dumps(np.array(table, dtype=object), protocol)


# 3D poses


def test_positions_become_h36m17_in_metres_y_up(solid: Path) -> None:
    poses = read_h36m(solid)
    assert poses.fps == FPS == 50
    assert poses.subject_names == tuple(PEOPLE)
    for subject, actions in PEOPLE.items():
        for action, points in actions.items():
            mine = poses.clip == poses.clip_names.index(f"{subject}/{action}")
            np.testing.assert_array_equal(poses.points[mine], points)
            assert {poses.subject_names[s] for s in poses.subject[mine]} == {subject}


def test_subjects_of_the_papers_split(solid: Path) -> None:
    train, test = read_h36m(solid, TRAIN_SUBJECTS), read_h36m(solid, TEST_SUBJECTS)
    assert train.subject_names == ("S1", "S5", "S6", "S7", "S8") and test.subject_names == ("S9", "S11")
    assert len(train) + len(test) == len(read_h36m(solid))
    with pytest.raises(FormatError, match=r"data_3d_h36m\.npz: holds no poses of S12; it has S1, S5"):
        read_h36m(solid, ["S9", "S12"])


def test_a_pose_set_can_be_loaded_from_it_and_is_thinned(solid: Path) -> None:
    assert load_poseset(solid, fps=None).fps == 50
    thin = load_poseset(solid, fps=25)
    assert thin.fps == 25 and thin.notes == ("thinned to 25 frames per second",)
    first = thin.points[thin.clip == thin.clip_names.index("S1/Walking 1")]
    np.testing.assert_array_equal(first, PEOPLE["S1"]["Walking 1"][::2])


@pytest.mark.parametrize("protocol", range(6))
def test_every_pickle_protocol_reads_the_same(tmp_path: Path, protocol: int) -> None:
    table = {"S1": {"Walking": z_up_32(moving(7)), "Empty": np.zeros((0, 32, 3), np.float32)},
             "kinds": [np.arange(6, dtype=">i4").reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)),
                       np.float32(2.5), np.array([True, False]), "x", None, (1, 2.5)]}
    read = read_object(npz_of(tmp_path / "a.npz", wrapped(table, protocol)), "positions_3d")
    np.testing.assert_array_equal(read["S1"]["Walking"], table["S1"]["Walking"])
    assert read["S1"]["Empty"].shape == (0, 32, 3)
    for ours, theirs in zip(read["kinds"], table["kinds"], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert read["kinds"][0].dtype == np.int32


def test_files_of_older_numpy_and_python_2(tmp_path: Path) -> None:
    """NumPy before 2 called its module numpy.core; Python 2 pickled bytes as text."""
    new = wrapped({"S1": {"Walking": z_up_32(moving(3))}}, 2)
    old = new.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    assert old != new
    assert len(read_h36m(npz_of(tmp_path / "old.npz", old))) == 3
    two = (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\ntcnumpy\ndtype\n"
           b"(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'\\x00\\x00\\x80?\\x00\\x00\\x00@'\ntb.")
    np.testing.assert_array_equal(read_object(npz_of(tmp_path / "two.npz", two), "positions_3d"), [1.0, 2.0])


# Hostile and damaged files


class Attack:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_nothing_a_pickle_names_is_run(tmp_path: Path, protocol: int) -> None:
    victim = tmp_path / "victim"
    for k, attack in enumerate((
        Attack(os.mkdir, str(victim)), Attack(eval, f"__import__('os').mkdir({str(victim)!r})"),
        Attack(np.lib.format.open_memmap, str(victim), "w+", "f4", (3,)), Attack(np.fromfile, str(victim)),
        Attack(getattr, "", "join"), Attack(type, "X", (), {}),
    )):
        path = npz_of(tmp_path / f"{k}.npz", wrapped({"S1": {"Walking": attack}}, protocol))
        with pytest.raises(FormatError, match=r"npz: positions_3d holds .* it was not run"):
            load_poseset(path)
        assert not victim.exists()


@pytest.mark.parametrize(("pickled", "why"), [
    (b"cos\nsystem\n(S'true'\ntR.", "system"),
    (b"cnumpy\nndarray.__reduce__\n.", "ndarray.__reduce__"),
    (b"c_codecs\nencode\n(S'x'\nS'zip'\ntR.", "encoding"),
    (b"cnumpy\ndtype\n(S'V8'\nI0\nI1\ntR.", "V8"),
    (b"Pout\n.", "outside the file"),
    (b"\x80\x02\x82\x01.", "extension|cannot be read"),
    (b"cnumpy\nndarray\n.", "holds|cannot be read"),
    (b"cnumpy\nndarray\n}S'x'\nI1\nsb.", "cannot be read"),
    (b"cnumpy\nndarray\n(I0\ntR.", "without values"),
    (b"\x80\x02c_codecs\nencode\n)\x81}b.", "state"),
    (b"", "cannot be read"),
    (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f", "cannot be read"),
])
def test_pickles_made_by_hand(tmp_path: Path, pickled: bytes, why: str) -> None:
    with pytest.raises(FormatError, match=rf"bad\.npz: positions_3d .*({why})"):
        read_h36m(npz_of(tmp_path / "bad.npz", pickled))


def test_a_few_bytes_that_stand_for_billions_of_lists_do_not_take_for_ever(tmp_path: Path) -> None:
    table: Any = []
    for _ in range(60):
        table = [table, table, table]
    with pytest.raises(FormatError, match="S1 Walking is a list"):
        read_h36m(npz_of(tmp_path / "bomb.npz", wrapped({"S1": {"Walking": table}}, 4)))


def test_any_cut_or_flipped_byte_is_an_error_or_a_table(tmp_path: Path) -> None:
    whole = wrapped({"S1": {"Walking": z_up_32(moving(1))}}, 4)
    rng = np.random.default_rng(0)
    for k in range(150):
        damaged = bytearray(whole[: rng.integers(len(whole))] if k % 2 else whole)
        if damaged:
            damaged[rng.integers(min(len(damaged), 200))] = rng.integers(256)
        try:
            read_h36m(npz_of(tmp_path / "damaged.npz", bytes(damaged)))
        except FormatError as error:
            assert "\n" not in str(error)


def test_a_cut_file(solid: Path) -> None:
    solid.write_bytes(solid.read_bytes()[:-2000])
    for read in (read_h36m, load_poseset):
        with pytest.raises(FormatError, match=r"data_3d_h36m\.npz: "):
            read(solid)


@pytest.mark.parametrize(("table", "why"), [
    ({}, "holds no poses of anyone"),
    ([1, 2], "is a list; expected subject"),
    ({"S1": 3}, "is a dict; expected subject"),
    ({"S1": {"Walking": np.zeros((5, 25, 3), np.float32)}}, r"S1 Walking is an array \(5, 25, 3\)"),
    ({"S1": {"Walking": "no"}}, "S1 Walking is a str"),
    ({"S1": {"Walking": np.zeros((0, 32, 3), np.float32)}}, "S1 Walking is empty"),
    ({"S1": {"Walking": np.full((2, 32, 3), np.nan, np.float32)}}, "holds NaN"),
    ({"S1": {"Walking": np.array(["a", "b"])}}, "an array of 'U1'"),
])
def test_tables_of_another_shape(tmp_path: Path, table: Any, why: str) -> None:
    with pytest.raises(FormatError, match=rf"a\.npz: .*{why}"):
        read_h36m(npz_of(tmp_path / "a.npz", wrapped(table, 4)))


def test_a_file_that_is_not_there_or_another(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="does not exist"):
        read_h36m(tmp_path / "no.npz")
    np.savez(tmp_path / "plain.npz", points=np.zeros(3))
    with pytest.raises(FormatError, match="has no array 'positions_3d'"):
        read_h36m(tmp_path / "plain.npz")


# Keypoints of several cameras


@pytest.mark.parametrize("skeleton", [COCO17, H36M17, MPII16, BODY13], ids=lambda s: s.name)
def test_keypoints_of_every_layout(tmp_path: Path, solid: Path, skeleton: Skeleton) -> None:
    views = read_h36m_views(solid, write_2d(tmp_path / "data_2d_h36m_x.npz", skeleton))
    points = np.concatenate([PEOPLE[s][a] for s in TEST_SUBJECTS for a in ("Eating", "Walking 1")])
    np.testing.assert_array_equal(views.points, points)
    np.testing.assert_allclose(views.keypoints, views_of(points), rtol=1e-5)
    assert views.cameras == CAMERAS
    assert views.clip_names == ("S9/Eating", "S9/Walking 1", "S11/Eating", "S11/Walking 1")
    assert frame_list(views)[:2] == (("S9/Eating", 0), ("S9/Eating", 1))


def test_keypoints_that_do_not_fit(tmp_path: Path, solid: Path) -> None:
    short = write_2d(tmp_path / "short.npz", extra=0)
    longer = tmp_path / "longer.npz"
    np.savez_compressed(longer, positions_3d=np.array({"S9": {"Eating": z_up_32(moving(31))}}, dtype=object))
    with pytest.raises(FormatError, match=r"short\.npz: S9 Eating has 30 frames in a camera, fewer than its 31"):
        read_h36m_views(longer, short, ["S9"])
    np.savez_compressed(longer, positions_3d=np.array({"S9": {"Posing": z_up_32(moving(31))}}, dtype=object))
    with pytest.raises(FormatError, match="no keypoints of S9 Posing"):
        read_h36m_views(longer, short, ["S9"])
    for changes in ({"keypoints_symmetry": [[1, 2], [3, 4]]}, {"num_joints": 16}):
        with pytest.raises(FormatError, match="no layout we know"):
            read_h36m_views(solid, write_2d(tmp_path / "odd.npz", **changes))
    lying = write_2d(tmp_path / "lying.npz", MPII16, keypoints_symmetry=[list(range(1, 17, 2)), list(range(2, 17, 2))],
                     num_joints=17)
    with pytest.raises(FormatError, match=r"\(33, 16, 2\) in a camera; expected \(T, 17, 2\)"):
        read_h36m_views(solid, lying)


@pytest.mark.usefixtures("unchecked")
def test_views_check_their_shapes() -> None:
    points = moving(4)
    with pytest.raises(UsageError, match="do not fit"):
        MultiView(np.zeros((2, 4, 17, 2), np.float32), points, ("a", "b"), np.zeros(4, int), ("c",), np.arange(4))
    views = MultiView(views_of(points), points, CAMERAS, np.zeros(4, int), ("c",), np.arange(4))
    assert views.seen_by(CAMERAS[2:0:-1]).cameras == (CAMERAS[2], CAMERAS[1])
    np.testing.assert_array_equal(views.seen_by(CAMERAS[2:]).keypoints, views.keypoints[2:])
    with pytest.raises(UsageError, match="no camera x"):
        views.seen_by(["x"])
    with pytest.raises(UsageError, match="same cameras"):
        MultiView.concatenate([views, views.seen_by(CAMERAS[:2])])


# 3d-pose-baseline


def write_h5(root: Path, subject: str, action: str, flat: np.ndarray, key: str = "3D_positions") -> Path:
    h5py = pytest.importorskip("h5py", reason="needs samepose[h36m]")
    path = root / subject / "MyPoses" / "3D_positions" / f"{action}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file[key] = flat
    return path


def test_the_h5_layout_gives_the_same_poses(tmp_path: Path, solid: Path) -> None:
    for subject, actions in PEOPLE.items():
        for action, points in actions.items():
            write_h5(tmp_path / "h36m", subject, action, z_up_32(points).reshape(-1, 96).T * 1000.0)
    for read in (read_h36m, lambda p: load_poseset(p, fps=None)):
        ours, theirs = read(tmp_path / "h36m"), read(solid)
        order = sorted(theirs.subject_names)
        assert ours.subject_names == tuple(order)
        for name in theirs.clip_names:
            np.testing.assert_allclose(ours.points[ours.clip == ours.clip_names.index(name)],
                                       theirs.points[theirs.clip == theirs.clip_names.index(name)], atol=1e-6)


def test_bad_h5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FormatError, match="holds no S"):
        read_h36m(tmp_path)
    path = write_h5(tmp_path, "S1", "Eating", np.zeros((32, 3)))
    with pytest.raises(FormatError, match=r"Eating\.h5: 3D_positions has shape \(32, 3\); expected \(96, T\)"):
        read_h36m(tmp_path)
    write_h5(tmp_path, "S1", "Eating", np.zeros((96, 3)), key="poses")
    with pytest.raises(FormatError, match="no data set '3D_positions'"):
        read_h36m(tmp_path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(FormatError, match=r"not a readable \.h5"):
        read_h36m(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(FormatError, match=r"pip install 'samepose\[h36m\]'"):
        read_h36m(tmp_path)


# The paper's frames


@pytest.fixture
def views(tmp_path: Path, solid: Path) -> MultiView:
    """Every frame is one that the paper looked at: each tenth of a longer clip."""
    every = read_h36m_views(solid, write_2d(tmp_path / "data_2d_h36m_gt.npz", H36M17))
    return replace(every, frame=10 * every.frame)


def test_chosen_frames_differ_and_are_the_same_in_all_cameras(views: MultiView) -> None:
    kept = paper_frames(views)
    chosen = views.take(kept)
    assert 10 < len(kept) < len(views)
    for k in range(1, len(chosen)):
        earlier = chosen.points[:k]
        assert np_mpjpe(earlier, np.repeat(chosen.points[k : k + 1], k, axis=0)).min() >= 0.02
    for f in sorted(set(range(len(views))) - set(kept.tolist())):  # whatever was removed resembles an earlier one
        before = views.points[kept[kept < f]]
        assert np_mpjpe(before, np.repeat(views.points[f : f + 1], len(before), axis=0)).min() < 0.02
    np.testing.assert_allclose(chosen.keypoints, views_of(chosen.points), rtol=1e-5)
    np.testing.assert_array_equal(paper_frames(views, n=9), paper_frames(views, n=9))
    assert len(paper_frames(views, n=9)) == 9 and set(paper_frames(views, n=9)) <= set(kept)


def test_only_every_tenth_frame_that_all_cameras_see_is_looked_at(views: MultiView) -> None:
    kept = paper_frames(views)
    keypoints = views.keypoints.copy()
    keypoints[1, kept[3]] = np.nan
    keypoints[2, kept[5], :12] = np.nan  # one joint is seen
    fewer = paper_frames(replace(views, keypoints=keypoints)).tolist()
    assert kept[3] not in fewer and {kept[0], kept[2], kept[5]} <= set(fewer)
    odd = replace(views, frame=views.frame + (np.arange(len(views)) % 2))
    assert set(paper_frames(odd) % 2) == {0}


def test_the_published_lists_are_read(tmp_path: Path, views: MultiView) -> None:
    """One file per camera; the keys are those of the authors' files."""
    for number, camera in enumerate(CAMERAS):
        (tmp_path / f"h36m-val-C{number}.txt").write_text(
            f"S11:Eating:{camera}:000020\nS9:Walking 1:{camera}:000110\nS9:TakingPhoto 1:{camera}:000000\n")
    whole, one = read_frame_list(tmp_path), read_frame_list(tmp_path / "h36m-val-C2.txt")
    assert whole == one == (("S11/Eating", 20), ("S9/Walking 1", 110), ("S9/Photo 1", 0))
    places = listed_frames(views, whole[:2])
    np.testing.assert_array_equal(views.points[places], [PEOPLE["S11"]["Eating"][2], PEOPLE["S9"]["Walking 1"][11]])
    (tmp_path / "h36m-val-C1.txt").write_text("S11:Eating:55011271:000030\n")
    with pytest.raises(FormatError, match=r"C1\.txt: lists other frames than h36m-val-C0\.txt"):
        read_frame_list(tmp_path)
    (tmp_path / "3dhp.txt").write_text("S1:Seq2:V10:C10:003370\n")
    assert read_frame_list(tmp_path / "3dhp.txt") == (("S1/Seq2", 3370),)
    for wrong in ("S1:Seq2:V10:C10\n", "x:Seq2:C1:1\n", "S1:Seq2:1:2:3:4\n"):
        (tmp_path / "3dhp.txt").write_text(wrong)
        with pytest.raises(FormatError, match=r"3dhp\.txt: is not a list .* is no key"):
            read_frame_list(tmp_path / "3dhp.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match=r"holds no \.txt file"):
        read_frame_list(tmp_path / "empty")


def test_a_frame_list_fixes_the_frames(tmp_path: Path, views: MultiView) -> None:
    chosen = views.take(paper_frames(views))
    path = tmp_path / "h36m_frames.csv"
    write_frame_list(path, frame_list(chosen))
    assert path.read_text().startswith("clip,frame\nS9/Eating,0\n")
    again = views.take(listed_frames(views, read_frame_list(path)))
    np.testing.assert_array_equal(again.keypoints, chosen.keypoints)
    assert frame_list(again) == frame_list(chosen)
    with pytest.raises(UsageError, match=r"1 of 1 listed frames are not in the data, first S9/Eating frame 999"):
        listed_frames(views, [("S9/Eating", 999)])


@pytest.mark.parametrize(("text", "why"), [
    ("", "not a list"), ("clip;frame\n", "not a list"), ("clip,frame\na,b\n", "not a list"),
    ("clip,frame\na,1,2\n", "not a list"), ("clip,frame\n", "lists no frame"), ("clip,frame\na,1\na,1\n", "twice"),
])
def test_bad_frame_lists(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(FormatError, match=rf"list\.csv: .*{why}"):
        read_frame_list(tmp_path / "list.csv")
    with pytest.raises(FormatError, match="cannot be read"):
        read_frame_list(tmp_path / "no.csv")
    with pytest.raises(SameposeError, match="cannot be written"):
        write_frame_list(tmp_path / "no" / "list.csv", [("a", 1)])


@pytest.mark.usefixtures("unchecked")
def test_keypoints_in_pixels_are_measured_as_projected_ones_are(views: MultiView) -> None:
    chosen = views.take(paper_frames(views, n=40))
    scorers = {"2d": Keypoints2D()}
    real = evaluate_views(chosen.points, chosen.keypoints, scorers, cameras_name="h36m", keypoints="detected")[0]
    made = evaluate(chosen.points, scorers, CHEST4, cameras_name="chest4")[0]
    assert real.hit == made.hit and real.keypoints == "detected" and real.frames == 40
    # Whoever knows the 3D poses finds every one, although the numbers are pixels.
    place = {k.tobytes(): p for camera in chosen.keypoints for k, p in zip(camera, chosen.points)}
    oracle = Lifting(lambda seen: np.stack([place[k.tobytes()] for k in seen]))
    best = evaluate_views(chosen.points, chosen.keypoints, {"o": oracle}, cameras_name="h36m", keypoints="gt")[0]
    assert best.hit[0.1][1] == 1
    with pytest.raises(UsageError, match="39 frames"):
        evaluate_views(chosen.points[1:], chosen.keypoints, scorers, cameras_name="h36m", keypoints="gt")
    with pytest.raises(UsageError, match="two cameras"):
        evaluate_views(chosen.points, chosen.keypoints[:1], scorers, cameras_name="h36m", keypoints="gt")
