"""StructNet (Li, Zhang and Chan 2015): an image and a 3D pose in one space, their score the dot product.

The sizes of the layers stand in Figure 1, a picture that we do not have, so all but the 1,024 of the embeddings (Table
3) are ours: convolutions of 5x5 (stride 2), 5x5 and 3x3 with 32, 64 and 128 maps, each before a 2x2 max pooling, so
that 112 pixels become 14x14 cells in the middle and 7x7 on top; 512 nodes in FC1 and FC2, 1,024 in FC3 and FC5.

Poses are in units of `UNIT` metres, for the auxiliary prediction is a tanh and so lies in -1..1. `features = "cpm"` is
ours: what the shipped Convolutional Pose Machine sees (`embed.pose_machine`), which stands on MoveNet's backbone, takes
the place of the convolutions; the rest is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samepose.embed.pose_machine import COARSE, JOINTS, SHARED
from samepose.errors import UsageError
from samepose.skeleton import H36M17

UNIT = 1.5  # metres; the farthest a training pose's joint lies from its pelvis along an axis is 1.45 (ours)
SIZE = 112  # side of the images, pixels (section 5.1)
COORDINATES = 3 * len(H36M17)


@dataclass(frozen=True)
class StructNetConfig:
    """The network.

    Attributes:
        features: "paper": three convolutions; "cpm": those of the shipped pose machine (ours).
        pose: embedding of the pose, Table 3: "2-layer" is Equation 3; "1-layer"; "random", one layer that keeps its
            first weights; "raw", the coordinates themselves, to which FC4 then has 51 nodes.
        channels: maps of the three convolutions (ours).
        hidden: nodes of FC1 and of FC2 (ours).
        dimensions: nodes of FC3, FC4, FC5 and FC6; the last is the embedding (table 3: 1024).
        dropout: share of h1's and h2's nodes that are off in training (section 5.3: 0.75).

    Raises:
        UsageError: a layer without nodes, a share that is none.
    """

    features: Literal["paper", "cpm"] = "paper"
    pose: Literal["2-layer", "1-layer", "random", "raw"] = "2-layer"
    channels: tuple[int, int, int] = (32, 64, 128)
    hidden: int = 512
    dimensions: int = 1024
    dropout: float = 0.75

    def __post_init__(self) -> None:
        if min(*self.channels, self.hidden, self.dimensions) < 1 or not 0 <= self.dropout < 1:
            raise UsageError("channels, hidden and dimensions must be at least 1, dropout in 0..1 (without 1)")


class Features(NamedTuple):
    """What FC1 and FC2 look at, flat."""

    middle: Float[Tensor, "n middle"]
    top: Float[Tensor, "n top"]


class StructNet(nn.Module):
    """Images to embeddings and predicted poses, poses to embeddings."""

    def __init__(self, config: StructNetConfig) -> None:
        super().__init__()
        self.config = config
        if config.features == "paper":
            self.conv = Convolutions(config.channels)
            middle, top = config.channels[1] * 14 * 14, config.channels[2] * 7 * 7
            self.middle: nn.Module = nn.Identity()
            self.top: nn.Module = nn.Identity()
        else:
            self.middle, self.top = _Beliefs(), _Coarse()
            middle, top = _Beliefs.features, _Coarse.features
        n = config.dimensions
        self.fc1, self.fc2 = _layer(middle, config.hidden), _layer(top, config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.fc3 = _layer(2 * config.hidden, n)
        self.fc4 = _layer(n, COORDINATES if config.pose == "raw" else n)
        self.fc7 = nn.Linear(n, COORDINATES)
        self.pose_layers = _pose_layers(config.pose, n)

    def features(self, image: Float[Tensor, "n 3 112 112"]) -> Features:
        """The convolutions' features of RGB images of 0..255."""
        middle, top = self.conv(image)
        return Features(middle.flatten(1), top.flatten(1))

    def penultimate(self, seen: Features) -> Float[Tensor, "n dim"]:
        """h3 of Equation 2: what the embedding and the prediction are made of."""
        one, two = self.fc1(self.middle(seen.middle)), self.fc2(self.top(seen.top))
        return self.fc3(torch.cat([self.dropout(one), self.dropout(two)], 1))

    def embed_image(self, penultimate: Float[Tensor, "n dim"]) -> Float[Tensor, "n embedding"]:
        """h4 of Equation 2: f_I."""
        return self.fc4(penultimate)

    def predict(self, penultimate: Float[Tensor, "n dim"]) -> Float[Tensor, "n 17 3"]:
        """Equation 10: f_P, in `UNIT`; its gradient reaches FC1 to FC3 and what lies below them, nothing else."""
        return self.fc7(penultimate).tanh().unflatten(-1, (len(H36M17), 3))

    def embed_pose(self, pose: Float[Tensor, "n 17 3"]) -> Float[Tensor, "n embedding"]:
        """Equation 3: f_J of poses in `UNIT`, the pelvis at 0."""
        return self.pose_layers(pose.flatten(1))

    def forward(self, seen: Features) -> tuple[Float[Tensor, "n embedding"], Float[Tensor, "n 17 3"]]:
        """Image embedding, and the predicted pose in `UNIT`."""
        penultimate = self.penultimate(seen)
        return self.embed_image(penultimate), self.predict(penultimate)


