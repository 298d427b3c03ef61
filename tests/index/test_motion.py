"""Motion capture in an index: media like any other, found by photos, poses and motion, shown from the front."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from index_fakes import FakeDetector, FakeEmbedder, assert_same, opened, photo
from made_up_motion import NAMES, POSE, write_bvh
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.embed.views import views_of
from samepose.errors import FormatError, UsageError
from samepose.formats.motion import read_motion
from samepose.geometry.procrustes import np_mpjpe_matrix
from samepose.index import Index
from samepose.media.picture import GROUND, picture_at
from samepose.poses import Poses
from samepose.query.kinds import open_source
from samepose.report.cards import hit_card
from samepose.sequences.clip import Clip
from samepose.sequences.finding import find
from samepose.skeleton import BODY13, H36M17

ASF = """:units
 mass 1.0
 length 0.45
 angle deg
:root
 order TX TY TZ RX RY RZ
 axis XYZ
 position 0 0 0
 orientation 0 0 0
:bonedata
:hierarchy
"""

NEAR = 0.11  # seconds: a moment and the one beside it, 0.1 s away, are nearly the same pose


def moving(path: Path, seed: int = 0, frames: int = 60, fps: float = 30.0) -> Path:
    """Somebody whose joints all swing, each at its own pace."""
    rng = np.random.default_rng(seed)
    rows = np.zeros((frames, 6 + 3 * 16))
    rows[:, 1] = 0.95
    time = np.arange(frames)[:, None] / fps
    rows[:, 6:] = 25 * np.sin(time * rng.uniform(1, 4, 48) + rng.uniform(0, 6, 48))
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_bvh(path, POSE, NAMES["ours"], fps=fps, rows=rows)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Two clips, a photo of two people, and what is to be left out."""
    for n in range(2):
        moving(tmp_path / "media" / f"clip{n}.bvh", n)
    photo(tmp_path / "media" / "two.png", 2)
    (tmp_path / "media" / "body.asf").write_text(ASF)
    return tmp_path


@pytest.fixture(scope="module")
def embedder() -> PrVipeEmbedder:
    """The shipped one: what a fake makes of a pose's views has nothing in common."""
    return PrVipeEmbedder.load(threads=1)


@pytest.fixture
def index(library: Path, embedder: PrVipeEmbedder) -> Index:
    made = Index.open(library / "index", create=True, root=library, detector=FakeDetector(), embedder=embedder)
    report = made.add(library / "media")
    assert (report.done, report.people, report.failed, report.left_out) == (3, 2 * 20 + 2, [], {})
    return made


def test_clips_are_media_with_times_and_a_pose_from_the_front(index: Index, library: Path) -> None:
    assert index.info().kind == {"motion": 2, "image": 1} and index.info().searchable == 42
    medium = index.select("clip0.bvh")[0]
    people = index.people_of(medium)
    np.testing.assert_allclose(people.poses.times, np.arange(20) / 10, atol=1e-3)
    np.testing.assert_array_equal(people.poses.frames, 3 * np.arange(20))
    bodies = index.bodies_of(medium)
    assert people.poses.points.shape == (20, 17, 2) and bodies is not None and bodies.points.shape == (20, 17, 3)
    truth = read_motion(library / "media/clip0.bvh", None).points[people.poses.frames]
    assert np.diag(np_mpjpe_matrix(bodies.points, truth)).max() < 1e-4
    assert index.bodies_of(index.select("two.png")[0]) is None


def test_a_moment_finds_itself_whatever_it_is_named_by(index: Index, library: Path) -> None:
    file = library / "media/clip1.bvh"
    body = read_motion(file, None).poses[30]
    by_frame = index.search(file, frame=30, k=3)
    for hits in (by_frame, index.search(file, at=1.0, k=3), index.search(body, k=3)):
        assert (hits[0].path, hits[0].time) == ("media/clip1.bvh", pytest.approx(1.0, abs=NEAR))
        assert hits.query.pose.points.shape == (1, 17, 2)
    more = index.search(by_frame[0], k=3)
    assert more[0].id != by_frame[0].id and more.query.body is not None
    np.testing.assert_array_equal(more.query.body.points, index.row(by_frame[0].id).body.points)
    assert index.search(by_frame[0].id, k=3)[0].id == more[0].id
    own = index.search(file, frame=30, k=3, copies=False)
    assert all(hit.path != file.name or abs(hit.time - 1.0) > 0.5 for hit in own)


