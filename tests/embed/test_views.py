"""A 3D pose embedded from all sides."""

from __future__ import annotations

import numpy as np
import pytest

from made_up_motion import some_people
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.embed.views import AZIMUTHS, ELEVATIONS, combined, embed_any, enough_joints, views_of
from samepose.matching.embeddings import Embeddings
from samepose.poses import Poses
from samepose.skeleton import BODY13, H36M17

VIEWS = AZIMUTHS * len(ELEVATIONS)


@pytest.fixture(scope="module")
def embedder() -> PrVipeEmbedder:
    return PrVipeEmbedder.load(threads=1)


def bodies(n: int, seed: int = 0, spread: float = 0.12) -> Poses:
    return Poses.of(some_people(n, seed, spread), H36M17, unit="metre")


def test_views_are_those_of_cameras_that_stand_around() -> None:
    """Each camera by hand: where it stands, what is right, down and ahead of it, and a division by what is ahead."""
    body = bodies(1)
    points = H36M17.convert(body.points, BODY13)[0].astype(float)
    at = BODY13.index
    hips = (points[at("left_hip")] + points[at("right_hip")]) / 2
    trunk = np.linalg.norm((points[at("left_shoulder")] + points[at("right_shoulder")]) / 2 - hips)
    views = views_of(body).points.reshape(len(ELEVATIONS), AZIMUTHS, 13, 2)
    for e, elevation in enumerate(np.radians(ELEVATIONS)):
        for a in range(AZIMUTHS):
            azimuth = 2 * np.pi * a / AZIMUTHS
            level = np.cos(elevation)
            away = -np.array([np.sin(azimuth) * level, np.sin(elevation), np.cos(azimuth) * level])
            right = np.array([np.cos(azimuth), 0, -np.sin(azimuth)])
            down = np.cross(away, right)
            depth = (points - hips) @ away + 8 * trunk
            expected = np.stack([(points - hips) @ right / depth, (points - hips) @ down / depth], axis=1)
            np.testing.assert_allclose(views[e, a], expected, atol=1e-5)


def test_views_become_the_moments_of_their_mixture_by_precision() -> None:
    rng = np.random.default_rng(0)
    each = Embeddings(rng.normal(size=(6, 4)).astype(np.float32), rng.uniform(0.1, 2, (6, 4)).astype(np.float32))
    found = combined(each, 3)
    for pose in range(2):
        for d in range(4):
            mean, var = (x[3 * pose : 3 * pose + 3, d].astype(float) for x in (each.mean, each.var))
            weights = [1 / v / sum(1 / v for v in var) for v in var]
            middle = sum(w * m for w, m in zip(weights, mean))
            assert found.mean[pose, d] == pytest.approx(middle, abs=1e-6)
            spread = sum(w * (v + (m - middle) ** 2) for w, m, v in zip(weights, mean, var))
            assert found.var[pose, d] == pytest.approx(spread, rel=1e-5)


def test_views_that_agree_stay_what_they_are_and_a_sure_one_decides() -> None:
    mean, var = np.ones((1, 3), np.float32), np.full((1, 3), 0.5, np.float32)
    same = combined(Embeddings(mean.repeat(5, 0), var.repeat(5, 0)), 5)
    np.testing.assert_allclose((same.mean, same.var), (mean, var), rtol=1e-6)
    sure = combined(Embeddings(np.array([[0.0], [9.0]], np.float32), np.array([[1e-6], [1.0]], np.float32)), 2)
    assert sure.mean[0, 0] == pytest.approx(0, abs=1e-4)


def test_where_a_person_stands_and_how_large_they_are_does_not_matter(embedder: PrVipeEmbedder) -> None:
    body = bodies(4)
    first = embed_any(body, embedder)
    moved = Poses.of(body.points * 3 + (1, 2, 3), H36M17, unit="metre")
    np.testing.assert_allclose(embed_any(moved, embedder).mean, first.mean, atol=2e-3)
    quarter = Poses.of(body.points @ np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]], np.float32), H36M17, unit="metre")
    np.testing.assert_allclose(embed_any(quarter, embedder).mean, first.mean, atol=2e-3)  # the same cameras


def test_a_3d_pose_finds_its_own_views_among_those_of_others(embedder: PrVipeEmbedder) -> None:
    body = bodies(30, spread=0.2)
    seen = embedder.embed(Poses.of(views_of(body).points[5::VIEWS], BODY13))
    best = embedder.matching.probability(embed_any(body, embedder), seen).argmax(axis=1)
    assert (best == np.arange(30)).mean() > 0.8


def test_mirrored_and_without_joints(embedder: PrVipeEmbedder) -> None:
    body = bodies(3)
    np.testing.assert_allclose(embed_any(body, embedder, mirrored=True).mean, embed_any(body.mirrored(), embedder).mean,
                               atol=2e-3)
    moved = body.points.copy()
    moved[:, H36M17.index("left_wrist")] += 0.7
    moved = Poses.of(moved, H36M17, unit="metre")
    plain, ignoring = (
        np.abs(embed_any(body, embedder, names).mean - embed_any(moved, embedder, names).mean).max()
        for names in ((), ("left_wrist",)))
    assert ignoring < 1e-4 < plain


def test_2d_poses_are_left_to_the_embedder(embedder: PrVipeEmbedder) -> None:
    flat = Poses.of(views_of(bodies(2)).points[:3] * 100, BODY13)
    np.testing.assert_array_equal(embed_any(flat, embedder).mean, embedder.embed(flat).mean)
    np.testing.assert_array_equal(enough_joints(flat, embedder), embedder.searchable(flat))
    few = bodies(2).hide(["left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_knee", "right_knee",
                          "left_ankle"])
    assert not enough_joints(few, embedder).any() and enough_joints(bodies(2), embedder).all()
