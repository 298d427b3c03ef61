"""Clips open whatever the user names, with any detector and embedder, and come to one rate without embedding again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drawn_people import embedder
from exercising_people import jack, knee, mirrored_knee, moves, saved, stand, together
from index_fakes import FakeDetector, FakeEmbedder
from index_fakes import video as coloured_video
from lifters import Flat
from moving_people import waving
from samepose.errors import FormatError, MediaError, SameposeError, UsageError
from samepose.index import Index
from samepose.poses import Poses
from samepose.sequences.alignment import align
from samepose.sequences.clip import Clip, clip_of
from samepose.sequences.finding import count, find
from samepose.sequences.recognition import Recogniser, recognise
from samepose.sequences.subsequence import RATE
from samepose.skeleton import BODY13


def no_detector() -> FakeDetector:
    pytest.fail("a detector was loaded")


def opened(poses: Poses, name: str = "") -> Clip:
    return replace(Clip.open(poses, embedder=embedder()), name=name)


class Jumper:
    """A detector that sees somebody do a jumping jack, ten pictures long, and a mark who stands beside them."""

    name = "jumper"

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, image: np.ndarray) -> Poses:
        jumping, marking = jack(np.array([self.calls / 10])), stand(np.zeros(1)) / 3 + 500
        self.calls += 1
        return Poses.of(np.concatenate([jumping, marking]), BODY13)


# -- opening -----------------------------------------------------------------------------------------------------


def test_a_clip_of_poses_is_that_of_their_file(tmp_path: Path) -> None:
    both = together(moves((jack, 2)), moves((knee, 2)))
    path = saved(tmp_path / "p.npz", both)
    for person in (None, 1):
        of_file = Clip.open(path, person=person, detector=no_detector, embedder=embedder())
        of_poses = Clip.open(both, person=person, embedder=embedder())
        np.testing.assert_array_equal(of_file.embeddings.mean, of_poses.embeddings.mean)
        assert (of_file.name, of_poses.name) == (str(path), "") and of_file.person == of_poses.person == (person or 0)
        assert of_file.matching == embedder().matching and of_file.video is None
    with pytest.raises(UsageError, match=r"p.npz: has no person 7; there are 0, 1"):
        Clip.open(path, person=7)
    with pytest.raises(MediaError, match="nobody was found"):
        Clip.open(both[:0])
    two = saved(tmp_path / "two.npz", both, ["a.mp4"] * 20 + ["b.mp4"] * 20)
    with pytest.raises(FormatError, match=r"two.npz: holds the poses of 2 files, such as a.mp4 and b.mp4"):
        Clip.open(two)


def test_own_detector_and_embedder(tmp_path: Path) -> None:
    path = coloured_video(tmp_path / "a.mp4", 1, frames=20)
    detector, mine = Jumper(), FakeEmbedder()
    clip = Clip.open(path, detector=detector, embedder=embedder(), fps=None)
    assert detector.calls == len(clip) == 20 and clip.rate == pytest.approx(10) and clip.video == path
    np.testing.assert_allclose(clip.poses.points[3], jack(np.array([0.3]))[0], atol=1e-3)
    assert [s.person for s in count(clip.part(0, 0.9), clip)] == [0, 0]
    fake = Clip.open(coloured_video(tmp_path / "b.mp4", 2), detector=FakeDetector, embedder=mine)
    assert fake.matching == mine.matching and fake.embeddings.mean.shape == (12, mine.dimensions)
    np.testing.assert_allclose(fake.embeddings.mean[:1], mine.embed(fake.poses[0]).mean, atol=1e-6)
    few = Poses.of(np.random.default_rng(0).uniform(0, 9, (3, 17, 2)), fake.poses.skeleton, times=[0, 1, 2],
                   tracks=[0, 0, 0]).hide(fake.poses.skeleton.joints[5:])
    with pytest.raises(SameposeError, match=r"none shows more than 1 joints, and 8 are needed.* `person`"):
        Clip.open(few, embedder=mine)


def test_a_clip_of_an_index_is_the_one_that_was_indexed(tmp_path: Path) -> None:
    index = Index.open(tmp_path / "index", create=True, root=tmp_path, detector=FakeDetector(), embedder=FakeEmbedder())
    path = coloured_video(tmp_path / "a.mp4", 2)
    index.add(path)
    direct = Clip.open(path, person=1, detector=FakeDetector(), embedder=FakeEmbedder(), fps=10)
    path.rename(tmp_path / "away.mp4")
    stored = Clip.open("a.mp4", person=1, index=index)
    opened_late = Clip.open("a.mp4", person=1, index=lambda: index, detector=no_detector, embedder=FakeEmbedder())
    np.testing.assert_array_equal(stored.embeddings.mean, opened_late.embeddings.mean)
    np.testing.assert_allclose(stored.embeddings.mean, direct.embeddings.mean, atol=1e-6)
    np.testing.assert_allclose(stored.times, direct.times)
    assert (stored.name, stored.video, direct.video) == ("a.mp4", None, path)


# -- rates and parts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [7.0, 10.0, 30.0, 60.0])
def test_another_rate_is_that_of_poses_laid_out_so_from_the_start(rate: float) -> None:
    rng = np.random.default_rng(0)
    poses = waving(np.sort(np.round(rng.uniform(0, 4, 80), 3)))
    expected = clip_of(poses, embedder(), rate=rate)
    got = clip_of(poses, embedder(), rate=23).at_rate(rate)
    for name in ("times", "found"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
    np.testing.assert_array_equal(got.embeddings.mean, expected.embeddings.mean)
    np.testing.assert_array_equal(got.mirrored.var, expected.mirrored.var)
    np.testing.assert_array_equal(got.poses.points, expected.poses.points)


def test_a_part_stays_a_part_at_another_rate() -> None:
    clip = clip_of(waving(np.arange(120) / 30), embedder())
    part = clip.part(1.0, 2.5)
    assert (part.times[0], part.times[-1]) == (pytest.approx(1.0), pytest.approx(2.5)) and len(part) == 46
    slow = part.at_rate(10)
    np.testing.assert_allclose(slow.times, np.arange(1.0, 2.51, 0.1))
    np.testing.assert_array_equal(slow.poses.frames, np.arange(30, 76, 3))
    np.testing.assert_array_equal(slow.embeddings.mean, clip.embeddings.mean[30:76:3])
    assert len(clip.part()) == len(clip) and clip.part(end=1).times[-1] == pytest.approx(1)
    with pytest.raises(UsageError, match=r"^a.mp4: nobody is found from 7 to 9 s; .* from 0.00 to 3.97 s"):
        replace(clip, name="a.mp4").part(7, 9)
    with pytest.raises(UsageError, match="`rate` is 0"):
        clip.at_rate(0)


def test_align_brings_clips_to_the_higher_rate() -> None:
    slow, fast = waving(np.arange(25) / 12), waving(np.arange(60) / 30)
    found = align(opened(slow), opened(fast))
    expected = align(clip_of(slow, embedder(), rate=30), clip_of(fast, embedder(), rate=30))
    assert found.a.rate == found.b.rate == pytest.approx(30)
    np.testing.assert_array_equal(found.path.pairs, expected.path.pairs)
    np.testing.assert_allclose(found.matrix, expected.matrix, atol=1e-5)
    back = align(opened(fast), opened(slow))
    assert len(back.a) == 60 and back.path.mean == pytest.approx(found.path.mean, rel=1e-3)


def test_clips_of_different_models_do_not_compare(tmp_path: Path) -> None:
    a = opened(moves((jack, 2)), "a.npz")
    b = replace(a, name="b.npz", matching=FakeEmbedder().matching)
    for compare in (lambda: align(a, b), lambda: count(a, b), lambda: find(a, b), lambda: recognise(a, {"jack": [b]}),
                    lambda: Recogniser({"jack": [a, b]})):
        with pytest.raises(UsageError, match=r"(a.npz and b.npz|b.npz and a.npz): .*different models"):
            compare()


# -- verbs -------------------------------------------------------------------------------------------------------


def test_an_alignment_is_written_as_its_suffix_says(tmp_path: Path) -> None:
    told: list[tuple[float, float]] = []
    found = align(opened(waving(np.arange(30) / 30)), opened(waving(np.arange(20) / 20)), lifter=Flat())
    found.write(tmp_path / "x.csv")
    found.write(tmp_path / "x.json")
    found.write(tmp_path / "x.mp4", lambda done, total, what: told.append((done, total)))
    assert len((tmp_path / "x.csv").read_text().splitlines()) == len(found.path.pairs) + 1
    assert json.loads((tmp_path / "x.json").read_text()) == found.to_json()
    assert told[-1] == (30, 30) and len(told) == 30 and (tmp_path / "x.mp4").stat().st_size > 1000
    with pytest.raises(UsageError, match=r"x.gif: name it \*.mp4, \*.webm, \*.png, \*.csv or \*.json"):
        found.write(tmp_path / "x.gif")
    with pytest.raises(SameposeError, match="cannot be written"):
        found.write(tmp_path / "nowhere" / "x.csv")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.csv", "x.json", "x.mp4"]


def test_find_looks_in_indexes_clips_files_and_folders(tmp_path: Path) -> None:
    long = moves((stand, 2), (knee, 1.5), (stand, 1))
    index = Index.open(tmp_path / "index", create=True, root=tmp_path, embedder=embedder())
    index.add(together(moves((stand, 4.5)), long), name=tmp_path / "gone.mp4")
    example = opened(moves((knee, 1.3), seed=3), "knee")
    saved(tmp_path / "file.npz", together(moves((stand, 4.5)), long))
    told: list[tuple[float, float, str]] = []
    file = tmp_path / "file.npz"
    for where, path, person in ((index, "gone.mp4", 1), (file, str(file), 1), (opened(long, "clip"), "clip", 0)):
        best = find(example, where, k=1, embedder=embedder(), progress=lambda *said: told.append(said))[0]
        assert (best.path, best.person) == (path, person) and abs(best.place.start - 2) <= 0.3
    everywhere = find(example, [index, tmp_path / "file.npz", opened(long, "clip")], k=4, embedder=embedder())
    assert {s.path for s in everywhere[:3]} == {"gone.mp4", str(tmp_path / "file.npz"), "clip"}
    scores = [s.place.score for s in everywhere]
    assert scores == sorted(scores, reverse=True) and len(scores) == 4
    assert told[0] == (0, 1, str(index.uri)) and all(total == 1 for _, total, _ in told)
    assert find(example, opened(moves((stand, 1), (mirrored_knee, 1.5))), mirror="only")[0].place.mirrored
    with pytest.raises(UsageError, match="`k` is 0"):
        find(example, index, k=0)


def test_find_goes_on_after_what_cannot_be_read_and_says_so(tmp_path: Path) -> None:
    clip, bad = opened(moves((jack, 1.3), (jack, 1.3)), "clip"), tmp_path / "gone.npz"
    found = find(clip.part(0, 1.2), [bad, clip])
    assert found[0].path == "clip" and len(found.failed) == 1 and found.failed[0].startswith(f"{bad}: no such file")
    assert found.to_json()["failed"] == list(found.failed) and len(found[:1]) == 1
    with pytest.raises(UsageError, match=r"gone.npz: no such file.*and 1 more"):
        find(clip.part(0, 1.2), [bad, tmp_path / "neither.npz"])
    with pytest.raises(UsageError, match="clip: the example lasts"):  # no target's fault
        find(clip.part(0, 0.1), [bad, clip])


def test_count_tells_repetitions_of_the_clip_s_person() -> None:
    clip = opened(moves((stand, 1), (jack, 1.3), (jack, 1.1), (stand, 1), track=4), "set")
    found = count(clip.part(1, 2.2), clip)
    assert [(s.path, s.person) for s in found] == [("set", 4)] * 2
    assert [round(s.place.start) for s in found] == [1, 2]


def test_recognise_by_clips_by_a_folder_and_by_a_recogniser(tmp_path: Path) -> None:
    for n in range(2):
        saved(tmp_path / "moves" / "jack" / f"{n}.npz", moves((jack, 1.5), seed=n))
        saved(tmp_path / "moves" / "knee" / f"{n}.npz", moves((knee, 1.5), seed=n))
    saved(tmp_path / "moves" / "knee" / "brief.npz", moves((knee, 0.1)))
    examples = {action: [opened(moves((move, 1.5), seed=n), f"{action}{n}") for n in range(2)]
                for action, move in (("jack", jack), ("knee", knee))}
    told: list[str] = []
    known = Recogniser.open(tmp_path / "moves", embedder=embedder(), progress=lambda *said: told.append(said[2]))
    assert known.actions == {"jack": 2, "knee": 2} and [c.rate for _, c in known.examples] == [pytest.approx(RATE)] * 4
    assert len(known.left_out) == 1 and known.left_out[0].startswith(f"{tmp_path}/moves/knee/brief.npz: ")
    assert told.count("comparing the examples") == 4 and str(tmp_path / "moves" / "jack" / "0.npz") in told
    clip = Clip.open(moves((jack, 2), seed=7), embedder=embedder())
    named = [recognise(clip, by, k=2) for by in (examples, tmp_path / "moves", known)]
    assert [n.action for n in named] == ["jack"] * 3 and named[1] == named[2]
    assert [n.path for n in named[0].neighbours] in (["jack0", "jack1"], ["jack1", "jack0"])
    np.testing.assert_allclose([n.distance for n in named[0].neighbours], [n.distance for n in named[1].neighbours])
    with pytest.raises(UsageError, match=r"seen for 0.1 s, .*`mode=\"accurate\"`"):
        recognise(Clip.open(moves((jack, 0.1)), embedder=embedder()), known)
