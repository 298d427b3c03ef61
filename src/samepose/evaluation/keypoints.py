"""How near found joints are to marked ones: PCK, PCKh, area under the curve, by joint, stage and viewpoint.

A joint is found when it lies within alpha times a length of the person: the torso, left shoulder to right hip, for PCK
(Sapp & Taskar 2013; Wei 2016, section 4.2), the head for PCKh (Andriluka 2014).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from samepose.formats.labelled import LabelledPeople
from samepose.skeleton import Skeleton

LIMB_JOINTS = tuple(f"{side}_{stem}" for stem in ("ankle", "knee", "hip", "wrist", "elbow", "shoulder")
                    for side in ("left", "right"))
NOT_IN_PCKH = ("pelvis", "thorax")  # left out of the total by MPII's evaluation code (Andriluka 2014)
ALPHAS = (0.05, 0.1, 0.2)
VIEWPOINTS = ("front", "side", "back")

_SHORTEST_TORSO = 5.0  # pixels; shorter ones say nothing
_HEAD_OF_BOX = 0.6  # of the diagonal of MPII's head box (Andriluka 2014's evaluation code)
_SIDEWAYS = 0.35  # of the length of the trunk: narrower shoulders and hips are seen from the side (ours)
_CURVE = 21  # thresholds from 0 on, evenly spaced, of a curve


@dataclass(frozen=True)
class Rates:
    """Shares of the counted joints that were found, 0..1; None where there was nothing to count.

    Attributes:
        mean: of the joints that both labels and detector have, each with equal weight; some measures leave some out.
        mean12: of the 12 limb joints (`LIMB_JOINTS`).
        per_joint: by joint of the labels; None for one that the detector does not give.
        people: with at least one counted joint.
    """

    mean: float | None
    mean12: float | None
    per_joint: Mapping[str, float | None]
    people: int

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return {"mean": self.mean, "mean12": self.mean12, "per_joint": dict(self.per_joint)}


@dataclass(frozen=True, eq=False)
class Errors:
    """Distances of found joints from marked ones in lengths of the person.

    Attributes:
        joints: names, as the labels have them.
        values: (N, J) NaN where not counted, infinite where the detector found nothing.
        not_in_mean: joints that the mean of all joints leaves out.
    """

    joints: tuple[str, ...]
    values: Float[np.ndarray, "n joint"]
    not_in_mean: tuple[str, ...] = ()

    def rates(self, alpha: float, rows: Bool[np.ndarray, " n"] | slice = slice(None)) -> Rates:
        """Shares within `alpha`, of all people or of some rows."""
        values = self.values[rows]
        counted = ~np.isnan(values)
        hits = (values <= alpha).sum(axis=0)
        per_joint = {
            joint: float(hit / n) if n else None for joint, hit, n in zip(self.joints, hits, counted.sum(axis=0))
        }
        limbs = [per_joint.get(joint) for joint in LIMB_JOINTS]
        total = [rate for joint, rate in per_joint.items() if joint not in self.not_in_mean]
        return Rates(_mean(total), _mean(limbs), per_joint, int(counted.any(axis=1).sum()))

    def area(self, upto: float) -> Rates:
        """Area under the curve of the rates from 0 to `upto`, as a share of what it could be."""
        curve = [self.rates(alpha) for alpha in np.linspace(0, upto, _CURVE)]
        per_joint = {joint: _trapezoid([c.per_joint[joint] for c in curve]) for joint in self.joints}
        mean, mean12 = _trapezoid([c.mean for c in curve]), _trapezoid([c.mean12 for c in curve])
        return Rates(mean, mean12, per_joint, curve[0].people)


def errors(
    found: Float[np.ndarray, "n joint 2"],
    truth: Float[np.ndarray, "n joint 2"],
    units: Float[np.ndarray, " n"],
    counted: Bool[np.ndarray, "n joint"],
    skeleton: Skeleton,
    not_in_mean: tuple[str, ...] = (),
) -> Errors:
    """Distances in `units`.

    Args:
        found: pixels; NaN where the detector found nothing, which is as wrong as can be.
        truth: pixels; NaN where nothing was marked, which is not counted.
        units: pixels per unit; people with NaN are not counted.
        counted: joints not to leave out for other reasons.
    """
    distances = np.linalg.norm(found.astype(np.float64) - truth, axis=-1)
    distances = np.where(np.isnan(distances), np.inf, distances) / units[:, None]
    valid = counted & ~np.isnan(truth).any(axis=-1) & ~np.isnan(units)[:, None]
    return Errors(skeleton.joints, np.where(valid, distances, np.nan), not_in_mean)


def torso_units(people: LabelledPeople, *, occluded: bool = False) -> Float[np.ndarray, " n"]:
    """Pixels from left shoulder to right hip; NaN where one is not marked or they are closer than 5 pixels.

    Args:
        occluded: also measure between joints that were marked although they are hidden.
    """
    skeleton = people.poses.skeleton
    shown = people.poses.points if occluded else np.where(people.occluded[..., None], np.nan, people.poses.points)
    length = np.linalg.norm(shown[:, skeleton.index("left_shoulder")] - shown[:, skeleton.index("right_hip")], axis=-1)
    units: np.ndarray = np.where(length >= _SHORTEST_TORSO, length, np.nan)
    return units


def head_units(people: LabelledPeople) -> Float[np.ndarray, " n"]:
    """Pixels of the head: 0.6 of its box's diagonal, else upper neck to crown; NaN where neither is marked."""
    units = _HEAD_OF_BOX * np.linalg.norm(people.heads[:, 2:] - people.heads[:, :2], axis=-1)
    skeleton, points = people.poses.skeleton, people.poses.points
    if {"neck", "head_top"} <= set(skeleton.joints):
        bone = np.linalg.norm(points[:, skeleton.index("neck")] - points[:, skeleton.index("head_top")], axis=-1)
        units = np.where(np.isnan(units), bone, units)
    return np.where(units > 0, units, np.nan)


