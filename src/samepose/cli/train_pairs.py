"""`samepose train pairs`: its flags are the fields of the configurations, so it needs torch even for its help."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from samepose.cli.motion import Data, load_motion, subjects_of, train_and_validation
from samepose.cli.options import DEFAULTS, Flag, Options, needs
from samepose.cli.runs import exported, reporter
from samepose.errors import UsageError
from samepose.files import written

with needs("train"):
    from samepose.training.loop import LoopConfig
    from samepose.training.pairs.recipe import PairsRecipeConfig

_RECIPE, _LOOP = PairsRecipeConfig(), LoopConfig(learning_rate=1e-3, weight_decay=1e-2)


def pairs(
    *,
    data: Data,
    out: Path,
    embedder: Path | None = None,
    resume: Flag = False,
    held_out: Path | None = None,
    everything: Flag = False,
    joint_map: Path | None = None,
    recipe: Annotated[PairsRecipeConfig, Parameter(name="*", negative="")] = _RECIPE,
    loop: Annotated[LoopConfig, Parameter(name="*", negative="")] = _LOOP,
    options: Options = DEFAULTS,
) -> int:
    """Train the pair network, which looks at two views together and ranks the shortlists of an embedding.

    It learns from motion capture, as the embedding did, and from whom that embedding finds in it. The run's folder
    receives checkpoints, its settings, validation figures and TensorBoard events. A run that was stopped, however
    rudely, goes on with --resume and the same settings.

    Args:
        data: Motion capture to learn from: BVH, AMC, C3D or .npz files, or folders of them.
        out: Folder of the run.
        embedder: Exported Pr-VIPE whose shortlists it learns to rank; the shipped one by default. For figures that mean
            something it must not have seen the people who are held out.
        resume: Continue the run in --out, or begin it if there is none.
        held_out: Text file of subjects to validate on and never to train on, one a line.
        everything: Train on all subjects; no validation.
        joint_map: TOML file that says which joints are which, as ours = "theirs".
    """
    from samepose.cli.models import known_subjects
    from samepose.embed.prvipe import PrVipeEmbedder
    from samepose.formats.subjects import present
    from samepose.training.loop import may_begin
    from samepose.training.pairs.train import train_pairs

    may_begin(out, resume)
    model = PrVipeEmbedder.load(embedder, options.limit_threads())
    train, validation = train_and_validation(data, joint_map, held_out, everything, options)
    if validation:
        known_subjects(model.name, model.info.subjects, present(validation), options)
    with options.progress("step") as bar:
        figures = train_pairs(train, validation, out, model, recipe, replace(loop, threads=options.threads or 0),
                              resume=resume, log=reporter(bar, options, _text))
    options.done({"run": str(out), "steps": loop.steps, "validation": figures},
                 f"trained {out}" + (f": {_text(figures)}" if figures else ""))
    return 1 if train.failed else 0


def export_run(
    run: Path, out: Path, name: str | None, calibrate: Data | None, embedder: Path | None, held_out: Path | None,
    joint_map: Path | None, views: Path | None, options: Options,
) -> int:
    """`samepose export` of a run of `train pairs`, or of a pair network exported before."""
    from samepose.embed.lifting import shipped_lifting
    from samepose.embed.pairs import PairModel, PairsInfo, info_of
    from samepose.embed.prvipe import PrVipeEmbedder
    from samepose.evaluation.pair_calibrator import calibrate_pairs
    from samepose.formats.multiview import read_views
    from samepose.formats.subjects import only, present
    from samepose.training.loop import subjects_of_run
    from samepose.training.pairs.export import export, rewrite
    from samepose.training.pairs.recipe import UNFITTED
    from samepose.training.pairs.train import load_model
    from samepose.weights import Network

    threads, again = options.limit_threads(), run.is_file()
    info = info_of(Network(run, threads, "pair network")) if again else PairsInfo("", UNFITTED, subjects_of_run(run))
    info = replace(info, name=name or info.name or f"pairs-{run.resolve().name}")
    lifting = shipped_lifting(threads).info if calibrate else None
    if lifting:
        info = replace(info, lifting=lifting.name)
    facts, told, failed = {}, "", False
    with written(out) as part:
        if again:
            rewrite(run, info, part)
        else:
            export(load_model(run), info, part)
        if calibrate and lifting:
            model = PrVipeEmbedder.load(embedder, threads)
            poses = load_motion(calibrate, joint_map, options)
            people = only(poses, subjects_of(held_out, poses, options))
            known = [who for who in present(people) if who in (*model.info.subjects, *info.subjects, *lifting.subjects)]
            if known:
                raise UsageError(f"{model.name}, {lifting.name} or the run was trained on {', '.join(known)}; name "
                                 "people whom none of them saw with --held-out FILE, and with --embedder an embedding "
                                 "that did not")
            seen = read_views(views) if views else None
            with options.progress("gallery") as progress:
                found = calibrate_pairs(model, PairModel.load(part, threads), people.points, people.subject,
                                        people.subject_names, views=seen, progress=progress)
            rewrite(part, replace(info, matching=found.matching), part)
            facts, told, failed = {"calibration": found.to_json()}, found.to_markdown() + "\n", bool(poses.failed)
    exported(out, info.name, options, facts, told)
    return 1 if failed else 0


def _text(figures: dict[str, float]) -> str:
    """ "Hit@1 86.1 % (perfect), …"."""
    return "Hit@1 " + ", ".join(f"{100 * rate:.1f} % ({name.removeprefix('hit1_')})" for name, rate in figures.items())
