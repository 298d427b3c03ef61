"""Verbs on clips look at no more of a video than they need, once, and only when all their inputs are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drawn_people import Shell, share_networks, standing, video
from samepose.cli.options import Options
from samepose.poses import Poses


class Counting:
    """Somebody in every picture."""

    name = "counting"

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, image: np.ndarray) -> Poses:
        self.calls += 1
        arm = standing(100, 100)
        return type(arm).of(arm.points + self.calls % 7, arm.skeleton)


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Counting:
    look = Counting()
    share_networks(monkeypatch)
    monkeypatch.setattr(Options, "detector", lambda self, mode, kind="movenet": look)
    return look


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    for name in ("a.mp4", "b.mp4"):
        video(tmp_path / name, frames=30)
    return Shell(capsys)


def test_the_same_file_is_read_once(run: Shell, look: Counting) -> None:
    for words in (["count", "a.mp4", "--in", "a.mp4"], ["find", "a.mp4", "--in", "a.mp4"]):
        look.calls = 0
        run(*words, "--span", "1:2", code=None)
        assert 28 <= look.calls <= 31, words


def test_of_another_file_only_the_span_is_read(run: Shell, look: Counting) -> None:
    run("count", "a.mp4", "--span", "1:2", "--in", "b.mp4", code=None)
    assert 39 <= look.calls <= 42


@pytest.mark.parametrize("words", [
    ["align", "a.mp4", "missing.mp4"], ["count", "a.mp4", "--in", "missing.mp4"],
    ["find", "a.mp4", "--in", "missing.mp4"],
])
def test_a_missing_input_is_noticed_before_anything_is_read(run: Shell, look: Counting, words: list[str]) -> None:
    run.fails(*words, code=3, says=["missing.mp4"])
    assert look.calls == 0


def test_the_person_taken_is_named_and_distances_are_put_in_words(run: Shell, look: Counting) -> None:
    out = run("align", "a.mp4", "b.mp4").out
    assert "a.mp4: person 0 of 1" in run.err and "b.mp4: person 0 of 1" in run.err
    assert "mean distance" in out and out.count("the same pose") > 1


def test_the_verbs_of_moves_read_videos_at_the_rate_that_moves_are_compared_at() -> None:
    from samepose.cli.options import MOVES_FPS
    from samepose.sequences.subsequence import RATE

    assert MOVES_FPS == RATE


def test_one_verb_loads_the_embedder_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[int | None] = []
    monkeypatch.setattr("samepose.PrVipeEmbedder.load", lambda path=None, threads=None: loaded.append(threads))
    options = Options(threads=1)
    for _ in range(3):
        options.embedder()
    assert loaded == [1]
