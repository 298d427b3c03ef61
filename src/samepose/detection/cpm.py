"""Joints by a Convolutional Pose Machine (Wei 2016) through onnxruntime, in the people that MoveNet finds.

The network looks at a square around one person and gives a belief map of each joint after each of its stages. Cell k
of a map has its middle at (k + 0.5) / cells of the square's side.

The network is told by a centre map whom to look at where people are close (section 4.2). The square lies about the box
of the joints that MoveNet found, at every scale and in the mirror image too, so the person is in its middle: exported
networks have that one map built in, and no input for it. In training the map follows the person (`training.cpm`). The
shipped weights were made before it did: it stayed in the middle while squares were moved by up to 7 % of their side,
so to them it says "about the middle", and nothing that tells one of two close people from the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from samepose.detection.likeness import distinct
from samepose.detection.movenet import JOINT_SCORE, Mode, MoveNet, person_square
from samepose.errors import SameposeError, UsageError
from samepose.media.square import Square
from samepose.poses import Poses
from samepose.skeleton import COCO17, SKELETONS, Skeleton
from samepose.weights import WEIGHTS, Network, weight_file

SHIPPED = ("cpm", "cpm-synthetic")

_LARGEST_INPUT = 4096  # pixels of a square that a network may ask for
_LEAST_BELIEF = 1e-6  # whose logarithm is taken


class CPM:
    """Finds any number of people; the networks are loaded when they are first needed.

    Args:
        weights: "cpm" or "cpm-synthetic" (shipped), or an .onnx that samepose exported.
        mode: of MoveNet, which finds where people are.
        scales: sizes of the person to look at, 1 being the one trained for; the belief maps are averaged (section 4.2).
        flip: also look at the mirror image.
        threads: that may be used; None = as many as this process may run on.
    """

    def __init__(
        self, weights: Path | str = "cpm", mode: Mode = "balanced", *, scales: Sequence[float] = (1.0,),
        flip: bool = False, threads: int | None = None,
    ) -> None:
        if not scales or not all(0.1 <= scale <= 10 for scale in scales):
            raise UsageError(f"scales are {', '.join(map(str, scales)) or 'none'}; give numbers from 0.1 to 10")
        self.path = weight_file(str(weights)) if str(weights) in SHIPPED else Path(weights)
        self.scales, self.flip = tuple(scales), flip
        self.people = MoveNet(mode, threads)
        self.threads = self.people.threads
        self._file = Network(self.path, self.threads, "Convolutional Pose Machine")

    @cached_property
    def name(self) -> str:
        """Network, mode and weights: poses of equal names come from equal detectors."""
        used = f"{self._network.sha256}{WEIGHTS['movenet-multipose']}{self.scales}{self.flip}"
        return f"{self._network.name}-{self.people.mode}-{hashlib.sha256(used.encode()).hexdigest()[:8]}"

    @property
    def research_only(self) -> bool:
        """Whether it has learned from photographs that are for research only (weights/CPM.md), under whatever name."""
        return self.path == weight_file("cpm") or (self.path != weight_file("cpm-synthetic")
                                                   and self._file.sha256 == WEIGHTS["cpm"])

    @property
    def test_name(self) -> str:
        """The network and how it looks at one person."""
        scales = "" if self.scales == (1.0,) else f" at scales {', '.join(f'{scale:g}' for scale in self.scales)}"
        return self._network.name + scales + (" and flipped" if self.flip else "")

    @property
    def sha256(self) -> str:
        """Of the weights' file."""
        return self._network.sha256

    @property
    def skeleton(self) -> Skeleton:
        """The joints that the network finds."""
        return self._network.skeleton

    @cached_property
    def on_one_thread(self) -> CPM:
        """The same, to be called from several threads at once."""
        if self.threads == 1:
            return self
        return CPM(self.path, self.people.mode, scales=self.scales, flip=self.flip, threads=1)

    def detect(self, image: UInt8[np.ndarray, "height width 3"]) -> Poses:
        """All people in an upright RGB image, the most prominent first.

        Every joint is given, with the belief at its peak as score: hide those under JOINT_SCORE before relying on them.

        Returns:
            Poses in pixels of `image`, of the network's skeleton where it is one that samepose names, else of COCO17;
            `tracks` is the rank of prominence.
        """
        found = self.people.find(image)
        points = np.zeros((len(found), len(self.skeleton), 2), np.float32)
        scores = np.zeros(points.shape[:2], np.float32)
        for i in range(len(found)):
            stages = self.look(image, person_square(found[i]))
            points[i], scores[i] = (each[-1] for each in stages)
        people = Poses.of(points, self.skeleton, scores=scores, boxes=found.boxes, person_scores=found.person_scores)
        if self.skeleton.name not in SKELETONS:
            people = people.to(COCO17)
        people = people[distinct(people.to(COCO17).hide(below=JOINT_SCORE))]
        people = people[np.argsort(-people.prominence(), kind="stable")]
        return replace(people, tracks=np.arange(len(people), dtype=np.int64))

    def look(
        self, image: UInt8[np.ndarray, "height width 3"], square: Square
    ) -> tuple[Float[np.ndarray, "stage joint 2"], Float[np.ndarray, "stage joint"]]:
        """Joints of the one person in a square after each stage, in pixels of the image, and the beliefs in them."""
        cells, beliefs = peaks(self.belief_maps(image, square)[:, :-1])
        corner = np.array([square.x, square.y], np.float32)
        return corner + (cells + 0.5) * (square.side / self._network.cells) - 0.5, beliefs

    def belief_maps(
        self, image: UInt8[np.ndarray, "height width 3"], square: Square
    ) -> Float[np.ndarray, "stage map cell cell"]:
        """Belief maps of each joint, and last of the background, after each stage; the mean of all scales and flips."""
        n = self._network.cells
        total, seen = np.zeros(()), np.zeros(())
        for scale in self.scales:
            part = square if scale == 1 else square.zoomed(scale)
            maps = self._maps(image, part)
            down = _resampling(n, square.y, square.side, part.y, part.side)
            across = _resampling(n, square.x, square.side, part.x, part.side)
            total = total + down @ maps @ across.T
            seen = seen + np.outer(down.sum(axis=1), across.sum(axis=1))
        mean: np.ndarray = (total / np.maximum(seen, _LEAST_BELIEF)).astype(np.float32)
        return mean

    def _maps(self, image: UInt8[np.ndarray, "height width 3"], square: Square) -> np.ndarray:
        crop = square.crop(image, self._network.size)
        maps = self._network.run(crop)
        if self.flip:
            maps = (maps + flipped(self._network.run(crop[:, ::-1]), self.skeleton)) / 2
        return maps

    @cached_property
    def _network(self) -> _Network:
        return _Network(self._file)


