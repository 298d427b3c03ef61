"""What a detector saw of people in several cameras: `train prvipe --views` and `eval retrieval --views`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from drawn_people import Shell
from made_up_motion import made_up
from samepose.evaluation.retrieval import select_frames
from samepose.evaluation.views import CHEST4, keypoint_views
from samepose.formats.multiview import MultiView, write_views
from samepose.formats.subjects import load_many

TINY = ("--model.width", 16, "--batch", 16, "--steps", 4, "--validate-every", 4, "--save-every", 2, "--threads", 1,
        "--quiet")


def seen(names: tuple[str, ...], path: Path) -> Path:
    """Some of the people of mocap.npz in four cameras."""
    poses = load_many([Path("mocap.npz")], None)
    rows = np.flatnonzero(np.isin(np.array(poses.subject_names)[poses.subject], names))
    points = poses.points[rows].astype(np.float32)
    write_views(path, MultiView(keypoint_views(points, CHEST4, "noisy"), points, tuple("abcd"),
                                poses.subject[rows].astype(np.int64),
                                tuple(f"{name}/walk" for name in poses.subject_names), np.arange(len(rows))))
    return path


@pytest.fixture
def mocap(run: Shell) -> Path:
    Path("held.txt").write_text("eve\n")
    return made_up(Path("mocap.npz"), ("ann", "bob", "eve"), each=20)


@pytest.mark.usefixtures("mocap")
def test_training_beside_views_is_another_run_and_resumes_as_one(run: Shell) -> None:
    words = ["train", "prvipe", "--data", "mocap.npz", "--held-out", "held.txt", *TINY]
    views = seen(("ann",), Path("ann.npz"))
    run.json(*words, "--out", "plain")
    told = run.json(*words, "--out", "seen", "--views", views)
    weights = [Path(name, "checkpoint.safetensors").read_bytes() for name in ("plain", "seen")]
    assert weights[0] != weights[1] and 0 < told["validation"]["hit1_chest4_perfect"] <= 1
    origin = json.loads(Path("seen/config.json").read_text())["origin"]
    assert origin["subjects"] == ["ann", "bob"] and len(origin["views"]) == 64
    run.fails(*words, "--out", "seen", "--resume", code=2, says=["seen"])
    run.json(*words, "--out", "seen", "--views", views, "--resume")


@pytest.mark.usefixtures("mocap")
def test_whom_one_validates_on_may_not_be_in_the_views(run: Shell) -> None:
    words = ["train", "prvipe", "--data", "mocap.npz", "--held-out", "held.txt", *TINY, "--out", "out"]
    run.fails(*words, "--views", seen(("ann", "eve"), Path("both.npz")), code=2,
              says=["both.npz", "eve", "validated on"])
    run.fails(*words, "--views", "mocap.npz", code=3, says=["mocap.npz", "no file of views"])
    run.fails(*words, "--views", "none.npz", code=3, says=["none.npz"])
    run.fails(*words, "--views", seen(("ann",), Path("ann.npz")), "--model.kind", "lifting", code=2,
              says=["--views", "lifting"])
    run.fails(*words, "--views", "ann.npz", "--seen", 1, code=2, says=["seen is 1"])


@pytest.mark.usefixtures("mocap")
def test_retrieval_is_measured_on_views(run: Shell) -> None:
    views = seen(("eve",), Path("eve.npz"))
    told = run.json("eval", "retrieval", "--views", views, "--baselines", "--quiet")
    assert list(told["models"]) == ["prvipe", "prvipe+pairs", "keypoints2d"]
    for model in told["models"].values():
        assert (model["cameras"], model["keypoints"]) == ("any", "detector")
        assert model["frames"] == len(select_frames(load_many([Path("mocap.npz")], None).points[40:]))
    assert told["models"]["prvipe"]["hit"]["0.1"]["1"] > 0.5
    run.fails("eval", "retrieval", "--views", views, "--cameras", "chest4", code=2, says=["--cameras"])
    run.fails("eval", "retrieval", "--views", views, "--data", "mocap.npz", code=2, says=["--views"])
    run.fails("eval", "retrieval", "--views", "mocap.npz", code=3, says=["no file of views"])
