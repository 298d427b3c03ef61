"""A contact sheet of a set: its first images with their joints drawn."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from samepose.formats.rendered import Sample
from samepose.media.draw import LEFT_COLOUR, MIDDLE_COLOUR, RIGHT_COLOUR
from samepose.skeleton import SYNTH22


def contact_sheet(samples: Iterable[Sample], count: int = 24, columns: int = 6) -> UInt8[np.ndarray, "height width 3"]:
    """Images (of SYNTH22) side by side; the person's left orange, right blue, middle white, hidden joints hollow."""
    tiles = [_drawn(sample) for sample in islice(samples, count)]
    side = tiles[0].width
    canvas = Image.new("RGB", (side * min(columns, len(tiles)), side * -(-len(tiles) // columns)))
    for k, tile in enumerate(tiles):
        canvas.paste(tile, (k % columns * side, k // columns * side))
    return np.array(canvas)


def _drawn(sample: Sample) -> Image.Image:
    image = Image.fromarray(sample.image).resize((320, 320))
    pen = ImageDraw.Draw(image)
    points = sample.joints_2d * (320 / len(sample.image))
    for a, b in SYNTH22.bones:
        if np.isfinite(points[[a, b]]).all() and "nose" not in (SYNTH22.joints[a], SYNTH22.joints[b]):
            pen.line([*points[a], *points[b]], _colour(SYNTH22.joints[a], SYNTH22.joints[b]), 2)
    for name, (x, y), visible in zip(SYNTH22.joints, points, sample.visible, strict=True):
        if np.isfinite(x + y):
            pen.ellipse([x - 3, y - 3, x + 3, y + 3], _colour(name, name) if visible else None, _colour(name, name))
    return image


def _colour(a: str, b: str) -> tuple[int, int, int]:
    for side, colour in (("left", LEFT_COLOUR), ("right", RIGHT_COLOUR)):
        if a.startswith(side) and b.startswith(side):
            return colour
    return MIDDLE_COLOUR
