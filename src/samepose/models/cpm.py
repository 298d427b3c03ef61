"""Convolutional Pose Machines (Wei et al. 2016): belief maps of each joint, refined stage by stage.

`features = "paper"` is the paper's network (Figure 2). `features = "movenet"` is ours for the CPU: the image features
are those of MoveNet Thunder's backbone, and the wide convolutions over the belief maps are factored into a column, a
row and a pointwise one; the scheme of stages is the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from samepose.errors import UsageError
from samepose.models.thunder import CHANNELS, Thunder
from samepose.skeleton import LSP14

STRIDE = 8


@dataclass(frozen=True)
class CpmConfig:
    """Shape of the network.

    Attributes:
        features: "paper": the paper's convolutions; "movenet": MoveNet Thunder's backbone and factored stages.
        joints: names of the P joints (see samepose.skeleton).
        size: side of the square images, pixels; a multiple of 32 (paper: 368).
        stages: how many there are, 1 or more (paper: up to 6).
        width: channels of a stage, at least 4 (paper: 128; its 32 and 512 are a quarter and four times as many).
        kernel: side of the convolutions over the belief maps, in cells (paper: 11).
        layers: of those convolutions in a stage (paper: 3).
        beliefs: what the last layer of a stage holds. "linear": the beliefs themselves (paper: l2 loss); "softmax":
            their logarithms, each joint's beliefs sharing out one whole over the map (cross-entropy).
        sigma: of the ideal belief maps' Gaussian peaks and the centre map's, in cells.
        frozen: blocks of MoveNet's backbone that keep their weights, see `Thunder`.
        pretrained: begin with MoveNet's weights.

    Raises:
        UsageError: a number that makes no network, a name that is twice among the joints.
    """

    features: Literal["paper", "movenet"] = "movenet"
    joints: tuple[str, ...] = LSP14.joints
    size: int = 192
    stages: int = 3
    width: int = 128
    kernel: int = 11
    layers: int = 3
    beliefs: Literal["linear", "softmax"] = "softmax"
    sigma: float = 1.0
    frozen: int = 5
    pretrained: bool = True

    def __post_init__(self) -> None:
        if self.size < 32 or self.size % 32:
            raise UsageError(f"size is {self.size}; it must be a multiple of 32")
        if min(self.stages, self.width // 4, self.layers) < 1 or self.kernel % 2 != 1 or self.sigma <= 0:
            raise UsageError("stages and layers must be at least 1, width 4, kernel odd, sigma above 0")
        if not self.joints or len(set(self.joints)) < len(self.joints):
            raise UsageError("joints must be one or more different names")

    @property
    def cells(self) -> int:
        """Side of the belief maps."""
        return self.size // STRIDE


class Cpm(nn.Module):
    """RGB images of values 0..255 -> what the last layer of each stage says about each joint and the background."""

    def __init__(self, config: CpmConfig) -> None:
        super().__init__()
        self.config = config
        maps, lean = len(config.joints) + 1, config.features == "movenet"
        self.features: nn.Module
        if lean:
            self.features = LeanFeatures(config)
            self.first: nn.Module = lean_first(maps, config)
            extra = config.width
        else:
            self.features = _paper_features(config.width)
            self.first = nn.Sequential(*_paper_features(config.width), *paper_first(maps, config.width))
            extra = config.width // 4
        refine = lean_stage if lean else paper_stage
        self.later = nn.ModuleList(refine(extra + maps + 1, maps, config) for _ in range(config.stages - 1))
        self.middle, self.beliefs = Middle(config), Beliefs(config)

    def forward(
        self, image: Float[Tensor, "n 3 H W"], centre: Float[Tensor, "n 1 h w"] | None = None
    ) -> Float[Tensor, "n stages maps h w"]:
        """The stages' last layers: `beliefs` makes belief maps of them.

        Args:
            image: squares of the configured size.
            centre: map with a peak where the person to look at is (paper, section 4.2), see `centre_maps`. None: the
                middle, where detection puts the person.
        """
        if self.config.features == "movenet":
            local, shared = self.features(image)
            out = [self.first(local)]
        else:
            out, image = [self.first(image / 128 - 1)], image / 128 - 1
            shared = self.features(image) if len(self.later) else image
        if centre is None:
            centre = self.middle(out[0])
        for stage in self.later:
            out.append(stage(torch.cat([shared, self.beliefs(out[-1]), centre], 1)))
        return torch.stack(out, 1)


class Beliefs(nn.Module):
    """Belief maps from a stage's last layer; an ideal one has peaks of height 1."""

    def __init__(self, config: CpmConfig) -> None:
        super().__init__()
        self.kind = config.beliefs
        self.whole = 2 * math.pi * config.sigma**2  # a Gaussian of height 1 sums to it

    def forward(self, out: Float[Tensor, "... maps h w"]) -> Float[Tensor, "... maps h w"]:
        if self.kind == "linear":
            return out
        joints = out[..., :-1, :, :]
        shares = functional.softmax(joints.flatten(-2), -1).view_as(joints)
        return torch.cat([shares * self.whole, torch.sigmoid(out[..., -1:, :, :])], -3)


