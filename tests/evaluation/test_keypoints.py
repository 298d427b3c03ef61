"""PCK and its relatives against plain loops, and `samepose eval keypoints` on a made-up data set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from blob_network import data_set, standing, write_network
from drawn_people import Shell
from samepose.evaluation.keypoint_run import Found, Looker, look_at, measure
from samepose.evaluation.keypoints import (
    LIMB_JOINTS,
    errors,
    head_units,
    observer_centric,
    torso_units,
    viewpoints,
)
from samepose.formats.labelled import LabelledPeople
from samepose.formats.rendered import RenderedPeople
from samepose.poses import Poses
from samepose.skeleton import LSP14, MPII16

N, J = 40, len(LSP14)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return Shell(capsys)


def made_up(seed: int = 0) -> tuple[LabelledPeople, np.ndarray]:
    """Random people with joints missing and hidden, and what a detector found."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 100, (N, J, 2)).astype(np.float32)
    found = points + rng.normal(0, 8, points.shape)
    points[rng.random((N, J)) < 0.2] = np.nan
    found[rng.random((N, J)) < 0.05] = np.nan
    points[:, LSP14.index("left_wrist")] = np.nan  # a joint that nobody has
    people = LabelledPeople.of("made up", Poses.of(points, LSP14), [Path(f"{i}.jpg") for i in range(N)],
                               occluded=rng.random((N, J)) < 0.2)
    return people, found


def test_pck_equals_the_plain_loops() -> None:
    people, found = made_up()
    truth = people.poses.points
    counted = ~people.occluded
    measured = errors(found, truth, torso_units(people), counted, LSP14)
    a, b = LSP14.index("left_shoulder"), LSP14.index("right_hip")
    for alpha in (0.05, 0.2, 1.0):
        rates, measurable = [], set()
        for k in range(J):
            hits = []
            for i in range(N):
                torso = float(np.hypot(*(truth[i, a].astype(float) - truth[i, b])))
                if np.isnan(torso) or torso < 5 or people.occluded[i, [a, b]].any():
                    continue
                if people.occluded[i, k] or np.isnan(truth[i, k]).any():
                    continue
                measurable.add(i)
                distance = np.hypot(*(found[i, k] - truth[i, k]))
                hits.append(not np.isnan(distance) and distance <= alpha * torso)
            rates.append(np.mean(hits) if hits else None)
        result = measured.rates(alpha)
        assert [*result.per_joint.values()] == pytest.approx(rates)
        assert result.people == len(measurable)
        assert result.mean == pytest.approx(np.mean([r for r in rates if r is not None]))
        limbs = [rates[LSP14.index(j)] for j in LIMB_JOINTS]
        assert result.mean12 == pytest.approx(np.mean([r for r in limbs if r is not None]))
        assert result.per_joint["left_wrist"] is None
    assert len(LIMB_JOINTS) == 12 and set(LSP14.joints) - set(LIMB_JOINTS) == {"neck", "head_top"}


def test_what_is_hidden_or_not_marked_never_matters() -> None:
    people, found = made_up()
    counted = ~people.occluded
    before = errors(found, people.poses.points, torso_units(people), counted, LSP14).rates(0.2)
    absurd = np.where((people.occluded | ~people.poses.visible)[..., None], -1e6, found)
    assert errors(absurd, people.poses.points, torso_units(people), counted, LSP14).rates(0.2) == before


def test_rates_do_not_depend_on_the_size_of_the_image() -> None:
    people, found = made_up(1)
    double = people.relabelled(people.poses.points * 8)
    one = errors(found, people.poses.points, torso_units(people, occluded=True), people.poses.visible, LSP14)
    two = errors(found * 8, double.poses.points, torso_units(double, occluded=True), people.poses.visible, LSP14)
    both = ~np.isnan(one.values)  # larger people may have a torso of more than 5 pixels
    np.testing.assert_allclose(two.values[both], one.values[both], rtol=1e-5)


def test_golden_torso_of_ten_pixels() -> None:
    points = np.zeros((2, J, 2))
    points[:, LSP14.index("right_hip")] = 6, 8
    points[1] *= 0.49  # a torso of 4.9 pixels is left out
    people = LabelledPeople.of("two", Poses.of(points, LSP14), [Path("a"), Path("b")])
    np.testing.assert_allclose(torso_units(people), [10, np.nan])
    found = points.copy()
    found[0, LSP14.index("left_knee")] += (1.9, 0)
    found[0, LSP14.index("right_knee")] += (0, 2.1)
    found[0, LSP14.index("neck")] = np.nan
    rates = errors(found, points, torso_units(people), np.ones((2, J), bool), LSP14).rates(0.2)
    assert rates.mean12 == pytest.approx(11 / 12) and rates.mean == pytest.approx(12 / 14) and rates.people == 1


