"""What is measured at 3D pose from a picture: StructNet, lifting of keypoints, and predictions made elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from samepose.detection.movenet import MoveNet
from samepose.embed.lifting import LiftingNetwork
from samepose.errors import FormatError
from samepose.evaluation.pose3d import MOST, about_hip
from samepose.evaluation.pose3d_run import Batch, Contestant, Recorded, Seen
from samepose.formats.npz import read_npz
from samepose.lifting.candidates import Candidates
from samepose.lifting.lifted import keypoints_of, liftable, stature
from samepose.lifting.structnet import Seen as Embedded
from samepose.lifting.structnet import StructNetModel
from samepose.poses import Poses
from samepose.skeleton import BODY13, H36M17
from samepose.weights import Network

STATURE = 1.7  # metres, of everybody: lifting does not know how tall people are (`samepose lift --height`)
_HEAD = H36M17.index("head_top")
_MM = (150.0, 3000.0)  # from hip to crown of anybody, on the median
Keypoints = Callable[[Batch], Poses]


def read_predictions(name: str, path: Path) -> Recorded:
    """Poses of a file (.npz): each array (N, 17, 3) by its name, mm in camera space; "poses" are the model's only ones.

    An array "truth" tells of which pictures they were made.

    Raises:
        FormatError: no such file, another skeleton, metres, or nobody.
    """
    arrays = read_npz(path)
    poses = {key: values.astype(np.float64) for key, values in arrays.items()
             if values.ndim == 3 and values.shape[2] == 3 and values.dtype.kind == "f"}
    if not poses:
        kinds = ", ".join(f"{key} {values.dtype} {values.shape}" for key, values in arrays.items())
        raise FormatError(f"{path}: holds no predicted poses ({kinds or 'nothing'}); expected arrays (N, 17, 3), mm")
    for key, values in poses.items():
        if values.shape[1] != len(H36M17):
            raise FormatError(f"{path}: {key} has {values.shape[1]} joints; expected Human3.6M's 17, the hip first")
        there = values[np.isfinite(values).all(axis=(1, 2))]
        if not len(there):
            raise FormatError(f"{path}: {key} holds nobody; predict somebody first")
        length = float(np.median(np.linalg.norm(there[:, _HEAD] - there[:, 0], axis=1)))
        if not _MM[0] < length < _MM[1]:
            raise FormatError(f"{path}: {key} has people {length:.3g} mm from hip to crown; give millimetres, in the "
                              "order of Human3.6M's 17 joints")
    only = "pred" if set(poses) == {"pred", "truth"} else "poses"  # plain regression predicts and scores nothing
    found = {"" if key == only else key: about_hip(values / 1000) for key, values in poses.items()}
    truth = found.pop("truth", None)
    if not found:
        raise FormatError(f"{path}: holds the truth alone; add predicted poses, arrays (N, 17, 3), mm")
    return Recorded(name, found, truth)


@runtime_checkable
class Space(Protocol):
    """What embeds people of a picture among candidate poses: an exported StructNet, or one in torch."""

    @property
    def candidates(self) -> Candidates | None:
        """None of plain regression, which predicts and scores nothing."""

    def see(self, image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "n 4"]) -> Embedded:
        """People of a picture by their boxes, pixels."""
        ...


@dataclass(frozen=True)
class StructNet:
    """Max, Avg(A) and Pred of a StructNet; of plain regression the only pose."""

    name: str
    space: Space

    def look(self, batch: Batch) -> Seen:
        """Everybody in their box."""
        found = [self.space.see(image, box[None]) for image, box in zip(batch.images, batch.boxes)]
        predicted = about_hip(np.concatenate([one.predicted for one in found]))
        candidates = self.space.candidates
        if candidates is None:
            return Seen({"": predicted})
        rows, _ = candidates.best(np.concatenate([one.embeddings for one in found]), MOST)
        return Seen({"pred": predicted}, about_hip(candidates.averages(rows, tuple(range(1, rows.shape[1] + 1)))))


@dataclass(frozen=True)
class Lifting:
    """Single frames of keypoints lifted, everybody `STATURE` tall, turned by the ray to the hip into the camera's axes.

    Attributes:
        keypoints: whose they are: MoveNet's in the person's box (`detected`), or the data set's own (`known`).
    """

    name: str
    network: LiftingNetwork
    keypoints: Keypoints

    def look(self, batch: Batch) -> Seen:
        """NaN where too few joints are known."""
        poses = self.keypoints(batch)
        clear = liftable(poses)
        out = np.full((len(poses), 17, 3), np.nan)
        if clear.any():
            likely = self.network.run(keypoints_of(poses)[clear][:, None]).poses[:, 0].astype(np.float64)
            scale = STATURE / np.array([stature(pose[None]) for pose in likely])
            out[clear] = about_hip(likely * scale[:, None, None] @ along_axis(batch.ray[clear].astype(np.float64)))
        return Seen({"": out})


def detected(movenet: MoveNet) -> Keypoints:
    """What MoveNet sees in the boxes of those who are meant, which StructNet is given too."""
    def look(batch: Batch) -> Poses:
        return Poses.concatenate([movenet.detect_inside(image, box[None].astype(np.float32))
                                  for image, box in zip(batch.images, batch.boxes)])

    return look


def known(batch: Batch) -> Poses:
    """The data set's own keypoints, hidden ones too."""
    return Poses.of(batch.keypoints, BODY13)


def along_axis(ray: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    """The smallest rotation that turns the ray onto the camera's own axis: p becomes R @ p, and back R.T @ p."""
    x, y, z = (ray / np.linalg.norm(ray, axis=1, keepdims=True)).T
    share = 1 / (1 + z)
    rows = [1 - x * x * share, -x * y * share, -x, -x * y * share, 1 - y * y * share, -y, x, y, z]
    return np.stack(rows, axis=1).reshape(-1, 3, 3)


def contestants(name: str, path: Path, threads: int | None = None) -> list[Contestant]:
    """An exported StructNet, or a lifting network, which is measured twice: "NAME-true" on the data set's keypoints.

    Raises:
        FormatError: none of these, or a lifting network that looks at several frames.
    """
    if "samepose_structnet" in Network(path, threads, "StructNet or lifting model").facts:
        return [StructNet(name, StructNetModel.load(path, threads))]
    network = LiftingNetwork(path, threads)
    if network.info.window != 1:
        raise FormatError(f"{path}: looks at {network.info.window} frames of a video, and here are single pictures; "
                          "give a lifting network of single frames")
    return [Lifting(name, network, detected(MoveNet(threads=threads))), Lifting(f"{name}-true", network, known)]
