"""`samepose eval pose3d`: the 3D pose of one picture, against truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from samepose.cli.options import DEFAULTS, Options, needs
from samepose.errors import UsageError
from samepose.files import written

if TYPE_CHECKING:
    from samepose.evaluation.pose3d_run import Contestant, Recorded

_WARNINGS = 5  # of images that cannot be read: a whole folder may be missing
_SHIPPED = ("structnet", "lifting")


def pose3d(
    *,
    data: Path,
    model: Annotated[list[str] | None, Parameter(negative="")] = None,
    apf: bool = True,
    train: Path | None = None,
    frames: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    plot: Path | None = None,
    markdown: Path | None = None,
    options: Options = DEFAULTS,
) -> int:
    """MPJPE in mm, by action, as it is and after Procrustes alignment (Li 2015, section 5).

    StructNet by Max, Avg(A) for A up to 1500, Pred and APF, a valid body of the test subject's bone lengths; lifting of
    MoveNet's keypoints and of the data set's own, with everybody 1.7 m tall. All are told where the person is.

    Args:
        data: Folder of people that `samepose synth` rendered, or of Human3.6M with its videos or frames; S9 and S11.
        model: NAME=FILE: an exported StructNet or lifting network (.onnx), a run of `samepose train structnet`, which
            chooses among all its training poses, or predictions (.npz); or structnet or lifting, which ship. Repeat it
            for several; by default what ships.
        apf: Also make a body of the average of the 500 best poses of the model named structnet.
        train: Such a folder that the model was trained on (of Human3.6M: S1, S5 to S8): also tell for which share of
            its pictures the best pose is within 30 mm.
        frames: Only this many pictures, drawn at random (always the same), of --train too.
        plot: Write MPJPE over A (.png; needs samepose[eval]).
        markdown: Also write the tables to this file (.md).
    """
    options.outputs([plot] if plot else [], (".png",), data)
    options.outputs([markdown] if markdown else [], (".md",), data)
    if plot is not None:
        with needs("eval"):
            import matplotlib  # noqa: F401
    from samepose.evaluation.pose3d_bodies import valid_bodies
    from samepose.evaluation.pose3d_report import markdown_tables, plot_curve, text_tables, to_json
    from samepose.evaluation.pose3d_run import run, trained_within
    from samepose.formats.h36m import TRAIN_SUBJECTS
    from samepose.formats.posed_image_set import read_posed_images

    options.limit_threads()
    images = read_posed_images(data).drawn(frames)
    contestants, recorded = _models(model, options)
    with options.progress("picture") as progress:
        results = run(images, contestants, recorded, valid_bodies if apf else None, progress)
        within = trained_within(read_posed_images(train, TRAIN_SUBJECTS).drawn(frames), contestants, progress
                                ) if train else None
    for failure in results.unreadable[:_WARNINGS]:
        options.warn(failure)
    if len(results.unreadable) > _WARNINGS:
        options.warn(f"{len(results.unreadable) - _WARNINGS:,} more pictures are missing or damaged")
    if plot is not None:
        plot_curve(results, plot)
    if markdown is not None:
        with written(markdown) as part:
            part.write_text(markdown_tables(results, within) + "\n", "utf-8")
    options.result(to_json(results, within), text_tables(results, within))
    return 1 if results.unreadable else 0


def _models(models: list[str] | None, options: Options) -> tuple[list[Contestant], list[Recorded]]:
    """What is measured, in the order given."""
    from samepose.evaluation.pose3d_models import StructNet, contestants, read_predictions
    from samepose.weights import WEIGHTS, weight_file

    shipped = [name for name in _SHIPPED if name in WEIGHTS]
    looks: list[Contestant] = []
    recorded: list[Recorded] = []
    names: set[str] = set()
    for text in models or shipped:
        name, equals, file = text.partition("=")
        if name in names or not name:
            raise UsageError(f"--model {text}: give each model a name of its own, NAME=FILE")
        if not equals and name not in shipped:
            raise UsageError(f"--model {text}: give NAME=FILE{''.join(f', or {s}, which ships' for s in shipped)}")
        names.add(name)
        path = Path(file) if equals else weight_file(name)
        if path.suffix == ".npz":
            recorded.append(read_predictions(name, path))
        elif path.is_dir():
            with needs("train"):
                from samepose.training.structnet.space import RunSpace
            looks.append(StructNet(name, RunSpace.load(path, options.threads)))
        else:
            looks += contestants(name, path, options.threads)
    if not looks and not recorded:
        raise UsageError("no model ships that finds 3D poses in pictures; give --model NAME=FILE")
    return looks, recorded
