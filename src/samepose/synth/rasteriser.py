"""A z-buffer: which triangle each pixel shows, how deep, and where on the triangle."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numba import njit

_HALF, _ONE = np.float32(0.5), np.float32(1)


def rasterise(
    corners: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], keep: Float[np.ndarray, " vertex"],
    height: int, width: int,
) -> tuple[Float[np.ndarray, "height width"], Int[np.ndarray, "height width"], Float[np.ndarray, "height width 2"]]:
    """Draw triangles from either side.

    Args:
        corners: x and y in pixels (the middle of the first pixel is at 0.5, 0.5) and nearness, which is linear on
            the screen: 1 / depth of a perspective camera, -depth of a parallel one. Vertices whose nearness is
            NaN (behind the camera) drop their triangles.
        keep: a triangle is cut away where this, interpolated over it, is negative.

    Returns:
        Nearness (-inf where there is nothing), position in `faces` (-1), and the shares of the triangle's first two
        corners, linear on the screen.
    """
    near = np.full((height, width), -np.inf, np.float32)
    face = np.full((height, width), -1, np.int32)
    share = np.zeros((height, width, 2), np.float32)
    _draw(corners.astype(np.float32), faces, keep.astype(np.float32), near, face, share)
    return near, face, share


@njit(cache=True, nogil=True, error_model="numpy")
def _draw(corners: Any, faces: Any, keep: Any, near: Any, face: Any, share: Any) -> None:
    height, width = near.shape
    for f in range(len(faces)):
        i, j, k = faces[f]
        if keep[i] < 0 and keep[j] < 0 and keep[k] < 0:
            continue
        x0, y0, z0 = corners[i]
        x1, y1, z1 = corners[j]
        x2, y2, z2 = corners[k]
        if not np.isfinite(z0 + z1 + z2):
            continue
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if area == 0:
            continue
        # Pixels whose middle may be inside.
        left = max(int(np.ceil(min(x0, x1, x2) - _HALF)), 0)
        right = min(int(np.floor(max(x0, x1, x2) - _HALF)), width - 1)
        top = max(int(np.ceil(min(y0, y1, y2) - _HALF)), 0)
        bottom = min(int(np.floor(max(y0, y1, y2) - _HALF)), height - 1)
        if right < left or bottom < top:
            continue
        whole = keep[i] >= 0 and keep[j] >= 0 and keep[k] >= 0
        scale = _ONE / area
        for y in range(top, bottom + 1):
            py = np.float32(y) + _HALF
            for x in range(left, right + 1):
                px = np.float32(x) + _HALF
                a = ((x1 - px) * (y2 - py) - (x2 - px) * (y1 - py)) * scale
                b = ((x2 - px) * (y0 - py) - (x0 - px) * (y2 - py)) * scale
                c = _ONE - a - b
                if a < 0 or b < 0 or c < 0:
                    continue
                z = a * z0 + b * z1 + c * z2
                if z <= near[y, x]:
                    continue
                if not whole and a * keep[i] + b * keep[j] + c * keep[k] < 0:
                    continue
                near[y, x] = z
                face[y, x] = f
                share[y, x, 0] = a
                share[y, x, 1] = b


def vertex_normals(
    vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"]
) -> Float[np.ndarray, "vertex 3"]:
    """Unit normals, the mean of the triangles' around each vertex weighted by their areas; outward."""
    out = np.zeros((len(vertices), 3), np.float32)
    _normals(vertices, faces, out)
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _normals(vertices: Any, faces: Any, out: Any) -> None:
    for f in range(len(faces)):
        i, j, k = faces[f]
        ax, ay, az = vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2]
        bx, by, bz = vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2]
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for v in (i, j, k):
            out[v, 0] += nx
            out[v, 1] += ny
            out[v, 2] += nz
    for v in range(len(out)):
        size = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2)
        if size > 0:
            out[v] /= size