def test_filters_mirrors_and_ignored_joints(index: Index, library: Path) -> None:
    file = library / "media/clip0.bvh"
    index.label("clip1.bvh", "other")
    assert {hit.path for hit in index.search(file, frame=30, label="other")} == {"media/clip1.bvh"}
    assert {hit.path for hit in index.search(file, frame=30, where="two.png")} == {"media/two.png"}
    body = read_motion(file, None).poses[30]
    only = index.search(body.mirrored(), k=1, mirror="only")[0]
    assert only.mirrored and (only.path, only.time) == ("media/clip0.bvh", pytest.approx(1.0, abs=NEAR))
    spoilt = body.points.copy()
    spoilt[:, H36M17.index("left_wrist")] += 0.8
    spoilt = Poses.of(spoilt, H36M17, unit="metre")
    best = index.search(spoilt, ignore="left_wrist", k=1)[0]
    assert (best.path, best.time) == ("media/clip0.bvh", pytest.approx(1.0, abs=NEAR))


def test_a_picture_of_somebody_finds_the_moment(index: Index, library: Path) -> None:
    body = read_motion(library / "media/clip0.bvh", None).poses[30]
    seen = Poses.of(views_of(body, 5, (10.0,)).points * 300 + 200, BODY13)
    found = [index.search(seen[k], k=1)[0] for k in range(5)]
    assert {hit.path for hit in found} == {"media/clip0.bvh"}
    assert np.median([abs(hit.time - 1.0) for hit in found]) <= 0.2


def test_unchanged_clips_are_skipped_and_changed_ones_read_anew(index: Index, library: Path) -> None:
    assert index.add(library / "media").unchanged == 3
    moving(library / "media/clip0.bvh", seed=7, frames=90)
    report = index.add(library / "media")
    assert (report.done, report.unchanged, report.people) == (1, 2, 30)
    other = opened(library / "other", FakeDetector("fake-2"), root=library)
    other.add(library / "media", fps=None)
    assert other.info().people == 90 + 60 + 2
    report = opened(library / "other", FakeDetector("fake-3"), root=library).add(library / "media")
    assert report.done == 1  # the photo: no detector looks at motion


def test_damage_is_reported_and_the_rest_goes_on(library: Path) -> None:
    (library / "media/cut.bvh").write_text((library / "media/clip0.bvh").read_text()[:900])
    (library / "media/foreign.c3d").write_bytes(b"no motion" * 100)
    (library / "alone").mkdir()
    (library / "alone/01_01.amc").write_text(":DEGREES\n1\nroot 0 0 0 0 0 0\n")
    index = opened(library / "index", root=library)
    report = index.add(library / "media", library / "alone")
    assert report.done == 3 and {Path(path).name for path, _ in report.failed} == {"cut.bvh", "foreign.c3d",
                                                                                    "01_01.amc"}
    why = dict(report.failed)
    assert "cut short" in why["media/cut.bvh"] and "put the skeleton there as '01.asf'" in why["alone/01_01.amc"]
    assert "\n" not in "".join(why.values())
    (library / "alone/01.asf").write_text(ASF)
    again = dict(index.add(library / "alone").failed)["alone/01_01.amc"]
    assert "skeleton there" not in again  # it is tried again, although the motion has not changed


