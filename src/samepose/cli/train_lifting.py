"""`samepose train lifting`: its flags are the fields of the configurations, so it needs torch even for its help."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from samepose.cli.motion import Data, train_and_validation
from samepose.cli.options import DEFAULTS, Flag, Options, needs
from samepose.cli.runs import exported, reporter

with needs("train"):
    from samepose.training.lifting.recipe import LiftingRecipeConfig
    from samepose.training.loop import LoopConfig

_RECIPE, _LOOP = LiftingRecipeConfig(), LoopConfig()


def lifting(
    *,
    data: Data,
    out: Path,
    resume: Flag = False,
    held_out: Path | None = None,
    everything: Flag = False,
    init: Path | None = None,
    joint_map: Path | None = None,
    recipe: Annotated[LiftingRecipeConfig, Parameter(name="*", negative="")] = _RECIPE,
    loop: Annotated[LoopConfig, Parameter(name="*", negative="")] = _LOOP,
    options: Options = DEFAULTS,
) -> int:
    """Train lifting, from 2D keypoints to 3D poses, on motion capture.

    Single frames by default; with --model.kernel 3 it tells each pose from the frames around it, and --together says
    for how many of a clip at once. The run's folder receives checkpoints, its settings, validation figures and
    TensorBoard events. A run that was stopped, however rudely, goes on with --resume and the same settings.

    Args:
        data: Motion capture to learn from: BVH, AMC, C3D or .npz files, or folders of them.
        out: Folder of the run.
        resume: Continue the run in --out, or begin it if there is none.
        held_out: Text file of subjects to validate on and never to train on, one a line.
        everything: Train on all subjects; no validation.
        init: Run whose weights to start from.
        joint_map: TOML file that says which joints are which, as ours = "theirs".
    """
    from samepose.training.lifting.train import train_lifting
    from samepose.training.loop import may_begin

    may_begin(out, resume)
    train, validation = train_and_validation(data, joint_map, held_out, everything, options)
    with options.progress("step") as bar:
        figures = train_lifting(train, validation, out, recipe, replace(loop, threads=options.threads or 0),
                                init=init, resume=resume, log=reporter(bar, options, _text))
    options.done({"run": str(out), "steps": loop.steps, "validation": figures},
                 f"trained {out}" + (f": {_text(figures)}" if figures else ""))
    return 1 if train.failed else 0


def export_run(run: Path, out: Path, name: str, options: Options) -> int:
    """`samepose export` of a run of `train lifting`."""
    from samepose.training.lifting.export import export
    from samepose.training.lifting.train import load_model
    from samepose.training.loop import subjects_of_run

    export(load_model(run), name, subjects_of_run(run), out)
    exported(out, name, options)
    return 0


def _text(figures: dict[str, float]) -> str:
    """ "95.1 mm, 60.2 mm after Procrustes, …"."""
    return (f"{figures['mpjpe']:.1f} mm, {figures['pa_mpjpe']:.1f} mm after Procrustes, {figures['best']:.1f} mm of "
            f"the best hypothesis, up {figures['up_degrees']:.1f}° off")
