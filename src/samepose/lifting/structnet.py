"""A person's picture and 3D poses in one space (Li, Zhang and Chan 2015): scores, and the pose of a photo. No torch.

The score of a pose for a picture is the dot product of their embeddings. The pose is sought among candidates: the best
one (`maximum`), or the mean of the A best (`average`); or it is what the auxiliary task predicts (`predicted`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from samepose.embed.image import person_crops
from samepose.embed.pose_machine import MIDDLE, SIZE, TOP, PoseMachineFeatures
from samepose.errors import SameposeError, UsageError
from samepose.geometry.kinematics import bone_lengths, with_lengths
from samepose.lifting.candidates import Candidates
from samepose.lifting.lifted import Lifted, check_height, grounded, statures, timed
from samepose.media.picture import picture_at
from samepose.poses import Poses
from samepose.query.pictures import Video
from samepose.query.source import Source
from samepose.skeleton import H36M17
from samepose.weights import Network, weight_file

HYPOTHESES = 4  # alternatives of a pose
_ALIKE = 0.25  # metres of MPJPE: nearer poses are the same alternative (results/pose3d.json)
_ERRS = 1.3  # standard deviation of a joint's error over that of the best candidates' (results/pose3d.json)
_TO_VIEWER = np.array([1.0, -1.0, -1.0])  # from x right, y down, z away to x right, y up, z towards the viewer


@dataclass(frozen=True)
class StructNetInfo:
    """What the exported network carries besides weights and candidates.

    Attributes:
        name: network and version.
        average: A of Avg(A), chosen on people for validation.
    """

    name: str
    average: int

    def to_json(self) -> str:
        """As stored in the ONNX file's metadata, under "samepose_structnet"."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> StructNetInfo:
        """The inverse of `to_json`; KeyError, TypeError or ValueError when it is not one."""
        fields = json.loads(text)
        return cls(str(fields["name"]), int(fields["average"]))


class Seen(NamedTuple):
    """People as the network sees them.

    Attributes:
        embeddings: f_I.
        predicted: poses by the auxiliary task: metres from the pelvis, camera axes.
    """

    embeddings: Float[np.ndarray, "n dim"]
    predicted: Float[np.ndarray, "n 17 3"]


