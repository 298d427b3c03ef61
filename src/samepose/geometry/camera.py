"""A pinhole camera that looks at a person, from any side.

World: metres (or torso lengths), y up, right-handed. Image: x right, y down, in units of the focal length.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from samepose.skeleton import H36M17

_PELVIS = H36M17.index("pelvis")


def to_camera(points: Any, azimuth: Any, elevation: Any, roll: Any, xp: ModuleType = np) -> Any:
    """Turn poses into the axes of a camera that looks at the origin: x right, y down, z away from the camera.

    Azimuth 0 puts the camera on the +z axis, 90° on +x; a positive elevation looks down from above; a positive
    roll turns the image anticlockwise. A person who faces +z is seen from the front at azimuth 0, with the
    person's left (+x) on the right of the image. Written out, not by scipy's Rotation, because the same lines turn
    torch tensors, on their own device.

    Args:
        points: (..., J, 3), numpy array or torch tensor.
        azimuth, elevation, roll: (...) radians, broadcast against the batch.
        xp: `numpy` or `torch`, whichever made the arrays.

    Returns:
        (..., J, 3) in the unit of `points`.
    """
    ca, sa, ce, se = xp.cos(azimuth), xp.sin(azimuth), xp.cos(elevation), xp.sin(elevation)
    cr, sr = xp.cos(roll), xp.sin(roll)
    zero = xp.zeros_like(ca * ce * cr)
    right = xp.stack([ca + zero, zero, zero - sa], axis=-1)
    down = xp.stack([sa * se + zero, zero - ce, ca * se + zero], axis=-1)
    away = xp.stack([zero - sa * ce, zero - se, zero - ca * ce], axis=-1)
    cr, sr = (cr + zero)[..., None], (sr + zero)[..., None]
    return points @ xp.stack([cr * right + sr * down, cr * down - sr * right, away], axis=-1)


def project(
    points: Any, azimuth: Any, elevation: Any, roll: Any, distance: Any, xp: ModuleType = np
) -> Any:
    """Perspective image of poses in a camera that looks at the origin (place the pelvis there).

    Args:
        points, azimuth, elevation, roll, xp: as for `to_camera`.
        distance: (...) of the camera from the origin, in the unit of `points`.

    Returns:
        (..., J, 2), x right and y down, in units of the focal length.
    """
    turned = to_camera(points, azimuth, elevation, roll, xp)
    return turned[..., :2] / (turned[..., 2] + xp.asarray(distance)[..., None])[..., None]


def centred(points: Any) -> Any:
    """H36M17 poses (..., 17, 3) with the pelvis at the origin."""
    return points - points[..., _PELVIS : _PELVIS + 1, :]
