"""A trained lifting network to ONNX, its description inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from samepose.embed.lifting import LiftingInfo
from samepose.models.lifting import FEATURES, Lifting
from samepose.training.onnx import halved, save, translated

_PER_AXIS = 2.0  # of a density falling as exp(-r / s) in space, r^2 is 12 s^2 on average: 4 s^2 an axis


def export(model: Lifting, name: str, subjects: Sequence[str], path: Path) -> None:
    """Write `x` (n, window, 42) -> `poses` (n, 1, hypothesis, 17, 3), `weights`, `spread` per axis, `up`; fp16 weights.

    Args:
        subjects: that it was trained on, so that nobody takes figures on them for a test.
    """
    window = model.config.window
    example = torch.zeros(2, window, FEATURES)
    proto = translated(_Told(model), example, "x", ("poses", "weights", "spread", "up"))
    save(halved(proto), {"samepose": LiftingInfo(name, window, subjects=tuple(subjects)).to_json()}, path)


class _Told(nn.Module):
    """The network with its probabilities and spreads as they are told."""

    def __init__(self, model: Lifting) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Float[Tensor, "n window 42"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        poses, logits, spread, up = self.model(x)
        return poses, torch.softmax(logits, -1), _PER_AXIS * spread, up
