"""What people wear: skin, hair, garments and shoes, painted on the base mesh and its helper geometry.

Where a garment begins and ends is told by two coordinates of every vertex, `height` along trunk and legs and `reach`
along the arms, so that one set of cuts dresses every shape. The tights of the base mesh, pushed outward, carry loose
clothes; where nothing is worn they are cut away.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.synth.body import BODY, BONE, HAIR, SKIRT, TIGHTS, Body, rows_of

MATERIALS = ("skin", "shirt", "trousers", "shoe", "hair", "sock", "lips", "brow")
SKIN, SHIRT, TROUSERS, SHOE, HAIRS, SOCK, LIPS, BROW = range(len(MATERIALS))
PLAIN, RINGS, BARS, CHECKS, BLOTCHES, DOTS, HALVES, PRINT, SIDES = range(9)  # patterns
CUTS = ("hem", "neckline", "vee", "sleeve", "waist", "legs", "shoe", "sock", "hairline", "hair_length", "skirt")
HEM, NECKLINE, VEE, SLEEVE, WAIST, LEGS, SHOE_CUT, SOCK_CUT, HAIRLINE, HAIR_LENGTH, SKIRT_CUT = range(len(CUTS))


@dataclass(frozen=True, eq=False)
class Chart:
    """Where on the body each vertex is, whatever the shape.

    Attributes:
        rest: (V, 3) float32 metres, the base shape, origin between the eyes' height and the middle of the body.
        height: (V,) 0 at the hips, 1 at the base of the neck, -1 at the knees, -2 at the ankles.
        reach: (V,) 0 on the trunk, 1 at the elbows, 2 at the wrists.
        face: (3,) metres: how high the eyes are, how far forward, how high the mouth is.
    """

    rest: Float[np.ndarray, "vertex 3"]
    height: Float[np.ndarray, " vertex"]
    reach: Float[np.ndarray, " vertex"]
    face: Float[np.ndarray, " 3"]


@dataclass(frozen=True, eq=False)
class Look:
    """One person's appearance.

    Attributes:
        colours: (8, 2, 3) float32 linear 0..1: both colours of each of MATERIALS.
        pattern: (8, 3) float32: kind, how many per metre, phase.
        gloss: (8,) float32.
        cuts: (11,) float32, see CUTS.
        loose: metres by which shirt and trousers stand off.
        skirt: whether the skirt is worn.
        hair: whether the hair helper is worn.
        crease: how strongly cloth is creased.
    """

    colours: Float[np.ndarray, "material 2 3"]
    pattern: Float[np.ndarray, "material 3"]
    gloss: Float[np.ndarray, " material"]
    cuts: Float[np.ndarray, " cut"]
    loose: tuple[float, float]
    skirt: bool
    hair: bool
    crease: float


@cache
def chart(body: Body) -> Chart:
    """The chart of a base mesh."""
    heads = body.heads(body.vertices)
    joint = {bone: heads[k] for bone, k in BONE.items()}
    v = body.vertices
    share = np.zeros((len(v), len(BONE)), np.float32)
    np.put_along_axis(share, body.bone, body.weight, axis=1)

    def of(*bones: str) -> Any:
        return share[:, [BONE[b] for b in bones]].sum(1)

    def along(a: Any, b: Any) -> Any:
        return ((v - a) @ (b - a) / ((b - a) @ (b - a))).clip(0, 1)

    hip = joint["l_thigh"][1]
    trunk = (v[:, 1] - hip) / (joint["neck"][1] - hip)
    height, reach = np.zeros(len(v)), np.zeros(len(v))
    limbs = np.zeros(len(v))
    for s in "lr":
        thigh, shin, foot = of(f"{s}_thigh"), of(f"{s}_shin"), of(f"{s}_foot", f"{s}_toes")
        height -= thigh * along(joint[f"{s}_thigh"], joint[f"{s}_shin"])
        height -= shin * (1 + along(joint[f"{s}_shin"], joint[f"{s}_foot"])) + foot * 2.3
        upper, lower = of(f"{s}_upper_arm", f"{s}_upper_arm_low"), of(f"{s}_forearm", f"{s}_forearm_low")
        hand = of(f"{s}_hand", f"{s}_fingers", f"{s}_fingertips")
        reach += upper * along(joint[f"{s}_upper_arm"], joint[f"{s}_forearm"])
        reach += lower * (1 + along(joint[f"{s}_forearm"], joint[f"{s}_hand"])) + hand * 2.4
        height += (upper + lower + hand) * 0.85
        limbs += thigh + shin + foot + upper + lower + hand
    height += np.maximum(1 - limbs, 0) * trunk
    eyes = v[body.cubes["joint-l-eye"]].mean(0)
    mouth = v[body.cubes["joint-jaw"]].mean(0)[1] + 0.022
    return Chart(v.astype(np.float32), height.astype(np.float32), reach.astype(np.float32),
                 np.array([eyes[1], eyes[2], mouth], np.float32))


def random_look(rng: np.random.Generator, male: bool) -> Look:
    """Dress somebody: sports clothes, everyday clothes, dresses, bathing costumes; any colours."""
    cuts = np.zeros(len(CUTS), np.float32)
    bare, dress = rng.random() < (0.12 if male else 0.0), not male and rng.random() < 0.15
    cuts[HEM] = 9 if bare else rng.uniform(-0.15, 0.45)
    cuts[NECKLINE], cuts[VEE] = rng.uniform(0.92, 1.12), rng.choice((0, 0, 0.25)) * rng.random()
    cuts[SLEEVE] = rng.choice((0.05, rng.uniform(0.3, 0.8), rng.uniform(0.8, 1.6), 2.05), p=(0.2, 0.4, 0.1, 0.3))
    cuts[WAIST] = rng.uniform(0.15, 0.45)
    cuts[LEGS] = -rng.choice((0.12, rng.uniform(0.3, 1.05), rng.uniform(1.05, 1.9), 2.1), p=(0.12, 0.33, 0.1, 0.45))
    cuts[SHOE_CUT] = -rng.choice((9, 2.05, 1.9, 1.6), p=(0.2, 0.5, 0.2, 0.1))
    cuts[SOCK_CUT] = -rng.choice((9, rng.uniform(1.2, 1.95)), p=(0.5, 0.5))
    cuts[HAIRLINE] = rng.choice((9, rng.uniform(0.02, 0.06)), p=(0.12 if male else 0.02, 0.88 if male else 0.98))
    cuts[HAIR_LENGTH] = rng.uniform(0.45, 1.25) if not male else rng.uniform(1.1, 1.3)
    if not bare and rng.random() < 0.8:  # the rest shows the belly
        cuts[HEM] = min(cuts[HEM], cuts[WAIST] - 0.03)
    skirt = dress or (not male and rng.random() < 0.15)
    cuts[SKIRT_CUT] = -rng.uniform(0.35, 1.5)
    if skirt:
        cuts[LEGS] = max(cuts[LEGS], -0.2)
    hair = bool(cuts[HAIRLINE] < 1 and rng.random() < (0.1 if male else 0.6))
    colours, pattern, gloss = _materials(rng)
    if dress or rng.random() < 0.1:  # one piece, or a suit of one stuff
        cuts[HEM] = 9 if bare else min(cuts[HEM], cuts[WAIST] - 0.05)
        colours[TROUSERS], pattern[TROUSERS] = colours[SHIRT], pattern[SHIRT]
    snug = rng.random() < 0.35
    loose = (0.0, 0.002) if snug else (float(rng.uniform(0, 0.02)), float(rng.uniform(0, 0.025)))
    return Look(colours, pattern, gloss, cuts, loose, bool(skirt), hair, float(rng.uniform(0.05, 0.5)))


def _materials(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    n = len(MATERIALS)
    colours = np.stack([_cloth_colours(rng, n), _cloth_colours(rng, n)], axis=1)
    pattern = np.zeros((n, 3), np.float32)
    pattern[:, 1], pattern[:, 2] = np.exp(rng.uniform(np.log(3), np.log(40), n)), rng.random(n)
    for m in (SHIRT, TROUSERS):
        shares = (0.42, 0.1, 0.05, 0.06, 0.09, 0.05, 0.07, 0.1, 0.06)
        pattern[m, 0] = rng.choice(9, p=shares)
    tone = rng.random() ** 1.8
    skin = np.array([0.80, 0.52, 0.38]) * (1 - tone) + np.array([0.09, 0.045, 0.03]) * tone
    skin = skin * np.exp(rng.normal(0, 0.12)) * (1 + rng.normal(0, 0.04, 3))
    hair = rng.uniform(0.01, 0.1) * np.array([1, 0.75, 0.55]) if rng.random() < 0.6 else np.array(
        ((0.35, 0.22, 0.09), (0.22, 0.07, 0.03), (0.4, 0.4, 0.4), (0.1, 0.06, 0.03))[rng.integers(4)])
    colours[SKIN], colours[HAIRS], colours[BROW] = skin, hair, hair * 0.8
    colours[LIPS] = skin * (0.85, 0.5, 0.5)
    if rng.random() < 0.3:
        colours[SOCK] = 0.75
    gloss = rng.uniform(0, 0.12, n) + (rng.random(n) < 0.15) * rng.uniform(0, 0.5, n)
    gloss[SKIN] = rng.uniform(0.02, 0.25)
    return colours.astype(np.float32), pattern, gloss.astype(np.float32)


def _cloth_colours(rng: np.random.Generator, n: int) -> Any:
    """Linear colours as clothes have them: black, white, grey, blue often, and any other."""
    hue = rng.uniform(0, 1, (n, 3))
    hue /= hue.max(1, keepdims=True)
    vivid = rng.uniform(0, 1, (n, 1)) ** 1.5
    light = np.exp(rng.uniform(np.log(0.02), np.log(0.9), (n, 1)))
    out = (hue**1.5 * vivid + (1 - vivid)) * light
    kind = rng.random(n)
    out[kind < 0.14] = rng.uniform(0.005, 0.03)
    out[(kind >= 0.14) & (kind < 0.26)] = rng.uniform(0.6, 0.9)
    denim = (kind >= 0.26) & (kind < 0.36)
    out[denim] = np.array([0.03, 0.06, 0.14]) * np.exp(rng.normal(0, 0.5))
    return out


def cover(body: Body, where: Chart, look: Look) -> Float[np.ndarray, " vertex"]:
    """Where helper geometry is worn: not negative there, crossing zero at its edges. The body itself is 1."""
    cuts, height, reach = look.cuts, where.height, where.reach
    keep = np.ones(len(height), np.float32)
    rows = {layer: rows_of(body, layer) for layer in (TIGHTS, SKIRT, HAIR)}
    shirt = np.minimum.reduce([height - cuts[HEM], cuts[NECKLINE] - height, cuts[SLEEVE] - reach])
    trousers = np.minimum.reduce([cuts[WAIST] - height, height - cuts[LEGS], 0.01 - reach])
    keep[rows[TIGHTS]] = np.maximum(shirt, trousers)[rows[TIGHTS]]
    low = -cuts[SKIRT_CUT]
    # The skirt hangs from the waist to just above the ankles of the base shape.
    top, bottom = where.rest[rows[SKIRT], 1].max(), where.rest[rows[SKIRT], 1].min()
    down = (top - where.rest[rows[SKIRT], 1]) / (top - bottom) * 1.9
    keep[rows[SKIRT]] = low - down + 0.25 if look.skirt else -1
    keep[rows[HAIR]] = (where.rest[rows[HAIR], 1] - (where.face[0] - 0.35 * (1.25 - cuts[HAIR_LENGTH]) / 0.8 - 0.03)
                        ) if look.hair else -1
    return keep


def loosened(
    body: Body, where: Chart, look: Look, vertices: Float[np.ndarray, "vertex 3"],
    normals: Float[np.ndarray, "vertex 3"], field: Float[np.ndarray, " vertex"],
) -> Float[np.ndarray, "vertex 3"]:
    """Rest vertices with clothes pushed outward: evenly, and by folds; everything worn at least a few millimetres.

    Args:
        field: smooth noise over the vertices, about -1..1.
    """
    off = np.zeros(len(vertices), np.float32)
    cloth = rows_of(body, TIGHTS, SKIRT)
    off[cloth] = 0.003 + np.where(where.height < look.cuts[WAIST], look.loose[1], look.loose[0])[cloth] * (
        1 + 0.6 * field[cloth])
    skin = rows_of(body, BODY)
    foot = skin[where.height[skin] < look.cuts[SHOE_CUT]]
    off[foot] = 0.006
    return vertices + normals * off[:, None]
