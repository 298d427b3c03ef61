"""A trained Convolutional Pose Machine to ONNX: built with onnx alone, weights in fp16, metadata inside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, fx, nn

from samepose.models.cpm import STRIDE, Beliefs, Cpm, CpmConfig, Middle
from samepose.training.prvipe.export import Graph

_SMALLEST_HALVED = 64  # elements; halving less saves nothing


def export_cpm(model: Cpm, name: str, path: Path) -> None:
    """Write `image` (n, size, size, 3) uint8 RGB -> `belief_maps` (n, stages, P + 1, cells, cells) in 0..1.

    The metadata say which joints the maps are of, the stride, the size, the file's name for itself and that what lies
    outside an image is black.
    """
    config, graph = model.config, _CpmGraph()
    image = graph.add("Transpose", [graph.add("Cast", ["image"], to=TensorProto.FLOAT)], perm=[0, 3, 1, 2])
    out = graph.network(model.eval().float(), image)
    beliefs = graph.beliefs(Beliefs(config), out, [0, 0, 0], config.cells)
    graph.add("Clip", [beliefs, graph.constant(np.float32(0)), graph.constant(np.float32(1))], output="belief_maps")
    maps: list[str | int | None] = ["n", config.stages, len(config.joints) + 1, config.cells, config.cells]
    proto = helper.make_model(
        helper.make_graph(
            graph.nodes, "cpm",
            [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", config.size, config.size, 3])],
            [helper.make_tensor_value_info("belief_maps", TensorProto.FLOAT, maps)], graph.tensors,
        ),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="samepose",
    )
    helper.set_model_props(proto, {
        "samepose_model": "cpm", "name": name, "joints": json.dumps(config.joints), "stride": str(STRIDE),
        "size": str(config.size), "fill": "0",
    })
    onnx.checker.check_model(proto)
    onnx.save(proto, path)


def halved(model: Cpm) -> Cpm:
    """The same model with every weight that an export stores in fp16 rounded to it."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() >= _SMALLEST_HALVED:
                parameter.copy_(parameter.half().float())
    return model


class _ImageOnly(nn.Module):
    """The network without its other input."""

    def __init__(self, model: Cpm) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> Tensor:
        return self.model(image)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Beliefs | Middle) or super().is_leaf_module(m, module_qualified_name)


class _CpmGraph(Graph):
    """Translates the network's traced operations one by one."""

    def network(self, model: Cpm, image: str) -> str:
        """All of `model` on `image`; the name of what it gives back."""
        names: dict[fx.Node, str] = {}
        modules = dict(_ImageOnly(model).named_modules())

        def name(value: Any) -> Any:
            if isinstance(value, fx.Node):
                return names[value]
            if isinstance(value, list | tuple):
                return [name(v) for v in value]
            return self.constant(np.float32(value))

        for node in _Tracer().trace(_ImageOnly(model)).nodes:
            if node.op == "placeholder":
                names[node] = image
            elif node.op == "call_module":
                names[node] = self.module(modules[str(node.target)], name(node.args[0]), model.config)
            elif node.op == "call_function":
                names[node] = self.function(node.target, [name(a) for a in node.args])
            elif node.op == "output":
                return str(name(node.args[0]))
        raise AssertionError("a graph has an output")

    def function(self, target: Any, args: list[Any]) -> str:
        """Arithmetic and joining of tensors."""
        kind = str(getattr(target, "__name__", target))
        if kind == "cat":
            return self.add("Concat", args[0], axis=1)
        if kind == "stack":
            one = self.constant(np.array([1]))
            return self.add("Concat", [self.add("Unsqueeze", [x, one]) for x in args[0]], axis=1)
        return self.add({"add": "Add", "sub": "Sub", "mul": "Mul", "truediv": "Div"}[kind], args)

    def module(self, module: nn.Module, x: str, config: CpmConfig) -> str:
        """One layer."""
        if isinstance(module, nn.Conv2d):
            return self.convolution(module, x)
        if isinstance(module, Beliefs):
            return self.beliefs(module, x, [0, 0], config.cells)
        if isinstance(module, Middle):
            first = [self.constant(np.array([v])) for v in (0, 1, 1)]
            one = self.add("Mul", [self.add("Slice", [x, *first]), self.constant(np.float32(0))])
            return self.add("Add", [one, self.weight(module.map)])  # type: ignore[arg-type]
        return self._simple[type(module)](self, module, x)

    def convolution(self, conv: nn.Conv2d, x: str) -> str:
        """A convolution with its weights in fp16."""
        pads = [int(p) for p in conv.padding] * 2
        inputs = [x, self.weight(conv.weight)] + ([self.weight(conv.bias)] if conv.bias is not None else [])
        return self.add("Conv", inputs, kernel_shape=list(conv.kernel_size), strides=list(conv.stride), pads=pads,
                        group=conv.groups)

    def weight(self, value: Tensor) -> str:
        """Stored as fp16 where it saves something."""
        array = value.detach().cpu().numpy()
        if array.size < _SMALLEST_HALVED:
            return self.constant(array)
        return self.add("Cast", [self.constant(array.astype(np.float16))], to=TensorProto.FLOAT)

    def beliefs(self, module: Beliefs, x: str, leading: list[int], cells: int) -> str:
        """Belief maps of (…, maps, cells, cells); `leading`: a 0 for each axis before the cells."""
        if module.kind == "linear":
            return x
        ends = {n: self.constant(np.array([v])) for n, v in (("first", 0), ("last", -1), ("axis", -3), ("end", 2**31))}
        joints = self.add("Slice", [x, ends["first"], ends["last"], ends["axis"]])
        flat = self.add("Reshape", [joints, self.constant(np.array([*leading, -1]))])
        shares = self.add("Mul", [self.add("Softmax", [flat], axis=-1), self.constant(np.float32(module.whole))])
        maps = self.add("Reshape", [shares, self.constant(np.array([*leading, cells, cells]))])
        rest = self.add("Sigmoid", [self.add("Slice", [x, ends["last"], ends["end"], ends["axis"]])])
        return self.add("Concat", [maps, rest], axis=-3)

    def _batch_norm(self, norm: nn.BatchNorm2d, x: str) -> str:
        values = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        inputs = [self.constant(v.detach().numpy()) for v in values]  # type: ignore[union-attr]
        return self.add("BatchNormalization", [x, *inputs], epsilon=norm.eps)

    def _relu6(self, module: nn.Module, x: str) -> str:
        return self.add("Clip", [x, self.constant(np.float32(0)), self.constant(np.float32(6))])

    def _pad(self, pad: nn.ZeroPad2d, x: str) -> str:
        left, right, top, bottom = pad.padding
        return self.add("Pad", [x, self.constant(np.array([0, 0, top, left, 0, 0, bottom, right]))])

    def _twice(self, module: nn.Module, x: str) -> str:
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.add("Resize", [x, "", scales], mode="linear", coordinate_transformation_mode="half_pixel")

    def _pool(self, pool: nn.MaxPool2d, x: str) -> str:
        return self.add("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])

    def _relu(self, module: nn.Module, x: str) -> str:
        return self.add("Relu", [x])

    _simple: dict[type, Callable[[Any, Any, str], str]] = {  # noqa: RUF012
        nn.BatchNorm2d: _batch_norm, nn.ReLU6: _relu6, nn.ZeroPad2d: _pad, nn.Upsample: _twice, nn.MaxPool2d: _pool,
        nn.ReLU: _relu,
    }
