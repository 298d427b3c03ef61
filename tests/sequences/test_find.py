"""Finding a move, counting it, and what the command line makes of both."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from drawn_people import Shell, embedder, video
from exercising_people import jack, knee, mirrored_knee, moves, saved, stand, together
from samepose.cli.find import seconds_of
from samepose.errors import UsageError
from samepose.poses import Poses
from samepose.query.kinds import indexed_clips
from samepose.sequences._subsequence_kernel import best_place
from samepose.sequences.clip import Clip, clip_of
from samepose.sequences.subsequence import LIKELY, RATE, Example, Place


def clip(poses: Poses) -> Clip:
    return clip_of(poses, embedder(), rate=RATE)


def example(*plan: tuple[object, float], seed: int = 9) -> Example:
    return Example.of(clip(moves(*plan, seed=seed)))  # type: ignore[arg-type]


# -- the cheapest place ------------------------------------------------------------------------------------------


def naive_place(distance: np.ndarray, low: int, high: int) -> float:
    """The least mean over all paths, each walked on its own."""
    n, best = len(distance), np.inf

    def walk(i: int, j: int, total: float) -> None:
        nonlocal best
        if i == n - 1:
            best = min(best, total / n)
        if i + 1 < n and j + 1 < high:
            walk(i + 1, j + 1, total + distance[i + 1, j + 1])
        if i + 2 < n and j + 1 < high:
            walk(i + 2, j + 1, total + distance[i + 1, j + 1] + distance[i + 2, j + 1])
        if i + 1 < n and j + 2 < high:
            walk(i + 1, j + 2, total + (distance[i + 1, j + 1] + distance[i + 1, j + 2]) / 2)

    for j in range(low, high):
        walk(0, j, distance[0, j])
    return best


@pytest.mark.parametrize("seed", range(30))
def test_the_cheapest_place_is_the_cheapest_of_all_paths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 6), rng.integers(1, 9)
    distance = rng.integers(0, 5, (n, m)).astype(np.float32)
    low = int(rng.integers(0, m))
    cost, first, last = best_place(distance, low, int(m))
    assert cost == pytest.approx(naive_place(distance, low, int(m)))
    if np.isfinite(cost):
        assert low <= first <= last < m
        assert (n - 1) / 2 <= last - first <= 2 * (n - 1)  # half to twice the pace
    else:
        assert (first, last) == (-1, -1)


def test_the_cheapest_place_of_a_known_matrix() -> None:
    distance = np.full((4, 9), 5, np.float32)
    distance[[0, 1, 2, 2, 3], [2, 3, 4, 5, 6]] = 1  # one column more than rows
    assert best_place(distance, 0, 9) == (1.0, 2, 6)
    assert best_place(distance, 3, 9)[0] > 1
    assert best_place(distance, 0, 0)[1:] == (-1, -1)


# -- places ------------------------------------------------------------------------------------------------------


def test_a_part_of_a_clip_is_found_where_it_is() -> None:
    long = clip(moves((stand, 2), (knee, 1.5), (stand, 1), (jack, 1.4), (stand, 2)))
    found = Example.of(long.part(4.5, 5.8)).places(long)
    assert (found[0].start, found[0].end) == (pytest.approx(4.5), pytest.approx(5.8))
    assert found[0].contrast == pytest.approx(1, abs=0.1) and found[0].score > 0.95
    assert found[0].distance == min(p.distance for p in found)
    spans = sorted((p.start, p.end) for p in found)
    assert all(a[1] < b[0] for a, b in pairwise(spans))


def test_another_pace_and_noise_do_no_harm_and_other_moves_score_low() -> None:
    wanted = example((jack, 1.2))
    found = wanted.places(clip(moves((stand, 2), (jack, 1.9), (knee, 2), (knee, 2), noise=1.5)))
    best = max(found, key=lambda p: p.score)
    assert abs(best.start - 2.0) <= 0.3 and abs(best.end - 3.9) <= 0.4
    assert best.score > LIKELY > max(p.score for p in found if p is not best)


def test_mirrored_moves_only_when_asked_for() -> None:
    wanted, long = example((knee, 1.5)), clip(moves((stand, 1), (knee, 1.5), (stand, 1), (mirrored_knee, 1.5)))
    also = sorted(wanted.count(long, mirror="also"), key=lambda p: p.start)
    assert [p.mirrored for p in also] == [False, True]
    off, only = (wanted.places(long, mirror=mirror) for mirror in ("off", "only"))
    assert off[0].start < 2 < only[0].start
    assert {p.mirrored for p in off} == {False} and {p.mirrored for p in only} == {True}
    assert [p.distance for p in also] == [off[0].distance, only[0].distance]


def test_score_rises_with_contrast_and_falls_with_distance() -> None:
    def score(distance: float, contrast: float) -> float:
        return Place(0, 1, distance, contrast, False).score

    assert score(2, 0.5) < score(2, 0.6) < score(1, 0.6) <= 1
    assert score(4, 0.0714286) == pytest.approx(0.5)


def test_what_is_found_in_real_clips_is_told_apart_by_two_digits() -> None:
    """Distance and contrast of the best places of clips of the same action in Penn Action: the 5th to 95th percent."""
    found = [Place(0, 1, distance, contrast, False) for distance, contrast in (
        (4.78, 0.02), (3.5, 0.18), (2.62, 0.37), (1.89, 0.54), (0.94, 0.77))]
    shown = [round(place.score, 2) for place in found]
    assert len(set(shown)) == 5 and shown == sorted(shown) and shown[-1] < 1
    assert [place.score >= LIKELY for place in found] == [place.logit >= 0 for place in found]


# -- counting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("repetitions", [0, 1, 2, 5, 8])
def test_counts_repetitions_at_changing_pace(repetitions: int) -> None:
    rng = np.random.default_rng(repetitions)
    lengths = rng.uniform(0.9, 2.0, repetitions)
    long = clip(moves((stand, 1.5), *((jack, s) for s in lengths), (stand, 1.5), noise=1.0))
    found = example((jack, 1.3)).count(long)
    assert len(found) == repetitions
    starts = 1.5 + np.concatenate([[0], np.cumsum(lengths)[:-1]])[:repetitions]
    assert all(abs(p.start - s) <= 0.45 for p, s in zip(found, starts))


def test_counts_none_where_there_are_other_moves_only() -> None:
    assert example((jack, 1.3)).count(clip(moves((knee, 1.5), (knee, 1.2), (stand, 2)))) == []


def test_counts_apart_by_pauses_and_absences() -> None:
    poses = moves((jack, 1.3), (stand, 1), (stand, 1), (jack, 1.3), (knee, 1.5), (jack, 1.3))
    gone = (poses.times >= 2.3) & (poses.times < 3.3)
    blind = replace(poses, points=np.where(gone[:, None, None], np.nan, poses.points).astype(np.float32))
    for seen in (poses, poses[~gone], blind):
        assert len(example((jack, 1.3)).count(clip(seen))) == 3


def test_nothing_is_found_where_nobody_is() -> None:
    poses = moves((jack, 1.3), (stand, 6), (jack, 1.3))
    rest = clip(poses[(poses.times < 1.5) | (poses.times > 7.2)])
    places = example((jack, 1.3)).places(rest)
    assert places and all(p.end < 2.5 or p.start > 6.2 for p in places)


def test_too_little_is_refused() -> None:
    with pytest.raises(UsageError, match=r"lasts 0.2 s.*Index.search"):
        example((jack, 0.2))
    assert example((jack, 2)).places(clip(moves((jack, 0.5)))) == []
    with pytest.raises(UsageError, match="from 7 to 9 s"):
        clip(moves((jack, 2))).part(7, 9)
    poses = moves((jack, 3))
    with pytest.raises(UsageError, match="of the example only"):
        Example.of(clip(poses[(poses.times < 0.4) | (poses.times > 2.5)]))


# -- command line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "span, seconds", [(":", (None, None)), ("1.5:3", (1.5, 3)), (":2", (None, 2)), ("1:", (1, None)),
                      ("0:01.5-1:02:03", (1.5, 3723)), ("1:30-", (90, None)), ("-0:02", (None, 2)), ("1-2", (1, 2))]
)
def test_spans(span: str, seconds: tuple[float | None, float | None]) -> None:
    assert seconds_of(span) == seconds


@pytest.mark.parametrize("span", ["", "3", "a:b", "3:2", "2:2", "nan:4", "1:2:3", ":-1", "0:3-0:02", "1:2-3:4:5:6"])
def test_wrong_spans(span: str) -> None:
    with pytest.raises(UsageError, match="--span"):
        seconds_of(span)


def test_find_in_pose_files_best_first(run: Shell, tmp_path: Path) -> None:
    saved(tmp_path / "move.npz", moves((stand, 1), (jack, 1.3), seed=4))
    saved(tmp_path / "a.npz", moves((stand, 3), (knee, 2)))
    saved(tmp_path / "b.npz", together(moves((stand, 5)), moves((stand, 2), (jack, 1.5), (stand, 1.5))))
    found = run.json("find", "move.npz", "--span", "1:", "--in", "a.npz", "b.npz", "-k", 3)
    assert list(found) == ["example", "mirror", "results", "failed"]
    assert found["example"] == {"source": "move.npz", "start": 1.0, "end": 2.2, "person": 0}
    best = found["results"][0]
    assert list(best) == ["score", "path", "start", "end", "person", "distance", "contrast", "mirrored"]
    assert (best["path"], best["person"], best["mirrored"]) == ("b.npz", 1, False)
    assert abs(best["start"] - 2) <= 0.3 and abs(best["end"] - 3.5) <= 0.3
    assert [r["score"] for r in found["results"]] == sorted((r["score"] for r in found["results"]), reverse=True)
    assert best["score"] > LIKELY > found["results"][1]["score"] and len(found["results"]) == 3
    head, first, *_ = run("find", "move.npz", "--span", "1:", "--in", "b.npz", "--quiet").out.splitlines()
    assert head.split() == ["#", "score", "distance", "start", "end", "person", "path"]
    assert first.split()[-2:] == ["1", "b.npz"] and run.err == ""


def test_find_in_an_index_reads_no_video(run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from samepose.index import Index

    index = Index.open("places", create=True, embedder=embedder())
    index.add(together(moves((jack, 1.5), (stand, 3)), moves((stand, 2), (knee, 1.5), (stand, 1))), name="gone.mp4")
    index.add(moves((stand, 4)), name="other.mp4")
    monkeypatch.setattr("samepose.detection.detect", lambda *_: pytest.fail("looked for people in a video"))
    tracks = [(path, track, len(poses)) for _, path, track, poses, _ in indexed_clips(Index.open("places"))]
    assert tracks == [("gone.mp4", 0, 45), ("gone.mp4", 1, 45), ("other.mp4", 0, 40)]
    saved(tmp_path / "knee.npz", moves((knee, 1.3), seed=3))
    for where in (("--in", "places"), ("--index", "places")):
        best = run.json("find", "knee.npz", *where)["results"][0]
        assert (best["path"], best["person"]) == ("gone.mp4", 1) and abs(best["start"] - 2) <= 0.3
    counted = run.json("count", "knee.npz", "--in", "gone.mp4", "--in-person", 1, "--index", "places")
    assert counted["count"] == 1 and counted["person"] == 1


def test_find_goes_on_after_a_bad_clip(run: Shell, tmp_path: Path) -> None:
    saved(tmp_path / "move.npz", moves((jack, 1.3)))
    saved(tmp_path / "short.npz", moves((jack, 0.1)))
    (tmp_path / "bad.npz").write_bytes(b"PK no")
    found = run.json("find", "move.npz", "--in", "bad.npz", "move.npz", "missing.mp4", code=1)
    assert found["results"][0]["score"] > 0.9 and len(found["failed"]) == 2 and run.err.count("error: ") == 2
    assert run.json("find", "move.npz", "--in", "short.npz")["results"] == []
    assert "nothing found" in run("find", "move.npz", "--in", "short.npz").out
    run.fails("find", "move.npz", "--in", "bad.npz", code=3, says=["bad.npz"])
    (tmp_path / "empty").mkdir()
    run.fails("find", "move.npz", "--in", "empty", code=2, says=["empty", "samepose index"])
    run.fails("find", "short.npz", "--in", "move.npz", code=2, says=["short.npz", "samepose search"])
    run.fails("find", "move.npz", "--person", 3, "--in", "move.npz", code=2, says=["move.npz", "no person 3"])


def test_count_says_how_many_and_when(run: Shell, tmp_path: Path) -> None:
    saved(tmp_path / "set.npz", moves((stand, 1), (jack, 1.3), (jack, 1.5), (jack, 1.1), (stand, 1)))
    found = run.json("count", "set.npz", "--span", "1:2.2", "--in", "set.npz")
    assert list(found) == ["example", "mirror", "path", "person", "count", "repetitions"]
    assert found["count"] == len(found["repetitions"]) == 3
    assert [round(r["start"]) for r in found["repetitions"]] == [1, 2, 4]
    assert run("count", "set.npz", "--span", "1:2.2", "--in", "set.npz").out.startswith("3 repetitions\n    1     1.0")
    saved(tmp_path / "still.npz", moves((stand, 4)))
    assert run.json("count", "set.npz", "--span", "1:2.2", "--in", "still.npz")["count"] == 0
    run.fails("count", "set.npz", "--span", "1:2.2", "--in", "missing.mp4", code=3, says=["missing.mp4"])


def test_videos_are_looked_at(run: Shell, tmp_path: Path) -> None:
    video(tmp_path / "clip.mp4", frames=12)
    best = run.json("find", "clip.mp4", "--in", tmp_path)["results"][0]
    assert best["path"].endswith("clip.mp4") and best["score"] > 0.5 and (best["start"], best["end"]) == (0, 1.1)
