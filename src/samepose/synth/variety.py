"""More poses than the motion capture holds: mirrored, recombined, loosened and turned over.

Motion capture mostly stands and walks; photographs of sport and dance do not. `varied` mirrors half of the poses,
takes the upper body from another frame (`recombined`), replaces arms and legs by random ones within what joints
allow (`loosened`), and turns a share of the whole bodies every way (`turned`), which gives lying, falling and
upside-down people.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.skeleton import H36M17
from samepose.synth.pose import rotation

_J = {name: k for k, name in enumerate(H36M17.joints)}
_UPPER = [_J[j] for j in ("thorax", "neck", "head_top", *(f"{s}_{j}" for s in ("left", "right")
                                                         for j in ("shoulder", "elbow", "wrist")))]


@dataclass(frozen=True)
class Variety:
    """Shares of the poses, 0..1 (ours).

    Attributes:
        mirrored: left and right exchanged.
        recombined: upper body of another frame.
        loosened: each arm and leg replaced with probability a half.
        turned: the whole body turned any way round.
    """

    mirrored: float = 0.5
    recombined: float = 0.3
    loosened: float = 0.3
    turned: float = 0.25


def varied(
    points: Float[np.ndarray, "pose 17 3"], rng: np.random.Generator, shares: Variety = Variety()
) -> Float[np.ndarray, "pose 17 3"]:
    """New poses from captured ones (H36M17, y up), as many as were given, the pelvis at the origin."""
    n = len(points)
    out = (points - points[:, :1]).astype(np.float64)
    chosen = rng.random(n) < shares.recombined
    out[chosen] = _recombined(out[chosen], out[rng.permutation(n)][chosen])
    chosen = rng.random(n) < shares.loosened
    for side in ("left", "right"):
        for limb in (_loose_arm, _loose_leg):
            rows = np.flatnonzero(chosen & (rng.random(n) < 0.5))
            limb(out, rows, side, rng)
    chosen = rng.random(n) < shares.mirrored
    out[chosen] = out[chosen][:, H36M17.mirror] * (-1, 1, 1)
    chosen = rng.random(n) < shares.turned
    out[chosen] = np.einsum("nab,njb->nja", _any_turn(int(chosen.sum()), rng), out[chosen])
    return out


def _recombined(low: Float[np.ndarray, "pose 17 3"], high: Float[np.ndarray, "pose 17 3"]) -> Any:
    """Legs and spine of one pose, the rest of another in the axes of its own pelvis."""
    moved = np.einsum("nab,njb->nja", _pelvis(low) @ np.swapaxes(_pelvis(high), 1, 2), high)
    out = low.copy()
    out[:, _UPPER] = moved[:, _UPPER] - moved[:, [_J["spine"]]] + low[:, [_J["spine"]]]
    return out


def _loose_arm(out: Any, rows: Any, side: str, rng: np.random.Generator) -> None:
    """The upper arm anywhere but through the chest, the elbow bent 0..140 degrees about any axis."""
    outward = 1.0 if side == "left" else -1.0
    n = len(rows)
    aim = rng.normal(0, 1, (n, 3))
    aim[:, 0] = np.where(outward * aim[:, 0] < -0.3, -aim[:, 0], aim[:, 0])
    aim[:, 2] += 0.3  # arms reach forward more than back
    upper = np.einsum("nab,nb->na", _chest(out[rows]), aim)
    _place(out, rows, (f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist"), upper,
           _bent(upper, rng.normal(0, 1, (n, 3)), np.radians(rng.uniform(0, 140, n))))


def _loose_leg(out: Any, rows: Any, side: str, rng: np.random.Generator) -> None:
    """The thigh up to 125 degrees forward, 40 back, 75 out and 20 in; the knee bent 0..140 degrees backward."""
    outward = 1.0 if side == "left" else -1.0
    n = len(rows)
    forward = np.radians(rng.uniform(-40, 125, n))
    aside = outward * np.radians(rng.uniform(-20, 75, n))
    aim = np.stack([np.sin(aside), -np.cos(aside) * np.cos(forward), np.cos(aside) * np.sin(forward)], axis=1)
    pelvis = _pelvis(out[rows])
    upper = np.einsum("nab,nb->na", pelvis, aim)
    back = -np.einsum("nab,nb->na", pelvis, np.stack([0 * forward, np.sin(forward), np.cos(forward)], axis=1))
    bend = np.radians(140) * rng.random(n) ** 1.5
    _place(out, rows, (f"{side}_hip", f"{side}_knee", f"{side}_ankle"), upper, _bent(upper, back, bend))


def _bent(upper: Any, towards: Any, angle: Any) -> Any:
    """Directions that leave `upper` by an angle towards another direction."""
    upper = upper / np.linalg.norm(upper, axis=1, keepdims=True)
    aside = towards - upper * (upper * towards).sum(1, keepdims=True)
    aside /= np.maximum(np.linalg.norm(aside, axis=1, keepdims=True), 1e-9)
    return np.cos(angle)[:, None] * upper + np.sin(angle)[:, None] * aside


def _place(out: Any, rows: Any, joints: tuple[str, str, str], upper: Any, lower: Any) -> None:
    """Turn the two bones of a limb, keeping their lengths."""
    old = out[rows]
    for (a, b), aim in zip(pairwise(joints), (upper, lower), strict=True):
        length = np.linalg.norm(old[:, _J[b]] - old[:, _J[a]], axis=1, keepdims=True)
        out[rows, _J[b]] = out[rows, _J[a]] + length * aim / np.maximum(np.linalg.norm(aim, axis=1)[:, None], 1e-9)


def _pelvis(p: Any) -> Any:
    return _axes(p[:, _J["left_hip"]] - p[:, _J["right_hip"]], p[:, _J["spine"]] - p[:, _J["pelvis"]])


def _chest(p: Any) -> Any:
    return _axes(p[:, _J["left_shoulder"]] - p[:, _J["right_shoulder"]], p[:, _J["thorax"]] - p[:, _J["spine"]])


def _axes(x: Any, y: Any) -> Any:
    """Columns: left, up, forward."""
    y = y / np.maximum(np.linalg.norm(y, axis=1, keepdims=True), 1e-9)
    x = x - y * (x * y).sum(1, keepdims=True)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def _any_turn(n: int, rng: np.random.Generator) -> Any:
    """Turns about any level axis by up to 180 degrees: leaning, lying and upside down alike."""
    angle, azimuth = rng.uniform(0, np.pi, n), rng.uniform(-np.pi, np.pi, n)
    axis = np.stack([np.cos(azimuth), 0 * angle, np.sin(azimuth)], axis=1)
    return rotation(axis * angle[:, None])
