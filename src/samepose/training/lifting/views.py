"""Clips of motion capture as a camera and a detector see them, and what lifting is to make of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from samepose.detection.noise import movenet_noise
from samepose.embed.lifting import features
from samepose.geometry.camera import to_camera
from samepose.skeleton import BODY13, H36M17
from samepose.training.prvipe.augment import AugmentConfig, body13, hidden_parts, random_cameras

_PELVIS = H36M17.index("pelvis")


@dataclass(frozen=True)
class ViewConfig:
    """Cameras and faults. Angles in degrees, lengths in torso lengths (about half a metre).

    Attributes:
        elevation: of the camera, uniform in ± this, half of them within 0.3 of it.
        roll: likewise, half within 0.15 of it.
        distance: range of the camera's distance, log-uniform: from 1.3 m, where perspective is strong.
        aside: the camera looks past the person by up to this angle.
        perfect: share of clips without any fault of the detector.
        own: share of clips whose joints are where motion capture has them, not where MoveNet sees them.
        hide: share of clips in which joints or limbs are out of the picture throughout.
        edge: share of clips whose beginning or end is a still picture, as where a track begins or ends.
        steady: frames for which a fault lasts: log-uniform from 1 to this (ours; not measured).
    """

    elevation: float = 40.0
    roll: float = 25.0
    distance: tuple[float, float] = (2.6, 25.0)
    aside: float = 20.0
    perfect: float = 0.1
    own: float = 0.25
    hide: float = 0.25
    edge: float = 0.15
    steady: float = 20.0


@dataclass(frozen=True, eq=False)
class Seen:
    """A batch of clips.

    Attributes:
        x: what the network gets, see `embed.lifting.features`.
        poses: H36M17 about the pelvis in axes of the ray to it (x right, y down, z away), torso lengths.
        up: against gravity, in the same axes.
        keypoints: what `x` is of: BODY13, x right and y down, units of the focal length, NaN where missing.
    """

    x: Float[Tensor, "n frame 42"]
    poses: Float[Tensor, "n frame 17 3"]
    up: Float[Tensor, "n frame 3"]
    keypoints: Float[np.ndarray, "n frame 13 2"]


class LastingDraws:
    """Random numbers for the frames of clips, alike in frames near each other: faults of a detector last.

    Row i is frame i % `frames` of its clip. Each number is that of a first-order autoregressive Gaussian process, whose
    marginal is what a generator would give; its correlation time is drawn for each clip and call.
    """

    def __init__(self, rng: np.random.Generator, frames: int, longest: float) -> None:
        self._rng, self._frames, self._longest = rng, frames, longest

    def standard_normal(self, size: Any, dtype: Any = np.float32) -> Float[np.ndarray, "..."]:
        """As numpy's; `size[0]` is clips x frames."""
        if self._frames == 1:
            return self._rng.standard_normal(size, np.float32)
        drawn = self._rng.standard_normal((size[0] // self._frames, self._frames, *size[1:]), np.float32)
        if math.isinf(self._longest):
            return np.broadcast_to(drawn[:, :1], drawn.shape).reshape(size)
        times = np.exp(self._rng.uniform(0, math.log(self._longest), (len(drawn), *[1] * (len(size) - 1))))
        keep = np.exp(-1 / times).astype(np.float32)
        new = np.sqrt(1 - keep**2)
        for k in range(1, self._frames):
            drawn[:, k] = keep * drawn[:, k - 1] + new * drawn[:, k]
        return drawn.reshape(size)

    def random(self, size: Any, dtype: Any = np.float32) -> Float[np.ndarray, "..."]:
        """Uniform in 0..1, as numpy's."""
        if self._frames == 1:
            return self._rng.random(size, np.float32)
        normal = torch.from_numpy(self.standard_normal((size,) if isinstance(size, int) else size))
        return torch.special.ndtr(normal).numpy()

    def uniform(self, low: float, high: float, size: Any) -> Float[np.ndarray, "..."]:
        """As numpy's."""
        return low + (high - low) * self.random(size)


def seen(clips: Float[Tensor, "n frame 17 3"], config: ViewConfig, rng: torch.Generator) -> Seen:
    """A random camera and a random detector for each clip.

    Args:
        clips: y up, torso lengths, the middle of the pelvis' way at the origin (its height apart).
    """
    n, frames = clips.shape[:2]
    turned, up = _in_camera(clips, config, rng)
    draw = np.random.default_rng(int(torch.randint(2**62, (), generator=rng)))
    keypoints = _detected(turned, config, draw, rng)
    to_ray = _to_ray(turned[:, :, _PELVIS])
    poses = (turned - turned[:, :, _PELVIS : _PELVIS + 1]) @ to_ray.transpose(2, 3)
    ray_up = (to_ray @ up[:, None, :, None].expand(n, frames, 3, 1))[..., 0]
    shown = _stopped(n, frames, config.edge, rng)
    rows = torch.arange(n)[:, None]
    given = keypoints[rows, shown]
    return Seen(torch.from_numpy(features(given)), poses[rows, shown], ray_up[rows, shown], given)


def _stopped(n: int, frames: int, share: float, rng: torch.Generator) -> Int[Tensor, "n frame"]:
    """Which frame is shown at each moment: in some clips one stays for all before it, or for all after it."""
    number = torch.arange(frames).expand(n, frames)
    stop = torch.randint(frames, (n, 1), generator=rng)
    what = torch.rand((n, 1), generator=rng)
    return torch.where(what < share / 2, number.clamp(min=stop),
                       torch.where(what < share, number.clamp(max=stop), number))


def _in_camera(
    clips: Float[Tensor, "n frame 17 3"], config: ViewConfig, rng: torch.Generator
) -> tuple[Float[Tensor, "n frame 17 3"], Float[Tensor, "n 3"]]:
    """Joints in axes of the camera (its own origin), and up."""
    n = len(clips)
    angles = AugmentConfig(elevation=config.elevation, roll=config.roll)
    azimuth, elevation, roll = (a[:, None] for a in random_cameras(n, angles, rng))
    turned = to_camera(clips, azimuth, elevation, roll, xp=torch)
    up = to_camera(torch.tensor([[0.0, 1.0, 0.0]]).expand(n, 1, 1, 3), azimuth, elevation, roll, xp=torch)[:, 0, 0]
    low, high = (math.log(d) for d in config.distance)
    distance = torch.exp(low + (high - low) * torch.rand(n, generator=rng))
    nearest = turned[..., _PELVIS, 2].amin(1)  # whoever walks up to the camera does not walk through it
    distance = torch.maximum(distance, config.distance[0] - nearest)
    aim = config.aside * (2 * torch.rand((n, 2), generator=rng) - 1) * (math.pi / 180)
    place = torch.stack([aim[:, 0].tan(), aim[:, 1].tan(), torch.ones(n)], 1) * distance[:, None]
    return turned + place[:, None, None], up


def _to_ray(place: Float[Tensor, "n frame 3"]) -> Float[Tensor, "n frame 3 3"]:
    """The smallest rotation that turns the ray to a place onto the camera's own axis."""
    x, y, z = torch.nn.functional.normalize(place, dim=2).unbind(2)
    share = 1 / (1 + z)
    rows = [1 - x * x * share, -x * y * share, -x, -x * y * share, 1 - y * y * share, -y, x, y, z]
    return torch.stack(rows, 2).reshape(*place.shape[:2], 3, 3)


def _detected(
    turned: Float[Tensor, "n frame 17 3"], config: ViewConfig, draw: np.random.Generator, rng: torch.Generator
) -> Float[np.ndarray, "n frame 13 2"]:
    """BODY13 keypoints in units of the focal length, as the detector gives them."""
    n, frames = turned.shape[:2]
    noise = movenet_noise()
    body = body13(turned.flatten(0, 1), 0.0, rng).numpy()
    held = LastingDraws(draw, frames, math.inf)
    other = np.repeat(draw.random(n) < config.own, frames)
    body = np.where(other[:, None, None], body, noise.redefine(body, held))
    flat = body[..., :2] / np.maximum(body[..., 2:], 0.3)
    lasting = LastingDraws(draw, frames, config.steady)
    faulty = noise.disturb(flat, body, lasting)
    perfect = np.repeat(draw.random(n) < config.perfect, frames)
    keypoints = np.where(perfect[:, None, None], flat, faulty).reshape(n, frames, len(BODY13), 2)
    hidden = hidden_parts(n, config.hide, rng).numpy()[:, None, :, None]
    few = (~(np.isnan(keypoints[..., :1]) | hidden)).sum(axis=2, keepdims=True) < 4
    return np.where(hidden & ~few, np.nan, keypoints).astype(np.float32)
