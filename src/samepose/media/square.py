"""The square around one person that a network looks at."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from samepose.media.image import crop_square


@dataclass(frozen=True)
class Square:
    """Top left pixel and side in whole pixels; it may reach beyond the image."""

    x: int
    y: int
    side: int

    @classmethod
    def of(cls, x: float, y: float, side: float) -> Square:
        """To whole pixels, about the same middle."""
        whole = max(round(side), 1)
        return cls(round(x + (side - whole) / 2), round(y + (side - whole) / 2), whole)

    @classmethod
    def around(cls, box: Float[np.ndarray, " 4"], room: float) -> Square:
        """About the middle of a box (x0, y0, x1, y1; pixels), `room` times as wide as the box's longer side."""
        x0, y0, x1, y1 = map(float, box)
        side = max(math.ceil(max(x1 - x0, y1 - y0) * room), 1)
        return cls.of((x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side)

    def zoomed(self, scale: float) -> Square:
        """What is left of it when the person is drawn `scale` times as large."""
        side = self.side / scale
        return Square.of(self.x + (self.side - side) / 2, self.y + (self.side - side) / 2, side)

    def crop(self, image: UInt8[np.ndarray, "height width 3"], size: int) -> UInt8[np.ndarray, "size size 3"]:
        """Resized to `size`; black beyond the image."""
        return crop_square(image, (self.x, self.y), self.side, size)
