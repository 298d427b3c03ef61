"""What a detector does to keypoints: MoveNet's faults, measured on real photographs and calibrated cameras.

Gaussian noise on projected motion capture is not what a detector gives. It puts joints elsewhere than a marker set
does (`redefine`), misses some, is far off with a few, errs more on whatever the body hides, and now and then takes
left for right (`disturb`). The figures are in `noise.json`, each with its source;
`scripts/measure_detector.py` measures them. Lengths in the image are in Sun 2020's unit: the largest shoulder-hip
distance is 0.5.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.geometry.normalise import torso_scale_2d
from samepose.skeleton import BODY13

_FEWEST = 6  # joints that stay: a person of whom less is seen is seldom found at all
_NAMES = ("nose", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_KIND = np.array([_NAMES.index(j.split("_")[-1]) for j in BODY13.joints])  # joint -> name: left and right are alike
_SIDE = np.array([{"l": 1.0, "r": -1.0}.get(j[0], 0.0) for j in BODY13.joints], np.float32)
_L_SHOULDER, _R_SHOULDER, _L_HIP, _R_HIP = (
    BODY13.index(f"{side}_{joint}") for joint in ("shoulder", "hip") for side in ("left", "right")
)
_LIMB = np.array([  # 0 head, 1 and 2 arms, 3 and 4 legs
    0 if k == 0 else (1 if k <= 3 else 3) + (side < 0) for k, side in zip(_KIND, _SIDE)
])
_ARMS, _LEGS = np.isin(_KIND, (2, 3)), np.isin(_KIND, (5, 6))  # without the joints that hold them

# What may stand before a joint: bones as (end, end, radius in torso lengths; ours: half a limb's width and a little).
_COVERS = (
    *((BODY13.index(f"{side}_{a}"), BODY13.index(f"{side}_{b}"), radius)
      for side in ("left", "right")
      for a, b, radius in (("shoulder", "elbow", 0.08), ("elbow", "wrist", 0.07), ("hip", "knee", 0.12),
                           ("knee", "ankle", 0.08), ("shoulder", "hip", 0.15))),
    (_L_SHOULDER, _R_HIP, 0.15), (_R_SHOULDER, _L_HIP, 0.15),
)
_BEHIND = 0.15  # torso lengths by which a cover must be nearer to the camera
_AWAY = 0.5  # cosine between the body's forward and the view from which on it is seen from behind


@runtime_checkable
class Draws(Protocol):
    """Where randomness comes from: numpy's generator, or one whose numbers depend on each other."""

    def random(self, size: Any, dtype: Any) -> Any: ...

    def standard_normal(self, size: Any, dtype: Any) -> Any: ...

    def uniform(self, low: Any, high: Any, size: Any) -> Any: ...


