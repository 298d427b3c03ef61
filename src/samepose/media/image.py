"""Photos as arrays: any file Pillow reads becomes upright 8-bit RGB."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError, features

from samepose.errors import MediaError
from samepose.media import check_readable, one_line
from samepose.media.remote import is_remote, located

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
# What decoding takes, in bytes for each pixel, with the 3 of the array (benchmarks/memory.py); half a gigapixel of
# anything would not fit. A picture may take a gigabyte.
_MOST_BYTES = 980_000_000
_BYTES_PER_PIXEL = {"WEBP": 16, "AVIF": 14, "HEIF": 14, "TIFF": 13}
_OTHER_BYTES_PER_PIXEL = 7
_PROGRESSIVE_BYTES_PER_PIXEL = 11  # all coefficients are in memory, whatever size is decoded
_ROWS = 64  # that are converted at once
_SIDEWAYS = (5, 6, 7, 8)  # EXIF's orientations that exchange width and height


def read_image(path: str | Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read a photo as RGB, turned upright by its EXIF orientation; of an animation, the first frame.

    16-bit and float greyscale is scaled to 8 bits, not clipped; transparency is laid over white. A JPEG too large to be
    decoded whole is decoded at half its size, and each pixel stands for four: pixels are always those of the file.

    Raises:
        MediaError: the file is missing, empty, truncated, not an image of a kind that is read here, or of more pixels
            than a gigabyte of memory is enough for; or it is HEIC and the extra that reads it is not installed.
    """
    with _opened(path) as image:
        return _to_array(image, located(path))


def image_size(path: str | Path) -> tuple[int, int]:
    """Width and height in pixels of a photo that `read_image` would give; from its header, nothing is decoded.

    Raises:
        MediaError: as `read_image`, as far as the header tells.
    """
    with _opened(path) as image:
        turned = _orientation(image) in _SIDEWAYS
        return (image.height, image.width) if turned else (image.width, image.height)


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """A photo whose header is read; whatever is wrong with it, there or while it is read, is a MediaError."""
    path = check_readable(path)
    whole = _fetched(path) if is_remote(path) else None
    formats = _formats(path, whole)
    try:
        with warnings.catch_warnings():
            # Pillow warns from 89 million pixels on: a panorama may have more. It still refuses twice as many.
            warnings.simplefilter("ignore")
            with Image.open(whole or path, formats=formats) as image:
                yield image
    except MediaError:
        raise
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


def _fetched(path: Path) -> io.BytesIO:
    """A photo at a URI, in memory."""
    if path.stat().st_size > _MOST_BYTES:
        raise MediaError(f"{path}: is larger than {_MOST_BYTES // 10**6} MB; make it smaller first")
    try:
        return io.BytesIO(path.read_bytes())
    except OSError as error:
        raise MediaError(f"{path}: cannot be read now ({one_line(error.strerror or error)}); try again") from error


def _formats(path: Path, whole: io.BytesIO | None) -> tuple[str, ...]:
    """The kinds of image that the file may be; those that only some installations read, where it says that it is one.

    Raises:
        MediaError: it is of a kind that this installation does not read.
    """
    with path.open("rb") if whole is None else nullcontext(whole) as file:
        head = file.read(64)
    if whole is not None:
        whole.seek(0)
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


def _to_array(image: Image.Image, path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Converted and turned in bands: Pillow would hold a copy of the whole picture for each step."""
    width, height = image.size
    step = _decoded_at(image, path)
    image.load()
    orientation = _orientation(image)
    white = _white(image) if _is_deep(image) else None
    out = np.empty((width, height, 3) if orientation in _SIDEWAYS else (height, width, 3), np.uint8)
    stored = _as_stored(out, orientation)
    for y in range(0, image.height, _ROWS):
        band = np.asarray(_to_rgb(image.crop((0, y, image.width, min(y + _ROWS, image.height))), white))
        part = stored[y * step : (y + _ROWS) * step]
        part[:] = band.repeat(step, axis=0).repeat(step, axis=1)[: len(part), :width] if step > 1 else band
    return out


def _decoded_at(image: Image.Image, path: Path) -> int:
    """How many pixels of the file, each way, a pixel of the decoded image stands for.

    Raises:
        MediaError: the image is too large.
    """
    size = image.size
    progressive = bool(image.info.get("progressive"))
    most = _MOST_BYTES // (_PROGRESSIVE_BYTES_PER_PIXEL if progressive else
                           _BYTES_PER_PIXEL.get(image.format or "", _OTHER_BYTES_PER_PIXEL))
    if size[0] * size[1] <= most:
        return 1
    if image.format in ("JPEG", "MPO") and not progressive:
        image.draft(None, (max(size[0] // 2, 1), max(size[1] // 2, 1)))
        if image.size != size:
            return 2
    raise MediaError(f"{path}: has {size[0] * size[1] / 1e6:.1f} million pixels, more than the {most // 10**6} million "
                     f"that are read of {image.format}; make it smaller, or save it as baseline JPEG")


def _as_stored(
    upright: UInt8[np.ndarray, "height width 3"], orientation: int
) -> UInt8[np.ndarray, "height2 width2 3"]:
    """A view of an upright image in which it lies as the file stores it, by EXIF's number."""
    if orientation in _SIDEWAYS:
        upright = upright.transpose(1, 0, 2)
    flip_y, flip_x = orientation in (3, 4, 6, 7), orientation in (2, 3, 7, 8)
    return upright[:: -1 if flip_y else 1, :: -1 if flip_x else 1]


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _to_rgb(image: Image.Image, white: float | None) -> Image.Image:
    """`white`: the value of white where a pixel has more than 8 bits."""
    if white is not None:
        values = np.asarray(image).astype(np.float32)
        grey = np.clip(np.nan_to_num(values) * (255 / white), 0, 255).round().astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _white(image: Image.Image) -> float:
    """White of greyscale of 16 bits, 32 bits or floats, by the range its largest value shows it to have."""
    if image.mode.startswith("I;16"):
        return 65535.0
    bands = (np.asarray(image.crop((0, y, image.width, min(y + _ROWS, image.height))), np.float32)
             for y in range(0, image.height, _ROWS))
    largest = max(float(np.nan_to_num(band, nan=-np.inf, posinf=np.inf).max()) for band in bands)
    ranges = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    return next((w for w in ranges if largest <= w), largest)
