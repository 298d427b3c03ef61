"""NP-MPJPE: the distance between two 3D poses that no camera, body size or heading can change.

Sun et al. 2020, section 3.1 and eq. 1: both poses are normalised (`normalise_3d`), the second is aligned to the
first by the rotation (no reflection), scale and translation of least squares, and the distances between
corresponding joints are averaged. The unit is the torso length of the first pose; it is not symmetric.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from samepose.errors import UsageError
from samepose.geometry.normalise import normalise_3d
from samepose.skeleton import H36M17

_BOUND_PAYS = 0.05  # kappa; on motion capture the bound then leaves a quarter of the pairs, at 0.02 under 1 %
_FEWEST_SHARED = 3


def procrustes_align(
    target: Float[np.ndarray, "*#batch joint 3"], source: Float[np.ndarray, "*#batch joint 3"]
) -> Float[np.ndarray, "*batch joint 3"]:
    """`source` moved onto `target` by the best rotation, scale and translation (least squares, no reflection).

    Float64 and SVD: the readable definition, for single rows. NaN in a pose gives NaN.
    """
    centre = target.mean(axis=-2, keepdims=True, dtype=np.float64)
    a = target - centre
    b = source - source.mean(axis=-2, keepdims=True, dtype=np.float64)
    covariance = np.swapaxes(a, -1, -2) @ b
    valid = np.isfinite(covariance).all(axis=(-1, -2))[..., None, None]
    u, s, vt = np.linalg.svd(np.where(valid, covariance, 0))
    signs = np.ones_like(s)
    signs[..., 2] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    spread = np.maximum((b * b).sum(axis=(-1, -2)), np.finfo(np.float64).tiny)
    scale = ((s * signs).sum(axis=-1) / spread)[..., None, None]
    rotation = (u * signs[..., None, :]) @ vt
    moved: np.ndarray = np.where(valid, scale * (b @ np.swapaxes(rotation, -1, -2)) + centre, np.nan)
    return moved


def np_mpjpe(a: Float[np.ndarray, "n 17 3"], b: Float[np.ndarray, "n 17 3"]) -> Float[np.ndarray, " n"]:
    """NP-MPJPE of a[i] and b[i] (b aligned to a), H36M17 in any unit, in torso lengths of `a`; NaN for NaN."""
    return _np_mpjpe(*(normalise_3d(np.asarray(poses, np.float64)) for poses in (a, b)))


def np_mpjpe_of_few(a: Float[np.ndarray, "n 17 3"], b: Float[np.ndarray, "m 17 3"]) -> Float[np.ndarray, "n m"]:
    """`np_mpjpe_matrix` in float64, for a few hundred pairs: without compiled code, which takes longer to load."""
    target, source = (normalise_3d(np.asarray(poses, np.float64)) for poses in (a, b))
    return _np_mpjpe(target[:, None], source[None])


def _np_mpjpe(target: np.ndarray, source: np.ndarray) -> np.ndarray:
    mean: np.ndarray = np.linalg.norm(target - procrustes_align(target, source), axis=-1).mean(axis=-1)
    return mean


def np_mpjpe_matrix(a: Float[np.ndarray, "n 17 3"], b: Float[np.ndarray, "m 17 3"]) -> Float[np.ndarray, "n m"]:
    """NP-MPJPE of every a[i] and b[j] (b aligned to a) in float32, to about 1e-5.

    Args:
        a, b: H36M17 poses in any unit. A pose with NaN gives NaN.

    Raises:
        UsageError: not (N, 17, 3) arrays.
    """
    return pa_mpjpe_matrix(_centred(a), _centred(b))


def pa_mpjpe_matrix(a: Float[np.ndarray, "n joint 3"], b: Float[np.ndarray, "m joint 3"]) -> Float[np.ndarray, "n m"]:
    """PA-MPJPE: mean joint distance of every a[i] and b[j] moved onto it, any skeleton, in the unit of `a`, float32.

    Rotation (no reflection), scale and translation of least squares, in closed form without SVD: see
    `_procrustes_kernel`. Many pairs run on numba's threads (`numba.set_num_threads`).

    Args:
        a, b: a pose with NaN gives NaN.
    """
    from samepose.geometry import _procrustes_kernel as kernel

    target, source = (np.ascontiguousarray(p - p.mean(axis=1, keepdims=True), np.float32) for p in (a, b))
    out = np.empty((len(target), len(source)), np.float32)
    if out.size:
        pairs = kernel.all_pairs if out.size > kernel.FEW else kernel.few_pairs
        pairs(target, kernel.Tiles(*_tiles(source, kernel.TILE)), out)
    return out


def within(a: Float[np.ndarray, "n 17 3"], b: Float[np.ndarray, "m 17 3"], kappa: float) -> Bool[np.ndarray, "n m"]:
    """`np_mpjpe_matrix(a, b) <= kappa`, faster: most pairs fall to a bound that needs no rotation.

    A rotation keeps each joint's distance from the centroid, so the differences of those distances, at the scale
    that suits the pair best, bound the error from below. Pays only for small kappa (0.02: near duplicates).
    """
    if kappa > _BOUND_PAYS:
        return np_mpjpe_matrix(a, b) <= np.float32(kappa)
    from samepose.geometry import _procrustes_kernel as kernel

    target, source = _centred(a), _centred(b)
    out = np.zeros((len(target), len(source)), np.bool_)
    if out.size:
        (radii_a, sizes), (radii_b, _) = _radii(target), _radii(source)
        tiles, _ = _tiles(radii_b[..., None], kernel.TILE)
        kernel.within(target, source, kernel.Radii(radii_a, tiles, sizes), np.float32(kappa), out)
    return out


def np_mpjpe_2d_matrix(
    a: Float[np.ndarray, "n joint 2"], b: Float[np.ndarray, "m joint 2"]
) -> Float[np.ndarray, "n m"]:
    """Procrustes distance in the image: mean joint distance of a[i] and b[j] moved onto it, in the unit of `a`.

    The baseline "2D keypoints, Procrustes per pair" of Sun 2020, table 1: rotation, scale and translation, no
    reflection.

    Args:
        a, b: NaN where a joint is hidden. Each pair is compared over the joints that both show (ours); fewer than
            three give NaN, since two points always fit.
    """
    from samepose.geometry import _procrustes_kernel as kernel

    seen_a, seen_b = (~np.isnan(p).any(axis=2) for p in (a, b))
    target, source = _centred_2d(a, seen_a), _centred_2d(b, seen_b)
    out = np.empty((len(target), len(source)), np.float32)
    if out.size == 0:
        return out
    tiles = kernel.Tiles(*_tiles(source, kernel.TILE))
    if seen_a.all() and seen_b.all():
        kernel.all_pairs_2d(target, tiles, out)
    else:
        seen_tiles, _ = _tiles(seen_b[..., None].astype(np.float32), kernel.TILE)
        kernel.shared_pairs_2d(target, seen_a.astype(np.float32), tiles.points, seen_tiles, _FEWEST_SHARED, out)
    return out


def _centred_2d(
    poses: Float[np.ndarray, "n joint 2"], seen: Bool[np.ndarray, "n joint"]
) -> Float[np.ndarray, "n joint 2"]:
    """About the mean of the joints seen, float32, 0 where not seen."""
    points = np.where(seen[..., None], poses, 0).astype(np.float64)
    mean = points.sum(axis=1, keepdims=True) / np.maximum(seen.sum(axis=1), 1)[:, None, None]
    return np.ascontiguousarray((points - mean) * seen[..., None], np.float32)


def _radii(
    centred: Float[np.ndarray, "n joint 3"],
) -> tuple[Float[np.ndarray, "n joint"], Float[np.ndarray, " n"]]:
    """Each joint's distance from the centroid in units of the pose's size, and that size."""
    radii = np.linalg.norm(centred, axis=-1)
    sizes = np.maximum(np.linalg.norm(radii, axis=-1), np.float32(1e-6))
    return radii / sizes[:, None], sizes


def _centred(poses: Any) -> Float[np.ndarray, "n 17 3"]:
    points = np.asarray(poses)
    if points.ndim != 3 or points.shape[1:] != (len(H36M17), 3):
        raise UsageError(f"poses have shape {points.shape}; expected (N, {len(H36M17)}, 3), joints of H36M17")
    normal = normalise_3d(points.astype(np.float64))
    return np.ascontiguousarray(normal - normal.mean(axis=1, keepdims=True), np.float32)


def _tiles(
    points: Float[np.ndarray, "m joint dim"], tile: int
) -> tuple[Float[np.ndarray, "tiles flat"], Float[np.ndarray, "tiles tile"]]:
    """Poses in groups of `tile`, each (joint, dim, pose) flat and padded with the last; and 1 / Σ|x|²."""
    count = -(-len(points) // tile)
    padded = points[np.minimum(np.arange(count * tile), len(points) - 1)]
    inverse = 1 / np.maximum((padded**2).sum(axis=(1, 2)), np.float32(1e-12))
    flat = np.ascontiguousarray(padded.reshape(count, tile, -1).transpose(0, 2, 1)).reshape(count, -1)
    return flat, inverse.reshape(count, tile)