def test_the_area_is_that_of_the_curve() -> None:
    values = np.full((100, J), np.nan)
    values[:, 0] = (np.arange(100) + 0.5) / 100 * 0.2  # found evenly up to 0.2: half the area
    values[:, 1], values[:, 2], values[:, 3] = 0, np.inf, 0.1
    measured = replace(errors(np.zeros((1, J, 2)), np.zeros((1, J, 2)), np.ones(1), np.ones((1, J), bool), LSP14),
                       values=values)
    area = [*measured.area(0.2).per_joint.values()]
    assert area[:4] == pytest.approx([0.5, 1, 0, 0.525], abs=1e-3) and area[4] is None


def test_heads_are_boxes_or_bones() -> None:
    person = standing(50, 50, 100)
    people = LabelledPeople.of("one", person, [Path("a")])
    assert head_units(people) == pytest.approx([15])
    assert head_units(replace(people, heads=np.array([[0, 0, 3, 4]], np.float32))) == pytest.approx([3])
    assert np.isnan(head_units(people.relabelled(person.hide(["neck"]).points))).all()


def test_the_total_of_pckh_leaves_out_pelvis_and_thorax() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (3, 16, 2)).astype(np.float32)
    people = LabelledPeople.of("three", Poses.of(points, MPII16), [Path(c) for c in "abc"],
                               heads=[[0, 0, 30, 40]] * 3)  # a unit of 30 pixels
    found = points.copy()
    for joint in ("pelvis", "thorax", "left_knee", "neck"):
        found[:, MPII16.index(joint)] += 20  # 28 pixels: more than half a head
    looked = Found(people, found[:, None], 0.0, 0, ())
    result = measure(looked, Looker("test", MPII16, lambda image, square: found))
    heads = result.heads.rates(0.5)
    assert heads.mean == pytest.approx(12 / 14) and heads.per_joint["pelvis"] == 0
    assert result.to_json()["pckh"]["0.5"]["mean"] == heads.mean
    assert result.heads.area(0.5).mean == pytest.approx(12 / 14)
    assert result.torsos.rates(0.01).mean == pytest.approx(12 / 16)  # PCK's counts all


def test_occluded_joints_count_as_published() -> None:
    points = standing(50, 50, 100).points
    hidden = np.zeros((1, J), bool)
    hidden[0, LSP14.index("left_wrist")] = True
    people = LabelledPeople.of("one", Poses.of(points, LSP14), [Path("a")], occluded=hidden)
    found = points.copy()
    found[0, LSP14.index("left_wrist")] += 90
    looker = Looker("test", LSP14, lambda image, square: found)
    rendered = RenderedPeople(**vars(people))
    means = [measure(Found(p, found[:, None], 0.0, 0, ()), looker, occluded=how).torsos.rates(0.2).mean
             for p in (people, rendered) for how in (None, True, False)]
    assert means == pytest.approx([13 / 14, 13 / 14, 1, 1, 13 / 14, 1])


def test_people_too_near_to_others_are_not_looked_at(tmp_path: Path) -> None:
    Image.new("RGB", (100, 100)).save(tmp_path / "a.png")
    three = Poses.concatenate([standing(50, 50, 80)] * 3)
    people = LabelledPeople.of("three", three, [tmp_path / "a.png"] * 3, alone=[True, False, True])
    found = look_at(people, Looker("test", LSP14, lambda image, square: three.points[:1]))
    assert len(found.people) == 2
    assert dict(found.people.skipped) == {"others too near to be measured as a single person": 1}


