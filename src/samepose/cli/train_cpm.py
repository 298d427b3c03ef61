"""`samepose train cpm`: its flags are the fields of the configurations, so it needs torch even for its help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from samepose.cli.motion import Data
from samepose.cli.options import DEFAULTS, Flag, Options, counted, needs, people_text
from samepose.cli.runs import exported, reporter

if TYPE_CHECKING:
    from samepose.formats.labelled import LabelledPeople

with needs("train"):
    from samepose.training.cpm.recipe import CpmRecipeConfig
    from samepose.training.loop import LoopConfig


@dataclass(frozen=True)
class _LoopConfig(LoopConfig):
    """Other defaults: flags take theirs from the class, not from the parameter's default."""

    learning_rate: float = 3e-3
    ema: float = 0.99
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "bf16-mixed"


_RECIPE, _LOOP = CpmRecipeConfig(), _LoopConfig()


def cpm(
    *,
    data: Data,
    out: Path,
    resume: Flag = False,
    validation: Path | None = None,
    init: Path | None = None,
    recipe: Annotated[CpmRecipeConfig, Parameter(name="*", negative="")] = _RECIPE,
    loop: Annotated[_LoopConfig, Parameter(name="*", negative="")] = _LOOP,
    options: Options = DEFAULTS,
) -> None:
    """Train a Convolutional Pose Machine on labelled photographs, rendered people or both.

    The run's folder receives checkpoints, its settings, validation figures and TensorBoard events. A run that was
    stopped, however rudely, goes on with --resume and the same settings as if nothing had happened. People whom the
    authors of a data set keep for validation or tests are never trained on, nor those of LSP-Extended whom we keep.

    Args:
        data: Folders of LSP, LSP-Extended, MPII, FLIC, COCO keypoints, or of what `samepose synth` wrote.
        out: Folder of the run.
        resume: Continue the run in --out, or begin it if there is none.
        validation: Folder to validate on: those kept for it where the set tells, else everyone; by default the kept
            people of LSP-Extended, if --data has it.
        init: Run whose weights to start from.
    """
    from samepose.formats.keypointset import read_keypoint_set
    from samepose.training.cpm.data import People, split, to_train_on, to_validate_on, validation_numbers
    from samepose.training.cpm.recipe import train_cpm
    from samepose.training.loop import may_begin

    may_begin(out, resume)
    sets = [to_train_on(read_keypoint_set(path)) for path in data]
    kept = to_validate_on(read_keypoint_set(validation)) if validation else None
    if any(people.name == "LSP-Extended" for people in sets):
        sets, own = split(sets, validation_numbers())
        kept = kept or own
    left_out = [{"data": s.name, "people": n, "why": why} for s in sets for why, n in s.skipped.items()]
    _tell(sets, options)
    joints = recipe.model.joints
    train = People(sets, joints)
    options.note(f"{len(train):,} people to train on, {len(kept) if kept else 0:,} to validate on")
    with options.progress("step") as bar:
        log = reporter(bar, options, lambda figures: f"PCK@0.2 {_text(figures)}")
        figures = train_cpm(train, People([kept], joints) if kept else None, out, recipe,
                            replace(loop, threads=options.threads or 0), init=init, resume=resume, log=log)
    unreadable = len(train.unreadable)
    if unreadable:
        options.warn(f"{counted(unreadable, 'image')} could not be read and {'was' if unreadable == 1 else 'were'} "
                     "left out")
    options.done({"run": str(out), "steps": loop.steps, "validation": figures, "unreadable": unreadable,
                  "left_out": left_out},
                 f"trained {out}" + (f": PCK@0.2 {_text(figures)}" if figures else ""))


def export_run(run: Path, out: Path, name: str, options: Options) -> int:
    """`samepose export` of a run of `train cpm`: for `--detector cpm` of other verbs and `CPM`."""
    from samepose.training.cpm.export import export_cpm
    from samepose.training.cpm.recipe import load_cpm

    export_cpm(load_cpm(run), name, out)
    exported(out, name, options)
    return 0


def _tell(sets: Sequence[LabelledPeople], options: Options) -> None:
    """Who is not trained on, and of whom nobody can tell."""
    from samepose.training.cpm.data import split_unknown

    for people in sets:
        for why, n in people.skipped.items():
            options.note(f"{people.name}: {people_text(n)} left out: {why}")
        if split_unknown(people):
            options.note(f"{people.name}: its labels do not tell who is kept for tests; trained on everyone in it")


def _text(figures: dict[str, float]) -> str:
    """ "61.0, 64.2, 65.0 % (stages 1, 2, 3)"."""
    return (f"{', '.join(f'{100 * rate:.1f}' for rate in figures.values())} % (stages "
            f"{', '.join(str(t) for t in range(1, len(figures) + 1))})")
