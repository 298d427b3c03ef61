"""From a file's joints to upright H36M17 poses in metres: derive, rescale, turn, and say what was done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from samepose.errors import FormatError
from samepose.formats.joint_names import JointMap, Matched, match_joints
from samepose.skeleton import DERIVED, H36M17

Points = Float[np.ndarray, "frame 17 3"]
_UNITS = (("metres", 1.0), ("centimetres", 0.01), ("millimetres", 0.001), ("inches", 0.0254),
          ("CMU BVH units", 0.056444), ("decimetres", 0.1), ("feet", 0.3048))
_PLAUSIBLE = (0.7, 1.7)  # metres of thigh + shin + trunk, from a child to the tallest
_USUAL = 1.34  # metres of the same in an adult of 1.75 m
_CROWN = 0.14  # head joint to crown, as a share of thigh + shin + trunk
_MIRRORED = -0.02  # knees and toes bend backwards by so much of a leg's length: left and right are exchanged
_SOLID = (
    ("pelvis", "thorax"), ("left_hip", "right_hip"),
    *((f"{s}_{a}", f"{s}_{b}") for s in ("left", "right")
      for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))),
)


def to_body(
    path: Path | str,
    names: tuple[str, ...],
    points: Float[np.ndarray, "frame joint 3"],
    joint_map: JointMap | None = None,
    *,
    z_up: bool = False,
) -> tuple[Float[np.ndarray, "kept 17 3"], Int[np.ndarray, " kept"], tuple[str, ...]]:
    """H36M17 in metres, y up, from a file's own joints.

    Args:
        path: begins every message.
        names: the file's J joint names.
        points: (T, J, 3) in any unit.
        joint_map: see `match_joints`.
        z_up: the format usually has z up, so upright bodies along z are turned without further doubt.

    Returns:
        points (T', 17, 3) float32; the kept frames (T',) int64; notes, one line each, of every repair.

    Raises:
        FormatError: joints that cannot be told, no complete frame, or a bone without length.
    """
    matched = match_joints(path, names, joint_map)
    kept = np.flatnonzero(np.isfinite(points[:, sorted({c for cs in matched.columns.values() for c in cs})])
                          .all(axis=(1, 2)))
    notes: list[str] = []
    if len(kept) == 0:
        raise FormatError(f"{path}: no frame has all joints; give a file whose joints are complete")
    if len(kept) < len(points):
        notes.append(f"{len(points) - len(kept)} of {len(points)} frames dropped: joints are missing (NaN)")
    named = {joint: points[kept][:, list(columns)].mean(axis=1) for joint, columns in matched.columns.items()}
    body = _assemble(named)
    sound = _with_bones(path, body)
    if not sound.all():
        notes.append(f"{(~sound).sum()} of {len(points)} frames dropped: joints lie at one point")
        body, kept, named = body[sound], kept[sound], {joint: track[sound] for joint, track in named.items()}
    body = _unmirrored(body, named, notes)
    body = _upright(_in_metres(body, matched, notes), z_up, notes)
    return body.astype(np.float32), kept, tuple(notes)


def trunk_and_leg(body: Points) -> float:
    """Median length of thigh + shin + trunk, a measure of size that no posture changes."""
    def bone(a: str, b: str) -> np.ndarray:
        length: np.ndarray = np.linalg.norm(body[:, H36M17.index(a)] - body[:, H36M17.index(b)], axis=-1)
        return length
    legs = sum(bone(f"{s}_hip", f"{s}_knee") + bone(f"{s}_knee", f"{s}_ankle") for s in ("left", "right")) / 2
    return float(np.median(legs + bone("pelvis", "thorax")))


def _assemble(named: dict[str, np.ndarray]) -> Points:
    have = dict(named)
    for joint in ("pelvis", "thorax", "spine"):
        for group in DERIVED[joint]:
            if joint not in have and all(j in have for j in group):
                have[joint] = np.mean([have[j] for j in group], axis=0)
    if "neck" not in have:
        have["neck"] = (have["thorax"] + have["head_top"]) / 2
    stem = have["neck"] - have["thorax"]
    size = trunk_and_leg(np.stack([have.get(j, have["neck"]) for j in H36M17.joints], axis=1))
    top = have.get("head_top")
    # Many rigs end the head in a stub of one unit: that is no crown.
    if top is None or np.median(np.linalg.norm(top - have["neck"], axis=-1)) < 0.03 * size:
        have["head_top"] = have["neck"] + _head_axis(have, stem) * _CROWN * size
    return np.stack([have[j] for j in H36M17.joints], axis=1)


def _head_axis(have: dict[str, np.ndarray], stem: np.ndarray) -> np.ndarray:
    """Unit vector from head joint to crown: from the eyes, which sit as far above as before it, else along the neck."""
    if "left_eye" in have and "right_eye" in have:
        lateral = have["left_eye"] - have["right_eye"]
        eyes = (have["left_eye"] + have["right_eye"]) / 2 - have["neck"]
        stem = eyes + np.cross(eyes, lateral / np.maximum(np.linalg.norm(lateral, axis=-1, keepdims=True), 1e-12))
    unit: np.ndarray = stem / np.maximum(np.linalg.norm(stem, axis=-1, keepdims=True), 1e-12)
    return unit


def _with_bones(path: Path | str, body: Points) -> np.ndarray:
    """Which frames (T,) have all bones: capture that lost its subject is often written as zeros.

    Raises:
        FormatError: a bone has no length in most of them.
    """
    size, sound = trunk_and_leg(body), np.ones(len(body), np.bool_)
    for a, b in _SOLID:
        long = np.linalg.norm(body[:, H36M17.index(a)] - body[:, H36M17.index(b)], axis=-1) > 0.01 * size
        if 2 * long.sum() <= len(long):
            raise FormatError(f"{path}: {a} and {b} lie at one point; its capture lost its subject, or other joints "
                              "are meant by these names (a joint map tells which)")
        sound &= long
    return sound


def _in_metres(body: Points, matched: Matched, notes: list[str]) -> Points:
    size = trunk_and_leg(body)
    known = matched.convention.metres if matched.convention else None
    for unit, factor in ((("CMU BVH units", known),) if known else ()) + _UNITS:
        if _PLAUSIBLE[0] <= size * factor <= _PLAUSIBLE[1]:
            if factor != 1:
                notes.append(f"scaled by {factor:g}: the lengths are {unit}")
            return body * factor
    notes.append(f"scaled by {_USUAL / size:.3g}: no known unit makes a body of these lengths, so it was given the "
                 "size of an adult of 1.75 m")
    return body * (_USUAL / size)


def _upright(body: Points, z_up: bool, notes: list[str]) -> Points:
    feet = (body[:, H36M17.index("left_ankle")] + body[:, H36M17.index("right_ankle")]) / 2
    up = body[:, H36M17.index("thorax")] - feet
    up = up / np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-9)
    standing = (up > 0.8).mean(axis=0)  # share of frames upright along x, y, z
    # A y-up person who lies all the time looks like a z-up person who stands; formats that are z-up decide at once.
    if not (standing[2] > standing[1] if z_up else standing[1] < 0.01 and standing[2] > 0.5):
        return body
    notes.append("turned from z up to y up")
    return np.stack([body[..., 0], body[..., 2], -body[..., 1]], axis=-1)


def bends_forward(body: Points, toes: Float[np.ndarray, "frame 2 3"] | None = None) -> float:
    """How far knees and toes point to where the body faces if left is left; negative when the sides are exchanged.

    Mean over frames and legs, as a share of the leg's length; y up is not needed.
    """
    at = H36M17.index
    lateral = body[:, at("left_hip")] - body[:, at("right_hip")]
    forward = np.cross(lateral, body[:, at("thorax")] - body[:, at("pelvis")])
    forward /= np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-9)
    total = 0.0
    for k, side in enumerate(("left", "right")):
        hip, knee, ankle = (body[:, at(f"{side}_{j}")] for j in ("hip", "knee", "ankle"))
        shin = ankle - hip
        share = np.sum((knee - hip) * shin, -1, keepdims=True) / np.maximum(np.sum(shin**2, -1, keepdims=True), 1e-9)
        ahead = knee - hip - share * shin
        if toes is not None:
            ahead = ahead + toes[:, k] - ankle
        total += float(np.mean(np.sum(ahead * forward, -1))) / trunk_and_leg(body) / 2
    return total


def _unmirrored(body: Points, named: dict[str, np.ndarray], notes: list[str]) -> Points:
    toes = None
    if "left_toe" in named and "right_toe" in named:
        toes = np.stack([named["left_toe"], named["right_toe"]], axis=1)
    if bends_forward(body, toes) < _MIRRORED:
        notes.append("left and right exchanged: knees and feet pointed backwards")
        return body[:, H36M17.mirror]
    return body