@dataclass(frozen=True, eq=False)
class DetectorNoise:
    """Faults per BODY13 joint, (13,), and per view; rates are means over views, lengths as the module says.

    A view's difficulty q is uniform in 0..1: 0 is a large sharp person, 1 a small one in an odd pose. Spreads grow
    by `small` ** q, and rates are 2 q times their mean.

    Attributes:
        core: standard deviation per image axis, of a large sharp person.
        tail, reach: rate of gross errors, and their standard deviation per axis.
        miss, miss_hidden: rate of joints scored too low, and what is added when the body hides the joint.
        outward, up, forward: where the detector sees the joint of a marker set, torso lengths in body axes.
        ankle_to_knee: and how far up the shank, as a share of it.
        small: spread of a small person over that of a large one.
        shared: share of the variance that the joints of a limb have in common.
        hidden_core, hidden_tail: factors for joints that the body hides.
        swap_arms, swap_legs, swap_all, swap_all_back: rates of left taken for right; the last from behind.
        definition_spread: offsets of the definition vary by ± this share from body to body,
        definition_floor: and by this standard deviation in torso lengths.
    """

    core: Float[np.ndarray, "13"]
    tail: Float[np.ndarray, "13"]
    reach: Float[np.ndarray, "13"]
    miss: Float[np.ndarray, "13"]
    miss_hidden: Float[np.ndarray, "13"]
    outward: Float[np.ndarray, "13"]
    up: Float[np.ndarray, "13"]
    forward: Float[np.ndarray, "13"]
    ankle_to_knee: float
    small: float
    shared: float
    hidden_core: float
    hidden_tail: float
    swap_arms: float
    swap_legs: float
    swap_all: float
    swap_all_back: float
    definition_spread: float
    definition_floor: float

    @classmethod
    def from_json(cls, text: str) -> DetectorNoise:
        """The figures of a file such as `noise.json`."""
        fields = json.loads(text)
        table = fields["joints"]
        per_joint: dict[str, Any] = {
            key: np.array([table[_NAMES[k]][key] for k in _KIND], np.float32) for key in table["nose"]
        }
        return cls(**per_joint, **fields["view"])

    def redefine(self, body: Float[np.ndarray, "n 13 3"], rng: Draws) -> Float[np.ndarray, "n 13 3"]:
        """Where the detector looks for the joints of motion capture. All views of a body share it: do this first.

        Args:
            body: BODY13 in any right-handed axes and unit.
        """
        n, (axes, length) = len(body), _torso(body)
        share = 1 + self.definition_spread * rng.uniform(-1, 1, (n, len(_NAMES), 1)).astype(np.float32)[:, _KIND]
        floor = self.definition_floor * rng.standard_normal((n, len(_NAMES), 3), np.float32)[:, _KIND]
        offset = np.stack([self.outward, self.up, self.forward], axis=1) * share + floor
        offset[..., 0] *= _SIDE
        moved: np.ndarray = body + (offset @ axes) * length[:, None, None]
        for side in ("left", "right"):
            knee, ankle = BODY13.index(f"{side}_knee"), BODY13.index(f"{side}_ankle")
            moved[:, ankle] += (body[:, knee] - body[:, ankle]) * (self.ankle_to_knee * share[:, ankle])
        return moved.astype(body.dtype, copy=False)

    def disturb(
        self, points: Float[np.ndarray, "n 13 2"], turned: Float[np.ndarray, "n 13 3"], rng: Draws
    ) -> Float[np.ndarray, "n 13 2"]:
        """Keypoints as the detector gives them; NaN where it misses a joint. Every view errs on its own.

        Args:
            points: true BODY13 keypoints, x right and y down, any unit.
            turned: the same joints in camera axes (x right, y down, z away), any unit: tells what hides what.
        """
        n = len(points)
        hidden = hidden_joints(turned)
        difficulty = rng.random((n, 1), np.float32)
        rate = 2 * difficulty
        unit = 2 * torso_scale_2d(points)[:, None, None]
        error = self._core_errors(n, rng) * (self.small**difficulty * np.where(hidden, self.hidden_core, 1))[..., None]
        gross = rng.random((n, 13), np.float32) < self.tail * rate * np.where(hidden, self.hidden_tail, 1)
        error[gross] += (rng.standard_normal((n, 13, 2), np.float32) * self.reach[:, None])[gross]
        seen = np.take_along_axis(points, self._swapped(rate[:, 0], hidden[:, 0], rng)[..., None], axis=1)
        missed = rng.random((n, 13), np.float32) < self.miss * rate + self.miss_hidden * hidden
        missed &= (13 - missed.sum(axis=1, keepdims=True)) >= _FEWEST
        out: np.ndarray = np.where(missed[..., None], np.nan, seen + error * unit).astype(points.dtype, copy=False)
        return out

    def _core_errors(self, n: int, rng: Draws) -> Float[np.ndarray, "n 13 2"]:
        own = rng.standard_normal((n, 13, 2), np.float32) * np.float32(np.sqrt(1 - self.shared))
        limb = rng.standard_normal((n, 5, 2), np.float32) * np.float32(np.sqrt(self.shared))
        errors: np.ndarray = (own + limb[:, _LIMB]) * self.core[:, None]
        return errors

    def _swapped(
        self, rate: Float[np.ndarray, " n"], behind: Bool[np.ndarray, " n"], rng: Draws
    ) -> Int[np.ndarray, "n 13"]:
        """Which joint is reported in each place."""
        order = np.tile(np.arange(13), (len(rate), 1))
        everything = np.where(behind, self.swap_all_back, self.swap_all)
        for joints, share in ((_ARMS, self.swap_arms), (_LEGS, self.swap_legs), (_SIDE != 0, everything)):
            swap = (rng.random(len(rate), np.float64) < share * rate)[:, None] & joints
            order = np.where(swap, BODY13.mirror[order], order)
        return order


@cache
def movenet_noise() -> DetectorNoise:
    """The shipped detector's."""
    return DetectorNoise.from_json((files("samepose.detection") / "noise.json").read_text("utf-8"))


def hidden_joints(turned: Float[np.ndarray, "n 13 3"]) -> Bool[np.ndarray, "n 13"]:
    """Joints that lie behind a limb or the torso, taken as straight tubes seen from afar.

    The nose is hidden whenever the torso is seen from behind.

    Args:
        turned: BODY13 in camera axes (x right, y down, z away).
    """
    axes, length = _torso(turned)
    unit = np.ascontiguousarray((turned / length[:, None, None]).transpose(2, 1, 0))  # (3, 13, n): whole rows
    hidden = np.zeros(unit.shape[1:], np.bool_)
    for a, b, radius in _COVERS:
        start, bone = unit[:, a], unit[:, b] - unit[:, a]
        gap = unit - start[:, None]
        flat = np.maximum(bone[0] ** 2 + bone[1] ** 2, 1e-6)
        along = np.clip((gap[0] * bone[0] + gap[1] * bone[1]) / flat, 0, 1)
        gap -= along * bone[:, None]
        covered = (gap[0] ** 2 + gap[1] ** 2 < radius**2) & (gap[2] > _BEHIND)
        covered[[a, b]] = False
        hidden |= covered
    hidden[0] |= axes[:, 2, 2] > _AWAY
    return hidden.T


def _torso(body: Float[np.ndarray, "n 13 3"]) -> tuple[Float[np.ndarray, "n 3 3"], Float[np.ndarray, " n"]]:
    """Rows left, up and forward of the torso, and its length from hips to shoulders."""
    across = body[:, _L_SHOULDER] - body[:, _R_SHOULDER] + body[:, _L_HIP] - body[:, _R_HIP]
    spine = (body[:, _L_SHOULDER] + body[:, _R_SHOULDER] - body[:, _L_HIP] - body[:, _R_HIP]) / 2
    length = np.maximum(np.sqrt((spine**2).sum(axis=1)), 1e-6)
    up = spine / length[:, None]
    left = across - (across * up).sum(axis=1, keepdims=True) * up
    left /= np.maximum(np.sqrt((left**2).sum(axis=1, keepdims=True)), 1e-6)
    return np.stack([left, up, np.cross(left, up)], axis=1), length
