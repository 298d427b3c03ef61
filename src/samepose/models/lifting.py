"""2D keypoints to a 3D pose: what Pr-VIPE's backbone does on a single frame, and the same over a window of a track.

Single frame: Martinez et al. 2017, a linear layer and residual blocks of two. Over time: Pavllo et al. 2019, the same
blocks whose first layer looks at three frames, each block three times as far apart as the one before. There each unit
sees every unit of all three; in our blocks it has three weights of its own over time (depthwise): a third of the
weights, and with 1 for the middle frame and 0 for the others it is the network of single frames, from which training
goes on. We also differ in what comes out: several poses, each with its probability and a spread per joint (a picture
does not tell front from back), and the direction that is up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samepose.models.prvipe import Layer
from samepose.skeleton import BODY13, H36M17

FEATURES = 3 * len(BODY13) + 3  # points, mask, and how place and size change: what `embed.lifting.features` makes
_NEAREST, _FARTHEST = 0.01, 0.6  # torso lengths: no joint's spread is less or more


@dataclass(frozen=True)
class LiftingConfig:
    """Shape of the network; travels with the weights.

    Attributes:
        kernel: frames that the first layer and the first of each block look at: 1, or 3 for a track.
        width: units per hidden layer (Martinez 2017, Pavllo 2019: 1024).
        blocks: residual blocks (2; with kernel 3 they see 27 frames, Pavllo's smallest but one).
        hypotheses: poses that are offered (ours).
        dropout: after each hidden layer (Pavllo 2019: 0.25; ours: motion without end, so none).
    """

    kernel: int = 1
    width: int = 1024
    blocks: int = 2
    hypotheses: int = 4
    dropout: float = 0.0

    @property
    def window(self) -> int:
        """Frames that one pose is told from."""
        return int(self.kernel ** (self.blocks + 1))


class Lifted3D(NamedTuple):
    """What the network says of each frame that has a whole window around it.

    Attributes:
        poses: H36M17 about the pelvis, axes of the ray to it (x right, y down, z away), torso lengths.
        logits: of the poses' probabilities.
        spread: the scale s of each joint's error, whose density falls as exp(-distance / s) / s^3; the pelvis has 0.
        up: against gravity, unit length, in the same axes.
    """

    poses: Float[Tensor, "n frame hypothesis 17 3"]
    logits: Float[Tensor, "n frame hypothesis"]
    spread: Float[Tensor, "n frame hypothesis 17"]
    up: Float[Tensor, "n frame 3"]


def _shifted(x: Float[Tensor, "n frame width"], kernel: int, step: int) -> list[Tensor]:
    """What each of `kernel` frames, `step` apart, shows at every place where all of them are there."""
    left = x.shape[1] - (kernel - 1) * step
    return [x[:, k * step : k * step + left] for k in range(kernel)]


def _each(layer: nn.Module, x: Float[Tensor, "n frame inputs"]) -> Float[Tensor, "n frame width"]:
    """A layer on every frame, as one matrix product."""
    out: Tensor = layer(x.flatten(0, 1)).reshape(*x.shape[:2], -1)
    return out


class _Block(nn.Module):
    def __init__(self, width: int, kernel: int, step: int, dropout: float) -> None:
        super().__init__()
        self.kernel, self.step = kernel, step
        self.layers = nn.Sequential(Layer(width, width, dropout), Layer(width, width, dropout))
        if kernel > 1:
            taps = torch.zeros(kernel, width)
            taps[kernel // 2] = 1.0
            self.taps = nn.Parameter(taps)

    def forward(self, x: Float[Tensor, "n frame width"]) -> Float[Tensor, "n left width"]:
        seen = _shifted(x, self.kernel, self.step)
        middle = seen[self.kernel // 2]
        if self.kernel == 1:
            return middle + _each(self.layers, middle)
        return middle + _each(self.layers, torch.stack([tap * frame for tap, frame in zip(self.taps, seen)]).sum(0))


class Lifting(nn.Module):
    """Frames of a track (or single ones) to poses; without padding, so `window` - 1 fewer come out than go in."""

    def __init__(self, config: LiftingConfig) -> None:
        super().__init__()
        self.config, k = config, config.hypotheses
        self.stem = Layer(config.kernel * FEATURES, config.width, config.dropout)
        self.blocks = nn.Sequential(*(
            _Block(config.width, config.kernel, config.kernel ** (b + 1), config.dropout) for b in range(config.blocks)
        ))
        moving = len(H36M17) - 1  # the pelvis is where it is
        self.sizes = (k * moving * 3, k, k * moving, 3)
        self.head = nn.Linear(config.width, sum(self.sizes))

    def forward(self, x: Float[Tensor, "n frame 42"]) -> Lifted3D:
        x = self.blocks(_each(self.stem, torch.cat(_shifted(x, self.config.kernel, 1), 2)))
        with torch.autocast(x.device.type, enabled=False):  # centimetres need more than bfloat16's three digits
            poses, logits, spread, up = self.head(x.float()).split(self.sizes, dim=2)
        shape, edge = (self.config.hypotheses, len(H36M17) - 1), nn.functional.pad
        poses = edge(poses.unflatten(2, (*shape, 3)), (0, 0, 1, 0))
        spread = edge(_NEAREST + (_FARTHEST - _NEAREST) * torch.sigmoid(spread.unflatten(2, shape)), (1, 0))
        return Lifted3D(poses, logits, spread, nn.functional.normalize(up, dim=2))
