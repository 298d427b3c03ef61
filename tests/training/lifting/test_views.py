"""What lifting is taught: geometry that projects back to what was seen, and faults that last."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from made_up_motion import some_people
from samepose.geometry.normalise import normalise_2d, torso_length
from samepose.skeleton import BODY13, H36M17
from samepose.training.lifting.recipe import ClipPool, LiftingRecipeConfig, random_clips
from samepose.training.lifting.views import LastingDraws, ViewConfig, seen

FAULTLESS = ViewConfig(perfect=1.0, own=1.0, hide=0.0, edge=0.0)


def clips(n: int, frames: int) -> torch.Tensor:
    points = some_people(n * frames, spread=0.05) / 0.5
    points = points.reshape(n, frames, 17, 3) + np.linspace(0, 1, frames)[None, :, None, None] * [1.0, 0, 0.5]
    points -= points[:, :, 0].mean(axis=1)[:, None, None]
    return torch.from_numpy(points.astype(np.float32))


def test_poses_and_points_are_one_view() -> None:
    """Far away perspective is weak: the keypoints are then the x and y of the pose, but for place and size."""
    config = ViewConfig(**{**vars(FAULTLESS), "distance": (400.0, 500.0), "aside": 0.0})
    shown = seen(clips(40, 5), config, torch.Generator().manual_seed(0))
    body = [H36M17.index(j) for j in BODY13.joints[1:]]
    nose = (shown.poses[:, :, [H36M17.index("neck")]] + shown.poses[:, :, [H36M17.index("head_top")]]) / 2
    flat = torch.cat([nose, shown.poses[:, :, body]], 2)[..., :2].reshape(-1, 13, 2).numpy()
    expected, _ = normalise_2d(flat)
    assert np.abs(shown.x[..., :26].reshape(-1, 13, 2).numpy() - expected).max() < 0.02
    assert (shown.x[..., 26:39] == 1).all()


def test_left_stays_left_and_up_is_up() -> None:
    """A level camera before a person who faces it has the person's left on the right of the picture."""
    still = clips(300, 1)
    config = ViewConfig(**{**vars(FAULTLESS), "elevation": 0.0, "roll": 0.0, "aside": 0.0})
    shown = seen(still, config, torch.Generator().manual_seed(1))
    assert torch.allclose(shown.up[:, 0], torch.tensor([0.0, -1.0, 0.0]), atol=1e-5)
    joints = {j: shown.poses[:, 0, H36M17.index(j)] for j in ("left_hip", "right_hip", "thorax")}
    left = joints["left_hip"] - joints["right_hip"]
    forward = torch.linalg.cross(left, joints["thorax"])
    facing = forward[:, 2] < -0.5 * forward.norm(dim=1)  # z is away from the camera
    assert 60 < facing.sum() < 140
    assert (left[facing][:, 0] > 0).all()
    nose = shown.x[:, 0, 1]
    assert (nose < shown.x[:, 0, 25]).all()  # y down: the head above the ankle


def test_a_camera_that_looks_past_the_person_tells_the_pose_along_the_ray() -> None:
    """Turned by the camera's own rotation alone, a pose would differ by the angle to the ray."""
    same = clips(1, 1).expand(200, 1, 17, 3)
    config = ViewConfig(**{**vars(FAULTLESS), "distance": (50.0, 60.0), "elevation": 0.0, "roll": 0.0, "aside": 40.0})
    shown = seen(same, config, torch.Generator().manual_seed(2))
    sizes = shown.poses.norm(dim=-1)
    assert torch.allclose(sizes, sizes[:1].expand_as(sizes), atol=1e-4)
    tilt = torch.rad2deg(torch.acos(-shown.up[:, 0, 1]))
    assert 10 < tilt.median() < 35  # a camera that looks 20° up or down sees up lean by as much


def test_lasting_draws_have_the_generators_marginals() -> None:
    draws = LastingDraws(np.random.default_rng(0), 50, 20.0)
    normal, uniform = draws.standard_normal((50 * 400, 3)), draws.random((50 * 400, 1))
    assert abs(normal.mean()) < 0.05 and normal.std() == pytest.approx(1, abs=0.03)
    assert np.histogram(uniform, 4, (0, 1))[0] / len(uniform) == pytest.approx(0.25, abs=0.04)
    series = normal.reshape(400, 50, 3)
    assert 0.4 < (series[:, 1:] * series[:, :-1]).mean() < 0.95
    held = LastingDraws(np.random.default_rng(0), 50, math.inf).uniform(-1, 1, (100, 2)).reshape(2, 50, 2)
    assert (held == held[:, :1]).all() and (np.abs(held) <= 1).all() and held[0, 0, 0] != held[1, 0, 0]


def test_clips_keep_their_frames_together_and_their_bodies() -> None:
    motion = some_people(90, spread=0.1)
    pool = ClipPool.of(motion, np.repeat([0, 1, 2], 30), 12)
    assert {int(s) for s in pool.starts} == {*range(19), *range(30, 49), *range(60, 79)}
    drawn = pool.draw(64, 0.0, torch.Generator().manual_seed(0))
    starts = [int(np.flatnonzero((pool.points == clip[0].numpy()).all(axis=(1, 2)))[0]) for clip in drawn]
    assert all((pool.points[s : s + 12] == clip.numpy()).all() for s, clip in zip(starts, drawn))
    assert torso_length(pool.points[:30]).mean() == pytest.approx(1, abs=1e-5)
    rigid = clips(8, 1).expand(8, 6, 17, 3)
    varied = random_clips(rigid, LiftingRecipeConfig(), torch.Generator().manual_seed(0))
    shank = (varied[:, :, H36M17.index("left_knee")] - varied[:, :, H36M17.index("left_ankle")]).norm(dim=-1)
    assert torch.allclose(shank, shank[:, :1].expand(8, 6), atol=1e-5) and shank[:, 0].std() > 0.02
