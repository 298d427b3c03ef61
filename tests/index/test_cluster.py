"""Groups of one pose: on made-up embeddings against plain loops, and through an index."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_fakes import FakeEmbedder, opened, rows
from samepose.embed.image import ImageEmbedder
from samepose.errors import StoreError, UsageError
from samepose.index import Index, grouping
from samepose.index.cluster import LEAST
from samepose.index.grouping import Likeness, grouped, sightings
from samepose.index.spaces import Space
from samepose.matching.embeddings import Embeddings, Matching
from samepose.poses import Poses
from samepose.skeleton import COCO17

MATCHING = Matching(3.0, 2.0)  # two certain embeddings match with 0.25 or more up to a distance of 1.03
CENTRES = 10 * np.eye(3, 16)
SIZES = (12, 9, 5)


def likeness(mean: np.ndarray, var: float = 1e-4) -> Likeness:
    mean = np.asarray(mean, np.float32)
    return Likeness(((MATCHING, Embeddings(mean, np.full_like(mean, var))),))


def three_poses(seed: int = 0, noise: int = 6) -> tuple[Likeness, np.ndarray]:
    """Three tight groups and people far from everybody, shuffled; and which group each is of."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.repeat(np.arange(3), SIZES), np.full(noise, -1)])
    mean = np.concatenate([np.repeat(CENTRES, SIZES, axis=0) + rng.normal(0, 0.05, (sum(SIZES), 16)),
                           rng.normal(0, 60, (noise, 16))])
    order = rng.permutation(len(truth))
    return likeness(mean[order]), truth[order]


def test_three_poses_and_noise_are_found_the_largest_first() -> None:
    people, truth = three_poses()
    found = grouped(people, 3, LEAST)
    np.testing.assert_array_equal(found.group, truth)


def test_the_medoid_is_the_member_with_the_least_mean_distance() -> None:
    people, _ = three_poses(1)
    found = grouped(people, 3, LEAST)
    p = people.probability(people)
    for group, medoid in enumerate(found.medoids):
        members = np.flatnonzero(found.group == group)
        means = [np.mean([-np.log(p[i, j]) for j in members if j != i]) for i in members]
        assert medoid == members[int(np.argmin(means))]


def test_the_same_whatever_the_blocks_it_is_worked_out_in(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    crowd = likeness(rng.normal(0, 0.2, (150, 16)), 1e-3)
    whole = grouped(crowd, 3, LEAST)
    assert len(whole.medoids) > 2
    monkeypatch.setattr(grouping, "_PAIRS", 500)
    monkeypatch.setattr(grouping, "_CENTRES", 3)
    parts = grouped(crowd, 3, LEAST)
    np.testing.assert_array_equal(whole.group, parts.group)
    np.testing.assert_array_equal(whole.medoids, parts.medoids)
    p = crowd.probability(crowd)
    np.testing.assert_array_equal(grouping._matches(crowd, LEAST), [1 + sum(p[i, j] >= LEAST for j in range(150)
                                                                           if j != i) for i in range(150)])


def test_a_chain_of_small_steps_is_not_one_group() -> None:
    chain = np.zeros((40, 16))
    chain[:, 0] = np.arange(40) * 0.5
    found = grouped(likeness(chain), 3, LEAST)
    assert len(found.medoids) > 5  # each step matches the next, but nobody beyond a distance of 1.03
    assert max(np.ptp(np.flatnonzero(found.group == g)) for g in range(len(found.medoids))) <= 4


def test_min_size_decides_what_is_a_group_and_what_noise() -> None:
    people, truth = three_poses(3)
    found = grouped(people, 6, LEAST)
    np.testing.assert_array_equal(found.group, np.where(truth == 2, -1, truth))
    assert (grouped(people, 13, LEAST).group == -1).all()


def test_who_is_too_uncertain_matches_nobody() -> None:
    assert (grouped(likeness(np.zeros((9, 16)), var=2.0), 3, LEAST).group == -1).all()


def test_a_held_pose_counts_once_and_a_repeated_one_each_time() -> None:
    place = np.zeros((12, 16))
    place[:, 0] = [0, 0, 0, 9, 9, 0, 0, 0, 0, 0, 9, 9]  # the last three people are of another track
    track = np.array([1] * 9 + [2] * 3)
    time = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0.4, 0.8])
    own = sightings(track, time, likeness(place), 0.5, LEAST)
    assert own.tolist() == [0, 0, 0, 3, 3, 5, 5, 5, 5, 9, 9, 11]
    shuffled = np.random.default_rng(0).permutation(12)
    again = sightings(track[shuffled], time[shuffled], likeness(place[shuffled]), 0.5, LEAST)
    np.testing.assert_array_equal(shuffled[again], own[shuffled])


