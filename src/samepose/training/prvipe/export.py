"""A trained Pr-VIPE to ONNX, its description inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from jaxtyping import Float
from torch import Tensor, nn

from samepose.embed.prvipe import ModelInfo
from samepose.errors import UsageError
from samepose.models.prvipe import PrVipe
from samepose.skeleton import BODY13
from samepose.training.onnx import halved, save, translated
from samepose.training.prvipe.validate import matching_of

JOINT_SCORE = 0.25  # a detected keypoint that scores less is taken as missing (ours; MoveNet's scores)
MIN_JOINTS = 7  # with fewer the best hit is too seldom right (results/hidden-joints.json)


def info_of(model: PrVipe, name: str, subjects: Sequence[str] = ()) -> ModelInfo:
    """What an export says about itself; its probabilities are as learned, uncalibrated.

    Args:
        subjects: that it was trained on, so that nobody takes figures on them for a test.
    """
    return ModelInfo(name, matching_of(model), JOINT_SCORE, MIN_JOINTS, tuple(subjects))


def export(model: PrVipe, info: ModelInfo, path: Path) -> None:
    """Write `x` (n, 3 x 13: normalised points, then mask) -> `mean`, `var` (n, dim), float32 with fp16 weights.

    Raises:
        UsageError: a model that is no embedding (lifting).
    """
    save(halved(graph(model)), {"samepose": info.to_json()}, path)


def graph(model: PrVipe) -> onnx.ModelProto:
    """What `export` writes, its weights still float32; errors as there."""
    if model.config.kind == "lifting":
        raise UsageError("a lifting model gives 3D poses, not embeddings; only embeddings are exported")
    network = _Joined(model)
    return translated(network, torch.zeros(2, 3 * len(BODY13), device=model.raw_a.device), "x", ("mean", "var"))


def rewrite(source: Path, info: ModelInfo, path: Path) -> None:
    """An exported model with another description of itself; the two paths may be the same."""
    save(onnx.load(source), {"samepose": info.to_json()}, path)


class _Joined(nn.Module):
    """Points and mask as one input, as the file has it."""

    def __init__(self, model: PrVipe) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Float[Tensor, "n 39"]) -> tuple[Float[Tensor, "n dim"], Float[Tensor, "n dim"]]:
        points, mask = x[:, : 2 * len(BODY13)], x[:, 2 * len(BODY13) :]
        out: tuple[Tensor, Tensor] = self.model(points.reshape(-1, len(BODY13), 2), mask > 0.5)
        return out
