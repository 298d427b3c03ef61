"""`detect`: each picture with its people, with detectors of one's own; nothing is decoded twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from drawn_people import Shell
from index_fakes import FakeDetector, photo, video
from samepose.cli.options import Options
from samepose.detection import detect
from samepose.media.image import read_image
from samepose.media.video import read_frames
from samepose.poses import Poses


class Side(FakeDetector):
    """May be called from several threads, by the words of the protocol alone."""

    threads = 3

    def __init__(self) -> None:
        super().__init__()
        self.at_once, self.most, self.lock = 0, 0, threading.Lock()

    @property
    def on_one_thread(self) -> Side:
        return self

    def detect(self, image: np.ndarray) -> Poses:
        with self.lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        time.sleep(0.02)
        with self.lock:
            self.at_once -= 1
            return super().detect(image)


def test_each_picture_comes_with_its_people(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.png", 3, seed=4)
    ((frame, people),) = detect(path, FakeDetector())
    np.testing.assert_array_equal(frame.image, read_image(path))
    assert (frame.index, len(people)) == (0, 3) and np.isnan(frame.time) and np.isnan(people.times).all()
    clip = video(tmp_path / "a.mp4", 2)
    for (frame, people), expected in zip(detect(clip, FakeDetector(), None), read_frames(clip, None), strict=True):
        np.testing.assert_array_equal(frame.image, expected.image)
        assert people.times.tolist() == [expected.time] * 2 and people.frames.tolist() == [expected.index] * 2
        assert people.tracks.tolist() == [0, 1]


def test_a_detector_that_offers_it_looks_at_frames_side_by_side(tmp_path: Path) -> None:
    path, several, one = video(tmp_path / "a.mp4", 1), Side(), FakeDetector()
    together, alone = (list(detect(path, made, None)) for made in (several, one))
    assert several.most > 1 and several.calls == one.calls == 12
    for a, b in zip(together, alone, strict=True):
        assert a.frame.index == b.frame.index
        np.testing.assert_array_equal(a.poses.points, b.poses.points)


def test_without_a_detector_it_is_movenet_balanced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from samepose.detection import default_detector
    from samepose.detection.movenet import MoveNet

    assert default_detector() is default_detector() and default_detector().mode == "balanced"
    monkeypatch.setattr(MoveNet, "detect", FakeDetector().detect)
    ((_, people),) = detect(photo(tmp_path / "a.png", 2))
    assert len(people) == 2


def test_drawing_decodes_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], decoded: Counter[str]
) -> None:
    monkeypatch.setattr(Options, "detector", lambda self, mode, kind="movenet": FakeDetector())
    photo(tmp_path / "media" / "a.png", 2)
    video(tmp_path / "media" / "b.mp4", 1)
    Shell(capsys)("detect", tmp_path / "media", "--draw", tmp_path / "drawn", "--fps", "all")
    assert decoded == {"photos": 1, "frames": 12}
    assert len(list((tmp_path / "drawn").glob("*.jpg"))) == 13
