"""The real cameras of Human3.6M, from 3d-pose-baseline's `cameras.h5`.

`subject9/camera1` and so on hold `R` (3, 3), the rotation from the world's axes to the camera's, stored transposed; `T`
(3, 1), where the camera stands, millimetres; `f` and `c` (2, 1), focal length and centre, pixels; `k` (3, 1) and `p`
(2, 1), radial and tangential distortion; `Name`, the camera's number as character codes. The world is z up.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.errors import FormatError

CAMERAS = ("54138969", "55011271", "58860488", "60457274")
_SHAPES = {"R": 9, "T": 3, "f": 2, "c": 2, "k": 3, "p": 2}


@dataclass(frozen=True, eq=False)
class RealCamera:
    """A calibrated camera.

    Attributes:
        rotation: rows are the camera's axes in the world: right, down, away.
        position: metres.
        focal, centre: pixels, x right and y down.
        radial, tangential: distortion k1..k3 and p1, p2 of the data set's own projection, in which x becomes
            x (1 + k1 r² + k2 r⁴ + k3 r⁶ + p1 y + p2 x) + p2 r², and y likewise + p1 r².
    """

    rotation: Float[np.ndarray, "3 3"]
    position: Float[np.ndarray, " 3"]
    focal: Float[np.ndarray, " 2"]
    centre: Float[np.ndarray, " 2"]
    radial: Float[np.ndarray, " 3"]
    tangential: Float[np.ndarray, " 2"]

    def before(self, points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """Points in the world in the camera's axes: right, down, away; metres."""
        seen: np.ndarray = (points - self.position) @ self.rotation.T
        return seen

    def project(self, points: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 2"]:
        """Points in the world, metres, to pixels; NaN behind the camera."""
        seen = self.before(points)
        depth = np.where(seen[..., 2:] > 0, seen[..., 2:], np.nan)
        flat = seen[..., :2] / depth
        squared = (flat**2).sum(axis=-1, keepdims=True)
        k1, k2, k3 = self.radial
        p1, p2 = self.tangential
        stretch = 1 + squared * (k1 + squared * (k2 + squared * k3)) + flat @ np.array([[p2], [p1]])
        pixels: np.ndarray = (flat * stretch + squared * (p2, p1)) * self.focal + self.centre
        return pixels


def read_cameras(path: Path) -> dict[tuple[str, str], RealCamera]:
    """(subject, camera's name) -> camera, all that the file has.

    Raises:
        FormatError: not such a file, or h5py is not installed.
    """
    cameras = {}
    with read_h5(path) as file:
        for subject in (s for s in file if s.startswith("subject")):
            for place in file[subject].values():
                value = {key: np.asarray(place[key], np.float64) for key in _SHAPES if key in place}
                if "Name" not in place or {k: v.size for k, v in value.items()} != _SHAPES:
                    raise FormatError(f"{path}: {place.name} is no camera with {', '.join(_SHAPES)} and Name; give "
                                      "3d-pose-baseline's cameras.h5")
                name = "".join(chr(int(code)) for code in np.ravel(place["Name"]))
                cameras["S" + subject.removeprefix("subject"), name] = RealCamera(
                    value["R"].reshape(3, 3).T, value["T"].ravel() / 1000,
                    *(value[key].ravel() for key in ("f", "c", "k", "p")))
    return cameras


@contextmanager
def read_h5(path: Path) -> Iterator[Any]:
    """An `.h5` file, open.

    Raises:
        FormatError: not a readable one, or h5py is not installed.
    """
    try:
        h5py: Any = import_module("h5py")
    except ImportError as error:
        raise FormatError(f"{path}: reading .h5 needs h5py; run pip install 'samepose[h36m]'") from error
    try:
        with h5py.File(path, "r") as opened:
            yield opened
    except (OSError, TypeError, ValueError, AttributeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise FormatError(f"{path}: is not a readable .h5 file ({reason}); get it again") from error
