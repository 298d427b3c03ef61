"""`samepose eval retrieval` on Human3.6M and MPI-INF-3DHP: made-up people in files of the public layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import savemat

from drawn_people import Shell
from made_up_motion import some_people
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.retrieval import Keypoints2D, PrVipe, evaluate, evaluate_views
from samepose.evaluation.views import CHEST4, project_views
from samepose.models.prvipe import PrVipe as Network
from samepose.models.prvipe import PrVipeConfig
from samepose.skeleton import BODY13, H36M17
from samepose.training.prvipe.export import export, info_of

PEOPLE = {"S9": some_people(12, seed=1), "S11": some_people(10, seed=2)}
MOVING = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
FRAMES_A_POSE = 10  # the paper looks at every tenth frame


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return Shell(capsys)


def held(values: np.ndarray) -> np.ndarray:
    """Each pose for ten frames."""
    return np.repeat(values, FRAMES_A_POSE, axis=-3)


def write_2d(path: Path, table: dict[str, dict[str, Any]]) -> Path:
    sides = [[k for k, j in enumerate(BODY13.joints) if j.startswith(s)] for s in ("left_", "right_")]
    np.savez(path, positions_2d=np.array(table, dtype=object),
             metadata=np.array({"num_joints": 13, "keypoints_symmetry": sides}, dtype=object))
    return path


@pytest.fixture
def h36m(tmp_path: Path) -> Path:
    """Human3.6M's test people, projected, and what a bad detector saw; S11's damaged clip has no keypoints."""
    root = tmp_path / "h36m"
    root.mkdir()
    solid, flat, seen = {}, {}, {}
    rng = np.random.default_rng(0)
    for subject, points in PEOPLE.items():
        raw = np.zeros((FRAMES_A_POSE * len(points), 32, 3), np.float32)
        raw[:, MOVING] = held(np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1))
        views = held(project_views(points, CHEST4)) * 400 + 500
        solid[subject] = {"Eating": raw} | ({"Directions": raw} if subject == "S11" else {})
        flat[subject] = {"Eating": list(views)}
        seen[subject] = {"Eating": list(views + rng.normal(0, 40, views.shape).astype(np.float32))}
    np.savez(root / "data_3d_h36m.npz", positions_3d=np.array(solid, dtype=object))
    write_2d(root / "data_2d_h36m_gt.npz", flat)
    write_2d(tmp_path / "detected.npz", seen)
    return root


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    """MPI-INF-3DHP's S1/Seq1: one person whom camera c sees turned by 30 c degrees."""
    points, path = some_people(8, seed=3), tmp_path / "3dhp" / "S1" / "Seq1" / "annot.mat"
    path.parent.mkdir(parents=True)
    places = [4, 23, 24, 25, 18, 19, 20, 3, 5, 6, 7, 9, 10, 11, 14, 15, 16]  # of H36M17 among the 28
    assert H36M17.joints[1] == "right_hip" and H36M17.joints[8] == "thorax"
    solid, flat = np.empty((14, 1), dtype=object), np.empty((14, 1), dtype=object)
    for c in range(14):
        a = np.radians(30 * c)
        turned = points @ np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        rows = np.full((8, 28, 3), 1e5)
        rows[:, places] = (turned - (0, 1, 0)) * (1, -1, -1) + (0, 0, 4)
        solid[c, 0] = (1000 * rows).reshape(8, -1)
        flat[c, 0] = (rows[..., :2] / rows[..., 2:] * 1500 + 1024).reshape(8, -1)
    savemat(path, {"annot2": flat, "univ_annot3": solid, "cameras": np.arange(14),
                   "frames": 10 * np.arange(8)[:, None]})
    return path.parents[2]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = Network(PrVipeConfig(width=16)).eval()
    export(model, info_of(model, "tiny", ["S11", "S1"]), tmp_path / "tiny.onnx")
    return tmp_path / "tiny.onnx"


def hits(told: dict[str, Any], model: str) -> dict[str, dict[str, float]]:
    assert set(told) == {"models"}
    found: dict[str, dict[str, float]] = told["models"][model]["hit"]
    return found


def test_human36m_is_a_column_of_the_table(run: Shell, h36m: Path) -> None:
    words = ["eval", "retrieval", "--h36m", "h36m", "--baselines"]
    told = run.json(*words)
    points = np.concatenate([PEOPLE["S9"], PEOPLE["S11"]])
    shipped = PrVipeEmbedder.load()
    scorers = {"prvipe": PrVipe(shipped.embed_keypoints, shipped.matching), "keypoints2d": Keypoints2D()}
    for expected in evaluate(points, scorers, CHEST4, cameras_name="x"):  # the same people in the same cameras
        model = told["models"][expected.model]
        assert (model["frames"], model["cameras"], model["keypoints"]) == (22, "h36m", "projected")
        assert json.loads(json.dumps(to_text(expected.hit))) == hits(told, expected.model)
    run(*words)
    assert "S11 Directions: left out, data_2d_h36m_gt.npz lacks it" in run.err
    assert "22 frames, the published list has 10,910" in run.err
    assert "h36m, projected" in run.out and "22 frames in each of 4 cameras, mean of all 12 pairs" in run.out


def to_text(hit: dict[float, dict[int, float]]) -> dict[str, dict[str, float]]:
    return {str(kappa): {str(k): rate for k, rate in row.items()} for kappa, row in hit.items()}


