"""Random bodies, cameras and detector faults for training on motion capture (Sun 2020, section 3.5, and ours)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from samepose.detection.noise import movenet_noise
from samepose.geometry.camera import project, to_camera
from samepose.skeleton import BODY13, H36M17, PARTS

_CHEST_AZIMUTHS = (20.0, 110.0, 200.0, 290.0)
# Kinematic tree of H36M17: child -> parent, in an order in which parents come first.
_TREE = {
    "left_hip": "pelvis", "right_hip": "pelvis", "spine": "pelvis", "thorax": "spine", "neck": "thorax",
    "head_top": "neck", "left_knee": "left_hip", "right_knee": "right_hip", "left_ankle": "left_knee",
    "right_ankle": "right_knee", "left_shoulder": "thorax", "right_shoulder": "thorax",
    "left_elbow": "left_shoulder", "right_elbow": "right_shoulder", "left_wrist": "left_elbow",
    "right_wrist": "right_elbow",
}
_BODY = [H36M17.index(j) for j in BODY13.joints if j != "nose"]


@dataclass(frozen=True)
class AugmentConfig:
    """Ranges of the random views and faults. Angles in degrees, lengths in torso lengths.

    Attributes:
        cameras: chest4 = the four fixed views, mixed = half those, half random (Sun 2020, section 3.5), random = only
            random ones. The two views of a pose are never of the same fixed camera.
        elevation: uniform in ± this for random views (Sun 2020, section 3.6: 30).
        roll: likewise (Sun 2020, section 3.6: 30).
        level: share of random views with 0.3 of that elevation, and share with 0.15 of that roll: people film with
            level cameras (ours; 0 = all uniform, as in Sun 2020).
        distance: range of the camera distance, log-uniform (reference code: fixed at 2; real cameras are farther).
        mirror: probability that a body is mirrored.
        limbs: probability per limb that it is exchanged for another body's.
        bones: spread (log) of random bone lengths.
        nose: spread of where the nose sits on the head, forward of it.
        jitter: largest Gaussian keypoint noise, in units where the largest shoulder-hip distance is 0.5.
        clean: share of views without any noise.
        swap: probability that a view has one left-right limb swap.
        hide: probability that joints are hidden in a view (reference code: 0.3).
        detector: share of views with the measured faults of MoveNet in place of `nose`, `jitter` and `swap`.
    """

    cameras: Literal["random", "mixed", "chest4"] = "random"
    elevation: float = 30.0
    roll: float = 30.0
    level: float = 0.5
    distance: tuple[float, float] = (3.0, 14.0)
    mirror: float = 0.5
    limbs: float = 0.15
    bones: float = 0.08
    nose: float = 0.15
    jitter: float = 0.03
    clean: float = 0.4
    swap: float = 0.02
    hide: float = 0.35
    detector: float = 0.0


def random_bodies(
    points: Float[Tensor, "n 17 3"], config: AugmentConfig, rng: torch.Generator
) -> Float[Tensor, "n 17 3"]:
    """Mirror, exchange limbs between bodies, and vary bone lengths; pelvis at 0, torso length 1 again."""
    points = _mirror(points, config.mirror, rng)
    if config.limbs:
        points = _exchange_limbs(points, config.limbs, rng)
    if config.bones:
        points = vary_bones(points, config.bones, rng)
    spine, thorax = points[:, H36M17.index("spine")], points[:, H36M17.index("thorax")]
    return points / (spine.norm(dim=1) + (thorax - spine).norm(dim=1))[:, None, None]


@dataclass(frozen=True, eq=False)
class Views:
    """What random cameras see of a batch of bodies.

    Attributes:
        points: (n, 13, 2) BODY13 keypoints, normalised, as an imperfect detector gives them; 0 where hidden.
        visible: (n, 13).
        turned: (n, 13, 3) those joints in camera axes about the pelvis (x right, y down, z away), torso lengths: what
            lifting predicts.
    """

    points: Float[Tensor, "n 13 2"]
    visible: Bool[Tensor, "n 13"]
    turned: Float[Tensor, "n 13 3"]


def random_view_pairs(
    points: Float[Tensor, "n 17 3"], config: AugmentConfig, rng: torch.Generator
) -> tuple[Views, Views]:
    """Two views of each body; where both are of fixed cameras, of different ones."""
    first = torch.randint(4, (len(points),), generator=rng)
    other = (first + torch.randint(1, 4, (len(points),), generator=rng)) % 4
    return random_views(points, config, rng, first), random_views(points, config, rng, other)


def random_views(
    points: Float[Tensor, "n 17 3"], config: AugmentConfig, rng: torch.Generator, chest: Int[Tensor, " n"] | None = None
) -> Views:
    """A random camera and a random detector for each body.

    Args:
        chest: which fixed camera a view takes if it takes a fixed one; None = any.
    """
    n = len(points)
    azimuth, elevation, roll = random_cameras(n, config, rng, chest)
    low, high = (math.log(d) for d in config.distance)
    distance = torch.exp(_uniform((n,), low, high, rng))
    body = body13(points, config.nose, rng)
    keypoints = _disturb(project(body, azimuth, elevation, roll, distance, xp=torch), config, rng)
    visible = ~hidden_parts(n, config.hide, rng)
    if config.detector:
        chosen = torch.nonzero(_coin(n, config.detector, rng))[:, 0]
        camera = (azimuth[chosen], elevation[chosen], roll[chosen], distance[chosen])
        keypoints[chosen], found = _detected(points[chosen], camera, rng)
        both = visible[chosen] & found
        visible[chosen] = torch.where(both.sum(1, keepdim=True) >= 4, both, found)
    turned = to_camera(body, azimuth, elevation, roll, xp=torch)
    return Views(normalise(keypoints, visible), visible, turned)


def random_cameras(
    n: int, config: AugmentConfig, rng: torch.Generator, chest: Int[Tensor, " n"] | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Azimuth, elevation and roll in radians, (n,) each.

    Args:
        chest: number of the fixed camera that each takes if it takes a fixed one; None = any.
    """
    azimuth = _uniform((n,), -math.pi, math.pi, rng)
    narrow = torch.where(_coin(n, config.level, rng), 0.3, 1.0)
    elevation = _uniform((n,), -1, 1, rng) * narrow * math.radians(config.elevation)
    narrow = torch.where(_coin(n, config.level, rng), 0.15, 1.0)
    roll = _uniform((n,), -1, 1, rng) * narrow * math.radians(config.roll)
    if config.cameras == "random":
        return azimuth, elevation, roll
    if chest is None:
        chest = torch.randint(4, (n,), generator=rng)
    around = torch.tensor(_CHEST_AZIMUTHS)[chest] * (math.pi / 180)
    fixed = torch.ones(n, dtype=torch.bool) if config.cameras == "chest4" else _coin(n, 0.5, rng)
    zero = torch.zeros(n)
    return torch.where(fixed, around, azimuth), torch.where(fixed, zero, elevation), torch.where(fixed, zero, roll)


