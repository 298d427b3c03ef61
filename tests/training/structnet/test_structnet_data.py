"""People to train StructNet on: squares, mirrors, noise, features; runs that go on as if nothing had happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rendered_shard import shard
from samepose.errors import FormatError, UsageError
from samepose.models.structnet import StructNetConfig
from samepose.skeleton import H36M17
from samepose.training.loop import LoopConfig, averaged_weights
from samepose.training.structnet.data import mirrored, people_of, pose_space, poses_of
from samepose.training.structnet.export import spread
from samepose.training.structnet.features import FeatureSet
from samepose.training.structnet.multitask import MultiTaskRecipeConfig, Squares
from samepose.training.structnet.noise import SPREAD, ColourNoise
from samepose.training.structnet.recipe import StructNetRecipeConfig
from samepose.training.structnet.train import (
    extractor_of,
    feature_set,
    load_structnet,
    train_multitask,
    train_structnet,
)

TINY = StructNetConfig(channels=(3, 4, 4), hidden=8, dimensions=16)
FLOAT = LoopConfig(steps=4, save_every=2, validate_every=4, threads=1, learning_rate=1e-3)


def test_poses_are_about_the_pelvis_and_joints_lie_in_their_squares(tmp_path: Path) -> None:
    truth = shard(tmp_path, 3)
    people = list(people_of([tmp_path], 128))
    assert len(people) == 3
    for person, joints, deep in zip(people, *truth):
        assert person.square.shape == (128, 128, 3) and (person.pose[0] == 0).all()
        np.testing.assert_allclose(person.pose, (deep - deep[:1])[: len(H36M17)], atol=1e-6)
        assert (person.joints > 0).all() and (person.joints < 128).all()
        shape = joints[: len(H36M17)]
        scale = (person.joints[1] - person.joints[2]) / (shape[1] - shape[2])  # a square: both axes alike
        assert scale[0] == pytest.approx(scale[1], rel=1e-4)


def test_mirroring_twice_is_nothing_and_left_becomes_right(tmp_path: Path) -> None:
    shard(tmp_path, 1)
    pose = next(people_of([tmp_path], 64)).pose
    twice = mirrored(mirrored(pose))
    np.testing.assert_array_equal(twice, pose)
    left, right = H36M17.index("left_wrist"), H36M17.index("right_wrist")
    np.testing.assert_array_equal(mirrored(pose)[left], pose[right] * [-1, 1, 1])


def test_poses_are_those_of_the_people_without_their_pictures(tmp_path: Path) -> None:
    shard(tmp_path / "a", 3)
    shard(tmp_path / "b", 2)
    whole = [p.pose for p in people_of([tmp_path / "a", tmp_path / "b"], 64)]
    with np.load(tmp_path / "b/people-00000.npz") as found:
        np.savez(tmp_path / "b/people-00000.npz", **dict(found, jpeg=np.zeros_like(found["jpeg"])))
    np.testing.assert_array_equal(poses_of([tmp_path / "a", tmp_path / "b"]), whole)
    with pytest.raises(FormatError, match=r"holds no people-\*\.npz"):
        poses_of([tmp_path])


def test_candidates_are_spread_over_what_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samepose.training.structnet.export._DRAWN", 60)
    near, far = (np.random.default_rng(k).normal(scale=s, size=(n, 17, 3)) for k, s, n in ((0, 0.01, 95), (1, 2, 5)))
    poses = np.concatenate([near, far]).astype(np.float32)
    found = spread(poses, 12, np.random.default_rng(0))
    space = pose_space(poses, np.random.default_rng(0))
    rows = [np.flatnonzero((space == pose).all((1, 2))) for pose in found]
    assert 6 <= len(found) <= 12 and all(len(r) == 1 for r in rows)
    assert (np.linalg.norm(found, axis=-1).mean(1) > 1).mean() > 0.3  # one in twenty is far
    assert len(spread(poses, 100, np.random.default_rng(0))) == 60


def test_the_pose_space_holds_the_poses_and_others_of_the_same_bones_and_heights(tmp_path: Path) -> None:
    poses = np.random.default_rng(0).normal(size=(5, 17, 3)).astype(np.float32)
    space = pose_space(poses, np.random.default_rng(1))
    assert space.shape == (20, 17, 3)
    np.testing.assert_array_equal(space[:5], poses)
    np.testing.assert_array_equal(space[5:10], mirrored(poses))
    np.testing.assert_allclose(space[10:15, :, 1], poses[..., 1], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(space[10:15], axis=-1), np.linalg.norm(poses, axis=-1), rtol=1e-5)
    assert not np.allclose(space[10:15], poses, atol=0.1)


def test_varied_squares_keep_pictures_joints_and_poses_together(tmp_path: Path) -> None:
    shard(tmp_path, 1)
    plain = next(people_of([tmp_path], 64))
    for seed in range(8):
        one = next(people_of([tmp_path], 64, seed))
        flipped = not np.allclose(one.pose, plain.pose)
        np.testing.assert_allclose(mirrored(one.pose) if flipped else one.pose, plain.pose, atol=1e-6)
        # the drawn wrist is red: it is where the joint says, whatever was done to the square
        x, y = one.joints[H36M17.index("right_wrist" if flipped else "left_wrist")].astype(int)
        assert one.square[y, x, 0] > 150 > one.square[y, x, 1]


def test_noise_has_the_covariance_of_the_colours() -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(3, 3)) * 20
    images = [np.clip(rng.normal(size=(8, 8, 3)) @ mix + 128, 0, 255).astype(np.uint8) for _ in range(200)]
    noise = ColourNoise.of(images)
    added = noise(np.zeros((20_000, 1, 1, 3), np.float32), rng)[:, 0, 0]
    wanted = SPREAD**2 * np.cov(np.concatenate([i.reshape(-1, 3) for i in images]).T.astype(float))
    np.testing.assert_allclose(np.cov(added.T), wanted, atol=0.05 * np.abs(wanted).max())
    same = noise(np.zeros((1, 4, 4, 3), np.float32), rng)
    assert np.ptp(same, axis=(1, 2)).max() == 0  # all pixels alike


def test_from_pictures_to_a_network_and_on_after_a_stop(tmp_path: Path) -> None:
    shard(tmp_path / "people", 6)
    squares = Squares.of([tmp_path / "people"])
    figures = train_multitask(squares, squares, tmp_path / "conv", MultiTaskRecipeConfig(TINY, batch=4), FLOAT)
    assert figures["pred"] > 0
    extractor = extractor_of(tmp_path / "conv", threads=1)
    people = FeatureSet.of([tmp_path / "people"], extractor, 2, tmp_path / "features")
    kept = FeatureSet.of([tmp_path / "people"], extractor, None, tmp_path / "kept")
    assert len(people) == 12 and len(kept) == 6 and people.middle.shape == (12, 4 * 196)
    again = FeatureSet.open(tmp_path / "features")
    np.testing.assert_array_equal(again.top, people.top)
    recipe = StructNetRecipeConfig(TINY, batch=4, candidates=8)
    for name, loop in (("adamw", FLOAT), ("search", replace(FLOAT, optimiser="line-search", ema=0.0))):
        run = tmp_path / name
        figures = train_structnet(people, kept, run, recipe, loop, init=tmp_path / "conv")
        assert {"pred", "avg1", "avg500"} <= set(figures)
        fixed = averaged_weights(tmp_path / "conv")["net.conv.first.0.weight"]
        assert torch.equal(averaged_weights(run)["net.conv.first.0.weight"], fixed)
        assert load_structnet(run).config == TINY
        with pytest.raises(UsageError, match="`resume`"):
            train_structnet(people, kept, run, recipe, loop, init=tmp_path / "conv")
    with pytest.raises(UsageError, match="`init`"):
        train_structnet(people, kept, tmp_path / "x", recipe, FLOAT)


def test_features_of_others_are_not_taken_for_those_asked_for(tmp_path: Path) -> None:
    squares = [Squares.of([tmp_path / name]) for name, n in (("a", 3), ("b", 4)) if shard(tmp_path / name, n)]
    for name, seed in (("conv", 0), ("other", 1)):
        loop = replace(FLOAT, seed=seed)
        train_multitask(squares[0], None, tmp_path / name, MultiTaskRecipeConfig(TINY, batch=2), loop)
    ours, folder = extractor_of(tmp_path / "conv", threads=1), tmp_path / "features"
    made = feature_set([tmp_path / "a"], ours, 2, folder)
    np.testing.assert_array_equal(feature_set([tmp_path / "a"], ours, 2, folder).top, made.top)
    for people, weights, copies in (("b", "conv", 2), ("a", "other", 2), ("a", "conv", 1)):
        with pytest.raises(UsageError, match=r"features: holds features of other people.*another folder"):
            feature_set([tmp_path / people], extractor_of(tmp_path / weights, threads=1), copies, folder)


@pytest.mark.parametrize("optimiser", ["adamw", "line-search"])
def test_a_resumed_run_is_bitwise_the_undisturbed_one(
    optimiser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from samepose.training.structnet.recipe import StructNetRecipe

    rng = np.random.default_rng(0)
    people = FeatureSet(rng.random((20, 4 * 196)).astype(np.float16), rng.random((20, 4 * 49)).astype(np.float16),
                        rng.normal(0, 0.3, (20, 17, 3)).astype(np.float32))
    shard(tmp_path / "people", 2)
    squares = Squares.of([tmp_path / "people"])
    train_multitask(squares, squares, tmp_path / "conv", MultiTaskRecipeConfig(TINY, batch=2), FLOAT)
    recipe = StructNetRecipeConfig(TINY, batch=4, candidates=8)
    loop = replace(FLOAT, steps=6, optimiser=optimiser, deterministic=True, ema=0.0)  # type: ignore[arg-type]

    def train(name: str, resume: bool = False) -> dict[str, torch.Tensor]:
        train_structnet(people, people, tmp_path / name, recipe, loop, init=tmp_path / "conv", resume=resume)
        return averaged_weights(tmp_path / name)

    whole, real, calls = train("whole"), StructNetRecipe.loss, 0

    def dies(self: StructNetRecipe, *args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return real(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(StructNetRecipe, "loss", dies)
    with pytest.raises(KeyboardInterrupt):
        train("cut")
    monkeypatch.setattr(StructNetRecipe, "loss", real)
    resumed = train("cut", resume=True)
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no features"):
        FeatureSet.open(tmp_path)
    with pytest.raises(UsageError, match="nobody"):
        Squares.of([tmp_path])
    with pytest.raises(FormatError, match="holds no run"):
        extractor_of(tmp_path)
