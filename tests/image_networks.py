"""Tiny ONNX networks for people's crops, made without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samepose.embed.image import SIZE, ImageModelInfo
from samepose.matching.embeddings import Matching


def write_embedder(path: Path, cells: int = 8) -> Path:
    """An image embedding by the contract of `ImageEmbedder`: the crop in so many cells each way, of unit length."""
    nodes, tensors = _cells(cells)
    nodes += [("Flatten", ["cells"], ["flat"], {}), ("LpNormalization", ["flat"], ["embedding"], {"axis": 1, "p": 2})]
    facts = {"samepose_image": ImageModelInfo("cells-1", Matching(1.0, 1.0)).to_json()}
    return _save(path, nodes, tensors, ("embedding", ["n", 3 * cells * cells]), facts)


def write_joint_network(path: Path, joints: tuple[str, ...], seed: int = 0) -> Path:
    """A joint regression network by the contract of `of_joint_network`: some linear function of the crop's cells."""
    nodes, tensors = _cells(4)
    rng = np.random.default_rng(seed)
    tensors |= {"w": rng.normal(0, 0.05, (48, 2 * len(joints))), "shape": np.array([-1, len(joints), 2], np.int64)}
    nodes += [("Flatten", ["cells"], ["flat"], {}), ("MatMul", ["flat", "w"], ["xy"], {}),
              ("Reshape", ["xy", "shape"], ["joints"], {})]
    facts = {"samepose_joints": json.dumps({"name": "linear-1", "joints": joints})}
    return _save(path, nodes, tensors, ("joints", ["n", len(joints), 2]), facts)


def write_classifier(path: Path, *, head: bool = True, channels: int = 3, side: int = 32) -> Path:
    """A classification network: pooled features, which are the means of the channels, and perhaps a last layer."""
    shape = [1, channels, side, side]
    nodes: list[tuple] = [("GlobalAveragePool", ["data"], ["pooled"], {}), ("Flatten", ["pooled"], ["flat"], {})]
    tensors: dict[str, np.ndarray] = {}
    if head:
        tensors = {"w": np.ones((channels, 5)), "b": np.zeros(5)}
        nodes.append(("Gemm", ["flat", "w", "b"], ["scores"], {}))
    else:
        nodes.append(("Relu", ["flat"], ["scores"], {}))
    return _save(path, nodes, tensors, ("scores", [1, 5 if head else channels]), {}, ("data", shape))


def _cells(cells: int) -> tuple[list[tuple], dict[str, np.ndarray]]:
    size = [SIZE // cells] * 2
    return [("Transpose", ["image"], ["planes"], {"perm": [0, 3, 1, 2]}),
            ("AveragePool", ["planes"], ["cells"], {"kernel_shape": size, "strides": size})], {}


def _save(
    path: Path, nodes: list[tuple], tensors: dict[str, np.ndarray], output: tuple[str, list[Any]],
    facts: dict[str, str], image: tuple[str, list[Any]] = ("image", ["n", SIZE, SIZE, 3]),
) -> Path:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node(kind, takes, gives, **options) for kind, takes, gives, options in nodes], "tiny",
        [helper.make_tensor_value_info(image[0], TensorProto.FLOAT, image[1])],
        [helper.make_tensor_value_info(output[0], TensorProto.FLOAT, output[1])],
        [numpy_helper.from_array(v if v.dtype == np.int64 else v.astype(np.float32), k) for k, v in tensors.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, facts)
    onnx.save(model, str(path))
    return path