def peaks(
    maps: Float[np.ndarray, "*batch height width"],
) -> tuple[Float[np.ndarray, "*batch 2"], Float[np.ndarray, "*batch"]]:
    """The highest point of each map, in cells (x, y; middles are whole numbers), and its height in 0..1.

    Between cells by a parabola through the logarithms of the highest cell and its neighbours along each axis, which
    is exact for the Gaussians that the network is trained to give (ours; the paper takes the highest cell). A peak on
    the rim stays there.
    """
    *batch, height, width = maps.shape
    flat = maps.reshape(-1, height, width)
    at = flat.reshape(len(flat), -1).argmax(axis=1)
    rows, y, x = np.arange(len(flat)), at // width, at % width
    padded = np.log(np.maximum(np.pad(flat, ((0, 0), (1, 1), (1, 1)), mode="reflect"), _LEAST_BELIEF))
    offsets = []
    for dx, dy in ((1, 0), (0, 1)):
        before, here, after = (padded[rows, y + 1 + k * dy, x + 1 + k * dx] for k in (-1, 0, 1))
        bend = np.minimum(before + after - 2 * here, -_LEAST_BELIEF)
        offsets.append(np.clip((before - after) / (2 * bend), -0.5, 0.5))
    cells = np.stack([x + offsets[0], y + offsets[1]], axis=-1).astype(np.float32)
    return cells.reshape(*batch, 2), np.clip(flat[rows, y, x], 0, 1).reshape(batch)


def flipped(
    maps: Float[np.ndarray, "stage map cell cell"], skeleton: Skeleton
) -> Float[np.ndarray, "stage map cell cell"]:
    """Belief maps of the mirror image as those of the image: reflected, left and right joints exchanged."""
    return maps[:, [*skeleton.mirror, len(skeleton)], :, ::-1]


class _Network:
    """An ONNX file: RGB 0..255, uint8 or float32 (n, size, size, 3), to beliefs (n, stage, joint + 1, cell, cell)."""

    def __init__(self, file: Network) -> None:
        facts, self._file, self.sha256 = file.facts, file, file.sha256
        try:
            joints, self.name = tuple(json.loads(facts["joints"])), facts["name"]
            self.size, stride = int(facts["size"]), int(facts["stride"])
            if facts["samepose_model"] != "cpm" or not 0 < stride <= self.size <= _LARGEST_INPUT or (
                    not all(isinstance(joint, str) for joint in joints)):
                raise KeyError("cpm")
            self.skeleton = next((s for s in SKELETONS.values() if s.joints == joints), Skeleton(self.name, joints))
        except (KeyError, TypeError, ValueError, RecursionError, SameposeError) as error:
            raise file.unexpected from error
        self._input = file.session.get_inputs()[0]
        self._dtype: Any = np.uint8 if "uint8" in self._input.type else np.float32
        self.cells = self.size // stride

    def run(self, crop: UInt8[np.ndarray, "size size 3"]) -> Float[np.ndarray, "stage map cell cell"]:
        """The maps of one crop."""
        batch = np.ascontiguousarray(crop[None], self._dtype)
        found: np.ndarray = self._file.run(["belief_maps"], {self._input.name: batch})[0]
        if found.ndim != 5 or not found.size or found.shape[2:] != (len(self.skeleton) + 1, self.cells, self.cells):
            raise self._file.unexpected
        maps: np.ndarray = found[0]
        return maps


def _resampling(n: int, start: int, side: int, other_start: int, other_side: int) -> Float[np.ndarray, "n n"]:
    """Weights that take n cells along the other span to the n cells along this one; nothing for those outside it."""
    middles = start + (np.arange(n) + 0.5) * side / n
    at = (middles - other_start) * n / other_side - 0.5
    inside = (at >= -0.5) & (at <= n - 0.5)
    weights = np.maximum(1 - np.abs(np.clip(at, 0, n - 1)[:, None] - np.arange(n)), 0)
    return np.where(inside[:, None], weights, 0).astype(np.float32)
