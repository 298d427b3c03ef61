"""The recipe of Pr-VIPE and of its rivals, which differ in `PrVipeConfig.kind` alone."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from samepose.errors import UsageError
from samepose.geometry.normalise import normalise_3d
from samepose.geometry.procrustes import np_mpjpe_matrix
from samepose.losses.matching import (
    all_moments,
    all_pairs_loss,
    contrast_loss,
    distance,
    gaussian_prior,
    log_matching_probability,
    log_matching_probability_sampled,
    matching_probability,
    moments,
    semi_hard_negatives,
    smoothed,
    triplet_ratio_loss,
)
from samepose.models.prvipe import PrVipe, PrVipeConfig
from samepose.training.prvipe.augment import AugmentConfig, Views, random_bodies, random_view_pairs, torso_frame
from samepose.training.prvipe.seen import SeenPairs


@dataclass(frozen=True)
class PrVipeRecipeConfig:
    """Losses and batches. The defaults are our losses; the paper's are what its sources say, contrast = pairs = 0.

    Attributes:
        batch: pairs of views per step (reference code: 256).
        kappa: NP-MPJPE below which two poses match (Sun 2020, section 3.6: 0.1).
        beta: ratio of the triplet loss, margin = log beta (Sun 2020, section 3.6: 2).
        l2_margin: L2-VIPE's margin in its place, on squared distances of unit vectors (Sun 2020 gives none; Schroff
            2015, section 3.1: 0.2).
        samples: per pose for the paper's Monte-Carlo probability of a Gaussian (Sun 2020, section 3.6: 20); 0 = closed
            form (ours). Points have no samples.
        smoothing: s of P = (1 - s) P + s / 2 in every loss, sampled or not (Sun 2020, supplement B: 0.1; ours: 0). The
            paper's losses gain much by it, ours lose by it: see `results/losses.json`.
        triplet: weight of the triplet ratio loss (Sun 2020, section 3.6: 1).
        positive: weight of the positive pairwise loss (Sun 2020, section 3.6: 0.005).
        prior: weight of the Gaussian prior (Sun 2020, section 3.6: 0.001).
        contrast: weight of our ratio loss against all negatives of the batch at once (see `contrast_loss`).
        pairs: weight of our all-pairs loss: binary cross-entropy of P against "NP-MPJPE < kappa" for every pair of
            the batch, which keeps P near the truth.
        lift: weight of our auxiliary task: the 3D pose in the torso's own frame, from the backbone; 0 = none.
        neighbours: share of the batch taken a moment later from the same clip as another pose: hard negatives.
        seen: share of the batch that is of views which a real detector saw, where there are any (see `SeenPairs`).

    Raises:
        UsageError: a batch that has no negatives, or a share that is none.
    """

    model: PrVipeConfig = field(default_factory=PrVipeConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    batch: int = 512
    kappa: float = 0.1
    beta: float = 2.0
    l2_margin: float = 0.2
    samples: int = 0
    smoothing: float = 0.0
    triplet: float = 0.0
    positive: float = 0.0
    prior: float = 0.001
    pairs: float = 0.5
    contrast: float = 3.0
    lift: float = 0.0
    neighbours: float = 0.3
    seen: float = 0.35

    def __post_init__(self) -> None:
        if not 0 <= self.seen < 1:
            raise UsageError(f"seen is {self.seen}; it is a share of the batch, 0 or more and less than 1")
        if self.batch < 2:
            raise UsageError(f"batch is {self.batch}; a pose needs others to be told from, so at least 2")


@dataclass(eq=False)
class MotionPool:
    """Poses to train on: (N, 17, 3) float32 H36M17, centred on the pelvis, torso length 1, and their clips."""

    points: Float[np.ndarray, "n 17 3"]
    clip: np.ndarray

    @classmethod
    def of(cls, points: Float[np.ndarray, "n 17 3"], clip: np.ndarray) -> MotionPool:
        """Normalise, and thin each clip so that consecutive poses differ by at least 0.02 torso lengths a joint."""
        unit = normalise_3d(points).astype(np.float32)
        keep, last = np.zeros(len(unit), bool), -1
        for i in range(len(unit)):
            if last < 0 or clip[i] != clip[last] or np.abs(unit[i] - unit[last]).mean() > 0.01:
                keep[i], last = True, i
        return cls(unit[keep], clip[keep])


class PrVipeRecipe:
    """Batches of two views of the same body, the paper's losses and ours (see `PrVipeRecipeConfig`)."""

    def __init__(
        self, config: PrVipeRecipeConfig, pool: MotionPool, validation: Any = None, seen: SeenPairs | None = None
    ) -> None:
        if seen and config.model.kind == "lifting":
            raise UsageError("lifting learns poses in camera axes, which views do not tell; train it without `views`")
        self.settings, self._beside = config, seen
        self.model = _WithLifter(config.model) if config.lift else PrVipe(config.model)
        self.points = torch.from_numpy(pool.points)
        self.clip = torch.from_numpy(np.asarray(pool.clip))
        self._validation = validation

    def config(self) -> dict[str, Any]:
        """The settings, JSON-able."""
        return asdict(self.settings)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Hit rates on the validation poses, if any were given."""
        return self._validation(model) if self._validation else {}

    def loss(self, model: nn.Module, rng: torch.Generator, device: torch.device) -> tuple[Tensor, dict[str, float]]:
        """One batch: bodies, two views each, losses."""
        cfg = self.settings
        count = round(cfg.batch * cfg.seen) if self._beside else 0
        index = draw_poses(self.clip, cfg.batch - count, cfg.neighbours, rng)
        bodies = random_bodies(self.points[index], cfg.augment, rng)
        views = self._views(bodies, index, rng)
        if self._beside:
            bodies, views = self._beside.after(bodies, views, count, cfg.augment, rng)
        points = torch.cat([v.points for v in views]).to(device)
        mean, var = model(points, torch.cat([v.visible for v in views]).to(device))
        if cfg.model.kind == "lifting":
            turned = torch.cat([v.turned for v in views]).to(device)
            return nn.functional.mse_loss(mean, turned.flatten(1)), {}
        n = len(bodies)
        logs: dict[str, float] = {}
        match = same_poses(bodies, cfg.kappa).to(device)
        total = self._retrieval_loss(mean[:n], var[:n], mean[n:], var[n:], match, rng, logs)
        if cfg.prior and cfg.model.kind == "gaussian":
            total = total + cfg.prior * gaussian_prior(mean, var)
        if cfg.lift:
            target = torso_frame_pose(bodies).to(device).repeat(2, 1)
            assert isinstance(self.model, _WithLifter)
            gap = nn.functional.smooth_l1_loss(self.model.lifted, target, beta=0.05)
            logs["lift"] = float(gap.detach())
            total = total + cfg.lift * gap
        return total, logs

    def _views(self, bodies: Float[Tensor, "n 17 3"], index: Tensor, rng: torch.Generator) -> tuple[Views, Views]:
        """Two views of each body, which is pose `index` of the pool."""
        return random_view_pairs(bodies, self.settings.augment, rng)

    def _retrieval_loss(
        self, mean_1: Tensor, var_1: Tensor, mean_2: Tensor, var_2: Tensor, match: Bool[Tensor, "n n"],
        rng: torch.Generator, logs: dict[str, float],
    ) -> Tensor:
        cfg, model = self.settings, self.model
        if cfg.model.kind == "l2":
            squared = torch.cdist(mean_1, mean_2) ** 2
            negative, found = semi_hard_negatives(squared, match)
            gap = cfg.l2_margin + squared.diagonal() - squared.gather(1, negative[:, None])[:, 0]
            gap = (gap * found).clamp_min(0)
            return gap.sum() / (gap > 0).sum().clamp_min(1)
        a, b = model.a, model.raw_b
        logs |= {"a": float(a.detach()), "b": float(b.detach()), "var": float(var_1.detach().mean())}
        total = mean_1.new_zeros(())
        if cfg.triplet or cfg.positive:
            with torch.no_grad():
                negative, found = semi_hard_negatives(torch.cdist(mean_1, mean_2), match)
            keep = found.nonzero()[:, 0]
            positive_d, negative_d = self._distances(mean_1, var_1, mean_2, var_2, negative, rng)
            ratio = triplet_ratio_loss(positive_d[keep], negative_d[keep], math.log(cfg.beta))
            total = cfg.triplet * ratio + cfg.positive * positive_d.mean()
        if cfg.pairs or cfg.contrast:
            p = smoothed(matching_probability(*all_moments(mean_1, var_1, mean_2, var_2), a, b), cfg.smoothing)
            total = total + cfg.pairs * all_pairs_loss(p, match) + cfg.contrast * contrast_loss(p, match)
        return total

    def _distances(
        self, mean_1: Tensor, var_1: Tensor, mean_2: Tensor, var_2: Tensor, negative: Tensor, rng: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """D = -log P of each anchor with its positive and with its negative."""
        a, b, cfg = self.model.a, self.model.raw_b, self.settings
        if not cfg.samples or cfg.model.kind == "point":
            both = ((mean_2, var_2), (mean_2[negative], var_2[negative]))
            logs = (log_matching_probability(*moments(mean_1, var_1, m, v), a, b) for m, v in both)
            positive, other = (distance(log_p, cfg.smoothing) for log_p in logs)
            return positive, other

        def sample(mean: Tensor, var: Tensor) -> Tensor:
            noise = torch.randn((len(mean), cfg.samples, mean.shape[1]), generator=rng).to(mean.device)
            return mean[:, None] + var.clamp_min(1e-12).sqrt()[:, None] * noise

        z1, z2 = sample(mean_1, var_1), sample(mean_2, var_2)
        positive, other = (
            distance(log_matching_probability_sampled(z1, z, a, b), cfg.smoothing) for z in (z2, z2[negative])
        )
        return positive, other


def draw_poses(clip: Int[Tensor, " pose"], n: int, neighbours: float, rng: torch.Generator) -> Int[Tensor, " n"]:
    """Random poses of a pool; a share of them is a moment away from another one drawn.

    Args:
        clip: of each pose of the pool.
        neighbours: the share.
    """
    near = round(n * neighbours)
    index = torch.randint(len(clip), (n,), generator=rng)
    if near:
        step = torch.randint(2, 25, (near,), generator=rng) * (1 - 2 * torch.randint(2, (near,), generator=rng))
        moved = (index[:near] + step).clamp(0, len(clip) - 1)
        index[-near:] = torch.where(clip[moved] == clip[index[:near]], moved, index[-near:])
    return index


def torso_frame_pose(bodies: Float[Tensor, "n 17 3"]) -> Float[Tensor, "n 51"]:
    """Poses seen from their own torso: a view-invariant target for the auxiliary task."""
    return (bodies @ torso_frame(bodies).transpose(1, 2)).flatten(1)


class _WithLifter(PrVipe):
    """Pr-VIPE with a linear read-out of the torso-frame 3D pose from its last hidden layer, for training only."""

    def __init__(self, config: PrVipeConfig) -> None:
        super().__init__(config)
        self.lifter = nn.Linear(config.width, 51)
        self.lifted = torch.empty(0)
        self.blocks.register_forward_hook(self._read)

    def _read(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self.lifted = self.lifter(output)


def same_poses(bodies: Float[Tensor, "n 17 3"], kappa: float) -> Bool[Tensor, "n n"]:
    """Which of them are within NP-MPJPE `kappa` of each other."""
    points = bodies.numpy()
    return torch.from_numpy(np_mpjpe_matrix(points, points) < kappa)
