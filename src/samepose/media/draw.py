"""Pictures of poses: skeletons over photos, and thumbnails of people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from samepose.poses import Poses
from samepose.skeleton import Skeleton

# Blue and orange stay apart for the colour-blind.
LEFT_COLOUR = (255, 140, 0)
RIGHT_COLOUR = (0, 130, 255)
MIDDLE_COLOUR = (240, 240, 240)
OUTLINE_COLOUR = (20, 20, 20)

_SUPERSAMPLING = 3
_PADDING_GREY = 40


def draw_poses(
    image: UInt8[np.ndarray, "height width 3"],
    poses: Poses,
    *,
    below: float = 0.25,
    boxes: bool = False,
    labels: Sequence[str] | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """A copy of the image with a skeleton over each person: the person's left orange, right blue, middle white.

    Lines grow with the person. Joints that are missing or score under `below`, and their bones, are left out.

    Args:
        poses: 2D poses in pixels of `image`.
        boxes: draw each person's box as well.
        labels: one text per pose, written at the top of its box.
    """
    canvas = Image.fromarray(image)
    shown = poses.hide(below=below)
    for i in range(len(shown)):
        _draw_person(canvas, shown.points[i], shown.skeleton)
    for i, box in enumerate(poses.boxes):
        if not np.isnan(box).any():
            _draw_frame(canvas, box, boxes, labels[i] if labels is not None else "")
    return np.array(canvas)


def _draw_person(canvas: Image.Image, points: Float[np.ndarray, "joint 2"], skeleton: Skeleton) -> None:
    """Drawn larger on a layer of its own, then shrunk onto the canvas: Pillow's lines have hard edges."""
    seen = points[~np.isnan(points[:, 0])]
    if not len(seen):
        return
    width = max(float(np.ptp(seen, axis=0).max()) / 70, 1.5)
    low = np.floor(np.clip(seen.min(axis=0) - 4 * width, 0, canvas.size)).astype(int)
    high = np.ceil(np.clip(seen.max(axis=0) + 4 * width, 0, canvas.size)).astype(int)
    if (high <= low).any():
        return
    region = (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    scale = _SUPERSAMPLING if (high - low).max() < 2000 else 1
    layer = Image.new("RGBA", ((region[2] - region[0]) * scale, (region[3] - region[1]) * scale), (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    at = (points - low) * scale
    for thickness, colour in ((width * 1.9, OUTLINE_COLOUR), (width, None)):
        for a, b in skeleton.bones:
            if not np.isnan(at[[a, b]]).any():
                line = [tuple(at[a]), tuple(at[b])]
                pen.line(line, colour or _side_colour(skeleton, a, b), max(round(thickness * scale), 1))
        radius = thickness * scale * 0.9
        for joint, (x, y) in enumerate(at):
            if not np.isnan(x):
                dot = (x - radius, y - radius, x + radius, y + radius)
                pen.ellipse(dot, colour or _side_colour(skeleton, joint, joint))
    layer = layer.convert("RGBa").resize((region[2] - region[0], region[3] - region[1]), Image.Resampling.BOX)
    layer = layer.convert("RGBA")
    canvas.paste(layer, region, layer)


def _side_colour(skeleton: Skeleton, a: int, b: int) -> tuple[int, int, int]:
    names = (skeleton.joints[a], skeleton.joints[b])
    sides = {name.split("_")[0] for name in names} & {"left", "right"}
    if sides == {"left"}:
        return LEFT_COLOUR
    return RIGHT_COLOUR if sides == {"right"} else MIDDLE_COLOUR


def _draw_frame(canvas: Image.Image, box: Float[np.ndarray, "4"], outline: bool, label: str) -> None:
    pen = ImageDraw.Draw(canvas)
    x0, y0, x1, y1 = (float(v) for v in box)
    if outline:
        pen.rectangle((x0, y0, max(x1, x0), max(y1, y0)), outline=MIDDLE_COLOUR, width=max(max(canvas.size) // 400, 1))
    if label:
        font = ImageFont.load_default(size=max(max(canvas.size) // 40, 10))
        where = (max(x0, 0.0), max(y0, 0.0))
        pen.rectangle(pen.textbbox(where, label, font), fill=OUTLINE_COLOUR)
        pen.text(where, label, MIDDLE_COLOUR, font)
