"""Person ids over time: two people who cross, with the truth known."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float

from samepose.detection import detect
from samepose.detection.movenet import MoveNet
from samepose.detection.track import Tracker
from samepose.poses import Poses
from samepose.skeleton import COCO17

HEIGHT = 200.0  # pixels


def walker(x: float, y: float, phase: float) -> Float[np.ndarray, "17 2"]:
    """Someone walking, hips at (x, y), limbs swinging with `phase`."""
    swing = np.sin(phase)
    half = {"eye": (0.02, -0.47), "ear": (0.04, -0.45), "shoulder": (0.1, -0.33), "elbow": (0.1 + 0.1 * swing, -0.18),
            "wrist": (0.1 + 0.22 * swing, -0.05), "hip": (0.07, 0), "knee": (0.07 - 0.15 * swing, 0.22),
            "ankle": (0.07 - 0.25 * swing, 0.46)}
    joints = [(0.0, -0.45)]
    for name in COCO17.joints[1:]:
        side, joint = name.split("_")
        sign = 1 if side == "left" else -1
        joints.append((sign * half[joint][0], half[joint][1]))
    points: np.ndarray = np.array(joints) * HEIGHT + (x, y)
    return points


def crossing_switches(
    fps: float, noise: float = 0.0, missed: float = 0.0, hidden: float = 0.0, seed: int = 0
) -> tuple[int, int]:
    """Id switches and ids given while two people walk past one another for six seconds.

    Args:
        noise: of each joint, in heights. missed: share of detections lost.
        hidden: how near the two are, in pixels, while the detector sees only the one in front.
    """
    rng = np.random.default_rng(seed)
    tracker, last, switches, given = Tracker(), {}, 0, set()
    for k in range(int(6 * fps)):
        time = k / fps
        x = {"front": 100 + 150 * time, "back": 1000 - 150 * time}
        seen = [w for w in x if rng.random() >= missed]
        if abs(x["front"] - x["back"]) < hidden and "back" in seen:
            seen.remove("back")
        seen = list(rng.permutation(seen))
        points = [walker(x[w], 300 if w == "front" else 315, 8 * time if w == "front" else 7 * time + 1) for w in seen]
        poses = Poses.empty(COCO17)
        if seen:
            poses = Poses.of(np.array(points) + rng.normal(0, noise * HEIGHT, (len(seen), 17, 2)), COCO17)
        for who, number in zip(seen, tracker.update(poses, time).tracks, strict=True):
            switches += last.get(who, number) != number
            last[who] = number
            given.add(int(number))
    return switches, len(given)


@pytest.mark.parametrize("fps", [10, 25])
def test_crossing_people_keep_their_ids(fps: float) -> None:
    assert crossing_switches(fps) == (0, 2)


@pytest.mark.parametrize("fps", [10, 25])
@pytest.mark.parametrize("seed", range(5))
def test_crossing_with_noise_missed_and_hidden_people(fps: float, seed: int) -> None:
    assert crossing_switches(fps, noise=0.02, missed=0.1, hidden=60, seed=seed) == (0, 2)


def test_gaps_are_bridged_by_seconds_not_frames() -> None:
    for fps in (5, 50):
        tracker, first = Tracker(), None
        for k in range(int(3 * fps)):
            time = k / fps
            if 1.0 <= time < 1.8:  # nobody is found for 0.8 s
                assert len(tracker.update(Poses.empty(COCO17), time)) == 0
                continue
            number = tracker.update(Poses.of(walker(100 + 60 * time, 300, 5 * time), COCO17), time).tracks[0]
            first = number if first is None else first
            assert number == first == 0


def test_someone_new_after_a_long_absence_or_elsewhere() -> None:
    tracker = Tracker()
    person = Poses.of(walker(100, 300, 0), COCO17)
    assert tracker.update(person, 0.0).tracks.tolist() == [0]
    assert tracker.update(Poses.of(walker(900, 300, 0), COCO17), 0.1).tracks.tolist() == [1]
    assert tracker.update(person, 10.0).tracks.tolist() == [2]


def test_only_the_ids_change() -> None:
    person = Poses.of(walker(100, 300, 0), COCO17, scores=np.full((1, 17), 0.5), person_scores=[0.4])
    out = Tracker().update(person, 3.0)
    np.testing.assert_array_equal(out.points, person.points)
    np.testing.assert_array_equal(out.boxes, person.boxes)


@pytest.mark.skipif("SAMEPOSE_SHARED" not in os.environ, reason="SAMEPOSE_SHARED does not name the test videos")
def test_real_street_is_not_fragmented() -> None:
    video = Path(os.environ["SAMEPOSE_SHARED"]) / "media" / "video.avi"
    frames = [poses for _, poses in detect(video, MoveNet("fast"), fps=10)]
    numbers, counts = np.unique(np.concatenate([f.tracks for f in frames]), return_counts=True)
    assert len(numbers) <= 10 and np.sort(counts)[-4:].min() >= 0.4 * len(frames)
