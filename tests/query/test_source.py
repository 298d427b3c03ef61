"""What the user named, whatever it is; nothing is read before it is needed, and nothing twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index_fakes import FakeDetector, FakeEmbedder, photo, video
from samepose.errors import MediaError, StoreError, UsageError
from samepose.formats.keypoints import save_poses
from samepose.index import Hit, Index
from samepose.media import image as image_module
from samepose.poses import Poses
from samepose.query.kinds import open_source
from samepose.query.query import embed_query, resolve_query
from samepose.skeleton import COCO17, H36M17


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """A photo of three and a clip of two."""
    made = Index.open(tmp_path / "index", create=True, root=tmp_path, detector=FakeDetector(), embedder=FakeEmbedder())
    files = [photo(tmp_path / "three.png", 3), video(tmp_path / "two.mp4", 2)]
    made.add(*files)
    return made


def no_detector() -> FakeDetector:
    pytest.fail("a detector was loaded")


def poses(n: int = 1, seed: int = 0, **fields: Any) -> Poses:
    return Poses.of(np.random.default_rng(seed).uniform(0, 200, (n, 17, 2)), COCO17, **fields)


# -- nothing before it is needed, nothing twice ------------------------------------------------------------------


def test_a_photo_is_decoded_once_and_looked_at_once(tmp_path: Path, decoded: Counter[str]) -> None:
    detector = FakeDetector()
    source = open_source(photo(tmp_path / "a.png", 2), detector=lambda: detector)
    assert not decoded and not detector.calls
    queries = [source.moment(person=who) for who in (None, 0, 1)]
    assert decoded == {"photos": 1} and detector.calls == 1
    assert all(q.pixels is queries[0].pixels for q in queries) and queries[0].pixels is not None
    np.testing.assert_array_equal(queries[0].pose.points, queries[1].pose.points)
    assert len(source.track(1)) == 1


def test_a_moment_of_a_video_looks_at_one_frame_and_following_somebody_at_those_before(
    tmp_path: Path, decoded: Counter[str]
) -> None:
    detector = FakeDetector()
    source = open_source(video(tmp_path / "a.mp4", 2, frames=30), detector=detector)
    assert source.moment(at=1.5).time == pytest.approx(1.5)
    assert decoded == {"frames": 1} and detector.calls == 1
    source.moment(at=0.5, person=1)
    # The frame meant; then those before it at ten a second. That it comes next is seen by decoding, not by looking.
    assert detector.calls - 1 == 6 and decoded["frames"] - 1 <= 8


def test_a_clip_is_decoded_once_whoever_is_asked_for(tmp_path: Path, decoded: Counter[str]) -> None:
    detector = FakeDetector()
    source = open_source(video(tmp_path / "a.mp4", 2, frames=12), detector=detector, fps=None)
    assert [len(source.track(who)) for who in (None, 0, 1)] == [12, 12, 12]
    assert dict(source.tracks()).keys() == {0, 1}
    assert decoded == {"frames": 12} and detector.calls == 12


def test_files_of_an_index_are_not_decoded(index: Index, decoded: Counter[str], tmp_path: Path) -> None:
    decoded.clear()
    (tmp_path / "two.mp4").rename(tmp_path / "away.mp4")
    medium = index.select("two.mp4")[0]
    for name in ("two.mp4", f"{medium.id:09x}"):
        source = open_source(name, index=index, detector=no_detector)
        assert len(source.track(1)) == 12 and source.video is None
    found = resolve_query("two.mp4", index, no_detector, at=0.42)
    assert found.time == pytest.approx(0.4) and found.exclude_id is not None and found.people == 2
    np.testing.assert_array_equal(found.pose.points, index.row(found.exclude_id).pose.points)
    assert not decoded
    with pytest.raises(UsageError, match=r"two.mp4: holds 12 moments .* say with `at`"):
        resolve_query("two.mp4", index)


def test_keypoint_files_and_poses_need_no_detector(tmp_path: Path) -> None:
    given = poses(4, times=[0, 0, 1, 1], tracks=[3, 5, 3, 5])
    save_poses(tmp_path / "p.npz", given)
    for what in (tmp_path / "p.npz", given):
        source = open_source(what, detector=no_detector)
        np.testing.assert_array_equal(source.track(5).points, given.points[[1, 3]])
        np.testing.assert_array_equal(source.moment(0.9, 3).pose.points, given.points[[2]])


# -- what else may be named --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unchecked")
def test_pixels_are_as_good_as_their_file(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.png", 3, seed=7)
    pixels = image_module.read_image(path)
    for who in (None, 2):
        of_file, of_pixels = (resolve_query(what, detector=FakeDetector(), person=who) for what in (path, pixels))
        np.testing.assert_array_equal(of_file.pose.points, of_pixels.pose.points)
        assert (of_pixels.image, of_pixels.source, of_pixels.people) == (None, "pixels", 3)
        assert of_pixels.pixels is pixels


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_picture_is_refused() -> None:
    pixels = np.zeros((9, 9, 3), np.uint8)
    for wrong in (pixels[..., 0], pixels.astype(float), pixels[..., [0, 1, 2, 0]]):
        with pytest.raises(UsageError, match=r"expected uint8 \(height, width, 3\), RGB"):
            resolve_query(wrong, detector=FakeDetector())


def test_own_poses_the_most_prominent_first(tmp_path: Path) -> None:
    given = poses(3, boxes=[[0, 0, 10, 10], [0, 0, 90, 90], [0, 0, 50, 50]])
    for who, row in ((None, 1), (0, 1), (1, 2), (2, 0)):
        np.testing.assert_array_equal(resolve_query(given, person=who).pose.points[0], given.points[row])
    with pytest.raises(UsageError, match="poses: the hips and shoulders of a 3D pose"):
        resolve_query(Poses.of(np.zeros((1, 17, 3)), H36M17, unit="metre"))
    with pytest.raises(UsageError, match="`at` out"):
        resolve_query(given, at=1)
    with pytest.raises(MediaError, match="nobody was found"):
        resolve_query(given[:0])


def test_a_hit_and_a_row_are_one_person_who_need_not_be_found_again(index: Index, tmp_path: Path) -> None:
    medium = index.select("two.mp4")[0]
    row = index.row(f"{medium.id:09x}-5")
    hit = Hit(row.id, 0.9, row.path, row.time, None, row.frame, row.person, None, True, None, row.pose)
    for what, found in ((hit, resolve_query(hit, index)), (row.id, resolve_query(row.id, index))):
        assert (found.exclude_id, found.image, found.time) == (row.id, tmp_path / "two.mp4", row.time), what
        np.testing.assert_array_equal(found.pose.points, row.pose.points)
        assert found.describe() == f"{row.id}, {tmp_path / 'two.mp4'} at {row.time:.2f} s, person {row.person}"
        with pytest.raises(UsageError, match="leave `at` and `person` out"):
            resolve_query(what, index, at=1.0)
        followed = open_source(what, index=index).track()
        assert len(followed) == 12 and set(followed.tracks.tolist()) == {row.person}
    assert resolve_query(hit).image is None  # without the index nobody knows where its file is


def test_a_query_stays_what_it_is() -> None:
    once = resolve_query(poses(), ignore=["nose"])
    again = resolve_query(once, ignore=["left_knee"])
    assert resolve_query(once) is once and again.ignored == ("nose", "left_knee")
    hidden = {COCO17.joints[k] for k in np.flatnonzero(~again.pose.visible[0])}
    assert hidden == {"nose", "left_knee"}
    with pytest.raises(UsageError, match="leave `at` and `person` out"):
        resolve_query(once, person=0)


@pytest.mark.usefixtures("unchecked")
def test_nothing_that_can_be_looked_for(tmp_path: Path, index: Index) -> None:
    with pytest.raises(UsageError, match="int is nothing to look for"):
        resolve_query(7)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"gone.mp4: no such file, nor one in the index"):
        resolve_query("gone.mp4", index)

    def closed() -> Index:
        raise StoreError("index: no index here")

    with pytest.raises(StoreError, match=r"gone.mp4: no such file; and to look for it .*no index here") as caught:
        resolve_query("gone.mp4", closed)
    assert isinstance(caught.value.__cause__, StoreError)


# -- detectors and embedders of one's own ------------------------------------------------------------------------


class Backwards(FakeDetector):
    """Calls the least prominent person number 0, and the others by odd numbers."""

    def detect(self, image: np.ndarray) -> Poses:
        from dataclasses import replace

        found = super().detect(image)
        return replace(found, tracks=2 * np.argsort(np.argsort(found.prominence())) + 1)


def test_the_rank_of_a_person_is_ours_whatever_a_detector_calls_them(tmp_path: Path) -> None:
    from samepose.detection import detect

    path = photo(tmp_path / "a.png", 4, seed=3)
    ours, theirs = (resolve_query(path, detector=made, person=2) for made in (FakeDetector(), Backwards()))
    np.testing.assert_array_equal(ours.pose.points, theirs.pose.points)
    ((_, people),) = detect(path, Backwards())
    order = np.argsort(-people.prominence(), kind="stable")
    np.testing.assert_array_equal(people.tracks[order], np.arange(4))


def test_own_embedder_gets_the_poses_as_the_index_got_them(index: Index, tmp_path: Path) -> None:
    """`FakeEmbedder` takes 17 joints and nothing else; the first embedding is the pose's, the second its mirror's."""
    embedder = FakeEmbedder()
    query = resolve_query(tmp_path / "three.png", detector=FakeDetector(), person=1)
    found = embed_query(query, embedder, "also")
    medium = index.select("three.png")[0]
    rows = [index.row(f"{medium.id:09x}-{k}") for k in range(3)]
    stored = next(row for row in rows if row.person == 1).embedding
    assert stored is not None
    np.testing.assert_allclose(found.mean[:1], stored.mean, atol=1e-6)
    swapped = query.pose.points[:, COCO17.mirror] * np.array([-1, 1])  # left and right change places, x turns round
    np.testing.assert_allclose(found.mean[1:], embedder.embed(Poses.of(swapped, COCO17)).mean, atol=1e-6)
    assert not np.allclose(found.mean[0], found.mean[1], atol=1e-3)


# -- one picture of many -----------------------------------------------------------------------------------------


def test_one_picture_of_a_keypoint_file_is_chosen_by_its_name(tmp_path: Path) -> None:
    people = poses(4)
    save_poses(tmp_path / "many.npz", people, ["in/a.jpg", "in/b.jpg", "in/b.jpg", "out/a.jpg"])
    file = tmp_path / "many.npz"
    with pytest.raises(UsageError, match=r"holds 3 pictures, in/a.jpg, in/b.jpg, out/a.jpg; say with `image`"):
        resolve_query(file)
    found = resolve_query(file, image="b.jpg", person=1)
    order = np.argsort(-people[1:3].prominence())
    np.testing.assert_array_equal(found.pose.points, people[1:3].points[order[1:]])
    assert found.people == 2
    np.testing.assert_array_equal(resolve_query(file, image="out/a.jpg").pose.points, people.points[3:])
    with pytest.raises(UsageError, match=r"2 pictures of the name a.jpg; there are in/a.jpg, out/a.jpg"):
        resolve_query(file, image="a.jpg")
    with pytest.raises(UsageError, match=r"no pictures of the name c.jpg; there are in/a.jpg, in/b.jpg, out/a.jpg"):
        resolve_query(file, image="c.jpg")


def test_a_picture_of_a_clip_without_times_has_a_number_and_other_sources_have_none(tmp_path: Path) -> None:
    people = poses(3, frames=[4, 7, 7])
    save_poses(tmp_path / "clip.npz", people, ["clip.mp4"] * 3)
    with pytest.raises(UsageError, match=r"holds 2 pictures, 4, 7; say with `image`"):
        resolve_query(tmp_path / "clip.npz")
    np.testing.assert_array_equal(resolve_query(tmp_path / "clip.npz", image="4").pose.points, people.points[:1])
    with pytest.raises(UsageError, match="leave `image` out"):
        resolve_query(photo(tmp_path / "a.png", 2), detector=no_detector, image="a.png")
