"""The recipe of StructNet on features that were computed before: Algorithm 1's batch and cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from samepose.errors import UsageError
from samepose.losses.max_margin import margins, max_margin_loss, most_violated, prediction_loss, weight_penalty
from samepose.models.structnet import UNIT, Features, StructNet, StructNetConfig
from samepose.training.structnet.features import FeatureSet
from samepose.training.structnet.validate import figures_of


@dataclass(frozen=True)
class StructNetRecipeConfig:
    """Losses and batches; section 5.3's values.

    Attributes:
        objective: "score": Equation 12; "regression": its second and third term alone, the plain regression network.
        batch: images per step.
        candidates: C, poses drawn for each batch.
        frequent: K, poses added that were the most violated ones most often.
        prediction: λ, weight of the auxiliary prediction.
        penalty: α, weight of the squared weights; where AdamW decays weights itself, 0.
        scale: factor of the first weights of the embeddings' last layers (ours: at 0.1 first scores are about as large
            as margins; the paper's first weights are not told).

    Raises:
        UsageError: a number that makes no batch, a weight below 0.
    """

    model: StructNetConfig = field(default_factory=StructNetConfig)
    objective: Literal["score", "regression"] = "score"
    batch: int = 128
    candidates: int = 2000
    frequent: int = 10
    prediction: float = 1.0
    penalty: float = 1e-4
    scale: float = 0.1

    def __post_init__(self) -> None:
        if min(self.batch, self.candidates) < 1 or min(self.frequent, self.prediction, self.penalty) < 0:
            raise UsageError("batch and candidates must be at least 1; frequent, prediction, penalty at least 0")
        if self.scale <= 0:
            raise UsageError("scale must be above 0")


class Extended(NamedTuple):
    """A batch of extended training data (section 4): features, true poses in `UNIT`, and the most violated ones."""

    seen: Features
    poses: Float[Tensor, "n 17 3"]
    violating: Float[Tensor, "n 17 3"]


class Trained(nn.Module):
    """The network with the working set V: how often each pose was the most violated one."""

    def __init__(self, config: StructNetRecipeConfig, poses: int) -> None:
        super().__init__()
        self.settings = config
        self.net = StructNet(config.model)
        self.violations: Tensor
        self.register_buffer("violations", torch.zeros(poses, dtype=torch.int64))
        with torch.no_grad():
            for layers in (self.net.fc4, self.net.pose_layers):
                linear = [m for m in layers.modules() if isinstance(m, nn.Linear)]
                if linear:
                    linear[-1].weight.mul_(config.scale)

    def forward(
        self, seen: Features, poses: Float[Tensor, "n 17 3"], candidates: Float[Tensor, "c 17 3"] | None,
        violating: Float[Tensor, "n 17 3"] | None = None,
    ) -> tuple[Tensor, Int[Tensor, " n"] | None, dict[str, Tensor]]:
        """Equation 12, which of the candidates violate most, and its terms.

        Args:
            violating: what was found before, in place of candidates.
        """
        image, predicted = self.net(seen)
        terms: dict[str, Tensor] = {"prediction": prediction_loss(predicted.float(), poses)}
        worst = None
        cost = self.settings.penalty * weight_penalty(self.net)
        if self.settings.objective == "regression":
            return cost + terms["prediction"], None, terms
        image = image.float()
        if candidates is not None:
            worst = self.violated(image, poses, candidates)
            violating = candidates[worst]
        assert violating is not None
        both = self.net.embed_pose(torch.cat([poses, violating])).float()
        margin = (poses - violating).norm(dim=-1).mean(-1)
        terms["margin"] = max_margin_loss(image, both[: len(poses)], both[len(poses) :], margin)
        return cost + terms["margin"] + self.settings.prediction * terms["prediction"], worst, terms

    @torch.no_grad()
    def violated(
        self, image: Float[Tensor, "n dim"], poses: Float[Tensor, "n 17 3"], candidates: Float[Tensor, "c 17 3"]
    ) -> Int[Tensor, " n"]:
        """Equation 7."""
        return most_violated(image, self.net.embed_pose(candidates).float(), margins(poses, candidates))


class StructNetRecipe:
    """Batches of features, their cost, and errors on people whom training never sees.

    The pose space is approximated by the poses of all training images (section 5.3).
    """

    def __init__(self, config: StructNetRecipeConfig, people: FeatureSet, validation: FeatureSet | None = None) -> None:
        self.settings, self.people, self.validation = config, people, validation
        self.poses = torch.from_numpy(people.poses) / UNIT
        self.model = Trained(config, len(people))
        self._batch: tuple[Extended, Tensor] | None = None

    def config(self) -> dict[str, Any]:
        """The settings, JSON-able."""
        return asdict(self.settings)

    def loss(self, model: nn.Module, rng: torch.Generator, device: torch.device) -> tuple[Tensor, dict[str, float]]:
        """The cost of a fresh batch: Algorithm 1 up to the update.

        People are drawn with replacement (ours); the paper takes all in turn.
        """
        cfg = self.settings
        rows = torch.randint(len(self.people), (cfg.batch,), generator=rng)
        seen, poses = self.people.seen(np.sort(rows.numpy())), self.poses[rows.sort().values]
        before = torch.get_rng_state()
        if cfg.objective == "regression":
            cost, _, terms = model(seen, poses, None)
            self._batch = Extended(seen, poses, poses), before
        else:
            among = self._candidates(rng)
            cost, worst, terms = model(seen, poses, self.poses[among])
            assert worst is not None
            chosen = among[worst]
            self.model.violations.scatter_add_(0, chosen, torch.ones_like(chosen))
            self._batch = Extended(seen, poses, self.poses[chosen]), before
        return cost, {name: float(value.detach()) for name, value in terms.items()}

    @torch.no_grad()
    def cost(self) -> Tensor:
        """Of the last batch with the poses that violated it, the same nodes dropped (`training.loop.Searched`)."""
        assert self._batch is not None
        batch, before = self._batch
        now = torch.get_rng_state()
        torch.set_rng_state(before)
        cost, _, _ = self.model(batch.seen, batch.poses, None, batch.violating)
        torch.set_rng_state(now)
        return cost

    def _candidates(self, rng: torch.Generator) -> Int[Tensor, " c"]:
        """Rows of C poses, and of the K that were the most violated ones most often."""
        drawn = torch.randint(len(self.poses), (self.settings.candidates,), generator=rng)
        often, rows = self.model.violations.topk(min(self.settings.frequent, len(self.poses)))
        return torch.cat([drawn, rows[often > 0]])

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Errors of the validation people, mm (`validate`)."""
        if self.validation is None:
            return {}
        assert isinstance(model, Trained)
        return figures_of(model.net, self.validation, self.people.poses, scored=self.settings.objective == "score")
