"""Pr-VIPE (Sun et al. 2020, section 3): 2D keypoints to a view-invariant Gaussian embedding.

The backbone is the paper's (Martinez et al. 2017, as in the reference code): a linear layer, then residual blocks
of two layers, each Linear -> BatchNorm -> ReLU -> Dropout. We differ in the input: it carries a mask of the joints
that are there, so that a missing joint is a case the network knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from samepose.skeleton import BODY13

Kind = Literal["gaussian", "point", "l2", "lifting"]


@dataclass(frozen=True)
class PrVipeConfig:
    """Shape of the network; travels with the weights.

    Attributes:
        kind: gaussian = Pr-VIPE, point = VIPE, l2 = L2-VIPE (unit vectors), lifting = Martinez: the 13
            keypoints in 3D, 39 numbers (Sun 2020, section 4.4).
        width: units per hidden layer (reference code: 1024).
        blocks: residual blocks of two layers (reference code: 2).
        dim: embedding dimensions (Sun 2020, section 3.6: 16).
        dropout: after each hidden layer (reference code: 0.3; ours).
    """

    kind: Kind = "gaussian"
    width: int = 512
    blocks: int = 2
    dim: int = 16
    dropout: float = 0.0


class Layer(nn.Sequential):
    """A fully connected layer, normalised and rectified."""

    def __init__(self, inputs: int, width: int, dropout: float) -> None:
        linear = nn.Linear(inputs, width)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        # momentum and eps: the reference code's, in PyTorch's convention
        super().__init__(linear, nn.BatchNorm1d(width, eps=1e-3, momentum=0.01), nn.ReLU(), nn.Dropout(dropout))


class _Block(nn.Module):
    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(Layer(width, width, dropout), Layer(width, width, dropout))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


class PrVipe(nn.Module):
    """Normalised 2D keypoints and their mask to an embedding.

    `a` and `b` are the matching probability's parameters (Sun 2020, eq. 5), a = ELU(raw) + 1 (reference code).
    """

    def __init__(self, config: PrVipeConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = Layer(3 * len(BODY13), config.width, config.dropout)
        self.blocks = nn.Sequential(*(_Block(config.width, config.dropout) for _ in range(config.blocks)))
        self.mean = nn.Linear(config.width, 3 * len(BODY13) if config.kind == "lifting" else config.dim)
        self.deviation = nn.Linear(config.width, config.dim) if config.kind == "gaussian" else None
        self.raw_a = nn.Parameter(torch.tensor(-0.65))
        self.raw_b = nn.Parameter(torch.tensor(-0.5))

    @property
    def a(self) -> Tensor:
        """Slope of the matching probability, > 0."""
        return nn.functional.elu(self.raw_a) + 1

    def forward(
        self, points: Float[Tensor, "n joint 2"], visible: Bool[Tensor, "n joint"]
    ) -> tuple[Float[Tensor, "n dim"], Float[Tensor, "n dim"]]:
        """Mean and variance (zeros for points); of `lifting` the mean is (n, 39), BODY13 joints in camera axes."""
        x = torch.cat([points.flatten(1), visible.to(points.dtype)], dim=1)
        x = self.blocks(self.stem(x))
        with torch.autocast(x.device.type, enabled=False):  # distances need more than bfloat16's three digits
            return self._heads(x.float())

    def _heads(self, x: Float[Tensor, "n width"]) -> tuple[Tensor, Tensor]:
        mean = self.mean(x)
        if self.config.kind == "l2":
            mean = nn.functional.normalize(mean, dim=1)
        if self.deviation is None:
            return mean, torch.zeros_like(mean)
        deviation = nn.functional.elu(self.deviation(x)) + 1
        return mean, deviation**2
