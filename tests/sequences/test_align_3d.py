"""Joints that differ are told in space: what a camera saw is lifted, motion capture has its own depth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from made_up_motion import POSE
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.geometry.angles import ANGLES, joint_angles
from samepose.geometry.camera import project
from samepose.lifting import Lifted
from samepose.poses import Poses
from samepose.sequences.alignment import align
from samepose.sequences.clip import Clip, clip_of
from samepose.skeleton import H36M17

ELBOW = list(ANGLES).index("left_elbow")


def performance(bend: float = 0.0) -> Poses:
    """Arms that go up and down in two seconds; the left forearm turned by so many degrees more from 0.8 to 1.2 s."""
    times = np.arange(60) / 30
    points = np.repeat(POSE[None], 60, axis=0)
    at = H36M17.index
    for side, pace in (("left", 1.0), ("right", 0.7)):
        turn = np.radians(70 * np.sin(pace * times * np.pi))
        shoulder = points[:, at(f"{side}_shoulder")]
        for joint in ("elbow", "wrist"):
            points[:, at(f"{side}_{joint}")] = shoulder + about_x(points[:, at(f"{side}_{joint}")] - shoulder, -turn)
    elbow, late = points[:, at("left_elbow")], (times > 0.8) & (times < 1.2)
    upper = elbow - points[:, at("left_shoulder")]
    fore = points[:, at("left_wrist")] - elbow
    axis = np.cross(upper, fore)
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.radians(bend) * late[:, None]
    points[:, at("left_wrist")] = elbow + fore * np.cos(angle) + np.cross(axis, fore) * np.sin(angle)
    return Poses.of(points, H36M17, times=times, tracks=np.zeros(60), unit="metre")


def about_x(points: np.ndarray, angle: np.ndarray) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([points[:, 0], c * points[:, 1] - s * points[:, 2], s * points[:, 1] + c * points[:, 2]], axis=1)


def seen(poses: Poses, azimuth: float) -> Poses:
    """In pixels, from a camera 5 m away."""
    flat = project(poses.points - np.array([0, 1, 0]), *(np.float64(np.radians(a)) for a in (azimuth, 10, 0)),
                   np.float64(5.0))
    return Poses.of(flat * 1000 + 500, H36M17, times=poses.times, tracks=np.zeros(len(poses)))


class Knowing:
    """Lifts to what the person really did, turned as the camera's picture would have it."""

    name = "knowing"

    def __init__(self, *truth: tuple[Poses, float]) -> None:
        self.known, self.asked = [(seen(body, azimuth), body) for body, azimuth in truth], 0

    def lift(self, poses: Poses, height: float = 1.7) -> Lifted:
        self.asked += 1
        assert not np.isnan(poses.times).any()
        for flat, body in self.known:
            rows = [int(np.abs(flat.times - t).argmin()) for t in poses.times]
            if np.allclose(flat.points[rows], poses.points):
                points = body.points[rows] @ np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], np.float32) + 1
                lifted = Poses.of(points, H36M17, times=poses.times, tracks=poses.tracks, unit="metre")
                return Lifted(lifted, points[:, None], np.ones((len(rows), 1)), np.zeros((len(rows), 17)))
        raise AssertionError("never seen")


@pytest.fixture(scope="module")
def embedder() -> PrVipeEmbedder:
    return PrVipeEmbedder.load(threads=1)


def clip(poses: Poses, embedder: PrVipeEmbedder) -> Clip:
    return clip_of(poses, embedder)


def test_angles_in_space_are_those_between_bones() -> None:
    body = performance()
    for name, degrees in zip(ANGLES, joint_angles(body).T):
        before, middle, after = (body.points[:, H36M17.index(j)].astype(float) for j in ANGLES[name])
        u, v = before - middle, after - middle
        cosine = (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
        np.testing.assert_allclose(degrees, np.degrees(np.arccos(cosine)), atol=1e-3)


def test_two_cameras_of_one_performance_differ_in_the_picture_and_not_in_space(embedder: PrVipeEmbedder) -> None:
    body = performance()
    lifter = Knowing((body, 20), (body, 80))
    found = align(clip(seen(body, 20), embedder), clip(seen(body, 80), embedder), lifter=lifter)
    i, j = found.path.pairs.T
    in_picture = np.abs(joint_angles(found.a.poses)[i] - joint_angles(found.b.poses)[j])
    own = np.abs(found.times[:, 0] - found.times[:, 1]) < 0.02
    assert np.median(in_picture[own]) > 5 and lifter.asked == 0
    assert np.median(found.degrees[own]) < 1 and lifter.asked == 2
    assert found.to_json()["worst"][0].keys() >= {"time_a", "time_b", "joint", "degrees"} and lifter.asked == 2


def test_the_joint_that_differs_is_told_with_its_degrees(embedder: PrVipeEmbedder) -> None:
    body, other = performance(), performance(bend=60)
    found = align(clip(seen(body, 0), embedder), clip(seen(other, 0), embedder),
                  lifter=Knowing((body, 0), (other, 0)))
    late = np.flatnonzero((np.abs(found.times - 1.0) < 0.12).all(axis=1))
    assert len(late) and np.median(found.degrees[late, ELBOW]) == pytest.approx(60, abs=8)
    assert np.nanargmax(found.degrees[late].mean(axis=0)) == ELBOW


def test_motion_capture_has_its_own_depth(embedder: PrVipeEmbedder) -> None:
    body, other = performance(), performance(bend=60)
    exact = align(clip(body, embedder), clip(other, embedder), lifter=Knowing())  # which knows nobody: it is not asked
    late = np.flatnonzero((np.abs(exact.times - 1.0) < 0.12).all(axis=1))
    assert np.median(exact.degrees[late, ELBOW]) == pytest.approx(60, abs=8)
    lifter = Knowing((body, 45))
    mixed = align(clip(body, embedder), clip(seen(body, 45), embedder), lifter=lifter)
    own = np.abs(mixed.times[:, 0] - mixed.times[:, 1]) < 0.02
    assert own.sum() > 20 and np.median(mixed.degrees[own]) < 1 and lifter.asked == 1
    mirrored = align(clip(body, embedder), clip(body.mirrored(), embedder), mirror="only")
    assert np.median(mirrored.degrees) < 1


def test_what_a_camera_does_not_see_has_no_degrees(embedder: PrVipeEmbedder) -> None:
    body = performance()
    hidden = seen(body, 20).hide(["left_wrist"])
    lifter = Knowing((body, 20))
    points = np.nan_to_num(hidden.points, nan=-1.0)
    lifter.known[0] = (replace(hidden, points=points), body)
    ask = lifter.lift
    lifter.lift = lambda poses, height=1.7: ask(replace(poses, points=np.nan_to_num(poses.points, nan=-1.0)))
    found = align(clip(hidden, embedder), clip(body, embedder), lifter=lifter)
    assert np.isnan(found.degrees[:, ELBOW]).all()
    assert np.isfinite(found.degrees[:, list(ANGLES).index("right_elbow")]).all()
