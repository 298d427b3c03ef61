"""Search without some joints: whoever poses the same in what is left is first, whatever the rest does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index_fakes import FakeEmbedder, opened
from samepose.embed import shipped
from samepose.errors import UsageError
from samepose.index import Hit, Index, masked
from samepose.index.masked import Masked, Memory
from samepose.matching.embeddings import Embeddings
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


def test_people_are_embedded_once_without_the_same_joints(tmp_path: Path) -> None:
    embedded: list[int] = []

    class Counting(Embedder):
        def embed(self, poses: Poses) -> Embeddings:
            embedded.append(len(poses))
            return super().embed(poses)

    index = opened(tmp_path / "ix", embedder=Counting())
    index.add(POSES[:60], name=[f"p{n:03d}.jpg" for n in range(60)])

    def work(n: int, part: str, **options: Any) -> tuple[int, list[tuple[str, float]]]:
        embedded.clear()
        hits = index.search(POSES[n], ignore=part, **options)
        return sum(embedded), [(hit.id, hit.score) for hit in hits]

    first, found = work(3, "left_arm")
    assert first >= 60 and work(3, "left_arm") == (first - 60, found)  # what is left is the query itself
    assert work(4, "left_arm", where="p00*")[0] < 60 <= work(4, "legs")[0]
    index.label("p001.jpg", name="x")  # another state: nothing is taken for what it was
    assert work(3, "left_arm") == (first, found)


@pytest.mark.parametrize("most", [400_000, 30])
def test_memory_gives_everybody_theirs(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked, "_MOST", most)
    made: list[int] = []

    def make(ids: np.ndarray) -> Callable[[np.ndarray], Masked]:
        def some(at: np.ndarray) -> Masked:
            made.extend(ids[at].tolist())
            column = ids[at].astype(np.float32)[:, None]
            return Masked(ids[at], ids[at] % 2 == 0, column, column + 1)
        return some

    memory = Memory()
    rng = np.random.default_rng(0)
    for _ in range(30):
        ids = rng.integers(0, 40, 25)
        got = memory.embedded("a", ids, make(ids))
        assert (got.id == ids).all() and (got.mean[:, 0] == ids).all() and (got.var[:, 0] == ids + 1).all()
        assert (got.seen == (ids % 2 == 0)).all()
    assert len(memory._kept["a"]) <= most
    assert (len(made) == len(set(made))) == (most > 40), "somebody was made twice, or kept where there was no room"
