"""Random body shapes: MakeHuman's targets mixed by gender, age, muscle, weight, height and build."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from jaxtyping import Float

from samepose.synth.body import BODY, Body, rows_of

# Targets that come as a pair, one for less and one for more; (folder/stem, stem of less, stem of more).
_DETAILS: tuple[tuple[str, str, str], ...] = (
    *((f"torso/torso-{x}", "decr", "incr") for x in ("scale-depth", "scale-horiz", "scale-vert", "vshape")),
    *((f"torso/measure-{x}", "decr", "incr") for x in ("shoulder-dist", "waist-circ", "hips-circ")),
    *((f"hip/hip-scale-{x}", "decr", "incr") for x in ("depth", "horiz", "vert")),
    *((f"legs/{x}", "decr", "incr") for x in ("upperlegs-height", "lowerlegs-height", "measure-thigh-circ",
                                              "measure-calf-circ")),
    *((f"arms/{x}", "decr", "incr") for x in ("measure-upperarm-length", "measure-lowerarm-length",
                                              "measure-upperarm-circ")),
    *((f"head/head-{x}", "decr", "incr") for x in ("fat", "scale-depth", "scale-horiz", "scale-vert")),
    ("stomach/stomach-tone", "decr", "incr"), ("buttocks/buttocks-volume", "decr", "incr"),
    ("neck/measure-neck-height", "decr", "incr"), ("nose/nose-scale-depth", "decr", "incr"),
)


@dataclass(frozen=True)
class Shape:
    """What a body looks like; each value within 0..1, its middle average.

    Attributes:
        male: woman 0 or man 1.
        age: 0.19 a child of ten, 0.5 a young adult, 1 old.
        muscle, weight, height, proportions: least to most (proportions: uncommon to ideal).
        details: how much of each pair of `_DETAILS`, -1..1.
    """

    male: int
    age: float
    muscle: float
    weight: float
    height: float
    proportions: float
    origin: tuple[float, float, float]
    details: tuple[float, ...]

    def to_array(self) -> Float[np.ndarray, " 6"]:
        """Gender, age, muscle, weight, height, proportions, as stored with each image."""
        return np.array([self.male, self.age, self.muscle, self.weight, self.height, self.proportions], np.float32)


def random_shape(rng: np.random.Generator) -> Shape:
    """Somebody: mostly grown-up, 8 % younger, 12 % old; heavy and slight, strong and weak about evenly."""
    low, high = ((0.22, 0.42), (0.42, 0.75), (0.75, 1.0))[rng.choice(3, p=(0.08, 0.80, 0.12))]
    muscle, weight, height, proportions = np.clip(rng.normal((0.55, 0.5, 0.5, 0.6), (0.22, 0.22, 0.2, 0.25)), 0, 1)
    details = np.clip(rng.normal(0, 0.35, len(_DETAILS)), -1, 1)
    origin = rng.dirichlet((0.4, 0.4, 0.4))
    return Shape(
        int(rng.random() < 0.5), float(rng.uniform(low, high)), float(muscle), float(weight), float(height),
        float(proportions), (float(origin[0]), float(origin[1]), float(origin[2])), tuple(map(float, details)),
    )


def shaped(body: Body, shape: Shape) -> Float[np.ndarray, "vertex 3"]:
    """The base mesh in a shape, metres, standing on y = 0.

    Raises:
        SameposeError: a shape target is missing.
    """
    vertices = body.vertices.copy()
    for name, share in _targets(shape).items():
        path = body.folder / "targets" / f"{name}.target.gz"
        if share > 1e-3 and path.is_file():  # not every combination of the macro targets has a file
            rows, moves = _read_target(path)
            vertices[rows] += share * moves
    vertices[:, 1] -= vertices[rows_of(body, BODY), 1].min()
    return vertices


def _targets(shape: Shape) -> dict[str, float]:
    """Target files and their shares: products over the macro sliders, as MakeHuman mixes them."""
    gender = (("male" if shape.male else "female", 1.0),)
    age = _between(shape.age, (0.0, "baby"), (0.1875, "child"), (0.5, "young"), (1.0, "old"))
    muscle = _between(shape.muscle, (0, "minmuscle"), (0.5, "averagemuscle"), (1, "maxmuscle"))
    weight = _between(shape.weight, (0, "minweight"), (0.5, "averageweight"), (1, "maxweight"))
    height = _between(shape.height, (0, "minheight"), (0.5, ""), (1, "maxheight"))
    build = _between(shape.proportions, (0, "uncommonproportions"), (0.5, ""), (1, "idealproportions"))
    origin = tuple(zip(("african", "asian", "caucasian"), shape.origin, strict=True))
    shares: dict[str, float] = {}
    for folder, parts in (
        ("macrodetails/universal-", (gender, age, muscle, weight)),
        ("macrodetails/", (origin, gender, age)),
        ("macrodetails/height/", (gender, age, muscle, weight, height)),
        ("macrodetails/proportions/", (gender, age, muscle, weight, build)),
    ):
        for choice in product(*parts):
            if all(name for name, _ in choice):
                shares[folder + "-".join(name for name, _ in choice)] = float(np.prod([s for _, s in choice]))
    for (stem, less, more), amount in zip(_DETAILS, shape.details, strict=True):
        shares[f"{stem}-{more if amount > 0 else less}"] = abs(amount)
    return shares


def _between(value: float, *stops: tuple[float, str]) -> tuple[tuple[str, float], ...]:
    """Shares of the two stops a value lies between."""
    for (a, low), (b, high) in pairwise(stops):
        if value <= b:
            share = (value - a) / (b - a)
            return ((low, 1 - share), (high, share))
    return ((stops[-1][1], 1.0),)


@lru_cache(maxsize=512)
def _read_target(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Rows and moves in metres (lines: vertex dx dy dz in decimetres; # begins a comment)."""
    text = re.sub(rb"(?m)^#.*$", b"", gzip.decompress(path.read_bytes()))
    table = np.array(text.split(), np.float64).reshape(-1, 4)
    return table[:, 0].astype(np.int64), (table[:, 1:] * 0.1).astype(np.float32)
