"""People and their joints in an image, by MoveNet through onnxruntime.

`fast` runs the multipose network once. `balanced` looks at each person it found again with the single-person network
Thunder. `accurate` runs the multipose network at three sizes first, and looks at each person's mirror image too: of
each joint the surer place counts. See weights/MOVENET.md for the figures.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, UInt8

from samepose.detection.likeness import distinct, oks
from samepose.errors import UsageError
from samepose.media.image import resize
from samepose.media.square import Square
from samepose.poses import Poses
from samepose.skeleton import COCO17
from samepose.weights import WEIGHTS, Network, cores, weight_file

Mode = Literal["fast", "balanced", "accurate"]

JOINT_SCORE = 0.25  # a joint that scores less counts as missing
PERSON_SCORE = 0.2  # a person that scores less is not reported

_NETWORKS = ("multipose", "thunder")
_SIZES: dict[str, tuple[int, ...]] = {"fast": (256,), "balanced": (256, 384), "accurate": (256, 384, 640)}
_DISAGREES = 0.3  # OKS between coarse and fine pose under which the fine one must be much surer
_MUCH_SURER = 0.15  # mean joint score
_LESS_SURE = 0.1  # mean joint score that the fine pose may lose
_CROP_SCALE = 1.5  # side of the crop for a closer look, in longer sides of the joints seen
_THUNDER_SIDE = 256
_MOST_PEOPLE = 6  # that the multipose network can find at once
_HALVINGS = {"fast": 0, "balanced": 1, "accurate": 3}  # of a crowded image, to find more
_HALF = 0.6  # of the longer side: the halves overlap, so that whoever stands in the middle is whole in one of them


class MoveNet:
    """Finds any number of people; the networks are loaded when they are first needed.

    Args:
        mode: "fast", "balanced" or "accurate".
        threads: that may be used; None = as many as this process may run on. All work on the one image of `detect`;
            of a video as many frames are worked on at once, see `on_one_thread`.
    """

    def __init__(self, mode: Mode = "balanced", threads: int | None = None) -> None:
        if mode not in _SIZES:
            raise UsageError(f"no detection mode {mode!r}; use fast, balanced or accurate")
        if threads is not None and threads < 1:
            raise UsageError(f"threads is {threads}; it must be 1 or more")
        self.mode = mode
        self.threads = threads or cores()
        self._networks = {name: Network(weight_file(f"movenet-{name}"), self.threads) for name in _NETWORKS}

    @cached_property
    def name(self) -> str:
        """Mode and weights: poses of equal names come from equal detectors."""
        used = "".join(WEIGHTS[f"movenet-{n}"] for n in (_NETWORKS[:1] if self.mode == "fast" else _NETWORKS))
        used += "twice" if self.mode == "accurate" else ""
        return f"movenet-{self.mode}-{hashlib.sha256(used.encode()).hexdigest()[:8]}"

    @cached_property
    def on_one_thread(self) -> MoveNet:
        """The same, to be called from several threads at once: a core for each image wastes no time on waiting."""
        return self if self.threads == 1 else MoveNet(self.mode, threads=1)

    def detect(self, image: UInt8[np.ndarray, "height width 3"]) -> Poses:
        """All people in an upright RGB image, the most prominent first.

        All 17 joints are given, each with its score: hide those under JOINT_SCORE before relying on them.

        Returns:
            Poses of COCO17 in pixels of `image`; `tracks` is the rank of prominence.
        """
        people = self.find(image)
        if self.mode != "fast":
            people = self._refined(image, people)
        people = people[np.argsort(-people.prominence(), kind="stable")]
        return replace(people, tracks=np.arange(len(people), dtype=np.int64))

    def find(self, image: UInt8[np.ndarray, "height width 3"]) -> Poses:
        """Everyone as the multipose network sees them, without the closer look at each; in no order."""
        return self._coarse(image, _HALVINGS[self.mode])

    def look(
        self, image: UInt8[np.ndarray, "height width 3"], square: Square
    ) -> tuple[Float[np.ndarray, "17 2"], Float[np.ndarray, " 17"]]:
        """The closer look at the one person in the middle of a square: joints of COCO17 in pixels, and their scores.

        Of `accurate` two looks, the second at the mirror image; of each joint the surer place.
        """
        crop = square.crop(image, _THUNDER_SIDE)
        joints = self._joints(crop)
        if self.mode == "accurate":
            turned = self._joints(crop[:, ::-1])[COCO17.mirror]
            turned[:, 0] = 1 - turned[:, 0]
            joints = np.where(turned[:, 2:] > joints[:, 2:], turned, joints)
        return joints[:, :2] * square.side + (square.x, square.y), joints[:, 2]

    def _joints(self, crop: UInt8[np.ndarray, "side side 3"]) -> Float[np.ndarray, "17 3"]:
        """x and y in 0..1 of the crop, and scores."""
        out: np.ndarray = self._networks["thunder"].run(None, {"input:0": crop[None].astype(np.int32)})[0][0, 0]
        return out[:, [1, 0, 2]]

    def detect_inside(
        self, image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "n 4"]
    ) -> Poses:
        """The joints of the person inside each given box (x0, y0, x1, y1 in pixels), by Thunder alone; in order."""
        unseen = Poses.of(np.full((len(boxes), len(COCO17), 2), np.nan), COCO17, boxes=boxes,
                          person_scores=np.ones(len(boxes)))
        if not len(unseen):
            return unseen
        return Poses.concatenate([self._thunder(image, unseen[i]) for i in range(len(unseen))])

    def _coarse(self, image: UInt8[np.ndarray, "height width 3"], halvings: int) -> Poses:
        """What the multipose network finds at each size, and in the halves of the image when it found all it can."""
        found = [self._multipose(image, size) for size in _SIZES[self.mode]]
        if halvings and any(len(people) == _MOST_PEOPLE for people in found):
            for x0, y0, x1, y1 in _halves(image.shape[1], image.shape[0]):
                people = self._coarse(image[y0:y1, x0:x1], halvings - 1)
                people = _moved(people, x0, y0)
                found.append(people[~_cut(people, (x0, y0, x1, y1), image.shape)])
        return _one_each(found[0] if len(found) == 1 else Poses.concatenate(found))

    def _multipose(self, image: UInt8[np.ndarray, "height width 3"], size: int) -> Poses:
        """Up to six people, from the image shrunk to `size` pixels on its longer side."""
        height, width = image.shape[:2]
        scale = size / max(height, width)
        small = resize(image, max(round(width * scale), 1), max(round(height * scale), 1))
        padded = np.zeros((1, -(-small.shape[0] // 32) * 32, -(-small.shape[1] // 32) * 32, 3), np.int32)
        padded[0, : small.shape[0], : small.shape[1]] = small
        out = self._networks["multipose"].run(None, {"input:0": padded})[0][0]
        out = out[out[:, 55] >= PERSON_SCORE]
        unit = np.array(
            [padded.shape[2] * width / small.shape[1], padded.shape[1] * height / small.shape[0]], np.float32
        )
        joints = out[:, :51].reshape(-1, 17, 3)
        boxes = out[:, [52, 51, 54, 53]] * np.tile(unit, 2)
        return _people(joints[..., 1::-1] * unit, joints[..., 2], boxes, out[:, 55], image.shape)

    def _refined(self, image: UInt8[np.ndarray, "height width 3"], coarse: Poses) -> Poses:
        """Each person's joints from a crop of their own, where that is to be trusted."""
        if not len(coarse):
            return coarse
        fine = Poses.concatenate([self._thunder(image, coarse[i]) for i in range(len(coarse))])
        agreement = np.diagonal(oks(coarse, fine))
        gain = fine.scores.mean(axis=1) - coarse.scores.mean(axis=1)
        keep = ((agreement >= _DISAGREES) & (gain >= -_LESS_SURE)) | (gain >= _MUCH_SURER)
        people = Poses.concatenate([fine[keep], coarse[~keep]])
        return _one_each(people)

    def _thunder(self, image: UInt8[np.ndarray, "height width 3"], person: Poses) -> Poses:
        """The one person in the middle of the crop around the joints seen."""
        points, scores = self.look(image, person_square(person))
        return _people(points[None], scores[None], person.boxes, person.person_scores, image.shape)


