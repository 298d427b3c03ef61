"""A trained pair network to ONNX, its description inside."""

from __future__ import annotations

from pathlib import Path

import onnx
import torch

from samepose.embed.pairs import PairsInfo
from samepose.geometry.two_views import FEATURES
from samepose.models.pairs import PairNetwork
from samepose.training.onnx import halved, save, translated


def export(model: PairNetwork, info: PairsInfo, path: Path) -> None:
    """Write `x` (n, feature) -> `logit` (n,), float32 with fp16 weights."""
    proto = translated(model, torch.zeros(2, FEATURES), "x", ("logit",))
    save(halved(proto), {"samepose_pairs": info.to_json()}, path)


def rewrite(source: Path, info: PairsInfo, path: Path) -> None:
    """An exported network with another description of itself; the two paths may be the same."""
    save(onnx.load(source), {"samepose_pairs": info.to_json()}, path)
