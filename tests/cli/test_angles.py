"""`samepose detect --csv`: the angles at the joints, by their names in sports science."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from drawn_people import Shell, photo, share_networks, standing, video
from samepose.geometry.angles import SPORTS, sports_angles
from samepose.poses import Poses
from samepose.skeleton import COCO17


def test_straight_limbs_have_no_flexion_and_a_raised_arm_is_elevated() -> None:
    at = {"shoulder": (0, 0), "elbow": (1, 0), "wrist": (1, -1), "hip": (0, 2), "knee": (0, 3), "ankle": (0, 4)}
    points = np.array([at.get(joint.partition("_")[2], (0, -1)) for joint in COCO17.joints], float)[None]
    angles = dict(zip(SPORTS, sports_angles(Poses.of(points, COCO17))[0]))
    for side in ("left", "right"):
        assert angles[f"{side}_elbow_flexion"] == pytest.approx(90)
        assert angles[f"{side}_shoulder_elevation"] == pytest.approx(90)
        assert angles[f"{side}_hip_flexion"] == angles[f"{side}_knee_flexion"] == pytest.approx(0)
    assert np.isnan(sports_angles(standing(0, 0).hide(["left_knee"]))[0, [SPORTS.index("left_hip_flexion")]]).all()


def test_a_row_for_each_person_in_each_picture(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    share_networks(monkeypatch)
    run = Shell(capsys)
    photo(tmp_path / "two.png", 2)
    video(tmp_path / "clip.mp4", frames=10)
    found = run.json("detect", "two.png", "clip.mp4", "--csv", "angles.csv")
    rows = list(csv.DictReader(Path("angles.csv").read_text().splitlines()))
    assert len(rows) == len(found) and list(rows[0]) == ["path", "frame", "time", "person", *SPORTS]
    assert {row["time"] for row in rows if row["path"] == "two.png"} == {""}
    arm = [float(row["left_shoulder_elevation"]) for row in rows if row["path"] == "clip.mp4"]
    assert arm[-1] - arm[0] > 30  # the drawn arms rise by 60 degrees
    run.fails("detect", "two.png", "--csv", "angles.txt", code=2, says=["*.csv"])
