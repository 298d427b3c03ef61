"""Inner tensors of an ONNX file, against the package `onnx`."""

from __future__ import annotations

import numpy as np
import pytest

from samepose.errors import FormatError
from samepose.weights import Network, read_weights, weight_file
from samepose.weights.inner import nodes, with_output


@pytest.mark.parametrize("name", ["movenet-thunder", "prvipe"])
def test_nodes_are_those_that_onnx_reads(name: str) -> None:
    onnx = pytest.importorskip("onnx")
    file = read_weights(weight_file(name))
    graph = onnx.load_from_string(file).graph
    assert [(n.op_type, tuple(n.input), tuple(n.output)) for n in graph.node] == nodes(file)


def test_an_inner_tensor_becomes_an_output_and_the_others_stay() -> None:
    path = weight_file("prvipe")
    inner = next(node.outputs[0] for node in nodes(read_weights(path)) if node.operator == "Relu")
    plain, tapped = Network(path), Network(path, tapped=lambda file: with_output(file, inner))
    x = np.random.default_rng(0).normal(size=(3, 39)).astype(np.float32)
    before, after = plain.run(None, {"x": x}), tapped.run(None, {"x": x})
    assert len(after) == len(before) + 1 and tapped.sha256 == plain.sha256
    for a, b in zip(before, after):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert after[-1].shape[0] == 3 and (after[-1] >= 0).all() and after[-1].max() > 0


@pytest.mark.parametrize("data", [b"\x08", b"\x3a\xff\xff\x7f", b"\x3a\x02\x0a\x05", b"not a network"])
def test_what_is_no_network_is_named(data: bytes) -> None:
    with pytest.raises(FormatError, match="not an ONNX file"):
        nodes(data)
