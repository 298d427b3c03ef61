"""The recipe of lifting, for single frames and for tracks, which differ in `LiftingConfig.kernel` alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from samepose.errors import UsageError
from samepose.geometry.normalise import torso_length
from samepose.losses.mixture import mixture_loss
from samepose.models.lifting import Lifting, LiftingConfig
from samepose.skeleton import H36M17
from samepose.training.lifting.views import Seen, ViewConfig, seen
from samepose.training.prvipe.augment import AugmentConfig, random_bodies, vary_bones

_PELVIS = H36M17.index("pelvis")


@dataclass(frozen=True)
class LiftingRecipeConfig:
    """Batches and losses.

    Attributes:
        batch: clips per step.
        together: frames of a clip whose poses are told in one step, as they share most of their windows; 1 for single
            frames.
        bones: spread (log) of random bone lengths.
        limbs: of single frames, probability per limb that it is exchanged for another body's.
        fast: share of clips shown at twice their pace.
        up: weight of the error of the up direction, per radian.

    Raises:
        UsageError: no clips.
    """

    model: LiftingConfig = field(default_factory=LiftingConfig)
    view: ViewConfig = field(default_factory=ViewConfig)
    batch: int = 1024
    together: int = 1
    bones: float = 0.08
    limbs: float = 0.15
    fast: float = 0.25
    up: float = 2.0

    def __post_init__(self) -> None:
        if min(self.batch, self.together) < 1:
            raise UsageError("batch and together must be at least 1")


@dataclass(eq=False)
class ClipPool:
    """Motion to draw clips from.

    Attributes:
        points: (N, 17, 3) float32, y up; each clip's mean torso length is 1.
        starts: frames at which a clip of `frames` may begin.
        fast: those of them at which one of twice the length may.
        frames: of a clip.
    """

    points: Float[np.ndarray, "n 17 3"]
    starts: Int[np.ndarray, " m"]
    fast: Int[np.ndarray, " k"]
    frames: int

    @classmethod
    def of(cls, points: Float[np.ndarray, "n 17 3"], clip: Int[np.ndarray, " n"], frames: int) -> ClipPool:
        """Begin only where poses differ by at least 0.02 torso lengths from the beginning before.

        Raises:
            UsageError: no clip is long enough.
        """
        _, which, count = np.unique(clip, return_inverse=True, return_counts=True)
        torso = (np.bincount(which, torso_length(points)) / count)[which]
        unit = (points / np.maximum(torso, 1e-8)[:, None, None]).astype(np.float32)
        still = unit - unit[:, _PELVIS : _PELVIS + 1]
        keep, last = np.zeros(len(unit), bool), -1
        for i in range(len(unit)):
            if last < 0 or clip[i] != clip[last] or np.abs(still[i] - still[last]).mean() > 0.01:
                keep[i], last = True, i

        def fitting(length: int) -> Int[np.ndarray, " k"]:
            at = np.flatnonzero(keep)
            at = at[at + length <= len(clip)]
            return at[clip[at + length - 1] == clip[at]]

        starts = fitting(frames)
        if not len(starts):
            raise UsageError(f"no clip has {frames} frames; give longer clips, or train on single frames")
        return cls(unit, starts, fitting(2 * frames - 1), frames)

    def draw(self, n: int, fast: float, rng: torch.Generator) -> Float[Tensor, "n frame 17 3"]:
        """Clips, a share of them at twice the pace."""
        swift = round(n * fast) if len(self.fast) and self.frames > 1 else 0
        parts = [(self.starts, n - swift, 1), (self.fast, swift, 2)]
        rows = [at[torch.randint(len(at), (k,), generator=rng).numpy(), None] + pace * np.arange(self.frames)
                for at, k, pace in parts if k]
        return torch.from_numpy(self.points[np.concatenate(rows)])


class LiftingRecipe:
    """Batches of clips, each in a random camera."""

    def __init__(self, config: LiftingRecipeConfig, pool: ClipPool, validation: Any = None) -> None:
        self.settings, self.pool = config, pool
        self.model = Lifting(config.model)
        self._validation = validation

    def config(self) -> dict[str, Any]:
        """JSON-able settings."""
        return asdict(self.settings)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """See `LiftingErrors`."""
        return dict(self._validation(model)) if self._validation else {}

    def loss(self, model: nn.Module, rng: torch.Generator, device: torch.device) -> tuple[Tensor, dict[str, float]]:
        """One step's loss, and figures to log."""
        cfg = self.settings
        clips = random_clips(self.pool.draw(cfg.batch, cfg.fast, rng), cfg, rng)
        shown = seen(clips, cfg.view, rng)
        poses, logits, spread, up = model(shown.x.to(device))
        target, truly_up = (t.to(device) for t in middle(shown, cfg.model.window))
        pose_loss = mixture_loss(poses[..., 1:, :], logits, spread[..., 1:], target[..., 1:, :])  # the pelvis is given
        up_loss = (up - truly_up).norm(dim=-1).mean()
        return pose_loss + cfg.up * up_loss, {"pose": float(pose_loss.detach()), "up": float(up_loss.detach())}


def middle(shown: Seen, window: int) -> tuple[Float[Tensor, "n left 17 3"], Float[Tensor, "n left 3"]]:
    """Poses and up of the frames that have a whole window around them."""
    edge = window // 2
    frames = slice(edge, shown.poses.shape[1] - edge)
    return shown.poses[:, frames], shown.up[:, frames]


def random_clips(
    clips: Float[Tensor, "n frame 17 3"], config: LiftingRecipeConfig, rng: torch.Generator
) -> Float[Tensor, "n frame 17 3"]:
    """Mirrored, with other bones, and in single frames other limbs; the middle of the way at the origin."""
    n, frames = clips.shape[:2]
    if frames == 1:
        still = (clips - clips[:, :, _PELVIS : _PELVIS + 1])[:, 0]
        return random_bodies(still, AugmentConfig(limbs=config.limbs, bones=config.bones), rng)[:, None]
    flipped = clips[:, :, torch.as_tensor(H36M17.mirror)] * torch.tensor([-1.0, 1.0, 1.0])
    clips = torch.where((torch.rand(n, generator=rng) < 0.5)[:, None, None, None], flipped, clips)
    moments = clips.transpose(1, 2).flatten(2)
    clips = vary_bones(moments, config.bones, rng).reshape(n, len(H36M17), frames, 3).transpose(1, 2)
    return clips - clips[:, :, _PELVIS].mean(1)[:, None, None]
