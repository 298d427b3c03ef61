"""From a path or an id to one pose: `resolve_query` and `embed_query`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drawn_people import detector, embedder, photo, video
from index_fakes import FakeDetector
from made_up_motion import standing
from samepose.errors import MediaError, SameposeError, UsageError
from samepose.formats.keypoints import save_poses
from samepose.poses import Poses
from samepose.query.query import Query, embed_query, resolve_query
from samepose.skeleton import BODY25, COCO17, H36M17, Skeleton


def poses(n: int = 1, seed: int = 0, **fields: object) -> Poses:
    return Poses.of(np.random.default_rng(seed).uniform(0, 200, (n, 17, 2)), COCO17, **fields)  # type: ignore[arg-type]


def query(pose: Poses, ignored: tuple[str, ...] = ()) -> Query:
    return Query(pose, "test", None, None, 0, 1, ignored=ignored)


def test_the_most_prominent_unless_told_otherwise(tmp_path: Path) -> None:
    path = photo(tmp_path / "two.png", people=2)
    most, least = (resolve_query(str(path), detector=detector(), person=person) for person in (None, 1))
    areas = [np.prod(q.pose.boxes[0, 2:] - q.pose.boxes[0, :2]) for q in (most, least)]
    assert areas[0] > areas[1]
    assert (most.person, most.people, most.chosen, most.image, most.time) == (0, 2, False, path, None)
    assert most.describe() == f"{path}, person 0 of 2 (most prominent)"
    assert least.describe() == f"{path}, person 1 of 2"
    with pytest.raises(UsageError, match=r"two.png: has no person 2; there are 0, 1"):
        resolve_query(str(path), detector=detector(), person=2)


def test_nobody_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    path = photo(tmp_path / "empty.png", people=0)
    with pytest.raises(MediaError, match=r'empty.png: nobody was found; try `mode="accurate"`, or another picture'):
        resolve_query(str(path), detector=detector())


def test_a_video_with_a_time(tmp_path: Path) -> None:
    path = video(tmp_path / "clip.mp4")
    found = resolve_query(str(path), detector=detector(), at=0.55)
    assert found.time == pytest.approx(0.5) and found.person is None and found.image == path
    assert found.describe() == f"{path} at 0.50 s, the only person"
    followed = resolve_query(str(path), detector=detector(), at=0.55, person=0)
    np.testing.assert_array_equal(followed.pose.points, found.pose.points)
    assert followed.describe() == f"{path} at 0.50 s, person 0 (1 in view)"


def test_track_ids_are_those_of_detect(tmp_path: Path) -> None:
    """Whoever is asked for by number is the one whom `detect` gave that number."""
    from samepose.detection import detect

    path = video(tmp_path / "clip.mp4", people=2)
    frames = [p for _, p in detect(path, detector()) if len(p)]
    for time in (0.0, 0.6):
        people = next(p for p in frames if abs(p.times[0] - time) < 0.01)
        for row in range(len(people)):
            found = resolve_query(str(path), detector=detector(), at=time, person=int(people.tracks[row]))
            np.testing.assert_array_equal(found.pose.points[0], people.points[row])


@pytest.mark.parametrize(("name", "options", "says"), [
    ("photo.png", {"at": 1.0}, "`at` is for videos"),
    ("clip.mp4", {}, "say with `at`"),
    ("missing.jpg", {}, "no such file"),
    ("0a1b2c3d4-1", {}, "takes the `index`"),
])
def test_what_does_not_go_together(tmp_path: Path, name: str, options: dict[str, object], says: str) -> None:
    photo(tmp_path / "photo.png")
    video(tmp_path / "clip.mp4", frames=2)
    given = {"detector": FakeDetector(), **options}
    place = name if "-" in name else str(tmp_path / name)
    with pytest.raises(UsageError, match=says):
        resolve_query(place, **given)  # type: ignore[arg-type]


def test_another_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(MediaError, match=r"notes.txt: is no photo, video, keypoint file or motion capture"):
        resolve_query(str(tmp_path / "notes.txt"), detector=FakeDetector())


def test_a_keypoint_file_gives_the_pose_as_it_is(tmp_path: Path) -> None:
    picture = photo(tmp_path / "real.png", people=0)
    boxes = [[0, 0, 10, 10], [0, 0, 90, 90]]
    save_poses(tmp_path / "p.npz", poses(2, boxes=boxes), ["gone.png", str(picture)])
    found = resolve_query(str(tmp_path / "p.npz"), image=str(picture))
    np.testing.assert_array_equal(found.pose.points[0], poses(2).points[1])
    assert (found.person, found.people, found.image) == (0, 1, picture)
    second = resolve_query(str(tmp_path / "p.npz"), image="gone.png")
    assert second.image is None and (second.pose.points[0] == poses(2).points[0]).all()
    with pytest.raises(UsageError, match="no times"):
        resolve_query(str(tmp_path / "p.npz"), at=1.0)


def test_a_keypoint_file_of_a_clip_takes_the_nearest_moment(tmp_path: Path) -> None:
    save_poses(tmp_path / "p.npz", poses(4, times=[0, 0, 1, 1], tracks=[3, 5, 3, 5]))
    found = resolve_query(str(tmp_path / "p.npz"), at=0.8, person=5)
    np.testing.assert_array_equal(found.pose.points[0], poses(4).points[3])
    assert (found.time, found.person, found.people) == (1.0, 5, 2)
    with pytest.raises(UsageError, match=r"p.npz at 1.00 s: has no person 4; there are 3, 5"):
        resolve_query(str(tmp_path / "p.npz"), at=0.8, person=4)


def test_what_a_three_dimensional_pose_shows_and_what_cannot_be_one(tmp_path: Path) -> None:
    body = Poses.of(standing(), H36M17, unit="metre")
    save_poses(tmp_path / "p.npz", body, ["photo.jpg"])
    query = resolve_query(str(tmp_path / "p.npz"))
    np.testing.assert_array_equal(query.body.points, body.points)
    assert query.pose.points.shape == (1, 17, 2) and query.image is None
    hidden = query.without(["left_wrist"])
    assert np.isnan(hidden.pose.points[0, H36M17.index("left_wrist")]).all()
    save_poses(tmp_path / "point.npz", Poses.of(np.zeros((1, 17, 3)), H36M17, unit="metre"))
    with pytest.raises(UsageError, match=r"point.npz: the hips and shoulders of a 3D pose are not known, or"):
        resolve_query(str(tmp_path / "point.npz"))
    with pytest.raises(UsageError, match=r"p.npz: has no pose at frame 1; its 1 frames are numbered 0 to 0"):
        resolve_query(str(tmp_path / "p.npz"), frame=1)


def test_ignored_joints_never_matter(tmp_path: Path) -> None:
    base = poses()
    moved = base.points.copy()
    moved[:, [9, 13]] += 500  # left wrist and knee
    ignored = ("left_wrist", "left_knee")
    same = [embed_query(query(p, ignored), embedder(), "also").mean for p in (base, Poses.of(moved, COCO17))]
    np.testing.assert_array_equal(same[0], same[1])
    assert not np.allclose(same[0], embed_query(query(base), embedder(), "also").mean)
    save_poses(tmp_path / "p.npz", base)
    found = resolve_query(str(tmp_path / "p.npz"), ignore=ignored)
    assert [COCO17.joints[i] for i in np.flatnonzero(~found.pose.visible[0])] == list(ignored)
    assert found.describe().endswith(", without left_wrist, left_knee")


def test_ignored_joints_of_another_skeleton_are_not_derived_again() -> None:
    """Without a nose a skeleton's eyes would stand for it: not when the nose is to be ignored."""
    eyes = Skeleton("eyes", tuple(j for j in COCO17.joints if j != "nose"))
    base = poses().to(eyes)
    moved = base.points.copy()
    moved[:, :2] += 300
    same = [embed_query(query(p, ("nose",)), embedder(), "also").mean for p in (base, Poses.of(moved, eyes))]
    np.testing.assert_array_equal(same[0], same[1])


