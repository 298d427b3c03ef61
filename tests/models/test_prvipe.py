"""The Pr-VIPE network, its recipe, the loop, and the way to ONNX."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from samepose.embed.prvipe import ModelInfo, PrVipeEmbedder
from samepose.errors import FormatError, UsageError
from samepose.geometry.normalise import normalise_2d
from samepose.matching.embeddings import Embeddings, Matching
from samepose.models.prvipe import PrVipe, PrVipeConfig
from samepose.poses import Poses
from samepose.skeleton import BODY13, COCO17, H36M17
from samepose.training.loop import LoopConfig, averaged_weights, fit
from samepose.training.prvipe.augment import AugmentConfig, body13, normalise, random_bodies, random_views
from samepose.training.prvipe.export import export, graph
from samepose.training.prvipe.recipe import MotionPool, PrVipeRecipe, PrVipeRecipeConfig
from samepose.training.prvipe.train import widened

RNG = np.random.default_rng(0)


def bodies(n: int) -> np.ndarray:
    """Skeletons with random limbs: (n, 17, 3), pelvis at 0, torso length 1, facing +z."""
    from made_up_motion import standing

    points = np.repeat(standing()[None], n, 0) + RNG.normal(0, 0.12, (n, 17, 3))
    return points.astype(np.float32)


def small_model(kind: str = "gaussian") -> PrVipe:
    torch.manual_seed(0)
    model = PrVipe(PrVipeConfig(kind=kind, width=48))  # type: ignore[arg-type]
    for layer in model.modules():  # statistics that are not the identity, so that folding is tested
        if isinstance(layer, torch.nn.BatchNorm1d):
            torch.nn.init.normal_(layer.running_mean, 0, 0.3)
            torch.nn.init.uniform_(layer.running_var, 0.5, 2)
            torch.nn.init.uniform_(layer.weight, 0.5, 1.5)
    return model.eval()


def keypoints(n: int) -> np.ndarray:
    points = RNG.normal(size=(n, 13, 2)).astype(np.float32) * 50 + 200
    points[RNG.random((n, 13)) < 0.2] = np.nan
    return points


INFO = ModelInfo("test", Matching(1.5, 0.5), joint_score=0.2, min_joints=6)


@pytest.mark.parametrize("kind", ["gaussian", "point", "l2"])
def test_onnx_equals_torch(kind: str, tmp_path: Path) -> None:
    model, points = small_model(kind), keypoints(50)
    export(model, INFO, tmp_path / "m.onnx")
    embedder = PrVipeEmbedder.load(tmp_path / "m.onnx")
    assert embedder.info == INFO
    ours = embedder.embed_keypoints(points)
    unit, visible = normalise_2d(points)
    with torch.no_grad():
        mean, var = model(torch.from_numpy(unit), torch.from_numpy(visible))
    np.testing.assert_allclose(ours.mean, mean, rtol=5e-3, atol=5e-3)  # fp16 weights
    np.testing.assert_allclose(ours.var, var, rtol=5e-3, atol=5e-3)
    assert ours.mean.dtype == np.float32


@pytest.mark.parametrize("kind", ["gaussian", "point", "l2"])
def test_translation_to_onnx_is_exact_for_any_number_of_poses(kind: str) -> None:
    model = small_model(kind)
    session = onnxruntime.InferenceSession(graph(model).SerializeToString())
    for count in (1, 5):
        unit, visible = normalise_2d(keypoints(count))
        x = np.concatenate([unit.reshape(count, 26), visible], axis=1, dtype=np.float32)
        there = session.run(["mean", "var"], {"x": x})
        with torch.no_grad():
            here = model(torch.from_numpy(unit), torch.from_numpy(visible))
        for ours, theirs in zip(there, here):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=2e-6)


def test_an_export_is_the_same_every_time_and_tells_nothing_of_this_machine(tmp_path: Path) -> None:
    export(small_model(), INFO, tmp_path / "a.onnx")
    export(small_model(), INFO, tmp_path / "b.onnx")
    content = (tmp_path / "a.onnx").read_bytes()
    assert content == (tmp_path / "b.onnx").read_bytes()
    assert len(content) < 2.5 * sum(p.numel() for p in small_model().parameters()) + 10_000  # two bytes each
    for place in (Path(torch.__file__).parent, Path(__file__).parents[2], Path.home()):
        assert str(place).encode() not in content


@pytest.mark.parametrize("kind", ["gaussian", "point", "l2", "lifting"])
def test_a_batch_equals_its_items(kind: str) -> None:
    model = small_model(kind)
    points, visible = (torch.from_numpy(x) for x in normalise_2d(keypoints(6)))
    with torch.no_grad():
        whole = model(points, visible)
        for i in range(6):
            one = model(points[i : i + 1], visible[i : i + 1])
            torch.testing.assert_close(one[0][0], whole[0][i], rtol=1e-4, atol=1e-5)


ABSURD = (1e6, -3e4, 0.0)


@pytest.mark.parametrize("joint", ["nose", "left_hip", "right_shoulder", "left_wrist"])
def test_what_a_hidden_joint_holds_never_matters(joint: str, tmp_path: Path) -> None:
    """A detector still gives coordinates to a joint that it does not believe in: they must not reach the embedding."""
    export(small_model(), INFO, tmp_path / "m.onnx")
    embedder = PrVipeEmbedder.load(tmp_path / "m.onnx")
    points, scores = RNG.normal(size=(4, 17, 2)) * 40 + 100, np.ones((4, 17))
    scores[:, COCO17.index(joint)] = 0.1  # under joint_score
    absent = points.copy()
    absent[:, COCO17.index(joint)] = np.nan
    expected = embedder.embed(Poses.of(absent, COCO17))
    whole = embedder.embed(Poses.of(points, COCO17))
    for value in ABSURD:
        points[:, COCO17.index(joint)] = value
        found = embedder.embed(Poses.of(points, COCO17, scores=scores))
        np.testing.assert_array_equal(found.mean, expected.mean)
        np.testing.assert_array_equal(found.var, expected.var)
        assert not np.allclose(embedder.embed(Poses.of(points, COCO17)).mean, expected.mean, atol=1e-3)  # if believed
    assert not np.allclose(whole.mean, expected.mean, atol=1e-3)  # the joint itself does matter


def test_training_never_sees_what_a_hidden_joint_holds() -> None:
    points, visible = (torch.from_numpy(x) for x in normalise_2d(keypoints(40)))
    assert 20 < (~visible).sum() < 300
    model = small_model()
    with torch.no_grad():
        expected = model(normalise(points, visible), visible)[0]
        for value in ABSURD:
            filled = torch.where(visible[..., None], points, value)
            torch.testing.assert_close(model(normalise(filled, visible), visible)[0], expected, rtol=1e-4, atol=1e-4)
    quiet = AugmentConfig(jitter=0, swap=0, hide=1.0, detector=0.5)
    views = random_views(torch.from_numpy(MotionPool.of(bodies(50), np.arange(50)).points), quiet,
                         torch.Generator().manual_seed(0))
    assert (~views.visible).any(1).float().mean() > 0.5 and (views.points[~views.visible] == 0).all()
    for pose, seen in zip(views.points, views.visible):  # normalised over the joints that are there alone
        torch.testing.assert_close(pose[seen].mean(0), torch.zeros(2), atol=1e-4, rtol=0)
        torch.testing.assert_close(pose[seen].square().sum() / seen.sum(), torch.tensor(1.0), atol=1e-3, rtol=0)


def test_every_parameter_learns() -> None:
    recipe = PrVipeRecipe(PrVipeRecipeConfig(PrVipeConfig(width=32), batch=32, lift=1.0), MotionPool.of(bodies(200),
                          np.zeros(200, int)))
    loss, _ = recipe.loss(recipe.model, torch.Generator().manual_seed(0), torch.device("cpu"))
    loss.backward()
    for name, parameter in recipe.model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_eight_bodies_are_told_apart(tmp_path: Path) -> None:
    """Overfit: after a short run another view of the same body is the best match."""
    pool = MotionPool.of(bodies(8), np.arange(8))
    augment = AugmentConfig(jitter=0, swap=0, hide=0, limbs=0, bones=0, mirror=0, nose=0, elevation=5, roll=5)
    recipe = PrVipeRecipe(PrVipeRecipeConfig(PrVipeConfig(width=64), augment, batch=48, kappa=0.02, neighbours=0), pool)
    model = fit(recipe, LoopConfig(steps=250, validate_every=1000, threads=1), tmp_path / "run")
    rng = torch.Generator().manual_seed(5)
    with torch.no_grad():
        seen = [random_views(recipe.points, augment, rng) for _ in range(2)]
        views = [model(v.points, v.visible) for v in seen]
    matching = Matching(float(model.a), float(model.raw_b))
    p = matching.probability(*(Embeddings(m.numpy(), v.numpy()) for m, v in views))
    assert (p.argmax(axis=1) == np.arange(8)).mean() >= 0.75


def test_a_widened_model_computes_the_same_and_its_copies_part(tmp_path: Path) -> None:
    narrow, wide = small_model(), PrVipe(replace(small_model().config, width=3 * small_model().config.width)).eval()
    wide.load_state_dict(widened(narrow.state_dict(), wide.state_dict()))
    x = torch.randn(20, 13, 2)
    visible = torch.ones(x.shape[:2], dtype=torch.bool)
    for ours, theirs in zip(wide(x, visible), narrow(x, visible)):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    wide(x, visible)[0].square().sum().backward()
    gradient, n = wide.blocks[0].layers[0][0].weight.grad, narrow.config.width
    assert gradient is not None and not torch.allclose(gradient[:n], gradient[n : 2 * n], rtol=0.01)


def tiny_recipe() -> PrVipeRecipe:
    pool = MotionPool.of(np.random.default_rng(1).normal(size=(60, 17, 3)).astype(np.float32), np.arange(60))
    torch.manual_seed(3)
    return PrVipeRecipe(PrVipeRecipeConfig(PrVipeConfig(width=24), batch=16), pool)


def test_a_resumed_run_is_bitwise_the_undisturbed_one(tmp_path: Path) -> None:
    config = LoopConfig(steps=24, save_every=8, validate_every=100, threads=1, deterministic=True)
    whole = fit(tiny_recipe(), config, tmp_path / "whole")

    class Killed(Exception):
        pass

    recipe, calls = tiny_recipe(), 0
    real_loss = recipe.loss

    def dies(*args: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 14:  # six steps after the checkpoint of step 8
            raise Killed
        return real_loss(*args)  # type: ignore[arg-type]

    recipe.loss = dies  # type: ignore[assignment, method-assign]
    with pytest.raises(Killed):
        fit(recipe, config, tmp_path / "cut")
    resumed = fit(tiny_recipe(), config, tmp_path / "cut", resume=True)
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values()):
        assert torch.equal(a, b), name
    stored = averaged_weights(tmp_path / "cut")
    assert all(torch.equal(stored[name], value) for name, value in whole.state_dict().items())


def test_the_averages_are_the_exponential_ones_of_weights_and_of_running_statistics(tmp_path: Path) -> None:
    recipe = tiny_recipe()
    real_loss, seen = recipe.loss, list[dict[str, torch.Tensor]]()

    def watched(*args: object) -> object:
        seen.append({name: value.double().clone() for name, value in recipe.model.state_dict().items()})
        return real_loss(*args)  # type: ignore[arg-type]

    recipe.loss = watched  # type: ignore[assignment, method-assign]
    averaged = fit(recipe, LoopConfig(steps=20, ema=0.6, save_every=100, validate_every=100, threads=1), tmp_path)
    after = [*seen[1:], {name: value.double() for name, value in recipe.model.state_dict().items()}]
    for name, value in averaged.state_dict().items():
        if value.is_floating_point():
            mean = after[0][name]
            for n, now in enumerate(after[1:], start=2):
                decay = min(0.6, n / (n + 9))
                mean = decay * mean + (1 - decay) * now[name]
            assert torch.allclose(mean, value.double(), rtol=1e-5, atol=1e-7), name


def test_a_run_is_not_overwritten_nor_resumed_with_other_settings(tmp_path: Path) -> None:
    config = LoopConfig(steps=2, save_every=2, validate_every=9, threads=1)
    fit(tiny_recipe(), config, tmp_path)
    with pytest.raises(UsageError, match="`resume`"):
        fit(tiny_recipe(), config, tmp_path)
    with pytest.raises(UsageError, match="other settings"):
        fit(tiny_recipe(), LoopConfig(steps=3, save_every=2, threads=1), tmp_path, resume=True)
    with pytest.raises(FormatError, match=r"no checkpoint\.safetensors"):
        averaged_weights(tmp_path / "nothing")


def test_random_bodies_keep_the_unit_and_mirroring_swaps_sides() -> None:
    rng = torch.Generator().manual_seed(0)
    points = torch.from_numpy(MotionPool.of(bodies(50), np.arange(50)).points)
    out = random_bodies(points, AugmentConfig(), rng)
    spine, thorax = out[:, H36M17.index("spine")], out[:, H36M17.index("thorax")]
    torch.testing.assert_close(spine.norm(dim=1) + (thorax - spine).norm(dim=1), torch.ones(50))
    mirrored = random_bodies(points, AugmentConfig(mirror=1, limbs=0, bones=0), rng)
    left, right = H36M17.index("left_wrist"), H36M17.index("right_wrist")
    torch.testing.assert_close(mirrored[:, left], points[:, right] * torch.tensor([-1.0, 1, 1]))
    # The person's left stays on the left: +x for one who faces +z.
    assert ((mirrored[:, left] - mirrored[:, right])[:, 0] > 0).float().mean() > 0.9


def test_views_show_left_on_the_right_from_the_front() -> None:
    points = torch.from_numpy(MotionPool.of(bodies(20), np.arange(20)).points)
    quiet = AugmentConfig(jitter=0, swap=0, hide=0, nose=0.1)
    views = random_views(points, quiet, torch.Generator().manual_seed(0))
    assert views.points.shape == (20, 13, 2) and views.visible.all()
    left, right = BODY13.index("left_hip"), BODY13.index("right_hip")
    turned, seen = (x[:, left, 0] - x[:, right, 0] for x in (views.turned, views.points))
    assert ((seen > 0) == (turned > 0)).float().mean() > 0.9  # the image shows the side that the camera axes say
    nose = body13(points, 0.15, torch.Generator().manual_seed(1))[:, 0]
    neck = points[:, H36M17.index("neck")]
    assert (nose - neck)[:, 2].mean() > 0  # forward of the neck: +z


def test_embedder_sees_what_detectors_give(tmp_path: Path) -> None:
    export(small_model(), INFO, tmp_path / "m.onnx")
    embedder = PrVipeEmbedder.load(tmp_path / "m.onnx")
    points = RNG.normal(size=(2, 17, 2)) * 40 + 100
    scores = np.ones((2, 17))
    scores[1, COCO17.index("left_wrist")] = 0.1  # under joint_score
    poses = Poses.of(points, COCO17, scores=scores)
    hidden = poses.hide(joints=["left_wrist"])
    a, b = embedder.embed(poses), embedder.embed(hidden)
    np.testing.assert_array_equal(a.mean[1], b.mean[1])
    assert not np.allclose(a.mean[0], b.mean[0])
    few = poses.hide(joints=[j for j in BODY13.joints if j not in BODY13.joints[:5]])
    assert embedder.searchable(poses).all() and not embedder.searchable(few).any()
    assert len(embedder.embed(Poses.empty(COCO17))) == 0


def test_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no")
    with pytest.raises(FormatError, match=r"x\.onnx: not a Pr-VIPE model"):
        PrVipeEmbedder.load(tmp_path / "x.onnx")
    with pytest.raises(FormatError, match="cannot be read"):
        PrVipeEmbedder.load(tmp_path / "y.onnx")
    with pytest.raises(UsageError, match="lifting"):
        export(small_model("lifting"), INFO, tmp_path / "z.onnx")


def test_lifting_learns_the_pose_in_camera_axes() -> None:
    config = PrVipeRecipeConfig(PrVipeConfig("lifting", width=64), AugmentConfig(hide=0, jitter=0, swap=0), batch=64)
    recipe = PrVipeRecipe(config, MotionPool.of(bodies(100), np.arange(100)))
    optimiser = torch.optim.AdamW(recipe.model.parameters(), 3e-3)
    rng, losses = torch.Generator().manual_seed(0), []
    for _ in range(60):
        loss, _ = recipe.loss(recipe.model, rng, torch.device("cpu"))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:3])
