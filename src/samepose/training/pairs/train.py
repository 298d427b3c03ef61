"""Runs of the pair network: start one, go on with one, take its model."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch

from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import FormatError
from samepose.formats.poseset import PoseSet
from samepose.formats.subjects import present
from samepose.models.pairs import PairNetwork, PairsConfig
from samepose.training.loop import Log, LoopConfig, averaged_weights, fit, last_validation
from samepose.training.pairs.recipe import PairsRecipe, PairsRecipeConfig
from samepose.training.prvipe.recipe import MotionPool
from samepose.weights import Network


def train_pairs(
    train: PoseSet, validation: PoseSet | None, run: Path, embedder: PrVipeEmbedder, recipe: PairsRecipeConfig,
    loop: LoopConfig, *, resume: bool = False, log: Log | None = None,
) -> dict[str, float]:
    """Train on a pose set, begun anew or where `run` stopped (`resume`).

    Args:
        embedder: whose shortlists are learned from; it has seen none of the people of `validation`.

    Returns:
        The last validation's hit rates (see `PairsRecipe.validate`), none without `validation`.

    Raises:
        UsageError: `run` holds another run, or one with other settings; fewer poses than a batch.
    """
    torch.manual_seed(loop.seed)
    pool = MotionPool.of(train.points, train.clip)
    started = PairsRecipe(recipe, pool, embedder, validation.points if validation else None)
    origin = {
        "embedder": {"name": embedder.name, "sha256": embedder.sha256}, "poses": len(pool.points),
        "subjects": present(train), "sha256": hashlib.sha256(pool.points.tobytes()).hexdigest(),
    }
    fit(started, loop, run, resume=resume, log=log, origin=origin)
    return last_validation(run)


def holds_pairs(run: Path) -> bool:
    """Is it the folder of a run of the pair network, or an exported one?"""
    if run.is_file():
        try:
            return "samepose_pairs" in Network(run, 1, "pair network").facts
        except FormatError:
            return False
    try:
        return "shortlist" in json.loads((run / "config.json").read_text())["recipe"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def load_model(run: Path) -> PairNetwork:
    """The averaged model of a run, in evaluation mode, on the CPU.

    Raises:
        FormatError: no checkpoint in it yet, or one that does not fit its settings.
    """
    try:
        model = PairNetwork(PairsConfig(**json.loads((run / "config.json").read_text())["recipe"]["model"]))
        model.load_state_dict(averaged_weights(run))
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise FormatError(f"{run}: its checkpoint does not fit its config.json; train again") from error
    return model.eval()
