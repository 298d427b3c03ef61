"""A video whose reading was interrupted is gone on with, and the index ends as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import samepose.detection
from index_fakes import FakeDetector, assert_same, opened, photo, rows, video
from samepose.errors import MediaError
from samepose.index import Index, batch
from samepose.poses import Poses
from samepose.skeleton import COCO17


class Walkers(FakeDetector):
    """Four people who cross each other's ways, come and go; who is where depends on the call alone."""

    def __init__(self, first: int = 0, until: int | None = None) -> None:
        super().__init__("walkers")
        self.at, self.until, self.seen = first, until, 0

    def detect(self, image: np.ndarray) -> Poses:
        if self.at == self.until:
            raise KeyboardInterrupt
        t, self.at, self.seen = self.at, self.at + 1, self.seen + 1
        rng = np.random.default_rng(3)
        people = []
        for who in range(4):
            body = rng.uniform(-20, 20, (17, 2)) + np.random.default_rng([t, who]).normal(0, 2, (17, 2))
            x = 100 + 8 * t if who % 2 else 400 - 8 * t
            if (t // (7 + who)) % 3:
                people.append(body + np.array([x % 500, 100 + 15 * who]))
        order = np.random.default_rng(t).permutation(len(people))
        return Poses.of(np.array(people).reshape(-1, 17, 2)[order], COCO17)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return video(tmp_path / "m/clip.mp4", 1, frames=80)


@pytest.fixture
def whole(tmp_path: Path, clip: Path) -> Index:
    index = opened(tmp_path / "whole", Walkers())
    index.add(clip)
    assert len({p["track"] for p in rows(index)[0]}) > 6
    return index


@pytest.mark.parametrize("stop", [9, 20, 41, 55, 79])
def test_an_interrupted_video_is_gone_on_with(tmp_path: Path, clip: Path, whole: Index, stop: int) -> None:
    index = opened(tmp_path / "ix", Walkers(until=stop))
    with pytest.raises(KeyboardInterrupt):
        index.add(clip)
    (part,) = index.select()
    assert (part.status, part.people) == ("partial", index.info().people) and part.people
    done = max(p["frame"] for p in rows(index)[0]) + 1
    rest = Walkers(first=done)
    report = opened(tmp_path / "ix", rest).add(clip)
    assert (report.done, rest.seen) == (1, 80 - done)
    assert_same(index, whole)


def test_it_is_interrupted_again_and_again_with_commits_between(
    tmp_path: Path, clip: Path, whole: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_PART", 0.0)
    at = 0
    for stop in (9, 30, 60, None):
        index = opened(tmp_path / "ix", Walkers(first=at, until=stop))
        try:
            index.add(clip)
        except KeyboardInterrupt:
            at = max(p["frame"] for p in rows(index)[0]) + 1
    assert_same(index, whole)


def test_a_network_that_drops_out_loses_nothing(
    tmp_path: Path, clip: Path, whole: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = samepose.detection.detect

    def dropped(path: Path, detector: Walkers, fps: float | None) -> Iterator[object]:
        for found in real(path, detector, fps):
            if found.frame.index == 50:
                raise MediaError(f"{path}: cannot be read") from OSError(5, "Input/output error")
            yield found

    with monkeypatch.context() as patch:
        patch.setattr(samepose.detection, "detect", dropped)
        report = opened(tmp_path / "ix", Walkers()).add(clip)
    assert "goes on from there" in report.failed[0][1]
    index = opened(tmp_path / "ix", Walkers(first=50))
    assert index.add(clip, label="x").done == 1
    assert index.info().labels == {"x": index.info().people}
    index.label("*", None)
    assert_same(index, whole)


def test_a_part_of_a_changed_file_is_read_anew(tmp_path: Path, clip: Path) -> None:
    index = opened(tmp_path / "ix", Walkers(until=30))
    with pytest.raises(KeyboardInterrupt):
        index.add(clip)
    video(clip, 1, frames=20, seed=4)
    photo(tmp_path / "m/a.png", 1)
    index = opened(tmp_path / "ix", Walkers())
    index.add(clip)
    assert {p["frame"] for p in rows(index)[0]} <= set(range(20)) and index.info().status == {"done": 1}
