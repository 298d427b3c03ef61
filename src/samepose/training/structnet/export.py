"""A trained StructNet to ONNX, its candidates inside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from jaxtyping import Float, Int
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from samepose.errors import UsageError
from samepose.lifting.structnet import StructNetInfo
from samepose.models.structnet import UNIT, Features, StructNet
from samepose.training.onnx import halved, save, translated
from samepose.training.structnet.data import pose_space

_DRAWN = 60_000  # of the pose space: k-means takes time with their number
_NAMES = ("middle", "top", "pose")


def export_structnet(
    model: StructNet, info: StructNetInfo, candidates: Float[np.ndarray, "c 17 3"], path: Path
) -> None:
    """Write what `StructNetModel` reads; weights and candidates are fp16.

    Args:
        candidates: poses in metres from the pelvis, camera axes.

    Raises:
        UsageError: the paper's network, whose convolutions no reader has.
    """
    proto = halved(graph(model))
    proto.graph.initializer.append(numpy_helper.from_array(candidates.astype(np.float16), "candidates.half"))
    proto.graph.node.append(helper.make_node("Cast", ["candidates.half"], ["candidates"], to=TensorProto.FLOAT))
    proto.graph.output.append(helper.make_tensor_value_info("candidates", TensorProto.FLOAT, candidates.shape))
    save(proto, {"samepose_structnet": info.to_json()}, path)


def graph(model: StructNet) -> onnx.ModelProto:
    """What `export_structnet` writes but the candidates, its weights still float32.

    Raises:
        UsageError: as `export_structnet`.
    """
    if model.config.features != "cpm":
        raise UsageError("only networks on the shipped pose machine's features are exported; train with "
                         "`model.features` cpm")
    from samepose.embed.pose_machine import MIDDLE, TOP

    examples = (torch.zeros(2, MIDDLE), torch.zeros(2, TOP), torch.zeros(3, 17, 3))
    return translated(_Both(model.float()), examples, _NAMES, ("image", "predicted", "embedding"), ("n", "n", "c"))


class _Both(nn.Module):
    """Metres in and out."""

    def __init__(self, model: StructNet) -> None:
        super().__init__()
        self.model = model

    def forward(self, middle: Tensor, top: Tensor, pose: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        image, predicted = self.model(Features(middle, top))
        return image, predicted * UNIT, self.model.embed_pose(pose / UNIT)


def spread(poses: Float[np.ndarray, "n 17 3"], count: int, rng: np.random.Generator) -> Float[np.ndarray, "c 17 3"]:
    """At most `count` candidates: of the pose space of `poses` `_DRAWN` at random, and of these what is `diverse`."""
    space = pose_space(poses, rng)
    space = space[rng.permutation(len(space))[:_DRAWN]]
    return space[diverse(space, count, rng)]


def diverse(poses: Float[np.ndarray, "n 17 3"], count: int, rng: np.random.Generator) -> Int[np.ndarray, " count"]:
    """Rows of `count` poses spread over all there are: means of k-means' groups are approached by their nearest pose.

    Random poses would be mostly alike, the farthest ones mostly odd; groups of about equal extent are neither.
    """
    if count >= len(poses):
        return np.arange(len(poses))
    flat = poses.reshape(len(poses), -1)
    centres = flat[rng.choice(len(flat), count, replace=False)]
    for _ in range(4):
        owner = _nearest(flat, centres)
        sizes = np.bincount(owner, minlength=count)
        sums = np.zeros_like(centres)
        np.add.at(sums, owner, flat)
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
    return np.unique(_nearest(centres, flat))


def _nearest(points: Float[np.ndarray, "n dim"], to: Float[np.ndarray, "m dim"]) -> Int[np.ndarray, " n"]:
    half = (to**2).sum(1) / 2
    return np.concatenate([(half - points[a : a + 2048] @ to.T).argmin(1) for a in range(0, len(points), 2048)])