def viewpoints(points: Float[np.ndarray, "n joint 2"], skeleton: Skeleton) -> list[str]:
    """"front", "side" or "back": the side of the person that the camera sees, "" where the trunk is not marked.

    With the trunk upright in the image, the left shoulder and hip lie on the right of somebody who faces the camera.
    """
    across, length = _across(points, skeleton, "shoulder"), _trunk(points, skeleton)
    across = (across + _across(points, skeleton, "hip")) / 2 / np.maximum(np.linalg.norm(length, axis=-1), 1e-6)
    return ["" if np.isnan(a) else "front" if a > _SIDEWAYS else "back" if a < -_SIDEWAYS else "side" for a in across]


def observer_centric(points: Float[np.ndarray, "n joint 2"], skeleton: Skeleton) -> Float[np.ndarray, "n joint 2"]:
    """Left and right as the observer sees them: named as if everybody were seen from behind (Eichner & Ferrari 2012).

    Arms are renamed by where the shoulders lie beside the trunk, legs by the hips. LSP's labels are person-centric;
    the older figures on it count a detector right that does not tell front from back.
    """
    out = points.copy()
    mirror = skeleton.mirror
    for girdle, limbs in (("shoulder", ("shoulder", "elbow", "wrist")), ("hip", ("hip", "knee", "ankle"))):
        facing = _across(points, skeleton, girdle) > 0
        columns = np.array([i for i, joint in enumerate(skeleton.joints) if joint.partition("_")[2] in limbs])
        out[np.ix_(facing, columns)] = points[np.ix_(facing, mirror[columns])]
    return out


def _trunk(points: Float[np.ndarray, "n joint 2"], skeleton: Skeleton) -> Float[np.ndarray, "n 2"]:
    """From the middle of the hips to the middle of the shoulders."""
    pairs = [[skeleton.index(f"{side}_{stem}") for side in ("left", "right")] for stem in ("shoulder", "hip")]
    trunk: np.ndarray = points[:, pairs[0]].mean(axis=1) - points[:, pairs[1]].mean(axis=1)
    return trunk


def _across(points: Float[np.ndarray, "n joint 2"], skeleton: Skeleton, girdle: str) -> Float[np.ndarray, " n"]:
    """How far the left shoulder or hip lies to the right of the right one in pixels, the trunk being upright."""
    width = points[:, skeleton.index(f"left_{girdle}")] - points[:, skeleton.index(f"right_{girdle}")]
    trunk = _trunk(points, skeleton)
    up = trunk / np.maximum(np.linalg.norm(trunk, axis=-1, keepdims=True), 1e-6)
    across: np.ndarray = width[:, 1] * up[:, 0] - width[:, 0] * up[:, 1]  # y points down: right of `up` is (-y, x)
    return across


def _mean(rates: list[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return float(np.mean(known)) if known else None


def _trapezoid(curve: list[float | None]) -> float | None:
    known = [rate for rate in curve if rate is not None]
    return float((sum(known) - (known[0] + known[-1]) / 2) / (_CURVE - 1)) if len(known) == _CURVE else None
