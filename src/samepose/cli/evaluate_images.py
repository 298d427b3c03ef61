"""`samepose eval image-retrieval`: finding people who look alike in pose, by pixels and by keypoints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from samepose.cli.options import DEFAULTS, DETECTORS, Options, needs
from samepose.errors import UsageError
from samepose.files import written

if TYPE_CHECKING:
    from samepose.evaluation.image_people import CroppedPeople
    from samepose.evaluation.image_rivals import Rival

_WARNINGS = 5  # of images that cannot be read: a whole folder may be missing
_MODELS = ("image", "features", "joints", "prvipe", *DETECTORS)
_LIGHT = ("features", "movenet", "prvipe")  # measured by default, beside what files are given for


def image_retrieval(
    *,
    data: Path,
    split: str | None = None,
    models: str | None = None,
    model: Path | None = None,
    features: Path | None = None,
    joints: Path | None = None,
    fuse: Annotated[list[str] | None, Parameter(negative="")] = None,
    plot: Path | None = None,
    sheet: Path | None = None,
    markdown: Path | None = None,
    options: Options = DEFAULTS,
) -> int:
    """Pose difference and Hit@K of ranking people by their likeness in pose (Mori 2015, section 4.2).

    In pixels of the 128 x 128 crop: joints on average, torsos aligned. Oracle and random choice are always measured.
    People without both hips, crops under 16 pixels and images that cannot be read are skipped and counted.

    Args:
        data: LSP, LSP-Extended, MPII, FLIC, COCO keypoints or rendered people: the folder, or the label file. Of
            MPII's joints alone (.csv) only oracle and random choice can be measured.
        split: TRAIN:DATABASE:QUERIES, numbers of people, drawn with a fixed seed; leave-one-out: each among all others;
            a text file of lists; lspet, the committed lists of LSP-Extended, and the default there.
        models: Names with commas: image, features (of MoveNet's backbone), joints, prvipe, movenet, cpm, cpm-synthetic.
            By default features, movenet, prvipe, and what files are given for.
        model: An exported image embedding (.onnx): "image".
        features: A network for image classification (.onnx): its features are measured as "features:NAME".
        joints: An exported joint regression network (.onnx): "joints".
        fuse: A,B: also measure the mean of two models' distances; repeat it for several. By default image with joints
            and image with movenet, where they are measured.
        plot: Write the curves over K (.png; needs samepose[eval]).
        sheet: Write the most confident finds (.png), and beside them (NAME-2.png) what is ranked first by pixels and by
            joints.
        markdown: Also write the tables to this file (.md).
    """
    from samepose.report.sheet import numbered

    sheets = numbered(sheet, 2) if sheet else []
    options.outputs([*([plot] if plot else []), *sheets], (".png",), data)
    options.outputs([markdown] if markdown else [], (".md",), data)
    if plot is not None:
        with needs("eval"):
            import matplotlib  # noqa: F401
    from samepose.evaluation.image_people import CroppedPeople, Split
    from samepose.evaluation.image_report import markdown_tables, plot_curves, text_tables, to_json
    from samepose.evaluation.image_run import run
    from samepose.evaluation.image_sheets import compared_sheet, confident_sheet
    from samepose.formats.keypointset import read_keypoint_set

    options.limit_threads()
    if not data.exists():
        raise UsageError(f"{data}: no such file or folder; check the path")
    cropped = CroppedPeople.of(read_keypoint_set(data))
    parts = Split.of(cropped, split)
    rivals = _rivals(cropped, models, model, features, joints, options)
    with options.progress("person") as progress:
        results = run(cropped, parts, rivals, _fusions(fuse, [rival.name for rival in rivals]), progress)
    for failure in results.unreadable[:_WARNINGS]:
        options.warn(failure)
    if len(results.unreadable) > _WARNINGS:
        options.warn(f"{len(results.unreadable) - _WARNINGS:,} more images are missing or damaged")
    if plot is not None:
        plot_curves(results, plot)
    for path, draw in zip(sheets, (confident_sheet, compared_sheet)):
        draw(results, path)
    if markdown is not None:
        with written(markdown) as part:
            part.write_text(markdown_tables(results) + "\n", "utf-8")
    options.result(to_json(results), text_tables(results))
    return 1 if results.unreadable else 0


def _rivals(
    cropped: CroppedPeople, models: str | None, model: Path | None, features: Path | None, joints: Path | None,
    options: Options,
) -> list[Rival]:
    """The models that are asked for, in the order of `_MODELS`; none, and a note, where there are no images."""
    from samepose.embed.image import ImageEmbedder
    from samepose.evaluation import image_features, image_rivals
    from samepose.weights import WEIGHTS

    given = {"image": model is not None or "image" in WEIGHTS, "joints": joints is not None}
    names = [n for n in _MODELS if given.get(n, n in _LIGHT)]
    if models is not None:
        names = [name.strip() for name in models.split(",")]
    for name in names:
        if name not in _MODELS:
            raise UsageError(f"--models names {name}; there are {', '.join(_MODELS)}")
        if not given.get(name, True):
            raise UsageError(f"--models {name} needs its file: --{'model' if name == 'image' else name} FILE.onnx")
    if not cropped.photographed:
        options.note(f"{cropped.people.name}: no image is there, so only oracle and random choice are measured")
        return []
    rivals = {}
    if "image" in names:
        rivals["image"] = image_rivals.of_embedder(ImageEmbedder.load(model, options.threads))
    if "features" in names:
        rivals["features"] = image_features.of_thunder(options.threads)
    if features:
        rivals["network"] = image_features.of_network(features, options.threads)
    if "joints" in names and joints:
        rivals["joints"] = image_rivals.of_joint_network(joints, options.threads)
    for name in DETECTORS:
        if name in names or (name == "movenet" and "prvipe" in names):
            rivals[name] = image_rivals.of_detector(name, options.detector("balanced", name))
    if "prvipe" in names:
        rivals["prvipe"] = image_rivals.of_prvipe(rivals["movenet"], options.embedder())
    return [*rivals.values()]


def _fusions(fuse: list[str] | None, names: list[str]) -> list[tuple[str, str]]:
    if fuse is None:
        return [("image", other) for other in ("joints", "movenet") if {"image", other} <= set(names)]
    pairs = []
    for text in fuse:
        a, comma, b = (part.strip() for part in text.partition(","))
        if not comma or not a or not b or "," in b or a == b:
            raise UsageError(f"--fuse is {text}; give two different models, such as image,joints")
        pairs.append((a, b))
    return pairs
