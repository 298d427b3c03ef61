"""Pose embeddings from pixels (Mori et al. 2015): Table 1's network, and a modern one under the same losses.

The text of the paper that we have lacks the column "Nodes" of Table 1, so the sizes of the layers here are ours: those
of FaceNet's NN2 (Schroff 2015, table 2), an inception network (Szegedy 2014) whose poolings come in Table 1's order:
max, L2, max, L2, L2, L2, L2, max, L2, max. NN2 has no 1x1 convolutions where it coarsens; Table 1 has, and their
sizes are ours too. So are the 1x1 convolutions after the poolings, which Szegedy 2014 has and Table 1 does not name.

Convolutions and poolings are padded so that only strides make maps smaller: 128 pixels become 64 by the first pooling,
32 by the second, and, as all four max poolings of the Mixed rows have stride 2 ("max pooling over a 3x3 patch with 2x2
stride", section 3), 16, 8, 4 and 2. Unpadded maps would end before the last row. A 5x5 average over 2x2 cells holds
them all, so it is their mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from samepose.embed.image import SIZE
from samepose.errors import UsageError
from samepose.models.thunder import BLOCKS, CHANNELS, Backbone
from samepose.skeleton import LSP14

JOINTS = LSP14.joints  # of the rival that regresses them


@dataclass(frozen=True)
class ImageEmbeddingConfig:
    """The network.

    Attributes:
        network: "paper": Table 1; "movenet": the backbone of MoveNet Thunder (ours), one linear layer on it.
        objective: "embedding"; or "joints", the rival: joint coordinates from the same network (Toshev 2014, section
            3.1, one stage of it).
        dimensions: of the embedding (table 1: 128).
        pool: of the backbone's 4x4 cells (ours): "mean" of them, or "grid", which keeps where in the picture a feature
            is: 1,280 features become 64 in each cell, all cells go to the linear layer.
        pretrained: the backbone begins with MoveNet's weights.
        frozen: the backbone's stem and as many blocks keep these; 17 for all of it. Without them nothing is frozen.
        width: of Table 1's layers in those of the module's table (ours); none has fewer than 8 channels.

    Raises:
        UsageError: no dimensions, more frozen blocks than there are, a width that is none.
    """

    network: Literal["paper", "movenet"] = "movenet"
    objective: Literal["embedding", "joints"] = "embedding"
    dimensions: int = 128
    pool: Literal["mean", "grid"] = "grid"
    pretrained: bool = True
    frozen: int = 5
    width: float = 1.0

    def __post_init__(self) -> None:
        if self.dimensions < 1 or not 0 <= self.frozen <= BLOCKS + 1 or not 0 < self.width <= 1:
            raise UsageError(f"dimensions must be at least 1, frozen 0..{BLOCKS + 1}, width above 0 and at most 1")


class Mixed(NamedTuple):
    """Sizes of one Mixed row: of the convolutions, of the bottlenecks before them, and of the pooling's projection."""

    one: int
    three_bottleneck: int
    three: int
    five_bottleneck: int
    five: int
    pooled: int
    pooling: Literal["max", "L2"]

    def scaled(self, width: float) -> Mixed:
        """The same with so much of every size."""
        one, three_bottleneck, three, five_bottleneck, five, pooled = (_scaled(n, width) for n in self[:6])
        return Mixed(one, three_bottleneck, three, five_bottleneck, five, pooled, self.pooling)


STEM = (64, 64, 192)  # 7x7 convolution, bottleneck, 3x3 convolution
MIXED = (
    Mixed(64, 96, 128, 16, 32, 32, "max"), Mixed(64, 96, 128, 32, 64, 64, "L2"),
    Mixed(128, 128, 256, 32, 64, 128, "max"), Mixed(256, 96, 192, 32, 64, 128, "L2"),
    Mixed(224, 112, 224, 32, 64, 128, "L2"), Mixed(192, 128, 256, 32, 64, 128, "L2"),
    Mixed(160, 144, 288, 32, 64, 128, "L2"), Mixed(256, 160, 256, 64, 128, 128, "max"),
    Mixed(384, 192, 384, 48, 128, 128, "L2"), Mixed(384, 192, 384, 48, 128, 128, "max"),
)


