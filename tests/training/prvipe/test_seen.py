"""Views that a detector saw, beside the made-up ones of a batch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from made_up_motion import some_people
from samepose.errors import UsageError
from samepose.evaluation.views import CHEST4, project_views
from samepose.formats.multiview import MultiView
from samepose.geometry.normalise import normalise_2d, normalise_3d
from samepose.skeleton import BODY13, H36M17
from samepose.training.prvipe.augment import AugmentConfig, random_bodies, random_view_pairs
from samepose.training.prvipe.seen import SeenPairs

PLAIN = AugmentConfig(hide=0.0)


def seen_people(n: int = 6) -> MultiView:
    """In four cameras."""
    points = some_people(n).astype(np.float32)
    return MultiView(project_views(points, CHEST4), points, tuple("abcd"), np.zeros(n, np.int64), ("ann/walk",),
                     np.arange(n))


def drawn(views: MultiView, count: int, augment: AugmentConfig = PLAIN) -> tuple[torch.Tensor, list[np.ndarray]]:
    rng = torch.Generator().manual_seed(0)
    bodies = random_bodies(torch.from_numpy(normalise_3d(some_people(3)).astype(np.float32)), augment, rng)
    pairs = random_view_pairs(bodies, augment, rng)
    bodies, together = SeenPairs(views).after(bodies, pairs, count, augment, rng)
    return bodies, [x.numpy() for view in together for x in (view.points, view.visible)]


def test_each_is_one_instant_in_two_cameras_mirrored_or_not() -> None:
    views = seen_people()
    flat, _ = normalise_2d(views.keypoints.reshape(-1, 13, 2))
    known = flat.reshape(4, 6, 13, 2)
    flipped = known[:, :, BODY13.mirror] * np.float32([-1, 1])
    truth = normalise_3d(views.points)
    bodies, (first, _, second, visible) = drawn(views, 200)
    assert len(bodies) == 203 and visible.all()
    sides, both = set(), np.stack([known, flipped])
    for body, a, b in zip(bodies[3:].numpy(), first[3:], second[3:]):
        (side, camera, instant), other = (
            np.argwhere(np.abs(both - view).max(axis=(3, 4)) < 1e-5)[0].tolist() for view in (a, b))
        assert other[::2] == [side, instant] and other[1] != camera
        expected = truth[instant][list(H36M17.mirror)] * [-1, 1, 1] if side else truth[instant]
        np.testing.assert_allclose(body, expected, atol=1e-5)
        sides.add(side)
    assert sides == {0, 1}


def test_cameras_that_see_too_little_are_not_taken() -> None:
    views = seen_people()
    views.keypoints[:2, :, :8] = np.nan
    views.keypoints[2:, 0, :8] = np.nan
    seen = SeenPairs(views)
    assert len(seen) == 5
    _, (_, first, _, second) = drawn(views, 50)
    assert first[3:].all() and second[3:].all()
    views.keypoints[2] = np.nan
    with pytest.raises(UsageError, match="no instant in which two cameras"):
        SeenPairs(views)


def test_joints_are_hidden_as_of_others_but_four_stay() -> None:
    _, (points, visible, _, _) = drawn(seen_people(), 300, replace(PLAIN, hide=1.0))
    shown = visible[3:].sum(axis=1)
    assert shown.min() >= 4 and shown.mean() < 12.5
    assert (points[3:][~visible[3:]] == 0).all()
