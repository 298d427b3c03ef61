"""Colours the pixels of a rasterised person: what is worn there, light, the shadow the person casts on itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from samepose.synth.body import EYE, HAIR, SKIRT
from samepose.synth.look import (
    BARS,
    BLOTCHES,
    BROW,
    CHECKS,
    DOTS,
    HAIRLINE,
    HAIRS,
    HALVES,
    HEM,
    LEGS,
    LIPS,
    NECKLINE,
    PRINT,
    RINGS,
    SHIRT,
    SHOE,
    SHOE_CUT,
    SIDES,
    SKIN,
    SLEEVE,
    SOCK,
    SOCK_CUT,
    TROUSERS,
    VEE,
    WAIST,
)

# Columns of the attributes of each vertex.
NORMAL, REST, HEIGHT, REACH, FIELD, WORLD = 0, 3, 6, 7, 8, 9
ATTRIBUTES = 12
_F = np.float32


@njit(cache=True, nogil=True, inline="always")
def _material(layer: Any, x: Any, y: Any, z: Any, height: Any, reach: Any, cuts: Any, face: Any) -> Any:
    if layer == HAIR:
        return HAIRS
    if layer == SKIRT:
        return TROUSERS
    if height < cuts[SHOE_CUT]:
        return SHOE
    vee = cuts[VEE] * max(_F(0), _F(1) - abs(x) / _F(0.08)) if z > 0 else _F(0)
    if height > cuts[HEM] and height < cuts[NECKLINE] - vee and reach < cuts[SLEEVE]:
        return SHIRT
    if height < cuts[WAIST] and height > cuts[LEGS] and reach < _F(0.01):
        return TROUSERS
    if height < cuts[SOCK_CUT]:
        return SOCK
    if height > _F(1.1):
        up, front = y - face[0], z - face[1]
        if up * _F(0.85) - (front + _F(0.09)) * _F(0.5) > cuts[HAIRLINE]:
            return HAIRS
        if front > _F(-0.03):
            if abs(up - _F(0.024)) < _F(0.005) and abs(x) > _F(0.012) and abs(x) < _F(0.052):
                return BROW
            if abs(y - face[2]) < _F(0.009) and abs(x) < _F(0.024):
                return LIPS
    return SKIN


@njit(cache=True, nogil=True, inline="always")
def _second(kind: Any, many: Any, phase: Any, x: Any, y: Any, z: Any, reach: Any, field: Any, height: Any) -> Any:
    """Whether a pattern shows its second colour here. On sleeves, rings go round the arm."""
    along = y if reach < _F(0.02) else reach * _F(0.25)
    if kind == RINGS:
        return (along * many + phase) % 1 < 0.5
    if kind == BARS:
        return (x * many + phase) % 1 < 0.5
    if kind == CHECKS:
        return ((along * many + phase) % 1 < 0.5) != ((x * many) % 1 < 0.5)
    if kind == BLOTCHES:
        return field > (phase - _F(0.5)) * _F(0.6)
    if kind == DOTS:
        a, b = (along * many + phase) % 1 - _F(0.5), (x * many) % 1 - _F(0.5)
        return a * a + b * b < 0.09
    if kind == HALVES:
        return height > phase if height > 0 else x > 0
    if kind == PRINT:
        return reach < 0.02 and abs(x) < 0.1 and height > 0.5 and height < 0.5 + 0.4 * phase and (
            (x * many) % 1 < 0.6)
    if kind == SIDES:
        return abs(x) > _F(0.1) + _F(0.06) * phase and abs(z) < 0.03
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def shade(
    face: Any, share: Any, faces: Any, layer: Any, attributes: Any, colours: Any, pattern: Any, gloss: Any, cuts: Any,
    features: Any, light: Any, axes: Any, eye: Any, shadow: Any, scale: Any, crease: Any, out: Any,
) -> None:
    """Fill `out` (height, width, 4) with linear colour and coverage.

    Args:
        face, share: from `rasterise`.
        light: rows: colour of the sky, of the ground, of the key light, of the fill light; directions of the last two.
        axes: (3, 3) rows right, down, away of the key light; `shadow` its nearness map, `scale` pixels per metre.
        eye: where the camera is.
    """
    height, width = face.shape
    side = len(shadow)
    a = np.empty(ATTRIBUTES, np.float32)
    for v in range(height):
        for u in range(width):
            f = face[v, u]
            if f < 0:
                continue
            i, j, k = faces[f]
            p, q = share[v, u, 0], share[v, u, 1]
            r = _F(1) - p - q
            for n in range(ATTRIBUTES):
                a[n] = p * attributes[i, n] + q * attributes[j, n] + r * attributes[k, n]
            x, y, z = a[REST], a[REST + 1], a[REST + 2]
            m = _material(layer[f], x, y, z, a[HEIGHT], a[REACH], cuts, features)
            second = _second(pattern[m, 0], pattern[m, 1], pattern[m, 2], x, y, z, a[REACH], a[FIELD], a[HEIGHT])
            nx, ny, nz = a[0], a[1], a[2]
            size = _F(1) / max(np.sqrt(nx * nx + ny * ny + nz * nz), _F(1e-6))
            nx, ny, nz = nx * size, ny * size, nz * size
            ex, ey, ez = eye[0] - a[WORLD], eye[1] - a[WORLD + 1], eye[2] - a[WORLD + 2]
            size = _F(1) / np.sqrt(ex * ex + ey * ey + ez * ez)
            ex, ey, ez = ex * size, ey * size, ez * size
            facing = nx * ex + ny * ey + nz * ez
            if facing < 0:  # the inside of a skirt
                nx, ny, nz, facing = -nx, -ny, -nz, -facing
            # Light of the sky from above, of the ground from below.
            up = _F(0.5) + _F(0.5) * ny
            key = max(nx * light[4, 0] + ny * light[4, 1] + nz * light[4, 2], _F(0))
            fill = max(nx * light[5, 0] + ny * light[5, 1] + nz * light[5, 2], _F(0))
            glint = _F(0)
            if key > 0:
                wx, wy, wz = a[WORLD], a[WORLD + 1], a[WORLD + 2]
                sx = int((axes[0, 0] * wx + axes[0, 1] * wy + axes[0, 2] * wz) * scale + side * _F(0.5))
                sy = int((axes[1, 0] * wx + axes[1, 1] * wy + axes[1, 2] * wz) * scale + side * _F(0.5))
                depth = -(axes[2, 0] * wx + axes[2, 1] * wy + axes[2, 2] * wz)
                if sx >= 0 and sx < side and sy >= 0 and sy < side and shadow[sy, sx] > depth + _F(0.035):
                    key = _F(0)
                else:
                    hx, hy, hz = ex + light[4, 0], ey + light[4, 1], ez + light[4, 2]
                    size = _F(1) / max(np.sqrt(hx * hx + hy * hy + hz * hz), _F(1e-6))
                    glint = max((nx * hx + ny * hy + nz * hz) * size, _F(0))
                    glint *= glint
                    glint *= glint
                    glint *= glint
                    glint = glint * glint * gloss[m]
            texture = _F(1) + (crease if m in (SHIRT, TROUSERS) else _F(0.15)) * a[FIELD]
            rim = _F(1) - _F(0.25) * (_F(1) - facing)
            white = layer[f] == EYE
            for c in range(3):
                base = colours[m, 1, c] if second else colours[m, 0, c]
                if white:
                    base = _F(0.5)
                lit = light[0, c] * up + light[1, c] * (_F(1) - up) + light[2, c] * key + light[3, c] * fill
                out[v, u, c] = base * texture * lit * rim + light[2, c] * glint
            out[v, u, 3] = _F(1)
