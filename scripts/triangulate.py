"""Points in space from what calibrated cameras see of them: for scripts/measure_detector.py."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class QualisysCamera:
    """World to camera is x right, y up, z towards the camera; the image has y down."""

    rotation: Float[np.ndarray, "3 3"]
    centre: Float[np.ndarray, "3"]
    focal: Float[np.ndarray, "2"]
    middle: Float[np.ndarray, "2"]
    radial: Float[np.ndarray, "2"]

    def turned(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        return (points - self.centre) @ self.rotation.T

    def project(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
        turned = self.turned(points)
        flat = turned[..., :2] / turned[..., 2:]
        return flat * _distortion(flat, self.radial) * self.focal + self.middle

    def ray(self, pixels: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        bent = (pixels - self.middle) / self.focal
        flat = bent
        for _ in range(5):
            flat = bent / _distortion(flat, self.radial)
        return flat


def _distortion(flat: Float[np.ndarray, "n 2"], radial: Float[np.ndarray, "2"]) -> Float[np.ndarray, "n 1"]:
    r2 = (flat**2).sum(axis=-1, keepdims=True)
    return 1 + radial[0] * r2 + radial[1] * r2**2


def read_calibration(path: Path) -> list[QualisysCamera]:
    """Cameras in metres and pixels; the file counts 64ths of a pixel and millimetres."""
    cameras = []
    for camera in ET.parse(path).getroot().iter("camera"):
        pose, lens = camera.find("transform"), camera.find("intrinsic")
        assert pose is not None and lens is not None, f"{path}: a camera without transform or intrinsic"
        rotation = np.array([[float(pose.attrib[f"r{i}{j}"]) for j in (1, 2, 3)] for i in (1, 2, 3)])
        pixel = {key: float(lens.attrib[key]) / 64 for key in
                 ("focalLengthU", "focalLengthV", "centerPointU", "centerPointV")}
        cameras.append(QualisysCamera(
            np.diag([1.0, -1.0, -1.0]) @ rotation, np.array([float(pose.attrib[k]) for k in "xyz"]) / 1000,
            np.array([pixel["focalLengthU"], pixel["focalLengthV"]]),
            np.array([pixel["centerPointU"], pixel["centerPointV"]]),
            np.array([float(lens.attrib[f"radialDistortion{k}"]) for k in (1, 2)]),
        ))
    return cameras


def triangulate(
    pixels: Float[np.ndarray, "camera n 2"], weights: Float[np.ndarray, "camera n"], cameras: list[QualisysCamera]
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "camera n 2"]]:
    """Points, and what each camera's detection is off by; a detection 12 pixels off has half a say."""
    rows = []
    for camera, seen in zip(cameras, pixels):
        flat, shift = camera.ray(seen), -camera.rotation @ camera.centre
        rows.append((flat[..., None] * camera.rotation[2] - camera.rotation[:2], shift[:2] - flat * shift[2]))
    say = weights
    for _ in range(15):
        left = sum(np.einsum("nij,nik,n->njk", a, a, w) for (a, _), w in zip(rows, say))
        right = sum(np.einsum("nij,ni,n->nj", a, b, w) for (a, b), w in zip(rows, say))
        points = np.linalg.solve(left, right[..., None])[..., 0]
        off = pixels - np.stack([camera.project(points) for camera in cameras])
        say = weights / (1 + (off**2).sum(axis=-1) / 12**2)
    return points, off
