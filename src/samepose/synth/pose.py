"""From 17 joints of motion capture to the body: every bone turned so that its limb points as in the clip.

Only the directions between joints are taken over, not lengths and not the source's own rest pose, so motion capture
of any convention works alike. What 17 joints do not tell is filled in: twists come from the plane in which an elbow
or knee bends, the collar bones follow the upper arms, hands, feet and the turn of the head are random.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float
from numba import njit
from scipy.spatial.transform import Rotation

from samepose.skeleton import H36M17, SYNTH22
from samepose.synth.body import BONES, PARENT, Body

Frames = Float[np.ndarray, "pose 3 3"]
_JOINT = {name: k for k, name in enumerate(H36M17.joints)}
_STRAIGHT, _BENT = np.radians(8), np.radians(30)  # of an elbow or knee: below, its plane tells nothing about twist
_MOST_TWIST = np.radians(100)
_COLLAR = 0.35  # of the arm's rise above 40 degrees is done by the collar bone


def retarget(
    body: Body, vertices: Float[np.ndarray, "vertex 3"], points: Float[np.ndarray, "pose 17 3"],
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "pose bone 3 3"], Float[np.ndarray, "pose bone 3"]]:
    """Turn the bones of a shape into poses.

    Args:
        vertices: the shape at rest, metres.
        points: H36M17, y up, any unit.
        rng: for hands, feet and the turn of the head.

    Returns:
        Rotation of each bone from rest to pose, and where its head is, with the pelvis at the origin, metres.
    """
    rest = dict(zip(SYNTH22.joints, body.joints(vertices), strict=True))
    at = {name: points[:, k].astype(np.float64) for name, k in _JOINT.items()}
    turn: dict[str, Frames] = {}
    turn["pelvis"] = _trunk(at, rest, "hip", "pelvis", "spine")
    turn["chest"] = _trunk(at, rest, "shoulder", "spine", "thorax")
    between = Rotation.from_matrix(_t(turn["pelvis"]) @ turn["chest"]).as_rotvec()
    turn["belly"] = turn["pelvis"] @ rotation(between * 0.3)
    turn["waist"] = turn["pelvis"] @ rotation(between * 0.65)
    turn["neck"], turn["head"] = _head(at, rest, turn["chest"], rng)
    for s, side in (("l", "left"), ("r", "right")):
        _arm(turn, s, side, at, rest, rng)
        _leg(turn, s, side, at, rest, rng)
    turns = np.stack([turn[bone.name] for bone in BONES], axis=1)
    heads = body.heads(vertices)
    places = np.zeros((len(points), len(BONES), 3))
    for k, parent in enumerate(PARENT):
        if parent >= 0:
            places[:, k] = places[:, parent] + turns[:, parent] @ (heads[k] - heads[parent])
    return turns, places


def posed_joints(
    body: Body, vertices: Float[np.ndarray, "vertex 3"], turns: Float[np.ndarray, "bone 3 3"],
    places: Float[np.ndarray, "bone 3"],
) -> Float[np.ndarray, "22 3"]:
    """The joints of SYNTH22, each carried along rigidly by its bone."""
    k = body.joint_bone
    offsets = body.joints(vertices) - body.heads(vertices)[k]
    return np.einsum("jab,jb->ja", turns[k], offsets) + places[k]


def skin(
    body: Body, vertices: Float[np.ndarray, "vertex 3"], turns: Float[np.ndarray, "bone 3 3"],
    places: Float[np.ndarray, "bone 3"],
) -> Float[np.ndarray, "vertex 3"]:
    """Linear blend skinning: the vertices of a shape in a pose, float32 metres."""
    moves = np.empty((len(BONES), 3, 4), np.float32)
    moves[:, :, :3] = turns
    moves[:, :, 3] = places - np.einsum("bij,bj->bi", turns, body.heads(vertices))
    out = np.empty((len(vertices), 3), np.float32)
    _skin(vertices.astype(np.float32), body.bone, body.weight, moves, out)
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _skin(vertices: Any, bone: Any, weight: Any, moves: Any, out: Any) -> None:
    for v in range(len(vertices)):
        x, y, z = vertices[v]
        a = b = c = np.float32(0)
        for k in range(bone.shape[1]):
            w = weight[v, k]
            if w <= 0:
                break  # they are sorted
            m = moves[bone[v, k]]
            a += w * (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3])
            b += w * (m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3])
            c += w * (m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3])
        out[v, 0], out[v, 1], out[v, 2] = a, b, c


def _trunk(at: dict[str, Any], rest: dict[str, Any], across: str, low: str, high: str) -> Frames:
    def frame(p: dict[str, Any]) -> Any:
        return _frame(p[high] - p[low], p[f"left_{across}"] - p[f"right_{across}"])

    return frame(at) @ _t(frame(rest))


def _head(
    at: dict[str, Any], rest: dict[str, Any], chest: Frames, rng: np.random.Generator
) -> tuple[Frames, Frames]:
    """The skull along neck -> head top, turned at random; the neck half way between chest and skull."""
    n = len(chest)
    aim = _unit(at["head_top"] - at["neck"])
    swing = _swing(_apply(chest, _unit(rest["head_top"] - rest["neck"])), aim)
    # The capture's head top may lie farther forward than ours: no more than 45 degrees either way, plus a nod.
    swing *= np.minimum(1, np.radians(45) / np.maximum(np.linalg.norm(swing, axis=1, keepdims=True), 1e-6))
    nod = _apply(chest, np.array([1.0, 0, 0])) * rng.normal(0, np.radians(10), (n, 1))
    yaw = aim * rng.normal(0, np.radians(25), (n, 1)).clip(-1.1, 1.1)
    skull = rotation(yaw) @ rotation(nod) @ rotation(swing) @ chest
    neck = chest @ rotation(Rotation.from_matrix(_t(chest) @ skull).as_rotvec() * 0.5)
    return neck, skull


def _arm(
    turn: dict[str, Frames], s: str, side: str, at: dict[str, Any], rest: dict[str, Any], rng: np.random.Generator
) -> None:
    sign = 1.0 if s == "l" else -1.0
    n = len(turn["chest"])
    joints = [f"{side}_{j}" for j in ("shoulder", "elbow", "wrist")]
    upper, lower = (_unit(at[b] - at[a]) for a, b in pairwise(joints))
    own = _apply(_t(turn["chest"]), upper)  # in the axes of the chest
    rise = np.maximum(np.arccos(np.clip(-own[:, 1], -1, 1)) - np.radians(40), 0) * _COLLAR
    lift = np.stack([0 * rise, -sign * 0.25 * own[:, 2], sign * rise * np.hypot(own[:, 0], own[:, 1])], axis=1)
    turn[f"{s}_clavicle"] = turn["chest"] @ rotation(lift)
    rest_upper, rest_lower = (_unit(rest[b] - rest[a]) for a, b in pairwise(joints))
    rest_hinge = _unit(np.cross(rest_upper, rest_lower))
    still, hinge = _hinge(turn["chest"], rest_upper, rest_hinge, upper, lower)
    turn[f"{s}_upper_arm_low"] = _frame(upper, hinge) @ _t(_frame(rest_upper, rest_hinge))
    turn[f"{s}_upper_arm"] = _frame(upper, _unit(still + hinge)) @ _t(_frame(rest_upper, rest_hinge))
    turn[f"{s}_forearm"] = _frame(lower, hinge) @ _t(_frame(rest_lower, rest_hinge))
    twist = rng.uniform(np.radians(-70), np.radians(60), n)[:, None] * lower
    turn[f"{s}_forearm_low"] = rotation(twist * 0.5) @ turn[f"{s}_forearm"]
    flex = rotation(rng.normal(0, 0.3, (n, 3)).clip(-0.8, 0.8))
    turn[f"{s}_hand"] = rotation(twist) @ turn[f"{s}_forearm"] @ flex
    curl = rng.choice((0.0, 0.3, 1.2), n)[:, None] + rng.normal(0, 0.15, (n, 1))
    across = _unit(np.array([0.25 * sign, 0.1, 0.96]))  # of the knuckles at rest, roughly; fists close about it
    turn[f"{s}_fingers"] = turn[f"{s}_hand"] @ rotation(-sign * curl * across)
    turn[f"{s}_fingertips"] = turn[f"{s}_fingers"] @ rotation(-sign * curl * across)


def _leg(
    turn: dict[str, Frames], s: str, side: str, at: dict[str, Any], rest: dict[str, Any], rng: np.random.Generator
) -> None:
    n = len(turn["chest"])
    joints = [f"{side}_{j}" for j in ("hip", "knee", "ankle")]
    upper, lower = (_unit(at[b] - at[a]) for a, b in pairwise(joints))
    rest_upper, rest_lower = (_unit(rest[b] - rest[a]) for a, b in pairwise(joints))
    rest_hinge = np.array([1.0, 0, 0])
    _, hinge = _hinge(turn["pelvis"], rest_upper, rest_hinge, upper, lower)
    turn[f"{s}_thigh"] = _frame(upper, hinge) @ _t(_frame(rest_upper, rest_hinge))
    turn[f"{s}_shin"] = _frame(lower, hinge) @ _t(_frame(rest_lower, rest_hinge))
    turn[f"{s}_foot"] = turn[f"{s}_shin"] @ rotation(rng.normal(0.15, 0.3, (n, 1)).clip(-0.4, 0.9) * rest_hinge)
    turn[f"{s}_toes"] = turn[f"{s}_foot"] @ rotation(-rng.uniform(0, 0.4, (n, 1)) * rest_hinge)


def _hinge(
    parent: Frames, rest_upper: Any, rest_hinge: Any, upper: Float[np.ndarray, "pose 3"],
    lower: Float[np.ndarray, "pose 3"],
) -> tuple[Any, Any]:
    """Axes about which an elbow or knee bends: without any twist of the limb, and with the twist its bend shows."""
    swing = rotation(_swing(_apply(parent, rest_upper), upper)) @ parent
    still = _unit(_apply(swing, rest_hinge - rest_upper * (rest_upper @ rest_hinge)))
    normal = np.cross(upper, lower)
    size = np.linalg.norm(normal, axis=1)
    bend = np.arctan2(size, (upper * lower).sum(1))
    trust = np.clip((bend - _STRAIGHT) / (_BENT - _STRAIGHT), 0, 1)
    seen = normal / np.maximum(size, 1e-9)[:, None]
    angle = np.arctan2((np.cross(still, seen) * upper).sum(1), (still * seen).sum(1))
    angle = np.clip(angle, -_MOST_TWIST, _MOST_TWIST) * trust
    return still, _apply(rotation(angle[:, None] * upper), still)


def rotation(axis_angle: Float[np.ndarray, "pose 3"]) -> Frames:
    """Matrices that turn by |v| radians about v."""
    turn: Frames = Rotation.from_rotvec(axis_angle).as_matrix()
    return turn


def _swing(a: Float[np.ndarray, "pose 3"], b: Float[np.ndarray, "pose 3"]) -> Float[np.ndarray, "pose 3"]:
    """Axis times angle of the smallest turn from unit vectors a to b."""
    axis = np.cross(a, b)
    size = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.arctan2(size, (a * b).sum(1, keepdims=True))
    return axis / np.maximum(size, 1e-9) * angle


def _frame(first: Any, second: Any) -> Any:
    """Right-handed axes as columns: the first direction, the second made perpendicular to it, their cross product."""
    a = _unit(first)
    b = _unit(second - a * (a * second).sum(-1, keepdims=True))
    return np.stack([a, b, np.cross(a, b)], axis=-1)


def _unit(v: Any) -> Any:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)


def _apply(turn: Frames, v: Any) -> Any:
    return np.einsum("...ab,...b->...a", turn, v)


def _t(turn: Any) -> Any:
    return np.swapaxes(turn, -1, -2)
