"""The compiled passes of `kinematics`: forward along the tree, and back from points to angles."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

# Below the first bend (radians) an elbow's or knee's plane tells nothing about the limb's twist; above the second, all.
_STRAIGHT, _BENT = math.radians(8), math.radians(30)


@njit(cache=True, nogil=True)
def turn(angles: Any, axis: int, out: Any) -> None:
    """Swing times twist: `angles` about x, y and z, of which the one about `axis` is the twist and acts first."""
    x, y, z = angles[0], angles[1], angles[2]
    t = angles[axis]
    if axis == 0:
        x = 0.0
    elif axis == 1:
        y = 0.0
    else:
        z = 0.0
    size2 = x * x + y * y + z * z
    if size2 < 1e-12:
        a, b = 1 - size2 / 6, 0.5
    else:
        size = math.sqrt(size2)
        a, b = math.sin(size) / size, (1 - math.cos(size)) / size2
    out[0, 0], out[1, 1], out[2, 2] = 1 - b * (y * y + z * z), 1 - b * (x * x + z * z), 1 - b * (x * x + y * y)
    out[0, 1], out[1, 0] = b * x * y - a * z, b * x * y + a * z
    out[0, 2], out[2, 0] = b * x * z + a * y, b * x * z - a * y
    out[1, 2], out[2, 1] = b * y * z - a * x, b * y * z + a * x
    if t != 0:
        c, s = math.cos(t), math.sin(t)
        p, q = (axis + 1) % 3, (axis + 2) % 3
        for row in range(3):
            u, v = out[row, p], out[row, q]
            out[row, p], out[row, q] = u * c + v * s, v * c - u * s


@njit(cache=True, nogil=True)
def multiply(a: Any, b: Any, out: Any) -> None:
    """out = a @ b."""
    for i in range(3):
        for j in range(3):
            out[i, j] = a[i, 0] * b[0, j] + a[i, 1] * b[1, j] + a[i, 2] * b[2, j]


@njit(cache=True, nogil=True)
def pose(angles: Any, above: Any, axis: Any, carrier: Any, tree: Any, offsets: Any, own: Any, turns: Any,
         out: Any) -> None:
    """Points of one pose, the root's at its offset; leaves each segment's world rotation in `turns`.

    Args:
        above: segment -> the one above it, -1 for the first.
        axis: segment -> 0, 1, 2: the axis its bone lies along at rest.
        carrier: joint -> the segment that carries it.
        tree: joint -> the joint above it, -1 for the root.
        own: workspace (3, 3).
    """
    for s in range(len(above)):
        if above[s] < 0:
            turn(angles[s], axis[s], turns[s])
        else:
            turn(angles[s], axis[s], own)
            multiply(turns[above[s]], own, turns[s])
    for k in range(len(tree)):
        for i in range(3):
            if tree[k] < 0:
                out[k, i] = offsets[k, i]
            else:
                r = turns[carrier[k], i]
                out[k, i] = out[tree[k], i] + r[0] * offsets[k, 0] + r[1] * offsets[k, 1] + r[2] * offsets[k, 2]


@njit(cache=True, nogil=True)
def poses(angles: Any, above: Any, axis: Any, carrier: Any, tree: Any, offsets: Any, turns: Any, out: Any) -> None:
    """`pose` of many: angles (n, segment, 3), turns (n, segment, 3, 3), out (n, joint, 3)."""
    own = np.empty((3, 3))
    for n in range(len(angles)):
        pose(angles[n], above, axis, carrier, tree, offsets, own, turns[n], out[n])


@njit(cache=True, nogil=True)
def _unit(v: Any) -> Any:
    return v / max(math.sqrt(v @ v), 1e-12)


@njit(cache=True, nogil=True)
def _swing(u: Any, v: Any) -> Any:
    """Axis times angle of the smallest turn from one unit vector to another."""
    w = np.cross(u, v)
    size = math.sqrt(w @ w)
    angle = math.atan2(size, u @ v)
    if size < 1e-12:
        return w if angle < 1 else np.roll(u, 1) * angle  # opposite: about any axis across it
    return w * (angle / size)


@njit(cache=True, nogil=True)
def _pelvis(points: Any, hips: Any, spine: int, out: Any) -> None:
    """Axes of the pelvis: x from the right hip to the left, y up to the spine."""
    x = _unit(points[hips[1]] - points[hips[0]])
    y = points[spine] - points[0]
    y = _unit(y - x * (x @ y))
    out[:, 0], out[:, 1], out[:, 2] = x, y, np.cross(x, y)


@njit(cache=True, nogil=True)
def _twist(own: Any, goal: Any, u: Any, axis: int) -> float:
    """Angle about the axis, with the sense of +axis, that turns `own` onto `goal` seen along it."""
    p, q = (axis + 1) % 3, (axis + 2) % 3
    return math.atan2(own[p] * goal[q] - own[q] * goal[p], own[p] * goal[p] + own[q] * goal[q])


@njit(cache=True, nogil=True)
def angles(points: Any, above: Any, axis: Any, sign: Any, ends: Any, lateral: Any, hinged: Any, flexing: Any,
           limits: Any, hips: Any, turns: Any, out: Any) -> None:
    """Angles of many poses; each segment aims as well as its limits and what is above it allow.

    Args:
        sign: segment -> 1 or -1: to which end of its axis the bone points at rest.
        ends: segment -> the joints (from, to) it lies between; (-1, -1) for the pelvis.
        lateral: segment -> the joints (right, left) that tell its twist, -1 where none do.
        hinged: segment -> the segment below that bends like a hinge and so tells its twist, -1 where none does.
        flexing: segment -> unit vector to which a hinge bends, 0 where it is none.
        limits: (segment, 3, 2).
    """
    own, local = np.empty((3, 3)), np.empty(3)
    for n in range(len(points)):
        at, t = points[n], turns[n]
        for s in range(len(above)):
            u = np.zeros(3)
            u[axis[s]] = sign[s]
            if above[s] < 0:
                _pelvis(at, hips, ends[1, 1], own)
                frame = np.eye(3)
                aim = own[:, axis[s]] * sign[s]
            else:
                frame = t[above[s]]
                aim = frame.T @ _unit(at[ends[s, 1]] - at[ends[s, 0]])
            local[:] = _swing(u, aim)
            local[axis[s]] = 0
            turn(local, axis[s], own if above[s] >= 0 else t[s])
            swung = (own if above[s] >= 0 else t[s]).T @ frame.T
            across = np.zeros(3)
            if above[s] < 0:
                across[0] = 1
                local[axis[s]] = _twist(across, swung @ _unit(at[hips[1]] - at[hips[0]]), u, axis[s])
            elif lateral[s, 0] >= 0:
                across[0] = 1
                local[axis[s]] = _twist(across, swung @ (at[lateral[s, 1]] - at[lateral[s, 0]]), u, axis[s])
            elif hinged[s] >= 0:
                below = swung @ _unit(at[ends[hinged[s], 1]] - at[ends[hinged[s], 0]])
                bend = math.acos(min(max(below @ u, -1.0), 1.0))
                trust = min(max((bend - _STRAIGHT) / (_BENT - _STRAIGHT), 0.0), 1.0)
                local[axis[s]] = trust * _twist(flexing[hinged[s]], below, u, axis[s])
            for i in range(3):
                local[i] = min(max(local[i], limits[s, i, 0]), limits[s, i, 1])
            turn(local, axis[s], own)
            multiply(frame, own, t[s])
            out[n, s] = local