def test_what_would_fill_the_memory_is_refused(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samepose.formats.motion.LARGEST_FILE", (library / "media/clip0.bvh").stat().st_size - 1)
    report = opened(library / "index", root=library).add(library / "media" / "clip0.bvh")
    assert report.done == 0 and "cut it in parts" in report.failed[0][1]


def test_embeddings_are_computed_anew_from_the_stored_depth(library: Path) -> None:
    old, new = FakeEmbedder("a", "aa" * 32), FakeEmbedder("b", "bb" * 32, scale=2)
    opened(library / "index", embedder=old, root=library).add(library / "media")
    fresh = opened(library / "fresh", embedder=new, root=library)
    fresh.add(library / "media")
    for path in (library / "media").glob("*.bvh"):
        path.unlink()
    index = opened(library / "index", embedder=new, root=library)
    assert index.re_embed().lost == []
    assert_same(index, fresh)


def test_people_of_one_skeleton_in_2d_and_3d_go_together(index: Index, library: Path) -> None:
    flat = Poses.of(np.random.default_rng(3).uniform(0, 300, (4, 17, 2)), H36M17)
    index.add(flat, name=library / "given.jpg")
    hits = index.search(library / "media/clip0.bvh", frame=0, k=50, distinct=0)
    assert {(hit.path, hit.body is None) for hit in hits} == {
        ("media/clip0.bvh", False), ("media/clip1.bvh", False), ("media/two.png", True), ("given.jpg", True)}
    given = [hit for hit in hits if hit.path == "given.jpg"]
    assert all(np.isclose(flat.points, hit.pose.points[0]).all(axis=(1, 2)).any() for hit in given)
    assert len(index.search(flat[0], ignore="left_wrist", k=50, distinct=0)) == 46


def test_hits_are_drawn_on_a_plain_ground(index: Index, library: Path) -> None:
    hit = index.search(library / "media/clip0.bvh", frame=30, k=1)[0]
    ground = picture_at(hit.file, hit.time)
    assert (ground == np.array(GROUND, np.uint8)).all()
    inside = hit.pose.points[0]
    assert (inside > 0).all() and (inside < ground.shape[0]).all()
    card = hit_card(hit, "", library, 200)
    assert card.problem is None and card.when.startswith("0:01.00  in")
    assert 0.02 < (card.picture != np.array(GROUND)).any(axis=-1).mean() < 0.5
    hits = index.search(library / "media/clip0.bvh", frame=30, k=2)
    for name in ("page.html", "sheet.png"):
        hits.write(library / name)
    assert "image/jpeg" in (library / "page.html").read_text()
    written, failed = hits.clips(library / "clips")
    assert not written and "no pictures to cut out" in failed[0]


def test_clips_of_the_index_are_in_3d_without_their_files(index: Index, library: Path) -> None:
    truth = read_motion(library / "media/clip0.bvh", None).points[::3]
    (library / "media/clip0.bvh").unlink()
    clip = Clip.open("media/clip0.bvh", index=index, embedder=index.embedder)
    assert len(clip) == 20 and clip.rate == pytest.approx(10, rel=1e-3) and clip.video is None
    assert np.diag(np_mpjpe_matrix(clip.bodies.points, truth)).max() < 1e-4


@pytest.mark.parametrize(("ask", "says"), [
    ({"frame": 60}, "has no pose at frame 60; its 60 frames are numbered 0 to 59"),
    ({}, "holds 60 moments from 0.00 to 1.97 s; say with `at`"),
    ({"frame": 3, "at": 1.0}, "`at` and `frame` both say when"),
    ({"frame": 3}, None),
])
def test_which_moment_is_meant(index: Index, library: Path, ask: dict, says: str | None) -> None:
    file = library / "media/clip0.bvh"
    if says is None:
        assert index.search(file, **ask).query.time == pytest.approx(0.1, abs=1e-3)
        return
    with pytest.raises(UsageError, match=says):
        index.search(file, **ask)
    with pytest.raises(UsageError, match="has no poses that are numbered"):
        index.search(library / "media/two.png", frame=3)


def test_the_output_of_lift_is_a_query(index: Index, library: Path) -> None:
    body = read_motion(library / "media/clip1.bvh", None).points[30]
    people = [{"person": 0, "time": None, "skeleton": "H36M17", "points": body.tolist(), "alternatives": []}]
    path = library / "lifted.json"
    path.write_text(json.dumps({"people": people}))
    assert index.search(path, k=1)[0].time == pytest.approx(1.0, abs=NEAR)
    np.testing.assert_allclose(open_source(path).people.points[0], body)
    people[0]["points"] = body[:5].tolist()
    path.write_text(json.dumps({"people": people}))
    with pytest.raises(FormatError, match=r"lifted.json: damaged 3D poses"):
        index.search(path)



def test_the_page_shows_the_plain_ground(index: Index, library: Path) -> None:
    import io

    from PIL import Image

    from samepose.web.pictures import crop

    hit = index.search(library / "media/clip0.bvh", frame=30, k=1)[0]
    with Image.open(io.BytesIO(crop(index, hit.id, 64))) as picture:
        assert picture.size == (64, 64) and np.abs(np.array(picture).astype(int) - GROUND).max() <= 3


def test_moves_are_found_and_poses_grouped(index: Index, library: Path) -> None:
    example = Clip.open(library / "media/clip1.bvh", embedder=index.embedder).part(0.5, 1.5)
    best = find(example, index, k=1)[0]
    assert best.path == "media/clip1.bvh" and abs(best.place.start - 0.5) < 0.25
    there = find(example, library / "media/clip1.bvh", k=1, embedder=index.embedder)[0]
    assert abs(there.place.start - 0.5) < 0.25
    assert sum(group.size for group in index.cluster(min_size=2)) <= 42
