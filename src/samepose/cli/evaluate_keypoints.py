"""`samepose eval keypoints`: detectors against people whose joints are marked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from samepose.cli.options import DEFAULTS, DetectorName, Flag, Options
from samepose.errors import SameposeError, UsageError
from samepose.files import written

if TYPE_CHECKING:
    from samepose.evaluation.keypoint_report import KeypointResult
    from samepose.evaluation.keypoint_run import Looker
    from samepose.formats.labelled import LabelledPeople

_WARNINGS = 5  # of images that cannot be read: a whole folder may be missing
Scale = Annotated[list[float] | None, Parameter(negative="")]


def keypoints(
    *,
    data: Path,
    detector: DetectorName = "cpm",
    weights: str | None = None,
    scales: Scale = None,
    flip: Flag = False,
    subset: str | None = None,
    frames: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    occluded: bool | None = None,
    markdown: Path | None = None,
    options: Options = DEFAULTS,
) -> int:
    """PCK, PCKh and the area under the curve on LSP, LSP-Extended, MPII, FLIC, COCO keypoints or rendered people.

    Each person is looked at in a square of their own: where the labels say they are, or, if they do not,
    the whole image.
    mean12 at PCK@0.2 is the figure to compare: the 12 limb joints, within 0.2 of left shoulder to right hip.

    Args:
        data: Folder of the labels and images, or the label file (.mat, .json).
        detector: cpm, or movenet's single-person network.
        weights: For cpm: cpm or cpm-synthetic (shipped), or an exported .onnx.
        scales: For cpm: size of the person, 1 being the one trained for; repeat it to average the belief maps.
        flip: For cpm: also look at the mirror image.
        subset: Only people of this subset: train, validation or test, where the labels tell; or a text file of image
            names.
        frames: Only this many people, drawn at random (always the same).
        occluded: Also count joints that were marked although they are hidden; by default as published figures do: on
            photographs yes, on rendered people no.
        markdown: Also write the tables to this file (.md).
    """
    from samepose.evaluation.keypoint_report import markdown_tables, text_tables
    from samepose.evaluation.keypoint_run import look_at, measure
    from samepose.formats.keypointset import read_keypoint_set

    if markdown is not None:
        options.output(markdown, (".md",), data)
    looker = _looker(detector, weights, scales, flip, options)
    if not data.exists():
        raise UsageError(f"{data}: no such file or folder; check the path")
    people = _chosen(read_keypoint_set(data), subset, frames)
    with options.progress("person") as progress:
        found = look_at(people, looker, progress)
    for failure in found.unreadable[:_WARNINGS]:
        options.warn(failure)
    if len(found.unreadable) > _WARNINGS:
        options.warn(f"{len(found.unreadable) - _WARNINGS:,} more images are missing or damaged")
    result: KeypointResult = measure(found, looker, occluded=occluded)
    if not result.people:
        raise SameposeError(f"{data}: nobody can be measured ({result.why_text()})")
    if markdown is not None:
        with written(markdown) as part:
            part.write_text(markdown_tables(result) + "\n", "utf-8")
    options.result(result.to_json(), text_tables(result))
    return 1 if found.unreadable else 0


def _looker(detector: DetectorName, weights: str | None, scales: Scale, flip: bool, options: Options) -> Looker:
    from samepose.detection.cpm import CPM
    from samepose.detection.movenet import MoveNet
    from samepose.evaluation.keypoint_run import Looker

    options.limit_threads()
    if detector == "cpm":
        return Looker.of_cpm(CPM(weights or "cpm", scales=tuple(scales or (1.0,)), flip=flip, threads=options.threads))
    given = {"--weights": weights, "--scales": scales, "--flip": flip}
    if any(given.values()):
        raise UsageError(f"{' and '.join(k for k, v in given.items() if v)} only go with --detector cpm")
    return Looker.of_movenet(MoveNet(threads=options.threads))


def _chosen(people: LabelledPeople, subset: str | None, frames: int | None) -> LabelledPeople:
    import numpy as np

    from samepose.formats.labelled import SUBSETS

    if subset is not None:
        names: Any = None if subset in SUBSETS else _names(Path(subset))
        mask = [s == subset if names is None else image.name in names
                for s, image in zip(people.subsets, people.images)]
        if not any(mask):
            raise UsageError(f"--subset {subset}: none of the {len(people):,} people belongs to it")
        people = people[np.array(mask)]
    if frames is not None and frames < len(people):
        people = people[np.sort(np.random.default_rng(0).choice(len(people), frames, replace=False))]
    return people


def _names(path: Path) -> set[str]:
    try:
        return {Path(line.strip()).name for line in path.read_text("utf-8").splitlines() if line.strip()}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--subset {path}: give train, validation, test, or a text file of image names, one a line"
                         ) from error
