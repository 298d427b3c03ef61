"""Convolutional Pose Machines: the network, its losses, the squares it learns from, training and export."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from samepose.errors import FormatError, UsageError
from samepose.formats.keypointset import read_keypoint_set
from samepose.formats.labelled import LabelledPeople
from samepose.losses.belief_maps import centre_maps, ideal_belief_maps, l2_loss, softmax_loss
from samepose.models.cpm import STRIDE, Beliefs, Cpm, CpmConfig, receptive_field
from samepose.models.thunder import Thunder
from samepose.poses import Poses
from samepose.skeleton import Skeleton
from samepose.training.augment import CropAugmentConfig, centred, random_placement
from samepose.training.cpm.data import Batch, People, validation_numbers
from samepose.training.cpm.export import export_cpm, graph
from samepose.training.cpm.recipe import CpmRecipe, CpmRecipeConfig, stage_losses, train_cpm
from samepose.training.cpm.validate import joints_of, pck_of_stages
from samepose.training.loop import LoopConfig, initialise
from samepose.weights import weight_file

JOINTS = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
LEAN = CpmConfig(joints=JOINTS, size=64, stages=2, width=16, layers=1, frozen=5)
PAPER = CpmConfig("paper", JOINTS, size=32, stages=2, width=8, layers=1, beliefs="linear")
RNG = np.random.default_rng


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def images(n: int, size: int) -> torch.Tensor:
    return torch.from_numpy(RNG(0).integers(0, 256, (n, 3, size, size)).astype(np.float32))


def batch_of(points: torch.Tensor, size: int) -> Batch:
    """Noise with everybody's joints marked and inside."""
    visible = torch.ones(points.shape[:3], dtype=torch.bool)
    return Batch(images(len(points), size), points, visible, visible[:, 0].clone(), points[:, 0].mean(1))


def drawn(folder: Path, n: int = 8, side: int = 64) -> LabelledPeople:
    """A red, a green, a blue and a white dot on grey: four joints that anybody can find."""
    points = RNG(1).uniform(8, side - 8, (n, 4, 2)).astype(np.float32)
    paths = []
    for i, joints in enumerate(points):
        image = Image.new("RGB", (side, side), (90, 90, 90))
        for (x, y), colour in zip(joints, ("red", "green", "blue", "white")):
            ImageDraw.Draw(image).ellipse([x - 4, y - 4, x + 4, y + 4], fill=colour)
        paths.append(folder / f"{i}.png")
        image.save(paths[-1])
    return LabelledPeople.of("drawn", Poses.of(points, Skeleton("dots", JOINTS)), paths)


# --- the network