def test_people_of_images_stand_for_themselves() -> None:
    own = sightings(np.array([1, 1, 2]), np.full(3, np.nan), likeness(np.zeros((3, 16))), 0.5, LEAST)
    assert own.tolist() == [0, 1, 2]


def test_two_spaces_count_alike() -> None:
    near, far = likeness(np.zeros((2, 16))).spaces[0], likeness(CENTRES[:2]).spaces[0]
    both = Likeness((near, far))
    p, q = (matching.probability(e, e) for matching, e in (near, far))
    np.testing.assert_allclose(both.probability(both), np.sqrt(p * q), rtol=1e-4)


def certain() -> FakeEmbedder:
    """One whose poses match themselves with more than 0.5, and others with less than 0.1."""
    embedder = FakeEmbedder()
    embedder.matching = Matching(2.0, 4.0)
    return embedder


POSES = np.random.default_rng(4).uniform(0, 300, (3, 17, 2))


def people(which: list[int], seed: int = 0) -> Poses:
    """COCO17 people, each one of three poses or, -1, unlike all others, or, -2, with two joints only."""
    rng = np.random.default_rng(seed)
    points = np.stack([rng.uniform(0, 300, (17, 2)) if i < 0 else POSES[i] + rng.normal(0, 0.5, (17, 2))
                       for i in which])
    points[np.array(which) == -2, 2:] = np.nan
    return Poses.of(points, COCO17, tracks=np.arange(len(which)))


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """One photo of each kind: 12 people in three poses (5, 4, 3), 2 in none, one of whom too little is seen."""
    made = opened(tmp_path / "index", embedder=certain())
    made.add(people([0, 0, 0, 1, -1, 2, -2]), people([0, 1, 1, 0, 2, 2, 1, -1], seed=1),
             name=[str(tmp_path / "a.jpg")] * 7 + [str(tmp_path / "b.jpg")] * 8)
    return made


def test_an_index_in_groups(index: Index) -> None:
    groups = index.cluster()
    assert [group.size for group in groups] == [group.sightings for group in groups] == [5, 4, 3]
    assert len(groups.noise) == 2 and groups.not_embedded == 1
    everybody = [i for group in groups for i in group.members] + list(groups.noise)
    assert len(set(everybody)) == 14
    for group in groups:
        assert group.medoid == group.members[0] and list(group.scores[1:]) == sorted(group.scores[1:], reverse=True)
        assert min(group.scores[1:]) >= LEAST
    again = index.cluster()
    assert again.to_json() == groups.to_json() and list(again) == list(groups)
    assert index.search(groups[0].medoid, k=1, copies=True)[0].score > 0.5  # ids are those of a search


def test_json_has_the_agreed_form(index: Index, tmp_path: Path) -> None:
    groups = index.cluster(min_size=4)
    value = groups.to_json()
    assert [g["id"] for g in value["groups"]] == [1, 2] and value["noise"] == 5
    for g in value["groups"]:
        assert {"id", "size", "medoid", "members"} <= g.keys() and g["size"] == len(g["members"])
    groups.write(tmp_path / "groups.json")
    assert json.loads((tmp_path / "groups.json").read_text()) == value


