"""`samepose train image-embedding`: its flags are the configurations' fields, so it needs torch even for its help."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from samepose.cli.motion import Data
from samepose.cli.options import DEFAULTS, Flag, Options, needs, people_text
from samepose.cli.runs import exported, reporter
from samepose.errors import UsageError

if TYPE_CHECKING:
    from samepose.training.image.data import Crops
    from samepose.training.image.judgements import Judgements

with needs("train"):
    from samepose.training.image.recipe import ImageRecipeConfig
    from samepose.training.loop import LoopConfig


@dataclass(frozen=True)
class _LoopConfig(LoopConfig):
    """Other defaults: flags take theirs from the class, not from the parameter's default."""

    learning_rate: float = 1e-3
    ema: float = 0.99
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "bf16-mixed"


_RECIPE, _LOOP = ImageRecipeConfig(), _LoopConfig()


def image_embedding(
    *,
    data: Data | None = None,
    judgements: Path | None = None,
    out: Path,
    resume: Flag = False,
    validation: Annotated[str | None, Parameter(help="Folder of people to validate on, each among all others; none: "
                                                     "nobody. By default 300 people of LSP-Extended's training part, "
                                                     "if --data has it.")] = None,
    init: Path | None = None,
    recipe: Annotated[ImageRecipeConfig, Parameter(name="*", negative="")] = _RECIPE,
    loop: Annotated[_LoopConfig, Parameter(name="*", negative="")] = _LOOP,
    options: Options = DEFAULTS,
) -> None:
    """Train a pose embedding from pixels, or its rival that finds joints (--model.objective joints).

    It learns from people whose joints are marked, or from judgements alone: which of two people is more like a third.
    The run's folder receives checkpoints, its settings, validation figures and TensorBoard events. A run that was
    stopped, however rudely, goes on with --resume and the same settings as if nothing had happened. People of
    LSP-Extended whom its committed split keeps for tests are never trained on.

    Args:
        data: Folders of LSP, LSP-Extended, MPII, FLIC, COCO keypoints, or of what `samepose synth` wrote.
        judgements: CSV file of anchor,positive,negative: images of one person each, their paths relative to the file.
        out: Folder of the run.
        resume: Continue the run in --out, or begin it if there is none.
        init: Run whose weights to start from.
    """
    from samepose.training.image.train import train_image
    from samepose.training.loop import may_begin

    if (data is None) == (judgements is None):
        raise UsageError("name what to learn from: --data, or --judgements")
    may_begin(out, resume)
    people, kept, left_out = _judged(judgements, options) if judgements else _labelled(data or [], validation, options)
    if validation and validation != "none":
        kept = _crops([Path(validation)], options)
    with options.progress("step") as bar:
        figures = train_image(people, kept, out, recipe, replace(loop, threads=options.threads or 0), init=init,
                              resume=resume, log=reporter(bar, options, _text))
    options.done({"run": str(out), "steps": loop.steps, "validation": figures, "left_out": left_out},
                 f"trained {out}" + (f": {_text(figures)}" if figures else ""))


def _labelled(
    data: list[Path], validation: str | None, options: Options
) -> tuple[Crops, Crops | None, list[dict[str, Any]]]:
    """Whom to train and to validate on, and who was left out."""
    from samepose.formats.keypointset import read_keypoint_set
    from samepose.training.image.data import Crops
    from samepose.training.image.train import split

    sets, kept = split([read_keypoint_set(path) for path in data])
    with options.progress("person") as bar:
        people = Crops.of(sets, bar)
    _tell(people.skipped, options)
    default = Crops.of([kept]) if kept and validation is None else None
    options.note(f"{len(people):,} people to train on")
    return people, default, [{"why": why, "people": n} for why, n in people.skipped.items()]


def _crops(data: list[Path], options: Options) -> Crops:
    from samepose.formats.keypointset import read_keypoint_set
    from samepose.training.image.data import Crops

    people = Crops.of([read_keypoint_set(path) for path in data])
    _tell(people.skipped, options)
    return people


def _judged(path: Path, options: Options) -> tuple[Judgements, None, list[dict[str, Any]]]:
    from samepose.training.image.judgements import Judgements

    judged = Judgements.read(path)
    for line, why in judged.skipped:
        options.warn(f"{path}, line {line}: left out: {why}")
    options.note(f"{len(judged.rows):,} judgements of {people_text(len(judged.crops))} to train on")
    return judged, None, [{"line": line, "why": why} for line, why in judged.skipped]


def export_run(run: Path, out: Path, name: str, options: Options) -> int:
    """`samepose export` of a run of `train image-embedding`: for `ImageEmbedder`."""
    from samepose.matching.embeddings import Matching
    from samepose.training.image.export import export_image
    from samepose.training.image.train import load_image
    from samepose.training.loop import last_validation

    figures = last_validation(run)
    export_image(load_image(run), name, Matching(figures["a"], figures["b"]), out)
    exported(out, name, options)
    return 0


def _tell(skipped: Counter[str], options: Options) -> None:
    for why, n in skipped.items():
        options.note(f"{people_text(n)} left out: {why}")


def _text(figures: dict[str, float]) -> str:
    """ "Hit@1 12.0 %, Hit@10 43.1 %"."""
    words = {"hit1": "Hit@1", "hit10": "Hit@10", "agreed": "judgements agreed with"}
    return ", ".join(f"{words[name]} {100 * rate:.1f} %" for name, rate in figures.items() if name in words)
