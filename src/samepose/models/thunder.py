"""MoveNet Thunder's backbone as a PyTorch module that can be trained further.

MobileNetV2 (Sandler et al. 2018, Table 2) of width 1.75 with a feature pyramid down to stride 8; its weights are read
from the ONNX file that the package ships. The normalisation layers are folded into the convolutions there.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from samepose.errors import UsageError
from samepose.weights import read_weights, weight_file

_BLOCKS = (  # channels in and out, stride, channels between
    (32, 40, 2, 192), (40, 40, 1, 240), (40, 56, 2, 240), (56, 56, 1, 336), (56, 56, 1, 336), (56, 112, 2, 336),
    (112, 112, 1, 672), (112, 112, 1, 672), (112, 112, 1, 672), (112, 168, 1, 672), (168, 168, 1, 1008),
    (168, 168, 1, 1008), (168, 280, 2, 1008), (280, 280, 1, 1680), (280, 280, 1, 1680), (280, 560, 1, 1680),
)
BLOCKS = len(_BLOCKS)
_STRIDE_8, _STRIDE_16, _PYRAMID_16 = 5, 12, 9  # blocks after which a feature map is taken


class Taps(NamedTuple):
    """Feature maps at strides 8, 16 and 32: straight from the blocks, and the pyramid's."""

    fine: Float[Tensor, "n 56 h w"]
    fine_pyramid: Float[Tensor, "n 24 h w"]
    middle: Float[Tensor, "n 168 h/2 w/2"]
    middle_pyramid: Float[Tensor, "n 32 h/2 w/2"]
    coarse: Float[Tensor, "n 1280 h/4 w/4"]


class Channels(NamedTuple):
    """How many channels each of the `Taps` has."""

    fine: int
    fine_pyramid: int
    middle: int
    middle_pyramid: int
    coarse: int


CHANNELS = Channels(56, 24, 168, 32, 1280)


def _conv(inside: int, outside: int, kernel: int = 1, stride: int = 1, groups: int = 1, bias: bool = True) -> nn.Module:
    if stride == 1:
        return nn.Conv2d(inside, outside, kernel, 1, kernel // 2, groups=groups, bias=bias)
    # TensorFlow's SAME padding of an even input: nothing before, one after
    return nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(inside, outside, kernel, stride, groups=groups))


class _Block(nn.Module):
    """Inverted residual: expand, filter each channel, project."""

    def __init__(self, inside: int, outside: int, stride: int, between: int) -> None:
        super().__init__()
        self.residual = stride == 1 and inside == outside
        self.layers = nn.Sequential(
            _conv(inside, between), nn.ReLU6(), _conv(between, between, 3, stride, between), nn.ReLU6(),
            _conv(between, outside),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


class Backbone(nn.Module):
    """1,280 feature maps at stride 32 of RGB images of values 0..255.

    Args:
        frozen: the stem and as many blocks keep their weights, whatever the training; BLOCKS + 1: everything does.
        pretrained: begin with MoveNet's weights, not with random ones.
    """

    def __init__(self, frozen: int = 0, pretrained: bool = True) -> None:
        super().__init__()
        if not 0 <= frozen <= BLOCKS + 1:
            raise UsageError(f"frozen is {frozen}; it must be 0..{BLOCKS + 1}")
        self.frozen = frozen
        self.stem = nn.Sequential(
            _conv(3, 56, 3, 2), nn.ReLU6(), _conv(56, 56, 3, groups=56), nn.ReLU6(), _conv(56, 32)
        )
        self.blocks = nn.ModuleList(_Block(*block) for block in _BLOCKS)
        self.last = nn.Sequential(_conv(560, 1280), nn.ReLU6())
        self._extend()
        if pretrained:
            self._read_weights(read_weights(weight_file("movenet-thunder")))
        still: list[nn.Module] = [self] if frozen > BLOCKS else [self.stem, *self.blocks[:frozen]] if frozen else []
        for module in still:
            module.requires_grad_(False)

    def _extend(self) -> None:
        """Further layers, in the order of MoveNet's file."""

    def forward(self, image: Float[Tensor, "n 3 H W"]) -> Any:
        """The features, (n, 1280, H/32, W/32)."""
        x = self.stem(image * (2 / 255) - 1)
        for block in self.blocks:
            x = block(x)
        return self.last(x)

    @torch.no_grad()
    def _read_weights(self, file: bytes) -> None:
        """An ONNX file's convolutions come in the order in which ours are run."""
        for conv, (weight, bias) in zip(_convolutions(self), _stored(file)):
            conv.weight.copy_(torch.from_numpy(weight))
            if conv.bias is not None:
                conv.bias.copy_(torch.from_numpy(bias))


class Thunder(Backbone):
    """Feature maps of RGB images of values 0..255, from the blocks and from a pyramid over them."""

    def _extend(self) -> None:
        self.from_coarse = _conv(1280, 64)
        self.from_middle = _conv(112, 64)
        self.middle = nn.Sequential(_conv(64, 64, 3, groups=64, bias=False), _conv(64, 32), nn.ReLU())
        self.from_fine = _conv(56, 32)
        self.fine = nn.Sequential(_conv(32, 32, 3, groups=32, bias=False), _conv(32, 24), nn.ReLU())
        self.twice = nn.Upsample(scale_factor=2, mode="bilinear")

    def forward(self, image: Float[Tensor, "n 3 H W"]) -> Taps:
        x = self.stem(image * (2 / 255) - 1)
        taps = {}
        for i, block in enumerate(self.blocks, 1):
            x = taps[i] = block(x)
        coarse = self.last(x)
        middle = self.middle(self.twice(self.from_coarse(coarse)) + self.from_middle(taps[_PYRAMID_16]))
        fine = self.fine(self.twice(middle) + self.from_fine(taps[_STRIDE_8]))
        return Taps(taps[_STRIDE_8], fine, taps[_STRIDE_16], middle, coarse)


def _convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [m for m in module.modules() if isinstance(m, nn.Conv2d)]


def _stored(file: bytes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weight and bias of each convolution of an ONNX file, in the order of its nodes; no bias: an empty one."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(file).graph
    values = {t.name: numpy_helper.to_array(t).astype(np.float32) for t in graph.initializer}
    values |= {n.output[0]: values[n.input[0]] for n in graph.node if n.op_type == "Cast" and n.input[0] in values}
    none = np.zeros(0, np.float32)
    return [(values[n.input[1]], values[n.input[2]] if len(n.input) > 2 else none)
            for n in graph.node if n.op_type == "Conv"]


