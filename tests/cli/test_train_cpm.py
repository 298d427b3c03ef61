"""`samepose train cpm` and `samepose export` of its runs, on drawn people and a tiny network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from PIL import Image

from drawn_people import Shell
from samepose.cli.train_cpm import _text
from samepose.detection.cpm import CPM
from samepose.skeleton import LSP14

TINY = ("--model.features", "paper", "--model.size", 32, "--model.width", 4, "--model.layers", 1, "--model.kernel", 3,
        "--model.stages", 2, "--batch", 2, "--threads", 1, "--quiet")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    return Shell(capsys)


def lspet(folder: Path, n: int = 6) -> None:
    """Grey squares with made-up joints, in LSP-Extended's form."""
    (folder / "images").mkdir(parents=True)
    joints = np.concatenate([np.random.default_rng(0).uniform(5, 40, (14, 2, n)), np.ones((14, 1, n))], 1)
    scipy.io.savemat(folder / "joints.mat", {"joints": joints})
    for i in range(n):
        Image.new("RGB", (48, 48), (i * 30, 90, 90)).save(folder / "images" / f"im{i + 1:05d}.jpg")


def test_a_run_goes_on_and_becomes_a_detector(run: Shell, tmp_path: Path) -> None:
    lspet(tmp_path / "lspet")
    lspet(tmp_path / "others")
    (tmp_path / "lspet" / "images" / "im00002.jpg").write_bytes(b"no image")
    words = ["train", "cpm", "--data", "lspet", "--validation", "others", "--out", "run", *TINY]
    told = run.json(*words, "--steps", 4, "--validate-every", 2)
    assert told["steps"] == 4 and set(told["validation"]) == {"pck_stage1", "pck_stage2"}
    assert told["unreadable"] <= 1
    again = run.json(*words, "--steps", 4, "--validate-every", 2, "--resume")
    assert again["validation"] == told["validation"]
    written = run.json("export", "run", "--out", "x.onnx", "--quiet")
    assert written["name"] == "cpm-run" and written["bytes"] == (tmp_path / "x.onnx").stat().st_size
    assert CPM(tmp_path / "x.onnx").name.startswith("cpm-run")


def test_figures_are_told_by_stage() -> None:
    assert _text({"pck_stage1": 0.612, "pck_stage2": 0.65}) == "61.2, 65.0 % (stages 1, 2)"
    assert len(LSP14) == 14