def body13(points: Float[Tensor, "n 17 3"], spread: float, rng: torch.Generator) -> Float[Tensor, "n 13 3"]:
    """3D points of the 2D keypoints. The nose is midway between neck and crown, plus a random offset.

    Motion capture has no nose, and bodies and marker sets differ: the offset is along the head and forward, the
    way the shoulders face.
    """
    neck, crown = points[:, H36M17.index("neck")], points[:, H36M17.index("head_top")]
    head = crown - neck
    nose = (neck + crown) / 2
    if spread:
        across = points[:, H36M17.index("left_shoulder")] - points[:, H36M17.index("right_shoulder")]
        forward = torch.linalg.cross(across, head)
        forward = forward / forward.norm(dim=1, keepdim=True).clamp_min(1e-6)
        n = len(points)
        some = _coin(n, 0.7, rng)[:, None].float()
        along = _uniform((n, 1), -0.6, 0.2, rng)
        nose = nose + some * (head * along + forward * _uniform((n, 1), 0.0, spread * 2, rng))
    return torch.cat([nose[:, None], points[:, _BODY]], 1)


def normalise(points: Float[Tensor, "n 13 2"], visible: Bool[Tensor, "n 13"]) -> Float[Tensor, "n 13 2"]:
    """`samepose.geometry.normalise.normalise_2d` on tensors, differentiable."""
    weight = visible[..., None].to(points.dtype)
    count = weight.sum(1, keepdim=True).clamp_min(1)
    centred = (points - (points * weight).sum(1, keepdim=True) / count) * weight
    spread = torch.sqrt((centred**2).sum((1, 2), keepdim=True) / count)
    return centred / spread.clamp_min(1e-6)


def _mirror(points: Tensor, share: float, rng: torch.Generator) -> Tensor:
    flipped = points[:, torch.as_tensor(H36M17.mirror)] * torch.tensor([-1.0, 1.0, 1.0])
    return torch.where(_coin(len(points), share, rng)[:, None, None], flipped, points)


def torso_frame(points: Tensor) -> Tensor:
    """(n, 3, 3) rows: left, up, forward of the torso."""
    across = points[:, H36M17.index("left_hip")] - points[:, H36M17.index("right_hip")]
    across = across + points[:, H36M17.index("left_shoulder")] - points[:, H36M17.index("right_shoulder")]
    up = torch.nn.functional.normalize(points[:, H36M17.index("thorax")] - points[:, H36M17.index("pelvis")], dim=1)
    left = torch.nn.functional.normalize(across - (across * up).sum(1, keepdim=True) * up, dim=1)
    return torch.stack([left, up, torch.linalg.cross(left, up)], 1)


