"""Features that were learned for something else, as a rival of image embeddings: the paper's "ImageNet features"."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from samepose.errors import FormatError
from samepose.evaluation.image_rivals import Batch, Rival, euclidean
from samepose.media.image import resize
from samepose.weights import Network, weight_file
from samepose.weights.inner import Node, nodes, with_output

_THUNDER_SIDE = 256
_THUNDER_LAST = ("StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1/model/out_relu/Relu6:0")
_USUAL_SIDE = 224  # pixels, of networks that take any size
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's RGB in 0..1, as most networks are trained
_POOLS = ("GlobalAveragePool", "AveragePool", "ReduceMean", "GlobalMaxPool")


def of_thunder(threads: int | None = None) -> Rival:
    """The 1,280 features of the backbone of MoveNet Thunder, averaged over the picture: "features"."""
    network = Network(weight_file("movenet-thunder"), threads, tapped=lambda file: with_output(file, _THUNDER_LAST))

    def features(crop: UInt8[np.ndarray, "size size 3"]) -> Float[np.ndarray, " dim"]:
        image = resize(crop, _THUNDER_SIDE, _THUNDER_SIDE)[None].astype(np.int32)
        return network.run([_THUNDER_LAST], {"input:0": image})[0][0].mean(axis=(1, 2))

    return Rival("features", lambda batch: np.stack([features(crop) for crop in batch.crops()]), euclidean)


def of_network(path: Path, threads: int | None = None) -> Rival:
    """What any ONNX network for images says before its last layer: "features:NAME", by the name of the file.

    That is what its last matrix multiplies, else its last pooled features, else its output, averaged over the picture.
    A network that takes floats gets RGB as ImageNet's networks are mostly trained, less mean and over spread; one that
    takes integers gets 0..255.

    Raises:
        FormatError: it cannot be read, or takes something else than one image of three channels.
    """
    classifier = _Classifier(path, threads)
    return Rival(f"features:{path.stem}", classifier.see, euclidean)


class _Classifier:
    def __init__(self, path: Path, threads: int | None) -> None:
        try:
            file = path.read_bytes()
            tensor = _penultimate(nodes(file))
            plain = Network(path, threads)
            outputs = [output.name for output in plain.session.get_outputs()]
        except (OSError, FormatError) as error:
            raise FormatError(f"{path}: cannot be read as an ONNX network; give one for images") from error
        self._path = path
        self._output = tensor or outputs[0]
        self._network = plain if self._output in outputs else Network(
            path, threads, tapped=lambda data: with_output(data, self._output))
        inputs = plain.session.get_inputs()
        shape = [size if isinstance(size, int) else 0 for size in inputs[0].shape]
        if len(inputs) != 1 or len(shape) != 4 or 3 not in (shape[1], shape[3]) or shape[0] > 1:
            raise FormatError(f"{path}: takes {', '.join(f'{i.name} {i.shape}' for i in inputs)}; expected one image, "
                              "(1, 3, height, width) or (1, height, width, 3)")
        self._input, self._whole = inputs[0].name, "int" in inputs[0].type
        self._planes = shape[1] == 3
        height, width = shape[2:] if self._planes else shape[1:3]
        self._size = (width or _USUAL_SIDE, height or _USUAL_SIDE)
        self._type = {"tensor(uint8)": np.uint8, "tensor(int32)": np.int32, "tensor(int64)": np.int64,
                      "tensor(float16)": np.float16}.get(inputs[0].type, np.float32)

    def see(self, batch: Batch) -> Float[np.ndarray, "n dim"]:
        return np.stack([self._features(crop) for crop in batch.crops()])

    def _features(self, crop: UInt8[np.ndarray, "size size 3"]) -> Float[np.ndarray, " dim"]:
        image = resize(crop, *self._size).astype(np.float32)
        if not self._whole:
            image = (image / 255 - np.array(_MEAN)) / np.array(_SPREAD)
        image = np.ascontiguousarray((image.transpose(2, 0, 1) if self._planes else image)[None], self._type)
        try:
            found = self._network.run([self._output], {self._input: image})[0].astype(np.float32)
        except Exception as error:  # onnxruntime's own exceptions share no public base
            raise FormatError(f"{self._path}: does not run on an image of {image.shape} ({str(error).splitlines()[0]})"
                              ) from error
        return found.mean(axis=(2, 3)).ravel() if found.ndim == 4 and self._planes else found.ravel()


def _penultimate(operations: list[Node]) -> str | None:
    """Name of the tensor that goes into the last layer."""
    for node in reversed(operations):
        if node.operator in ("Gemm", "MatMul"):
            return node.inputs[0]
    return next((node.outputs[0] for node in reversed(operations) if node.operator in _POOLS), None)
