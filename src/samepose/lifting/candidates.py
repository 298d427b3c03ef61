"""Poses that may be the answer, with their embeddings: the highest scores and their means (Li 2015, section 5.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from samepose.lifting._score_kernel import dot_halves


@dataclass(frozen=True, eq=False)
class Candidates:
    """Poses by their embeddings f_J.

    Attributes:
        poses: metres from the pelvis, camera axes.
        embeddings: float32, or float16: half the memory, and half the time for one image of a million.
    """

    poses: Float[np.ndarray, "c 17 3"]
    embeddings: Float[np.ndarray, "c dim"]

    def __len__(self) -> int:
        return len(self.poses)

    def best(
        self, images: Float[np.ndarray, "n dim"], count: int
    ) -> tuple[Int[np.ndarray, "n count"], Float[np.ndarray, "n count"]]:
        """Rows of the candidates of highest score (Equation 4) for each image, the best first, and their scores."""
        count = min(count, len(self))
        scores = self.scores(images)
        some = np.argpartition(-scores, count - 1, axis=1)[:, :count] if count < len(self) else np.tile(
            np.arange(len(self)), (len(images), 1))
        order = np.argsort(-np.take_along_axis(scores, some, 1), axis=1, kind="stable")
        rows = np.take_along_axis(some, order, 1)
        return rows, np.take_along_axis(scores, rows, 1)

    def scores(self, images: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "n c"]:
        """Equation 4 for every pair."""
        images = images.astype(np.float32, copy=False)
        if self.embeddings.dtype == np.float16:
            return np.stack([dot_halves(self.embeddings, image) for image in images]) if len(images) else np.zeros(
                (0, len(self)), np.float32)
        return images @ self.embeddings.T

    def averages(
        self, rows: Int[np.ndarray, "n count"], sizes: tuple[int, ...]
    ) -> Float[np.ndarray, "size n 17 3"]:
        """Avg(A): means of the A best poses, of `best`'s rows; for A beyond their number, of all of them."""
        sums = np.cumsum(self.poses[rows].astype(np.float64), axis=1)
        return np.stack([sums[:, min(a, rows.shape[1]) - 1] / min(a, rows.shape[1]) for a in sizes]).astype(np.float32)
