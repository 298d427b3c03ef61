"""What the shipped Convolutional Pose Machine sees, for networks that go on from it. No torch."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from samepose.weights import Network, weight_file
from samepose.weights.inner import with_output

SIZE = 192  # side of the squares that it takes, pixels
JOINTS, CELLS, SHARED, COARSE = 14, 24, 128, 1280  # maps, and cells of a side of the finer ones
MIDDLE = 3 * JOINTS + JOINTS * (CELLS // 2) ** 2 + SHARED * (CELLS // 4) ** 2  # see `PoseMachineFeatures`
TOP = COARSE * 3 * 3
_SHARED, _COARSE = "t237", "t201"  # tensors of cpm-synthetic.onnx: the joined features, MoveNet's last layer
_TOGETHER = 8


class PoseMachineFeatures:
    """Belief maps and feature maps of `cpm-synthetic`, which no photograph for research only was trained on.

    Args:
        threads: that work on a few squares; None: as many as onnxruntime thinks best.
    """

    def __init__(self, threads: int | None = None) -> None:
        def tapped(file: bytes) -> bytes:
            return with_output(with_output(file, _SHARED), _COARSE)

        self._network = Network(weight_file("cpm-synthetic"), threads, tapped=tapped)

    @property
    def sha256(self) -> str:
        """Of the file of the weights."""
        return self._network.sha256

    def __call__(
        self, squares: UInt8[np.ndarray, "n 192 192 3"]
    ) -> tuple[Float[np.ndarray, "n middle"], Float[np.ndarray, "n top"]]:
        """Features of two levels, flat.

        Returns:
            middle: of the last stage's belief maps each joint's peak (x, y in -1..1 of the square, belief) and the
                maps, means of 2 x 2 cells; then the 128 maps that all stages share, means of 4 x 4 cells.
            top: MoveNet's last layer, 1,280 maps, means of 2 x 2 cells: 3 x 3 are left.
        """
        parts = [self._of(squares[a : a + _TOGETHER]) for a in range(0, len(squares), _TOGETHER)]
        middle, top = (np.concatenate(level) for level in zip(*parts)) if parts else (
            np.empty((0, MIDDLE), np.float32), np.empty((0, TOP), np.float32))
        return middle, top

    def _of(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        stages, shared, coarse = self._network.run(None, {"image": squares})
        n, beliefs = len(squares), stages[:, -1, :JOINTS]
        flat = beliefs.reshape(n, JOINTS, -1)
        at = flat.argmax(-1)
        peaks = np.stack([2 * (at % CELLS + 0.5) / CELLS - 1, 2 * (at // CELLS + 0.5) / CELLS - 1, flat.max(-1)], -1)
        middle = [peaks, _coarser(beliefs, 2), _coarser(shared, 4)]
        flat = np.concatenate([m.reshape(n, -1) for m in middle], 1, dtype=np.float32)
        return flat, _coarser(coarse, 2).reshape(n, -1)


def _coarser(maps: Float[np.ndarray, "n map h w"], by: int) -> Float[np.ndarray, "n map h2 w2"]:
    """Means of squares of cells."""
    n, count, height, width = maps.shape
    return np.asarray(maps.reshape(n, count, height // by, by, width // by, by).mean(axis=(3, 5)), np.float32)
