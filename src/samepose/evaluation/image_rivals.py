"""What is measured at image retrieval: each model sees every person once, and says how far apart two of them are.

Models see pixels of the 128 x 128 crop and nothing else. Detectors look at the whole photograph, as they do for an
index; the labelled box only says which of the people that they found is meant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from samepose.detection import Detector
from samepose.embed.image import SIZE, ImageEmbedder, boxes_of_joints
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.image_people import in_crop
from samepose.geometry.pose_difference import on_torso, pose_differences
from samepose.matching.embeddings import Embeddings
from samepose.media.square import Square
from samepose.poses import Poses
from samepose.skeleton import BODY13, Skeleton
from samepose.weights import Network

JOINT_SCORE = 0.25  # of the joints that span a found person's box
_SAME_PERSON = 0.3  # least overlap (intersection over union) of the found person's box and the labelled one (ours)
_LEAST_PROBABILITY = 1e-30
_CHUNK = 64  # queries whose distances are worked out together


@dataclass(frozen=True, eq=False)
class Batch:
    """Some people as the models see them.

    Attributes:
        images: the photographs.
        squares: what the crops hold of them.
        boxes: (n, 4) pixels of the photographs, see `embed.image.boxes_of_joints`.
    """

    images: Sequence[UInt8[np.ndarray, "_h _w 3"]]
    squares: Sequence[Square]
    boxes: Float[np.ndarray, "n 4"]

    def crops(self) -> UInt8[np.ndarray, "n size size 3"]:
        """The crops that `embed.image.person_crops` makes."""
        return np.stack([square.crop(image, SIZE) for image, square in zip(self.images, self.squares)])


See = Callable[[Batch], np.ndarray]


@dataclass(frozen=True, eq=False)
class Rival:
    """A model.

    Attributes:
        name: as tables and JSON call it.
        see: one row of numbers for each person; NaN: it saw nobody. Models that share it see once.
        distances: rows of queries and of the database to (Q, N); NaN where not known.
    """

    name: str
    see: See
    distances: Callable[[np.ndarray, np.ndarray], np.ndarray]


def of_embedder(embedder: ImageEmbedder) -> Rival:
    """Euclidean distance of image embeddings: "image"."""
    return Rival("image", lambda batch: embedder.embed_crops(batch.crops()).mean, euclidean)


def of_joint_network(path: Path, threads: int | None = None) -> Rival:
    """Joints by regression (DeepPose, Toshev & Szegedy 2014): "joints", compared as the measure compares marked ones.

    The file takes "image", as an `ImageEmbedder`'s, and gives "joints", (n, J, 2) pixels of the crop; "joints" of the
    metadata "samepose_joints" names them.

    Raises:
        FormatError: it is none.
    """
    network = Network(path, threads, "joint regression network")
    try:
        skeleton = Skeleton("regressed", tuple(map(str, json.loads(network.facts["samepose_joints"])["joints"])))
    except (KeyError, TypeError, ValueError) as error:
        raise network.unexpected from error

    def see(batch: Batch) -> np.ndarray:
        return network.run(["joints"], {"image": batch.crops().astype(np.float32)})[0]

    return Rival("joints", see, lambda a, b: pose_differences(on_torso(a, skeleton), on_torso(b, skeleton)))


def of_detector(name: str, detector: Detector) -> Rival:
    """Joint distance of what a detector finds, torsos aligned, all joints of BODY13 whatever their score."""
    def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return pose_differences(on_torso(a[..., :2], BODY13), on_torso(b[..., :2], BODY13))

    return Rival(name, lambda batch: _found(detector, batch), distances)


def of_prvipe(keypoints: Rival, embedder: PrVipeEmbedder) -> Rival:
    """-log of Pr-VIPE's probability that detected keypoints show the same pose: "prvipe".

    It looks for the same pose in 3D from any side; the measures here count another side as an error.
    """
    def embedded(rows: np.ndarray) -> tuple[Embeddings, np.ndarray]:
        poses = Poses.of(rows[..., :2], BODY13, scores=np.nan_to_num(rows[..., 2]))
        return embedder.embed(poses), embedder.searchable(poses)

    def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        (query, asked), (others, there) = embedded(a), embedded(b)
        far = -np.log(np.maximum(embedder.matching.probability(query, others), _LEAST_PROBABILITY))
        return np.where(asked[:, None] & there, far, np.nan).astype(np.float32)

    return Rival("prvipe", keypoints.see, distances)


def euclidean(a: Float[np.ndarray, "q dim"], b: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "q n"]:
    """Distances of all pairs."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    lengths = (b**2).sum(axis=1)
    parts = [(part**2).sum(axis=1)[:, None] + lengths - 2 * part @ b.T
             for part in (a[start : start + _CHUNK] for start in range(0, len(a), _CHUNK))]
    return np.sqrt(np.maximum(np.concatenate(parts), 0)).astype(np.float32)


def _found(detector: Detector, batch: Batch) -> Float[np.ndarray, "n 13 3"]:
    """x and y of BODY13 in pixels of the crop, and scores, of those whose box overlaps most; NaN where none does."""
    out = np.full((len(batch.squares), len(BODY13), 3), np.nan, np.float32)
    for i, (image, square) in enumerate(zip(batch.images, batch.squares)):
        people = detector.detect(image).to(BODY13)
        overlaps = _overlaps(boxes_of_joints(people.hide(below=JOINT_SCORE).points), batch.boxes[i])
        if len(people) and overlaps.max() >= _SAME_PERSON:
            best = int(overlaps.argmax())
            out[i, :, :2], out[i, :, 2] = in_crop(people.points[best], square), people.scores[best]
    return out


def _overlaps(boxes: Float[np.ndarray, "n 4"], box: Float[np.ndarray, " 4"]) -> Float[np.ndarray, " n"]:
    """Intersection over union; 0 of boxes that are NaN."""
    sides = np.clip(np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2]), 0, None)
    shared, areas = sides.prod(axis=1), (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.nan_to_num(shared / np.maximum(areas + (box[2:] - box[:2]).prod() - shared, 1e-6))
