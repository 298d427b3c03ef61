"""Synthetic views of motion capture: fixed cameras around a person and the 2D keypoints that they see.

The cameras of cross-view retrieval (Sun 2020, section 4.2) stand in place of the datasets' own: `CHEST4` are four
at chest height, as in Human3.6M; `ALL11` adds low, high and tilted ones, as in MPI-INF-3DHP.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from samepose.detection.noise import movenet_noise
from samepose.errors import FormatError, UsageError
from samepose.geometry.camera import project, to_camera
from samepose.geometry.normalise import normalise_3d, torso_scale_2d
from samepose.skeleton import BODY13, H36M17

Keypoints = Literal["perfect", "noisy", "detected"]
DISTANCE = 8.0  # torso lengths; real cameras are 4 to 12 away (ours: the figure moves with it, so it is fixed)
NOISE = 0.02  # standard deviation where the largest shoulder-hip distance is 0.5 (ours)


@dataclass(frozen=True)
class Camera:
    """A camera that looks at the pelvis, in degrees (see `geometry.camera.project` for the directions).

    Attributes:
        azimuth: around the person, 0 = the world's +z axis.
        elevation: -90..90, positive looks down from above.
        roll: positive turns the image anticlockwise.
    """

    azimuth: float
    elevation: float = 0.0
    roll: float = 0.0

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) for v in (self.azimuth, self.elevation, self.roll)):
            raise UsageError(f"camera angles must be finite degrees, not {self}")
        if abs(self.elevation) > 90:
            raise UsageError(f"camera elevation {self.elevation} is outside -90..90 degrees")

    def radians(self) -> tuple[np.float64, np.float64, np.float64]:
        """Azimuth, elevation and roll, as `geometry.camera` takes them."""
        azimuth, elevation, roll = (np.float64(math.radians(v)) for v in (self.azimuth, self.elevation, self.roll))
        return azimuth, elevation, roll


CHEST4 = (Camera(20), Camera(110), Camera(200), Camera(290))
ALL11 = (
    *CHEST4,
    Camera(65, 15), Camera(155, -10, 5), Camera(245, 30), Camera(335, 20, -8),
    Camera(45, -20), Camera(185, 25, 10), Camera(310, -15, -5),
)
CAMERAS: dict[str, tuple[Camera, ...]] = {"chest4": CHEST4, "all11": ALL11}


def cameras_of(name: str | Path) -> tuple[Camera, ...]:
    """`"chest4"`, `"all11"`, or the cameras of a JSON or CSV file (see `read_cameras`)."""
    if str(name).lower() in CAMERAS:
        return CAMERAS[str(name).lower()]
    if not Path(name).is_file():
        raise UsageError(f"no cameras {str(name)!r}; use {', '.join(CAMERAS)} or a .json or .csv file")
    return read_cameras(Path(name))


def read_cameras(path: Path) -> tuple[Camera, ...]:
    """Cameras from a file: JSON `[[azimuth, elevation, roll], …]`, or CSV of such lines, in degrees.

    Raises:
        FormatError: not two cameras or more, a line without one to three numbers, or an impossible angle.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows: Iterable[Any] = json.loads(text) if path.suffix.lower() == ".json" else _csv_rows(text)
        cameras = tuple(Camera(*(float(value) for value in row)) for row in rows)
    except (OSError, TypeError, ValueError, UsageError) as error:
        raise FormatError(f"{path}: not a table of azimuth, elevation, roll in degrees: {error}") from error
    if len(cameras) < 2:
        raise FormatError(f"{path}: cross-view retrieval needs at least two cameras, found {len(cameras)}")
    return cameras


def _csv_rows(text: str) -> list[list[str]]:
    rows = [row for row in csv.reader(text.splitlines()) if row and not row[0].startswith("#")]
    return rows[1:] if rows and rows[0][0].strip().lower() == "azimuth" else rows


def project_views(
    points: Float[np.ndarray, "n 17 3"], cameras: Sequence[Camera], distance: float = DISTANCE
) -> Float[np.ndarray, "camera n 13 2"]:
    """BODY13 keypoints of H36M17 poses (any unit, y up) in each camera, x right and y down, float32.

    The unit is that of Sun 2020's keypoints: the largest of the six distances among shoulders and hips is 0.5.
    """
    return _project_body(_body13(points), cameras, distance)


def keypoint_views(
    points: Float[np.ndarray, "n 17 3"], cameras: Sequence[Camera], keypoints: Keypoints = "perfect", seed: int = 0
) -> Float[np.ndarray, "camera n 13 2"]:
    """`project_views` as a detector might see them.

    "noisy" adds Gaussian noise of `NOISE` and restores the unit; "detected" has the faults of MoveNet
    (`detection.noise`), with NaN where it misses a joint, in the unit of the true keypoints.

    Raises:
        UsageError: `keypoints` is none of these.
    """
    if keypoints not in ("perfect", "noisy", "detected"):
        raise UsageError(f"no keypoints {keypoints!r}; use perfect, noisy or detected")
    if keypoints == "perfect":
        return project_views(points, cameras)
    rng = np.random.default_rng(seed)
    if keypoints == "noisy":
        views = project_views(points, cameras)
        return _unit_torso(views + rng.normal(0, NOISE, views.shape)).astype(np.float32)
    noise = movenet_noise()
    body = noise.redefine(_body13(points), rng)
    views = _project_body(body, cameras, DISTANCE)
    turned = (to_camera(body, *camera.radians()) for camera in cameras)
    return np.stack([noise.disturb(view, body, rng) for view, body in zip(views, turned)])


def _body13(points: Float[np.ndarray, "n 17 3"]) -> Float[np.ndarray, "n 13 3"]:
    return H36M17.convert(normalise_3d(np.asarray(points, np.float64)), BODY13)


def _project_body(
    body: Float[np.ndarray, "n 13 3"], cameras: Sequence[Camera], distance: float
) -> Float[np.ndarray, "camera n 13 2"]:
    views = [project(body, *camera.radians(), np.float64(distance)) for camera in cameras]
    return np.stack([_unit_torso(view) for view in views]).astype(np.float32)


def _unit_torso(points: Float[np.ndarray, "*batch 13 2"]) -> Float[np.ndarray, "*batch 13 2"]:
    scaled: np.ndarray = points * (0.5 / np.maximum(torso_scale_2d(points), 1e-6))[..., None, None]
    return scaled
