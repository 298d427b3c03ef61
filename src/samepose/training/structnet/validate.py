"""StructNet's errors on people whom it never saw: Max, Avg(A) and Pred (Li 2015, section 5.2)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float

from samepose.evaluation import pose3d
from samepose.lifting.candidates import Candidates
from samepose.models.structnet import UNIT, StructNet
from samepose.training.structnet.features import FeatureSet

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 300, 500, 750, 1000, 1500)  # A of Avg(A), Figure 3's range
_TOGETHER = 256


class Predictions(NamedTuple):
    """Poses of images, metres from the pelvis, camera axes.

    Attributes:
        pred: the auxiliary prediction.
        averages: of the A best candidates, by A; Avg(1) is Max. Empty for a network without scores.
    """

    pred: Float[np.ndarray, "n 17 3"]
    averages: dict[int, Float[np.ndarray, "n 17 3"]]


def predictions(net: StructNet, people: FeatureSet, candidates: Candidates | None) -> Predictions:
    """What a network says of people."""
    images, poses = embedded(net, people)
    if candidates is None:
        return Predictions(poses, {})
    averages: list[np.ndarray] = []
    for start in range(0, len(images), _TOGETHER):
        rows, _ = candidates.best(images[start : start + _TOGETHER], max(SIZES))
        averages.append(candidates.averages(rows, SIZES))
    return Predictions(poses, dict(zip(SIZES, np.concatenate(averages, axis=1))))


@torch.no_grad()
def embedded(net: StructNet, people: FeatureSet) -> tuple[Float[np.ndarray, "n dim"], Float[np.ndarray, "n 17 3"]]:
    """Image embeddings, and predicted poses in metres."""
    net.eval()
    parts = [net(people.seen(slice(a, a + _TOGETHER))) for a in range(0, len(people), _TOGETHER)]
    return torch.cat([p[0] for p in parts]).numpy(), torch.cat([p[1] for p in parts]).numpy() * np.float32(UNIT)


@torch.no_grad()
def candidates_of(net: StructNet, poses: Float[np.ndarray, "c 17 3"]) -> Candidates:
    """Poses in metres with their embeddings, float32."""
    net.eval()
    scaled = torch.from_numpy(poses) / UNIT
    parts = [net.embed_pose(scaled[a : a + 4096]) for a in range(0, len(poses), 4096)]
    return Candidates(poses, torch.cat(parts).numpy())


def mpjpe(found: Float[np.ndarray, "n 17 3"], true: Float[np.ndarray, "n 17 3"]) -> Float[np.ndarray, " n"]:
    """Mean per joint error of each pose, mm; both are metres from the pelvis (Equation 8)."""
    return 1000 * pose3d.mpjpe(found, true)


def figures_of(
    net: StructNet, people: FeatureSet, poses: Float[np.ndarray, "c 17 3"], *, scored: bool = True
) -> dict[str, float]:
    """MPJPE, mm: of Pred, and where the network has scores of Max and of Avg(A).

    Args:
        poses: the candidates.
    """
    found = predictions(net, people, candidates_of(net, poses) if scored else None)
    figures = {"pred": float(mpjpe(found.pred, people.poses).mean())}
    return figures | {f"avg{a}": float(mpjpe(p, people.poses).mean()) for a, p in found.averages.items()}


def best_average(net: StructNet, people: FeatureSet, poses: Float[np.ndarray, "c 17 3"]) -> int:
    """The A whose Avg(A) errs least on people for validation."""
    averages = predictions(net, people, candidates_of(net, poses)).averages
    return min(averages, key=lambda a: float(mpjpe(averages[a], people.poses).mean()))