class StructNetModel:
    """The exported network. Build with `StructNetModel.load`.

    The file takes what `PoseMachineFeatures` gives ("middle", "top") and poses ("pose", metres from the pelvis, camera
    axes); it gives "image" (f_I), "predicted" (f_P), "embedding" (f_J of the poses), and "candidates".
    """

    def __init__(self, network: Network, features: PoseMachineFeatures, info: StructNetInfo) -> None:
        self._network, self._features, self.info = network, features, info

    @classmethod
    def load(cls, path: Path | str | None = None, threads: int | None = None) -> StructNetModel:
        """Load an exported model, the shipped one by default.

        Raises:
            FormatError: the file is missing or is not a model exported by samepose.
            SameposeError: the shipped file is damaged.
        """
        network = Network(Path(path) if path else weight_file("structnet"), threads, "StructNet model")
        try:
            info = StructNetInfo.from_json(network.facts["samepose_structnet"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise network.unexpected from error
        return cls(network, PoseMachineFeatures(threads), info)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.info.name

    @property
    def sha256(self) -> str:
        """Of the file."""
        return self._network.sha256

    @cached_property
    def candidates(self) -> Candidates:
        """Poses of training, as different as can be, with their embeddings.

        The poses lie in the file; their embeddings follow from them, once, in a second.
        """
        poses = self._run(["candidates"])[0].astype(np.float32)
        return Candidates(poses, self.embed_poses(poses))

    @cached_property
    def proportions(self) -> Float[np.ndarray, "17"]:
        """Lengths of bones, of `bone_lengths`, for a stature of 1: the median of the candidates', both sides alike."""
        poses = self.candidates.poses.astype(np.float64)
        lengths = np.median(bone_lengths(poses) / statures(poses)[:, None], axis=0)
        both: np.ndarray = (lengths + lengths[H36M17.mirror]) / 2
        return both / statures(with_lengths(poses[:1], both))

    def see(self, image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "n 4"]) -> Seen:
        """People of an RGB image by their boxes (x0, y0, x1, y1; pixels)."""
        return self.see_squares(person_crops(image, boxes, SIZE))

    def see_squares(self, squares: UInt8[np.ndarray, "n 192 192 3"]) -> Seen:
        """People in squares of `pose_machine.SIZE` pixels."""
        middle, top = self._features(squares)
        return Seen(*self._run(["image", "predicted"], middle=middle, top=top))

    def embed_poses(self, poses: Float[np.ndarray, "c 17 3"]) -> Float[np.ndarray, "c dim"]:
        """f_J of any poses of `H36M17`, metres, camera axes (x right, y down, z away)."""
        poses = poses - poses[:, :1]
        parts = [self._run(["embedding"], pose=poses[a : a + 4096])[0] for a in range(0, max(len(poses), 1), 4096)]
        return np.concatenate(parts)

    def maximum(self, seen: Seen) -> Float[np.ndarray, "n 17 3"]:
        """The candidate of highest score: Max."""
        rows, _ = self.candidates.best(seen.embeddings, 1)
        return self.candidates.poses[rows[:, 0]]

    def average(self, seen: Seen, count: int | None = None) -> Float[np.ndarray, "n 17 3"]:
        """The mean of the `count` candidates of highest score: Avg(A); by default as many as validation chose."""
        count = count or self.info.average
        rows, _ = self.candidates.best(seen.embeddings, count)
        return self.candidates.averages(rows, (count,))[0]

    def lift_people(self, image: UInt8[np.ndarray, "height width 3"], people: Poses, height: float = 1.7) -> Lifted:
        """3D poses of people of an RGB image.

        The alternatives are means of groups of the best candidates, with bones of one body; their weights are shares of
        those, not calibrated. The spread is that of all of them, as large as errors are on rendered people. Where
        gravity is cannot be told from one person's picture: the camera is taken to be held level.

        Args:
            people: 2D, with boxes.
            height: of the people when they stand, metres.

        Raises:
            UsageError: a height that no person has.
            SameposeError: somebody without a box.
        """
        check_height(height)
        if not np.isfinite(people.boxes).all():
            raise SameposeError("somebody has no box to be cut out of the picture by; lift with `model=\"lifting\"`")
        rows, _ = self.candidates.best(self.see(image, people.boxes).embeddings, self.info.average)
        best = self.candidates.poses[rows] * _TO_VIEWER
        groups = [alternatives(poses) for poses in best]
        points, weights = (np.stack([g[k] for g in groups]) if groups else np.zeros((0, HYPOTHESES, *shape))
                           for k, shape in ((0, (17, 3)), (1, ())))
        scale = height / np.maximum(statures(points[:, 0]), 1e-6)
        points = grounded(with_lengths(points, height * self.proportions)).astype(np.float32)
        apart = ((best - best.mean(1, keepdims=True)) ** 2).sum(-1).mean(1)
        spread = (_ERRS * np.sqrt(apart / 3) * scale[:, None]).astype(np.float32)
        made = Poses.of(points[:, 0], H36M17, scores=np.exp(-spread / (0.1 * height)), unit="metre",
                        person_scores=people.person_scores, frames=people.frames, times=people.times,
                        tracks=people.tracks, fps=people.fps)
        return Lifted(made, points, weights.astype(np.float32), spread)

    def _run(self, outputs: list[str], **inputs: np.ndarray) -> list[np.ndarray]:
        """Inputs that are not given are empty."""
        shapes = {"middle": (0, MIDDLE), "top": (0, TOP), "pose": (0, 17, 3)}
        return self._network.run(outputs, {name: np.asarray(inputs.get(name, np.zeros(shape)), np.float32)
                                           for name, shape in shapes.items()})


@cache
def load_structnet(threads: int | None = None) -> StructNetModel:
    """The shipped network.

    Raises:
        SameposeError: the file is missing or damaged.
    """
    return StructNetModel.load(threads=threads)


def lift_pixels(source: Source, at: float | None, person: int | None, height: float) -> Lifted:
    """People of a photo, or somebody at one moment of a video, by their pixels.

    Raises:
        UsageError: a video without a moment, or keypoints without a picture.
        MediaError: nobody is found, or the picture cannot be read.
    """
    if at is None and isinstance(source, Video):
        raise UsageError("`model` structnet looks at one picture; name a moment of the video with `at`")
    query = source.moment(at, person)
    picture = query.pixels
    if picture is None:
        if query.image is None:
            raise UsageError("holds no picture, only keypoints; lift it with `model` lifting")
        picture = picture_at(query.image, query.time)
    everyone = at is None and person is None and query.time is None
    people = source.people if everyone else timed(query)
    return replace(load_structnet().lift_people(picture, people, height), picture=picture)


def alternatives(
    poses: Float[np.ndarray, "count 17 3"]
) -> tuple[Float[np.ndarray, "hypothesis 17 3"], Float[np.ndarray, " hypothesis"]]:
    """Groups of poses that differ, the largest first: means, and shares that sum to 1.

    Sphere exclusion: whoever is best and in no group yet gathers those within `_ALIKE`. The `HYPOTHESES` largest groups
    stay; where there are fewer, the last ones are the first one again with no share.

    Args:
        poses: best first, metres.
    """
    groups, left = [], np.ones(len(poses), bool)
    while left.any():
        away = np.linalg.norm(poses - poses[left.argmax()], axis=-1).mean(-1)
        near = left & (away <= _ALIKE)
        groups.append((poses[near].mean(0), near.sum()))
        left &= ~near
    groups.sort(key=lambda group: -group[1])
    means = [mean for mean, _ in groups[:HYPOTHESES]]
    shares = np.array([float(size) for _, size in groups[:HYPOTHESES]] + [0.0] * (HYPOTHESES - len(means)))
    return np.stack(means + means[:1] * (HYPOTHESES - len(means))), shares / shares.sum()
