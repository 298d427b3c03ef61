"""People with 3D poses to train and measure StructNet on: squares around them, and what is in the squares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from samepose.embed.image import boxes_of_joints, square_of
from samepose.formats.rendered import Sample, read_shard, read_truth, rendered_shards, shards_of
from samepose.media.square import Square
from samepose.skeleton import H36M17, SYNTH22

PAPER_SIZE = 128  # side of the squares, pixels, of which 112 are looked at (Li 2015, section 5.1)


class Person(NamedTuple):
    """One person in a square.

    Attributes:
        square: RGB.
        joints: of `H36M17` in the square, pixels; the middle of the first pixel is at (0.5, 0.5).
        pose: of `H36M17`, metres from the pelvis; x right, y down, z away from the camera.
    """

    square: UInt8[np.ndarray, "size size 3"]
    joints: Float[np.ndarray, "17 2"]
    pose: Float[np.ndarray, "17 3"]


def people_of(folders: Sequence[Path], size: int, varied: int | None = None) -> Iterator[Person]:
    """Everyone of folders of rendered people, in order, in a square of `size` pixels.

    The square lies about the joints that are in the picture, as a detector's box does (`embed.image`).

    Args:
        varied: seed of small random moves and scales of the squares, half of which are mirrored; None: as they are.
    """
    rng = None if varied is None else np.random.default_rng(varied)
    for folder in folders:
        for shard in rendered_shards(folder):
            for sample in read_shard(shard, SYNTH22):
                yield person(sample, size, rng)


def person(sample: Sample, size: int, rng: np.random.Generator | None = None) -> Person:
    """A person of a set in a square, varied if `rng` is given: left and right may change places."""
    inside = np.where(sample.inside[:, None], sample.joints_2d - np.float32(0.5), np.nan)
    box = boxes_of_joints((inside if sample.inside.sum() > 2 else sample.joints_2d)[None])[0]
    square = square_of(box)
    if rng is not None:
        side = square.side * rng.uniform(0.92, 1.12)
        x, y = (np.array([square.x, square.y]) + (square.side - side) / 2 + rng.uniform(-0.04, 0.04, 2) * side).tolist()
        square = Square.of(x, y, side)
    picture, flat = square.crop(sample.image, size), SYNTH22.convert(sample.joints_2d[None], H36M17)[0]
    deep = SYNTH22.convert(sample.joints_3d[None], H36M17)[0]
    joints = (flat - np.array([square.x, square.y], np.float32)) * np.float32(size / square.side)
    if rng is not None and rng.random() < 0.5:
        return Person(picture[:, ::-1], (joints * [-1, 1] + [size, 0])[H36M17.mirror].astype(np.float32),
                      mirrored(deep - deep[:1]))
    return Person(picture, joints, deep - deep[:1])


def poses_of(folders: Sequence[Path]) -> Float[np.ndarray, "n 17 3"]:
    """Poses of everyone of folders of rendered people, in order, as of `Person`; their pictures are not opened.

    Raises:
        FormatError: a folder holds no people, or a damaged file.
    """
    deep = [SYNTH22.convert(read_truth(shard).joints_3d, H36M17) for folder in folders for shard in shards_of(folder)]
    return (whole := np.concatenate(deep)) - whole[:, :1]


def mirrored(poses: Float[np.ndarray, "*n 17 3"]) -> Float[np.ndarray, "*n 17 3"]:
    """The same bodies in a mirror."""
    return (poses * np.array([-1, 1, 1], np.float32))[..., H36M17.mirror, :]


def pose_space(poses: Float[np.ndarray, "n 17 3"], rng: np.random.Generator) -> Float[np.ndarray, "m 17 3"]:
    """Four times as many candidates: the poses, their mirror images, and both turned about the vertical at random.

    The paper takes the poses of its training images alone, some 100,000; here there are fewer images. The vertical is
    the picture's, as if every camera were held level.
    """
    both = np.concatenate([poses, mirrored(poses)])
    angle = rng.uniform(-np.pi, np.pi, (len(both), 1))
    x, y, z = np.moveaxis(both, -1, 0)
    turned = np.stack([np.cos(angle) * x + np.sin(angle) * z, y, np.cos(angle) * z - np.sin(angle) * x], -1)
    return np.concatenate([both, turned]).astype(np.float32)
