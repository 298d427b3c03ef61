"""Runs of lifting: start one, go on with one, take its model."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch

from samepose.errors import FormatError, UsageError
from samepose.formats.poseset import PoseSet
from samepose.formats.subjects import present
from samepose.models.lifting import FEATURES, Lifting, LiftingConfig
from samepose.training.lifting.recipe import ClipPool, LiftingRecipe, LiftingRecipeConfig
from samepose.training.lifting.validate import CLIPS, LiftingErrors
from samepose.training.loop import Log, LoopConfig, averaged_weights, fit, last_validation

_STEM = "stem.0.weight"


def train_lifting(
    train: PoseSet, validation: PoseSet | None, run: Path, recipe: LiftingRecipeConfig, loop: LoopConfig, *,
    init: Path | None = None, resume: bool = False, log: Log | None = None, clips: int = CLIPS,
) -> dict[str, float]:
    """Train on a pose set, begun anew, from another run's weights (`init`), or where `run` stopped (`resume`).

    Args:
        clips: of the validation poses.

    Returns:
        The last validation's figures (see `LiftingErrors`), none without `validation`.

    Raises:
        UsageError: `run` holds another run, or one with other settings; no clip is long enough; `init` has a network of
            another shape.
        FormatError: `init` is no run.
    """
    torch.manual_seed(loop.seed)
    window = recipe.model.window
    pool = ClipPool.of(train.points, train.clip, window + recipe.together - 1)
    errors = None
    if validation:
        held = ClipPool.of(validation.points, validation.clip, window)
        errors = LiftingErrors(held, recipe.view, window, clips)
    started = LiftingRecipe(recipe, pool, errors)
    if init and not (run / "checkpoint.safetensors").exists():
        initialise(started.model, init)
    origin = {
        "init": str(init) if init else None, "poses": len(pool.points), "clips": len(pool.starts),
        "subjects": present(train), "sha256": hashlib.sha256(pool.points.tobytes()).hexdigest(),
    }
    fit(started, loop, run, resume=resume, log=log, origin=origin)
    return last_validation(run)


def initialise(model: Lifting, run: Path) -> None:
    """Start from the averaged weights of another run. A network for tracks begins as one of single frames did: it sees
    the middle frame as that did, and nothing of the others and of motion.

    Raises:
        FormatError: no such run, or no checkpoint in it yet.
        UsageError: the run's network has another shape.
    """
    weights, ours = averaged_weights(run), model.state_dict()
    if model.config.kernel > 1 and not any(name.endswith(".taps") for name in weights):
        wide = torch.zeros_like(ours[_STEM])
        middle = FEATURES * (model.config.kernel // 2)
        known = FEATURES - 3
        if _STEM in weights and weights[_STEM].shape[0] == len(wide):
            wide[:, middle : middle + known] = weights[_STEM][:, :known]
            weights[_STEM] = wide
    odd = next((k for k, v in weights.items() if k not in ours or ours[k].shape != v.shape), "")
    if odd:
        raise UsageError(f"{run}: its network has another shape (at {odd}); give the `model` settings of that run")
    model.load_state_dict({**ours, **weights})


def holds_lifting(run: Path) -> bool:
    """Is it the folder of a run of lifting?"""
    try:
        return "together" in json.loads((run / "config.json").read_text())["recipe"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def load_model(run: Path) -> Lifting:
    """The averaged model of a run, in evaluation mode, on the CPU.

    Raises:
        FormatError: no such run, no checkpoint in it yet, or one that does not fit its settings.
    """
    path = run / "config.json"
    try:
        model = Lifting(LiftingConfig(**json.loads(path.read_text())["recipe"]["model"]))
    except OSError as error:
        raise FormatError(f"{run}: holds no run ({path.name}: {error.strerror}); name the folder of one") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path}: is not of a run of `samepose train lifting` ({error}); name another") from error
    try:
        model.load_state_dict(averaged_weights(run))
    except RuntimeError as error:
        raise FormatError(f"{run}: its checkpoint does not fit its config.json; train again") from error
    return model.eval()
