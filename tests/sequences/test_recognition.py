"""Recognising actions by examples: nearest action, cut-off, confidence; and what examples and clips may lack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drawn_people import Shell, embedder, share_networks
from exercising_people import Move, jack, knee, mirrored_knee, moves, saved, stand
from samepose.errors import UsageError
from samepose.poses import Poses
from samepose.sequences.clip import Clip, clip_of
from samepose.sequences.distance import frame_distances
from samepose.sequences.dtw import dtw
from samepose.sequences.naming import Fit
from samepose.sequences.recognition import Recogniser, clip_distance
from samepose.sequences.subsequence import RATE
from samepose.skeleton import BODY13


def clip_with(move: Move, seed: int, seconds: float = 1.6) -> Clip:
    return clip_of(moves((move, seconds), seed=seed), embedder(), rate=RATE, name=f"clip {seed}")


def lie(phase: np.ndarray) -> np.ndarray:
    return stand(phase)[..., ::-1] * np.array([1, -1]) + np.array([0, 400.0])


def known() -> Recogniser:
    return Recogniser({action: [clip_with(move, n, 1.3 + 0.2 * n) for n in range(3)]
                       for action, move in (("jack", jack), ("knee", knee))})


# -- what examples tell ------------------------------------------------------------------------------------------


def test_the_cut_off_parts_own_from_other_actions() -> None:
    actions = ["a", "a", "b", "b"]
    distance = np.array([[0, 1, 5, 6], [1, 0, 5, 6], [5, 5, 0, 2], [6, 6, 2, 0.0]])
    fit = Fit.of(distance, actions)
    assert fit.cutoff == pytest.approx(3.5)  # halfway between the largest to an own and the least to another action
    assert fit.name(np.array([2.0, 3, 6, 6]), actions)[0] == "a"
    assert fit.name(np.array([9.0, 9, 3.4, 6]), actions)[0] == "b"
    assert fit.name(np.array([4.0, 4, 9, 9]), actions)[0] is None


def test_the_confidence_is_the_share_of_the_nearest() -> None:
    fit = Fit(cutoff=3.0, spread=2.0)
    action, confidence = fit.name(np.array([1.0, 1.5, 2.0]), ["a", "a", "b"])
    weights = np.exp(-np.array([1.0, 2.0, 3.0]) / 2)
    assert action == "a" and confidence == pytest.approx(weights[0] / weights.sum())
    assert Fit.of(np.array([[0, 2, 2], [2, 0, 2], [2, 2, 0.0]]), ["a", "a", "b"]).cutoff == 2  # all equally far
    assert Fit(None, 1.0).name(np.array([7.0]), ["a"]) == ("a", 1.0)


def test_examples_that_tell_little() -> None:
    one_action = Fit.of(np.array([[0, 1, 2], [1, 0, 3], [2, 3, 0.0]]), ["a"] * 3)
    assert one_action.cutoff == 2.0  # the farthest that an example is from its next
    assert Fit.of(np.array([[0, 4.0], [4, 0]]), ["a", "b"]).cutoff == 4.0
    assert Fit.of(np.zeros((1, 1)), ["a"]).cutoff is None
    with pytest.raises(UsageError, match="no examples"):
        Recogniser({"jack": []})


def test_a_clip_s_distance_is_the_mean_along_its_path() -> None:
    a, b = clip_with(jack, 0), clip_with(jack, 1, 2.0)
    expected = dtw(frame_distances(a, b, embedder().matching, mirror=True)).mean
    assert clip_distance(a, b) == pytest.approx(expected, rel=1e-5)


def test_moves_are_named_and_others_are_not() -> None:
    recogniser = known()
    assert recogniser.actions == {"jack": 3, "knee": 3}
    for action, move in (("jack", jack), ("knee", knee), ("knee", mirrored_knee)):
        named = recogniser.recognise(clip_with(move, 9, 2.4))
        assert named.action == action and named.confidence > 0.5
        assert [n.action for n in named.neighbours] == [action] * 3
        assert named.neighbours[0].distance <= named.neighbours[1].distance

    named = recogniser.recognise(clip_with(lie, 9))
    assert named.action is None and named.neighbours[0].distance > (recogniser.fit.cutoff or 0)


# -- command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    share_networks(monkeypatch)
    for n in range(2):
        saved(tmp_path / "moves" / "jack" / f"{n}.npz", moves((jack, 1.5), seed=n))
        saved(tmp_path / "moves" / "knee" / f"{n}.npz", moves((knee, 1.5), seed=n))
    saved(tmp_path / "clip.npz", moves((jack, 2), seed=7))
    return Shell(capsys)


def test_recognise_names_shows_neighbours_and_reads_on(run: Shell) -> None:
    told = run.json("recognise", "clip.npz", "--examples", "moves", "-k", 2)
    assert list(told) == ["examples", "results", "failed"] and told["examples"]["actions"] == {"jack": 2, "knee": 2}
    result = told["results"][0]
    assert list(result) == ["path", "person", "action", "confidence", "distance", "neighbours"]
    assert result["action"] == "jack" and result["neighbours"][0]["action"] == "jack" and len(result["neighbours"]) == 2
    assert "clip.npz: jack (confidence " in run("recognize", "clip.npz", "--examples", "moves").out
    told = run.json("recognise", "gone.npz", "clip.npz", "--examples", "moves", code=1)
    assert len(told["results"]) == len(told["failed"]) == 1 and "gone.npz" in run.err


def test_an_action_without_clips_is_said_and_left_out(run: Shell) -> None:
    Path("moves/empty").mkdir()
    told = run.json("recognise", "clip.npz", "--examples", "moves", code=1)
    assert told["results"][0]["action"] == "jack" and "empty" not in told["examples"]["actions"]
    assert told["examples"]["left_out"] == ["moves/empty: no clips in it; add some, or remove it"]
    assert "moves/empty: no clips" in run.err
    saved(Path("moves/knee/2.npz"), moves((knee, 0.1)))
    told = run.json("recognise", "clip.npz", "--examples", "moves", code=1)
    assert len(told["examples"]["left_out"]) == 2 and "2.npz" in told["examples"]["left_out"][1]
    assert "try --mode accurate" in told["examples"]["left_out"][1] and "`" not in run.err


def test_folders_that_are_no_examples(run: Shell) -> None:
    Path("none/empty").mkdir(parents=True)
    run("recognise", "clip.npz", "--examples", "none", code=3)
    assert "none: none of its 0 clips can be an example" in run.err
    run.fails("recognise", "clip.npz", "--examples", "nowhere", code=2, says=["nowhere: no such folder"])
    run.fails("recognise", "clip.npz", "--examples", "moves/jack", code=2, says=["has no sub-folders"])
    run.fails("recognise", "--examples", "moves", code=2, says=["name the clips"])


def test_clips_that_show_too_little(run: Shell) -> None:
    poses = moves((jack, 2))
    saved(Path("one.npz"), poses[:1])
    saved(Path("nobody.npz"), poses[:0])
    for name, says in (("one.npz", "seen for 0.1 s"), ("nobody.npz", "nobody was found")):
        run.fails("recognise", name, "--examples", "moves", code=3, says=[f"{name}: ", says])


def test_a_person_who_is_away_for_a_while(run: Shell) -> None:
    poses = moves((jack, 3))
    points = poses.points.copy()
    points[10:20] = np.nan  # all joints, for a second
    saved(Path("gap.npz"), Poses.of(points, BODY13, times=poses.times, frames=poses.frames, tracks=poses.tracks))
    saved(Path("part.npz"), replace(poses, times=poses.times + 30)[8:])
    for name in ("gap.npz", "part.npz"):
        result = run.json("recognise", name, "--examples", "moves")["results"][0]
        assert {n["action"] for n in result["neighbours"][:2]} == {"jack"}


def test_people_who_cross_are_told_apart_by_their_tracks(run: Shell) -> None:
    way = (np.linspace(0, 500, 20)[:, None, None] * np.array([1, 0])).astype(np.float32)
    a, b = moves((jack, 2)), moves((knee, 2), track=1)
    crossing = Poses.concatenate([replace(a, points=a.points + way), replace(b, points=b.points + way[::-1])])
    saved(Path("crossing.npz"), crossing[np.argsort(crossing.times, kind="stable")])
    for track, action in ((0, "jack"), (1, "knee")):
        told = run.json("recognise", "crossing.npz", "--examples", "moves", "--person", track)["results"][0]
        assert told["action"] == action and told["person"] == track


def test_distances_in_words_agree_with_the_name(run: Shell) -> None:
    """By the cut-off and the spread alone: at the cut-off even odds, log 4 spreads nearer four to one."""
    fit = Fit(cutoff=3.0, spread=0.5)
    assert fit.score(3.0) == pytest.approx(0.5)
    assert fit.score(3 - 0.5 * np.log(4)) == pytest.approx(0.8)
    assert fit.score(3 + 0.5 * np.log(3)) == pytest.approx(0.25)
    assert Fit(cutoff=None, spread=0.5).score(3.0) is None
    saved(Path("jack.npz"), moves((jack, 2), seed=3))
    saved(Path("lying.npz"), moves((lie, 2), seed=3))
    for name, words in (("jack.npz", ("very likely", "likely")), ("lying.npz", ("perhaps", "unlikely"))):
        told = run.json("recognise", name, "--examples", "moves")["results"][0]
        assert (told["neighbours"][0]["score"] >= 0.5) == (told["action"] is not None)
        first = run("recognise", name, "--examples", "moves").out.splitlines()[1].split()
        assert " ".join(first[1:-2]) in words


def test_accept_names_the_nearest_however_far(run: Shell) -> None:
    saved(Path("lying.npz"), moves((lie, 2), seed=3))
    words = ["recognise", "lying.npz", "--examples", "moves"]
    told = run.json(*words)["results"][0]
    nearest = told["neighbours"][0]
    assert told["action"] is None
    assert f"none of these; nearest to {nearest['action']}, at {nearest['distance']:.2f}" in run(*words).out
    assert run.json(*words, "--accept")["results"][0]["action"] == nearest["action"]
