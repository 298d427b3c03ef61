"""The pair network (ours): two views at a time, to how likely they show the same pose.

An embedding looks at each picture alone and must keep all of it in a few numbers. Whoever has both pictures can hold
them against each other; `geometry.two_views` does the geometry of that, and the network learns what it means: which
leftover is a detector's fault and which another pose, and which bodies there are at all. As of any cross-encoder, its
answers cannot be stored, so it ranks a shortlist of the embedding's.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from samepose.geometry.two_views import FEATURES


@dataclass(frozen=True)
class PairsConfig:
    """Shape of the network; travels with the weights.

    Attributes:
        width: units per hidden layer.
        blocks: residual blocks of two layers.
    """

    width: int = 512
    blocks: int = 2


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


class PairNetwork(nn.Module):
    """Features of pairs of views (see `geometry.two_views`) to the logit of a match."""

    def __init__(self, config: PairsConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.Sequential(
            nn.BatchNorm1d(FEATURES, momentum=0.01), nn.Linear(FEATURES, config.width), nn.ReLU(),
            *(_Block(config.width) for _ in range(config.blocks)),
            nn.LayerNorm(config.width), nn.ReLU(), nn.Linear(config.width, 1))

    def forward(self, features: Float[Tensor, "n feature"]) -> Float[Tensor, " n"]:
        """Logit of a match."""
        out: Tensor = self.layers(features)[:, 0]
        return out
