"""Models named on a command line as contestants of cross-view retrieval; torch only where a training run is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from samepose.cli.options import Options
from samepose.embed.pairs import PairModel
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import FormatError, SameposeError, UsageError
from samepose.evaluation.retrieval import Keypoints2D, PrVipe, Reranked, Scorer
from samepose.formats.subjects import listed

SHIPPED, PAIRS = "prvipe", "pairs"
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
    models: Sequence[str] = (), *, pairs: str | None = None, second_look: bool = True, baselines: bool = False,
    threads: int | None = None,
) -> dict[str, Contestant]:
    """Name -> model under test.

    The shipped model is "prvipe". An exported one has the name it carries, a training run that of its kind (prvipe,
    vipe, l2-vipe, lifting); where a name is taken, the file or folder is added. What `pairs` makes of a model is
    "MODEL+PAIRS", after the model.

    Args:
        models: "prvipe" for the shipped weights, .onnx files, folders of training runs; none: the shipped weights.
        pairs: "pairs" for the shipped pair network, or an .onnx file; it also ranks the shortlists of every Pr-VIPE.
        second_look: without `pairs` the shipped pair network ranks those of the shipped weights, as `search` does.
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
    if pairs or (second_look and SHIPPED in (models or (SHIPPED,))):
        found = _with_pairs(found, pairs, threads)
    if baselines:
        found["keypoints2d"] = Contestant(Keypoints2D())
    return found


def _with_pairs(models: Mapping[str, Contestant], pairs: str | None, threads: int | None) -> dict[str, Contestant]:
    shipped = pairs is None or (pairs == PAIRS and not Path(pairs).exists())
    network, found = PairModel.load(None if shipped else pairs, threads), dict[str, Contestant]()
    for name, model in models.items():
        found[name] = model
        if isinstance(model.scorer, PrVipe) and (pairs or name == SHIPPED):
            found[f"{name}+{PAIRS if shipped else network.info.name}"] = Contestant(
                Reranked(model.scorer, network), tuple(dict.fromkeys((*model.subjects, *network.info.subjects))))
    if len(found) == len(models):
        raise UsageError(f"--pairs ranks the shortlists of Pr-VIPE, and {', '.join(models)} is none")
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
