"""`samepose train pairs`, resuming, export that computes the same, and calibration."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from drawn_people import Shell
from made_up_motion import made_up, some_people
from samepose.embed.lifting import shipped_lifting
from samepose.embed.pairs import PairMatching, PairModel, PairsInfo
from samepose.evaluation.views import CHEST4, keypoint_views, project_views
from samepose.formats.multiview import MultiView, read_views, write_views
from samepose.formats.subjects import load_many
from samepose.geometry.two_views import two_view_features
from samepose.models.pairs import PairNetwork, PairsConfig
from samepose.training.pairs.export import export
from samepose.training.pairs.recipe import UNFITTED

TINY = ("--model.width", 16, "--batch", 16, "--shortlist", 4, "--steps", 4, "--validate-every", 2, "--save-every", 2,
        "--threads", 1, "--quiet")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


def test_a_run_is_trained_resumed_exported_and_calibrated(run: Shell) -> None:
    made_up(Path("mocap.npz"), ("ann", "bob", "eve", "sam"), each=12)
    Path("held.txt").write_text("eve\nsam\n")
    words = ["train", "pairs", "--data", "mocap.npz", "--held-out", "held.txt", "--out", "run", *TINY]
    told = run.json(*words)
    assert set(told["validation"]) == {"hit1_perfect", "hit1_noisy", "hit1_detected"}
    assert 0 < told["validation"]["hit1_perfect"] <= 1
    run.fails(*words, code=2, says=["--resume"])
    assert run.json(*words, "--resume")["validation"] == told["validation"]

    run.json("export", "run", "--out", "plain.onnx", "--quiet")
    plain = PairModel.load("plain.onnx")
    assert plain.info == PairsInfo("pairs-run", UNFITTED, ("ann", "bob"))
    told = run.json("export", "run", "--out", "x.onnx", "--calibrate", "mocap.npz", "--held-out", "held.txt", "--quiet")
    fitted = told["calibration"]
    assert {(t["cameras"], t["keypoints"]) for t in fitted["tests"]} == {
        (c, k) for c in ("chest4", "all11") for k in ("perfect", "noisy", "detected")}
    assert PairModel.load("x.onnx").info.matching == PairMatching(**fitted["matching"])
    run.fails("export", "run", "--out", "y.onnx", "--calibrate", "mocap.npz", "--held-out", written("ann\nbob\n"),
              code=2, says=["trained on ann, bob", "--held-out"])
    run.fails("export", "run", "--out", "y.onnx", "--calibration", "x.onnx", code=2, says=["--calibrate"])

    document = run.json("eval", "retrieval", "--data", "mocap.npz", "--frames", 20, "--pairs", "x.onnx", "--quiet",
                        "--held-out", "held.txt", "--cameras", "chest4", "--model", "prvipe")
    assert list(document["models"]) == ["prvipe", "prvipe+pairs-run"]


def test_an_exported_network_is_calibrated_anew_and_with_views(run: Shell) -> None:
    made_up(Path("mocap.npz"), ("ann", "bob", "eve", "sam"), each=12)
    Path("held.txt").write_text("eve\nsam\n")
    run.json("train", "pairs", "--data", "mocap.npz", "--held-out", "held.txt", "--out", "run", *TINY)
    run.json("export", "run", "--out", "plain.onnx", "--name", "mine", "--quiet")
    poses = load_many([Path("mocap.npz")], None)
    names = tuple(f"{name}/walk" for name in poses.subject_names)
    write_views(Path("views.npz"), MultiView(
        keypoint_views(poses.points, CHEST4, "noisy"), poses.points.astype(np.float32), tuple("abcd"),
        poses.subject.astype(np.int64), names, np.arange(len(poses))))
    words = ["export", "plain.onnx", "--calibrate", "mocap.npz", "--held-out", "held.txt", "--quiet"]
    without = run.json(*words, "--out", "x.onnx")["calibration"]
    told = run.json(*words, "--out", "y.onnx", "--views", "views.npz")["calibration"]
    assert len(told["tests"]) == len(without["tests"]) + 3 and told["matching"] == without["matching"]
    seen = [t for t in told["tests"] if t["cameras"] == "any"]
    assert [(t["keypoints"], t["people"]) for t in seen] == [("detector", half) for half in ("A", "B", "both")]
    assert seen[2]["pairs"] == seen[0]["pairs"] + seen[1]["pairs"]
    again, plain = PairModel.load("y.onnx"), PairModel.load("plain.onnx")
    lifting = shipped_lifting().info.name
    assert again.info == PairsInfo("mine", PairMatching(**told["matching"]), ("ann", "bob"), lifting)
    first, second = project_views(some_people(5), CHEST4[:2])
    assert (again.logits(first, second) == plain.logits(first, second)).all()
    run.fails("export", "plain.onnx", "--out", "z.onnx", "--views", "views.npz", code=2, says=["--calibrate"])
    write_views(Path("ann.npz"), read_views(Path("views.npz")).take(np.flatnonzero(poses.subject == 0)))
    run.fails(*words, "--out", "z.onnx", "--views", "ann.npz", code=2, says=["0 instants of", "held out"])


def written(names: str) -> Path:
    path = Path("others.txt")
    path.write_text(names)
    return path


def test_too_few_poses_for_a_batch_are_refused(run: Shell) -> None:
    made_up(Path("mocap.npz"), each=10)
    run.fails("train", "pairs", "--data", "mocap.npz", "--out", "run", "--steps", 1, code=2,
              says=["poses for a batch of 1024", "smaller batch"])
    run.fails("train", "pairs", "--data", "mocap.npz", "--out", "run", "--shortlist", 1, code=2,
              says=["shortlist is 1"])


def test_learning_lowers_the_loss(run: Shell) -> None:
    made_up(Path("mocap.npz"), each=300)
    run.json("train", "pairs", "--data", "mocap.npz", "--out", "run", "--model.width", 64, "--batch", 64, "--shortlist",
             8, "--steps", 80, "--validate-every", 80, "--threads", 1, "--ema", 0.8, "--quiet", "--augment.limbs", 0,
             "--augment.detector", 0, "--augment.jitter", 0, "--augment.hide", 0, "--augment.swap", 0)
    (trained,) = (json.loads(line) for line in Path("run/validation.jsonl").read_text().splitlines())
    run.json("train", "pairs", "--data", "mocap.npz", "--out", "new", "--model.width", 64, "--batch", 64, "--shortlist",
             8, "--steps", 1, "--learning-rate", 1e-9, "--threads", 1, "--quiet")
    (untrained,) = (json.loads(line) for line in Path("new/validation.jsonl").read_text().splitlines())
    assert trained["hit1_perfect"] > untrained["hit1_perfect"] + 0.05


def test_the_exported_network_computes_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = PairNetwork(PairsConfig(width=32))
    first, second = project_views(some_people(50), CHEST4[:2])
    features = torch.from_numpy(two_view_features(first, second, np.ones((50, 13), bool)))
    for _ in range(3):
        network.train()(features)
    export(network.eval(), PairsInfo("x", PairMatching(1, 1)), tmp_path / "x.onnx")
    with torch.no_grad():
        told = network(features).numpy()
    assert PairModel.load(tmp_path / "x.onnx").logits(first, second) == pytest.approx(told, abs=5e-3)
