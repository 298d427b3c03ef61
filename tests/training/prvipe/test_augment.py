"""Random cameras: their ranges, the fixed four, and which two see a pose."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from made_up_motion import standing
from samepose.skeleton import BODY13, H36M17
from samepose.training.prvipe.augment import AugmentConfig, Views, random_cameras, random_view_pairs, random_views

QUIET = {"nose": 0.0, "jitter": 0.0, "swap": 0.0, "hide": 0.0}
CHEST = (20, 110, 200, 290)


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def crosses(n: int) -> Tensor:
    """(n, 17, 3) bodies with the left knee one to +x and the right knee one up, from which a camera can be read off."""
    points = torch.from_numpy(np.repeat(standing()[None], n, 0)).float()
    points -= points[:, [H36M17.index("pelvis")]].clone()
    points[:, H36M17.index("left_knee")] = torch.tensor([1.0, 0.0, 0.0])
    points[:, H36M17.index("right_knee")] = torch.tensor([0.0, 1.0, 0.0])
    return points


def azimuth_and_tilt(views: Views) -> tuple[Tensor, Tensor]:
    """Degrees, from where +x points in camera axes and how far up leans out of the image's vertical."""
    x, up = (views.turned[:, BODY13.index(j)] for j in ("left_knee", "right_knee"))
    azimuth = torch.rad2deg(torch.atan2(-x[:, 2], x[:, 0])) % 360  # of a level camera
    return azimuth, torch.rad2deg(torch.acos((-up[:, 1]).clamp(-1, 1)))


@pytest.mark.parametrize("level, within", [(0.0, (9 / 30, 4.5 / 30)), (0.5, (0.5 + 0.5 * 0.3, 0.5 + 0.5 * 0.15)),
                                           (1.0, (1.0, 1.0))])
def test_level_is_the_share_of_narrowed_views(level: float, within: tuple[float, float]) -> None:
    """Uniform over the stated ranges with level 0; else that share lies in 0.3 of the elevation, 0.15 of the roll."""
    azimuth, *angles = random_cameras(40_000, AugmentConfig(level=level, elevation=30, roll=30), rng())
    for angle, narrow, share in zip(angles, (9, 4.5), within):
        degrees = torch.rad2deg(angle).abs()
        assert float(degrees.max()) <= 30.001 and (level == 1) == bool(degrees.max() <= narrow + 0.001)
        assert math.isclose(float((degrees <= narrow).float().mean()), share, abs_tol=0.01)
    assert math.isclose(float(azimuth.abs().mean()), math.pi / 2, abs_tol=0.02)
    if level == 0:
        for angle in angles:
            assert math.isclose(float(torch.rad2deg(angle).std()), 60 / math.sqrt(12), abs_tol=0.2)


def test_two_views_by_fixed_cameras_are_of_two_of_them() -> None:
    first, second = (azimuth_and_tilt(views) for views in random_view_pairs(
        crosses(6000), AugmentConfig(cameras="chest4", **QUIET), rng()))
    pairs = torch.stack([first[0], second[0]], 1)
    assert float(torch.cat([first[1], second[1]]).max()) < 0.1  # level, not rolled
    names = pairs.round().long()
    assert float((pairs - names).abs().max()) < 0.01 and set(names.unique().tolist()) == set(CHEST)
    found, counts = names.unique(dim=0, return_counts=True)
    assert len(found) == 12 and (found[:, 0] != found[:, 1]).all()  # every ordered pair of different cameras
    assert float((counts / 6000 - 1 / 12).abs().max()) < 0.015


def test_mixed_views_are_half_fixed_and_never_twice_of_one_fixed_camera() -> None:
    first, second = (azimuth_and_tilt(views) for views in random_view_pairs(
        crosses(8000), AugmentConfig(cameras="mixed", level=0.0, **QUIET), rng()))
    fixed = [(tilt < 0.05) & torch.isclose(azimuth % 90, torch.tensor(20.0), atol=0.01) for azimuth, tilt in
             (first, second)]
    for one in fixed:
        assert math.isclose(float(one.float().mean()), 0.5, abs_tol=0.02)
    both = fixed[0] & fixed[1]
    assert math.isclose(float(both.float().mean()), 0.25, abs_tol=0.02)
    assert ((first[0] - second[0]).abs() > 1)[both].all()


def test_random_views_alone_take_any_fixed_camera() -> None:
    azimuth, _ = azimuth_and_tilt(random_views(crosses(400), AugmentConfig(cameras="chest4", **QUIET), rng()))
    assert set(azimuth.round().long().tolist()) == set(CHEST)


def test_what_lifting_predicts_projects_onto_what_it_sees() -> None:
    """`turned` is the 13 keypoints before the camera: perspective, then normalising, gives the points."""
    near = AugmentConfig(distance=(5.0, 5.0001), **QUIET)
    views = random_views(crosses(30), near, rng())
    seen = views.turned[..., :2] / (views.turned[..., 2:] + 5)
    seen = seen - seen.mean(1, keepdim=True)
    seen = seen / seen.square().sum((1, 2), keepdim=True).div(13).sqrt()
    torch.testing.assert_close(views.points, seen, atol=1e-3, rtol=1e-3)
