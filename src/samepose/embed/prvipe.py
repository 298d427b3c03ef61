"""Poses in, embeddings out, with the exported weights: no torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from samepose.errors import FormatError, SameposeError
from samepose.geometry.normalise import normalise_2d
from samepose.matching.embeddings import Embeddings, Matching
from samepose.poses import Poses
from samepose.skeleton import BODY13

_BATCH = 512  # poses per call: the activations of one layer, 1 MB, stay in the cache


@dataclass(frozen=True)
class ModelInfo:
    """What an exported model carries besides its weights.

    Attributes:
        name: model and version, e.g. "prvipe-1".
        matching: parameters of the matching probability.
        joint_score: a keypoint that scores less counts as missing.
        min_joints: a person with fewer BODY13 joints cannot be embedded.
        subjects: people of the motion capture it was trained on; none in files that do not tell.
    """

    name: str
    matching: Matching
    joint_score: float
    min_joints: int
    subjects: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As stored in the ONNX file's metadata."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ModelInfo:
        """The inverse of `to_json`; KeyError, TypeError or ValueError when it is not one."""
        fields = json.loads(text)
        subjects = tuple(fields.get("subjects", ()))
        return cls(**{**fields, "matching": Matching(**fields["matching"]), "subjects": subjects})


class PrVipeEmbedder:
    """A Pr-VIPE model in ONNX. Build with `PrVipeEmbedder.load`.

    Attributes:
        info: name, matching probability and thresholds.
        sha256: of the file; an index remembers it.
    """

    def __init__(self, session: Any, info: ModelInfo, sha256: str) -> None:
        self._session, self.info, self.sha256 = session, info, sha256

    @classmethod
    def load(cls, path: Path | str | None = None, threads: int | None = None) -> PrVipeEmbedder:
        """Load an exported model, the shipped one by default.

        Raises:
            FormatError: the file is missing or is not a model exported by samepose.
        """
        import onnxruntime

        source = Path(path) if path else Path(str(files("samepose.weights") / "prvipe.onnx"))
        try:
            data = source.read_bytes()
        except OSError as error:
            raise FormatError(f"{source}: cannot be read ({error.strerror}); give an exported Pr-VIPE .onnx") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads:
            options.intra_op_num_threads = threads
        try:
            session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            info = ModelInfo.from_json(session.get_modelmeta().custom_metadata_map["samepose"])
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise FormatError(f"{source}: not a Pr-VIPE model exported by samepose; see `samepose export`") from error
        return cls(session, info, hashlib.sha256(data).hexdigest())

    @property
    def name(self) -> str:
        """Name of the model, e.g. "prvipe-1"."""
        return self.info.name

    @property
    def matching(self) -> Matching:
        """The matching probability that belongs to these embeddings."""
        return self.info.matching

    @property
    def dimensions(self) -> int:
        """Of the embeddings: numbers in a mean."""
        return int(self._session.get_outputs()[0].shape[-1])

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
        return PrVipeEmbedder(self._session, replace(self.info, min_joints=min_joints), self.sha256)

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
            self._session.run(["mean", "var"], {"x": x[start : start + _BATCH]})
            for start in range(0, max(len(x), 1), _BATCH)
        ]
        return Embeddings(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))
