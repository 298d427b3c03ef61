"""Pose embeddings from pixels: Table 1 row by row, the modern network, export."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from samepose.embed.image import SIZE, ImageEmbedder
from samepose.errors import UsageError
from samepose.losses.triplet import joint_loss, neighbour_loss
from samepose.matching.embeddings import Matching
from samepose.models.image_embedding import (
    JOINTS,
    STEM,
    ImageEmbedding,
    ImageEmbeddingConfig,
    L2Pool,
    Mixed,
    MixedRow,
    paper_rows,
)
from samepose.models.thunder import BLOCKS, Backbone, Thunder
from samepose.training.image.export import export_image, graph

PAPER = ImageEmbeddingConfig("paper", width=0.05)
MOVENET = ImageEmbeddingConfig(frozen=14)
CONFIGS = [PAPER, MOVENET, replace(MOVENET, pool="mean"), replace(PAPER, objective="joints"),
           replace(MOVENET, objective="joints")]

# Table 1: what a row is, its maps, their side, its parameters. Sizes are ours (see the module), all else the paper's.
TABLE = [
    ("Conv 7x7", 64, 128, 9_472),
    ("Max pooling", 64, 64, 0),
    ("Local response normalization", 64, 64, 0),
    ("Bottleneck", 64, 64, 4_160),
    ("Conv 3x3", 192, 64, 110_784),
    ("Local response normalization", 192, 64, 0),
    ("Max pooling", 192, 32, 0),
    ("Mixed, max", 256, 16, 163_696),
    ("Mixed, L2", 320, 16, 227_776),
    ("Mixed, max", 576, 8, 479_968),
    ("Mixed, L2", 640, 8, 512_768),
    ("Mixed, L2", 640, 8, 595_216),
    ("Mixed, L2", 640, 8, 654_112),
    ("Mixed, L2", 640, 8, 722_224),
    ("Mixed, max", 768, 4, 963_552),
    ("Mixed, L2", 1024, 4, 1_395_952),
    ("Mixed, max", 1024, 2, 1_588_464),
    ("Average pooling", 1024, 1, 0),
    ("Embedding and normalization", 128, 1, 131_200),
]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def images(n: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, 3, SIZE, SIZE)).astype(np.float32))


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


# --- Table 1


def test_every_row_of_table_1_has_its_maps_and_parameters() -> None:
    model = ImageEmbedding(ImageEmbeddingConfig("paper")).eval()
    x, found = torch.zeros(1, 3, SIZE, SIZE), []
    with torch.no_grad():
        for row in [*model.features, model.linear]:
            x = row(x)
            found.append((x.shape[1], x.shape[2] if x.ndim == 4 else 1, parameters(row)))
    assert found == [row[1:] for row in TABLE]
    assert parameters(model) == sum(row[-1] for row in TABLE) == 7_559_344


def test_mixed_rows_pool_as_table_1_says() -> None:
    rows = [row for row in paper_rows(0.05) if isinstance(row, MixedRow)]
    poolings = [row.pooled[0] for row in rows]
    wanted = [name.split(", ")[1] for name, *_ in TABLE if name.startswith("Mixed")]
    assert ["L2" if isinstance(pool, L2Pool) else "max" for pool in poolings] == wanted
    for row, pool in zip(rows, poolings):
        coarser = isinstance(pool, nn.MaxPool2d)
        if coarser:
            assert (pool.kernel_size, pool.stride) == (3, 2)
        for way, kernel in ((row.one, 1), (row.three[1], 3), (row.five[1], 5)):
            assert way[0].kernel_size == (kernel, kernel) and way[0].stride == ((2, 2) if coarser else (1, 1))
            assert isinstance(way[1], nn.ReLU)
        assert row.three[0][0].kernel_size == row.five[0][0].kernel_size == (1, 1)
        assert row.three[0][0].stride == row.five[0][0].stride == (1, 1)


def test_a_mixed_row_is_four_ways_beside_each_other() -> None:
    row, x = MixedRow(3, Mixed(2, 4, 5, 2, 3, 4, "L2")), torch.rand(2, 3, 6, 6)
    out = row(x)
    assert out.shape == (2, 14, 6, 6)
    torch.testing.assert_close(out[:, 2:7], row.three(x))
    torch.testing.assert_close(out[:, 10:], row.pooled(x))


def test_l2_pooling_is_a_loops_the_root_of_the_mean_of_squares() -> None:
    x = torch.randn(1, 2, 4, 5)
    out = L2Pool()(x)
    for c in range(2):
        for i in range(4):
            for j in range(5):
                cells = x[0, c, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].double()
                assert float(out[0, c, i, j]) == pytest.approx(float((cells**2).mean().sqrt()), rel=1e-4)
    flat = torch.zeros(1, 1, 3, 3, requires_grad=True)
    L2Pool()(flat).sum().backward()
    assert flat.grad is not None and torch.isfinite(flat.grad).all()  # a ReLU before it gives zeros


def test_the_stem_looks_at_every_pixel() -> None:
    conv = next(m for m in paper_rows(0.05)[0].modules() if isinstance(m, nn.Conv2d))
    assert (conv.kernel_size, conv.stride) == ((7, 7), (1, 1)) and STEM == (64, 64, 192)


# --- both networks


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_a_batch_is_its_single_crops(config: ImageEmbeddingConfig) -> None:
    model = ImageEmbedding(config).eval()
    with torch.no_grad():
        together, alone = model(images(3)), torch.cat([model(image[None]) for image in images(3)])
    assert together.shape == ((3, 128) if config.objective == "embedding" else (3, len(JOINTS), 2))
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)
    if config.objective == "embedding":
        torch.testing.assert_close(together.norm(dim=-1), torch.ones(3))


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_every_parameter_that_is_not_frozen_learns(config: ImageEmbeddingConfig) -> None:
    model = ImageEmbedding(config)
    if config.network == "paper":  # so narrow that many a ReLU would be shut for all
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d):
                layer.weight.data.abs_().mul_(0.3)
                nn.init.constant_(layer.bias, 0.5)
    out = model(images(4))
    if config.objective == "embedding":
        neighbour_loss(out, 30 * torch.rand(4, 4), 0.1, 3.0).backward()
    else:
        joint_loss(out, SIZE * torch.rand(4, len(JOINTS), 2)).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
            assert parameter.grad.abs().sum() > 0, name
        else:
            assert ".backbone." in name


@pytest.mark.parametrize("config", [PAPER, replace(MOVENET, frozen=BLOCKS)], ids=str)
def test_eight_crops_are_learnt_by_heart(config: ImageEmbeddingConfig) -> None:
    """Made to lie as on a line, whatever is on the crops."""
    model, x = ImageEmbedding(config), images(8)
    place = 10 * torch.arange(8.0)
    differences = (place[:, None] - place).abs()
    with torch.no_grad():
        before = neighbour_loss(model(x), differences, 0.1, 5.0)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 3e-3)
    for _ in range(40):
        loss = neighbour_loss(model(x), differences, 0.1, 5.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.05 < 0.5 < before


@pytest.mark.parametrize("wrong", [{"dimensions": 0}, {"frozen": 18}, {"width": 0.0}])
def test_impossible_networks_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError):
        replace(PAPER, **wrong)


def test_the_backbone_is_thunders() -> None:
    x = images(1)
    with torch.no_grad():
        torch.testing.assert_close(Backbone()(x), Thunder()(x).coarse)
    assert {*Backbone(pretrained=False).state_dict()} < {*Thunder(pretrained=False).state_dict()}


# --- export


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_onnx_equals_torch(config: ImageEmbeddingConfig, tmp_path: Path) -> None:
    """The translation is exact, for any number of crops; the file is the network with weights rounded to fp16."""
    model = ImageEmbedding(config).eval()
    export_image(model, "made-up", Matching(3.0, 1.0), tmp_path / "x.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx")
    whole = onnxruntime.InferenceSession(graph(model).SerializeToString())
    rounded = ImageEmbedding(config).eval()
    rounded.load_state_dict({k: v.half().float() if v.numel() >= 64 else v for k, v in model.state_dict().items()})
    for count in (1, 3):
        x = images(count)
        feed = {"image": x.permute(0, 2, 3, 1).numpy()}
        with torch.no_grad():
            exact, here = model(x).numpy(), rounded(x).numpy()
        unit = 1 if config.objective == "embedding" else SIZE
        np.testing.assert_allclose(whole.run(None, feed)[0] / unit, exact / unit, atol=1e-4)
        np.testing.assert_allclose(session.run(None, feed)[0] / unit, here / unit, atol=1e-4)
    told = session.get_modelmeta().custom_metadata_map
    if config.objective == "joints":
        assert json.loads(told["samepose_joints"]) == {"name": "made-up", "joints": list(JOINTS)}
        assert session.get_outputs()[0].name == "joints"
    else:
        embedder = ImageEmbedder.load(tmp_path / "x.onnx")
        crops = images(2).permute(0, 2, 3, 1).numpy().astype(np.uint8)
        with torch.no_grad():
            here = rounded(images(2)).numpy()
        np.testing.assert_allclose(embedder.embed_crops(crops).mean, here, atol=1e-4)
        assert (embedder.name, embedder.matching) == ("made-up", Matching(3.0, 1.0))
        assert embedder.dimensions == 128
