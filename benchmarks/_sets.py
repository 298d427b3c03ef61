"""Good files of data sets and networks, made here, and ways to spoil their contents by chance."""

from __future__ import annotations

import copy
import io
import json
import pickle
import random
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks._spoiled import VALUES, picture, points, spoiled_bytes
from scipy.io import savemat

from samepose.embed.image import SIZE, ImageModelInfo
from samepose.embed.prvipe import ModelInfo
from samepose.matching.embeddings import Matching
from samepose.skeleton import BODY13, LSP14, PENN13, SYNTH22

# ---------------------------------------------------------------- good contents


def lsp() -> dict[str, Any]:
    """LSP's `joints.mat`."""
    return {"joints": points(3, 14, 3)}


def flic() -> dict[str, Any]:
    """FLIC's `examples.mat`, two stills."""
    example = {"coords": points(2, 29), "torsobox": points(4), "filepath": "a.jpg", "istest": 1, "istrain": 0}
    return {"examples": cells(example, {**example, "istest": 0})}


def mpii() -> dict[str, Any]:
    """MPII's release, one image of two people and one of nobody known."""
    marks = cells(*({"x": float(x), "y": float(y), "id": i, "is_visible": i % 2} for i, (x, y) in
                    enumerate(points(16, 2))))
    person = {"annopoints": {"point": marks}, "objpos": {"x": 9.0, "y": 9.0}, "scale": 1.5,
              "x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0}
    images = cells({"image": {"name": "a.jpg"}, "annorect": cells(person, {**person, "scale": 2.0})},
                   {"image": {"name": "b.jpg"}, "annorect": np.zeros(0)})
    return {"RELEASE": {"annolist": images, "img_train": np.array([1, 0]),
                        "single_person": cells(np.array([1]), np.zeros(0))}}


def mpii_people() -> list[dict[str, Any]]:
    """MPII as the JSON that most code trains on."""
    return [{"image": "a.jpg", "joints": points(16, 2).tolist(), "joints_vis": [1] * 16, "center": [9.0, 9.0],
             "scale": 1.5}] * 2


def penn() -> dict[str, Any]:
    """A label of Penn Action, six frames."""
    n = len(PENN13)
    return {"action": "pullup", "pose": "back", "x": points(6, n), "y": points(6, n), "visibility": np.ones((6, n)),
            "train": 1, "bbox": np.tile([1.0, 2.0, 90.0, 99.0], (6, 1)), "nframes": 6, "dimensions": [[300, 300, 6]]}


def cameras_3dhp() -> dict[str, Any]:
    """A sequence of MPI-INF-3DHP, fourteen cameras, four frames."""
    flat, solid = ([points(4, 28 * dim) for _ in range(14)] for dim in (2, 3))
    return {"annot2": cells(*flat), "univ_annot3": cells(*solid), "cameras": np.arange(14), "frames": np.arange(4)}


def cells(*values: Any) -> np.ndarray:
    """MATLAB's cell array."""
    column = np.empty(len(values), object)
    column[:] = values
    return column


def positions_3d() -> dict[str, Any]:
    """Human3.6M's poses as VideoPose3D writes them."""
    return {"S1": {"Directions 1": points(5, 32, 3), "Photo": points(3, 32, 3)}, "S9": {"Eating": points(4, 32, 3)}}


def positions_2d() -> dict[str, Any]:
    """Keypoints of four cameras as VideoPose3D writes them."""
    return {"S1": {"Directions 1": [points(5, 17, 2), None, points(5, 17, 2), points(5, 17, 2)]}}


SYMMETRY = {"num_joints": 17, "keypoints_symmetry": [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]]}


