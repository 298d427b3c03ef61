"""Putting poses on a common footing before they are compared or embedded."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from samepose.skeleton import BODY13, H36M17

_PELVIS, _SPINE, _THORAX = (H36M17.index(j) for j in ("pelvis", "spine", "thorax"))
_TORSO = [BODY13.index(j) for j in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]
_TORSO_PAIRS = [(a, b) for i, a in enumerate(_TORSO) for b in _TORSO[i + 1 :]]


def torso_length(points: Float[np.ndarray, "*batch 17 3"]) -> Float[np.ndarray, "*batch"]:
    """|pelvis-spine| + |spine-thorax| of H36M17 poses, in their own unit: the unit of NP-MPJPE."""
    lower = np.linalg.norm(points[..., _SPINE, :] - points[..., _PELVIS, :], axis=-1)
    upper = np.linalg.norm(points[..., _THORAX, :] - points[..., _SPINE, :], axis=-1)
    return np.asarray(lower + upper)  # of one pose too an array


def normalise_3d(points: Float[np.ndarray, "*batch 17 3"]) -> Float[np.ndarray, "*batch 17 3"]:
    """Pelvis at the origin, torso length 1 (Sun 2020, section 4.1; reference code for the unit)."""
    centred = points - points[..., _PELVIS : _PELVIS + 1, :]
    return centred / np.maximum(torso_length(points), 1e-8)[..., None, None]


def normalise_2d(
    points: Float[np.ndarray, "n joint 2"],
) -> tuple[Float[np.ndarray, "n joint 2"], Bool[np.ndarray, "n joint"]]:
    """Mean of the visible joints at the origin, their root mean square distance from it 1.

    Sun 2020 centres on the hips and scales by the torso, which a hidden hip breaks and a torso seen end-on blows
    up. Every visible joint has the same say here, so no single joint can, and there is one rule for all masks.

    Args:
        points: NaN where a joint is missing.

    Returns:
        Points with 0 where missing, and the mask of visible joints. Fewer than two visible joints give zeros.
    """
    visible = ~np.isnan(points).any(axis=-1)
    weight = visible[..., None].astype(points.dtype)
    seen = np.where(visible[..., None], points, 0)
    count = np.maximum(weight.sum(axis=-2, keepdims=True), 1)
    centred = (seen - seen.sum(axis=-2, keepdims=True) / count) * weight
    spread = np.sqrt((centred**2).sum(axis=(-1, -2), keepdims=True) / count)
    return (centred / np.maximum(spread, 1e-6)).astype(points.dtype), visible


def torso_scale_2d(points: Float[np.ndarray, "*batch 13 2"]) -> Float[np.ndarray, "*batch"]:
    """Largest of the six distances among shoulders and hips of BODY13 poses (Sun 2020's 2D unit is twice this)."""
    gaps = [np.linalg.norm(points[..., a, :] - points[..., b, :], axis=-1) for a, b in _TORSO_PAIRS]
    return np.asarray(np.max(gaps, axis=0))  # of one pose too an array
