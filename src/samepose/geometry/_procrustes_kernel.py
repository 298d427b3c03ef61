"""The compiled pass of NP-MPJPE over all pairs (see `procrustes`).

Everything lives in one flat workspace per task, `work[row * TILE + j]` with TILE a constant: the rows are then
provably apart, so LLVM vectorises every loop over the pairs j of a tile.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from numba import njit, prange

TILE = 64
FEW = 20_000  # pairs, half a millisecond
_ROWS = 32  # poses of `a` per task: the tile of `b` stays in the first-level cache meanwhile
_NEWTON_STEPS = 7
# Below this (s1+s2)(s2+s3)(s1+s3)/λ³ the float32 covariance no longer fixes the rotation to 1e-4: take the SVD.
_DEGENERATE = 2e-3
_UNCONVERGED = 1e-7
_FAST = {"contract", "reassoc", "nsz"}  # no "nnan": a missing joint must come out as NaN
# What `shared_pairs_2d` sums over the joints of each pair: rows of its workspace…
_COUNT, _AX, _AY, _BX, _BY, _B2, _DOT, _CROSS = (row * TILE for row in range(8))
# …and what it puts in their place.
_REAL, _IMAGINARY, _X, _Y, _TOTAL, _SHARE = _AX, _AY, _BX, _BY, _B2, _DOT


class Tiles(NamedTuple):
    """Centred poses in groups of TILE, or, without the first axis, one such group.

    Attributes:
        points: (tile, joint * dim * TILE) float32.
        inverse_b2: (tile, TILE) float32, one by the sum of the squares of each pose.
    """

    points: Float[np.ndarray, "*tiles flat"]
    inverse_b2: Float[np.ndarray, "*tiles tile"]


class Radii(NamedTuple):
    """Distances of the joints from the centroid, in units of the pose's size, the root of the sum of their squares.

    Attributes:
        a: (n, joint) float32.
        b: (tile, joint * TILE) float32, in tiles.
        sizes: (n,) float32, of the poses `a`, in their unit.
    """

    a: Float[np.ndarray, "n joint"]
    b: Float[np.ndarray, "tiles flat"]
    sizes: Float[np.ndarray, " n"]


class Work(NamedTuple):
    """A tile of poses `b`, and what is computed of them and one pose `a`.

    Attributes:
        tile: one of `Tiles`.
        cov: (9 * TILE,) float32 covariances, those of one place of the 3 x 3 matrix after those of the other.
        turn: (9 * TILE,) float32 rotations times scales, likewise.
        doubt: (TILE,) which of these are not to be trusted.
        mean: (TILE,) float32 mean distances of the joints.
    """

    tile: Tiles
    cov: Float[np.ndarray, " cov"]
    turn: Float[np.ndarray, " turn"]
    doubt: Bool[np.ndarray, " tile"]
    mean: Float[np.ndarray, " tile"]


@njit(cache=True)
def _work(points, inverse_b2):  # type: ignore[no-untyped-def]
    cov, turn = np.empty(9 * TILE, np.float32), np.empty(9 * TILE, np.float32)
    return Work(Tiles(points, inverse_b2), cov, turn, np.empty(TILE, np.bool_), np.empty(TILE, np.float32))


@njit(fastmath=_FAST, error_model="numpy", cache=True)
def _covariances(a, b, cov):  # type: ignore[no-untyped-def]
    """cov[3x+y] = Σ over joints a_x b_y, for one pose `a` (J, 3) and a tile `b` (J * 3 * TILE)."""
    cov[:] = 0
    for k in range(a.shape[0]):
        ax, ay, az = a[k, 0], a[k, 1], a[k, 2]
        joint = b[k * 3 * TILE : (k + 1) * 3 * TILE]
        for j in range(TILE):
            bx, by, bz = joint[j], joint[TILE + j], joint[2 * TILE + j]
            cov[j] += ax * bx
            cov[TILE + j] += ax * by
            cov[2 * TILE + j] += ax * bz
            cov[3 * TILE + j] += ay * bx
            cov[4 * TILE + j] += ay * by
            cov[5 * TILE + j] += ay * bz
            cov[6 * TILE + j] += az * bx
            cov[7 * TILE + j] += az * by
            cov[8 * TILE + j] += az * bz


@njit(inline="always", fastmath=_FAST, error_model="numpy")
def _newton(x, n2, c2, d):  # type: ignore[no-untyped-def]
    """One step on (x² - |M|²)² - 4 (|cof M|² + 2 x det M) = 0, whose largest root is λ = s1 + s2 ± s3."""
    u = x * x - n2
    return x - (u * u - 4 * c2 - 8 * d * x) / (4 * x * u - 8 * d)


@njit(fastmath=_FAST, error_model="numpy", cache=True)
def _similarities(cov, inverse_b2, turn, doubt):  # type: ignore[no-untyped-def]
    """Covariances -> `turn`: the rotation times the scale that brings each b onto a; `doubt`: not to be trusted.

    With M = Σ a bᵀ = U S Vᵀ and s3 carrying the sign of det M, R = U Vᵀ is the polynomial
    R = ((λ² - i2) M + λ cof M - M Mᵀ M) / (λ i2 - det M), with λ = s1+s2+s3 and i2 = s1s2 + s2s3 + s1s3
    = (λ² - |M|²) / 2: Cayley-Hamilton on the polar decomposition. The scale is λ / |b|².
    """
    for j in range(TILE):
        a, b, c = np.float64(cov[j]), np.float64(cov[TILE + j]), np.float64(cov[2 * TILE + j])
        d, e, f = np.float64(cov[3 * TILE + j]), np.float64(cov[4 * TILE + j]), np.float64(cov[5 * TILE + j])
        g, h, i = np.float64(cov[6 * TILE + j]), np.float64(cov[7 * TILE + j]), np.float64(cov[8 * TILE + j])
        ca, cb, cc = e * i - f * h, f * g - d * i, d * h - e * g
        cd, ce, cf = c * h - b * i, a * i - c * g, b * g - a * h
        cg, ch, ci = b * f - c * e, c * d - a * f, a * e - b * d
        n2 = a * a + b * b + c * c + d * d + e * e + f * f + g * g + h * h + i * i
        c2 = ca * ca + cb * cb + cc * cc + cd * cd + ce * ce + cf * cf + cg * cg + ch * ch + ci * ci
        det = a * ca + b * cb + c * cc
        x = np.sqrt(n2 + 2 * np.sqrt(3 * c2))  # an upper bound: λ² = |M|² + 2 i2 and i2² <= 3 |cof M|²
        x = _newton(x, n2, c2, det)
        x = _newton(x, n2, c2, det)
        x = _newton(x, n2, c2, det)
        x = _newton(x, n2, c2, det)
        x = _newton(x, n2, c2, det)
        last = _newton(x, n2, c2, det)
        x = _newton(last, n2, c2, det)
        i2 = 0.5 * (x * x - n2)
        gap = x * i2 - det
        sure = gap > _DEGENERATE * x * x * x and last - x < _UNCONVERGED * x  # False for 0/0: all joints in a line
        doubt[j] = not sure
        # Mᵀ M, symmetric
        p, q, r = a * a + d * d + g * g, a * b + d * e + g * h, a * c + d * f + g * i
        s, t, u = b * b + e * e + h * h, b * c + e * f + h * i, c * c + f * f + i * i
        w = x * x - i2
        k = x * np.float64(inverse_b2[j]) / gap
        turn[j] = np.float32(k * (w * a + x * ca - (a * p + b * q + c * r)))
        turn[TILE + j] = np.float32(k * (w * b + x * cb - (a * q + b * s + c * t)))
        turn[2 * TILE + j] = np.float32(k * (w * c + x * cc - (a * r + b * t + c * u)))
        turn[3 * TILE + j] = np.float32(k * (w * d + x * cd - (d * p + e * q + f * r)))
        turn[4 * TILE + j] = np.float32(k * (w * e + x * ce - (d * q + e * s + f * t)))
        turn[5 * TILE + j] = np.float32(k * (w * f + x * cf - (d * r + e * t + f * u)))
        turn[6 * TILE + j] = np.float32(k * (w * g + x * cg - (g * p + h * q + i * r)))
        turn[7 * TILE + j] = np.float32(k * (w * h + x * ch - (g * q + h * s + i * t)))
        turn[8 * TILE + j] = np.float32(k * (w * i + x * ci - (g * r + h * t + i * u)))


@njit(cache=True)
def _similarity_by_svd(a, b, j, turn):  # type: ignore[no-untyped-def]
    """Column j of `turn` again, for a pair whose rotation is nearly free: float64 covariance and SVD."""
    m = np.zeros((3, 3))
    b2 = 0.0
    for k in range(a.shape[0]):
        for y in range(3):
            value = np.float64(b[(k * 3 + y) * TILE + j])
            b2 += value * value
            for x in range(3):
                m[x, y] += np.float64(a[k, x]) * value
    if not np.isfinite(m).all():
        turn[j :: TILE] = np.float32(np.nan)
        return
    u, s, vt = np.linalg.svd(m)
    if np.linalg.det(u) * np.linalg.det(vt) < 0:
        u[:, 2] *= -1
        s[2] *= -1
    scale = (s[0] + s[1] + s[2]) / b2 if b2 > 0 else 0.0
    rotation = u @ vt
    for x in range(3):
        for y in range(3):
            turn[(3 * x + y) * TILE + j] = np.float32(scale * rotation[x, y])


@njit(fastmath=_FAST, error_model="numpy", cache=True)
def _mean_distances(a, b, turn, mean):  # type: ignore[no-untyped-def]
    """mean[j] = mean over joints of |a - turn b_j|."""
    mean[:] = 0
    share = np.float32(1.0 / a.shape[0])
    for k in range(a.shape[0]):
        ax, ay, az = a[k, 0], a[k, 1], a[k, 2]
        joint = b[k * 3 * TILE : (k + 1) * 3 * TILE]
        for j in range(TILE):
            bx, by, bz = joint[j], joint[TILE + j], joint[2 * TILE + j]
            dx = ax - turn[j] * bx - turn[TILE + j] * by - turn[2 * TILE + j] * bz
            dy = ay - turn[3 * TILE + j] * bx - turn[4 * TILE + j] * by - turn[5 * TILE + j] * bz
            dz = az - turn[6 * TILE + j] * bx - turn[7 * TILE + j] * by - turn[8 * TILE + j] * bz
            mean[j] += share * np.sqrt(dx * dx + dy * dy + dz * dz)


@njit(cache=True)
def _one_against_tile(a, used, work):  # type: ignore[no-untyped-def]
    """NP-MPJPE of one pose to the first `used` of the tile, into `work.mean`."""
    b = work.tile.points
    _covariances(a, b, work.cov)
    _similarities(work.cov, work.tile.inverse_b2, work.turn, work.doubt)
    for j in range(used):
        if work.doubt[j]:
            _similarity_by_svd(a, b, j, work.turn)
    _mean_distances(a, b, work.turn, work.mean)


@njit(cache=True)
def _task(a, b, task, out):  # type: ignore[no-untyped-def]
    blocks = (a.shape[0] + _ROWS - 1) // _ROWS
    tile, block = task // blocks, task % blocks
    work, start = _work(b.points[tile], b.inverse_b2[tile]), tile * TILE
    used = min(TILE, out.shape[1] - start)
    for i in range(block * _ROWS, min((block + 1) * _ROWS, a.shape[0])):
        _one_against_tile(a[i], used, work)
        out[i, start : start + used] = work.mean[:used]


@njit(parallel=True, cache=True)
def all_pairs(a, b, out):  # type: ignore[no-untyped-def]
    """a (N, J, 3) float32 centred; b `Tiles` of M poses; out (N, M)."""
    for task in prange((a.shape[0] + _ROWS - 1) // _ROWS * b.points.shape[0]):
        _task(a, b, task, out)


@njit(cache=True)
def few_pairs(a, b, out):  # type: ignore[no-untyped-def]
    """`all_pairs` without numba's threads, whose start costs more than a few pairs, and much more on a busy machine."""
    for task in range((a.shape[0] + _ROWS - 1) // _ROWS * b.points.shape[0]):
        _task(a, b, task, out)


@njit(fastmath=_FAST, error_model="numpy", cache=True)
def _radius_bounds(radii_a, radii_b, low, reach, bound):  # type: ignore[no-untyped-def]
    """bound[j] <= Σ |a - turn b_j| / |a|: no rotation changes a joint's distance from the centre.

    Returns how many of the tile stay within `reach`: mostly none, so the caller need not look.

    Radii are in units of the pose's own size; the best scale, in those units, lies in [low, 1].
    """
    bound[:] = 0
    for k in range(radii_a.shape[0]):
        ra = radii_a[k]
        row = radii_b[k * TILE : (k + 1) * TILE]
        for j in range(TILE):
            bound[j] += max(np.float32(0), max(ra - row[j], low * row[j] - ra))
    left = np.int32(0)
    for j in range(TILE):
        left += np.int32(bound[j] <= reach)
    return left


@njit(cache=True)
def _flush(a, b, chosen, kappa, work, out):  # type: ignore[no-untyped-def]
    """Decide the poses of `b` listed in `chosen`, at most TILE, against `a` exactly; write out[chosen]."""
    tile = work.tile
    for n in range(len(chosen)):
        norm2 = np.float32(0)
        for k in range(b.shape[1]):
            for y in range(3):
                value = b[chosen[n], k, y]
                norm2 += value * value
                tile.points[(k * 3 + y) * TILE + n] = value
        tile.inverse_b2[n] = np.float32(1) / max(norm2, np.float32(1e-12))
    _one_against_tile(a, len(chosen), work)
    for n in range(len(chosen)):
        out[chosen[n]] = work.mean[n] <= kappa


@njit(parallel=True, cache=True)
def within(a, b, radii, kappa, out):  # type: ignore[no-untyped-def]
    """a (N, J, 3), b (M, J, 3) float32 centred; `Radii` of both; out (N, M) bool, filled where true."""
    joints = a.shape[1]
    for i in prange(a.shape[0]):
        work = _work(np.zeros(joints * 3 * TILE, np.float32), np.ones(TILE, np.float32))
        bound, chosen, count = np.empty(TILE, np.float32), np.empty(TILE, np.int64), 0
        # mean <= κ needs Σ|r|² <= (Jκ)², and Σ|r|² = |a|² (1 - scale²) bounds the scale from below.
        reach = np.float32(joints) * kappa / radii.sizes[i] + np.float32(1e-5)
        low = np.sqrt(max(np.float32(0), np.float32(1) - reach * reach))
        for tile in range(radii.b.shape[0]):
            if _radius_bounds(radii.a[i], radii.b[tile], low, reach, bound) == 0:
                continue
            for j in range(min(TILE, b.shape[0] - tile * TILE)):
                if bound[j] <= reach:
                    chosen[count] = tile * TILE + j
                    count += 1
                    if count == TILE:
                        _flush(a[i], b, chosen, kappa, work, out[i])
                        count = 0
        if count:
            _flush(a[i], b, chosen[:count], kappa, work, out[i])


@njit(parallel=True, fastmath=_FAST, error_model="numpy", cache=True)
def all_pairs_2d(a, b, out):  # type: ignore[no-untyped-def]
    """The plane: turn and scale of b are one complex number, Σ a b* / Σ|b|².

    a (N, J, 2) float32 centred; b `Tiles` of M poses; out (N, M).
    """
    joints = a.shape[1]
    share, tiles = np.float32(1.0 / joints), b.points
    for task in prange(a.shape[0] * tiles.shape[0]):
        tile, i = task // a.shape[0], task % a.shape[0]
        start = tile * TILE
        real, imaginary = np.zeros(TILE, np.float32), np.zeros(TILE, np.float32)
        mean = np.zeros(TILE, np.float32)
        for k in range(joints):
            ax, ay = a[i, k, 0], a[i, k, 1]
            joint = tiles[tile, k * 2 * TILE : (k + 1) * 2 * TILE]
            for j in range(TILE):
                real[j] += ax * joint[j] + ay * joint[TILE + j]
                imaginary[j] += ay * joint[j] - ax * joint[TILE + j]
        for j in range(TILE):
            real[j] *= b.inverse_b2[tile, j]
            imaginary[j] *= b.inverse_b2[tile, j]
        for k in range(joints):
            ax, ay = a[i, k, 0], a[i, k, 1]
            joint = tiles[tile, k * 2 * TILE : (k + 1) * 2 * TILE]
            for j in range(TILE):
                dx = ax - real[j] * joint[j] + imaginary[j] * joint[TILE + j]
                dy = ay - imaginary[j] * joint[j] - real[j] * joint[TILE + j]
                mean[j] += share * np.sqrt(dx * dx + dy * dy)
        used = min(TILE, out.shape[1] - start)
        out[i, start : start + used] = mean[:used]


@njit(parallel=True, fastmath=_FAST, error_model="numpy", cache=True)
def shared_pairs_2d(a, seen, tiles, seen_tiles, fewest, out):  # type: ignore[no-untyped-def]
    """`all_pairs_2d` over the joints that both poses of a pair show; NaN for fewer than `fewest` of them.

    a (N, J, 2), seen (N, J) 1 or 0; tiles (T, J * 2 * TILE), seen_tiles (T, J * TILE); points are 0 where not seen.
    """
    joints, one = a.shape[1], np.float32(1)
    for task in prange(a.shape[0] * tiles.shape[0]):
        tile, i = task // a.shape[0], task % a.shape[0]
        start, sums = tile * TILE, np.zeros(8 * TILE, np.float32)
        for k in range(joints):
            if seen[i, k] == 0:
                continue
            ax, ay = a[i, k, 0], a[i, k, 1]
            joint = tiles[tile, k * 2 * TILE : (k + 1) * 2 * TILE]
            there = seen_tiles[tile, k * TILE : (k + 1) * TILE]
            for j in range(TILE):
                bx, by = joint[j], joint[TILE + j]
                sums[_COUNT + j] += there[j]
                sums[_AX + j] += ax * there[j]
                sums[_AY + j] += ay * there[j]
                sums[_BX + j] += bx
                sums[_BY + j] += by
                sums[_B2 + j] += bx * bx + by * by
                sums[_DOT + j] += ax * bx + ay * by
                sums[_CROSS + j] += ay * bx - ax * by
        for j in range(TILE):  # to the centroids of the shared joints, then turn and scale, and what is left to move
            count = sums[_COUNT + j]
            share = one / max(count, one)
            ax, ay = sums[_AX + j] * share, sums[_AY + j] * share
            bx, by = sums[_BX + j] * share, sums[_BY + j] * share
            b2 = max(sums[_B2 + j] - count * (bx * bx + by * by), np.float32(1e-12))
            real = (sums[_DOT + j] - count * (ax * bx + ay * by)) / b2
            imaginary = (sums[_CROSS + j] - count * (ay * bx - ax * by)) / b2
            sums[_REAL + j], sums[_IMAGINARY + j] = real, imaginary
            sums[_X + j] = ax - real * bx + imaginary * by
            sums[_Y + j] = ay - imaginary * bx - real * by
            sums[_TOTAL + j], sums[_SHARE + j] = 0, share
        for k in range(joints):
            if seen[i, k] == 0:
                continue
            ax, ay = a[i, k, 0], a[i, k, 1]
            joint = tiles[tile, k * 2 * TILE : (k + 1) * 2 * TILE]
            there = seen_tiles[tile, k * TILE : (k + 1) * TILE]
            for j in range(TILE):
                bx, by, real, imaginary = joint[j], joint[TILE + j], sums[_REAL + j], sums[_IMAGINARY + j]
                dx = ax - sums[_X + j] - real * bx + imaginary * by
                dy = ay - sums[_Y + j] - imaginary * bx - real * by
                sums[_TOTAL + j] += there[j] * np.sqrt(dx * dx + dy * dy)
        for j in range(min(TILE, out.shape[1] - start)):
            mean = sums[_TOTAL + j] * sums[_SHARE + j]
            out[i, start + j] = mean if sums[_COUNT + j] >= fewest else np.float32(np.nan)
