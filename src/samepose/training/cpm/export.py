"""A trained Convolutional Pose Machine to ONNX, its description inside."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from samepose.models.cpm import STRIDE, Cpm
from samepose.training.onnx import halved, save, translated


def export_cpm(model: Cpm, name: str, path: Path) -> None:
    """Write `image` (n, size, size, 3) uint8 RGB -> `belief_maps` (n, stages, P + 1, cells, cells) in 0..1.

    The metadata say which joints the maps are of, the stride, the size, the file's name for itself and that what lies
    outside an image is black. Weights are fp16.
    """
    config = model.config
    save(halved(graph(model)), {
        "samepose_model": "cpm", "name": name, "joints": json.dumps(config.joints), "stride": str(STRIDE),
        "size": str(config.size), "fill": "0",
    }, path)


def graph(model: Cpm) -> onnx.ModelProto:
    """What `export_cpm` writes, its weights still float32."""
    side = model.config.size
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8, device=next(model.parameters()).device)
    return translated(_FromPixels(model.float()), example, "image", ("belief_maps",))


class _FromPixels(nn.Module):
    """Images as they come in, belief maps as they are used."""

    def __init__(self, model: Cpm) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: UInt8[Tensor, "n H W 3"]) -> Float[Tensor, "n stages maps h w"]:
        out: Tensor = self.model.beliefs(self.model(image.permute(0, 3, 1, 2).float()))
        return out.clamp(0, 1)
