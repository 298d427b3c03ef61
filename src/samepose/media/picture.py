"""The picture of one moment: a photo, or a frame of a video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from samepose.media.image import IMAGE_SUFFIXES, read_image
from samepose.media.video import frame_at


def picture_at(file: Path, time: float | None) -> UInt8[np.ndarray, "height width 3"]:
    """The photo, or what a video shows at a time in seconds.

    Raises:
        MediaError: the file cannot be read, or ends before.
    """
    if time is None or file.suffix.lower() in IMAGE_SUFFIXES:
        return read_image(file)
    return frame_at(file, time).image
