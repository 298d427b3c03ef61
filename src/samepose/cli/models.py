"""Models named on a command line as contestants of cross-view retrieval; torch only where a training run is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samepose.cli.options import Options
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import FormatError, SameposeError
from samepose.evaluation.retrieval import Keypoints2D, PrVipe, Scorer
from samepose.formats.subjects import listed

SHIPPED = "prvipe"
_KINDS = {"gaussian": "prvipe", "point": "vipe", "l2": "l2-vipe", "lifting": "lifting"}


@dataclass(frozen=True)
class Contestant:
    """A model under test.

    Attributes:
        subjects: people that it was trained on, as far as it tells; figures on them are no test.
    """

    scorer: Scorer
    subjects: tuple[str, ...] = ()


def contestants(
    models: Sequence[str] = (), *, baselines: bool = False, threads: int | None = None
) -> dict[str, Contestant]:
    """Name -> model under test.

    The shipped model is "prvipe". An exported one has the name it carries, a training run that of its kind (prvipe,
    vipe, l2-vipe, lifting); where a name is taken, the file or folder is added.

    Args:
        models: "prvipe" for the shipped weights, .onnx files, folders of training runs; none: the shipped weights.
        baselines: add "keypoints2d", 2D Procrustes, which needs no model.

    Raises:
        FormatError: not a model.
        SameposeError: a training run, but no torch.
    """
    found: dict[str, Contestant] = {}
    for model in models or (SHIPPED,):
        path = Path(model)
        name, contestant = _run(path) if path.is_dir() else _onnx(model, threads)
        taken = name in found or (name == SHIPPED != model and SHIPPED in models)
        found[f"{name} ({path.name})" if taken else name] = contestant
    if baselines:
        found["keypoints2d"] = Contestant(Keypoints2D())
    return found


def known_subjects(name: str, trained: Sequence[str], measured: Sequence[str], options: Options) -> list[str]:
    """Those of the people measured on whom a model was trained on; a warning says so.

    Args:
        name: of the model.
        trained: `Contestant.subjects` or `ModelInfo.subjects`.
    """
    seen = [subject for subject in measured if subject in trained]
    if seen:
        options.note(f"warning: {name} was trained on {listed(seen)}; what it does with people that it has never seen, "
                     "these figures do not tell")
    return seen


def _onnx(model: str, threads: int | None) -> tuple[str, Contestant]:
    shipped = model == SHIPPED and not Path(model).exists()
    if not shipped and not Path(model).is_file():
        raise FormatError(f"{model}: does not exist; give an exported .onnx, a training run's folder, or {SHIPPED}")
    embedder = PrVipeEmbedder.load(None if shipped else model, threads)
    scorer = PrVipe(embedder.embed_keypoints, embedder.matching)
    return SHIPPED if shipped else embedder.name, Contestant(scorer, embedder.info.subjects)


def _run(run: Path) -> tuple[str, Contestant]:
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise SameposeError(f"{run}: a training run needs {error.name}, which is not installed: pip install "
                            "'samepose[train]'; or export the run where torch is") from error
    from samepose.training.prvipe.train import load_model, subjects_of_run
    from samepose.training.prvipe.validate import scorer_of

    model = load_model(run)
    return _KINDS[model.config.kind], Contestant(scorer_of(model), subjects_of_run(run))
