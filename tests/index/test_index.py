"""The door: what `Index` takes and gives, and that it loads nothing before it must."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index_fakes import FakeDetector, FakeEmbedder, opened, photo, video
from samepose.detection.movenet import MoveNet
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import MediaError, StoreError, UsageError
from samepose.formats.keypointfile import KeypointFile
from samepose.index import Hits, Index
from samepose.media.image import read_image
from samepose.poses import Poses
from samepose.query.query import resolve_query
from samepose.skeleton import COCO17


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Twelve photos of one person, one of two, and a clip."""
    folder = tmp_path_factory.mktemp("filled")
    for i in range(12):
        photo(folder / f"m/{i:02d}.png", 1, i)
    photo(folder / "m/two.png", 2, 20)
    video(folder / "m/clip.mp4", 1, frames=20, seed=30)
    index = opened(folder / "ix")
    assert index.add(folder / "m").people == 34
    return index


def test_everything_that_names_a_pose_finds_it(filled: Index) -> None:
    file = filled.root / "m/05.png"
    pose = FakeDetector().detect(read_image(file))
    (medium,) = filled.select("05.png")
    hit = filled.search(file, k=1)[0]
    for query in (file, str(file), read_image(file), pose, resolve_query(file, detector=FakeDetector())):
        found = filled.search(query)
        assert isinstance(found, Hits) and found[0].path == "m/05.png" and len(found) == 10
        assert found[0].score == pytest.approx(hit.score, abs=1e-5)
        assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)
    for query in (f"{medium.shown}-0", hit):  # more like this
        found = filled.search(query, k=40, distinct=0)
        assert found.query.exclude_id == hit.id and len(found) == 33 and hit.id not in {h.id for h in found}
    assert filled.search(filled.root / "m/two.png", person=1, k=1)[0].person == 1
    assert filled.search(filled.root / "m/clip.mp4", at=1.0, k=1)[0].path == "m/clip.mp4"


def test_hits_say_where_the_picture_is(filled: Index) -> None:
    hits = filled.search(filled.root / "m/05.png", k=3)
    assert hits.root == filled.root and all(h.file == filled.root / h.path and h.file.is_file() for h in hits)


def test_options_of_a_search_reach_it(filled: Index) -> None:
    query = filled.root / "m/05.png"
    assert {h.path for h in filled.search(query, where="two.png")} == {"m/two.png"}
    assert {h.path for h in filled.search(query, time_from=0.2, time_to=0.4)} == {"m/clip.mp4"}
    assert len(filled.search(query, where="clip.mp4", distinct=0, k=50)) == 20
    assert len(filled.search(query, where="clip.mp4", distinct=0.5, k=50)) < 10
    assert len(filled.search(query, min_score=1.0)) == 0
    assert all(h.mirrored for h in filled.search(query, mirror="only"))
    ignored = filled.search(query, ignore=("left_wrist",))
    assert ignored.query.ignored == ("left_wrist",) and ignored[0].score != filled.search(query)[0].score
    with pytest.raises(UsageError, match="`k` is 0"):
        filled.search(query, k=0)
    with pytest.raises(UsageError, match="say with `at`"):
        filled.search(filled.root / "m/clip.mp4")
    with pytest.raises(StoreError, match="no person 000000001-0"):
        filled.search("000000001-0")


def test_media_and_poses_go_in_together(tmp_path: Path) -> None:
    index = opened(tmp_path / "ix")
    poses = Poses.of(np.random.default_rng(0).random((3, 17, 2)), COCO17)
    told: list[tuple[float, float, str]] = []
    report = index.add(photo(tmp_path / "a.png", 2), KeypointFile(poses, ("b.png", "c.png", "b.png")), label="x",
                       progress=lambda *args: told.append(args))
    assert (report.done, report.people) == (3, 5) and told[-1] == (3, 3, "5 people, c.png")
    assert {Path(m.path).name: (m.people, m.mode) for m in index.select()} == {
        "a.png": (2, "fake-1"), "b.png": (2, "keypoints"), "c.png": (1, "keypoints")}
    assert index.info().labels == {"x": 5}
    np.testing.assert_array_equal(index.people_of(index.select("b.png")[0]).poses.points, poses.points[[0, 2]])
    with pytest.raises(UsageError, match="give it as `name`"):
        index.add(poses)
    with pytest.raises(UsageError, match="give it as `name`"):
        index.add(KeypointFile(poses, ("b.png", "", "")))
    with pytest.raises(UsageError, match="`name` is for poses"):
        index.add(tmp_path / "a.png", name="b.png")
    assert index.add().people == 0


def test_reading(filled: Index) -> None:
    assert [m.path for m in filled.clips()] == ["m/clip.mp4"]
    assert [m.path for m in filled.select("m/*")] == [m.path for m in filled.select()]
    assert [m.path for m in filled.select(["0[01].png", filled.clips()[0].shown])] == [
        "m/00.png", "m/01.png", "m/clip.mp4"]
    people = filled.people_of(filled.clips()[0])
    assert len(people.ids) == len(people.poses) == len(people.embeddings) == 20 and people.searchable.all()
    assert people.poses.times.tolist() == sorted(people.poses.times.tolist())


def test_patterns_may_be_one_string(tmp_path: Path) -> None:
    index = opened(tmp_path / "ix")
    index.add(photo(tmp_path / "a.png", 2), photo(tmp_path / "b.png", 1, 3))
    assert (index.label("a.png", "x"), index.remove("b.png")) == (2, (1, 1))
    with pytest.raises(UsageError, match=r"nobody.png: nobody in it"):
        index.add(photo(tmp_path / "nobody.png", 0))
        index.people_of(index.select("nobody.png")[0])
    with pytest.raises(MediaError, match=r"nobody.png: nobody was found"):
        index.search(tmp_path / "nobody.png")


def test_nothing_is_loaded_before_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path / "ix").add(photo(tmp_path / "a.png", 1))
    monkeypatch.setattr(PrVipeEmbedder, "load", lambda **_: pytest.fail("loaded the embedder"))
    monkeypatch.setattr(MoveNet, "__init__", lambda *_: pytest.fail("loaded the detector"))
    index = Index.open(tmp_path / "ix")
    assert index.info().people == 1 and index.label("*", "x") == 1 and len(index.select()) == 1
    assert repr(index) == f"<Index {tmp_path / 'ix'}>" and index.root == tmp_path
    given = Index.open(tmp_path / "ix", embedder=FakeEmbedder())
    assert given.search(Poses.of(np.random.default_rng(0).random((1, 17, 2)), COCO17))[0].path == "a.png"


def test_the_defaults_are_those_of_samepose(tmp_path: Path) -> None:
    index = Index.open(tmp_path / "ix", create=True, threads=1)
    assert isinstance(index.detector, MoveNet) and (index.detector.mode, index.detector.threads) == ("balanced", 1)
    assert index.embedder.name == index.spaces[0].model and index.embedder.sha256 == index.spaces[0].sha256
    assert index.detector is index.detector and index.embedder is index.embedder
