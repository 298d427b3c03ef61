"""From data to a run of StructNet or of its regressor, and back from a run to its network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from samepose.errors import FormatError, UsageError
from samepose.formats.rendered import shards_of
from samepose.models.structnet import StructNet, StructNetConfig
from samepose.training.loop import Log, LoopConfig, averaged_weights, fit, last_validation
from samepose.training.structnet.features import Extractor, FeatureSet, OfConvolutions, OfPoseMachine
from samepose.training.structnet.multitask import MultiTaskRecipe, MultiTaskRecipeConfig, Squares
from samepose.training.structnet.noise import ColourNoise
from samepose.training.structnet.recipe import StructNetRecipe, StructNetRecipeConfig


def train_multitask(
    people: Squares, validation: Squares | None, run: Path, recipe: MultiTaskRecipeConfig, loop: LoopConfig, *,
    resume: bool = False, log: Log | None = None,
) -> dict[str, float]:
    """Train the regressor from pixels, begun anew or where `run` stopped.

    Returns:
        The last validation's figures.

    Raises:
        UsageError: `run` holds another run.
    """
    torch.manual_seed(loop.seed)
    origin = {"people": len(people), "sha256": hashlib.sha256(people.poses.tobytes()).hexdigest()}
    fit(MultiTaskRecipe(recipe, people, validation), loop, run, resume=resume, log=log, origin=origin)
    return last_validation(run)


def train_structnet(
    people: FeatureSet, validation: FeatureSet | None, run: Path, recipe: StructNetRecipeConfig, loop: LoopConfig, *,
    init: Path | None = None, resume: bool = False, log: Log | None = None,
) -> dict[str, float]:
    """Train on features, begun anew or where `run` stopped.

    Args:
        init: run of `train_multitask` that the features are of; only its convolutions are taken (section 5.3).

    Returns:
        The last validation's figures.

    Raises:
        UsageError: `run` holds another run; the paper's network without `init`.
        FormatError: `init` is no run.
    """
    check_init(recipe.model, init)
    torch.manual_seed(loop.seed)
    started = StructNetRecipe(recipe, people, validation)
    if init:
        convolutions = {k.removeprefix("net.conv."): v for k, v in averaged_weights(init).items() if ".conv." in k}
        started.model.net.conv.load_state_dict(convolutions)
        started.model.net.conv.requires_grad_(False)
    origin = {"init": str(init) if init else None, "people": len(people),
              "sha256": hashlib.sha256(people.poses.tobytes()).hexdigest()}
    fit(started, loop, run, resume=resume, log=log, origin=origin)
    return last_validation(run)


def check_init(model: StructNetConfig, init: Path | None) -> None:
    """Whether a network's convolutions come from where they should; worth asking before features are made.

    Raises:
        UsageError: the paper's network without `init`, or the pose machine's with one.
    """
    if model.features == "paper" and init is None:
        raise UsageError("the paper's network needs `init`, a run of the regressor; one on the shipped pose machine, "
                         "the features \"cpm\" of its model settings, needs none")
    if model.features != "paper" and init is not None:
        raise UsageError("`init` is for the paper's convolutions, and the model settings say others; leave it out")


def extractor_of(init: Path | None, threads: int | None = None) -> Extractor:
    """What computes features: the convolutions of a run of `train_multitask`; without one the shipped pose machine.

    Raises:
        FormatError: it is no such run.
    """
    if init is None:
        return OfPoseMachine(threads)
    recipe = _recipe_of(init)
    if "noise" not in recipe:
        raise FormatError(f"{init}: holds no run of `samepose train structnet-regressor`; name the folder of one")
    net = StructNet(StructNetConfig(**recipe["model"]))
    weights = {k.removeprefix("net."): v for k, v in averaged_weights(init).items() if k.startswith("net.")}
    net.load_state_dict(weights)
    return OfConvolutions(net.conv, ColourNoise(np.array(recipe["noise"], np.float32)))


def holds_structnet(run: Path) -> bool:
    """Whether a folder is a run of `train_structnet`."""
    try:
        return "candidates" in _recipe_of(run)
    except FormatError:
        return False


def load_structnet(run: Path) -> StructNet:
    """The averaged network of a run, in evaluation mode, on the CPU.

    Raises:
        FormatError: the folder holds no run of `train_structnet`, or no checkpoint yet.
    """
    recipe = _recipe_of(run)
    if "candidates" not in recipe:
        raise FormatError(f"{run}: holds no run of `samepose train structnet`; name the folder of one")
    model = StructNet(StructNetConfig(**recipe["model"]))
    model.load_state_dict({k.removeprefix("net."): v for k, v in averaged_weights(run).items() if k.startswith("net.")})
    return model.eval()


def _recipe_of(run: Path) -> dict[str, Any]:
    try:
        recipe: dict[str, Any] = json.loads((run / "config.json").read_text())["recipe"]
        return recipe | {"model": {**recipe["model"], "channels": tuple(recipe["model"]["channels"])}}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{run}: holds no run of `samepose train structnet` ({error}); name the folder of one"
                          ) from error


def feature_set(data: Sequence[Path], extractor: Extractor, copies: int | None, folder: Path) -> FeatureSet:
    """Features in `folder`: those that are there, else made now.

    Raises:
        UsageError: those that are there are of other people, of other weights, or varied otherwise.
    """
    told, made = folder / "made.json", {
        "people": [[shard.name, shard.stat().st_size] for path in data for shard in shards_of(path)],
        "weights": extractor.sha256, "copies": copies}
    if not (folder / "poses.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        told.write_text(json.dumps(made))
        return FeatureSet.of(data, extractor, copies, folder)
    try:
        before = json.loads(told.read_text())
    except (OSError, ValueError):
        before = None
    if before != made:
        raise UsageError(f"{folder}: holds features of other people, of another network or varied otherwise; remove "
                         "it, or choose another folder for the run")
    return FeatureSet.open(folder)
