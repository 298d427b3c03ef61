"""`samepose lift` on drawn people with the shipped networks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import samepose
from drawn_people import Shell, photo, video
from samepose.formats.motion import read_motion
from samepose.skeleton import H36M17


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


def test_everyone_in_a_photo(run: Shell) -> None:
    photo(Path("two.png"), people=2, arms=80)
    told = run.json("lift", "two.png", "--out", "two.json", "--height", 1.6)
    assert json.loads(Path("two.json").read_text()) == told
    assert [p["person"] for p in told["people"]] == [0, 1]
    for person in told["people"]:
        points = dict(zip(H36M17.joints, person["points"]))
        assert person["time"] is None and person["skeleton"] == "H36M17"
        assert points["left_wrist"][0] > points["left_shoulder"][0] > points["right_shoulder"][0]  # they face us
        assert points["head_top"][1] > points["pelvis"][1] > points["left_knee"][1] > points["left_ankle"][1]
        assert sum(a["weight"] for a in person["alternatives"]) == pytest.approx(1, abs=1e-3)
        assert person["alternatives"][0]["points"] == person["points"]
    one = run.json("lift", "two.png", "--person", 1, "--height", 1.6)
    assert one["people"] == told["people"][1:]
    run.fails("lift", "two.png", "--out", "two.bvh", code=2, says=["2 people", "--person"])
    text = run("lift", "two.png", "--person", 0, "--view", "two.html", "--out", "one.bvh").out
    assert len(read_motion(Path("one.bvh"), None).points) == 1
    assert "data:image/" in Path("two.html").read_text()
    assert "1 person" in text and "cm on average" in text


def test_structnet_looks_at_the_pixels(run: Shell) -> None:
    photo(Path("one.png"), people=1, arms=80)
    told = run.json("lift", "one.png", "--model", "structnet", "--view", "one.html", "--height", 1.6)
    (person,) = told["people"]
    points = np.array(person["points"])
    assert points.shape == (17, 3) and 0.5 < np.ptp(points[:, 1]) < 2.2
    assert sum(a["weight"] for a in person["alternatives"]) == pytest.approx(1, abs=1e-3)
    assert "data:image/" in Path("one.html").read_text()
    video(Path("clip.mp4"))
    run.fails("lift", "clip.mp4", "--model", "structnet", code=2, says=["clip.mp4", "one picture", "--at"])
    (person,) = run.json("lift", "clip.mp4", "--at", 0.2, "--model", "structnet")["people"]
    assert person["time"] == pytest.approx(0.2, abs=0.1)


def test_a_video_becomes_a_motion(run: Shell) -> None:
    video(Path("clip.mp4"))
    told = run.json("lift", "clip.mp4", "--out", "clip.bvh", "--view", "clip.html")
    assert "data:video/mp4" in Path("clip.html").read_text()
    people = told["people"]
    times = [p["time"] for p in people]
    assert len(people) > 5 and times == sorted(times) and len({p["person"] for p in people}) == 1
    points = np.array([p["points"] for p in people])
    shank = np.linalg.norm(points[:, H36M17.index("left_knee")] - points[:, H36M17.index("left_ankle")], axis=1)
    assert np.ptp(shank) < 0.01 * shank.mean()
    assert read_motion(Path("clip.bvh"), None).points.shape[1:] == (17, 3)
    moment = run.json("lift", "clip.mp4", "--at", 0.2)
    assert len(moment["people"]) == 1 and moment["people"][0]["time"] == pytest.approx(0.2, abs=0.1)


@pytest.mark.parametrize("words, code, says", [
    (("nobody.png",), 3, ["nobody.png", "nobody was found"]),
    (("broken.jpg",), 3, ["broken.jpg"]),
    (("missing.jpg",), 3, ["missing.jpg", "no such file"]),
    (("one.png", "--out", "x.fbx"), 2, ["x.fbx", "*.bvh"]),
    (("one.png", "--view", "x.png"), 2, ["x.png", "*.html"]),
    (("one.png", "--out", "one.png"), 2, ["one.png"]),
    (("one.png", "--person", "4"), 2, ["one.png", "no person 4"]),
    (("one.png", "--at", "1"), 2, ["one.png", "--at is for videos"]),
    (("one.png", "--height", "170"), 2, ["one.png", "--height is 170", "metres"]),
    (("one.png", "--model", "magic"), 2, ["magic"]),
    (("clip.mp4", "--at", "99"), 3, ["clip.mp4", "99"]),
    (("clip.mp4", "--at", "-1"), 2, ["--at"]),
    (("clip.mp4", "--person", "9"), 2, ["clip.mp4", "no person 9"]),
])
def test_bad_input_is_one_clear_line(run: Shell, words: tuple[str, ...], code: int, says: list[str]) -> None:
    photo(Path("one.png"))
    photo(Path("nobody.png"), people=0)
    Path("broken.jpg").write_bytes(b"\xff\xd8no picture")
    video(Path("clip.mp4"))
    run.fails("lift", *words, code=code, says=says)


def test_nobody_with_enough_joints(run: Shell) -> None:
    points = np.full((1, 17, 2), np.nan)
    points[0, :4] = 10
    samepose.save_poses("few.npz", samepose.Poses.of(points, samepose.SKELETONS["COCO17"]))
    run.fails("lift", "few.npz", code=3, says=["few.npz", "too few joints"])
