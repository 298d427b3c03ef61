"""Pictures too large to be decoded whole: their pixels stay those of the file, and the error names the remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samepose.errors import MediaError
from samepose.media import image as module
from samepose.media.image import read_image

# A red square on grey, off the middle, in an odd-sized picture: where it lies tells every scale, shift and turn.
WIDTH, HEIGHT, BOX = 301, 203, (40, 60, 120, 100)  # x0, y0, x1, y1


def squared() -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90))
    image.paste((230, 20, 20), BOX)
    return image


def red_box(pixels: np.ndarray) -> tuple[int, int, int, int]:
    y, x = np.nonzero(pixels[..., 0].astype(int) - pixels[..., 1] > 100)
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no more than 200 x 200 pixels could be decoded whole."""
    monkeypatch.setattr(module, "_MOST_BYTES", 200 * 200 * module._OTHER_BYTES_PER_PIXEL)


def turned(orientation: int) -> tuple[int, ...]:
    """Where the square lies once Pillow has turned the picture upright."""
    from PIL import ImageOps

    image = squared()
    exif = image.getexif()
    exif[0x0112] = orientation
    image.info["exif"] = exif.tobytes()
    return red_box(np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_of_a_halved_jpeg_are_those_of_the_file(tmp_path: Path, small: None, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    squared().save(tmp_path / "a.jpg", quality=95, subsampling=0, exif=exif)
    pixels = read_image(tmp_path / "a.jpg")
    assert pixels.shape[:2] == ((HEIGHT, WIDTH) if orientation < 5 else (WIDTH, HEIGHT))
    np.testing.assert_allclose(red_box(pixels), turned(orientation), atol=1)


def test_a_halved_jpeg_is_the_picture_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = np.mgrid[:1200, :700]
    smooth = np.stack([128 + 100 * np.sin(x / 40), 128 + 100 * np.cos(y / 50), (x + y) / 8], axis=-1).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=95)
    whole = read_image(tmp_path / "a.jpg").astype(int)
    monkeypatch.setattr(module, "_MOST_BYTES", 7 * 500 * 700)
    halved = read_image(tmp_path / "a.jpg").astype(int)
    assert halved.shape == whole.shape and 0 < np.abs(halved - whole).mean() < 2


@pytest.mark.parametrize(("name", "options", "kind"), [
    ("a.png", {}, "PNG"), ("a.jpg", {"progressive": True}, "JPEG"), ("a.webp", {}, "WEBP"),
])
def test_what_cannot_be_decoded_at_half_its_size_is_refused(
    tmp_path: Path, small: None, name: str, options: dict[str, bool], kind: str
) -> None:
    squared().save(tmp_path / name, **options)
    with pytest.raises(MediaError, match=rf"that are read of {kind}; make it smaller, or save it as baseline JPEG"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_bands_are_put_together_however_the_picture_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, orientation: int
) -> None:
    monkeypatch.setattr(module, "_ROWS", 7)
    exif = Image.Exif()
    exif[0x0112] = orientation
    squared().save(tmp_path / "a.png", exif=exif)
    assert red_box(read_image(tmp_path / "a.png")) == turned(orientation)
