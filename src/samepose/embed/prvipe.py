"""Poses in, embeddings out, with the exported weights: no torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from samepose.embed.pairs import PairModel
from samepose.errors import SameposeError
from samepose.geometry.normalise import normalise_2d
from samepose.matching.embeddings import Embeddings, Matching
from samepose.matching.moment import MomentMatching
from samepose.poses import Poses
from samepose.skeleton import BODY13
from samepose.weights import Network, weight_file

_BATCH = 512  # poses per call: the activations of one layer, 1 MB, stay in the cache


@dataclass(frozen=True)
class ModelInfo:
    """What an exported model carries besides its weights.

    Attributes:
        name: model and version, e.g. "prvipe-1".
        matching: parameters of the matching probability.
        joint_score: a keypoint that scores less counts as missing.
        min_joints: a person with fewer BODY13 joints cannot be embedded.
        subjects: people of the motion capture it was trained on; none where neither the file nor the `.json` of
            its name beside it tells.
        moment: probability of moments; None where neither tells.
    """

    name: str
    matching: Matching
    joint_score: float
    min_joints: int
    subjects: tuple[str, ...] = ()
    moment: MomentMatching | None = None

    def to_json(self) -> str:
        """As stored in the ONNX file's metadata."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """The inverse of `to_json`; KeyError, TypeError or ValueError when it is not one."""
        fields = json.loads(text)
        subjects = tuple(fields.get("subjects", ()))
        return cls(**{**fields, "name": str(fields["name"]), "joint_score": float(fields["joint_score"]),
                      "min_joints": int(fields["min_joints"]), "matching": Matching.of_fields(fields["matching"]),
                      "subjects": subjects, "moment": _moment_of(fields)})


class PrVipeEmbedder:
    """A Pr-VIPE model in ONNX. Build with `PrVipeEmbedder.load`.

    Attributes:
        info: name, matching probability and thresholds.
        sha256: of the file; an index remembers it.
    """

    def __init__(
        self, network: Network, info: ModelInfo, sha256: str, pairs: Callable[[], PairModel] | None = None
    ) -> None:
        self._network, self.info, self.sha256, self._load_pairs = network, info, sha256, pairs

    @classmethod
    def load(
        cls, path: Path | str | None = None, threads: int | None = None, pairs: PairModel | None = None
    ) -> PrVipeEmbedder:
        """Load an exported model, the shipped one by default.

        Args:
            threads: that work on one call; None: as many as onnxruntime thinks best.
            pairs: what ranks its shortlists; by default of the shipped model the shipped network, of others none.

        Raises:
            FormatError: the file is missing or is not a model exported by samepose.
            SameposeError: the shipped file is damaged.
        """
        source = Path(path) if path else weight_file("prvipe")
        network = Network(source, threads, "Pr-VIPE model")
        try:
            info = ModelInfo.from_json(network.facts["samepose"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise network.unexpected from error
        mean, var = network.run(["mean", "var"], {"x": np.zeros((1, 3 * len(BODY13)), np.float32)})
        if not (mean.shape == var.shape and mean.ndim == 2 and mean.dtype == var.dtype == np.float32):
            raise network.unexpected
        if not (info.subjects and info.moment):
            told = _told_beside(source, network.sha256)
            info = replace(info, subjects=info.subjects or tuple(map(str, told.get("subjects", ()))),
                           moment=info.moment or _moment_of(told))
        own = partial(PairModel.load, None, threads) if path is None else None
        return cls(network, info, network.sha256, own if pairs is None else lambda: pairs)

    @property
    def name(self) -> str:
        """Name of the model, e.g. "prvipe-1"."""
        return self.info.name

    @property
    def matching(self) -> Matching:
        """The matching probability that belongs to these embeddings."""
        return self.info.matching

    @property
    def moment(self) -> MomentMatching | None:
        """The probability of moments that belongs to them; None: it was not fitted."""
        return self.info.moment

    @cached_property
    def pairs(self) -> PairModel | None:
        """What ranks its shortlists by looking at two views together, loaded when it is first asked for; None: nothing.

        Raises:
            SameposeError: the shipped file is damaged.
        """
        return self._load_pairs() if self._load_pairs else None

    @property
    def dimensions(self) -> int:
        """Of the embeddings: numbers in a mean."""
        return int(self._network.session.get_outputs()[0].shape[-1])

    @property
    def joint_score(self) -> float:
        """A keypoint that scores less counts as missing."""
        return self.info.joint_score

    @property
    def min_joints(self) -> int:
        """A person with fewer joints of BODY13 cannot be embedded."""
        return self.info.min_joints

    def accepting(self, min_joints: int) -> PrVipeEmbedder:
        """The same model, also for poses with fewer joints than it vouches for."""
        return PrVipeEmbedder(self._network, replace(self.info, min_joints=min_joints), self.sha256, self._load_pairs)

    def keypoints(self, poses: Poses) -> Float[np.ndarray, "n 13 2"]:
        """What the model sees of 2D poses: BODY13 points, NaN where missing or scored under `joint_score`."""
        if poses.points.shape[-1] != 2:
            raise SameposeError("3D poses cannot be embedded; project them into a camera first")
        return poses.hide(below=self.info.joint_score).to(BODY13).points

    def searchable(self, poses: Poses) -> Bool[np.ndarray, " n"]:
        """Which poses have enough joints to be embedded."""
        enough: np.ndarray = (~np.isnan(self.keypoints(poses)[..., 0])).sum(axis=1) >= self.info.min_joints
        return enough

    def embed(self, poses: Poses) -> Embeddings:
        """Embed 2D poses of any skeleton; what a pose with too few joints gets means nothing (see `searchable`)."""
        return self.embed_keypoints(self.keypoints(poses))

    def embed_keypoints(self, keypoints: Float[np.ndarray, "n 13 2"]) -> Embeddings:
        """Embed BODY13 keypoints in any unit, x right and y down, NaN where missing."""
        points, visible = normalise_2d(keypoints.astype(np.float32, copy=False))
        x = np.concatenate([points.reshape(len(points), 2 * len(BODY13)), visible.astype(np.float32)], axis=1)
        parts = [
            self._network.run(["mean", "var"], {"x": x[start : start + _BATCH]})
            for start in range(0, max(len(x), 1), _BATCH)
        ]
        return Embeddings(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))


def _moment_of(fields: Mapping[str, Any]) -> MomentMatching | None:
    return MomentMatching.of_fields(fields["moment"]) if fields.get("moment") else None


def _told_beside(model: Path, sha256: str) -> Mapping[str, Any]:
    """What the JSON beside a model says of one exported before it could tell: `subjects`, and `moment`.

    Inside the file they would change its hash, and every index of it would have to be embedded anew. The JSON holds the
    hash, so that it speaks of no other weights.
    """
    try:
        told = json.loads(model.with_suffix(".json").read_text("utf-8"))
        _moment_of(told)
        return told if told["sha256"] == sha256 and isinstance(told.get("subjects", []), list) else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
