"""One picture: the person under random light before a background, what is in front, and what a photograph loses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numba import njit
from PIL import Image, ImageDraw, ImageFilter

from samepose.skeleton import SYNTH22
from samepose.synth.background import Picture
from samepose.synth.body import BONES, HAIR, SKIRT, TIGHTS, Body, rows_of
from samepose.synth.camera import Camera
from samepose.synth.look import Look, chart, cover, loosened
from samepose.synth.pose import skin
from samepose.synth.rasteriser import rasterise, vertex_normals
from samepose.synth.shading import ATTRIBUTES, FIELD, HEIGHT, NORMAL, REACH, REST, WORLD, shade

_SAMPLES = 2  # per pixel and side
_SHADOW_SIDE, _SHADOW_METRES = 192, 3.0
_FIELDS = 10


@dataclass(frozen=True, eq=False)
class Light:
    """Linear colours of sky, ground, key and fill light, and directions towards the last two.

    Attributes:
        rows: (6, 3) float32, in the order above.
    """

    rows: Float[np.ndarray, "6 3"]

    @property
    def axes(self) -> Float[np.ndarray, "3 3"]:
        """Right, down and away as the key light looks."""
        away = -self.rows[4].astype(np.float64)
        right = np.cross(away, (0.0, 1.0, 0.1))
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(away, right), away]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Layer:
    """A rendered person.

    Attributes:
        rgba: (S, S, 4) uint8, colour as photographs store it, coverage in the last channel.
        near: (2S, 2S) 1 / metres, -inf where the person is not.
        bone: (2S, 2S) int8 position in BONES of what each sample shows, -1 where the person is not.
        shadow: the key light's nearness map.
    """

    rgba: UInt8[np.ndarray, "s s 4"]
    near: Float[np.ndarray, "s2 s2"]
    bone: Any
    shadow: Float[np.ndarray, "side side"]


def random_light(rng: np.random.Generator, background: Picture) -> Light:
    """Overcast to hard sunlight, from any side but below, tinged by the background."""
    tint = background.reshape(-1, 3)[::97].mean(0) / 255 + 0.15
    tint = tint / tint.max()
    hard = rng.random()
    sky = np.array([1, 1, 1]) * (1 - 0.75 * hard) * (1 - 0.4 * rng.random() * (1 - tint))
    ground = sky * rng.uniform(0.2, 0.8) * tint
    key = hard * 1.5 * (1 + rng.normal(0, 0.08, 3)) * (1, 0.97, 0.92)
    fill = rng.uniform(0, 0.4) * rng.uniform(0.6, 1, 3)
    exposure = np.exp(rng.normal(0.4, 0.35))
    directions = []
    for lowest in (-0.1, -0.3):
        azimuth, up = rng.uniform(-np.pi, np.pi), rng.uniform(lowest, 0.98)
        level = np.sqrt(1 - up**2)
        directions.append([level * np.cos(azimuth), up, level * np.sin(azimuth)])
    return Light(np.vstack([np.array([sky, ground, key, fill]).clip(0, 3) * exposure, directions]).astype(np.float32))


def dressed(
    body: Body, vertices: Float[np.ndarray, "vertex 3"], look: Look, folds: Sequence[int]
) -> tuple[Float[np.ndarray, "vertex 3"], Float[np.ndarray, " vertex"]]:
    """A shape at rest in clothes, and where helper geometry is worn (`look.cover`)."""
    where = chart(body)
    normals = vertex_normals(vertices.astype(np.float32), body.faces)
    field = _fields(body)[0][folds[0]]
    return loosened(body, where, look, vertices, normals, field), cover(body, where, look)


def render_person(
    body: Body, rest: Float[np.ndarray, "vertex 3"], keep: Float[np.ndarray, " vertex"],
    pose: tuple[Float[np.ndarray, "bone 3 3"], Float[np.ndarray, "bone 3"]], look: Look, folds: Sequence[int],
    light: Light, camera: Camera, size: int, heads: Float[np.ndarray, "bone 3"] | None = None,
) -> tuple[Layer, Float[np.ndarray, "vertex 3"]]:
    """The person alone, and its vertices in the world."""
    world = skin(body, rest, *pose)
    where = chart(body)
    fields, slopes = _fields(body)
    attributes = np.empty((len(world), ATTRIBUTES), np.float32)
    normals = vertex_normals(world, body.faces)
    cloth = rows_of(body, TIGHTS, SKIRT, HAIR)
    normals[cloth] += look.crease * slopes[folds[0]][cloth]
    attributes[:, NORMAL:REST] = normals
    attributes[:, REST:HEIGHT] = where.rest
    attributes[:, HEIGHT], attributes[:, REACH] = where.height, where.reach
    attributes[:, FIELD] = fields[folds[1]]
    attributes[:, WORLD:] = world
    seen = camera.to_camera(world)
    fine = size * _SAMPLES
    corners = np.column_stack([camera.to_pixels(seen) * _SAMPLES, 1 / seen[:, 2]])
    corners[seen[:, 2] < 0.2] = np.nan
    near, face, share = rasterise(corners, body.faces, keep, fine, fine)
    axes = light.axes
    scale = _SHADOW_SIDE / _SHADOW_METRES
    lit = world @ axes.T * (scale, scale, -1) + (_SHADOW_SIDE / 2, _SHADOW_SIDE / 2, 0)
    shadow, _, _ = rasterise(lit, body.faces, keep, _SHADOW_SIDE, _SHADOW_SIDE)
    colour = np.zeros((fine, fine, 4), np.float32)
    shade(face, share, body.faces, body.layer, attributes, look.colours, look.pattern, look.gloss, look.cuts,
          where.face, light.rows, axes, camera.eye.astype(np.float32), shadow, np.float32(scale),
          np.float32(look.crease), colour)
    owner = np.where(face >= 0, body.bone[body.faces[face, 0], 0], -1).astype(np.int8)
    return Layer(_developed(colour), near, owner, shadow), world


@cache
def _fields(body: Body) -> tuple[Any, Any]:
    """Smooth noises over the base mesh, about -1..1, and their slopes along it: waves of 4 to 40 cm."""
    rng = np.random.default_rng(20)
    waves = 10
    values, slopes = [], []
    for n in range(_FIELDS):
        direction = rng.normal(0, 1, (waves, 3)) * (1, 0.6, 1)
        size = 2 * np.pi / np.exp(rng.uniform(np.log(0.04 + 0.012 * n), np.log(0.4), waves))
        k = direction / np.linalg.norm(direction, axis=1, keepdims=True) * size[:, None]
        angle = body.vertices @ k.T + rng.uniform(0, 2 * np.pi, waves)
        values.append(np.cos(angle).sum(1) / np.sqrt(waves))
        slopes.append((-np.sin(angle)) @ (k / size[:, None]) * 1.5 / np.sqrt(waves))
    return np.array(values, np.float32), np.array(slopes, np.float32)


def random_folds(rng: np.random.Generator) -> tuple[int, int]:
    """Which noise makes the folds, and which the patches."""
    a, b = rng.integers(0, _FIELDS, 2)
    return int(a), int(b)


def _developed(colour: Float[np.ndarray, "s2 s2 4"]) -> UInt8[np.ndarray, "s s 4"]:
    """Samples averaged to pixels, linear colour to gamma."""
    out = np.empty((len(colour) // _SAMPLES, len(colour) // _SAMPLES, 4), np.uint8)
    _average(colour, _GAMMA, out)
    return out


_GAMMA = (255 * np.linspace(0, 1, 4096) ** (1 / 2.2) + 0.5).astype(np.uint8)


@njit(cache=True, nogil=True)
def _average(colour: Any, gamma: Any, out: Any) -> None:
    for v in range(len(out)):
        for u in range(len(out)):
            cover = (colour[2 * v, 2 * u, 3] + colour[2 * v, 2 * u + 1, 3] + colour[2 * v + 1, 2 * u, 3]
                     + colour[2 * v + 1, 2 * u + 1, 3])
            out[v, u, 3] = np.uint8(cover * 63.75)
            for c in range(3):
                total = (colour[2 * v, 2 * u, c] + colour[2 * v, 2 * u + 1, c] + colour[2 * v + 1, 2 * u, c]
                         + colour[2 * v + 1, 2 * u + 1, c])
                x = total / cover if cover > 0 else 0.0
                x = x / (1 + 0.25 * x) * 1.25 if x < 1 else 1.0  # bright parts are compressed, as film does
                out[v, u, c] = gamma[int(min(x, 1.0) * 4095)]


def lay_ground(
    picture: UInt8[np.ndarray, "s s 3"], floor: Picture | None, layer: Layer, light: Light, camera: Camera,
    ground: float, reach: float, dark: float,
) -> UInt8[np.ndarray, "s s 3"]:
    """The background with a floor under the person, in perspective, and the person's shadow upon it.

    Args:
        floor: what covers it out to `reach` metres from the camera; None leaves the picture, with the shadow.
        ground: the floor's height in the world, metres.
        dark: how much of the light the shadow takes, 0..1.
    """
    out = picture.copy()
    mask = np.zeros(out.shape[:2], np.float32)
    low = light.rows[4, 1] > 0.15
    texture = picture if floor is None else floor
    _ground(out, mask, texture, floor is not None, layer.shadow, light.axes, np.float32(_SHADOW_SIDE / _SHADOW_METRES),
            camera.turn, camera.eye, camera.focal, camera.centre, ground, reach)
    if low and dark > 0:
        soft = np.array(Image.fromarray((mask * 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(2)), np.float32)
        out = (out * (1 - soft[..., None] * (dark / 255))).astype(np.uint8)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _ground(
    out: Any, mask: Any, texture: Any, paved: Any, shadow: Any, axes: Any, scale: Any, turn: Any, eye: Any, focal: Any,
    centre: Any, ground: Any, reach: Any,
) -> None:
    side, tile = len(shadow), len(texture)
    mean = np.zeros(3)
    for c in range(3):
        mean[c] = texture[::8, ::8, c].sum() / (len(range(0, tile, 8)) * len(range(0, texture.shape[1], 8)))
    for v in range(out.shape[0]):
        for u in range(out.shape[1]):
            a, b = (u + 0.5 - centre[0]) / focal, (v + 0.5 - centre[1]) / focal
            dy = turn[0, 1] * a + turn[1, 1] * b + turn[2, 1]
            way = (ground - eye[1]) / dy
            if not (way > 0 and way < reach):
                continue
            x = eye[0] + way * (turn[0, 0] * a + turn[1, 0] * b + turn[2, 0])
            z = eye[2] + way * (turn[0, 2] * a + turn[1, 2] * b + turn[2, 2])
            if paved:
                i, j = int(abs(x + 50) * 100) % (2 * tile), int(abs(z + 50) * 100) % (2 * tile)
                i, j = min(i, 2 * tile - 1 - i), min(j, 2 * tile - 1 - j)
                fine = min(1.0, 0.004 * focal / way)  # far away the texture is finer than the pixels: its mean
                for c in range(3):
                    out[v, u, c] = np.uint8(fine * texture[i, j, c] + (1 - fine) * mean[c])
            sx = int((axes[0, 0] * x + axes[0, 1] * ground + axes[0, 2] * z) * scale + side / 2)
            sy = int((axes[1, 0] * x + axes[1, 1] * ground + axes[1, 2] * z) * scale + side / 2)
            if sx >= 0 and sx < side and sy >= 0 and sy < side and shadow[sy, sx] > -1e9:
                mask[v, u] = 1


# Parts of the body: what a joint lies in, so that a limb in front of it hides it.
_PART = np.array([
    {"pelvis": 0, "belly": 0, "waist": 0, "chest": 0, "neck": 1, "head": 2}.get(bone.name, -1) for bone in BONES])
for _k, _bone in enumerate(BONES):
    for _n, _stem in enumerate(("upper_arm", "forearm", "hand", "thigh", "shin", "foot")):
        if _bone.name[2:].startswith((_stem, {"hand": "finger", "foot": "toes", "upper_arm": "clavicle"}.get(
                _stem, _stem))) and _bone.name[1] == "_":
            _PART[_k] = 3 + _n + (6 if _bone.name[0] == "r" else 0)
_LIMB_PARTS = {"shoulder": (3,), "elbow": (3, 4), "wrist": (4, 5), "hip": (6,), "knee": (6, 7), "ankle": (7, 8)}
_TRUNKS = {"shoulder", "hip"}
# Half the thickness of the body at each joint, metres, with room for clothes.
_DEPTH = {"shoulder": 0.14, "elbow": 0.10, "wrist": 0.08, "hip": 0.20, "knee": 0.13, "ankle": 0.11, "pelvis": 0.22,
          "spine": 0.22, "thorax": 0.18, "neck": 0.13, "head_top": 0.12, "nose": 0.04, "eye": 0.045, "ear": 0.06}


def _own_parts(joint: str) -> tuple[int, ...]:
    side, _, stem = joint.rpartition("_")
    if stem in _LIMB_PARTS:
        parts = tuple(p + (6 if side == "right" else 0) for p in _LIMB_PARTS[stem])
        return (0, *parts) if stem in _TRUNKS else parts
    return {"pelvis": (0, 6, 12), "spine": (0,), "thorax": (0, 1, 3, 9), "neck": (0, 1, 2)}.get(joint, (1, 2))


_OWN = np.array([[p in _own_parts(j) for p in range(15)] for j in SYNTH22.joints])
_ROOM = np.array([_DEPTH.get(j, _DEPTH.get(j.rpartition("_")[2], 0.1)) for j in SYNTH22.joints])


def visibility(
    pixels: Float[np.ndarray, "22 2"], depths: Float[np.ndarray, " 22"], layer: Layer,
    hidden: Bool[np.ndarray, "s s"],
) -> tuple[Bool[np.ndarray, " 22"], Bool[np.ndarray, " 22"]]:
    """Which joints can be seen, and which are within the image.

    A joint lies inside a limb, so it counts as seen where the picture shows that limb, no farther in front of the
    joint than the limb is thick; another limb, or anything of `hidden` (what stands in front of the person), hides it.
    """
    size = len(hidden)
    known = np.isfinite(pixels).all(1)
    inside = known & (np.nan_to_num(pixels) >= 0).all(1) & (np.nan_to_num(pixels) < size).all(1)
    u, v = (np.nan_to_num(pixels).clip(0, size - 1e-3) * _SAMPLES).astype(int).T
    bone = layer.bone[v, u]
    nothing = bone < 0  # beside the silhouette by a hair: nothing hides it
    own = _OWN[np.arange(len(bone)), _PART[bone]]
    front = 1 / np.maximum(layer.near[v, u], 1e-6)
    seen = nothing | (own & (front > depths - _ROOM))
    return inside & seen & ~hidden[v // _SAMPLES, u // _SAMPLES], inside


def add_people(
    picture: Image.Image, others: Sequence[Image.Image], rng: np.random.Generator, beyond: tuple[float, float]
) -> Any:
    """Paste another rendered person to the left or right; its coverage."""
    other = others[int(rng.integers(len(others)))]
    size = picture.width
    scale = float(np.exp(rng.normal(0, 0.3)))
    other = other.resize((max(int(size * scale), 8),) * 2, Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        other = other.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    aside = size * rng.uniform(*beyond) * rng.choice((-1, 1))
    corner = (int((size - other.width) / 2 + aside), int((size - other.height) / 2 + size * rng.normal(0, 0.12)))
    picture.paste(other, corner, other)
    cover = Image.new("L", picture.size)
    cover.paste(other.getchannel("A"), corner)
    return np.array(cover) > 127


def add_occluder(
    picture: Image.Image, texture: Picture, rng: np.random.Generator, aim: Float[np.ndarray, " 2"], extent: float
) -> Any:
    """A thing in front of the person around a point: a box, a bar, a blob; where it covers."""
    size = picture.width
    reach = extent * rng.uniform(0.06, 0.28)
    kind = rng.integers(3)
    n = 4 if kind < 2 else int(rng.integers(6, 14))
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False) + rng.uniform(0, np.pi)
    radius = reach * (rng.uniform(0.6, 1.2, n) if kind == 2 else 1)
    outline = np.stack([np.cos(angle), np.sin(angle)], 1) * np.reshape(radius, (-1, 1))
    if kind == 1:  # a bar across
        outline[:, 0] *= 6
        outline[:, 1] *= 0.35
    turn = rng.choice((0, np.pi / 2, rng.uniform(0, np.pi)))
    c, s = np.cos(turn), np.sin(turn)
    points = (outline @ np.array([[c, s], [-s, c]]) + aim) * 2
    mask = Image.new("L", (size * 2, size * 2))
    ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in points], fill=255)
    mask = mask.resize(picture.size, Image.Resampling.BOX)
    stuff = Image.fromarray(texture).resize(picture.size, Image.Resampling.BILINEAR)
    picture.paste(stuff, (0, 0), mask)
    return np.array(mask) > 127


def photographed(picture: Image.Image, rng: np.random.Generator) -> UInt8[np.ndarray, "s s 3"]:
    """What lens, sensor and processing do: blur, few pixels, colour cast, contrast, noise."""
    size = picture.width
    if rng.random() < 0.35:
        small = max(int(size * rng.uniform(0.35, 0.9)), 16)
        picture = picture.resize((small, small), Image.Resampling.BILINEAR).resize(
            (size, size), Image.Resampling.BICUBIC)
    if rng.random() < 0.35:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.3)) * size / 256))
    ramp = np.linspace(0, 1, 256)[:, None]
    gain = np.exp(rng.normal(0, 0.12)) * (1 + rng.normal(0, 0.05, 3))
    curve = (ramp ** np.exp(rng.normal(0, 0.2)) * gain - 0.5) * np.exp(rng.normal(0, 0.15)) + 0.5
    table = (255 * curve.clip(0, 1)).astype(np.uint8)
    image = np.array(picture)
    image = np.stack([table[image[..., c], c] for c in range(3)], axis=-1)
    if rng.random() < 0.3:
        grey = image.mean(-1, keepdims=True)
        keep = 0.0 if rng.random() < 0.12 else rng.uniform(0.3, 1.4)
        image = (grey + (image - grey) * keep).clip(0, 255).astype(np.uint8)
    noise = rng.choice((0, rng.uniform(0.5, 4), rng.uniform(4, 14)), p=(0.35, 0.45, 0.2))
    if noise:
        grain = rng.standard_normal((size, size, 1 if rng.random() < 0.5 else 3), dtype=np.float32)
        image = (image + grain * noise).clip(0, 255).astype(np.uint8)
    return image
