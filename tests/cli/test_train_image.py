"""`samepose train image-embedding`, and `samepose export` of its runs, on drawn people and a tiny network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import scipy.io
import torch
from PIL import Image

from drawn_people import Shell
from samepose.embed.image import ImageEmbedder

TINY = ("--model.network", "paper", "--model.width", 0.03, "--batch", 6, "--steps", 2, "--validate-every", 2,
        "--threads", 1, "--quiet")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    return Shell(capsys)


def lspet(folder: Path, n: int = 12, hidden: int = 0) -> None:
    """Grey squares with made-up joints, in LSP-Extended's form; the first `hidden` have no hip."""
    (folder / "images").mkdir(parents=True)
    joints = np.concatenate([np.random.default_rng(0).uniform(5, 40, (14, 2, n)), np.ones((14, 1, n))], 1)
    joints[2, :, :hidden] = 0
    scipy.io.savemat(folder / "joints.mat", {"joints": joints})
    for i in range(n):
        Image.new("RGB", (48, 48), (i * 20, 90, 90)).save(folder / "images" / f"im{i + 1:05d}.jpg")


def test_a_run_on_labels_becomes_an_embedder(run: Shell, tmp_path: Path) -> None:
    lspet(tmp_path / "lspet", hidden=2)
    (tmp_path / "lspet" / "images" / "im00004.jpg").write_bytes(b"no image")
    words = ["train", "image-embedding", "--data", "lspet", "--validation", "lspet", "--out", "run", *TINY]
    told = run.json(*words)
    assert told["steps"] == 2 and {"hit1", "hit10"} < set(told["validation"])
    why = {left["why"]: left["people"] for left in told["left_out"]}
    assert why["hidden torso"] >= 1 and why["unreadable image"] <= 1
    run.fails(*words, code=2, says=["--resume"])
    assert run.json(*words, "--resume")["validation"] == told["validation"]
    written = run.json("export", "run", "--out", "x.onnx", "--quiet")
    embedder = ImageEmbedder.load("x.onnx")
    assert written["name"] == embedder.name == "image-run" and written["sha256"] == embedder.sha256
    assert embedder.matching.a == pytest.approx(told["validation"]["a"])


def test_a_rivals_joints_are_exported_with_their_names(run: Shell, tmp_path: Path) -> None:
    lspet(tmp_path / "lspet")
    run.json("train", "image-embedding", "--data", "lspet", "--validation", "none", "--model.objective", "joints",
             "--out", "run", *TINY)
    run.json("export", "run", "--out", "x.onnx", "--name", "deep", "--quiet")
    session = onnxruntime.InferenceSession("x.onnx")
    told = json.loads(session.get_modelmeta().custom_metadata_map["samepose_joints"])
    assert told["name"] == "deep" and "left_hip" in told["joints"]
    assert session.run(None, {"image": np.zeros((2, 128, 128, 3), np.float32)})[0].shape == (2, 14, 2)


def test_judgements_alone_are_enough_and_bad_lines_are_named(run: Shell, tmp_path: Path) -> None:
    for k, name in enumerate("abc"):
        Image.new("RGB", (40, 40), (60 * k, 90, 90)).save(tmp_path / f"{name}.png")
    lines = ("anchor,positive,negative", "a.png,b.png,c.png", "a.png,b.png,b.png", "x.png,a.png,b.png")
    (tmp_path / "j.csv").write_text("\n".join(lines))
    told = run.json("train", "image-embedding", "--judgements", "j.csv", "--out", "run", *TINY)
    assert [left["line"] for left in told["left_out"]] == [3, 4] and "line 3" in run.err
    assert 0 <= told["validation"]["agreed"] <= 1
    run.json("export", "run", "--out", "x.onnx", "--quiet")
    assert ImageEmbedder.load("x.onnx").dimensions == 128


def test_one_source_to_learn_from_is_needed(run: Shell, tmp_path: Path) -> None:
    run.fails("train", "image-embedding", "--out", "run", *TINY, code=2, says=["--data", "--judgements"])
    (tmp_path / "j.csv").write_text("a,b\n")
    words = ("train", "image-embedding", "--judgements", "j.csv", "--out", "run", *TINY)
    run.fails(*words, code=3, says=["anchor,positive"])
    assert not (tmp_path / "run").exists()


def test_one_flag_leaves_the_others_defaults_as_they_are(run: Shell, tmp_path: Path) -> None:
    lspet(tmp_path / "lspet")
    run.json("train", "image-embedding", "--data", "lspet", "--validation", "none", "--out", "run",
             "--augment.flip", 0.4, *TINY)
    kept = json.loads((tmp_path / "run" / "config.json").read_text())
    augment, loop = kept["recipe"]["augment"], kept["loop"]
    assert [augment[name] for name in ("rotation", "any_way_up", "shift", "flip", "hide")] == [15, 0, 0.06, 0.4, 0.3]
    assert (loop["steps"], loop["learning_rate"], loop["ema"], loop["precision"]) == (2, 0.001, 0.99, "bf16-mixed")
    assert kept["recipe"]["loss"] == "pairs"
