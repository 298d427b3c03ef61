"""Backgrounds: procedural pictures with edges and textures of all sizes, or windows of the user's photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numba import njit
from PIL import Image, ImageFilter

from samepose.errors import MediaError, UsageError
from samepose.media.files import walk
from samepose.media.image import IMAGE_SUFFIXES, read_image

Picture = UInt8[np.ndarray, "side side 3"]
SIDE = 384


def photos_in(folder: Path) -> tuple[Path, ...]:
    """The pictures of a folder and its subfolders, in order.

    Raises:
        UsageError: there is none.
    """
    paths = tuple(p for p in walk([folder], IMAGE_SUFFIXES).files if p.is_file())
    if not paths:
        raise UsageError(f"{folder}: holds no photos to use as backgrounds")
    return paths


def random_pictures(rng: np.random.Generator, count: int, photos: Sequence[Path] = ()) -> list[Picture]:
    """So many backgrounds, four in five of them windows of photos where there are any; bad photos are passed over."""
    out = []
    for _ in range(count):
        picture = None
        if photos and rng.random() < 0.8:
            picture = _photo_window(photos[int(rng.integers(len(photos)))], rng)
        out.append(procedural(rng) if picture is None else picture)
    return out


def _photo_window(path: Path, rng: np.random.Generator) -> Picture | None:
    try:
        image = Image.fromarray(read_image(path))
    except MediaError:
        return None
    side = int(min(image.size) * rng.uniform(0.4, 1))
    if side < 32:
        return None
    x, y = (int(rng.integers(0, n - side + 1)) for n in image.size)
    return np.array(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=(x, y, x + side, y + side)))


def procedural(rng: np.random.Generator) -> Picture:
    """One picture of a random kind: leaves, walls, grass or sky, plain, tiles; sometimes out of focus."""
    kind = rng.choice(5, p=(0.4, 0.22, 0.18, 0.08, 0.12))
    palette = _palette(rng)
    if kind == 2:
        image = _clouds(rng, palette, rough=rng.uniform(0.35, 1.0))
    elif kind == 4:
        image = _tiles(rng, palette)
    else:
        image = _clouds(rng, palette[:2], rough=rng.uniform(0.1, 0.5))
    if kind < 2:
        shapes = _random_shapes(rng, palette, count=int(rng.integers(60, 700)), upright=kind == 1)
        _leaves(image, shapes, _field(rng, rng.uniform(0.5, 1.0)))
    image *= 1 + 0.35 * rng.random() * _field(rng, 0.2)[..., None]
    image += rng.normal(0, rng.uniform(0, 6), image.shape[:2])[..., None]
    picture = Image.fromarray(image.clip(0, 255).astype(np.uint8))
    if rng.random() < 0.4:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 6))))
    return np.array(picture)


def _palette(rng: np.random.Generator) -> Any:
    """A handful of colours that go together: around one or two hues, mostly dull."""
    n = int(rng.integers(3, 8))
    base = rng.uniform(0, 1, (2, 3))
    mix = base[rng.integers(0, 2, n)] * rng.uniform(0.3, 1, (n, 1)) + rng.normal(0, 0.12, (n, 3))
    grey = mix.mean(1, keepdims=True)
    saturation = rng.choice((0.1, 0.25, 0.4, 0.75)) + rng.normal(0, 0.07, (n, 1))
    light = rng.uniform(-0.35, 0.35, (n, 1))
    return ((grey + (mix - grey) * saturation + light).clip(0.02, 0.98) * 255).astype(np.float32)


def _field(rng: np.random.Generator, rough: float) -> Any:
    """Smooth noise of several octaves, about -1..1; rough 0 keeps the coarsest only, 1 gives all the same say."""
    out = rng.uniform(-1, 1, (3, 3)).astype(np.float32)
    total, share = 1.0, rough
    for cells in (6, 12, 24, 48, 96, 192, SIDE):  # each octave is laid on the enlarged coarser ones
        out = np.array(Image.fromarray(out).resize((cells, cells), Image.Resampling.BICUBIC))
        if cells < SIDE and share > 0.02:
            out += share * rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
            total += share**2
            share *= rough
    return out / np.float32(np.sqrt(total))


def _clouds(rng: np.random.Generator, palette: Any, rough: float) -> Any:
    """Noise through a palette, with a slope from one side to another."""
    y, x = np.mgrid[-1:1:SIDE * 1j, -1:1:SIDE * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    value = 0.5 + 0.35 * _field(rng, rough) + rng.uniform(0, 0.5) * (x * np.cos(angle) + y * np.sin(angle))
    at = value.clip(0, 1) * (len(palette) - 1)
    low = np.minimum(at.astype(np.int64), len(palette) - 2)
    part = (at - low)[..., None]
    return palette[low] * (1 - part) + palette[low + 1] * part


def _tiles(rng: np.random.Generator, palette: Any) -> Any:
    """Bricks, boards, stripes or a fence, turned a little."""
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    angle = rng.normal(0, 0.3)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    wide, high = rng.uniform(6, 90, 2) * (1, rng.choice((0.4, 1, 20)))
    row = np.floor(v / high)
    u = u + (row % 2) * wide / 2 * (rng.random() < 0.5)
    column = np.floor(u / wide)
    pick = ((row * 7919 + column * 104729).astype(np.int64) * 2654435761 >> 7) % 1024 / 1024
    gap = (u / wide - column < rng.uniform(0, 0.12)) | (v / high - row < rng.uniform(0, 0.12))
    spread = rng.uniform(0, 60)
    image = palette[0] + ((pick - 0.5) * spread)[..., None] + 12 * _field(rng, 0.8)[..., None]
    return np.where(gap[..., None], palette[1], image).astype(np.float32)


def _random_shapes(rng: np.random.Generator, palette: Any, count: int, upright: bool) -> Any:
    """Rows: x, y, half sizes a and b, cos, sin of the turn, kind (ellipse 0, box 1), colour, stripe, amount of noise.

    Sizes follow the power law of natural pictures, large ones first so that small ones lie on top.
    """
    least = rng.uniform(3, 12)
    size = np.sort(least / np.sqrt(rng.uniform((least / 170) ** 2, 1, count)))[::-1]
    aspect = np.exp(rng.normal(0, 0.7, count))
    turn = rng.normal(0, 0.04, count) if upright else rng.uniform(0, np.pi, count)
    kind = np.ones(count) if upright else (rng.random(count) < rng.random())
    colour = palette[rng.integers(0, len(palette), count)] + rng.normal(0, 14, (count, 3))
    stripe = np.where(rng.random(count) < 0.15, rng.uniform(3, 25, count), 0)
    return np.column_stack([
        rng.uniform(0, SIDE, (count, 2)), size * np.sqrt(aspect), size / np.sqrt(aspect), np.cos(turn), np.sin(turn),
        kind, colour, stripe, rng.uniform(0, 40, count),
    ]).astype(np.float32)


@njit(cache=True, nogil=True)
def _leaves(image: Any, shapes: Any, noise: Any) -> None:
    side = len(image)
    for n in range(len(shapes)):
        x, y, a, b, c, s, kind = shapes[n, :7]
        reach = max(a, b) * 1.42
        for v in range(max(int(y - reach), 0), min(int(y + reach) + 1, side)):
            for u in range(max(int(x - reach), 0), min(int(x + reach) + 1, side)):
                p, q = ((u - x) * c + (v - y) * s) / a, ((v - y) * c - (u - x) * s) / b
                if (p * p + q * q > 1) if kind == 0 else (max(abs(p), abs(q)) > 1):
                    continue
                light = shapes[n, 11] * noise[v, u]
                if shapes[n, 10] > 0 and (p * a) % shapes[n, 10] < shapes[n, 10] / 2:
                    light += 30
                for k in range(3):
                    image[v, u, k] = shapes[n, 7 + k] + light
