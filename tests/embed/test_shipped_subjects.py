"""Whom the shipped Pr-VIPE was trained on: the names beside it, their warning, and that no index is stale for them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from drawn_people import Shell
from made_up_motion import made_up
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.formats.motion import MOTION_SUFFIXES, identify
from samepose.formats.subjects import read_subjects
from samepose.models.prvipe import PrVipe, PrVipeConfig
from samepose.training.prvipe.export import export, info_of

WEIGHTS = Path(str(files("samepose.weights") / "prvipe.onnx"))


def test_the_names_are_those_of_these_very_weights() -> None:
    told = json.loads(WEIGHTS.with_suffix(".json").read_text())
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    # What an index remembers is the file's hash, as before.
    assert told["sha256"] == digest == PrVipeEmbedder.load().sha256
    assert PrVipeEmbedder.load().info.subjects == PrVipeEmbedder.load(WEIGHTS).info.subjects == tuple(told["subjects"])
    assert set(read_subjects()) <= set(told["subjects"])  # in the end it was trained on everybody
    card = WEIGHTS.with_name("PRVIPE.md").read_text()
    assert f"{len(told['subjects'])} subjects" in card


def names_in(archive: Path) -> Iterator[str]:
    with tarfile.open(archive, "r|xz") as tar:
        for member in tar:
            if Path(member.name).suffix.lower() in MOTION_SUFFIXES:
                yield identify(Path(member.name))[1]


@pytest.mark.skipif("SAMEPOSE_SHARED" not in os.environ,
                    reason="SAMEPOSE_SHARED does not name the folder with data/cmu.tar.xz and data/hdm05.tar.xz")
def test_they_are_all_the_people_of_the_motion_capture() -> None:
    data = Path(os.environ["SAMEPOSE_SHARED"]) / "data"
    people = {name for archive in ("cmu.tar.xz", "hdm05.tar.xz") for name in names_in(data / archive)}
    assert set(PrVipeEmbedder.load().info.subjects) == people


def test_names_beside_other_weights_do_not_count(tmp_path: Path) -> None:
    copy = Path(shutil.copy(WEIGHTS, tmp_path / "prvipe.onnx"))
    assert PrVipeEmbedder.load(copy).info.subjects == () and PrVipeEmbedder.load(copy).moment is None
    beside = Path(shutil.copy(WEIGHTS.with_suffix(".json"), tmp_path))
    assert "cmu-02" in PrVipeEmbedder.load(copy).info.subjects
    torch.manual_seed(0)
    model = PrVipe(PrVipeConfig(width=8)).eval()
    export(model, info_of(model, "other"), copy)
    assert PrVipeEmbedder.load(copy).info.subjects == ()
    digest = PrVipeEmbedder.load(copy).sha256
    for text in ("no", "[]", "{}", json.dumps({"sha256": digest, "moment": {"seconds": [0.3]}}),
                 json.dumps({"sha256": digest, "subjects": 3})):
        beside.write_text(text)
        assert PrVipeEmbedder.load(copy).info.subjects == ()
    beside.write_text(json.dumps({"sha256": digest, "subjects": ["eve"]}))
    assert PrVipeEmbedder.load(copy).info.subjects == ("eve",)
    export(model, info_of(model, "other", ["ann"]), copy)  # a file that tells is believed
    beside.write_text(json.dumps({"sha256": PrVipeEmbedder.load(copy).sha256, "subjects": ["eve"]}))
    assert PrVipeEmbedder.load(copy).info.subjects == ("ann",)


def test_whoever_measures_it_on_its_own_people_is_warned(run: Shell) -> None:
    made_up(Path("motion.npz"), ("ann", "cmu-02", "hdm05-tr"), 20)
    measure = ["eval", "retrieval", "--data", "motion.npz", "--cameras", "chest4", "--frames", 20]
    explain = ["explain", "prvipe", "--data", "motion.npz", "--out", "pictures", "--frames", 60, "--force"]
    assert run.json(*measure)["models"]["prvipe"]["trained_on"] == ["cmu-02", "hdm05-tr"]
    assert run.json(*explain)["trained_on"] == ["cmu-02", "hdm05-tr"]
    for words in (measure, explain):
        assert "was trained on cmu-02, hdm05-tr;" in run(*words).err
    Path("ann.txt").write_text("ann\n")
    assert "trained_on" not in run.json(*measure, "--held-out", "ann.txt")["models"]["prvipe"]
    assert "trained_on" not in run.json(*explain, "--held-out", "ann.txt")
    assert "trained on" not in run(*explain, "--held-out", "ann.txt").err


def test_new_descriptions_of_the_shipped_weights_carry_the_names(run: Shell) -> None:
    run("export", WEIGHTS, "--out", "again.onnx", "--name", "again", "--quiet")
    again, shipped = PrVipeEmbedder.load("again.onnx"), PrVipeEmbedder.load()
    assert shipped.moment is not None and again.moment == shipped.moment  # inside the file now
    assert again.info.subjects == shipped.info.subjects and again.sha256 != shipped.sha256
    keypoints = np.random.default_rng(0).normal(size=(5, 13, 2)).astype(np.float32)
    np.testing.assert_array_equal(again.embed_keypoints(keypoints).mean, shipped.embed_keypoints(keypoints).mean)
