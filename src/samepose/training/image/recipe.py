"""The recipe of pose embeddings from pixels: triplets with hard negatives, or ours over all pairs; and the rival's."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from samepose.embed.image import SIZE
from samepose.errors import UsageError
from samepose.geometry.pose_difference import pose_differences
from samepose.losses.triplet import hard_negatives, joint_loss, neighbour_loss, triplet_loss
from samepose.models.image_embedding import ImageEmbedding, ImageEmbeddingConfig
from samepose.training.augment import CropAugmentConfig
from samepose.training.image.data import Batch, Crops
from samepose.training.image.judgements import Judgements
from samepose.training.image.triplets import Likeness, LikenessConfig
from samepose.training.image.validate import figures_of, figures_of_judgements

_FITTED = 300  # people


@dataclass(frozen=True)
class ImageAugmentConfig(CropAugmentConfig):
    """How much squares vary. The paper's: scale and translation (Mori 2015, section 4.1); the rest is ours.

    Attributes:
        rotation: largest angle in degrees; both of a pair are turned alike.
        any_way_up: share of the squares turned by any angle instead.
        scale: smallest and largest factor of the person's size (our text of the paper has lost the range).
        shift: largest displacement, in sides of the square (our text of the paper has lost the range).
        flip: share of mirrored squares; both of a pair are mirrored alike.
    """

    rotation: float = 15.0
    any_way_up: float = 0.0
    scale: tuple[float, float] = (0.85, 1.15)
    shift: float = 0.06
    hide: float = 0.3


@dataclass(frozen=True)
class ImageRecipeConfig:
    """Losses and batches. The defaults are those that train best here (ours); the paper's are named beside them.

    Attributes:
        batch: images per step (paper: 600).
        loss: "triplet": the paper's hinge, each triplet an anchor, a positive and a negative of the batch; "pairs":
            ours, all pairs of a batch of anchors and a positive of each, graded (`losses.triplet.neighbour_loss`). By
            default "pairs", and of judgements, which know no other, "triplet".
        gap: of the hinge, on squared distances of unit vectors (our text of the paper has lost it; Schroff 2015,
            section 3.1: 0.2).
        temperature: of the squared distances in "pairs" (ours).
        spread: of the pose differences in "pairs", pixels (ours).
        backbone_rate: share of the learning rate for MoveNet's backbone (ours).

    Raises:
        UsageError: a batch of less than a triplet, or a size that is none.
    """

    model: ImageEmbeddingConfig = field(default_factory=ImageEmbeddingConfig)
    augment: ImageAugmentConfig = field(default_factory=ImageAugmentConfig)
    likeness: LikenessConfig = field(default_factory=LikenessConfig)
    batch: int = 64
    loss: Literal["triplet", "pairs"] | None = None
    gap: float = 0.2
    temperature: float = 0.1
    spread: float = 4.0
    backbone_rate: float = 0.2

    def __post_init__(self) -> None:
        if self.batch < 3 or min(self.gap, self.temperature, self.spread, self.backbone_rate) <= 0:
            raise UsageError("batch must be at least 3; gap, temperature, spread and backbone-rate above 0")


class ImageRecipe:
    """A batch of varied crops, its loss, and hit rates among people that training never sees.

    Args:
        people: to learn from by their joints; or what somebody judged, which needs none.
    """

    def __init__(self, config: ImageRecipeConfig, people: Crops | Judgements, validation: Crops | None = None) -> None:
        self.settings = config
        self.model = ImageEmbedding(config.model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for name, parameter in self.model.named_parameters():
            if ".backbone." in name:
                parameter.rate_share = config.backbone_rate
        self.people, self.validation = people, validation
        self.likeness = Likeness(people.poses(), config.likeness) if isinstance(people, Crops) else None

    def config(self) -> dict[str, Any]:
        """The settings, JSON-able."""
        return asdict(self.settings)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Hit rates of the validation people and the matching's a and b, see `validate`.

        Without such people a and b are those of people that it learned from, and so too sure.
        """
        if self.validation:
            return figures_of(model, self.validation)
        if isinstance(self.people, Judgements):
            return figures_of_judgements(model, self.people)
        figures = figures_of(model, self.people[np.arange(min(_FITTED, len(self.people)))])
        return {name: figures[name] for name in ("a", "b")}

    def loss(self, model: nn.Module, rng: torch.Generator, device: torch.device) -> tuple[Tensor, dict[str, float]]:
        """The loss of a fresh batch."""
        cfg, varied = self.settings, np.random.default_rng(int(torch.randint(2**62, (1,), generator=rng)))
        if isinstance(self.people, Judgements):
            chosen = self.people.triplets(cfg.batch // 3, varied)
            batch = self.people.crops.batch(chosen, cfg.augment, varied)
            allowed = self.people.may_be_negatives(chosen[:, 0], chosen.ravel())
            return self._triplets(model(batch.images.to(device)), allowed, rng)
        assert self.likeness
        if cfg.model.objective == "joints":
            batch = self.people.batch(varied.integers(len(self.people), size=(cfg.batch, 1)), cfg.augment, varied)
            return joint_loss(model(batch.images.to(device)) / SIZE, batch.joints.to(device) / SIZE), {}
        if cfg.loss == "triplet":
            chosen = self.likeness.triplets(cfg.batch // 3, varied)
            batch = self.people.batch(chosen, cfg.augment, varied)
            allowed = self.likeness.may_be_negatives(np.arange(0, chosen.size, 3), batch.poses)
            return self._triplets(model(batch.images.to(device)), allowed, rng)
        batch = self.people.batch(self.likeness.pairs(cfg.batch // 2, varied), cfg.augment, varied)
        return self._pairs(model(batch.images.to(device)), batch), {}

    def _triplets(self, z: Tensor, allowed: np.ndarray, rng: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Of rows anchor, positive, negative, anchor, …; the negatives given are candidates like the others."""
        anchor = torch.arange(0, len(z), 3, device=z.device)
        candidates = torch.from_numpy(allowed).to(z.device)
        candidates[torch.arange(len(anchor)), anchor + 2] = True
        negative = hard_negatives(z, anchor, anchor + 1, candidates, self.settings.gap, rng)
        loss = triplet_loss(z[anchor], z[anchor + 1], z[negative], self.settings.gap)
        with torch.no_grad():
            near, far = ((z[anchor] - z[other]).square().sum(-1).mean() for other in (anchor + 1, negative))
        return loss, {"near": float(near), "far": float(far)}

    def _pairs(self, z: Tensor, batch: Batch) -> Tensor:
        differences = torch.from_numpy(pose_differences(batch.poses, batch.poses)).to(z.device)
        return neighbour_loss(z, differences, self.settings.temperature, self.settings.spread)
