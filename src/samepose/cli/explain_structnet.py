"""`samepose explain structnet`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from samepose.cli.options import DEFAULTS, Options, needs
from samepose.errors import UsageError

if TYPE_CHECKING:
    from samepose.explain.structnet import Space


def structnet(
    *,
    data: Path,
    out: Path,
    model: Path | None = None,
    frames: Annotated[int, Parameter(validator=Number(gte=3))] = 3000,
    options: Options = DEFAULTS,
) -> int:
    """The joint space of pictures and 3D poses in two pictures (Li 2015, figure 4), and what it tells with --json.

    Embeddings of pictures with the average picture of each region, beside those of poses with the average pose: over
    the two features of highest variance (features.png), and two principal components (components.png).

    Args:
        data: Folder of people that `samepose synth` rendered, or of Human3.6M (S1, S5 to S8).
        out: Folder for the pictures.
        model: An exported StructNet (.onnx), or a run of `samepose train structnet`; the shipped one by default.
        frames: At most this many pictures, drawn at random (always the same).
    """
    with needs("eval"):
        from samepose.explain.structnet import components, embedded, plane_picture, strongest
    from samepose.formats.h36m import TRAIN_SUBJECTS
    from samepose.formats.posed_image_set import read_posed_images

    out.mkdir(parents=True, exist_ok=True)
    files = [out / "features.png", out / "components.png"]
    options.outputs(files, (".png",))
    options.limit_threads()
    name, space = _space(model, options)
    images = read_posed_images(data, TRAIN_SUBJECTS).drawn(frames)
    with options.progress("picture") as progress:
        people = embedded(images, space, progress)
    for failure in people.unreadable[:5]:
        options.warn(failure)
    planes = strongest(people), components(people)
    for plane, file in zip(planes, files):
        plane_picture(plane, people, file, f"{name}, {images.name}")
    text = [f"{' and '.join(plane.names)}: {100 * sum(plane.explained):.0f} % of the variance; R² of the heading "
            f"{plane.told['heading from pictures']['both']:.2f} from pictures, "
            f"{plane.told['heading from poses']['both']:.2f} from poses" for plane in planes]
    options.done({"model": name, "pictures": len(people.truth), "data": images.name,
                  "features": planes[0].to_json(), "components": planes[1].to_json()},
                 "\n".join([*text, f"pictures in {out}: features, components"]))
    return 1 if people.unreadable else 0


def _space(model: Path | None, options: Options) -> tuple[str, Space]:
    from samepose.lifting.structnet import StructNetModel
    from samepose.weights import WEIGHTS

    if model is not None and model.is_dir():
        with needs("train"):
            from samepose.training.structnet.space import RunSpace
        return model.name, RunSpace.load(model, options.threads)
    if model is None and "structnet" not in WEIGHTS:
        raise UsageError("no StructNet ships; give --model FILE.onnx")
    loaded = StructNetModel.load(model, options.threads)
    return loaded.name, loaded
