"""What a lifting network tells of 13 keypoints: the pose in space, by several hypotheses. No torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from samepose.geometry.normalise import normalise_2d
from samepose.skeleton import BODY13, H36M17
from samepose.weights import Network, weight_file

_BATCH = 256


@dataclass(frozen=True)
class LiftingInfo:
    """What an exported network carries besides its weights.

    Attributes:
        name: network and version.
        window: frames that a pose is told from, 30 a second.
        subjects: people of the motion capture it was trained on.
    """

    name: str
    window: int
    subjects: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As stored in the ONNX file's metadata."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LiftingInfo:
        """The inverse of `to_json`; KeyError, TypeError or ValueError when it is not one."""
        fields = json.loads(text)
        return cls(str(fields["name"]), int(fields["window"]), tuple(map(str, fields["subjects"])))


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """What a network says of single moments.

    Attributes:
        poses: H36M17 about the pelvis in axes of the camera (x right, y down, z away), torso lengths; likeliest first.
        weights: probabilities, falling, sum 1.
        spread: standard deviation of each joint of each hypothesis along one axis, torso lengths.
        up: against gravity, unit length.
    """

    poses: Float[np.ndarray, "n hypothesis 17 3"]
    weights: Float[np.ndarray, "n hypothesis"]
    spread: Float[np.ndarray, "n hypothesis 17"]
    up: Float[np.ndarray, "n 3"]

    def __getitem__(self, rows: slice) -> Hypotheses:
        return Hypotheses(self.poses[rows], self.weights[rows], self.spread[rows], self.up[rows])

    @property
    def doubt(self) -> Float[np.ndarray, "n 17"]:
        """Standard deviation of each joint along one axis about the likeliest pose, other hypotheses included."""
        away = ((self.poses - self.poses[:, :1]) ** 2).sum(axis=-1) / 3 + self.spread**2
        deviation: np.ndarray = np.sqrt((self.weights[..., None] * away).sum(axis=1))
        return deviation


class LiftingNetwork:
    """One exported network (`samepose export RUN`).

    Args:
        threads: how many it uses; all cores by default.

    Attributes:
        info: what the file says about itself.

    Raises:
        FormatError: the file is missing or is no lifting network exported by samepose.
    """

    def __init__(self, path: Path | str, threads: int | None = None) -> None:
        self._network = Network(Path(path), threads, "lifting model")
        try:
            self.info = LiftingInfo.from_json(self._network.facts["samepose"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise self._network.unexpected from error

    @property
    def sha256(self) -> str:
        """Of the file."""
        return self._network.sha256

    def run(self, keypoints: Float[np.ndarray, "n frame 13 2"]) -> Hypotheses:
        """The pose in the middle of each window.

        Args:
            keypoints: BODY13, any unit, x right and y down, NaN where missing; `info.window` frames.
        """
        return self.told(features(keypoints))

    def told(self, x: Float[np.ndarray, "n frame 42"]) -> Hypotheses:
        """The same from `features`: what the network says of the picture and of its mirror image, agreed."""
        said = self._once(np.concatenate([x, mirrored_features(x)]))
        return agreed(said[: len(x)], _mirrored(said[len(x) :]))

    def _once(self, x: Float[np.ndarray, "n frame 42"]) -> Hypotheses:
        names = ["poses", "weights", "spread", "up"]
        parts = [self._network.run(names, {"x": x[k : k + _BATCH]}) for k in range(0, max(len(x), 1), _BATCH)]
        poses, weights, spread, up = (np.concatenate([p[k] for p in parts])[:, 0] for k in range(4))
        return _ranked(poses, weights, spread, up)


def agreed(one: Hypotheses, other: Hypotheses) -> Hypotheses:
    """The mean of two opinions: of each hypothesis and the nearest of the other's, so that modes stay apart."""
    apart = np.linalg.norm(one.poses[:, :, None] - other.poses[:, None], axis=-1).mean(axis=-1)
    rows, near = np.arange(len(apart))[:, None], apart.argmin(axis=2)
    weights = one.weights + other.weights[rows, near]
    up = one.up + other.up
    return _ranked(
        (one.poses + other.poses[rows, near]) / 2, weights / weights.sum(axis=1, keepdims=True),
        np.sqrt((one.spread**2 + other.spread[rows, near] ** 2) / 2),
        up / np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-6))