def reached(output: torch.Tensor, inputs: torch.Tensor) -> tuple[int, int]:
    """Rows and columns of the box of inputs that the middle cell of an output depends on."""
    middle = output[..., output.shape[-2] // 2, output.shape[-1] // 2].sum()
    (gradient,) = torch.autograd.grad(middle, inputs, retain_graph=True)
    touched = (gradient != 0).flatten(0, -3).any(0)
    return tuple(int(a.max() - a.min()) + 1 for a in touched.nonzero().T)


def open_everywhere(model: nn.Module) -> nn.Module:
    """Positive weights let every gradient through a ReLU, and the mean of a pooling's inputs all of them, not one."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.MaxPool2d | nn.ReLU6):
            parent, _, child = name.rpartition(".")
            other = nn.AvgPool2d(layer.kernel_size) if isinstance(layer, nn.MaxPool2d) else nn.ReLU()
            setattr(model.get_submodule(parent), child, other)
    return model.double().eval()


def test_the_papers_receptive_fields_are_160_and_400_pixels() -> None:
    model = Cpm(replace(PAPER, size=480, layers=3, width=4))
    assert receptive_field(model.first) == (160, STRIDE) and receptive_field(model.later[0]) == (31, 1)
    assert receptive_field(model.later[0], *receptive_field(model.first)) == (400, STRIDE)
    open_everywhere(model)
    image = torch.full((1, 3, 480, 480), 200.0, dtype=torch.float64, requires_grad=True)
    out = model(image)
    assert reached(out[:, 0], image) == (160, 160)
    assert reached(out[:, 1], image) == (400, 400)
    beliefs = torch.ones(1, 4 // 4 + 5 + 1, 48, 48, dtype=torch.float64, requires_grad=True)
    assert reached(model.later[0](beliefs), beliefs) == (31, 31)


def test_the_lean_network_sees_as_much_of_a_person() -> None:
    model = open_everywhere(Cpm(replace(LEAN, size=192, layers=3, pretrained=False)))
    image = torch.full((1, 3, 192, 192), 200.0, dtype=torch.float64, requires_grad=True)
    assert reached(model(image)[:, 0], image) == (75, 75)
    beliefs = torch.ones(1, 16 + 5 + 1, 48, 48, dtype=torch.float64, requires_grad=True)
    assert reached(model.later[0](beliefs), beliefs) == (31, 31)


def test_the_backbone_computes_what_thunder_computes() -> None:
    import onnx

    proto = onnx.load(weight_file("movenet-thunder"))
    wanted = ["block_5_add/add:0", "block_12_add/add:0", "out_relu/Relu6:0"]
    names = [next(n.output[0] for n in proto.graph.node if n.output[0].endswith(w)) for w in wanted]
    proto.graph.output.extend(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in names)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    x = images(1, 256)
    theirs = session.run(names, {"input:0": x.permute(0, 2, 3, 1).numpy().astype(np.int32)})
    with torch.no_grad():
        ours = Thunder().eval()(x)
    for a, b in zip((ours.fine, ours.middle, ours.coarse), theirs):
        np.testing.assert_allclose(a.numpy(), b, atol=2e-3)


@pytest.mark.parametrize("config", [LEAN, PAPER, replace(PAPER, stages=6), replace(PAPER, beliefs="softmax"),
                                    replace(LEAN, stages=1), replace(LEAN, joints=JOINTS[:1])])
def test_one_map_per_joint_and_stage_and_one_for_the_background(config: CpmConfig) -> None:
    model = Cpm(config).eval()
    with torch.no_grad():
        out = model(images(2, config.size))
        alone = model(images(2, config.size)[1:])
    cells = config.size // STRIDE
    assert out.shape == (2, config.stages, len(config.joints) + 1, cells, cells)
    torch.testing.assert_close(out[1:], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", [LEAN, PAPER])
def test_every_parameter_that_is_not_frozen_learns(config: CpmConfig) -> None:
    model = Cpm(config)
    for stage in model.modules():  # begin away from the tiny first head, whose gradients are tiny too
        if isinstance(stage, nn.Conv2d) and stage.out_channels == len(JOINTS) + 1:
            nn.init.normal_(stage.weight, std=0.1)
    batch = batch_of(torch.rand(3, 1, 4, 2) * config.size, config.size)
    stage_losses(model(batch.images), batch, config).sum().backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.abs().sum() > 0, name
        else:
            assert ".backbone." in name


def test_the_centre_map_is_the_middle_unless_told() -> None:
    model = Cpm(PAPER).eval()
    cells = PAPER.cells
    off = np.exp(-((np.arange(cells) - (cells - 1) / 2) ** 2) / 2)
    middle = torch.from_numpy(np.outer(off, off)[None, None].astype(np.float32))
    with torch.no_grad():
        torch.testing.assert_close(model(images(1, 32)), model(images(1, 32), middle))
        assert not torch.allclose(model(images(1, 32)), model(images(1, 32), torch.zeros_like(middle)))


@pytest.mark.parametrize("wrong", [{"size": 200}, {"stages": 0}, {"kernel": 4}, {"joints": ("a", "a")}, {"sigma": 0}])
def test_impossible_networks_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError):
        replace(PAPER, **wrong)


# --- ideal maps and losses


def test_ideal_maps_against_a_loop() -> None:
    points = torch.tensor([[[[3.5, 11.5], [20.0, 9.0]], [[27.5, 27.5], [0.0, 0.0]]]])  # 1 image, 2 people, 2 joints
    visible = torch.tensor([[[True, True], [True, False]]])
    maps = ideal_belief_maps(points, visible, 4, STRIDE, 1.5)[0]
    for joint in range(2):
        for row in range(4):
            for column in range(4):
                best = 0.0
                for person in range(2):
                    if visible[0, person, joint]:
                        x, y = ((points[0, person, joint] + 0.5) / STRIDE - 0.5).tolist()
                        best = max(best, np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * 1.5**2)))
                assert maps[joint, row, column] == pytest.approx(best, abs=1e-6)
    assert maps[0, 1, 0] == 1  # (3.5, 11.5) is the middle of column 0, row 1
    torch.testing.assert_close(maps[2], 1 - maps[:2].amax(0))


def test_losses_fall_to_their_least_at_the_ideal_maps() -> None:
    points, visible = torch.rand(2, 1, 3, 2) * 50 + 7, torch.ones(2, 1, 3, dtype=torch.bool)
    ideal = ideal_belief_maps(points, visible, 8, STRIDE, 1.0)
    known = torch.ones(2, 4, dtype=torch.bool)
    stages = ideal[:, None].repeat(1, 2, 1, 1, 1)
    assert l2_loss(stages, ideal, ideal, known).tolist() == [0, 0]
    worse = stages.clone()
    worse[:, 1, 0, 0, 0] += 2
    torch.testing.assert_close(l2_loss(worse, ideal, ideal, known), torch.tensor([0.0, 4.0]))
    assert l2_loss(worse, ideal, ideal, torch.tensor([[False, True, True, True]] * 2)).tolist() == [0, 0]
    logits = torch.cat([ideal[:, :-1].clamp_min(1e-9).log(), torch.logit(ideal[:, -1:], 1e-6)], 1)[:, None]
    at_best = softmax_loss(logits, ideal, ideal, known)
    assert softmax_loss(logits + 0.3 * torch.randn_like(logits), ideal, ideal, known) > at_best


def test_the_first_stage_sees_everyone_and_the_others_the_primary_person() -> None:
    points = torch.tensor([[[[12.0, 12.0]] * 4, [[44.0, 44.0]] * 4]])
    batch = batch_of(points, 64)
    config = replace(PAPER, size=64)
    near = ideal_belief_maps(points, batch.visible, 8, STRIDE, 1.0)
    primary = ideal_belief_maps(points[:, :1], batch.visible[:, :1], 8, STRIDE, 1.0)
    assert stage_losses(torch.stack([near, primary], 1), batch, config).tolist() == [0, 0]
    assert (stage_losses(torch.stack([primary, near], 1), batch, config) > 1).all()


def test_joints_that_nobody_marked_cost_nothing_and_absent_ones_do() -> None:
    config, linear = replace(PAPER, size=64), torch.zeros(1, 2, 5, 8, 8)
    linear[:, :, :4, 3, 3] = 1  # a belief in every joint
    batch = batch_of(torch.full((1, 1, 4, 2), 27.5), 64)  # where all of them are
    batch.visible[0, 0, 1:3] = False  # joint 1 was marked and lies outside the square, joint 2 was not marked
    batch.known[0, 2] = False
    costs = [stage_losses(linear.index_fill(2, torch.tensor([k]), 0), batch, config) for k in range(4)]
    believed = stage_losses(linear, batch, config)
    assert (costs[0] > believed).all() and (costs[3] > believed).all()  # it was right to believe in the visible ones,
    torch.testing.assert_close(costs[1], believed - 1)  # wrong in the one outside,
    torch.testing.assert_close(costs[2], believed)  # and nobody knows about the other
    softmax = replace(config, beliefs="softmax")
    cost = stage_losses(linear, batch, softmax)
    torch.testing.assert_close(stage_losses(linear.index_fill(2, torch.tensor([1, 2]), 9.0), batch, softmax), cost)


def test_everyone_near_counts_in_the_first_stage_although_the_primary_persons_joint_is_outside() -> None:
    points = torch.tensor([[[[12.0, 12.0]] * 4, [[43.5, 43.5]] * 4]])
    batch, config = batch_of(points, 64), replace(LEAN, size=64)
    batch.visible[0, 0, 0] = False
    out = torch.zeros(1, 2, 5, 8, 8)
    right = out.clone()
    right[:, :, 0, 5, 5] = 3  # the other's joint
    first, later = stage_losses(right, batch, config) - stage_losses(out, batch, config)
    assert first < 0 and later == 0


def test_centre_maps_have_their_peak_in_the_cell_of_the_person() -> None:
    maps = centre_maps(torch.tensor([[3.5, 11.5], [27.5, 19.5]]), 4, STRIDE, 1.5)
    assert maps.shape == (2, 1, 4, 4) and maps[0, 0, 1, 0] == 1 and maps[1, 0, 2, 3] == 1
    assert maps[0, 0, 3, 2] == pytest.approx(np.exp(-(2**2 + 2**2) / (2 * 1.5**2)))


def test_beliefs_of_an_ideal_answer_have_peaks_of_one() -> None:
    config = replace(LEAN, joints=JOINTS[:1])
    ideal = ideal_belief_maps(torch.tensor([[[[27.5, 35.5]]]]), torch.ones(1, 1, 1, dtype=torch.bool), 16, STRIDE, 1.0)
    out = torch.cat([ideal[:, :1].clamp_min(1e-9).log(), torch.logit(ideal[:, 1:], 1e-6)], 1)
    torch.testing.assert_close(Beliefs(config)(out), ideal, atol=1e-3, rtol=0)


def test_joints_are_found_between_the_cells() -> None:
    points = torch.from_numpy(RNG(3).uniform(10, 54, (6, 1, 4, 2)).astype(np.float32))
    maps = ideal_belief_maps(points, torch.ones(6, 1, 4, dtype=torch.bool), 8, STRIDE, 1.0)
    torch.testing.assert_close(joints_of(maps[:, None])[:, 0], points[:, 0], atol=0.05, rtol=0)


# --- squares


@pytest.mark.parametrize("seed", range(6))
def test_points_move_with_the_pixels(seed: int) -> None:
    image = np.zeros((80, 60, 3), np.uint8)
    point = np.array([[22.0, 31.0]], np.float32)
    image[29:34, 20:25] = 255
    strong = CropAugmentConfig(any_way_up=1.0)
    place = centred((0, 0, 60), 96) if seed == 0 else random_placement((-5, 0, 70), 96, strong, RNG(seed))
    crop = place.image(image, 96)[..., 0].astype(float)
    rows, columns = np.mgrid[:96, :96]
    middle = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
    np.testing.assert_allclose(place.points(point, np.array([0]))[0], middle, atol=0.3)


def test_left_becomes_right_in_a_mirrored_square() -> None:
    mirrored = CropAugmentConfig(rotation=0, any_way_up=0, scale=(1.0, 1.0), shift=0, flip=1)
    place = random_placement((0, 0, 64), 64, mirrored, RNG(0))
    points = np.array([[10, 20], [50, 20], [15, 40], [45, 40]], np.float32)
    moved = place.points(points, Skeleton("dots", JOINTS).mirror)
    np.testing.assert_allclose(moved, np.array([[13, 20], [53, 20], [18, 40], [48, 40]]), atol=1e-4)


def off_middle(folder: Path, **told: list) -> LabelledPeople:
    """One person whose joints' box has its middle at (40, 20), where the image has a white spot."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[19:22, 39:42] = 255
    Image.fromarray(picture).save(folder / "spot.png")
    points = np.array([[[30, 10], [50, 12], [33, 30], [48, 28]]], np.float32)
    return LabelledPeople.of("spot", Poses.of(points, Skeleton("dots", JOINTS)), [folder / "spot.png"], **told)


@pytest.mark.parametrize("seed", range(5))
def test_the_centre_moves_with_the_person(tmp_path: Path, seed: int) -> None:
    moving = CropAugmentConfig(any_way_up=0.5, scale=(0.8, 1.0), shift=0.15, colour=0, blur=0, hide=0)
    batch = People([off_middle(tmp_path)], JOINTS).batch([0], 64, moving, RNG(seed))
    bright = batch.images[0, 0].double()
    at = torch.arange(64.0, dtype=torch.float64)
    middle = torch.stack([(bright * at).sum(), (bright * at[:, None]).sum()]) / bright.sum()
    torch.testing.assert_close(batch.centres[0].double(), middle, atol=0.35, rtol=0)


def test_where_the_data_set_tells_where_the_person_is_that_is_the_centre(tmp_path: Path) -> None:
    told = off_middle(tmp_path, centres=[[20, 30]], sides=[64])
    shifted = CropAugmentConfig(rotation=0, any_way_up=0, scale=(1, 1), shift=0.2, flip=0)
    crop = People([told], JOINTS).crop(0, 64, shifted, RNG(0))
    np.testing.assert_allclose(crop.centre - crop.points[0, 0], np.array([20, 30]) - [30, 10], atol=1e-4)


def test_training_tells_the_network_where_the_person_is(tmp_path: Path) -> None:
    shifted = CropAugmentConfig(rotation=0, any_way_up=0, scale=(1, 1), shift=0.3, flip=0)
    everyone = People([off_middle(tmp_path)], JOINTS)
    recipe = CpmRecipe(CpmRecipeConfig(PAPER, shifted, batch=6), everyone)
    told: list[torch.Tensor] = []
    recipe.model.register_forward_pre_hook(lambda _, given: told.append(given[1]))
    recipe.loss(recipe.model, torch.Generator().manual_seed(0), torch.device("cpu"))
    cells = {divmod(int(each.argmax()), PAPER.cells) for each in told[0]}
    assert len(cells) > 2  # squares of 4 x 4 cells, shifted by up to 30 %


class NamesItsDevice(nn.Module):
    """Believes in nothing; on a device without memory, so that only where its images come from matters."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, device="meta"))
        self.seen: list[str] = []

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.seen.append(image.device.type)
        return torch.zeros(len(image), 1, len(JOINTS) + 1, PAPER.cells, PAPER.cells)


def test_validation_runs_where_the_model_is(tmp_path: Path) -> None:
    model = NamesItsDevice()
    pck_of_stages(model, PAPER, People([drawn(tmp_path, 2)], JOINTS), 2)
    assert model.seen == ["meta"]


def test_unreadable_images_are_left_out_and_counted(tmp_path: Path) -> None:
    people = drawn(tmp_path, 4)
    people.images[1].write_bytes(b"nothing")
    people.images[2].unlink()
    everyone = People([people], JOINTS)
    batch = everyone.batch([0, 1, 2, 3], 64, None, RNG(0))
    assert everyone.unreadable == {1, 2} and len(batch.images) == 4
    torch.testing.assert_close(batch.points[0, 0], torch.from_numpy(people.poses.points[0]))


def test_joints_outside_the_square_are_not_known(tmp_path: Path) -> None:
    people = drawn(tmp_path, 1)
    people.poses.points[0, 0] = (-30, 10)
    batch = People([people], JOINTS).batch([0], 64, None, RNG(0))
    assert batch.visible[0, 0].tolist() == [False, True, True, True]


def test_the_people_to_validate_on_are_five_hundred() -> None:
    numbers = validation_numbers()
    assert len(numbers) == 500 and min(numbers) >= 0 and max(numbers) < 9000


def test_damaged_shards_are_named(tmp_path: Path) -> None:
    (tmp_path / "people-00000.npz").write_bytes(b"no zip")
    with pytest.raises(FormatError, match="people-00000"):
        read_keypoint_set(tmp_path)


# --- training and export


def test_eight_people_are_learnt_by_heart(tmp_path: Path) -> None:
    everyone = People([drawn(tmp_path)], JOINTS)
    still = CropAugmentConfig(0, 0, (1.0, 1.0), 0, 0, 0, 0, 0)
    recipe = CpmRecipe(CpmRecipeConfig(LEAN, still, batch=8), everyone, everyone)
    optimiser = torch.optim.AdamW(recipe.model.parameters(), 1e-2)
    batch = everyone.batch(range(8), 64, None, RNG(0))
    for _ in range(80):
        loss = stage_losses(recipe.model(batch.images), batch, LEAN).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        found = joints_of(recipe.model.beliefs(recipe.model(batch.images)))[:, -1]
    assert ((found - batch.points[:, 0]).norm(dim=-1) < 4).float().mean() > 0.95


def test_a_run_is_saved_resumed_taken_over_and_exported(tmp_path: Path) -> None:
    everyone = People([drawn(tmp_path)], JOINTS)
    recipe = CpmRecipeConfig(LEAN, batch=2, most_validated=4)
    loop = LoopConfig(steps=3, validate_every=3, save_every=2, threads=1)
    figures = train_cpm(everyone, everyone, tmp_path / "run", recipe, loop)
    assert set(figures) == {"pck_stage1", "pck_stage2"} and all(0 <= f <= 1 for f in figures.values())
    with pytest.raises(UsageError):
        train_cpm(everyone, everyone, tmp_path / "run", recipe, loop)
    train_cpm(everyone, everyone, tmp_path / "run", recipe, loop, resume=True)
    with pytest.raises(UsageError):
        initialise(Cpm(replace(LEAN, width=8)), tmp_path / "run")
    model = Cpm(LEAN)
    initialise(model, tmp_path / "run")
    deeper = Cpm(replace(LEAN, stages=3))
    initialise(deeper, tmp_path / "run")  # the further stage begins anew
    agrees_with_onnx(model, tmp_path)


@pytest.mark.parametrize("config", [replace(LEAN, stages=3), PAPER])
def test_onnx_equals_torch(config: CpmConfig, tmp_path: Path) -> None:
    agrees_with_onnx(Cpm(config), tmp_path)


def agrees_with_onnx(model: Cpm, folder: Path) -> None:
    """The translation is exact, for any number of images; what the file loses by fp16 is little."""
    config, model = model.config, model.eval()
    export_cpm(model, "made-up", folder / "x.onnx")
    session = onnxruntime.InferenceSession(folder / "x.onnx")
    whole = onnxruntime.InferenceSession(graph(model).SerializeToString())
    for count in (1, 3):
        x = images(count, config.size)
        feed = {"image": x.permute(0, 2, 3, 1).numpy().astype(np.uint8)}
        with torch.no_grad():
            here = model.beliefs(model(x)).clamp(0, 1).numpy()
        np.testing.assert_allclose(whole.run(None, feed)[0], here, atol=1e-5)
        np.testing.assert_allclose(session.run(None, feed)[0], here, atol=5e-3)
    told = session.get_modelmeta().custom_metadata_map
    assert told["samepose_model"] == "cpm" and tuple(json.loads(told["joints"])) == config.joints
    assert (told["stride"], told["size"], told["name"]) == ("8", str(config.size), "made-up")
