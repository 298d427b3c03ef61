"""The networks that joints are found with, by name or by file, in every verb that looks for people."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from drawn_people import Shell, photo
from samepose.formats.keypoints import load_poses
from samepose.weights import weight_file


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


def test_a_network_of_ones_own_finds_what_the_shipped_one_of_the_same_weights_finds(run: Shell, tmp_path: Path) -> None:
    photo(tmp_path / "a.png", 1)
    shutil.copy(weight_file("cpm-synthetic"), tmp_path / "mine.onnx")
    for name in ("cpm-synthetic", "mine.onnx", "cpm", "movenet"):
        run("detect", "a.png", "--mode", "fast", "--detector", name, "--out", f"{name}.npz")
        assert run.err.count("research only") == (name == "cpm")
    points = {name: load_poses(tmp_path / f"{name}.npz").poses.points
              for name in ("cpm-synthetic", "mine.onnx", "cpm", "movenet")}
    np.testing.assert_array_equal(points["cpm-synthetic"], points["mine.onnx"])
    assert not np.array_equal(points["cpm-synthetic"], points["cpm"], equal_nan=True)
    assert not np.array_equal(points["cpm-synthetic"], points["movenet"], equal_nan=True)


def test_the_index_keeps_the_name_of_the_network_and_the_licence_is_told_once(run: Shell, tmp_path: Path) -> None:
    photo(tmp_path / "a.png", 1)
    run("index", "a.png", "--mode", "fast", "--detector", "cpm-synthetic")
    assert run.json("search", "a.png", "--mode", "fast", "--detector", "cpm-synthetic")["results"] is not None
    assert run("search", "a.png", "--mode", "fast", "--detector", "cpm").err.count("research only") == 1
    assert run("search", "a.png", "--mode", "fast", "--detector", "cpm", "--quiet").err == ""


def test_the_index_says_for_how_long_it_holds_people_of_a_research_only_network(run: Shell, tmp_path: Path) -> None:
    """As long as somebody in it was found by one, whoever named the network and whatever reads the next files."""
    for n, name in enumerate("abc"):
        photo(tmp_path / f"{name}.png", n)
    shutil.copy(weight_file("cpm"), tmp_path / "renamed.onnx")
    run("index", "a.png", "--mode", "fast", "--detector", "movenet")
    assert run.json("info")["research_only"] == 0 and "research only" not in run("info").out
    run("index", "b.png", "--mode", "fast", "--detector", "renamed.onnx")
    assert run.err.count("research only") == 1
    run("index", "c.png", "--mode", "fast", "--detector", "movenet")
    assert run.json("info")["research_only"] == 1
    assert "licence:        1 file was read by a network that is for research only" in run("info").out
    run("remove", "b.png", "--yes")
    assert run.json("info")["research_only"] == 0


@pytest.mark.parametrize("words", [
    ["detect", "a.png"], ["index", "a.png"], ["search", "a.png"], ["align", "a.mp4", "b.mp4"],
    ["find", "a.mp4", "--in", "b.mp4"], ["count", "a.mp4", "--in", "b.mp4"],
    ["recognise", "a.mp4", "--examples", "folder"],
])
def test_every_verb_that_looks_takes_a_detector_and_refuses_what_is_none(
    run: Shell, words: list[str], tmp_path: Path
) -> None:
    photo(tmp_path / "a.png", 1)
    for name in ("a.mp4", "b.mp4", "folder/jump/c.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    run("index", "a.png", "--mode", "fast")
    error = run.fails(*words, "--detector", "yolo", code=2 if words[0] != "recognise" else 3)
    assert re.search("--detector is yolo; use movenet, cpm, cpm-synthetic, or an .onnx file that is there", error)
