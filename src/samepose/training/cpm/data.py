"""People to train Convolutional Pose Machines on: labelled photographs and rendered people, as squares in batches."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from samepose.errors import FormatError, MediaError
from samepose.formats.labelled import HELD_OUT, LabelledPeople
from samepose.skeleton import Skeleton
from samepose.training.augment import CropAugmentConfig, centred, inside, random_placement, recoloured

LSPET_VALIDATION = Path(__file__).with_name("lspet_validation.txt")


@dataclass(frozen=True, eq=False)
class Batch:
    """Squares with the joints in them, ready for the network.

    Attributes:
        points: of everyone, the primary person first.
        visible: which of them are marked and lie in the square.
        known: which of the primary person's are marked, wherever they lie.
        centres: where the primary person is, pixels of the square; see `LabelledPeople.centre`.
    """

    images: Float[Tensor, "n 3 size size"]
    points: Float[Tensor, "n people joint 2"]
    visible: Bool[Tensor, "n people joint"]
    known: Bool[Tensor, "n joint"]
    centres: Float[Tensor, "n 2"]

    def __getitem__(self, rows: Tensor) -> Batch:
        """Some of the squares."""
        return Batch(*(tensor[rows] for tensor in vars(self).values()))


class Crop(NamedTuple):
    """A square around one person, who comes first: as a `Batch` has it, NaN for points that are not visible."""

    image: UInt8[np.ndarray, "size size 3"]
    points: Float[np.ndarray, "people joint 2"]
    known: Bool[np.ndarray, " joint"]
    centre: Float[np.ndarray, " 2"]


class People:
    """Everyone to learn from or to validate on, from any number of data sets, in the model's joints.

    An image that cannot be read leaves out its people; `unreadable` holds their places.
    """

    def __init__(self, sets: Sequence[LabelledPeople], joints: tuple[str, ...]) -> None:
        skeleton = Skeleton("trained", joints)
        self.sets = list(sets)
        self.mirror = skeleton.mirror
        self.points = [s.poses.skeleton.convert(s.poses.points, skeleton) for s in self.sets]
        self.where = [(s, i) for s, people in enumerate(self.sets) for i in range(len(people))]
        self.unreadable: set[int] = set()
        self._together = [_same_image(people) for people in self.sets]

    def __len__(self) -> int:
        return len(self.where)

    def fingerprint(self) -> str:
        """Changes with the people's joints."""
        return hashlib.sha256(b"".join(p.tobytes() for p in self.points)).hexdigest()

    def crop(self, k: int, size: int, augment: CropAugmentConfig | None, rng: np.random.Generator) -> Crop:
        """A square around person k.

        Raises:
            MediaError: the image is missing or damaged.
        """
        s, i = self.where[k]
        people = self.sets[s]
        whole = people.image(i)
        area = people.square(i, whole.shape)
        place = random_placement(area, size, augment, rng) if augment else centred(area, size)
        image = place.image(whole, size)
        if augment:
            image = recoloured(image, augment, rng)
        others = [j for j in self._together[s][people.images[i]] if j != i]
        points = place.points(self.points[s][[i, *others]], self.mirror)
        return Crop(image, np.where(inside(points, size)[..., None], points, np.nan), np.isfinite(points[0]).all(-1),
                    place.moved(people.centre(i)))

    def batch(
        self, chosen: Sequence[int], size: int, augment: CropAugmentConfig | None, rng: np.random.Generator
    ) -> Batch:
        """Squares of the people of those numbers; for one whose image cannot be read, somebody else."""
        crops = [self._readable(k, size, augment, rng) for k in chosen]
        most = max(len(crop.points) for crop in crops)
        padded = np.full((len(crops), most, len(self.mirror), 2), np.nan, np.float32)
        for row, crop in zip(padded, crops):
            row[: len(crop.points)] = crop.points
        visible = np.isfinite(padded).all(-1)
        return Batch(
            torch.from_numpy(np.stack([crop.image for crop in crops])).permute(0, 3, 1, 2).float(),
            torch.from_numpy(np.nan_to_num(padded)), torch.from_numpy(visible),
            torch.from_numpy(np.stack([crop.known for crop in crops])),
            torch.from_numpy(np.stack([crop.centre for crop in crops])),
        )

    def _readable(
        self, k: int, size: int, augment: CropAugmentConfig | None, rng: np.random.Generator
    ) -> Crop:
        while True:
            try:
                return self.crop(k, size, augment, rng)
            except MediaError:
                self.unreadable.add(k)
                if len(self.unreadable) == len(self):
                    raise
                k = next(j % len(self) for j in range(k + 1, k + 1 + len(self)) if j % len(self) not in self.unreadable)


def to_train_on(people: LabelledPeople) -> LabelledPeople:
    """Without those whom the data set keeps for validation and tests; they count as skipped."""
    kept = np.isin(people.subsets, HELD_OUT)
    return people.without(kept, "its authors keep them for validation and tests")


def to_validate_on(people: LabelledPeople) -> LabelledPeople:
    """Those whom the data set keeps for validation and tests, if it tells; else everyone."""
    kept = np.isin(people.subsets, HELD_OUT)
    return people[kept] if kept.any() else people


def split_unknown(people: LabelledPeople) -> bool:
    """Whether the data set keeps people for tests and these labels do not tell whom."""
    return people.name in ("LSP", "MPII", "FLIC") and not any(people.subsets)


def split(sets: Sequence[LabelledPeople], validation: frozenset[int]) -> tuple[list[LabelledPeople], LabelledPeople]:
    """All data sets without some people of the first LSP-Extended among them, and those people.

    Args:
        validation: numbers of their images, counted from 0.

    Raises:
        FormatError: there is no such data set.
    """
    at = next((i for i, people in enumerate(sets) if people.name == "LSP-Extended"), None)
    if at is None:
        raise FormatError("there is no LSP-Extended among the data to take validation people from")
    people = sets[at]
    chosen = np.isin(image_numbers(people), list(validation))
    return [*sets[:at], people.without(chosen, "we keep them for validation"), *sets[at + 1 :]], people[chosen]


def image_numbers(people: LabelledPeople) -> Int[np.ndarray, " n"]:
    """The numbers in the names of LSP-Extended's images, counted from 0: columns of its `joints.mat`."""
    return np.array([int("".join(c for c in p.stem if c.isdigit())) - 1 for p in people.images], int)


def validation_numbers() -> frozenset[int]:
    """The committed people of LSP-Extended that nothing of ours is trained on."""
    return frozenset(int(line) for line in LSPET_VALIDATION.read_text().splitlines() if not line.startswith("#"))


def _same_image(people: LabelledPeople) -> dict[Path, list[int]]:
    together: dict[Path, list[int]] = {}
    for i, image in enumerate(people.images):
        together.setdefault(image, []).append(i)
    return together
