"""The picture of one moment: a photo, a frame of a video, or the plain ground that motion capture is drawn on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from samepose.geometry.frontal import SIDE
from samepose.media.files import is_motion
from samepose.media.image import IMAGE_SUFFIXES, read_image
from samepose.media.video import frame_at

GROUND = (52, 56, 64)  # RGB: where there is no picture, skeletons of any colour stand out on it


def picture_at(file: Path, time: float | None) -> UInt8[np.ndarray, "height width 3"]:
    """The photo, or what a video shows at a time in seconds; of motion capture, where `geometry.frontal` shows people.

    Raises:
        MediaError: the file cannot be read, or ends before.
    """
    if is_motion(file):
        return np.full((SIDE, SIDE, 3), GROUND, np.uint8)
    if time is None or file.suffix.lower() in IMAGE_SUFFIXES:
        return read_image(file)
    return frame_at(file, time).image