class ImageEmbedding(nn.Module):
    """Crops of people to points on a sphere, or to the places of their joints."""

    def __init__(self, config: ImageEmbeddingConfig) -> None:
        super().__init__()
        self.config = config
        self.features: nn.Module
        if config.network == "paper":
            rows = paper_rows(config.width)
            last = rows[-2]
            assert isinstance(last, MixedRow)
            self.features, inside = nn.Sequential(*rows), last.out_channels
        else:
            self.features, inside = _MoveNet(config), 1280 if config.pool == "mean" else _GRID * _CELLS**2
        self.linear = nn.Linear(inside, config.dimensions if config.objective == "embedding" else 2 * len(JOINTS))

    def forward(self, image: Float[Tensor, "n 3 size size"]) -> Float[Tensor, "n ..."]:
        """Embeddings of unit length, (n, dimensions), or joints, (n, J, 2) in pixels of the crop.

        Args:
            image: RGB of 0..255, 128 x 128.
        """
        out = self.linear(self.features(image)).float()
        if self.config.objective == "embedding":
            return functional.normalize(out, dim=-1)
        return SIZE * (out.unflatten(-1, (len(JOINTS), 2)) + 0.5)


_GRID, _CELLS = 64, SIZE // 32


class _MoveNet(nn.Module):
    """The backbone's features, pooled as `ImageEmbeddingConfig.pool` says."""

    def __init__(self, config: ImageEmbeddingConfig) -> None:
        super().__init__()
        self.backbone = Backbone(config.frozen if config.pretrained else 0, config.pretrained)
        self.pool = nn.AdaptiveAvgPool2d(1) if config.pool == "mean" else nn.Sequential(
            nn.Conv2d(CHANNELS.coarse, _GRID, 1), nn.ReLU())

    def forward(self, image: Tensor) -> Float[Tensor, "n features"]:
        return self.pool(self.backbone(image)).flatten(1)


def paper_rows(width: float = 1.0) -> list[nn.Module]:
    """The rows of Table 1 in order, up to the average pooling, and what makes features of it."""
    first, bottleneck, second = (_scaled(n, width) for n in STEM)
    rows: list[nn.Module] = [
        nn.Sequential(_Levels(), _conv(3, first, 7)), nn.MaxPool2d(3, 2, 1), _response_norm(),
        _conv(first, bottleneck, 1), _conv(bottleneck, second, 3), _response_norm(), nn.MaxPool2d(3, 2, 1),
    ]
    channels = second
    for sizes in MIXED:
        row = MixedRow(channels, sizes.scaled(width))
        rows.append(row)
        channels = row.out_channels
    return [*rows, nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())]


class MixedRow(nn.Module):
    """1x1, 3x3 and 5x5 bottleneck-convolution sequences beside a pooling, their maps one after another."""

    def __init__(self, inside: int, sizes: Mixed) -> None:
        super().__init__()
        stride = 2 if sizes.pooling == "max" else 1
        self.out_channels = sizes.one + sizes.three + sizes.five + sizes.pooled
        self.one = _conv(inside, sizes.one, 1, stride)
        self.three = nn.Sequential(_conv(inside, sizes.three_bottleneck, 1),
                                   _conv(sizes.three_bottleneck, sizes.three, 3, stride))
        self.five = nn.Sequential(_conv(inside, sizes.five_bottleneck, 1),
                                  _conv(sizes.five_bottleneck, sizes.five, 5, stride))
        pooling = nn.MaxPool2d(3, 2, 1) if sizes.pooling == "max" else L2Pool()
        self.pooled = nn.Sequential(pooling, _conv(inside, sizes.pooled, 1))

    def forward(self, x: Float[Tensor, "n inside h w"]) -> Float[Tensor, "n outside h2 w2"]:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pooled(x)], 1)


class L2Pool(nn.Module):
    """The root of the mean of the squares of 3x3 cells, of those of them that are there at the edges."""

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        squares = functional.avg_pool2d(x.square(), 3, 1, 1, count_include_pad=False)
        return (squares + _LEAST).sqrt()


_LEAST = 1e-8  # under a root, whose slope at 0 has no end


class _Levels(nn.Module):
    """0..255 to -1..1."""

    def forward(self, image: Tensor) -> Tensor:
        return image * (2 / 255) - 1


def _conv(inside: int, outside: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return nn.Sequential(conv, nn.ReLU())


def _response_norm() -> nn.Module:
    """Krizhevsky 2012, section 3.3, whose constants these are."""
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


# Channels of a layer: without AVX-512, oneDNN crashes in the gradient of strided 1x1 convolutions of fewer.
_FEWEST = 8


def _scaled(channels: int, width: float) -> int:
    return max(round(channels * width), _FEWEST)