def shard() -> dict[str, np.ndarray]:
    """Two rendered people."""
    jpeg, n, j = picture("JPEG"), 2, len(SYNTH22)
    return {"jpeg": np.frombuffer(jpeg * n, np.uint8), "start": np.arange(n + 1) * len(jpeg),
            "joints": np.array(SYNTH22.joints), "joints_2d": points(n, j, 2), "joints_3d": points(n, j, 3),
            "visible": np.ones((n, j), bool), "inside": np.ones((n, j), bool), "intrinsics": points(n, 3, 3),
            "turn": points(n, 3, 3), "shift": points(n, 3), "shape": points(n, 6), "instant": np.arange(n),
            "camera": np.arange(n), "clip": np.array(["a"] * n), "subject": np.array(["b"] * n)}


def labels() -> dict[str, Any]:
    """What `samepose info --export` writes of two media."""
    seen = [0.5, 1.0, 2.0, 30.0, 40.0]
    person = {"track": 0, "first": 0.0, "last": 1.0, "label": "kick", "seen": [seen, seen]}
    return {"format": "samepose-labels", "version": 1, "incomplete": None, "media": [
        {"path": path, "hash": f"{path}0", "label": "sport", "people": [person]} for path in ("a.mp4", "b.jpg")]}


@cache
def c3d() -> bytes:
    """Markers at the joints, four frames."""
    import ezc3d

    file: Any = ezc3d.c3d()
    file["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    file["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    file["parameters"]["POINT"]["LABELS"]["value"] = BODY13.joints
    data = np.ones((4, len(BODY13), 4))
    data[:3] = np.moveaxis(points(4, len(BODY13), 3), -1, 0).swapaxes(1, 2)
    file["data"]["points"] = data
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.c3d")
        file.write(str(path))
        return path.read_bytes()


@cache
def network(kind: str) -> bytes:
    """The smallest network that keeps the contract of its kind: "pose", "image" or "cpm"."""
    from onnx import TensorProto, helper, numpy_helper

    matching = Matching(1.0, 0.5)
    if kind == "pose":
        joints, takes, gives = 3 * len(BODY13), ("x", ["n", 3 * len(BODY13)]), ("mean", "var")
        facts = {"samepose": ModelInfo("m", matching, 0.25, 7).to_json()}
        nodes = [helper.make_node("MatMul", ["x", "w"], ["mean"]), helper.make_node("Exp", ["mean"], ["var"])]
        weights = {"w": np.ones((joints, 4), np.float32) / joints}
    else:
        size = SIZE if kind == "image" else 16
        takes, gives = ("image", ["n", size, size, 3]), ("embedding",) if kind == "image" else ("belief_maps",)
        facts = {"samepose_image": ImageModelInfo("i", matching).to_json()} if kind == "image" else {
            "samepose_model": "cpm", "name": "c", "joints": json.dumps(LSP14.joints), "stride": "4", "size": "16"}
        shape = [-1, 3] if kind == "image" else [-1, 1, len(LSP14) + 1, 4, 4]
        weights = {"s": np.array(shape), "w": np.ones((1, size, size, 1) if kind == "image" else (1,), np.float32)}
        if kind == "image":
            nodes = [helper.make_node("Mul", ["image", "w"], ["y"]),
                     helper.make_node("ReduceMean", ["y"], ["embedding"], axes=[1, 2], keepdims=0)]
        else:
            weights["m"] = np.ones((3 * 16 * 16, (len(LSP14) + 1) * 16), np.float32) / 1e6
            nodes = [helper.make_node("Flatten", ["image"], ["f"]), helper.make_node("MatMul", ["f", "m"], ["y"]),
                     helper.make_node("Reshape", ["y", "s"], ["belief_maps"])]
    graph = helper.make_graph(
        nodes, kind, [helper.make_tensor_value_info(takes[0], TensorProto.FLOAT, takes[1])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4] if kind == "pose" else None)
         for name in gives], [numpy_helper.from_array(value, name) for name, value in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, facts)
    return bytes(model.SerializeToString())


# ---------------------------------------------------------------- spoiling them

