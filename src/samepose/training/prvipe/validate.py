"""Torch models as contestants of cross-view retrieval, and the figure that tells how a run goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from samepose.evaluation.retrieval import Lifting, PointEmbedding, Scorer, evaluate, select_frames
from samepose.evaluation.retrieval import PrVipe as GaussianEmbedding
from samepose.evaluation.views import CAMERAS, Keypoints
from samepose.geometry.normalise import normalise_2d
from samepose.matching.embeddings import Embeddings, Matching
from samepose.models.prvipe import PrVipe
from samepose.skeleton import BODY13

FRAMES = 1500
_KEYPOINTS: tuple[Keypoints, ...] = ("perfect", "noisy")


class CrossViewHits:
    """Hit@1 at kappa 0.1 on subjects that training never sees, from chest-level cameras and from all.

    Keypoints are perfect or noisy; rates are in 0..1.
    """

    def __init__(self, points: Float[np.ndarray, "n 17 3"], frames: int = FRAMES) -> None:
        self.points = points[select_frames(points, frames)]

    def __call__(self, model: nn.Module) -> dict[str, float]:
        assert isinstance(model, PrVipe)
        scorers, figures = {"run": scorer_of(model)}, {}
        for name, cameras in CAMERAS.items():
            for keypoints in _KEYPOINTS:
                (result,) = evaluate(self.points, scorers, cameras, cameras_name=name, keypoints=keypoints)
                figures[f"hit1_{name}_{keypoints}"] = result.hit[0.1][1]
        return figures


def matching_of(model: PrVipe) -> Matching:
    """The matching probability that the model learned, uncalibrated."""
    return Matching(float(model.a.detach()), float(model.raw_b.detach()))


def scorer_of(model: PrVipe) -> Scorer:
    """The model as a contestant of cross-view retrieval, on whatever device its weights are."""
    device = next(model.parameters()).device

    @torch.no_grad()
    def run(keypoints: Float[np.ndarray, "n 13 2"]) -> tuple[np.ndarray, np.ndarray]:
        points, visible = normalise_2d(np.asarray(keypoints, np.float32))
        mean, var = model.eval()(torch.from_numpy(points).to(device), torch.from_numpy(visible).to(device))
        return _numpy(mean), _numpy(var)

    if model.config.kind == "lifting":
        return Lifting(lambda keypoints: run(keypoints)[0].reshape(-1, len(BODY13), 3))
    if model.config.kind == "gaussian":
        return GaussianEmbedding(lambda keypoints: Embeddings(*run(keypoints)), matching_of(model))
    return PointEmbedding(lambda keypoints: run(keypoints)[0])


def _numpy(x: Tensor) -> Any:
    return x.float().cpu().numpy()
