"""A pinhole camera that looks at a person, from any side.

World: metres (or torso lengths), y up, right-handed. Image: x right, y down, in units of the focal length.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from samepose.skeleton import H36M17

_PELVIS = H36M17.index("pelvis")


def project(
    points: Any, azimuth: Any, elevation: Any, roll: Any, distance: Any, xp: ModuleType = np
) -> Any:
    """Project poses into a camera that looks at the origin of `points` (place the pelvis there).

    Azimuth 0 puts the camera on the +z axis, 90° on +x; a positive elevation looks down from above; a positive
    roll turns the image anticlockwise. A person who faces +z is seen from the front at azimuth 0, with the
    person's left (+x) on the right of the image.

    Args:
        points: (..., J, 3), numpy array or torch tensor.
        azimuth, elevation, roll: (...) radians, broadcast against the batch.
        distance: (...) from the origin, in the unit of `points`.
        xp: `numpy` or `torch`, whichever made the arrays.

    Returns:
        (..., J, 2), x right and y down.
    """
    ca, sa, ce, se = xp.cos(azimuth), xp.sin(azimuth), xp.cos(elevation), xp.sin(elevation)
    cr, sr = xp.cos(roll), xp.sin(roll)
    zero = xp.zeros_like(ca * ce)
    right = xp.stack([ca + zero, zero, zero - sa], axis=-1)
    up = xp.stack([-sa * se, ce + zero, -ca * se], axis=-1)
    toward = xp.stack([sa * ce, se + zero, ca * ce], axis=-1)
    x = (points @ right[..., None])[..., 0]
    y = -(points @ up[..., None])[..., 0]
    depth = (distance + zero)[..., None] - (points @ toward[..., None])[..., 0]
    cr, sr = (cr + zero)[..., None], (sr + zero)[..., None]
    return xp.stack([(cr * x + sr * y) / depth, (cr * y - sr * x) / depth], axis=-1)


def centred(points: Any) -> Any:
    """H36M17 poses (..., 17, 3) with the pelvis at the origin."""
    return points - points[..., _PELVIS : _PELVIS + 1, :]
