"""Pictures for the page: photos and frames as JPEG no larger than needed, and people cut out of them."""

from __future__ import annotations

import io
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from samepose.errors import MediaError, SameposeError
from samepose.index import Index, Medium
from samepose.media.files import INDEXED_SUFFIXES, is_motion
from samepose.media.image import IMAGE_SUFFIXES, image_size, resize
from samepose.media.picture import picture_at
from samepose.media.remote import is_remote
from samepose.media.video import VIDEO_SUFFIXES, probe
from samepose.poses import Poses
from samepose.web.problems import missing

MOST_PIXELS = 64_000_000
SHOWN = 1600  # pixels of a query's picture, the longer side
_MARGIN, _SMALLEST = 1.4, 48  # of a crop, as on the report's cards
_QUALITY, _GREY = 85, 40
_PART, _WHOLE = 8 << 20, 64 << 20  # bytes of a file at a URI that are sent at once: of a range, or unasked


def file_of(index: Index, medium: Medium) -> Path:
    """The file of the index's list, when it is a photo, video or motion capture that lies where the index has it.

    A path that was relative must lead to a place inside the index's root, whatever links do; one that was absolute
    must be its own real path, as it was when it was indexed.

    Raises:
        Refusal: it is not there, or is something else.
    """
    stored = index.file(medium.path)
    if is_remote(stored):  # as the index has it: nothing leads elsewhere
        if stored.suffix.lower() not in IMAGE_SUFFIXES | VIDEO_SUFFIXES or not stored.is_file():
            raise missing()
        return stored
    try:
        real = Path(os.path.realpath(stored))
        root = os.path.realpath(index.root)
        inside = real == stored if Path(medium.path).is_absolute() else real.is_relative_to(root)
        usable = inside and real.suffix.lower() in INDEXED_SUFFIXES and stat.S_ISREG(real.stat().st_mode)
    except (OSError, ValueError):
        usable = False
    if not usable:
        raise missing()
    return real


def picture(file: Path, time: float | None) -> UInt8[np.ndarray, "height width 3"]:
    """As `picture_at`; a photo's pixels are counted before it is decoded.

    Raises:
        MediaError: it cannot be read, or is too large.
    """
    photo = time is None or file.suffix.lower() in IMAGE_SUFFIXES  # what was sent is kept without a suffix
    if photo and not is_motion(file):
        check_pixels(*image_size(file))
    return picture_at(file, time)


def part_of(file: Path, wanted: str | None) -> tuple[bytes, int, dict[str, str]]:
    """A file at a URI, or the range of it that a browser asks for ("bytes=0-"), no more than some megabytes at once.

    Returns:
        the bytes, the status, and headers.

    Raises:
        OSError: it cannot be read now.
    """
    size, match = file.stat().st_size, re.fullmatch(r"bytes=([0-9]+)-([0-9]*)", wanted or "bytes=0-")
    first, asked = (int(match[1]), int(match[2] or size)) if match else (0, size)
    if first >= size:
        return b"", 416, {"Content-Range": f"bytes */{size}"}
    last = min(asked, first + (_PART if wanted else _WHOLE) - 1, size - 1)
    with file.open("rb") as stream:
        stream.seek(first)
        content: bytes = stream.read(last - first + 1)
    if wanted is None and len(content) == size:
        return content, 200, {"Accept-Ranges": "bytes"}
    return content, 206, {"Accept-Ranges": "bytes", "Content-Range": f"bytes {first}-{first + len(content) - 1}/{size}"}


def is_image(file: Path) -> bool:
    """True when the contents are a photo's, whatever the name.

    Raises:
        MediaError: they are neither a photo's nor a video's.
    """
    try:
        image_size(file)
    except MediaError:
        probe(file)  # says what is wrong with it
        return False
    return True


def check_pixels(width: int, height: int) -> None:
    """MediaError when a picture is larger than is looked at here."""
    if width * height > MOST_PIXELS:
        raise MediaError(f"the picture has {width} x {height} pixels, more than {MOST_PIXELS // 10**6} million; "
                         "make it smaller first")


def smaller(image: UInt8[np.ndarray, "height width 3"], most: int) -> tuple[UInt8[np.ndarray, "h w 3"], float]:
    """The picture no wider and higher than `most`, and the factor that it was made smaller by."""
    factor = min(most / max(image.shape[:2]), 1.0)
    if factor == 1:
        return image, 1.0
    height, width = (max(round(side * factor), 1) for side in image.shape[:2])
    return resize(image, width, height), factor


def jpeg(image: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """The file."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def window(pose: Poses) -> tuple[int, int, int]:
    """x, y of the corner and the side of the square around one person, in pixels; it may reach out of the picture."""
    seen = pose.points[0][pose.visible[0]].astype(float)
    if not len(seen):
        return 0, 0, _SMALLEST
    low, high = seen.min(axis=0), seen.max(axis=0)
    side = math.ceil(max(float((high - low).max()) * _MARGIN, _SMALLEST))
    x, y = np.round((low + high - side) / 2).astype(int).tolist()
    return x, y, side


def crop(index: Index, person: str, size: int) -> bytes:
    """A person in their `window`, as JPEG; what lies outside the picture is grey.

    Raises:
        Refusal, MediaError: the file is not there, or cannot be read.
    """
    row = index.row(person)
    medium = index.select(person.partition("-")[0])[0]
    image = picture(file_of(index, medium), row.time)
    return jpeg(_cut_out(image, window(row.pose), size))


def _cut_out(
    image: UInt8[np.ndarray, "height width 3"], square: tuple[int, int, int], size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """A square of the picture at another size; nothing of the square's own size is made, whatever it is."""
    x, y, side = square
    height, width = image.shape[:2]
    left, right = (min(max(edge, 0), width) for edge in (x, x + side))
    top, bottom = (min(max(edge, 0), height) for edge in (y, y + side))
    canvas = np.full((size, size, 3), _GREY, np.uint8)
    x0, x1, y0, y1 = (round(edge * size / side) for edge in (left - x, right - x, top - y, bottom - y))
    if x1 > x0 and y1 > y0 and right > left and bottom > top:
        canvas[y0:y1, x0:x1] = resize(np.ascontiguousarray(image[top:bottom, left:right]), x1 - x0, y1 - y0)
    return canvas


@contextmanager
def named(file: Path, name: str) -> Iterator[None]:
    """Errors about a file speak of it by the name that people know."""
    try:
        yield
    except SameposeError as error:
        raise type(error)(str(error).replace(str(file), name)) from error
