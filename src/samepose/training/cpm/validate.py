"""How well each stage of a Convolutional Pose Machine finds the joints of people it never learnt from."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.amp import is_autocast_available

from samepose.detection.cpm import peaks
from samepose.evaluation.keypoints import errors
from samepose.models.cpm import STRIDE, Beliefs, CpmConfig
from samepose.skeleton import Skeleton
from samepose.training.cpm.data import People

_BATCH = 25
_SHORTEST = 5.0  # pixels of the torso


@torch.no_grad()
def pck_of_stages(model: nn.Module, config: CpmConfig, people: People, most: int) -> dict[str, float]:
    """`pck_stage1`, …: PCK@0.2 of the torso of the 12 limb joints (`mean12` of `samepose eval keypoints`).

    One look at each person, as in detection: no other scales, no mirror image, and the person is taken to be in the
    middle of the square, for nobody tells where else. On the device that the model is on.
    """
    device = next(model.parameters()).device
    skeleton, none, beliefs = Skeleton("trained", config.joints), np.random.default_rng(0), Beliefs(config)
    found, truth = [], []
    for first in range(0, min(most, len(people)), _BATCH):
        batch = people.batch(range(first, min(first + _BATCH, most, len(people))), config.size, None, none)
        images = batch.images.to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16) if is_autocast_available(device.type) else nullcontext():
            out = model(images).float()
        found.append(joints_of(beliefs(out)).numpy())
        truth.append(np.where(batch.visible[:, 0, :, None], batch.points[:, 0], np.nan))
    labels = np.concatenate(truth)
    torso = [skeleton.index(name) for name in ("left_shoulder", "right_hip")]
    units = np.linalg.norm(labels[:, torso[0]] - labels[:, torso[1]], axis=-1)
    units = np.where(units >= _SHORTEST, units, np.nan)
    return {
        f"pck_stage{t}": errors(joints, labels, units, np.isfinite(labels).all(-1), skeleton).rates(0.2).mean12 or 0.0
        for t, joints in enumerate(np.concatenate(found).swapaxes(0, 1), 1)
    }


def joints_of(beliefs: Float[Tensor, "n stages maps h w"]) -> Float[Tensor, "n stages joint 2"]:
    """Where each joint's belief is highest, in pixels; see `detection.cpm.peaks`."""
    cells, _ = peaks(beliefs[:, :, :-1].cpu().numpy())
    return (torch.from_numpy(cells) + 0.5) * STRIDE - 0.5
