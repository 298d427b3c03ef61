"""Random pinhole cameras around a person, with the picture cropped as people crop pictures of people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from samepose.geometry.camera import to_camera


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera without distortion.

    Attributes:
        turn: (3, 3) rows: right, down and away in the world's axes (y up).
        shift: (3,) metres; a world point p is at turn @ p + shift in camera space (x right, y down, z away).
        focal: pixels.
        centre: (2,) pixels, the principal point; off the image's middle, because the image is a crop.
    """

    turn: Float[np.ndarray, "3 3"]
    shift: Float[np.ndarray, " 3"]
    focal: float
    centre: Float[np.ndarray, " 2"]

    def to_camera(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """World points in camera space, metres."""
        return points @ self.turn.T + self.shift

    def to_pixels(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
        """Points of camera space in pixels; the middle of the first pixel is at 0.5, 0.5. Behind the camera: NaN."""
        depth = np.where(points[:, 2:] > 0.05, points[:, 2:], np.nan)
        return points[:, :2] / depth * self.focal + self.centre

    @property
    def eye(self) -> Float[np.ndarray, " 3"]:
        """Where the camera is in the world."""
        return -self.turn.T @ self.shift

    @property
    def matrix(self) -> Float[np.ndarray, "3 3"]:
        """Intrinsic matrix."""
        return np.array([[self.focal, 0, self.centre[0]], [0, self.focal, self.centre[1]], [0, 0, 1]])


def random_camera(rng: np.random.Generator, vertices: Float[np.ndarray, "vertex 3"], size: int) -> Camera:
    """A camera somewhere around the person, and a crop of its picture.

    Ours: any azimuth; elevation mostly within 25 degrees, one in ten up to 75; roll 6 degrees, one in ten up to 45;
    2 to 14 m away. Of the crops 75 % leave a margin of 6-25 % of the person's longer side all round, 15 % a wider
    one, 10 % cut parts of the person off.
    """
    azimuth = rng.uniform(-np.pi, np.pi)
    kind = rng.random()
    elevation = np.radians(rng.normal(4, 11) if kind < 0.7 else rng.uniform(-30, 50) if kind < 0.9 else
                           rng.uniform(-45, 75))
    roll = np.radians(rng.normal(0, 6) if rng.random() < 0.9 else rng.uniform(-45, 45))
    turn = to_camera(np.eye(3), azimuth, elevation, roll).T
    middle = (vertices.min(0) + vertices.max(0)) / 2
    distance = float(np.exp(rng.normal(np.log(4.5), 0.5)).clip(2, 14))
    shift = -turn @ middle + (0, 0, distance)
    seen = vertices @ turn.T + shift
    plane = seen[:, :2] / np.maximum(seen[:, 2:], 0.2)
    low, high = plane.min(0), plane.max(0)
    kind = rng.random()
    margin = rng.uniform(0.06, 0.25) if kind < 0.75 else rng.uniform(0.25, 0.7) if kind < 0.9 else rng.uniform(
        -0.2, 0.06)
    side = float((high - low).max()) * (1 + 2 * margin)
    free = np.maximum(side - (high - low), 0) * 0.35 + 0.03 * side
    corner = (low + high - side) / 2 + rng.uniform(-0.5, 0.5, 2) * free
    focal = size / side
    return Camera(turn, shift, focal, -corner * focal)