class Middle(nn.Module):
    """The centre map of a person in the middle of the square, for as many images as there are in `like`."""

    def __init__(self, config: CpmConfig) -> None:
        super().__init__()
        off = torch.exp(-((torch.arange(config.cells) - (config.cells - 1) / 2) ** 2) / (2 * config.sigma**2))
        self.register_buffer("map", off[:, None] * off, persistent=False)

    def forward(self, like: Float[Tensor, "n maps h w"]) -> Float[Tensor, "n 1 h w"]:
        return self.map.expand(like.shape[0], 1, -1, -1)  # type: ignore[operator]


def _paper_features(width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inside in (3, width, width):
        layers += [nn.Conv2d(inside, width, 9, padding=4), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Conv2d(width, width // 4, 5, padding=2), nn.ReLU())


def paper_first(maps: int, width: int) -> nn.Sequential:
    """Stage 1 after its own feature layers (paper, Figure 2c)."""
    wide = 4 * width
    return nn.Sequential(
        nn.Conv2d(width // 4, wide, 9, padding=4), nn.ReLU(), nn.Conv2d(wide, wide, 1), nn.ReLU(),
        nn.Conv2d(wide, maps, 1)
    )


def paper_stage(inside: int, maps: int, config: CpmConfig) -> nn.Sequential:
    """A later stage (paper, Figure 2d)."""
    layers: list[nn.Module] = []
    for _ in range(config.layers):
        layers += [nn.Conv2d(inside, config.width, config.kernel, padding=config.kernel // 2), nn.ReLU()]
        inside = config.width
    return nn.Sequential(*layers, nn.Conv2d(inside, inside, 1), nn.ReLU(), nn.Conv2d(inside, maps, 1))


def lean_first(maps: int, config: CpmConfig) -> nn.Sequential:
    """Stage 1 sees as much of a person as the paper's does, 75 of 192 pixels where that has 160 of 368.

    From all feature maps it would see everything, be as good as the last stage and leave nothing to refine.
    """
    return nn.Sequential(*_pointwise(CHANNELS.fine, config.width), _Wide(config.width, 3), _head(config.width, maps))


def lean_stage(inside: int, maps: int, config: CpmConfig) -> nn.Sequential:
    """The same receptive field for a hundredth of the multiplications."""
    wide = (_Wide(config.width, config.kernel) for _ in range(config.layers))
    return nn.Sequential(*_pointwise(inside, config.width), *wide, *_pointwise(config.width, config.width),
                         _head(config.width, maps))


def _pointwise(inside: int, outside: int) -> list[nn.Module]:
    return [nn.Conv2d(inside, outside, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()]


def _head(inside: int, maps: int) -> nn.Conv2d:
    head = nn.Conv2d(inside, maps, 1)
    nn.init.normal_(head.weight, std=0.01)
    nn.init.zeros_(head.bias)  # type: ignore[arg-type]
    return head


class _Wide(nn.Module):
    """A wide convolution as a column, a row and a pointwise one, with a way past it."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        half = kernel // 2
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, (kernel, 1), padding=(half, 0), groups=width, bias=False),
            nn.Conv2d(width, width, (1, kernel), padding=(0, half), groups=width, bias=False),
            *_pointwise(width, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class LeanFeatures(nn.Module):
    """MoveNet's feature maps at stride 8 alone, for stage 1, and those of strides 8, 16 and 32 joined at stride 8."""

    def __init__(self, config: CpmConfig) -> None:
        super().__init__()
        width = config.width
        self.backbone = Thunder(config.frozen, config.pretrained)
        self.fine = nn.Conv2d(CHANNELS.fine + CHANNELS.fine_pyramid, width, 1, bias=False)
        self.middle = nn.Conv2d(CHANNELS.middle + CHANNELS.middle_pyramid, width, 1, bias=False)
        self.coarse = nn.Conv2d(CHANNELS.coarse, width, 1, bias=False)
        self.twice = nn.Upsample(scale_factor=2, mode="bilinear")
        self.join = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())

    def forward(
        self, image: Float[Tensor, "n 3 H W"]
    ) -> tuple[Float[Tensor, "n 56 h w"], Float[Tensor, "n width h w"]]:
        taps = self.backbone(image)
        middle = self.middle(torch.cat([taps.middle, taps.middle_pyramid], 1)) + self.twice(self.coarse(taps.coarse))
        joined = self.join(self.fine(torch.cat([taps.fine, taps.fine_pyramid], 1)) + self.twice(middle))
        return taps.fine, joined


def receptive_field(layers: Iterable[nn.Module], field: int = 1, stride: int = 1) -> tuple[int, int]:
    """Side of the square of inputs that an output depends on, and the stride, of convolutions and poolings in a row.

    Args:
        field: of what goes into the first layer.
        stride: of what goes into the first layer.
    """
    for layer in layers:
        if isinstance(layer, nn.Sequential):
            field, stride = receptive_field(layer, field, stride)
        elif isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            kernel, step = (v[0] if isinstance(v, tuple) else v for v in (layer.kernel_size, layer.stride))
            field, stride = field + (kernel - 1) * stride, stride * step
    return field, stride
