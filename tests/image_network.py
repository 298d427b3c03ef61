"""Pictures of people who are patches of colour, a detector that finds them, and a network that embeds how they look."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samepose.embed.image import ImageEmbedder, ImageModelInfo
from samepose.matching.embeddings import Matching
from samepose.poses import Poses
from samepose.skeleton import COCO17

CELL, PARTS, DIMENSIONS = 40, 4, 48  # pixels of a person; patches of colour in a person; of the embeddings


def network(path: Path, name: str = "image-1", scale: float = 1.0) -> Path:
    """An ONNX file by the contract of `ImageEmbedder`: the colours of 4 x 4 patches, on the sphere."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Transpose", ["image"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["cells"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        helper.make_node("Sub", ["flat", "grey"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], ["scaled"]),
        helper.make_node("LpNormalization", ["scaled"], ["embedding"], axis=1, p=2),
    ]
    weights = np.geomspace(1, scale, DIMENSIONS)
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in (("grey", 117.3), ("scale", weights))]
    graph = helper.make_graph(
        nodes, "patches", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 128, 128, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", DIMENSIONS])], tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"samepose_image": ImageModelInfo(name, Matching(4.0, 2.0)).to_json()})
    assert json.loads(ImageModelInfo(name, Matching(4.0, 2.0)).to_json())["matching"] == asdict(Matching(4.0, 2.0))
    onnx.save(model, str(path))
    return path


def image_embedder(folder: Path, name: str = "image-1", scale: float = 1.0) -> ImageEmbedder:
    """The network, loaded."""
    return ImageEmbedder.load(network(folder / f"{name}.onnx", name, scale), threads=1)


def patches(seed: int, joints: bool = True) -> np.ndarray:
    """One person: 40 x 40 pixels of 4 x 4 colours; with a white corner where the joints are to be found."""
    colours = np.random.default_rng(seed).integers(60, 240, (PARTS, PARTS, 3))
    person = np.repeat(np.repeat(colours, CELL // PARTS, axis=0), CELL // PARTS, axis=1).astype(np.uint8)
    person[:4, :4] = 255 if joints else 0
    return person


def picture(*people: np.ndarray) -> np.ndarray:
    """People side by side in the middle of black."""
    image = np.zeros((2 * CELL, CELL * max(len(people), 1), 3), np.uint8)
    for n, person in enumerate(people):
        image[CELL // 2 : CELL // 2 + CELL, n * CELL : (n + 1) * CELL] = person
    return image


def photo(path: Path, *people: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(*people)).save(path)
    return path


def video(path: Path, *seeds: int, frames: int = 12) -> Path:
    """A clip of as many people, who change at every frame, 10 a second."""
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = CELL * len(seeds), 2 * CELL, "yuv420p", 8_000_000
        for n in range(frames):
            image = picture(*(patches(100 * seed + n) for seed in seeds))
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        out.mux(stream.encode())
    return path


class Patches:
    """Finds the people, their joints by their colours; without the white corner their boxes alone."""

    name = "patches-1"

    def detect(self, image: np.ndarray) -> Poses:
        row = image[CELL // 2 : CELL // 2 + CELL]
        starts = [x for x in range(0, image.shape[1], CELL) if row[10:30, x + 10 : x + 30].mean() > 40]
        points, boxes = np.full((len(starts), 17, 2), np.nan), np.zeros((len(starts), 4))
        for n, x in enumerate(starts):
            person = row[:, x : x + CELL]
            boxes[n] = x, CELL // 2, x + CELL, CELL // 2 + CELL
            if person[1:3, 1:3].mean() > 128:
                means = person.reshape(PARTS, 10, PARTS, 10, 3).mean(axis=(1, 3)).reshape(16, 3) / 255
                points[n] = np.vstack([means[:, :2], [[0.5, 0.5]]]) * CELL + (x, CELL // 2)
        return Poses.of(points, COCO17, scores=np.full((len(starts), 17), 0.9), boxes=boxes,
                        person_scores=np.linspace(0.9, 0.5, len(starts)))
