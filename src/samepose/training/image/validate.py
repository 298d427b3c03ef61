"""How well an embedding of pixels finds the same pose among people it never learned from, and how sure it may be."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.optimize import minimize
from scipy.special import expit
from torch import nn

from samepose.geometry.pose_difference import HIT, on_torso, pose_differences
from samepose.skeleton import LSP14
from samepose.training.image.data import Crops
from samepose.training.image.judgements import Judgements

_BATCH = 64


def figures_of(model: nn.Module, people: Crops) -> dict[str, float]:
    """Hit@1 and Hit@10-absolute of each among all others (section 4.2), and a and b of `Matching`.

    Of a model of joints the distance is their pose difference, and a and b are per pixel of it.
    """
    poses = people.poses()
    truth, away = pose_differences(poses, poses), distances(outputs(model, people))
    np.fill_diagonal(away, np.inf)
    np.fill_diagonal(truth, np.nan)
    order = np.argsort(away, axis=1, kind="stable")[:, : min(10, len(people))]
    hit = np.take_along_axis(truth, order, axis=1) <= HIT
    pairs = np.triu(np.isfinite(truth), 1)
    a, b = fitted(away[pairs], truth[pairs] <= HIT)
    return {"hit1": float(hit[:, 0].mean()), "hit10": float(hit.any(1).mean()), "a": a, "b": b}


def figures_of_judgements(model: nn.Module, judgements: Judgements) -> dict[str, float]:
    """Share of the judgements that training learns from that the distances agree with, and a and b of `Matching`."""
    away = distances(outputs(model, judgements.crops))
    anchor, positive, negative = judgements.rows.T
    near, far = away[anchor, positive], away[anchor, negative]
    a, b = fitted(np.concatenate([near, far]), np.arange(2 * len(near)) < len(near))
    return {"agreed": float((near < far).mean()), "a": a, "b": b}


@torch.no_grad()
def outputs(model: nn.Module, people: Crops) -> Float[np.ndarray, "n ..."]:
    """Of each person as they are, on the device that the model is on."""
    device = next(model.parameters()).device
    rows = np.arange(len(people))[:, None]
    parts = [model(people.batch(rows[k : k + _BATCH]).images.to(device)).float().cpu().numpy()
             for k in range(0, len(rows), _BATCH)]
    return np.concatenate(parts)


def distances(out: Float[np.ndarray, "n ..."]) -> Float[np.ndarray, "n n"]:
    """Of embeddings, or of joints."""
    if out.ndim == 3:
        found = on_torso(out, LSP14)
        return pose_differences(found, found)
    squared = ((out**2).sum(-1)[:, None] + (out**2).sum(-1) - 2 * out @ out.T).clip(0)
    return np.sqrt(squared)


def fitted(away: Float[np.ndarray, " n"], same: Bool[np.ndarray, " n"]) -> tuple[float, float]:
    """a > 0 and b for which sigmoid(b - a distance) is likeliest, by the negative log-likelihood.

    One pseudo-pair each way (Platt 1999) keeps them finite where a distance tells all.
    """
    n, scale = len(away), max(float(away.std()), 1e-6)
    x = (away - away.mean()) / scale
    high, low = (same.sum() + 1) / (same.sum() + 2), 1 / (n - same.sum() + 2)
    wanted = np.where(same, high, low)

    def cost(p: np.ndarray) -> tuple[float, np.ndarray]:
        logit = p[1] - p[0] * x
        error = expit(logit) - wanted
        return float((np.logaddexp(0, logit) - wanted * logit).mean()), np.array([-(error * x).mean(), error.mean()])

    slope, offset = minimize(cost, np.zeros(2), jac=True, method="L-BFGS-B").x
    a = max(float(slope), 1e-3) / scale
    return a, float(offset) + a * float(away.mean())