def _mirrored(said: Hypotheses) -> Hypotheses:
    order, flip = H36M17.mirror, np.array([-1, 1, 1], np.float32)
    return Hypotheses(said.poses[:, :, order] * flip, said.weights, said.spread[:, :, order], said.up * flip)


def _ranked(poses: np.ndarray, weights: np.ndarray, spread: np.ndarray, up: np.ndarray) -> Hypotheses:
    """The likeliest first."""
    order = np.argsort(-weights, axis=1, kind="stable")
    rows = np.arange(len(order))[:, None]
    return Hypotheses(poses[rows, order], weights[rows, order], spread[rows, order], up)


@cache
def shipped_lifting(threads: int | None = None) -> LiftingNetwork:
    """The shipped network, of single pictures.

    Raises:
        SameposeError: the file is missing or damaged.
    """
    return LiftingNetwork(weight_file("lifting"), threads)


def features(keypoints: Float[np.ndarray, "n frame 13 2"]) -> Float[np.ndarray, "n frame 42"]:
    """Per frame: 13 x (x, y) as `normalise_2d`, the mask, then `motion`.

    Args:
        keypoints: BODY13 of consecutive frames, x right and y down, any unit, NaN where missing.
    """
    n, frames = keypoints.shape[:2]
    points, visible = normalise_2d(keypoints.reshape(-1, len(BODY13), 2).astype(np.float32, copy=False))
    still = np.concatenate([points.reshape(len(points), -1), visible.astype(np.float32)], axis=1)
    return np.concatenate([still.reshape(n, frames, -1), motion(keypoints)], axis=2)


def mirrored_features(x: Float[np.ndarray, "n frame 42"]) -> Float[np.ndarray, "n frame 42"]:
    """Those of the mirrored picture, left called right."""
    joints, order = len(BODY13), BODY13.mirror
    points = x[..., : 2 * joints].reshape(*x.shape[:2], joints, 2)[:, :, order] * np.array([-1, 1], x.dtype)
    still = [points.reshape(*x.shape[:2], -1), x[..., 2 * joints : 3 * joints][..., order]]
    return np.concatenate([*still, x[..., 3 * joints :] * np.array([-1, 1, 1], x.dtype)], axis=2)


def motion(keypoints: Float[np.ndarray, "n frame 13 2"]) -> Float[np.ndarray, "n frame 3"]:
    """How far the person moved since the frame before, right and down, and the log of how much larger they became.

    From the joints that both frames show, so that one which vanishes moves nobody; in units of the person's size (root
    mean square distance from the middle), 0 at the first frame and where fewer than two joints are shared.
    """
    out = np.zeros((*keypoints.shape[:2], 3), np.float32)
    before, now = keypoints[:, :-1], keypoints[:, 1:]
    shared = ~np.isnan(before + now).any(axis=-1, keepdims=True)
    count = np.maximum(shared.sum(axis=2), 1)
    middles, sizes = [], []
    for points in (before, now):
        seen = np.where(shared, points, 0)
        middle = seen.sum(axis=2) / count
        gaps = np.where(shared, seen - middle[:, :, None], 0)
        middles.append(middle)
        sizes.append(np.maximum(np.sqrt((gaps**2).sum(axis=(2, 3)) / count[..., 0]), 1e-6))
    enough = count[..., 0] >= 2
    moved = (middles[1] - middles[0]) / sizes[0][..., None]
    out[:, 1:, :2] = np.where(enough[..., None], moved, 0)
    out[:, 1:, 2] = np.where(enough, np.log(sizes[1] / sizes[0]), 0)
    return np.clip(out, -1, 1)