ARRAYS: tuple[Any, ...] = (
    np.zeros((0,)), np.zeros((0, 3)), np.array(np.nan), np.full((2, 2), np.inf), np.full(16, 1e300), np.array(-1),
    np.arange(3), np.array(2**62), np.array(["x", "y"]), np.ones((2, 2), bool), np.ones(3, np.complex128),
    np.array([True, "a", None], object),
)


def spoiled_tree(tree: Any, rng: random.Random) -> Any:
    """One to three values anywhere in dictionaries, lists and cells exchanged for others, or left out."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.randint(1, 3)):
        node = tree
        while _inside(node):
            key = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
            if not _inside(node[key]) or rng.random() < 0.2:
                if isinstance(node, dict) and rng.random() < 0.1:
                    del node[key]
                else:
                    node[key] = copy.deepcopy(_of_another_shape(node[key], rng) if rng.random() < 0.3 else
                                              rng.choice((*VALUES, *ARRAYS)))
                break
            node = node[key]
    return tree


def _inside(node: Any) -> bool:
    return (isinstance(node, (dict, list)) or (isinstance(node, np.ndarray) and node.dtype == object)) and len(node) > 0


def _of_another_shape(value: Any, rng: random.Random) -> Any:
    if not isinstance(value, np.ndarray) or not value.ndim:
        return rng.choice(ARRAYS)
    other = (value[:0], value[None], value[:1])
    return rng.choice(other if value.dtype.kind not in "fiu" else (
        *other, value.ravel(), value.astype(str), value * np.nan, np.sign(value) * 1e300))


def spoiled_matlab(variables: dict[str, Any], rng: random.Random) -> bytes:
    """Contents of a MATLAB file exchanged, or its bytes; compressed or not."""
    buffer = io.BytesIO()
    if rng.random() < 0.6:
        try:
            savemat(buffer, spoiled_tree(variables, rng), do_compression=rng.random() < 0.3)
            return _undated(buffer.getvalue())
        except Exception:  # SciPy cannot write everything
            buffer = io.BytesIO()
    savemat(buffer, variables)
    return spoiled_bytes(_undated(buffer.getvalue()), rng)


def _undated(file: bytes) -> bytes:
    """Without the time that SciPy writes in front: a seed shall always give the same file."""
    return b"MATLAB 5.0 MAT-file".ljust(116) + file[116:]


def spoiled_pickles(members: dict[str, Any], rng: random.Random) -> bytes:
    """Objects in an .npz: their contents exchanged, the pickle's bytes in a whole archive, or the archive's bytes."""
    how = rng.random()
    if how < 0.5:
        members = spoiled_tree(members, rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, value in members.items():
            member = io.BytesIO()
            np.lib.format.write_array_header_1_0(member, {"descr": "|O", "fortran_order": False, "shape": ()})
            pickled = pickle.dumps(np.array(value, object) if rng.random() < 0.1 else value, rng.choice((2, 4, 5)))
            archive.writestr(f"{name}.npy", member.getvalue() + (
                spoiled_bytes(pickled, rng) if 0.5 <= how < 0.85 else pickled))
    return buffer.getvalue() if how < 0.85 else spoiled_bytes(buffer.getvalue(), rng)


def spoiled_network(kind: str, rng: random.Random) -> bytes:
    """Bytes of a network changed, or its facts."""
    import onnx

    data = network(kind)
    if rng.random() < 0.5:
        return spoiled_bytes(data, rng)
    model = onnx.load_from_string(data)
    fact = rng.choice(model.metadata_props)
    text = str(fact.value)
    if text.startswith("{") and rng.random() < 0.7:
        fact.value = json.dumps(_plain(spoiled_tree(json.loads(text), rng)))
    else:
        fact.value = rng.choice(("", "[]", "null", "-1", "0", "1e9", "x", "[" * 3000, '["a", "b"]', "9" * 400, "nan"))
    return bytes(model.SerializeToString())


def _plain(value: Any) -> Any:
    """What JSON can hold of it."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value if isinstance(value, (int, float, type(None))) else repr(value)
