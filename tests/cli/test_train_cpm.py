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
from samepose.training.cpm.data import People

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


def lsp(folder: Path) -> None:
    """All of LSP's labels and three of its photographs: of two people to train on and of one kept for tests."""
    (folder / "images").mkdir(parents=True)
    joints = np.concatenate([np.random.default_rng(0).uniform(5, 40, (2, 14, 2000)), np.zeros((1, 14, 2000))])
    joints[2, 0, 0] = 1  # somebody's joint is occluded, so that the flags tell what they mean
    scipy.io.savemat(folder / "joints.mat", {"joints": joints})
    for number in (1, 1000, 1001):
        Image.new("RGB", (48, 48), (90, 90, 90)).save(folder / "images" / f"im{number:04d}.jpg")


def flic(folder: Path, tests: int = 2, split: tuple[str, str] = ("istrain", "istest")) -> None:
    """Five people of FLIC, some of whom are for tests, and the names of the fields that tell."""
    (folder / "images").mkdir(parents=True)
    coords = np.random.default_rng(0).uniform(5, 40, (2, 29))
    records = np.zeros(5, [(name, "O") for name in ("filepath", "coords", "torsobox", *split)])
    for k in range(5):
        records[k] = (f"film-{k}.jpg", coords, [10.0, 10, 30, 30], int(k >= tests), int(k < tests))
        Image.new("RGB", (48, 48), (90, 90, 90)).save(folder / "images" / f"film-{k}.jpg")
    scipy.io.savemat(folder / "examples.mat", {"examples": records})


def trained_on(monkeypatch: pytest.MonkeyPatch) -> dict[str, People | None]:
    """Who gets as far as the training, which is left out."""
    seen: dict[str, People | None] = {}

    def train(train: People, validation: People | None, *_: object, **__: object) -> dict[str, float]:
        seen.update(train=train, validation=validation)
        return {}

    monkeypatch.setattr("samepose.training.cpm.recipe.train_cpm", train)
    return seen


def test_nobody_kept_for_tests_is_trained_on(run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lsp(tmp_path / "lsp")
    flic(tmp_path / "flic")
    lspet(tmp_path / "lspet", 60)
    seen = trained_on(monkeypatch)
    words = [w for w in TINY if w != "--quiet"]
    told = run.json("train", "cpm", "--data", "lsp", "--data", "flic", "--data", "lspet", "--out", "run", *words)
    assert seen["train"] is not None and seen["validation"] is not None
    names = {people.images[i].name for people in seen["train"].sets for i in range(len(people))}
    assert {"im00001.jpg", "film-2.jpg"} <= names and not names & {"im01001.jpg", "film-0.jpg", "film-1.jpg"}
    kept = len(seen["validation"])
    assert [len(people) for people in seen["train"].sets] == [1000, 3, 60 - kept]
    assert [left["people"] for left in told["left_out"]] == [1000, 2, kept]
    assert "LSP: 1,000 people left out" in run.err and "FLIC: 2 people left out" in run.err


def test_validation_is_on_the_people_kept_for_it(run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flic(tmp_path / "flic")
    seen = trained_on(monkeypatch)
    run.json("train", "cpm", "--data", "flic", "--validation", "flic", "--out", "run", *TINY)
    assert seen["train"] is not None and seen["validation"] is not None
    trained, kept = ({people.images[i].name for people in seen[part].sets for i in range(len(people))}
                     for part in ("train", "validation"))
    assert kept == {"film-0.jpg", "film-1.jpg"} and trained == {"film-2.jpg", "film-3.jpg", "film-4.jpg"}


def test_labels_that_do_not_tell_the_tests_are_named(
    run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flic(tmp_path / "flic", split=("some", "other"))
    trained_on(monkeypatch)
    run.json("train", "cpm", "--data", "flic", "--out", "run", *[w for w in TINY if w != "--quiet"])
    assert "FLIC: its labels do not tell who is kept for tests" in run.err


def test_figures_are_told_by_stage() -> None:
    assert _text({"pck_stage1": 0.612, "pck_stage2": 0.65}) == "61.2, 65.0 % (stages 1, 2)"
    assert len(LSP14) == 14
