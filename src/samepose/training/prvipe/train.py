"""Runs of Pr-VIPE and its rivals: start one, go on with one, take its model."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from samepose.errors import FormatError, UsageError
from samepose.formats.multiview import MultiView
from samepose.formats.poseset import PoseSet
from samepose.formats.subjects import present
from samepose.models.prvipe import PrVipe, PrVipeConfig
from samepose.training.loop import Log, LoopConfig, averaged_weights, fit, last_validation
from samepose.training.prvipe.detected import DetectedRecipe, pool_of
from samepose.training.prvipe.recipe import MotionPool, PrVipeRecipe, PrVipeRecipeConfig
from samepose.training.prvipe.seen import SeenPairs
from samepose.training.prvipe.validate import FRAMES, CrossViewHits

_HEADS = ("mean", "deviation", "lifter")  # what they put out is no unit that could be there twice
_LIFTER = "lifter."  # the auxiliary task's read-out: for training only


def train_prvipe(
    train: PoseSet, validation: PoseSet | None, run: Path, recipe: PrVipeRecipeConfig, loop: LoopConfig, *,
    views: MultiView | None = None, init: Path | None = None, resume: bool = False, log: Log | None = None,
    frames: int = FRAMES,
) -> dict[str, float]:
    """Train on a pose set, begun anew, from another run's weights (`init`), or where `run` stopped (`resume`).

    Args:
        views: of people that a detector saw in several cameras, to learn from beside it (see `training.prvipe.seen`).
        frames: of the validation poses.

    Returns:
        The last validation's hit rates (see `CrossViewHits`), none without `validation`.

    Raises:
        UsageError: `run` holds another run, or one with other settings; `init` has a network of another shape.
        FormatError: `init` is no run, or the poses are all alike.
    """
    torch.manual_seed(loop.seed)
    pool = MotionPool.of(train.points, train.clip)
    if len(pool.points) < 2:
        raise FormatError(f"{', '.join(present(train))}: only one pose, or copies of one; give motion to learn from")
    started = PrVipeRecipe(recipe, pool, CrossViewHits(validation.points, frames) if validation else None,
                           SeenPairs(views) if views else None)
    subjects = tuple(dict.fromkeys([*present(train), *(views.subjects if views else ())]))
    return _train(started, pool, subjects, run, loop, init, resume, log, views)


def train_on_detections(
    train: MultiView, validation: PoseSet, run: Path, recipe: PrVipeRecipeConfig, loop: LoopConfig, *,
    share: float = 0.5, init: Path | None = None, resume: bool = False, log: Log | None = None,
) -> dict[str, float]:
    """`train_prvipe` on what real cameras saw, mixed with projections (see `training.prvipe.detected`).

    Args:
        share: of the views that are detections.

    Raises:
        UsageError, FormatError: as `train_prvipe`; or the recipe does not go with detections.
    """
    torch.manual_seed(loop.seed)
    pool, seen = pool_of(train)
    started = DetectedRecipe(recipe, pool, seen, share, CrossViewHits(validation.points))
    return _train(started, pool, train.subjects, run, loop, init, resume, log)


def _train(
    started: PrVipeRecipe, pool: MotionPool, subjects: tuple[str, ...], run: Path, loop: LoopConfig, init: Path | None,
    resume: bool, log: Log | None, views: MultiView | None = None,
) -> dict[str, float]:
    if init and not (run / "checkpoint.safetensors").exists():
        initialise(started.model, init)
    origin: dict[str, Any] = {
        "init": str(init) if init else None, "poses": len(pool.points), "subjects": subjects,
        "sha256": hashlib.sha256(pool.points.tobytes()).hexdigest(),
    }
    if views:
        origin["views"] = hashlib.sha256(views.keypoints.tobytes()).hexdigest()
    fit(started, loop, run, resume=resume, log=log, origin=origin)
    return last_validation(run)


def model_config(run: Path) -> PrVipeConfig:
    """The shape of a run's network.

    Raises:
        FormatError: the folder holds no run of Pr-VIPE or its rivals.
    """
    path = run / "config.json"
    try:
        return PrVipeConfig(**json.loads(path.read_text())["recipe"]["model"])
    except OSError as error:
        raise FormatError(f"{run}: holds no run ({path.name}: {error.strerror}); name the folder of one") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path}: is not of a run of `samepose train prvipe` ({error}); name another run") from error


def subjects_of_run(run: Path) -> tuple[str, ...]:
    """Subjects that a run and those it began from were trained on; none of runs that do not tell."""
    try:
        origin = json.loads((run / "config.json").read_text())["origin"]
        before = subjects_of_run(Path(origin["init"])) if origin["init"] else ()
        return tuple(dict.fromkeys([*origin["subjects"], *before]))
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def load_model(run: Path) -> PrVipe:
    """The averaged model of a run, in evaluation mode, on the CPU.

    Raises:
        FormatError: no such run, no checkpoint in it yet, or one that does not fit its settings.
    """
    model = PrVipe(model_config(run))
    if odd := _take_over(model, averaged_weights(run)):
        raise FormatError(f"{run}: its checkpoint does not fit its config.json (at {odd}); train again")
    return model.eval()


def initialise(model: nn.Module, run: Path) -> None:
    """Start `model` from the averaged weights of another run. An auxiliary lifter is taken over if both have one.

    A network of twice the run's width, or any other multiple, begins as the same function; see `widened`.

    Raises:
        FormatError: no such run, or no checkpoint in it yet.
        UsageError: the run's network has another shape.
    """
    if odd := _take_over(model, widened(averaged_weights(run), model.state_dict())):
        raise UsageError(f"{run}: its network has another shape (at {odd}); give the `model` settings of that run")


def widened(weights: dict[str, Tensor], like: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a narrow network for a wider one that computes the same (Chen et al. 2016, Net2WiderNet).

    Every unit is there as often as the width grows, and its outgoing weight is shared out among the copies, at random,
    so that they learn different things from then on. What is not a multiple of the other's shape stays as it is.
    """
    rng, wide = torch.Generator().manual_seed(0), dict(weights)
    for name, w in weights.items():
        to = like[name].shape if name in like else w.shape
        if len(to) != w.ndim or any(n % m for n, m in zip(to, w.shape)):
            continue
        times = [n // m for n, m in zip(to, w.shape)]
        if not times or (times[0] > 1 and name.split(".")[0] in _HEADS):
            continue
        wide[name] = w.repeat(times)
        if w.ndim == 2 and times[1] > 1:
            shares = torch.rand((to[0], times[1], w.shape[1]), generator=rng) + 0.5
            wide[name] = wide[name] * (shares / shares.sum(1, keepdim=True)).flatten(1)
    return wide


def _take_over(model: nn.Module, weights: dict[str, Tensor]) -> str:
    """Copy the weights, or copy nothing and name the first that does not fit."""
    ours = model.state_dict()
    fits = {k: v for k, v in weights.items() if k in ours and v.shape == ours[k].shape}
    odd = [k for k in {**ours, **weights} if k not in fits and not k.startswith(_LIFTER)]
    if not odd:
        model.load_state_dict({**ours, **fits})
    return odd[0] if odd else ""
