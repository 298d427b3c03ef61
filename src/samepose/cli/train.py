"""`samepose train` and `samepose export`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

from samepose.cli.motion import Data, load_motion, subjects_of
from samepose.cli.options import DEFAULTS, Options, needs
from samepose.errors import UsageError
from samepose.files import written

if TYPE_CHECKING:
    from samepose.embed.prvipe import PrVipeEmbedder
    from samepose.evaluation.calibrator import Calibration
    from samepose.evaluation.moment_calibrator import MomentCalibration
    from samepose.formats.poseset import PoseSet

app = App(name="train", help="Train a model.", help_format="plaintext", version_flags=[])
app.command("samepose.cli.train_prvipe:prvipe", name="prvipe", usage="Usage: samepose train prvipe [OPTIONS]",
            help="Train Pr-VIPE, or one of its rivals, on motion capture.")
app.command("samepose.cli.train_pairs:pairs", name="pairs", usage="Usage: samepose train pairs [OPTIONS]",
            help="Train the pair network, which looks at two views together and ranks an embedding's shortlists.")
app.command("samepose.cli.train_cpm:cpm", name="cpm", usage="Usage: samepose train cpm [OPTIONS]",
            help="Train a Convolutional Pose Machine on labelled photographs and rendered people.")
app.command("samepose.cli.train_image:image_embedding", name="image-embedding",
            usage="Usage: samepose train image-embedding [OPTIONS]",
            help="Train a pose embedding from pixels, on labelled people or on judgements alone.")
app.command("samepose.cli.train_lifting:lifting", name="lifting", usage="Usage: samepose train lifting [OPTIONS]",
            help="Train lifting, from 2D keypoints to 3D poses, on motion capture.")
app.command("samepose.cli.train_structnet:structnet", name="structnet",
            usage="Usage: samepose train structnet [OPTIONS]",
            help="Train StructNet, which scores 3D poses against a picture, on rendered people.")
app.command("samepose.cli.train_structnet:structnet_regressor", name="structnet-regressor",
            usage="Usage: samepose train structnet-regressor [OPTIONS]",
            help="Train the regressor from pixels whose convolutions StructNet takes.")
app.command("samepose.cli.train_recogniser:recogniser", name="recogniser",
            usage="Usage: samepose train recogniser [OPTIONS]",
            help="Train a classifier of actions on a few clips of each; needs no torch, and seconds.")


def export(
    run: Path,
    /,
    *,
    out: Path,
    name: str | None = None,
    calibrate: Data | None = None,
    held_out: Path | None = None,
    joint_map: Path | None = None,
    calibration: Path | None = None,
    candidates: Data | None = None,
    embedder: Path | None = None,
    views: Path | None = None,
    options: Options = DEFAULTS,
) -> int:
    """Write the model of a training run as ONNX, for --model of other verbs and `PrVipeEmbedder.load`.

    With --calibrate its matching probability, of frames and of moments, is made honest on people that it never saw, and
    tested: each half of them with what was fitted to the other half.

    Args:
        run: Folder of the run; or a model exported before, to describe it anew.
        out: The file to write (.onnx).
        name: What the model calls itself; "prvipe-", "pairs-", "cpm-", "image-" or "lifting-" and the name of the run's
            folder by default.
        calibrate: Motion capture to calibrate with: BVH, AMC, C3D or .npz files, or folders of them.
        held_out: Text file of the only subjects to calibrate with, one a line; those of training's default by default.
        joint_map: TOML file that says which joints are which, as ours = "theirs".
        calibration: Take the calibration of this model (.onnx). For weights trained on everybody, whom nobody is left
            to test: that of the same recipe without some people.
        candidates: Of a StructNet: folders that `samepose synth` wrote, whose poses it finds in pictures; by default
            those that it was trained on.
        embedder: Of a pair network: exported Pr-VIPE (.onnx) to calibrate it with, which has not seen those people;
            the shipped one by default.
        views: Of a pair network: what a detector saw of the people of --calibrate, to test the calibration on: a file
            that `samepose synth --views` made (.npz).
    """
    from samepose.embed.prvipe import PrVipeEmbedder

    if calibrate and calibration:
        raise UsageError("--calibrate fits a calibration, --calibration takes another model's; give one of them")
    options.output(out, (".onnx",), run, *calibrate or (), *candidates or (),
                   *filter(None, (calibration, held_out, joint_map, embedder, views)))
    with needs("train"):
        from samepose.training.cpm.recipe import holds_cpm
        from samepose.training.image.train import holds_image
        from samepose.training.lifting.train import holds_lifting
        from samepose.training.pairs.train import holds_pairs
        from samepose.training.structnet.train import holds_structnet
    if candidates and not holds_structnet(run):
        raise UsageError(f"--candidates is of StructNet, and {run} holds no run of `samepose train structnet`")
    if (embedder or views) and not holds_pairs(run):
        raise UsageError(f"--embedder and --views are of a pair network, and {run} holds no run of `samepose train "
                         "pairs`")
    if views and not calibrate:
        raise UsageError("--views are to test a calibration on; fit one to the same people with --calibrate MOTION")
    if holds_pairs(run):
        from samepose.cli.train_pairs import export_run as export_pairs_run

        if calibration:
            raise UsageError("--calibration takes over that of an embedding; a pair network is calibrated anew: use "
                             "--calibrate")
        return export_pairs_run(run, out, name, calibrate, embedder, held_out, joint_map, views, options)
    if holds_cpm(run):
        from samepose.cli.train_cpm import export_run

        return export_run(run, out, name or f"cpm-{run.resolve().name}", options)
    if holds_image(run):
        from samepose.cli.train_image import export_run as export_image_run

        return export_image_run(run, out, name or f"image-{run.resolve().name}", options)
    if holds_lifting(run):
        from samepose.cli.train_lifting import export_run as export_lifting_run

        return export_lifting_run(run, out, name or f"lifting-{run.resolve().name}", options)
    if holds_structnet(run):
        from samepose.cli.train_structnet import export_run as export_structnet_run

        return export_structnet_run(run, out, name or f"structnet-{run.resolve().name}", options, candidates or ())
    donor = PrVipeEmbedder.load(calibration) if calibration else None
    with needs("train"):
        from samepose.training.prvipe.export import export as write
        from samepose.training.prvipe.export import info_of, rewrite
        from samepose.training.prvipe.train import load_model, subjects_of_run
    facts: dict[str, Any] = {}
    told, failed = "", False
    with written(out) as part:
        if run.is_file():
            info = PrVipeEmbedder.load(run).info
            info = replace(info, name=name or info.name)
            rewrite(run, info, part)
        else:
            model = load_model(run)
            info = info_of(model, name or f"prvipe-{run.resolve().name}", subjects_of_run(run))
            write(model, info, part)
        if donor:
            matching = replace(info.matching, slope=donor.matching.slope, offset=donor.matching.offset)
            rewrite(part, replace(info, matching=matching, moment=donor.moment), part)
        elif calibrate:
            poses = load_motion(calibrate, joint_map, options)
            model_written = PrVipeEmbedder.load(part, options.limit_threads())
            found, moments = _calibration(model_written, poses, held_out, options)
            rewrite(part, replace(info, matching=found.matching, moment=moments.matching if moments else None), part)
            facts = {"calibration": found.to_json(), "moments": moments.to_json() if moments else None}
            told = "".join(f"{table.to_markdown()}\n" for table in (found, moments) if table)
            failed = bool(poses.failed)
    exported = PrVipeEmbedder.load(out)
    options.done({"model": str(out), "name": exported.name, "sha256": exported.sha256, "bytes": out.stat().st_size,
                  **facts},
                 f"{told}{out}: {exported.name}, {out.stat().st_size / 1e6:.1f} MB, sha256 {exported.sha256}")
    return 1 if failed else 0


def _calibration(
    embedder: PrVipeEmbedder, poses: PoseSet, held_out: Path | None, options: Options
) -> tuple[Calibration, MomentCalibration | None]:
    """Of frames, and of moments where the clips are long enough."""
    from samepose.evaluation.calibrator import calibrate
    from samepose.evaluation.moment_calibrator import calibrate_moments
    from samepose.formats.subjects import only, present

    people = only(poses, subjects_of(held_out, poses, options))
    known = [name for name in present(people) if name in embedder.info.subjects]
    if known:
        raise UsageError(f"the model was trained on {', '.join(known)}; name people it never saw with --held-out FILE")
    with options.progress("gallery") as progress:
        found = calibrate(embedder.embed_keypoints, embedder.matching, people.points, people.subject,
                          people.subject_names, progress=progress)
        try:
            return found, calibrate_moments(embedder.embed_keypoints, found.matching, people, progress=progress)
        except UsageError as error:
            options.note(f"not calibrated for moments, so that searches with it compare single frames: {error}")
            return found, None
