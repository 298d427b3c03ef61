"""StructNet: shapes, gradients, whom the auxiliary task teaches, eight people learnt by heart, export."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from samepose.embed.pose_machine import MIDDLE, TOP
from samepose.errors import FormatError, UsageError
from samepose.lifting.structnet import StructNetInfo, StructNetModel
from samepose.losses.max_margin import prediction_loss
from samepose.models.structnet import COORDINATES, SIZE, UNIT, Features, MultiTask, StructNet, StructNetConfig
from samepose.training.structnet.export import export_structnet, graph
from samepose.training.structnet.features import FeatureSet
from samepose.training.structnet.multitask import window_loss
from samepose.training.structnet.recipe import StructNetRecipe, StructNetRecipeConfig, Trained
from samepose.training.structnet.validate import candidates_of, mpjpe, predictions

PAPER = StructNetConfig(channels=(4, 6, 8), hidden=16, dimensions=32)
CPM = replace(PAPER, features="cpm")
POSES = ("2-layer", "1-layer", "random", "raw")


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def seen(config: StructNetConfig, n: int, seed: int = 0) -> Features:
    rng = torch.Generator().manual_seed(seed)
    sizes = (MIDDLE, TOP) if config.features == "cpm" else (config.channels[1] * 196, config.channels[2] * 49)
    return Features(*(torch.rand(n, size, generator=rng) for size in sizes))


def poses(n: int, seed: int = 0) -> torch.Tensor:
    made = 0.3 * torch.randn(n, 17, 3, generator=torch.Generator().manual_seed(seed))
    return made - made[:, :1]


def people(config: StructNetConfig, n: int) -> FeatureSet:
    made = seen(config, n)
    return FeatureSet(made.middle.numpy().astype(np.float16), made.top.numpy().astype(np.float16),
                      UNIT * poses(n).numpy())


@pytest.mark.parametrize("config", [PAPER, CPM], ids=lambda c: c.features)
@pytest.mark.parametrize("pose", POSES)
def test_both_embeddings_meet_in_one_space_and_a_batch_is_its_items(config: StructNetConfig, pose: str) -> None:
    net = StructNet(replace(config, pose=pose)).eval()  # type: ignore[arg-type]
    x, y = seen(config, 3), poses(5)
    with torch.no_grad():
        image, predicted = net(x)
        embedded = net.embed_pose(y)
        assert image.shape[1] == embedded.shape[1] == (COORDINATES if pose == "raw" else 32)
        assert predicted.shape == (3, 17, 3) and predicted.abs().max() < 1
        for i in range(3):
            torch.testing.assert_close(net(Features(x.middle[i : i + 1], x.top[i : i + 1]))[0][0], image[i])
        if pose == "raw":
            torch.testing.assert_close(embedded, y.flatten(1))
        else:
            assert embedded.min() == 0  # ReLU


def test_the_convolutions_halve_as_the_module_says_and_the_third_is_linear() -> None:
    net = StructNet(PAPER)
    x = net.features(255 * torch.rand(2, 3, SIZE, SIZE))
    assert x.middle.shape == (2, 6 * 14 * 14) and x.top.shape == (2, 8 * 7 * 7)
    assert x.middle.min() >= 0 > x.top.min()
    assert net(x)[0].shape == (2, 32)


def test_the_auxiliary_task_teaches_neither_fc4_nor_the_pose_embedding() -> None:
    """Section 3.5: gradients from L_P only affect the CNN and FC1 to FC3."""
    net = StructNet(PAPER)
    _, predicted = net(net.features(255 * torch.rand(2, 3, SIZE, SIZE)))
    prediction_loss(predicted, poses(2)).backward()
    untouched = [*net.fc4.parameters(), *net.pose_layers.parameters()]
    assert all(p.grad is None for p in untouched)
    rest = {name: p for name, p in net.named_parameters() if all(p is not q for q in untouched)}
    assert {name.split(".")[0] for name in rest} == {"conv", "fc1", "fc2", "fc3", "fc7"}
    for name, p in rest.items():
        assert p.grad is not None and torch.isfinite(p.grad).all() and p.grad.abs().max() > 0, name


@pytest.mark.parametrize("config", [PAPER, CPM], ids=lambda c: c.features)
@pytest.mark.parametrize("pose", POSES)
def test_every_parameter_that_is_not_fixed_learns(config: StructNetConfig, pose: str) -> None:
    settings = StructNetRecipeConfig(replace(config, pose=pose, dropout=0.0), batch=16, candidates=30)  # type: ignore[arg-type]
    recipe = StructNetRecipe(settings, people(config, 40))
    cost, terms = recipe.loss(recipe.model, torch.Generator().manual_seed(0), torch.device("cpu"))
    cost.backward()
    assert terms["margin"] > 0 and terms["prediction"] > 0
    for name, p in recipe.model.named_parameters():
        if ".conv." in name:
            continue  # features were computed before
        if not p.requires_grad:
            assert pose == "random" and "pose_layers" in name
            continue
        assert p.grad is not None and torch.isfinite(p.grad).all() and p.grad.abs().max() > 0, name


def test_the_cost_is_equation_12_and_the_working_set_counts() -> None:
    settings = StructNetRecipeConfig(replace(CPM, dropout=0.0), batch=8, candidates=20, prediction=0.7, penalty=0.01)
    recipe = StructNetRecipe(settings, people(CPM, 30))
    cost, terms = recipe.loss(recipe.model, torch.Generator().manual_seed(0), torch.device("cpu"))
    weights = sum(float(p.square().sum()) for name, p in recipe.model.named_parameters()
                  if name.endswith("weight") and "conv" not in name)
    assert float(cost.detach()) == pytest.approx(terms["margin"] + 0.7 * terms["prediction"] + 0.01 * weights, rel=1e-4)
    assert float(recipe.cost()) == pytest.approx(float(cost.detach()), rel=1e-5)  # found again, without searching
    assert int(recipe.model.violations.sum()) == 8
    often = int(recipe.model.violations.argmax())
    assert often in recipe._candidates(torch.Generator().manual_seed(5))[20:].tolist()  # K most frequent are added


def test_dropout_is_the_same_when_the_cost_is_asked_for_again() -> None:
    recipe = StructNetRecipe(StructNetRecipeConfig(CPM, batch=8, candidates=20), people(CPM, 30))
    recipe.model.train()
    cost, _ = recipe.loss(recipe.model, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert float(recipe.cost()) == float(recipe.cost()) == pytest.approx(float(cost.detach()), rel=1e-5)


def test_eight_people_are_learnt_by_heart() -> None:
    data = people(PAPER, 8)
    settings = replace(PAPER, dropout=0.0, hidden=64, dimensions=64)
    recipe = StructNetRecipe(StructNetRecipeConfig(settings, batch=16, candidates=16, penalty=0.0), data)
    optimiser = torch.optim.AdamW(recipe.model.parameters(), 1e-3)
    rng = torch.Generator().manual_seed(0)
    before = mpjpe(predictions(recipe.model.net, data, candidates_of(recipe.model.net, data.poses)).averages[1],
                   data.poses).mean()
    recipe.model.train()
    for _ in range(300):
        cost, _ = recipe.loss(recipe.model, rng, torch.device("cpu"))
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
    found = predictions(recipe.model.net, data, candidates_of(recipe.model.net, data.poses))
    assert before > 100 and mpjpe(found.averages[1], data.poses).max() < 1e-3  # each person's own pose scores highest
    assert mpjpe(found.pred, data.poses).mean() < 60


def test_the_regressors_windows_count_only_joints_in_the_picture() -> None:
    net = MultiTask(PAPER)
    found, windows = net(255 * torch.rand(2, 3, SIZE, SIZE))
    assert found.shape == (2, 17, 3) and windows.shape == (2, 17, 49)
    joints = torch.full((2, 17, 2), -20.0)
    joints[0, 3] = torch.tensor([20.0, 37.0])  # column 1, row 2
    logits = torch.zeros(2, 17, 49)
    logits[0, 3, 15] = 50.0
    assert float(window_loss(logits, joints)) < 1e-6
    logits[0, 3, 15], logits[0, 3, 9] = 0.0, 50.0
    assert float(window_loss(logits, joints)) > 10
    (prediction_loss(found, poses(2)) + window_loss(windows, 50 + torch.zeros(2, 17, 2))).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.windows.parameters())
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.net.conv.parameters())


@pytest.mark.parametrize("pose", ["2-layer", "raw"])
def test_onnx_equals_torch(pose: str, tmp_path: Path) -> None:
    net = StructNet(replace(CPM, pose=pose)).eval()  # type: ignore[arg-type]
    x, y = seen(CPM, 4), poses(6)
    export_structnet(net, StructNetInfo("test", 3), UNIT * y.numpy(), tmp_path / "m.onnx")
    model = StructNetModel.load(tmp_path / "m.onnx", threads=1)
    assert model.info == StructNetInfo("test", 3) and model.name == "test"
    with torch.no_grad():
        image, predicted = net(x)
        embedded = net.embed_pose(y)
    there = model._run(["image", "predicted"], middle=x.middle.numpy(), top=x.top.numpy())
    np.testing.assert_allclose(there[0], image, rtol=5e-3, atol=5e-3 * float(image.abs().max()))  # fp16 weights
    np.testing.assert_allclose(there[1], UNIT * predicted, rtol=5e-3, atol=2e-3)
    np.testing.assert_allclose(model.embed_poses(UNIT * y.numpy()), embedded, rtol=5e-3, atol=2e-3)
    np.testing.assert_allclose(model.candidates.poses, UNIT * y.numpy(), atol=1e-3)


def test_the_translation_is_exact_and_the_same_every_time() -> None:
    import onnxruntime

    net = StructNet(CPM).eval()
    file = graph(net).SerializeToString()
    assert file == graph(net).SerializeToString()
    x, y = seen(CPM, 2), poses(5)
    session = onnxruntime.InferenceSession(file)
    there = session.run(None, {"middle": x.middle.numpy(), "top": x.top.numpy(), "pose": UNIT * y.numpy()})
    with torch.no_grad():
        here = [*net(x), net.embed_pose(y)]
    np.testing.assert_allclose(there[0], here[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(there[1], UNIT * here[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(there[2], here[2], rtol=1e-4, atol=1e-5)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    for wrong in ({"hidden": 0}, {"dropout": 1.0}, {"channels": (0, 1, 1)}):
        with pytest.raises(UsageError):
            replace(PAPER, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="convolutions"):
        MultiTask(CPM)
    with pytest.raises(UsageError, match="features"):
        graph(StructNet(PAPER))
    (tmp_path / "x.onnx").write_bytes(b"no")
    with pytest.raises(FormatError, match="not a StructNet model"):
        StructNetModel.load(tmp_path / "x.onnx")


def test_weights_of_the_fixed_layer_stay_and_equal_seeds_give_equal_weights() -> None:
    settings = StructNetRecipeConfig(replace(CPM, pose="random"))
    torch.manual_seed(3)
    one = Trained(settings, 5).state_dict()
    torch.manual_seed(3)
    assert all(torch.equal(a, b) for a, b in zip(one.values(), Trained(settings, 5).state_dict().values()))
