"""What a finished or unfinished run is good for: its model, its likeness as a retrieval scorer, a start for another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from samepose.embeddings import Embeddings, Matching
from samepose.errors import FormatError, UsageError
from samepose.evaluation.retrieval import Lifting, PointEmbedding, Scorer
from samepose.evaluation.retrieval import PrVipe as GaussianEmbedding
from samepose.geometry.normalise import normalise_2d
from samepose.models.prvipe import PrVipe, PrVipeConfig
from samepose.training.loop import averaged_weights

_LIFTER = "lifter."  # the auxiliary task's read-out: for training only


def model_config(run: Path) -> PrVipeConfig:
    """The shape of a run's network.

    Raises:
        FormatError: the folder holds no run of Pr-VIPE or its rivals.
    """
    path = run / "config.json"
    try:
        return PrVipeConfig(**json.loads(path.read_text())["recipe"]["model"])
    except OSError as error:
        raise FormatError(f"{run}: holds no run ({path.name}: {error.strerror}); name the folder of one") from None
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path}: is not of a run of `samepose train prvipe` ({error}); name another run") from None


def load_model(run: Path) -> PrVipe:
    """The averaged model of a run, in evaluation mode, on the CPU.

    Raises:
        FormatError: no such run, no checkpoint in it yet, or one that does not fit its settings.
    """
    model = PrVipe(model_config(run))
    if odd := _take_over(model, averaged_weights(run)):
        raise FormatError(f"{run}: its checkpoint does not fit its config.json (at {odd}); train again")
    return model.eval()


def initialise(model: nn.Module, run: Path) -> None:
    """Start `model` from the averaged weights of another run. An auxiliary lifter is taken over if both have one.

    Raises:
        FormatError: no such run, or no checkpoint in it yet.
        UsageError: the run's network has another shape.
    """
    if odd := _take_over(model, averaged_weights(run)):
        raise UsageError(f"{run}: its network has another shape (at {odd}); give the --model settings of that run")


def _take_over(model: nn.Module, weights: dict[str, Tensor]) -> str:
    """Copy the weights, or copy nothing and name the first that does not fit."""
    ours = model.state_dict()
    fits = {k: v for k, v in weights.items() if k in ours and v.shape == ours[k].shape}
    odd = [k for k in {**ours, **weights} if k not in fits and not k.startswith(_LIFTER)]
    if not odd:
        model.load_state_dict({**ours, **fits})
    return odd[0] if odd else ""


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
        return Lifting(lambda keypoints: run(keypoints)[0].reshape(-1, 17, 3))
    if model.config.kind == "gaussian":
        return GaussianEmbedding(lambda keypoints: Embeddings(*run(keypoints)), matching_of(model))
    return PointEmbedding(lambda keypoints: run(keypoints)[0])


def _numpy(x: Tensor) -> Any:
    return x.float().cpu().numpy()
