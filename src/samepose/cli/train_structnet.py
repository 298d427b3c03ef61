"""`samepose train structnet`: its flags are the configurations' fields, so it needs torch even for its help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from samepose.cli.motion import Data
from samepose.cli.options import DEFAULTS, Flag, Options, needs, people_text
from samepose.cli.runs import exported, reporter
from samepose.errors import UsageError

with needs("train"):
    from samepose.training.loop import LoopConfig, may_begin
    from samepose.training.structnet.multitask import MultiTaskRecipeConfig, Squares
    from samepose.training.structnet.recipe import StructNetRecipeConfig
    from samepose.training.structnet.train import (
        check_init,
        extractor_of,
        feature_set,
        train_multitask,
        train_structnet,
    )


@dataclass(frozen=True)
class _LoopConfig(LoopConfig):
    """Other defaults: flags take theirs from the class, not from the parameter's default."""

    steps: int = 3000
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    ema: float = 0.99
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "bf16-mixed"


_RECIPE, _MULTITASK, _LOOP = StructNetRecipeConfig(), MultiTaskRecipeConfig(), _LoopConfig()


def structnet(
    *,
    data: Data,
    out: Path,
    validation: Path | None = None,
    init: Path | None = None,
    copies: int = 2,
    resume: Flag = False,
    recipe: Annotated[StructNetRecipeConfig, Parameter(name="*", negative="")] = _RECIPE,
    loop: Annotated[_LoopConfig, Parameter(name="*", negative="")] = _LOOP,
    options: Options = DEFAULTS,
) -> None:
    """Train StructNet, whose scores say how well a 3D pose fits a picture, on rendered people.

    Features below FC1 and FC2 are computed once, into OUT/features. With --optimiser line-search --ema 0
    --precision 32-true it is the paper's Algorithm 1. --model.features cpm --model.dropout 0.25 --penalty 0 is the
    recipe of the shipped network; there AdamW, the default, got farther than line search in the same time.

    Args:
        data: Folders that `samepose synth` wrote.
        out: Folder of the run.
        validation: Folder of people to measure on, of other subjects.
        init: Run of `samepose train structnet-regressor`, whose convolutions are kept; with --model.features paper.
        copies: How often each picture is varied, for --model.features paper.
        resume: Continue the run in --out, or begin it if there is none.
    """
    if copies < 1:
        raise UsageError("--copies must be at least 1")
    check_init(recipe.model, init)
    may_begin(out, resume)
    extractor, varied = extractor_of(init, options.threads), copies if init else None
    with options.progress("person"):
        people = feature_set(data, extractor, varied, out / "features")
        kept = feature_set([validation], extractor, None, out / "features-validation") if validation else None
    options.note(f"{people_text(len(people))} to train on")
    with options.progress("step") as bar:
        figures = train_structnet(people, kept, out, recipe, replace(loop, threads=options.threads or 0), init=init,
                                  resume=resume, log=reporter(bar, options, _text))
    options.done({"run": str(out), "steps": loop.steps, "validation": figures},
                 f"trained {out}" + (f": {_text(figures)}" if figures else ""))


def structnet_regressor(
    *,
    data: Data,
    out: Path,
    validation: Path | None = None,
    resume: Flag = False,
    recipe: Annotated[MultiTaskRecipeConfig, Parameter(name="*", negative="")] = _MULTITASK,
    loop: Annotated[_LoopConfig, Parameter(name="*", negative="")] = _LOOP,
    options: Options = DEFAULTS,
) -> None:
    """Train the regressor from pixels, joints in 3D and where they are in the picture, for StructNet's convolutions.

    Args:
        data: Folders that `samepose synth` wrote.
        out: Folder of the run.
        validation: Folder of people to measure on, of other subjects.
        resume: Continue the run in --out, or begin it if there is none.
    """
    may_begin(out, resume)
    people, kept = Squares.of(data), Squares.of([validation]) if validation else None
    options.note(f"{people_text(len(people))} to train on")
    with options.progress("step") as bar:
        figures = train_multitask(people, kept, out, recipe, replace(loop, threads=options.threads or 0),
                                  resume=resume, log=reporter(bar, options, _text))
    options.done({"run": str(out), "steps": loop.steps, "validation": figures},
                 f"trained {out}" + (f": {_text(figures)}" if figures else ""))


def export_run(run: Path, out: Path, name: str, options: Options, candidates: Sequence[Path]) -> int:
    """`samepose export` of a run of `train structnet`: for `StructNetModel`."""
    import numpy as np

    from samepose.lifting.structnet import StructNetInfo
    from samepose.training.structnet.data import poses_of
    from samepose.training.structnet.export import export_structnet, spread
    from samepose.training.structnet.features import FeatureSet
    from samepose.training.structnet.train import load_structnet
    from samepose.training.structnet.validate import best_average

    net, poses = load_structnet(run), poses_of(candidates) if candidates else FeatureSet.open(run / "features").poses
    chosen = spread(poses, 20_000, np.random.default_rng(0))
    kept = run / "features-validation"
    average = best_average(net, FeatureSet.open(kept), chosen) if kept.exists() else 50
    export_structnet(net, StructNetInfo(name, average), chosen, out)
    exported(out, name, options)
    return 0


def _text(figures: dict[str, float]) -> str:
    """ "Pred 120.1 mm, Avg(500) 101.2 mm"."""
    words = {"pred": "Pred", "avg1": "Max", "avg50": "Avg(50)", "avg500": "Avg(500)"}
    return ", ".join(f"{words[name]} {value:.1f} mm" for name, value in figures.items() if name in words)
