"""From data to a run of a pose embedding from pixels, and back from a run to its model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from samepose.errors import FormatError, UsageError
from samepose.formats.labelled import LabelledPeople
from samepose.formats.lsp import lspet_split
from samepose.models.image_embedding import ImageEmbedding, ImageEmbeddingConfig
from samepose.training.cpm.data import image_numbers, to_train_on, validation_numbers
from samepose.training.image.data import Crops
from samepose.training.image.judgements import Judgements
from samepose.training.image.recipe import ImageRecipe, ImageRecipeConfig
from samepose.training.loop import Log, LoopConfig, averaged_weights, fit, initialise, last_validation

VALIDATED = 300  # people of the split's training part, drawn once with seed 2015


def split(sets: Sequence[LabelledPeople]) -> tuple[list[LabelledPeople], LabelledPeople | None]:
    """Whom to train on, and the people of LSP-Extended to validate on while recipes are chosen; none without that set.

    Of LSP-Extended neither the database nor the queries of its committed split are trained or validated on, nor those
    whom nothing of ours is trained on; of the others' sets not those whom their authors keep.
    """
    parts, kept = lspet_split(), None
    chosen = frozenset(np.random.default_rng(2015).permutation(sorted(parts["train"]))[:VALIDATED].tolist())
    never = frozenset(parts["database"]) | frozenset(parts["queries"]) | validation_numbers()
    train = []
    for people in map(to_train_on, sets):
        if people.name == "LSP-Extended":
            numbers = image_numbers(people)
            kept = people[np.isin(numbers, list(chosen))]
            people = people.without(np.isin(numbers, list(never)), "we keep them for tests")
            people = people.without(np.isin(image_numbers(people), list(chosen)), "we keep them for validation")
        train.append(people)
    return train, kept


def train_image(
    people: Crops | Judgements, validation: Crops | None, run: Path, recipe: ImageRecipeConfig, loop: LoopConfig, *,
    init: Path | None = None, resume: bool = False, log: Log | None = None,
) -> dict[str, float]:
    """Train, begun anew, from another run's weights (`init`), or where `run` stopped (`resume`).

    A run of another objective gives its network without the last layer.

    Returns:
        The last validation's figures.

    Raises:
        UsageError: nobody to train on; judgements and what needs joints; `run` holds another run; `init` has a network
            of another shape.
        FormatError: `init` is no run.
    """
    crops = people if isinstance(people, Crops) else people.crops
    if len(crops) < 3:
        raise UsageError(f"{len(crops)} people to train on; give at least 3")
    if isinstance(people, Judgements) and (recipe.loss == "pairs" or recipe.model.objective != "embedding"):
        raise UsageError("judgements tell nothing about joints; train an embedding on triplets with them")
    recipe = replace(recipe, loss=recipe.loss or ("triplet" if isinstance(people, Judgements) else "pairs"))
    torch.manual_seed(loop.seed)
    started = ImageRecipe(recipe, people, validation)
    if init and not (run / "checkpoint.safetensors").exists():
        initialise(started.model, init, but=("linear.",))
    origin = {"init": str(init) if init else None, "people": len(crops), "sha256": _fingerprint(people)}
    fit(started, loop, run, resume=resume, log=log, origin=origin)
    return last_validation(run)


def holds_image(run: Path) -> bool:
    """Whether a folder is a run of `train_image`."""
    try:
        return "objective" in json.loads((run / "config.json").read_text())["recipe"]["model"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def load_image(run: Path) -> ImageEmbedding:
    """The averaged model of a run, in evaluation mode, on the CPU.

    Raises:
        FormatError: the folder holds no run of a pose embedding from pixels, or no checkpoint yet.
    """
    try:
        config = ImageEmbeddingConfig(**json.loads((run / "config.json").read_text())["recipe"]["model"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{run}: holds no run of `samepose train image-embedding` ({error}); name the folder of one"
                          ) from error
    model = ImageEmbedding(config)
    model.load_state_dict(averaged_weights(run))
    return model.eval()


def _fingerprint(people: Crops | Judgements) -> str:
    if isinstance(people, Crops):
        return people.fingerprint()
    return hashlib.sha256(people.rows.tobytes() + people.crops.pixels.tobytes()).hexdigest()
