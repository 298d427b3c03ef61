"""A trained pose embedding from pixels, or its rival that finds joints, to ONNX, its description inside."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import torch
from jaxtyping import Float
from torch import Tensor, nn

from samepose.embed.image import SIZE, ImageModelInfo
from samepose.matching.embeddings import Matching
from samepose.models.image_embedding import JOINTS, ImageEmbedding
from samepose.training.onnx import halved, save, translated


def export_image(model: ImageEmbedding, name: str, matching: Matching, path: Path) -> None:
    """Write what `ImageEmbedder` reads: `image` (n, 128, 128, 3) RGB of 0..255, float32 -> `embedding`; fp16 weights.

    A model of joints gives `joints` instead, (n, J, 2) pixels of the crop, whole numbers being the middles of pixels;
    its metadata "samepose_joints" hold their names and the model's.

    Args:
        matching: of two embeddings, see `training.image.validate`.
    """
    if model.config.objective == "joints":
        facts = {"samepose_joints": json.dumps({"name": name, "joints": JOINTS})}
    else:
        facts = {"samepose_image": ImageModelInfo(name, matching).to_json()}
    save(halved(graph(model)), facts, path)


def graph(model: ImageEmbedding) -> onnx.ModelProto:
    """What `export_image` writes, its weights still float32."""
    example = torch.zeros(2, SIZE, SIZE, 3, device=next(model.parameters()).device)
    return translated(_FromPixels(model.float()), example, "image", (model.config.objective,))


class _FromPixels(nn.Module):
    """Images as they come in."""

    def __init__(self, model: ImageEmbedding) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Float[Tensor, "n size size 3"]) -> Float[Tensor, "n ..."]:
        out: Tensor = self.model(image.permute(0, 3, 1, 2))
        return out
