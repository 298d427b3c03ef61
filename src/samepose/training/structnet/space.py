"""A training run of StructNet as it is measured: the paper's network too, which is not exported."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8

from samepose.embed.image import square_of
from samepose.lifting.candidates import Candidates
from samepose.lifting.structnet import Seen
from samepose.models.structnet import UNIT, Features, StructNet
from samepose.training.structnet.data import Person
from samepose.training.structnet.features import Extractor, FeatureSet
from samepose.training.structnet.train import extractor_of, load_structnet
from samepose.training.structnet.validate import candidates_of


@dataclass(frozen=True)
class RunSpace:
    """Pictures among all poses that a run was trained on. Build with `RunSpace.load`."""

    net: StructNet
    extractor: Extractor
    candidates: Candidates | None

    @classmethod
    def load(cls, run: Path, threads: int | None = None) -> RunSpace:
        """A run of `samepose train structnet`.

        Raises:
            FormatError: it is none, or its features are gone.
        """
        net = load_structnet(run)
        config = json.loads((run / "config.json").read_text())
        if threads:
            torch.set_num_threads(threads)
        init = config["origin"].get("init")
        poses = np.unique(FeatureSet.open(run / "features").poses, axis=0)
        scored = config["recipe"]["objective"] == "score"
        extractor = extractor_of(Path(init) if init else None, threads)
        return cls(net, extractor, candidates_of(net, poses) if scored else None)

    @torch.no_grad()
    def see(self, image: UInt8[np.ndarray, "height width 3"], boxes: Float[np.ndarray, "n 4"]) -> Seen:
        """People of an RGB image by their boxes, pixels."""
        nowhere = np.zeros((17, 2), np.float32), np.zeros((17, 3), np.float32)
        people = [Person(square_of(box).crop(image, self.extractor.size), *nowhere) for box in boxes]
        middle, top = self.extractor(people, None)
        embeddings, predicted = self.net(Features(torch.from_numpy(middle), torch.from_numpy(top)))
        return Seen(embeddings.numpy(), predicted.numpy() * np.float32(UNIT))

    @torch.no_grad()
    def embed_poses(self, poses: Float[np.ndarray, "c 17 3"]) -> Float[np.ndarray, "c dim"]:
        """f_J of poses, metres, camera axes."""
        found: np.ndarray = self.net.embed_pose(torch.from_numpy((poses - poses[:, :1]) / np.float32(UNIT))).numpy()
        return found
