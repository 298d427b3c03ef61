"""The frames before and after a moment of a video: seven are looked at, and the person is followed through them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index_fakes import FakeDetector, FakeEmbedder, video
from samepose.poses import Poses
from samepose.query.query import embed_around, resolve_query
from samepose.skeleton import COCO17


class Walking(FakeDetector):
    """Two people who change places in the list from frame to frame."""

    def detect(self, image: np.ndarray) -> Poses:
        people = super().detect(image)
        return people[[1, 0]] if self.calls % 2 else people


@pytest.mark.parametrize(("at", "expected"), [
    (1.0, [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3]), (0.0, [0.0, 0.1, 0.2, 0.3]), (1.9, [1.6, 1.7, 1.8, 1.9, 1.97])])
def test_seven_frames_are_looked_at_when_they_are_asked_for(tmp_path: Path, at: float, expected: list[float]) -> None:
    clip, detector = video(tmp_path / "a.mp4", 2, frames=60, rate=30), Walking()
    query = resolve_query(clip, detector=detector, at=at)
    assert detector.calls == 1 and query.around is not None
    frames, found = embed_around(query, FakeEmbedder(), 0.3, "off")
    assert detector.calls == len(expected) and found.sum() == len(expected)
    own = FakeEmbedder().embed(query.pose).mean
    for frame in (frames[k] for k in np.flatnonzero(found)):
        np.testing.assert_allclose(frame.mean[:1], own, atol=1e-6)  # the same person in each


def test_keypoints_of_two_people_in_one_track_have_no_neighbours() -> None:
    points, times = np.random.default_rng(0).uniform(0, 300, (8, 17, 2)), np.repeat(np.arange(4) / 10, 2)
    assert resolve_query(Poses.of(points, COCO17, times=times, tracks=np.arange(8) % 2), at=0.1).around is not None
    assert resolve_query(Poses.of(points, COCO17, times=times, tracks=np.zeros(8)), at=0.1).around is None
    assert resolve_query(Poses.of(points[:1], COCO17)).around is None
