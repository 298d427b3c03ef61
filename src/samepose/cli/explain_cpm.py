"""`samepose explain cpm`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from samepose.cli.options import DEFAULTS, Flag, Options, needs


def cpm(
    image: Path,
    /,
    *,
    out: Path,
    joint: str = "right_elbow",
    person: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    weights: str = "cpm",
    flip: Flag = False,
    options: Options = DEFAULTS,
) -> None:
    """The belief maps of one joint after each stage, in a picture, and their peaks with --json.

    Args:
        image: Photo of a person.
        out: Folder for the picture.
        joint: Whose belief maps, such as left_wrist or head_top.
        person: Rank of prominence in the photo; 0 = first.
        weights: cpm or cpm-synthetic (shipped), or an exported .onnx.
        flip: Also look at the mirror image.
    """
    with needs("eval"):
        from samepose.explain.cpm import belief_picture, beliefs
    from samepose.detection.cpm import CPM
    from samepose.media.image import read_image

    out.mkdir(parents=True, exist_ok=True)
    picture = options.output(out / f"{image.stem}-{joint}.png", (".png",), image)
    options.limit_threads()
    detector, pixels = CPM(weights, flip=flip, threads=options.threads), read_image(image)
    found = beliefs(detector, pixels, joint, person)
    belief_picture(found, pixels, picture)
    ends = " to ".join(f"{found.heights[k]:.2f} (spread {found.spread[k]:.0f} px)" for k in (0, -1))
    options.done({"model": detector.test_name, "joint": joint, "picture": str(picture), "stages": found.to_json()},
                 f"{picture}: belief in {joint} from {ends} in {len(found.maps)} stages")
