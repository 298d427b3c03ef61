"""Features of people, computed once: the layers below FC1 and FC2 are fixed while StructNet is trained (section 5.3).

The paper varies its images in every epoch. Here each person is varied a few times, once and for all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float16, Int
from numpy.lib.format import open_memmap

from samepose.embed.pose_machine import SIZE as MODERN_SIZE
from samepose.embed.pose_machine import PoseMachineFeatures
from samepose.errors import FormatError, UsageError
from samepose.formats.rendered import shards_of
from samepose.models.structnet import SIZE, Convolutions, Features
from samepose.training.structnet.data import PAPER_SIZE, Person, people_of
from samepose.training.structnet.noise import ColourNoise

_TOGETHER = 32  # people


@runtime_checkable
class Extractor(Protocol):
    """What is below FC1 and FC2.

    Attributes:
        size: side of the squares that it takes, pixels.
        sha256: of its weights.
    """

    size: int

    @property
    def sha256(self) -> str: ...

    def __call__(self, people: Sequence[Person], rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
        """Middle and top features, flat; those of slightly varied squares if `rng` is given."""
        ...


class OfPoseMachine:
    """The features of the shipped Convolutional Pose Machine, of squares as they come."""

    size = MODERN_SIZE

    def __init__(self, threads: int | None = None) -> None:
        self._features = PoseMachineFeatures(threads)

    @property
    def sha256(self) -> str:
        return self._features.sha256

    def __call__(self, people: Sequence[Person], rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
        return self._features(np.stack([p.square for p in people]))


class OfConvolutions:
    """The paper's convolutions, of a part of 112 x 112 pixels: the middle one, or any, with noise, if varied."""

    size = PAPER_SIZE

    def __init__(self, convolutions: Convolutions, noise: ColourNoise) -> None:
        self._convolutions, self._noise = convolutions.eval(), noise

    @property
    def sha256(self) -> str:
        weights = (w.detach().numpy().tobytes() for w in self._convolutions.state_dict().values())
        return hashlib.sha256(b"".join(weights)).hexdigest()

    @torch.no_grad()
    def __call__(self, people: Sequence[Person], rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
        images = np.stack([part(p, rng)[0] for p in people]).astype(np.float32)
        seen = torch.from_numpy(self._noise(images, rng) if rng else images).permute(0, 3, 1, 2)
        middle, top = self._convolutions(seen.contiguous())
        return middle.flatten(1).numpy(), top.flatten(1).numpy()


def part(person: Person, rng: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
    """112 x 112 pixels of a square of 128, and the joints in them: the middle ones, or any (section 5.1)."""
    room = PAPER_SIZE - SIZE
    x, y = (room // 2, room // 2) if rng is None else rng.integers(0, room + 1, 2).tolist()
    return person.square[y : y + SIZE, x : x + SIZE], person.joints - np.array([x, y], np.float32)


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """People by their features. Build with `FeatureSet.of`, or open one again with `FeatureSet.open`.

    Attributes:
        middle, top: of `Features`; files that are mapped, not read.
        poses: metres from the pelvis, camera axes.
    """

    middle: Float16[np.ndarray, "n middle"]
    top: Float16[np.ndarray, "n top"]
    poses: Float[np.ndarray, "n 17 3"]

    @classmethod
    def of(cls, data: Sequence[Path], extractor: Extractor, copies: int | None, out: Path, seed: int = 0) -> FeatureSet:
        """Features of folders of rendered people, written to the folder `out`.

        Args:
            copies: of each person, varied by `people_of` and the extractor; None: each as they are.
        """
        out.mkdir(parents=True, exist_ok=True)
        people = sum(_count(folder) for folder in data) * (copies or 1)
        rng = None if copies is None else np.random.default_rng(seed)
        passes: Iterable[int | None] = [None] if copies is None else range(seed + 1, seed + 1 + copies)
        everyone: Iterator[Person] = (p for one in passes for p in people_of(data, extractor.size, one))
        arrays: dict[str, np.memmap] = {}
        poses, done = np.empty((people, 17, 3), np.float32), 0
        while group := tuple(islice(everyone, _TOGETHER)):
            for name, values in zip(("middle", "top"), extractor(group, rng)):
                if name not in arrays:
                    arrays[name] = open_memmap(out / f"{name}.npy", "w+", np.float16, (people, values.shape[1]))
                arrays[name][done : done + len(group)] = values
            poses[done : done + len(group)] = [p.pose for p in group]
            done += len(group)
        if not done:
            raise UsageError("nobody to train on; name folders that `samepose synth` wrote")
        np.save(out / "poses.npy", poses)  # last: who has it is whole
        return cls(arrays["middle"], arrays["top"], poses)

    @classmethod
    def open(cls, folder: Path) -> FeatureSet:
        """A set that was written before.

        Raises:
            FormatError: there is none, or it is not whole.
        """
        try:
            poses = np.load(folder / "poses.npy", allow_pickle=False)
            middle, top = (np.load(folder / f"{name}.npy", "r", allow_pickle=False) for name in ("middle", "top"))
            return cls(middle, top, poses)
        except (OSError, ValueError) as error:
            raise FormatError(f"{folder}: holds no features ({error}); let them be made again") from error

    def __len__(self) -> int:
        return len(self.poses)

    def seen(self, rows: Int[np.ndarray, " k"] | slice) -> Features:
        """The features of some of them."""
        return Features(*(torch.from_numpy(np.asarray(a[rows], np.float32)) for a in (self.middle, self.top)))


def _count(folder: Path) -> int:
    return sum(len(np.load(path, allow_pickle=False)["instant"]) for path in shards_of(folder))
