"""A network that believes a joint to be where its colour is: a Convolutional Pose Machine as seen from outside."""

from __future__ import annotations

import colorsys
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from samepose.poses import Poses
from samepose.skeleton import LSP14, Skeleton

GREY = 128


def colours(skeleton: Skeleton = LSP14) -> np.ndarray:
    """One of each joint, far from one another and from grey: (J, 3) uint8."""
    n = len(skeleton)
    rgb = [colorsys.hsv_to_rgb(k / n, 1.0, 1.0 if k % 2 else 0.6) for k in range(n)]
    return np.round(np.array(rgb) * 255).astype(np.uint8)


def blobs(points: np.ndarray, width: int, height: int, radius: float = 5.0, skeleton: Skeleton = LSP14) -> np.ndarray:
    """A grey picture with a disc of each joint's colour, for poses (N, J, 2) in pixels; NaN draws nothing."""
    picture = np.full((height, width, 3), GREY, np.uint8)
    y, x = np.mgrid[:height, :width]
    for pose in np.asarray(points, float).reshape(-1, len(skeleton), 2):
        for (px, py), colour in zip(pose, colours(skeleton)):
            if not np.isnan(px):
                picture[(x - px) ** 2 + (y - py) ** 2 <= radius**2] = colour
    return picture


def write_network(
    path: Path, *, size: int = 256, stride: int = 4, stages: int = 2, skeleton: Skeleton = LSP14, dtype: str = "UINT8"
) -> Path:
    """An ONNX file by the contract of `detection.cpm`; belief falls with the distance from the joint's colour.

    Every stage but the last believes half as much. The background map is all zeros.
    """
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    target = colours(skeleton).astype(np.float32) / 255
    weight = np.concatenate([2 * target, -np.ones_like(target)], axis=1) / 0.08  # -(c - t)² without t²
    bias = 1 - (target**2).sum(axis=1) / 0.08
    weight, bias = np.vstack([weight, np.zeros((1, 6))]), np.append(bias, -1)
    factors = np.where(np.arange(stages) == stages - 1, 1, 0.5).reshape(1, stages, 1, 1, 1)
    constants = {
        "w": weight[:, :, None, None], "b": bias, "low": np.array(0), "high": np.array(1), "white": np.array(255),
        "factors": factors,
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["float", "white"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Mul", ["planes", "planes"], ["squares"]),
        helper.make_node("Concat", ["planes", "squares"], ["both"], axis=1),
        helper.make_node("Conv", ["both", "w", "b"], ["nearness"]),
        helper.make_node("Clip", ["nearness", "low", "high"], ["clipped"]),
        helper.make_node("AveragePool", ["clipped"], ["smooth"], kernel_shape=[9, 9], pads=[4] * 4),
        helper.make_node("AveragePool", ["smooth"], ["cells"], kernel_shape=[stride] * 2, strides=[stride] * 2),
        helper.make_node("Unsqueeze", ["cells", "axis"], ["one"]),
        helper.make_node("Mul", ["one", "factors"], ["belief_maps"]),
    ]
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in constants.items()]
    tensors.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
    graph = helper.make_graph(
        nodes, "blobs",
        [helper.make_tensor_value_info("image", getattr(TensorProto, dtype), ["n", size, size, 3])],
        [helper.make_tensor_value_info("belief_maps", TensorProto.FLOAT, None)], tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    facts = {"samepose_model": "cpm", "name": "blobs", "joints": json.dumps(skeleton.joints), "stride": str(stride),
             "size": str(size)}
    helper.set_model_props(model, facts)
    onnx.save(model, str(path))
    return path


def standing(x: float, y: float, height: float) -> Poses:
    """Somebody on LSP14 who faces the camera with arms apart, the middle of the body at (x, y)."""
    right = {"ankle": (-.1, .47), "knee": (-.1, .25), "hip": (-.08, .02), "wrist": (-.3, .0), "elbow": (-.24, -.13),
             "shoulder": (-.13, -.27)}
    at = {"neck": (0, -.33), "head_top": (0, -.48), **{f"right_{k}": v for k, v in right.items()},
          **{f"left_{k}": (-v[0], v[1]) for k, v in right.items()}}
    return Poses.of(np.array([at[joint] for joint in LSP14.joints]) * height + (x, y), LSP14)


def data_set(folder: Path, people: int = 4) -> np.ndarray:
    """An LSP-Extended of blobs, numbered as a withheld part would be."""
    images = folder / "images"
    images.mkdir(parents=True)
    points = np.stack([standing(60 + i, 62, 90).points[0] for i in range(people)])
    for i, pose in enumerate(points):
        Image.fromarray(blobs(pose, 130, 120, radius=4)).save(images / f"im{9001 + i:05d}.png")
    values = np.concatenate([points, np.ones((people, 14, 1))], axis=-1)
    savemat(folder / "joints.mat", {"joints": values.transpose(1, 2, 0)})
    return values
