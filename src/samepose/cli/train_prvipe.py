"""`samepose train prvipe`: its flags are the fields of the configurations, so it needs torch even for its help."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from samepose.cli.motion import Data, read_seen, train_and_validation
from samepose.cli.options import DEFAULTS, Flag, Options, needs
from samepose.cli.runs import reporter
from samepose.errors import UsageError

with needs("train"):
    from samepose.training.loop import LoopConfig
    from samepose.training.prvipe.recipe import PrVipeRecipeConfig

_RECIPE, _LOOP = PrVipeRecipeConfig(), LoopConfig()


def prvipe(
    *,
    data: Data | None = None,
    h36m: Path | None = None,
    detections: Path | None = None,
    detected: Annotated[float, Parameter(validator=Number(gte=0, lte=1))] = 0.5,
    out: Path,
    resume: Flag = False,
    held_out: Path | None = None,
    everything: Flag = False,
    init: Path | None = None,
    joint_map: Path | None = None,
    views: Path | None = None,
    recipe: Annotated[PrVipeRecipeConfig, Parameter(name="*", negative="")] = _RECIPE,
    loop: Annotated[LoopConfig, Parameter(name="*", negative="")] = _LOOP,
    options: Options = DEFAULTS,
) -> int:
    """Train Pr-VIPE, or one of its rivals (--model.kind), on motion capture.

    The run's folder receives checkpoints, its settings, validation figures and TensorBoard events. A run that was
    stopped, however rudely, goes on with --resume and the same settings as if nothing had happened.

    With --h36m it learns from what a detector saw in Human3.6M's videos, mixed with projections, as the paper does:
    subjects 1, 5, 6, 7, 8; validated on 9 and 11. Bodies are then not varied: --augment.mirror 0 --augment.limbs 0
    --augment.bones 0.

    Args:
        data: Motion capture to learn from: BVH, AMC, C3D or .npz files, or folders of them.
        h36m: Human3.6M: the folder of data_3d_h36m.npz or of S1/MyPoses/3D_positions/*.h5.
        detections: What a detector saw in its videos: .npz with positions_2d and metadata.
        detected: Share of the views that are detections (Sun 2020: 0.5 with camera augmentation, 1 without).
        out: Folder of the run.
        resume: Continue the run in --out, or begin it if there is none.
        held_out: Text file of subjects to validate on and never to train on, one a line.
        everything: Train on all subjects; no validation.
        init: Run whose weights to start from.
        joint_map: TOML file that says which joints are which, as ours = "theirs".
        views: What a detector saw of people in several cameras, to learn from beside --data: a file that
            `samepose synth --views` made (.npz).
    """
    from samepose.training.loop import may_begin
    from samepose.training.prvipe.train import train_prvipe

    if (data is None) == (h36m is None) or (h36m is None) != (detections is None):
        raise UsageError("name what to learn from: --data, or --h36m and --detections")
    may_begin(out, resume)
    if h36m and detections:
        if everything or held_out or joint_map or views:
            raise UsageError("--everything, --held-out, --joint-map and --views belong to --data")
        return _on_detections(h36m, detections, detected, out, resume, init, recipe, loop, options)
    assert data
    train, validation = train_and_validation(data, joint_map, held_out, everything, options)
    seen = read_seen(views, validation) if views else None
    with options.progress("step") as bar:
        figures = train_prvipe(
            train, validation, out, recipe, replace(loop, threads=options.threads or 0), views=seen, init=init,
            resume=resume, log=reporter(bar, options, _text),
        )
    options.done({"run": str(out), "steps": loop.steps, "validation": figures},
                 f"trained {out}" + (f": {_text(figures)}" if figures else ""))
    return 1 if train.failed else 0


def _on_detections(
    h36m: Path, detections: Path, share: float, out: Path, resume: bool, init: Path | None, recipe: PrVipeRecipeConfig,
    loop: LoopConfig, options: Options,
) -> int:
    from samepose.formats.h36m import TEST_SUBJECTS, TRAIN_SUBJECTS, read_h36m, read_h36m_views
    from samepose.training.prvipe.train import train_on_detections

    options.note(f"reading {h36m}, {detections}")
    views, validation = read_h36m_views(h36m, detections, TRAIN_SUBJECTS), read_h36m(h36m, TEST_SUBJECTS, fps=30)
    for note in views.notes:
        options.note(note)
    with options.progress("step") as bar:
        figures = train_on_detections(
            views, validation, out, recipe, replace(loop, threads=options.threads or 0), share=share, init=init,
            resume=resume, log=reporter(bar, options, _text),
        )
    options.done({"run": str(out), "steps": loop.steps, "validation": figures}, f"trained {out}: {_text(figures)}")
    return 0


def _text(figures: dict[str, float]) -> str:
    """ "Hit@1 86.1 % (chest4 perfect), …"."""
    named = (f"{100 * rate:.1f} % ({name.removeprefix('hit1_').replace('_', ' ')})" for name, rate in figures.items())
    return f"Hit@1 {', '.join(named)}"
