"""Random squares around people: turned, scaled, moved, mirrored, recoloured (Wei et al. 2016, section 4.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from samepose.errors import UsageError


@dataclass(frozen=True)
class CropAugmentConfig:
    """How much the squares vary. The defaults are those of Convolutional Pose Machines, "paper" is theirs.

    Attributes:
        rotation: largest angle in degrees (paper: 40).
        any_way_up: share of the squares turned by any angle instead (ours: athletes are upside down).
        scale: smallest and largest factor of the person's size (paper: 0.7 to 1.3).
        shift: largest displacement, in sides of the square (ours).
        flip: share of mirrored squares (paper: half).
        colour: largest relative change of brightness, contrast and of each colour (ours).
        blur: share of squares of fewer pixels than they seem to have (ours).
        hide: share of squares with a rectangle of one colour in them (ours).

    Raises:
        UsageError: a share outside 0..1, a scale that is none.
    """

    rotation: float = 40.0
    any_way_up: float = 0.3
    scale: tuple[float, float] = (0.7, 1.3)
    shift: float = 0.08
    flip: float = 0.5
    colour: float = 0.25
    blur: float = 0.1
    hide: float = 0.2

    def __post_init__(self) -> None:
        if not all(0 <= share <= 1 for share in (self.any_way_up, self.flip, self.blur, self.hide)):
            raise UsageError("any-way-up, flip, blur and hide are shares, 0..1")
        if not 0 < self.scale[0] <= self.scale[1]:
            raise UsageError(f"scale is {self.scale}; it must be a smaller and a larger factor, both above 0")


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a square lies in an image.

    Attributes:
        matrix: takes (x, y, 1) of the image to the square, pixel middles whole.
        mirrored: left and right change places.
        angle: by which the image is turned, in degrees.
        scale: of the person, 1 as they are in the square that was asked for.
    """

    matrix: Float[np.ndarray, "2 3"]
    mirrored: bool
    angle: float = 0.0
    scale: float = 1.0

    def points(self, points: Float[np.ndarray, "... joint 2"], mirror: np.ndarray) -> Float[np.ndarray, "... joint 2"]:
        """Points of the image in the square; left and right change names in a mirrored one.

        Args:
            mirror: for each joint the index of its counterpart.
        """
        moved = self.moved(points)
        return moved[..., mirror, :] if self.mirrored else moved

    def moved(self, points: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, "... 2"]:
        """Points of the image in the square, in their order."""
        return (points @ self.matrix[:, :2].T + self.matrix[:, 2]).astype(np.float32)

    def image(self, image: UInt8[np.ndarray, "height width 3"], size: int) -> UInt8[np.ndarray, "size size 3"]:
        """The square's pixels, black outside the image."""
        back = np.linalg.inv(np.vstack([self.matrix, [0, 0, 1]]))[:2]
        back[:, 2] += 0.5 - back[:, :2] @ [0.5, 0.5]  # Pillow's pixel middles lie at a half
        step = math.hypot(back[0, 0], back[1, 0])
        source = Image.fromarray(image)
        if step >= 2:  # many source pixels for one: average them first
            source = source.reduce(int(step))
            back /= int(step)
        turned = source.transform((size, size), Image.Transform.AFFINE, back.ravel().tolist(),
                                  Image.Resampling.BILINEAR)
        return np.asarray(turned)


def centred(square: tuple[float, float, float], size: int) -> Placement:
    """The square (x0, y0 of its edge, side; pixels) as it is: for validation."""
    return _placement(square, size, 0.0, 1.0, (0.0, 0.0), False)


def random_placement(
    square: tuple[float, float, float], size: int, config: CropAugmentConfig, rng: np.random.Generator,
    like: Placement | None = None,
) -> Placement:
    """A variation of the square around a person.

    Args:
        like: another one's, to be turned and mirrored alike, so that two poses stay as alike as they were.
    """
    any_way = rng.random() < config.any_way_up
    angle = rng.uniform(-180, 180) if any_way else rng.uniform(-config.rotation, config.rotation)
    scale = math.exp(rng.uniform(math.log(config.scale[0]), math.log(config.scale[1])))
    shift = rng.uniform(-config.shift, config.shift, 2)
    mirrored = bool(rng.random() < config.flip)
    if like:
        angle, mirrored = like.angle, like.mirrored
    return _placement(square, size, angle, scale, (shift[0], shift[1]), mirrored)


def recoloured(
    image: UInt8[np.ndarray, "size size 3"], config: CropAugmentConfig, rng: np.random.Generator
) -> UInt8[np.ndarray, "size size 3"]:
    """Other light, fewer pixels, and something in the way."""
    size = image.shape[0]
    if rng.random() < config.blur:
        small = round(size * rng.uniform(0.3, 0.7))
        picture = Image.fromarray(image).resize((small, small), Image.Resampling.BILINEAR)
        image = np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))
    gain = (1 + rng.uniform(-config.colour, config.colour)) * (1 + rng.uniform(-config.colour, config.colour, 3) / 2)
    offset = rng.uniform(-config.colour, config.colour) * 128
    levels = np.arange(256)[:, None] * gain + offset
    table = np.clip(levels, 0, 255).astype(np.uint8)
    out = np.stack([table[image[..., c], c] for c in range(3)], -1)
    if rng.random() < config.hide:
        height, width = rng.integers(size // 16, size // 3, 2)
        y, x = rng.integers(0, size - height), rng.integers(0, size - width)
        out[y : y + height, x : x + width] = rng.integers(0, 256, 3)
    return out


def inside(points: Float[np.ndarray, "... 2"], size: int) -> Bool[np.ndarray, "..."]:
    """Which points lie in a square of that many pixels."""
    return np.asarray(((points >= -0.5) & (points <= size - 0.5)).all(-1))


def _placement(
    square: tuple[float, float, float], size: int, angle: float, scale: float, shift: tuple[float, float],
    mirrored: bool,
) -> Placement:
    x0, y0, side = square
    factor = scale * size / side
    cos, sin = factor * math.cos(math.radians(angle)), factor * math.sin(math.radians(angle))
    linear = np.array([[cos, -sin], [sin, cos]])
    if mirrored:
        linear[0] *= -1
    middle = np.array([x0, y0]) + side / 2 - 0.5
    to = np.array([size / 2 - 0.5, size / 2 - 0.5]) + np.array(shift) * size
    return Placement(np.column_stack([linear, to - linear @ middle]), mirrored, angle, scale)