@pytest.mark.parametrize("turn", [0, 45, 90, 180, 250])
def test_the_viewpoint_does_not_depend_on_what_is_up(turn: float) -> None:
    angle = np.radians(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    front = standing(0, 0, 100).points[0]
    views = np.stack([front, front[LSP14.mirror], front * (0.1, 1)]) @ rotation.T
    assert viewpoints(views, LSP14) == ["front", "back", "side"]
    assert viewpoints(standing(0, 0, 100).hide(["left_hip"]).points, LSP14) == [""]


def test_seen_by_the_observer_front_and_back_are_one() -> None:
    front = standing(0, 0, 100).points
    back = front[:, LSP14.mirror]
    np.testing.assert_array_equal(observer_centric(front, LSP14), back)
    np.testing.assert_array_equal(observer_centric(back, LSP14), back)
    unknown = standing(0, 0, 100).hide(["left_shoulder"]).points
    np.testing.assert_array_equal(observer_centric(unknown, LSP14), unknown)  # nobody can tell: nothing is renamed


def test_eval_keypoints_from_the_command_line(run: Shell, tmp_path: Path) -> None:
    network = write_network(tmp_path / "blobs.onnx", stages=3)
    data_set(tmp_path / "set")
    words = ("eval", "keypoints", "--data", "set", "--weights", network, "--threads", 1)
    found = run.json(*words)
    pck = found["pck"]["0.2"]
    assert found["people"] == 4 and found["skipped"] == 0 and set(pck) == {"mean", "mean12", "per_joint"}
    assert pck["mean"] == pck["mean12"] == 1 and set(pck["per_joint"]) == set(LSP14.joints)
    assert found["viewpoint"]["front"]["people"] == 4 and len(found["stages"]) == 3
    assert found["detector"] == "blobs" and found["pckh"]["0.5"]["mean"] == 1
    several = run.json(*words, "--scales", 0.9, "--scales", 1.1, "--flip", "--frames", 2)
    assert several["people"] == 2 and several["detector"] == "blobs at scales 0.9, 1.1 and flipped"
    run(*words, "--markdown", "out.md")
    assert "| PCK@0.2 | 100.0 | 100.0 |" in (tmp_path / "out.md").read_text() and "PCKh@0.5" in run.out


def test_bad_people_are_skipped_and_counted(run: Shell, tmp_path: Path) -> None:
    network = write_network(tmp_path / "blobs.onnx")
    values = data_set(tmp_path / "set", 6)
    images = tmp_path / "set" / "images"
    (images / "im09001.png").write_bytes((images / "im09001.png").read_bytes()[:300])  # cut short
    values[1, 2:, 2] = 0  # two joints
    values[1, 2:, :2] = -50
    values[2, LSP14.index("left_wrist"), :2] = 500, 20  # outside the image
    values[3, LSP14.index("left_shoulder")] = -50, -50, 0  # no torso
    savemat(tmp_path / "set" / "joints.mat", {"joints": values.transpose(1, 2, 0)})
    found = run.json("eval", "keypoints", "--data", "set", "--weights", network, code=1)
    assert found["people"] == 3 and found["skipped"] == 3 and found["joints_outside"] == 1
    assert set(found["skipped_why"].values()) == {1} and len(found["skipped_why"]) == 3
    assert "im09001.png" in run.err and found["pck"]["0.2"]["mean"] == 1


def test_movenet_gives_no_neck_and_takes_no_scales(run: Shell, tmp_path: Path) -> None:
    data_set(tmp_path / "set", 1)
    found = run.json("eval", "keypoints", "--data", "set", "--detector", "movenet", "--threads", 1)
    assert found["pck"]["0.2"]["per_joint"]["neck"] is None and found["people"] == 1
    assert found["pck"]["0.2"]["mean"] == found["pck"]["0.2"]["mean12"]
    run.fails("eval", "keypoints", "--data", "set", "--detector", "movenet", "--flip", code=2, says=["--flip"])


def test_wrong_data_is_one_line(run: Shell, tmp_path: Path) -> None:
    network = write_network(tmp_path / "blobs.onnx")
    words = ("eval", "keypoints", "--weights", network, "--data")
    run.fails(*words, "nowhere", code=2, says=["nowhere"])
    (tmp_path / "empty").mkdir()
    run.fails(*words, "empty", code=3, says=["empty", "LSP"])
    data_set(tmp_path / "set", 2)
    run.fails(*words, "set", "--subset", "test", code=2, says=["--subset test"])
    run.fails(*words, "set", "--subset", "missing.txt", code=2, says=["missing.txt"])
    run.fails("eval", "keypoints", "--data", "set", "--weights", "no.onnx", code=3, says=["no.onnx"])
    (tmp_path / "some.txt").write_text("im09002.png\n")
    assert run.json(*words, "set", "--subset", "some.txt")["people"] == 1
    points = np.full((14, 3, 2), -50.0)
    points[:3] = 1
    savemat(tmp_path / "set" / "joints.mat", {"joints": points})
    run.fails(*words, "set", code=3, says=["nobody can be measured", "torso"])
