"""Trained networks to ONNX: PyTorch's own exporter, weights kept as fp16, what the file says about itself."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from samepose.files import written

_OPSET = 18  # the exporter's own
_SMALLEST_HALVED = 64  # elements; halving less saves nothing


def translated(
    network: nn.Module, example: Tensor | tuple[Tensor, ...], name: str | tuple[str, ...], outputs: Sequence[str],
    axes: tuple[str, ...] = ("n",),
) -> onnx.ModelProto:
    """A network in ONNX, float32, normalisation folded into the layers before it.

    Args:
        network: in evaluation mode afterwards.
        example: an input of the right shape and type, or several; their first axes may then be of any length.
        name: of each input.
        outputs: their names, in the order in which the network returns them.
        axes: what the first axis of each input is called in the file; those of one name are of one length.
    """
    examples, names = (example,) if isinstance(example, Tensor) else example, (name,) if isinstance(name, str) else name
    dims = {axis: torch.export.Dim(axis) for axis in axes}
    with _quiet():
        program = torch.onnx.export(
            network.eval(), examples, input_names=list(names), output_names=list(outputs), opset_version=_OPSET,
            dynamic_shapes=tuple({0: dims[axis]} for axis in axes), dynamo=True, verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    for part in (proto, proto.graph, *proto.graph.node, *proto.graph.initializer, *proto.graph.input,
                 *proto.graph.output):
        del part.metadata_props[:]  # where in the source and in which call each came about: of this machine, and long
    del proto.graph.value_info[:]
    return proto


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of packages that we do not need, and of how PyTorch calls itself."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        log.setLevel(before)


def halved(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with large weights kept as fp16, to be cast when it is loaded: half the size, the same speed."""
    out = onnx.ModelProto()
    out.CopyFrom(proto)
    del out.graph.initializer[:], out.graph.node[:]
    for tensor in proto.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.size >= _SMALLEST_HALVED:
            half = f"{tensor.name}.half"
            out.graph.initializer.append(numpy_helper.from_array(array.astype(np.float16), half))
            out.graph.node.append(helper.make_node("Cast", [half], [tensor.name], to=TensorProto.FLOAT))
        else:
            out.graph.initializer.append(tensor)
    out.graph.node.extend(proto.graph.node)
    return out


def save(proto: onnx.ModelProto, facts: Mapping[str, str], path: Path) -> None:
    """Write a network with what the file says about itself, in place of what it said before."""
    helper.set_model_props(proto, dict(facts))
    onnx.checker.check_model(proto)
    with written(path) as part:
        onnx.save(proto, part)
