"""The recipe of Convolutional Pose Machines: squares around labelled people, ideal belief maps, PCK of each stage."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from samepose.errors import FormatError, UsageError
from samepose.losses.belief_maps import centre_maps, ideal_belief_maps, l2_loss, softmax_loss
from samepose.models.cpm import STRIDE, Cpm, CpmConfig
from samepose.training.augment import CropAugmentConfig
from samepose.training.cpm.data import Batch, People
from samepose.training.loop import Log, LoopConfig, fit, initialise, last_validation


@dataclass(frozen=True)
class CpmRecipeConfig:
    """Batches and losses.

    Attributes:
        batch: images per step.
        backbone_rate: share of the learning rate for MoveNet's backbone (ours); with 0.15 it forgets left and right.
        supervision: "all": a loss at every stage (paper, equation 5); "last": at the last alone.
        most_validated: people at most that a validation looks at.

    Raises:
        UsageError: a batch of nobody.
    """

    model: CpmConfig = field(default_factory=CpmConfig)
    augment: CropAugmentConfig = field(default_factory=CropAugmentConfig)
    batch: int = 24
    backbone_rate: float = 0.02
    supervision: Literal["all", "last"] = "all"
    most_validated: int = 500

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise UsageError(f"batch is {self.batch}; it must be at least 1")


class CpmRecipe:
    """Random squares, the paper's two kinds of ideal maps, a loss at every stage."""

    def __init__(self, config: CpmRecipeConfig, train: People, validation: People | None = None) -> None:
        self.settings = config
        self.model = Cpm(config.model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.train, self.validation = train, validation
        for name, parameter in self.model.named_parameters():
            if ".backbone." in name:
                parameter.rate_share = config.backbone_rate

    def config(self) -> dict[str, Any]:
        """The settings, JSON-able."""
        return asdict(self.settings)

    def loss(self, model: nn.Module, rng: torch.Generator, device: torch.device) -> tuple[Tensor, dict[str, float]]:
        """The sum of the stages' losses (equation 5) on a fresh batch."""
        cfg = self.settings
        chosen = torch.randint(len(self.train), (cfg.batch,), generator=rng).tolist()
        varied = np.random.default_rng(int(torch.randint(2**62, (1,), generator=rng)))
        batch = self.train.batch(chosen, cfg.model.size, cfg.augment, varied)
        centres = centre_maps(batch.centres.to(device), cfg.model.cells, STRIDE, cfg.model.sigma)
        losses = stage_losses(model(batch.images.to(device), centres).float(), batch, cfg.model)
        logs = {f"stage{t}": float(loss) for t, loss in enumerate(losses.detach(), 1)}
        logs["unreadable"] = float(len(self.train.unreadable))
        return losses.sum() if cfg.supervision == "all" else losses[-1], logs

    def validate(self, model: nn.Module) -> dict[str, float]:
        """PCK@0.2 of the torso, the 12 joints of the limbs, of each stage."""
        if self.validation is None:
            return {}
        from samepose.training.cpm.validate import pck_of_stages

        return pck_of_stages(model, self.settings.model, self.validation, self.settings.most_validated)


def stage_losses(
    out: Float[Tensor, "n stages maps h w"], batch: Batch, config: CpmConfig
) -> Float[Tensor, " stages"]:
    """Everyone's peaks for the first stage, the primary person's for the others (paper, section 4.2).

    A joint of the primary person that nobody marked costs nothing: it may well be in the square, and teaching its
    absence would be wrong. One that was marked and lies outside the square has a flat map, which the paper's l2 loss
    counts; the softmax, which shares out one belief, has nothing to say of it. Occluded joints that were marked have
    peaks like the others, as in the published labels. The background is wherever no marked joint is.
    """
    points, visible = batch.points.to(out.device), batch.visible.to(out.device)
    near = ideal_belief_maps(points, visible, config.cells, STRIDE, config.sigma)
    primary = ideal_belief_maps(points[:, :1], visible[:, :1], config.cells, STRIDE, config.sigma)
    known = torch.cat([batch.known.to(out.device), torch.ones_like(visible[:, 0, :1])], 1)
    return (softmax_loss if config.beliefs == "softmax" else l2_loss)(out, near, primary, known)


def train_cpm(
    train: People, validation: People | None, run: Path, recipe: CpmRecipeConfig, loop: LoopConfig, *,
    init: Path | None = None, resume: bool = False, log: Log | None = None,
) -> dict[str, float]:
    """Train, begun anew, from another run's weights (`init`), or where `run` stopped (`resume`).

    Returns:
        The last validation's figures, none without `validation`.

    Raises:
        UsageError: nobody to train on; `run` holds another run; `init` has a network of another shape.
        FormatError: `init` is no run.
        MediaError: not one image can be read.
    """
    if not len(train):
        raise UsageError("there is nobody to train on")
    torch.manual_seed(loop.seed)
    started = CpmRecipe(recipe, train, validation)
    if init and not (run / "checkpoint.safetensors").exists():
        initialise(started.model, init)
    origin = {"init": str(init) if init else None, "people": len(train), "sha256": train.fingerprint()}
    fit(started, loop, run, resume=resume, log=log, origin=origin)
    return last_validation(run) if validation else {}


def holds_cpm(run: Path) -> bool:
    """Whether a folder is a run of `train_cpm`."""
    try:
        return "stages" in json.loads((run / "config.json").read_text())["recipe"]["model"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def load_cpm(run: Path) -> Cpm:
    """The averaged model of a run, in evaluation mode, on the CPU.

    Raises:
        FormatError: the folder holds no run of a Convolutional Pose Machine, or no checkpoint yet.
    """
    try:
        settings = json.loads((run / "config.json").read_text())["recipe"]["model"]
        config = CpmConfig(**{**settings, "joints": tuple(settings["joints"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{run}: holds no run of `samepose train cpm` ({error}); name the folder of one") from error
    model = Cpm(config)
    initialise(model, run)
    return model.eval()
