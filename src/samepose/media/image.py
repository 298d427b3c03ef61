"""Photos as arrays: any file Pillow reads becomes upright 8-bit RGB."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, UnidentifiedImageError, features

from samepose.errors import MediaError
from samepose.media import check_readable, one_line

_HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
IMAGE_SUFFIXES = _HEIF_SUFFIXES | {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}

# Nothing else is opened, whatever a file is named: of what else Pillow knows, EPS runs Ghostscript.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_ISO_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIF", b"heix": "HEIF", b"heim": "HEIF", b"heis": "HEIF",
               b"mif1": "HEIF", b"msf1": "HEIF"}

# Pillow also logs what is wrong with a file, and Python prints what nobody handles: the error says it.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = tuple(turn for tag, turn in _UPRIGHT.items() if tag >= 5)


def read_image(path: str | Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read a photo as RGB, turned upright by its EXIF orientation; of an animation, the first frame.

    16-bit and float greyscale is scaled to 8 bits, not clipped; transparency is laid over white.

    Raises:
        MediaError: the file is missing, empty, truncated, not an image of a kind that is read here, or of more than 178
            million pixels; or it is HEIC and the extra that reads it is not installed.
    """
    with _opened(path) as image:
        image.load()
        return _to_array(_turn_upright(_to_rgb(image), _orientation(image)))


def image_size(path: str | Path) -> tuple[int, int]:
    """Width and height in pixels of a photo that `read_image` would give; from its header, nothing is decoded.

    Raises:
        MediaError: as `read_image`, as far as the header tells.
    """
    with _opened(path) as image:
        turned = _UPRIGHT.get(_orientation(image)) in _SIDEWAYS
        return (image.height, image.width) if turned else (image.width, image.height)


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """A photo whose header is read; whatever is wrong with it, there or while it is read, is a MediaError."""
    path = check_readable(path)
    formats = _formats(path)
    try:
        with warnings.catch_warnings():
            # Pillow warns from 89 million pixels on: a panorama may have more. It still refuses twice as many.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=formats) as image:
                yield image
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise MediaError(f"{path}: has more than {limit} million pixels; make it smaller first") from error
    except UnidentifiedImageError as error:
        raise MediaError(f"{path}: is not an image that can be read; convert it to JPEG or PNG") from error
    except Exception as error:  # Pillow's decoders raise errors of every kind on damaged files
        raise MediaError(f"{path}: the image is damaged ({one_line(error)}); copy or export it again") from error


def crop_square(
    image: UInt8[np.ndarray, "height width 3"], corner: tuple[int, int], side: int, size: int, fill: int = 0
) -> UInt8[np.ndarray, "size size 3"]:
    """The square of `side` pixels whose top left pixel is `corner` (x, y), resized to `size`.

    What lies outside the image is filled with the grey level `fill`. A pixel (x, y) of the crop lies at
    corner + (x, y) * side / size in the image.
    """
    height, width = image.shape[:2]
    x0, y0 = corner
    left, right = min(max(x0, 0), width), max(min(x0 + side, width), 0)
    top, bottom = min(max(y0, 0), height), max(min(y0 + side, height), 0)
    region = image[top:bottom, left:right]
    if region.shape[:2] != (side, side):
        canvas = np.full((side, side, 3), fill, np.uint8)
        canvas[top - y0 : top - y0 + region.shape[0], left - x0 : left - x0 + region.shape[1]] = region
        region = canvas
    return resize(region, size, size)


def resize(
    image: UInt8[np.ndarray, "height width 3"], width: int, height: int
) -> UInt8[np.ndarray, "height2 width2 3"]:
    """Resize by averaging, so that nothing aliases: blocks of whole pixels first, a triangle filter for the rest.

    Handing 12 million pixels to Pillow takes longer than finding people in them, so where more than four source pixels
    would be averaged each way, four evenly spaced ones are.
    """
    step = max(min(image.shape[0] // height, image.shape[1] // width) // 4, 1)
    if step > 1:
        image = image[step // 2 :: step, step // 2 :: step]
    if image.shape[:2] == (height, width):
        return image
    whole = Image.new("RGB", (image.shape[1], image.shape[0]), None)  # `fromarray` would black it out first
    whole.frombytes(np.ascontiguousarray(image))
    return np.asarray(whole.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=1.0))


def _formats(path: Path) -> tuple[str, ...]:
    """The kinds of image that the file may be; those that only some installations read, where it says that it is one.

    Raises:
        MediaError: it is of a kind that this installation does not read.
    """
    with path.open("rb") as file:
        head = file.read(64)
    kind = _ISO_BRANDS.get(head[8:12]) if head[4:8] == b"ftyp" else None
    if kind and b"avif" in head:  # "mif1" may be either
        kind = "AVIF"
    if kind == "AVIF":
        if not features.check("avif"):
            raise MediaError(f"{path}: is AVIF, which this Pillow does not read; update it: pip install -U pillow")
        return ("AVIF",)
    if kind == "HEIF":
        try:
            import pillow_heif
        except ImportError as error:
            raise MediaError(f"{path}: is HEIC; to read it, pip install 'samepose[heic]'") from error
        pillow_heif.register_heif_opener()
        return ("HEIF",)
    return _FORMATS


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # a broken EXIF block is no reason to lose the photo
        return 1


def _turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled_to_8_bits(image).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _scaled_to_8_bits(image: Image.Image) -> Image.Image:
    """Greyscale of 16 bits, 32 bits or floats, by the range its largest value shows it to have."""
    values: Shaped[np.ndarray, "height width"] = np.asarray(image).astype(np.float32)
    largest = float(np.nanmax(values))
    integer_ranges = (255.0, 65535.0)
    if image.mode.startswith("I;16"):
        white = 65535.0
    elif image.mode == "F" and largest <= 1:
        white = 1.0
    else:
        white = next((w for w in integer_ranges if largest <= w), largest)
    return Image.fromarray(np.clip(np.nan_to_num(values) * (255 / white), 0, 255).round().astype(np.uint8))


def _to_array(image: Image.Image, rows: int = 512) -> UInt8[np.ndarray, "height width 3"]:
    """Copied in bands: in one go Pillow holds two more copies, which hurts with a panorama."""
    out = np.empty((image.height, image.width, 3), np.uint8)
    for y in range(0, image.height, rows):
        out[y : y + rows] = np.asarray(image.crop((0, y, image.width, min(y + rows, image.height))))
    return out