def _exchange_limbs(points: Tensor, share: float, rng: torch.Generator) -> Tensor:
    out, frame = points.clone(), torso_frame(points)
    for side in ("left", "right"):
        for chain in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
            root, *rest = (H36M17.index(f"{side}_{j}") for j in chain)
            donor = torch.randperm(len(points), generator=rng)
            local = (points[donor][:, rest] - points[donor][:, [root]]) @ frame[donor].transpose(1, 2)
            moved = points[:, [root]] + local @ frame
            take = _coin(len(points), share, rng)[:, None, None]
            out[:, rest] = torch.where(take, moved, points[:, rest])
    return out


def vary_bones(points: Float[Tensor, "n 17 dim"], spread: float, rng: torch.Generator) -> Float[Tensor, "n 17 dim"]:
    """Bones of random length, one for both sides; `dim` may hold the three coordinates of several moments."""
    scales: dict[str, Tensor] = {}
    for child in _TREE:
        bone = child.removeprefix("left_").removeprefix("right_")
        if bone not in scales:  # one length for both sides
            scales[bone] = torch.exp(spread * torch.randn((len(points), 1), generator=rng))
        scales[child] = scales[bone]
    return stretched(points, scales)


def stretched(points: Float[Tensor, "n 17 dim"], scales: Mapping[str, Float[Tensor, "n 1"]]) -> Tensor:
    """Each bone so many times as long, by the joint at its end, in its direction."""
    out = points.clone()
    for child, parent in _TREE.items():
        c, p = H36M17.index(child), H36M17.index(parent)
        out[:, c] = out[:, p] + (points[:, c] - points[:, p]) * scales[child]
    return out


def _disturb(points: Tensor, config: AugmentConfig, rng: torch.Generator) -> Tensor:
    """Detector faults: noise that grows towards hands and feet, and swapped limbs."""
    n = len(points)
    if config.jitter:
        unit = 2 * _torso_scale(points)[:, None, None]
        level = torch.rand(n, generator=rng) * (~_coin(n, config.clean, rng))
        joint = torch.exp(0.4 * torch.randn((n, 13), generator=rng))
        noise = torch.randn(points.shape, generator=rng) * joint[..., None]
        points = points + noise * (unit * config.jitter * level[:, None, None])
    if config.swap:
        order = torch.arange(13).repeat(n, 1)
        for a, b in (("left_arm", "right_arm"), ("left_leg", "right_leg")):
            swapped = _coin(n, config.swap, rng)
            for left, right in zip(PARTS[a], PARTS[b]):
                i, j = BODY13.index(left), BODY13.index(right)
                order[swapped, i], order[swapped, j] = j, i
        points = points.gather(1, order[..., None].expand(-1, -1, 2))
    return points


def _detected(
    points: Float[Tensor, "n 17 3"], camera: tuple[Tensor, ...], rng: torch.Generator
) -> tuple[Float[Tensor, "n 13 2"], Bool[Tensor, "n 13"]]:
    """What MoveNet makes of bodies seen at azimuth, elevation, roll and distance: keypoints, and which it finds."""
    noise = movenet_noise()
    draw = np.random.default_rng(int(torch.randint(2**62, (), generator=rng)))
    body = torch.from_numpy(noise.redefine(body13(points, 0.0, rng).numpy(), draw))
    azimuth, elevation, roll, distance = camera
    turned = to_camera(body, azimuth, elevation, roll, xp=torch)
    keypoints = turned[..., :2] / (turned[..., 2] + distance[:, None])[..., None]
    seen = torch.from_numpy(noise.disturb(keypoints.numpy(), turned.numpy(), draw))
    return seen.nan_to_num(0.0), ~seen.isnan().any(2)


def _torso_scale(points: Tensor) -> Tensor:
    torso = points[:, [BODY13.index(j) for j in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]]
    gaps = (torso[:, :, None] - torso[:, None]).norm(dim=-1)
    return gaps.amax(dim=(1, 2))


_HIDEABLE = [
    torch.tensor([j in PARTS[part] for j in BODY13.joints])
    for part in ("left_arm", "right_arm", "left_leg", "right_leg", "arms", "legs", "head", "upper_body", "lower_body")
] + [torch.tensor([j.startswith(side) for j in BODY13.joints]) for side in ("left", "right")]


def hidden_parts(n: int, share: float, rng: torch.Generator) -> Bool[Tensor, "n 13"]:
    """Single joints at random, or up to two limbs, or half a body; at least four joints stay."""
    single = torch.rand((n, 13), generator=rng) < (0.35 * torch.rand((n, 1), generator=rng))
    parts = torch.stack(_HIDEABLE)
    first, second = (parts[torch.randint(len(parts), (n,), generator=rng)] for _ in range(2))
    both = first | (second & _coin(n, 0.3, rng)[:, None])
    hidden = torch.where(_coin(n, 0.6, rng)[:, None], single, both)
    enough = (~hidden).sum(1) >= 4
    return hidden & (_coin(n, share, rng) & enough)[:, None]


def _uniform(shape: tuple[int, ...], low: float, high: float, rng: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=rng)


def _coin(n: int, share: float, rng: torch.Generator) -> Bool[Tensor, " n"]:
    return torch.rand(n, generator=rng) < share
