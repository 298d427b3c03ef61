"""People to learn pose embeddings from: decoded once, kept small, varied anew for every batch."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from samepose.embed.image import LEAST_SIDE, SIZE, boxes_of_joints, square_of
from samepose.errors import MediaError
from samepose.formats.labelled import LabelledPeople
from samepose.geometry.pose_difference import MIN_JOINTS, on_torso
from samepose.media.square import Square
from samepose.progress import Progress, silent
from samepose.skeleton import LSP14
from samepose.training.augment import CropAugmentConfig, Placement, centred, random_placement, recoloured

KEPT = 192  # side of what is kept of a person, pixels
_AROUND = 1.4  # side of that in the person's squares: room to move and to shrink them in


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops as the network sees them.

    Attributes:
        images: RGB of 0..255.
        joints: of `LSP14`, pixels of the crop, whole numbers being the middles of pixels; NaN where not marked.
        poses: the same on their torsos, as large as before they were varied: what differences are measured on.
    """

    images: Float[Tensor, "n 3 size size"]
    joints: Float[Tensor, "n joint 2"]
    poses: Float[np.ndarray, "n joint 2"]


@dataclass(frozen=True, eq=False)
class Crops:
    """N people, each in a square with room around it. Build with `Crops.of` or `Crops.whole`.

    Attributes:
        pixels: RGB; 20,000 people are 2.2 GB.
        squares: x0, y0 of the edge and side of the person's own square (`embed.image.square_of`), pixels of `pixels`.
        joints: of `LSP14`, pixels of `pixels`, NaN where not marked.
        skipped: how many people are not here, by reason.
    """

    pixels: UInt8[np.ndarray, "n kept kept 3"]
    squares: Float[np.ndarray, "n 3"]
    joints: Float[np.ndarray, "n joint 2"]
    skipped: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, sets: Sequence[LabelledPeople], progress: Progress = silent) -> Crops:
        """Everyone of labelled photographs and rendered people who can be compared and seen.

        Left out and counted: who has a hidden torso or too few joints marked, whose square is too small, and whose
        image cannot be read.
        """
        total, skipped = sum(map(len, sets)), Counter[str]()
        kept = _Kept(total)
        for people in sets:
            skipped += people.skipped
            own = people.poses.points
            joints = people.poses.skeleton.convert(own, LSP14)
            reasons = _unusable(joints)
            for i, (box, image) in enumerate(zip(boxes_of_joints(own), _images(people, reasons))):
                progress(kept.seen, total, "")
                kept.seen += 1
                if image is None:
                    skipped[reasons[i] or "unreadable image"] += 1
                elif (square := square_of(box)).side < LEAST_SIDE:
                    skipped[f"smaller than {LEAST_SIDE} pixels"] += 1
                else:
                    kept.add(image, square, joints[i])
        return kept.crops(skipped)

    @classmethod
    def whole(cls, images: Sequence[UInt8[np.ndarray, "height width 3"]]) -> Crops:
        """People of whom nothing is known but that each fills an image: its longer side is that of their square."""
        kept = _Kept(len(images))
        for image in images:
            box = np.array([0, 0, image.shape[1], image.shape[0]], np.float32)
            kept.add(image, Square.around(box, 1.0), np.full((len(LSP14), 2), np.nan, np.float32))
        return kept.crops(Counter())

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, rows: Int[np.ndarray, " k"]) -> Crops:
        """Some of them."""
        return Crops(self.pixels[rows], self.squares[rows], self.joints[rows], self.skipped)

    def poses(self) -> Float[np.ndarray, "n joint 2"]:
        """On their torsos, pixels of the 128 x 128 crop."""
        return on_torso(self.joints * (SIZE / self.squares[:, 2])[:, None, None], LSP14)

    def fingerprint(self) -> str:
        """Changes with the people's joints and squares."""
        return hashlib.sha256(self.joints.tobytes() + self.squares.tobytes()).hexdigest()

    def batch(
        self, chosen: Int[np.ndarray, "group k"], augment: CropAugmentConfig | None = None,
        rng: np.random.Generator | None = None,
    ) -> Batch:
        """Crops of people by number, row after row; those of one row are turned and mirrored alike.

        So the poses of a row stay as alike as they were; a mirrored one is simply somebody else, with mirrored joints.
        """
        images = np.empty((chosen.size, SIZE, SIZE, 3), np.uint8)
        joints = np.empty((chosen.size, len(LSP14), 2), np.float32)
        poses = np.empty_like(joints)
        k = 0
        for row in chosen.tolist():
            first: Placement | None = None
            for i in row:
                place = self._place(i, augment, rng, first)
                first = first or place
                image = place.image(self.pixels[i], SIZE)
                images[k] = recoloured(image, augment, rng) if augment and rng else image
                joints[k] = place.points(self.joints[i], LSP14.mirror)
                poses[k] = joints[k] / place.scale
                k += 1
        return Batch(torch.from_numpy(images).permute(0, 3, 1, 2).float(), torch.from_numpy(joints),
                     on_torso(poses, LSP14))

    def _place(
        self, i: int, augment: CropAugmentConfig | None, rng: np.random.Generator | None, like: Placement | None
    ) -> Placement:
        x, y, side = self.squares[i].tolist()
        if augment and rng:
            return random_placement((x, y, side), SIZE, augment, rng, like)
        return centred((x, y, side), SIZE)


class _Kept:
    """Room for as many people as there may be, of which memory is taken only when they come."""

    def __init__(self, most: int) -> None:
        self.pixels = np.empty((most, KEPT, KEPT, 3), np.uint8)
        self.squares: list[tuple[float, float, float]] = []
        self.joints: list[np.ndarray] = []
        self.seen = 0

    def add(self, image: np.ndarray, square: Square, joints: np.ndarray) -> None:
        """A person by their square and joints in an image."""
        around = square.zoomed(1 / _AROUND)
        factor = KEPT / around.side
        self.pixels[len(self.squares)] = around.crop(image, KEPT)
        corner = np.array([around.x, around.y], np.float32)
        self.squares.append(((square.x - around.x) * factor, (square.y - around.y) * factor, square.side * factor))
        self.joints.append((joints + 0.5 - corner) * factor - 0.5)

    def crops(self, skipped: Counter[str]) -> Crops:
        n = len(self.squares)
        joints = np.array(self.joints, np.float32).reshape(n, len(LSP14), 2)
        return Crops(self.pixels[:n], np.array(self.squares, np.float32).reshape(n, 3), joints, skipped)


def _unusable(joints: Float[np.ndarray, "n joint 2"]) -> list[str]:
    """Why a person's pose cannot be compared with others', "" if it can."""
    hidden = np.isnan(on_torso(joints, LSP14)).all(axis=(1, 2))
    few = np.isfinite(joints).all(-1).sum(1) < MIN_JOINTS
    reasons = np.select([hidden, few], ["hidden torso", f"fewer than {MIN_JOINTS} joints marked"], "")
    return [str(reason) for reason in reasons]


def _images(people: LabelledPeople, reasons: Sequence[str]) -> Iterator[np.ndarray | None]:
    """Each person's photograph, read once for neighbours in the list; none where there is a reason or it is damaged."""
    last: Path | None = None
    image: np.ndarray | None = None
    for i, why in enumerate(reasons):
        if not why and people.images[i] != last:
            last = people.images[i]
            try:
                image = people.image(i)
            except MediaError:
                image = None
        yield None if why else image
