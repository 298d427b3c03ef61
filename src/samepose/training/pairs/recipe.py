"""The recipe of the pair network: of each body's view, those in a batch whom the embedding would find."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from samepose.embed.pairs import PairMatching, PairModel, PairsInfo
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import UsageError
from samepose.evaluation.retrieval import PrVipe, Reranked, evaluate, select_frames
from samepose.evaluation.views import CHEST4, Keypoints
from samepose.geometry.two_views import two_view_features
from samepose.losses.matching import shortlist_loss
from samepose.matching.embeddings import Embeddings
from samepose.models.pairs import PairNetwork, PairsConfig
from samepose.training.prvipe.augment import AugmentConfig, Views, random_bodies, random_view_pairs
from samepose.training.prvipe.recipe import MotionPool, draw_poses, same_poses

FRAMES = 500
UNFITTED = PairMatching(network=1.0, embedding=1.5)  # until it is calibrated on people it has not seen


@dataclass(frozen=True)
class PairsRecipeConfig:
    """Batches and shortlists.

    Attributes:
        batch: bodies per step, two views of each.
        shortlist: those of the second views whom the embedding finds for each first view; its own body's is among them.
        kappa: NP-MPJPE below which two poses match (Sun 2020, section 3.6: 0.1).
        neighbours: share of the batch taken a moment later from the same clip as another pose: hard negatives.

    Raises:
        UsageError: a shortlist that leaves nobody out, or has nobody to tell apart.
    """

    model: PairsConfig = field(default_factory=PairsConfig)
    augment: AugmentConfig = field(default_factory=lambda: AugmentConfig(detector=0.45))
    batch: int = 1024
    shortlist: int = 16
    kappa: float = 0.1
    neighbours: float = 0.3

    def __post_init__(self) -> None:
        if not 2 <= self.shortlist < self.batch:
            raise UsageError(f"shortlist is {self.shortlist} and batch {self.batch}; a shortlist is of 2 or more, and "
                             "shorter than the batch")


class PairsRecipe:
    """Shortlists of a frozen embedding, and the network that ranks them.

    The embedding's probability is not among the network's inputs: of the people that both learn from it knows more
    than of others, and the network would rely on it.
    """

    def __init__(
        self, config: PairsRecipeConfig, pool: MotionPool, embedder: PrVipeEmbedder,
        validation: Float[np.ndarray, "n 17 3"] | None = None, frames: int = FRAMES,
    ) -> None:
        if len(pool.points) < config.batch:
            raise UsageError(f"only {len(pool.points)} poses for a batch of {config.batch}; give more motion, or a "
                             "smaller batch and shortlist")
        self.settings, self._embedder = config, embedder
        self.model = PairNetwork(config.model)
        self.points, self.clip = torch.from_numpy(pool.points), torch.from_numpy(np.asarray(pool.clip))
        self._held_out = None if validation is None else validation[select_frames(validation, frames)]

    def config(self) -> dict[str, Any]:
        """The settings, JSON-able."""
        return asdict(self.settings)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Hit@1 at kappa 0.1 on people that training never sees, four level cameras, in 0..1; none without them."""
        if self._held_out is None:
            return {}
        assert isinstance(model, PairNetwork)
        found = PrVipe(self._embedder.embed_keypoints, self._embedder.matching)
        scorers = {"run": Reranked(found, model_of(model))}
        kinds: tuple[Keypoints, ...] = ("perfect", "noisy", "detected")
        return {f"hit1_{kind}": evaluate(self._held_out, scorers, CHEST4, cameras_name="chest4", keypoints=kind)[0]
                .hit[0.1][1] for kind in kinds}

    def loss(self, model: nn.Module, rng: torch.Generator, device: torch.device) -> tuple[Tensor, dict[str, float]]:
        """One batch: bodies, two views each, shortlists, pairs."""
        cfg = self.settings
        bodies = random_bodies(self.points[draw_poses(self.clip, cfg.batch, cfg.neighbours, rng)], cfg.augment, rng)
        first, second = random_view_pairs(bodies, cfg.augment, rng)
        row = np.repeat(np.arange(cfg.batch), cfg.shortlist)
        column = self._shortlists(first, second).ravel()
        features = two_view_features(first.points.numpy()[row], second.points.numpy()[column],
                                     first.visible.numpy()[row] & second.visible.numpy()[column])
        match = same_poses(bodies, cfg.kappa)[row, column].reshape(cfg.batch, -1)
        logits = model(torch.from_numpy(features).to(device)).float().reshape(cfg.batch, -1)
        return shortlist_loss(logits, match.to(device)), {}

    def _shortlists(self, first: Views, second: Views) -> Int[np.ndarray, "batch shortlist"]:
        k = self.settings.shortlist
        p = np.array(self._embedder.matching.probability(self._embedded(first), self._embedded(second)))
        np.fill_diagonal(p, np.inf)
        return np.argpartition(-p, k, axis=1)[:, :k]

    def _embedded(self, views: Views) -> Embeddings:
        return self._embedder.embed_keypoints(np.where(views.visible[..., None], views.points, np.nan))


def model_of(network: PairNetwork) -> PairModel:
    """A network in training as what searches with it, not calibrated."""
    device = next(network.parameters()).device

    @torch.no_grad()
    def run(features: Float[np.ndarray, "n feature"]) -> Float[np.ndarray, " n"]:
        logits: np.ndarray = network(torch.from_numpy(features).to(device)).float().cpu().numpy()
        return logits

    return PairModel(run, PairsInfo("run", UNFITTED))