class Convolutions(nn.Module):
    """Three convolutions, each before a max pooling; ReLU, ReLU, linear (section 3.1)."""

    def __init__(self, channels: tuple[int, int, int]) -> None:
        super().__init__()
        one, two, three = channels
        self.first = nn.Sequential(nn.Conv2d(3, one, 5, 2, 2), nn.MaxPool2d(2), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(one, two, 5, 1, 2), nn.MaxPool2d(2), nn.ReLU())
        self.third = nn.Sequential(nn.Conv2d(two, three, 3, 1, 1), nn.MaxPool2d(2))
        for layer in (self.first[0], self.second[0], self.third[0]):
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, image: Float[Tensor, "n 3 112 112"]) -> tuple[Tensor, Tensor]:
        """Maps of the second and of the third layer, of RGB images of 0..255."""
        middle = self.second(self.first(image / 64 - 2))
        return middle, self.third(middle)


class MultiTask(nn.Module):
    """The regressor that gives the convolutions their weights: joints in 3D, and where in the picture they are.

    Li and Chan (2014) train regression together with detectors of body parts in sliding windows. Ours: each cell of the
    third layer is such a window, and each joint's cells share out one whole.
    """

    def __init__(self, config: StructNetConfig) -> None:
        super().__init__()
        if config.features != "paper":
            raise UsageError("only the paper's network has convolutions to train; the pose machine's are as they are")
        self.net = StructNet(config)
        self.windows = nn.Conv2d(config.channels[2], len(H36M17), 1)

    def forward(self, image: Float[Tensor, "n 3 112 112"]) -> tuple[Float[Tensor, "n 17 3"], Float[Tensor, "n 17 49"]]:
        """Poses in `UNIT`, and logits of the 7x7 windows, row after row."""
        middle, top = self.net.conv(image)
        penultimate = self.net.penultimate(Features(middle.flatten(1), top.flatten(1)))
        return self.net.predict(penultimate), self.windows(top).flatten(2)


class _Beliefs(nn.Module):
    """Peaks of the belief maps as they are, the maps, and 32 mixtures of the shared maps (ours)."""

    kept, features = 3 * JOINTS + JOINTS * 12 * 12, 3 * JOINTS + JOINTS * 12 * 12 + 32 * 6 * 6

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(SHARED, 32, 1)

    def forward(self, flat: Float[Tensor, "n middle"]) -> Float[Tensor, "n features"]:
        shared = self.mix(flat[:, self.kept :].reshape(-1, SHARED, 6, 6)).relu()
        return torch.cat([flat[:, : self.kept], shared.flatten(1)], 1)


class _Coarse(nn.Module):
    """128 mixtures of the 1,280 maps in each cell (ours)."""

    features = 128 * 3 * 3

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(COARSE, 128, 1)

    def forward(self, flat: Float[Tensor, "n top"]) -> Float[Tensor, "n features"]:
        return self.mix(flat.reshape(-1, COARSE, 3, 3)).relu().flatten(1)


def _pose_layers(kind: str, dimensions: int) -> nn.Module:
    if kind == "raw":
        return nn.Identity()
    first = _layer(COORDINATES, dimensions)
    if kind == "random":
        first.requires_grad_(False)
    return nn.Sequential(first, *([_layer(dimensions, dimensions)] if kind == "2-layer" else []))


def _layer(inside: int, outside: int) -> nn.Sequential:
    """h_i of Equation 2."""
    linear = nn.Linear(inside, outside)
    nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
    nn.init.zeros_(linear.bias)
    return nn.Sequential(linear, nn.ReLU())
