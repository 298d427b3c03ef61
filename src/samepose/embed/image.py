"""Pixels in, embeddings out (Mori 2015), with the exported weights: no joints, no torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from samepose.matching.embeddings import Embeddings, Matching
from samepose.media.square import Square
from samepose.weights import WEIGHTS, Network, weight_file

SIZE = 128  # side of a crop, pixels (Mori 2015, table 1)
ROOM = 1.1  # side of the crop in longer sides of the person's box (ours; the paper does not tell)
_FLESH = 1.15  # side of a detector's box in that of the joints' own: the median of 132 people is 1.17
LEAST_SIDE = 16  # pixels of a photograph that a crop must hold to be trained or measured on
_BATCH = 32  # crops per call


@dataclass(frozen=True)
class ImageModelInfo:
    """What an exported model carries besides its weights.

    Attributes:
        name: model and version, e.g. "image-1".
        matching: of two of its embeddings; the variances are 0. It says how likely two people are the same pose in the
            picture, which is a pose difference under 15 pixels of the crop (Mori 2015, section 4.2).
    """

    name: str
    matching: Matching

    def to_json(self) -> str:
        """As stored in the ONNX file's metadata, under "samepose_image"."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ImageModelInfo:
        """The inverse of `to_json`; KeyError, TypeError or ValueError when it is not one."""
        fields = json.loads(text)
        return cls(**{**fields, "matching": Matching.of_fields(fields["matching"])})


class ImageEmbedder:
    """A network from crops of people to points on a sphere, in ONNX. Build with `ImageEmbedder.load`.

    The file takes "image", (n, 128, 128, 3) RGB of 0..255 as float32, and gives "embedding", (n, dimensions) of unit
    length.
    """

    def __init__(self, network: Network, info: ImageModelInfo) -> None:
        self._network, self.info = network, info

    @classmethod
    def load(cls, path: Path | str | None = None, threads: int | None = None) -> ImageEmbedder:
        """Load an exported model, the shipped one by default.

        Raises:
            FormatError: the file is missing or is not a model exported by samepose.
            SameposeError: the shipped file is damaged.
        """
        network = Network(Path(path) if path else weight_file("image"), threads, "image embedding")
        try:
            return cls(network, ImageModelInfo.from_json(network.facts["samepose_image"]))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise network.unexpected from error

    @property
    def name(self) -> str:
        """Name of the model, e.g. "image-1"."""
        return self.info.name

    @property
    def sha256(self) -> str:
        """Of the file; an index remembers it."""
        return self._network.sha256

    @property
    def research_only(self) -> bool:
        """Whether it has learned from photographs that are for research only (weights/IMAGE.md)."""
        return self.sha256 == WEIGHTS["image"]

    @property
    def matching(self) -> Matching:
        """The matching probability that belongs to these embeddings."""
        return self.info.matching

    @property
    def dimensions(self) -> int:
        """Of the embeddings."""
        return int(self._network.session.get_outputs()[0].shape[-1])

    def embed(self, image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "n 4"]) -> Embeddings:
        """Embed people of an RGB image by their boxes (x0, y0, x1, y1; pixels, finite)."""
        return self.embed_crops(person_crops(image, boxes))

    def embed_crops(self, crops: UInt8[np.ndarray, "n size size 3"]) -> Embeddings:
        """Embed crops made by `person_crops`; mirrored crops are embeddings of the mirrored pose."""
        parts = [
            self._network.run(["embedding"], {"image": crops[start : start + _BATCH].astype(np.float32)})[0]
            for start in range(0, max(len(crops), 1), _BATCH)
        ]
        if any(part.ndim != 2 or part.shape[1:] != parts[0].shape[1:] for part in parts):
            raise self._network.unexpected
        mean = np.concatenate(parts)
        return Embeddings(mean, np.zeros_like(mean))


def person_crops(
    image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "n 4"], size: int = SIZE
) -> UInt8[np.ndarray, "n {size} {size} 3"]:
    """Squares around people (`square_of`) of `size` pixels, black beyond the image."""
    crops = [square_of(box).crop(image, size) for box in boxes]
    return np.stack(crops) if crops else np.zeros((0, size, size, 3), np.uint8)


def square_of(box: Float[np.ndarray, " 4"]) -> Square:
    """The square around a person's box, `ROOM` times as wide as its longer side."""
    return Square.around(box, ROOM)


def boxes_of_joints(points: Float[np.ndarray, "n joint 2"]) -> Float[np.ndarray, "n 4"]:
    """The boxes that a detector would draw around people whose joints are marked; NaN where none of them is."""
    with np.errstate(invalid="ignore"):
        marked = np.isfinite(points).all(axis=-1, keepdims=True)
        low = np.where(marked, points, np.inf).min(axis=1)
        high = np.where(marked, points, -np.inf).max(axis=1)
        middle, half = (low + high) / 2, (high - low) / 2 * _FLESH
        return np.where(marked.any(axis=1), np.concatenate([middle - half, middle + half], axis=1), np.nan)
