"""A trained Pr-VIPE to ONNX: BatchNorm folded into the linear layers, weights in fp16, metadata inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from samepose.embed.prvipe import ModelInfo
from samepose.errors import UsageError
from samepose.models.prvipe import PrVipe
from samepose.skeleton import BODY13
from samepose.training.prvipe.validate import matching_of

JOINT_SCORE = 0.25  # a detected keypoint that scores less is taken as missing (ours; MoveNet's scores)
MIN_JOINTS = 7  # with fewer the best hit is too seldom right (results/hidden-joints.json)


def info_of(model: PrVipe, name: str, subjects: Sequence[str] = ()) -> ModelInfo:
    """What an export says about itself; its probabilities are as learned, uncalibrated.

    Args:
        subjects: that it was trained on, so that nobody takes figures on them for a test.
    """
    return ModelInfo(name, matching_of(model), JOINT_SCORE, MIN_JOINTS, tuple(subjects))


def export(model: PrVipe, info: ModelInfo, path: Path) -> None:
    """Write `x` (n, 3 x 13: normalised points, then mask) -> `mean`, `var` (n, dim), float32 with fp16 weights.

    Raises:
        UsageError: a model that is no embedding (lifting).
    """
    config = model.config
    if config.kind == "lifting":
        raise UsageError("a lifting model gives 3D poses, not embeddings; only embeddings are exported")
    graph = Graph()
    x = graph.layer("x", *_folded(model.stem))
    for block in model.blocks:
        out = x
        for layer in block.layers:  # type: ignore[union-attr]
            out = graph.layer(out, *_folded(layer))
        x = graph.add("Add", [x, out])
    mean = graph.linear(x, *_weights(model.mean))
    if config.kind == "l2":
        mean = graph.add("LpNormalization", [mean], axis=1, p=2)
    graph.add("Identity", [mean], output="mean")
    if model.deviation is None:
        graph.add("Sub", [mean, mean], output="var")
    else:
        elu = graph.add("Elu", [graph.linear(x, *_weights(model.deviation))])
        deviation = graph.add("Add", [elu, graph.constant(np.float32(1))])
        graph.add("Mul", [deviation, deviation], output="var")
    shape = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])
             for name, size in (("x", 3 * len(BODY13)), ("mean", config.dim), ("var", config.dim))}
    proto = helper.make_model(
        helper.make_graph(graph.nodes, "prvipe", [shape["x"]], [shape["mean"], shape["var"]], graph.tensors),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="samepose",
    )
    _save(proto, info, path)


def rewrite(source: Path, info: ModelInfo, path: Path) -> None:
    """An exported model with another description of itself; the two paths may be the same."""
    _save(onnx.load(source), info, path)


def _save(proto: onnx.ModelProto, info: ModelInfo, path: Path) -> None:
    helper.set_model_props(proto, {"samepose": info.to_json()})
    onnx.checker.check_model(proto)
    onnx.save(proto, path)


class Graph:
    """Nodes and weights under construction; every method returns the name of its output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []

    def add(self, op: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        name = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def constant(self, value: np.ndarray | np.float32) -> str:
        name = f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def linear(self, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        half = self.add("Cast", [self.constant(weight.astype(np.float16))], to=TensorProto.FLOAT)
        return self.add("Gemm", [x, half, self.constant(bias)])

    def layer(self, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
        return self.add("Relu", [self.linear(x, weight, bias)])


def _weights(linear: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """(in, out) weight and (out,) bias, float64."""
    state = linear.state_dict()
    return state["weight"].double().cpu().numpy().T, state["bias"].double().cpu().numpy().astype(np.float32)


def _folded(layer: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """Linear and BatchNorm of one hidden layer as a single linear map, in evaluation mode."""
    linear, norm = layer[0], layer[1]  # type: ignore[index]
    weight, bias = _weights(linear)
    state = {k: v.double().cpu().numpy() for k, v in norm.state_dict().items()}
    gain = state["weight"] / np.sqrt(state["running_var"] + norm.eps)
    return weight * gain, ((bias - state["running_mean"]) * gain + state["bias"]).astype(np.float32)
