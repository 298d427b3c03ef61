"""Search without some joints: whoever poses the same in what is left is first, whatever the rest does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_fakes import FakeEmbedder, opened
from samepose.embed import shipped
from samepose.errors import UsageError
from samepose.index import Hit, Index
from samepose.poses import Poses
from samepose.skeleton import BODY13, COCO17, PARTS

PEOPLE = 400


class Embedder(FakeEmbedder):
    """Content with the joints that the shipped one needs."""

    min_joints = 7


POSES = Poses.of(np.random.default_rng(3).uniform(0, 300, (PEOPLE, 17, 2)), COCO17)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    index = opened(tmp_path_factory.mktemp("ignoring") / "ix", embedder=Embedder())
    index.add(POSES, name=[f"p{n:03d}.jpg" for n in range(PEOPLE)])
    yield index


def name_of(hit: Hit) -> str:
    return Path(hit.path).name


def changed(pose: Poses, joints: tuple[str, ...]) -> Poses:
    """The pose with joints elsewhere."""
    points = pose.points.copy()
    at = [COCO17.index(joint) for joint in joints]
    points[:, at] = np.random.default_rng(9).uniform(0, 300, (1, len(at), 2))
    return replace(pose, points=points)


@pytest.mark.parametrize("part", ["left_arm", "arms", "legs", "head", "lower_body", "left_knee"])
def test_ones_own_row_is_first_without_any_part(index: Index, part: str) -> None:
    joints = PARTS.get(part, (part,))
    for n in range(0, PEOPLE, 29):
        hits = index.search(changed(POSES[n], joints), ignore=part)
        assert name_of(hits[0]) == f"p{n:03d}.jpg"
        assert hits[0].score == pytest.approx(index.search(POSES[n], ignore=part)[0].score, abs=1e-6)


def test_the_mirrored_query_is_compared_without_the_other_side(index: Index) -> None:
    for n in (5, 50, 250):
        for mirror in ("only", "also"):
            hit = index.search(changed(POSES[n], PARTS["left_arm"]).mirrored(), ignore="right_arm", mirror=mirror)[0]
            assert name_of(hit) == f"p{n:03d}.jpg" and hit.mirrored


def test_filters_and_exclusion_hold(index: Index) -> None:
    hits = index.search(POSES[7], ignore="legs", where="p1*", k=1000)
    assert set(map(name_of, hits)) == {f"p{n}.jpg" for n in range(100, 200)}
    row = index.search(POSES[7])[0]
    assert name_of(row) not in map(name_of, index.search(row, ignore="legs", k=1000))


def test_people_with_too_few_joints_left_are_not_found(tmp_path: Path) -> None:
    half = POSES[:1].hide([j for j in COCO17.joints if "hip" in j or "knee" in j or "ankle" in j])
    index = opened(tmp_path / "ix")
    index.add(half, name="half.jpg")
    index.add(POSES[1], name="whole.jpg")
    assert list(map(name_of, index.search(POSES[0], ignore="arms"))) == ["whole.jpg"]


def test_parts_that_leave_too_little_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    index = opened(tmp_path / "ix", embedder=Embedder())
    with pytest.raises(UsageError, match=r"`ignore` leaves 6 of 13 joints and 7 are needed"):
        index.search("no-such-file.jpg", ignore="upper_body")


def test_the_help_says_which_parts_leave_enough(capsys: pytest.CaptureFixture[str]) -> None:
    from samepose.cli.app import main

    main(["search", "--help"])
    help = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert f"{shipped().min_joints} of 13 joints must be left" in help
    left = {part: len(set(BODY13.joints) - set(joints)) for part, joints in PARTS.items()}
    too_much = [part for part, joints in left.items() if joints < shipped().min_joints]
    assert too_much == ["upper_body"] and "not so without the upper_body" in help
