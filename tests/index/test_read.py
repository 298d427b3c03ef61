"""Reading one medium."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index_fakes import FakeDetector, photo, video
from samepose.errors import MediaError
from samepose.index.read import read
from samepose.index.schema import Medium
from samepose.media.image import read_image


def medium(kind: str, fps: float | None = None) -> Medium:
    return Medium(1, "name", 1, 1, "hash", kind, fps, "fake-1")


def test_a_photo_is_one_moment_and_nobody_none(tmp_path: Path) -> None:
    file = photo(tmp_path / "a.png", 3, 4)
    ((poses, *_),) = read(file, medium("image"), FakeDetector())
    np.testing.assert_array_equal(poses.points, FakeDetector().detect(read_image(file)).points)
    assert poses.tracks.tolist() == [0, 1, 2] and np.isnan(poses.times).all()
    assert list(read(photo(tmp_path / "b.png", 0), medium("image"), FakeDetector())) == []


def test_a_video_is_read_at_the_rate_of_its_medium(tmp_path: Path) -> None:
    file = video(tmp_path / "a.mp4", 2, frames=20, rate=20)
    told: list[float] = []
    moments = list(read(file, medium("video", 5.0), FakeDetector(), told.append))
    np.testing.assert_allclose([p.times[0] for p, *_ in moments], [0, 0.2, 0.4, 0.6, 0.8], atol=1e-6)
    np.testing.assert_allclose(told, [0, 0.2, 0.4, 0.6, 0.8], atol=0.05)
    assert {len(p) for p, *_ in moments} == {2}
    assert len(list(read(file, medium("video"), FakeDetector()))) == 20


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(MediaError, match=r"bad.png"):
        list(read(tmp_path / "bad.png", medium("image"), FakeDetector()))
