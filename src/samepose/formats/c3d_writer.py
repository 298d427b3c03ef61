"""Writing C3D with ezc3d: the joints as points over time."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from samepose.errors import FormatError
from samepose.files import written
from samepose.formats.resample import resampled
from samepose.poses import Poses
from samepose.skeleton import H36M17


def write_c3d(path: str | os.PathLike[str], poses: Poses, fps: float = 30.0) -> None:
    """Write 3D poses of one person over time as C3D: the joints of H36M17 by name, millimetres, z up as is usual there.

    Args:
        path: the .c3d file, replaced when it exists.
        poses: see `resample.resampled`.
        fps: frames per second of the file.

    Raises:
        UsageError: poses that cannot be a motion.
        FormatError: ezc3d is not installed.
        SameposeError: it cannot be written.
    """
    if find_spec("ezc3d") is None:
        raise FormatError(f"{path}: writing .c3d needs ezc3d; run pip install 'samepose[c3d]'")
    points = 1000 * resampled(poses, fps)
    ezc3d: Any = import_module("ezc3d")
    file: Any = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [fps]
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    file["parameters"]["POINT"]["LABELS"]["value"] = H36M17.joints
    data = np.ones((4, *points.shape[1::-1]))
    data[:3] = np.stack([points[..., 0], -points[..., 2], points[..., 1]]).swapaxes(1, 2)
    file["data"]["points"] = data
    with written(path) as part:
        file.write(str(part))