def test_a_detectors_keypoints_are_measured_in_place_of_projected_ones(run: Shell, h36m: Path) -> None:
    words = ["eval", "retrieval", "--h36m", h36m / "data_3d_h36m.npz", "--baselines", "--quiet"]
    told, perfect = run.json(*words, "--detections", "detected.npz"), run.json(*words)
    assert told["models"]["prvipe"]["keypoints"] == "detected"
    assert hits(told, "keypoints2d")["0.1"]["1"] < hits(perfect, "keypoints2d")["0.1"]["1"]
    hidden = run.json(*words, "--hide", "legs")["models"]["keypoints2d"]
    assert "left_knee" in hidden["hidden"] and hidden["hit"]["0.1"]["1"] < hits(perfect, "keypoints2d")["0.1"]["1"]


def test_the_published_frames_and_no_others(run: Shell, h36m: Path) -> None:
    Path("frames").mkdir()
    for camera in ("54138969", "60457274"):
        keys = (f"{clip}:{camera}:{frame:06}" for clip, frame in (
            ("S11:Eating", 30), ("S9:Eating", 0), ("S9:Eating", 70), ("S9:Eating", 110)))
        Path(f"frames/{camera}.txt").write_text("\n".join(keys))
    words = ["eval", "retrieval", "--h36m", "h36m", "--baselines", "--frame-list", "frames"]
    told = run.json(*words)
    points = np.stack([PEOPLE["S11"][3], *PEOPLE["S9"][[0, 7, 11]]])
    (expected,) = evaluate_views(points, project_views(points, CHEST4), {"k": Keypoints2D()}, cameras_name="",
                                 keypoints="")
    assert told["models"]["keypoints2d"]["frames"] == 4
    assert hits(told, "keypoints2d") == to_text(expected.hit)
    Path("frames.csv").write_text("clip,frame\nS9/Eating,0\nS9/Eating,7\n")
    run(*words[:-1], "frames.csv")
    assert "N = 2 frames" in run.out and "published" not in run.err
    run.fails(*words[:-1], "frames.csv", "--frames", 5, code=2, says=["--frame-list"])
    Path("frames.csv").write_text("clip,frame\nS9/Eating,9000\n")
    run.fails(*words[:-1], "frames.csv", code=2, says=["S9/Eating frame 9000"])


def test_listed_frames_that_a_camera_does_not_see_are_left_out_and_told(run: Shell, h36m: Path) -> None:
    views = list(held(project_views(PEOPLE["S9"], CHEST4)))
    views[2] = views[2].copy()
    views[2][10] = np.nan
    others = list(held(project_views(PEOPLE["S11"], CHEST4)))
    write_2d(Path("gap.npz"), {"S9": {"Eating": views}, "S11": {"Eating": others}})
    Path("frames.csv").write_text("clip,frame\nS9/Eating,0\nS9/Eating,10\nS9/Eating,20\n")
    run("eval", "retrieval", "--h36m", "h36m", "--detections", "gap.npz", "--frame-list", "frames.csv")
    assert "1 of 3 listed frames left out" in run.err and "N = 2 frames" in run.out


def test_mpi_inf_3dhp_in_eleven_cameras_and_at_chest_height(run: Shell, annotated: Path, tiny: Path) -> None:
    words = ["eval", "retrieval", "--mpi-inf-3dhp", annotated, "--model", "prvipe", "--model", tiny]
    whole, chest = run.json(*words, "--quiet"), run.json(*words, "--quiet", "--cameras", "chest5")
    assert [t["models"]["prvipe"]["cameras"] for t in (whole, chest)] == ["3dhp all11", "3dhp chest5"]
    assert whole["models"]["prvipe"]["frames"] == chest["models"]["prvipe"]["frames"] == 8
    assert "trained_on" not in whole["models"]["tiny"]  # its S1 is Human3.6M's
    run(*words, "--cameras", "chest5")
    assert "mean of all 20 pairs" in run.out and "8 frames, the published list has 6,824" in run.err
    assert list(run.json(*words, "--frames", 3, "--quiet")["models"]) == ["prvipe", "prvipe+pairs", "tiny"]


def test_who_was_trained_on_s11_is_told_so(run: Shell, h36m: Path, tiny: Path) -> None:
    words = ["eval", "retrieval", "--h36m", "h36m", "--model", tiny, "--frames", 6]
    assert run.json(*words)["models"]["tiny"]["trained_on"] == ["S11"]
    run(*words)
    assert "warning: tiny was trained on S11;" in run.err


@pytest.mark.parametrize(("words", "code", "says"), [
    (["--h36m", "h36m", "--data", "motion.npz"], 2, ["--data", "--h36m"]),
    (["--h36m", "h36m", "--mpi-inf-3dhp", "x"], 2, ["--mpi-inf-3dhp"]),
    (["--data", "motion.npz", "--detections", "detected.npz"], 2, ["--detections"]),
    (["--h36m", "h36m", "--keypoints", "noisy"], 2, ["--keypoints"]),
    (["--h36m", "h36m", "--hidden-pairs"], 2, ["--hidden-pairs"]),
    (["--h36m", "h36m", "--cameras", "chest5"], 2, ["--cameras"]),
    (["--mpi-inf-3dhp", "h36m", "--cameras", "chest4"], 2, ["chest5"]),
    (["--mpi-inf-3dhp", "h36m"], 3, ["annot.mat"]),
    (["--h36m", "nowhere"], 3, ["nowhere"]),
    (["--h36m", "h36m", "--detections", "nowhere.npz"], 3, ["nowhere.npz"]),
])
def test_wrong_usage(run: Shell, h36m: Path, words: list[str], code: int, says: list[str]) -> None:
    run.fails("eval", "retrieval", *words, code=code, says=says)