def person_square(person: Poses) -> Square:
    """Where to take a closer look at the first of `person`: 1.5 x the longer side of the joints seen."""
    points = person.points[0, person.scores[0] >= JOINT_SCORE]
    if len(points) < 2:
        points = person.boxes[0].reshape(2, 2)
    low, high = points.min(axis=0), points.max(axis=0)
    side = max(int(np.ceil((high - low).max() * _CROP_SCALE)), 16)
    corner = np.floor((low + high - side) / 2).astype(int)
    return Square(int(corner[0]), int(corner[1]), side)


def _one_each(people: Poses) -> Poses:
    """One pose per person, judged by the joints that are seen; the others stay in the poses."""
    return people[distinct(people.hide(below=JOINT_SCORE))]


def _halves(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Two overlapping boxes x0, y0, x1, y1 that part the longer side."""
    if width >= height:
        part = round(width * _HALF)
        return [(0, 0, part, height), (width - part, 0, width, height)]
    part = round(height * _HALF)
    return [(0, 0, width, part), (0, height - part, width, height)]


def _moved(people: Poses, x: int, y: int) -> Poses:
    shift = np.array([x, y], np.float32)
    return replace(people, points=people.points + shift, boxes=people.boxes + np.tile(shift, 2))


def _cut(people: Poses, tile: tuple[int, int, int, int], shape: tuple[int, ...]) -> Bool[np.ndarray, " n"]:
    """Whose box touches a border of the tile inside the image: the other tile has them whole."""
    rim = 0.02 * (tile[2] - tile[0] + tile[3] - tile[1])
    x0, y0, x1, y1 = people.boxes.T
    cut: np.ndarray = (
        ((x0 < tile[0] + rim) & (tile[0] > 0)) | ((x1 > tile[2] - rim) & (tile[2] < shape[1]))
        | ((y0 < tile[1] + rim) & (tile[1] > 0)) | ((y1 > tile[3] - rim) & (tile[3] < shape[0]))
    )
    return cut


def _people(
    points: Float[np.ndarray, "n 17 2"],
    scores: Float[np.ndarray, "n 17"],
    boxes: Float[np.ndarray, "n 4"],
    person_scores: Float[np.ndarray, " n"],
    shape: tuple[int, ...],
) -> Poses:
    limit = np.array([shape[1], shape[0]] * 2, np.float32)
    return Poses.of(
        points, COCO17, scores=scores, boxes=np.clip(boxes, 0, limit), person_scores=np.clip(person_scores, 0, 1)
    )
