"""The figures that tell how a run of lifting goes: held-out people, whose faults and cameras are always the same."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from samepose.geometry.procrustes import procrustes_align
from samepose.models.lifting import Lifting
from samepose.training.lifting.recipe import ClipPool, middle
from samepose.training.lifting.views import ViewConfig, seen

TORSO = 500.0  # mm from pelvis to thorax, in round numbers: errors are told of a person of this size
CLIPS = 4000


class LiftingErrors:
    """Errors in mm and degrees on held-out people, one pose a clip.

    `mpjpe`: of the most likely pose, pelvis on pelvis; `pa_mpjpe`: the same after Procrustes; `best`: as `mpjpe`, of
    the nearest of all hypotheses; `up_degrees`: of the up direction; `spread`: root mean square error over the spread
    that was foretold, 1 if that is honest.
    """

    def __init__(self, pool: ClipPool, view: ViewConfig, window: int, clips: int = CLIPS) -> None:
        rng = torch.Generator().manual_seed(1)
        drawn = pool.draw(clips, 0.0, rng)
        if drawn.shape[1] != window:
            raise AssertionError("a clip to validate on is one window")
        self.seen = seen(drawn - drawn[:, :, 0].mean(1)[:, None, None], view, rng)
        self.window = window

    @torch.no_grad()
    def __call__(self, model: nn.Module) -> dict[str, float]:
        assert isinstance(model, Lifting)
        target, truly_up = (t[:, 0] for t in middle(self.seen, self.window))
        device = next(model.parameters()).device
        said = [model(x.to(device)) for x in torch.split(self.seen.x, 500)]
        poses, logits, spread, up = (torch.cat([s[k][:, 0].cpu() for s in said]) for k in range(4))
        rows, first = torch.arange(len(poses)), logits.argmax(1)
        away = (poses - target[:, None]).norm(dim=-1)
        chosen = away[rows, first]
        aligned = procrustes_align(target.numpy().astype(np.float64), poses[rows, first].numpy().astype(np.float64))
        foretold = math.sqrt(12) * spread[rows, first]  # of a density falling as exp(-r / s): 12 s^2 is r^2's mean
        return {
            "mpjpe": TORSO * float(chosen.mean()), "pa_mpjpe": TORSO * float(
                np.linalg.norm(aligned - target.numpy(), axis=-1).mean()),
            "best": TORSO * float(away.mean(2).amin(1).mean()),
            "up_degrees": math.degrees(float((up * truly_up).sum(1).clamp(-1, 1).acos().mean())),
            "spread": float(chosen.square().mean().sqrt() / foretold.square().mean().sqrt()),
        }