def test_frames_beside_a_member_belong_to_it_only_in_its_pose(tmp_path: Path) -> None:
    made = opened(tmp_path / "index", embedder=certain())
    held = people([0, 0, 0, 1])
    clip = replace(held, times=np.array([0, 0.1, 4.0, 4.3]), frames=np.arange(4), tracks=np.zeros(4, int))
    made.add(clip, people([0, 0], seed=3), name=[str(tmp_path / "clip.mp4")] * 4 + [str(tmp_path / "a.jpg")] * 2)
    (group,) = made.cluster()
    assert (group.size, group.sightings) == (5, 3)
    assert len(made.cluster().noise) == 1  # 0.3 s after a member, but in another pose


def test_labels_are_written_back_and_noise_keeps_its_own(index: Index) -> None:
    index.label("*", "before")
    groups = index.cluster(label_as="pose")
    assert groups.labelled == 12
    assert index.info().labels == {"pose-1": 5, "pose-2": 4, "pose-3": 3, "before": 3}
    labels = {row["id"]: row["label"] for row in rows(index)[0]}
    for group in groups:
        assert {labels[h] for h in labels if labels[h] == f"pose-{group.id}"} == {f"pose-{group.id}"}
        assert {index.row(i).label for i in group.members} == {f"pose-{group.id}"}


def test_labels_of_an_earlier_grouping_do_not_outlive_it(index: Index) -> None:
    index.label("*", "a-b-1")
    index.cluster(min_size=4, label_as="a.b")
    index.cluster(min_size=5, label_as="a.b")
    assert index.info().labels == {"a.b-1": 5, "a-b-1": 6}


def test_too_few_people_and_an_empty_index_say_what_to_do(index: Index, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"14 different sightings.*fewer than the 20.*smaller `min_size`"):
        index.cluster(min_size=20)
    with pytest.raises(StoreError, match=r"0 different sightings.*add media"):
        opened(tmp_path / "empty").cluster()
    for wrong in ({"min_size": 1}, {"label_as": " "}):
        with pytest.raises(UsageError):
            index.cluster(**wrong)  # type: ignore[arg-type]


def test_pixels_need_their_space(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    for by in ("pixels", "both"):
        with pytest.raises(StoreError, match=r"no embeddings of pixels.*re_embed\(embedding='both'\)"):
            index.cluster(by=by)  # type: ignore[arg-type]
    network = certain()
    (keypoints,) = index.spaces
    expected = index.cluster().to_json()
    # The same columns under the other name: everybody is as alike by pixels as by keypoints.
    monkeypatch.setattr(Space, "rank", property(lambda self: "rank_keypoints"))
    monkeypatch.setattr(Space, "variance", property(lambda self: "variance_keypoints"))
    monkeypatch.setattr(type(index._store), "spaces", property(lambda self: (replace(keypoints, name="pixels"),)))
    monkeypatch.setattr(ImageEmbedder, "load", lambda *args, **kwargs: network)
    assert index.cluster(by="pixels").to_json() == expected
    network.sha256 = "cd" * 32
    with pytest.raises(StoreError, match="re_embed"):
        index.cluster(by="pixels")


def test_the_page_shows_groups_and_escapes_names(tmp_path: Path) -> None:
    made = opened(tmp_path / "index", embedder=certain())
    made.add(people([0, 0, 0, -1]), name=str(tmp_path / "<b>&.jpg"))
    groups = made.cluster()
    groups.write(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "<b>&" not in text and "&lt;b&gt;&amp;.jpg" in text
    assert text.index("Group 1: 3 people") < text.index("Noise: 1 person in no group")
    assert text.count("<article>") == 4 and text.count("Most typical</b>") == 1
    assert [group.medoid in text for group in groups] == [True]
    with pytest.raises(UsageError, match="html"):
        groups.write(tmp_path / "page.txt")
