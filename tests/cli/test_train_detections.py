"""Training on what real cameras saw, mixed with projections: `training.prvipe.detected` and `train prvipe --h36m`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from drawn_people import Shell
from made_up_motion import some_people
from samepose.errors import UsageError
from samepose.evaluation.views import CHEST4, project_views
from samepose.formats.h36m_cameras import CAMERAS
from samepose.formats.multiview import MultiView
from samepose.models.prvipe import PrVipeConfig
from samepose.skeleton import BODY13
from samepose.training.prvipe.augment import AugmentConfig, Views, random_views
from samepose.training.prvipe.detected import DetectedRecipe, Seen, mixed, pool_of
from samepose.training.prvipe.recipe import PrVipeRecipeConfig

PLAIN = AugmentConfig(mirror=0, limbs=0, bones=0)


def seen_by_number(n: int = 200) -> tuple[Seen, torch.Tensor]:
    """Pose i in camera c is 10 i + c everywhere, so that a view tells whose it is."""
    number = 10.0 * torch.arange(n)[:, None] + torch.arange(4)
    return Seen(number[:, :, None, None].expand(n, 4, 13, 2).clone(), torch.ones(n, 4, 13, dtype=torch.bool)), number


def projections(n: int) -> tuple[Views, Views]:
    first, second = (Views(torch.full((n, 13, 2), -1.0 - k), torch.ones(n, 13, dtype=torch.bool), torch.zeros(n, 13, 3))
                     for k in range(2))
    return first, second


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_of_the_views_is_detected_each_of_its_own_body_and_camera(share: float) -> None:
    seen, _ = seen_by_number()
    index = torch.randint(200, (4000,), generator=torch.Generator().manual_seed(1))
    first, second = mixed(projections(4000), seen, index, share, torch.Generator().manual_seed(0))
    held = [v.points[:, 0, 0] for v in (first, second)]
    for k, values in enumerate(held):
        real = values >= 0
        assert real.float().mean() == pytest.approx(share, abs=0.03)
        assert (values[~real] == -1 - k).all()
        assert (values[real].div(10, rounding_mode="floor") == index[real]).all()
        if share:
            assert set((values[real] % 10).tolist()) == {0, 1, 2, 3}  # every camera
    both = (held[0] >= 0) & (held[1] >= 0)
    assert both.float().mean() == pytest.approx(share**2, abs=0.03)
    assert (held[0][both] != held[1][both]).all()  # a body is never shown twice by one camera


def test_a_camera_that_sees_too_little_is_not_shown() -> None:
    seen, _ = seen_by_number(50)
    seen.visible[:, 0] = False
    seen.visible[:, 1, 3:] = False  # three joints
    seen.visible[:10, 2:] = False  # nobody sees these
    seen.visible[20, 3, 5] = False
    index = torch.arange(50).repeat(40)
    views = mixed(projections(2000), seen, index, 1.0, torch.Generator().manual_seed(0))
    for view in views:
        values = view.points[:, 0, 0]
        assert (values[index < 10] < 0).all() and set((values[index >= 10] % 10).tolist()) == {2, 3}
    (row,) = np.flatnonzero((views[0].points[:, 0, 0] == 203).numpy())[:1]
    assert views[0].visible[row].sum() == 12 and not views[0].visible[row, 5]


def test_the_pool_keeps_poses_and_views_together_thirty_a_second() -> None:
    points = some_people(100)
    keypoints = project_views(points, CHEST4) * 300 + 400
    keypoints[1, 7, 2] = np.nan
    views = MultiView(keypoints, points, CAMERAS, np.repeat([0, 1], 50), ("S1/a", "S1/b"), np.tile(np.arange(50), 2))
    pool, seen = pool_of(views)
    assert len(pool.points) == 60 and pool.clip.tolist() == [0] * 30 + [1] * 30
    np.testing.assert_allclose(np.linalg.norm(pool.points[:, 7], axis=1) + np.linalg.norm(
        pool.points[:, 8] - pool.points[:, 7], axis=1), 1, rtol=1e-5)  # |pelvis-spine| + |spine-thorax|
    plain = project_views(pool.points, CHEST4)  # of the pool's own poses: the same views but for place and size
    for k in range(60):
        for c in range(4):
            one, other = seen.points[k, c].numpy(), plain[c, k]
            joints = seen.visible[k, c].numpy()
            other = other[joints] - other[joints].mean(axis=0)
            np.testing.assert_allclose(one[joints], other / np.sqrt((other**2).sum() / joints.sum()), atol=1e-3)
    hidden = ~seen.visible
    assert hidden.sum() <= 1 and (seen.points[hidden] == 0).all()


def test_bodies_that_a_detector_saw_are_not_varied() -> None:
    points = some_people(50)
    views = MultiView(project_views(points, CHEST4), points, CAMERAS, np.zeros(50, int), ("S1/a",), np.arange(50))
    pool, seen = pool_of(views)
    config = PrVipeRecipeConfig(PrVipeConfig(width=16), PLAIN, batch=8)
    recipe = DetectedRecipe(config, pool, seen)
    assert recipe.config()["detected"] == 0.5
    loss, _ = recipe.loss(recipe.model, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert torch.isfinite(loss)
    with pytest.raises(UsageError, match=r"set augment\.mirror and augment\.bones to 0"):
        DetectedRecipe(replace(config, augment=replace(AugmentConfig(), limbs=0)), pool, seen)
    with pytest.raises(UsageError, match="lifting learns poses in camera axes"):
        DetectedRecipe(replace(config, model=PrVipeConfig("lifting", width=16)), pool, seen)
    every = DetectedRecipe(config, pool, seen, share=1)
    index = torch.arange(len(pool.points))
    for view in every._views(every.points, index, torch.Generator().manual_seed(0)):
        nearest = (seen.points[index] - view.points[:, None]).abs().amax(dim=(2, 3)).amin(dim=1)
        assert (nearest == 0).all()
    assert len(random_views(every.points, PLAIN, torch.Generator().manual_seed(0)).points) == len(index)


@pytest.fixture
def h36m(run: Shell) -> Path:
    """All seven subjects, 40 frames each."""
    solid, flat = {}, {}
    moving = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
    for k, subject in enumerate(("S1", "S5", "S6", "S7", "S8", "S9", "S11")):
        points = some_people(40, seed=k)
        raw = np.zeros((40, 32, 3), np.float32)
        raw[:, moving] = np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)
        solid[subject] = {"Eating": raw}
        flat[subject] = {"Eating": list(project_views(points, CHEST4) * 400 + 500)}
    sides = [[j for j, name in enumerate(BODY13.joints) if name.startswith(s)] for s in ("left_", "right_")]
    Path("h36m").mkdir()
    np.savez("h36m/data_3d_h36m.npz", positions_3d=np.array(solid, dtype=object))
    np.savez("cpn.npz", positions_2d=np.array(flat, dtype=object),
             metadata=np.array({"num_joints": 13, "keypoints_symmetry": sides}, dtype=object))
    return Path("h36m")


WORDS = ("train", "prvipe", "--h36m", "h36m", "--detections", "cpn.npz", "--out", "run", "--steps", 4, "--batch", 16,
         "--model.width", 16, "--threads", 1)
UNVARIED = ("--augment.mirror", 0, "--augment.limbs", 0, "--augment.bones", 0)


def test_a_run_on_human36m_learns_from_five_subjects_and_validates_on_two(run: Shell, h36m: Path) -> None:
    told = run.json(*WORDS, *UNVARIED, "--detected", 1)
    assert set(told["validation"]) == {f"hit1_{c}_{k}" for c in ("chest4", "all11") for k in ("perfect", "noisy")}
    settings = json.loads(Path("run/config.json").read_text())
    assert settings["origin"]["subjects"] == ["S1", "S5", "S6", "S7", "S8"] and settings["recipe"]["detected"] == 1
    run.fails(*WORDS, *UNVARIED, "--resume", code=2, says=["other settings", "detected"])
    run(*WORDS, *UNVARIED, "--detected", 1, "--resume")
    told = run.json("eval", "retrieval", "--h36m", "h36m", "--detections", "cpn.npz", "--model", "run")
    assert "trained_on" not in told["models"]["prvipe"]


def test_wrong_usage(run: Shell, h36m: Path) -> None:
    run.fails(*WORDS, code=2, says=["augment.mirror"])
    run.fails(*WORDS, *UNVARIED, "--everything", code=2, says=["--everything"])
    run.fails(*WORDS, *UNVARIED, "--data", "x.npz", code=2, says=["--data"])
    run.fails(*WORDS[:4], *WORDS[6:], code=2, says=["--detections"])
    run.fails(*WORDS, *UNVARIED, "--detected", 2, code=2, says=["--detected"])