def test_the_second_embedding_is_that_of_the_mirrored_pose() -> None:
    forth, back = (embed_query(query(p), embedder(), "also").mean for p in (poses(), poses().mirrored()))
    np.testing.assert_allclose(forth, back[::-1], atol=1e-4)
    assert not np.allclose(forth[0], forth[1], atol=1e-3)
    alone = [embed_query(query(poses()), embedder(), mirror).mean for mirror in ("off", "only")]
    np.testing.assert_allclose(np.concatenate(alone), forth, atol=1e-6)


def test_skeletons_are_converted_by_name() -> None:
    converted = embed_query(query(poses().to(BODY25)), embedder(), "also").mean
    np.testing.assert_allclose(converted, embed_query(query(poses()), embedder(), "also").mean, atol=1e-4)


def test_too_few_joints_say_how_many(tmp_path: Path) -> None:
    few = poses().hide(COCO17.joints[3:])
    with pytest.raises(SameposeError, match=r"test, person 0 of 1 .*only 1 of 13 joints are known") as caught:
        embed_query(query(few), embedder(), "also")
    assert "`person`" in str(caught.value) and caught.value.exit_code == 3


def test_json_has_no_nan() -> None:
    told = query(poses(boxes=[[np.nan] * 4])).to_json()
    assert told == {"source": "test", "image": None, "time": None, "person": 0, "people": 1, "box": None,
                    "ignored": [], "id": None, "by": "keypoints", "moment": 0.0, "alone": None}
