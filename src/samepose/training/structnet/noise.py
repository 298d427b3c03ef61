"""Noise along the principal colours (Krizhevsky 2012, section 4.1, which Li 2015, section 5.1 takes)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

SPREAD = 0.1  # standard deviation of the factors (Krizhevsky 2012)


@dataclass(frozen=True, eq=False)
class ColourNoise:
    """Random multiples of the principal components of RGB are added to all pixels of an image alike.

    Attributes:
        components: eigenvectors of the covariance, in columns, times the roots of their eigenvalues. Krizhevsky 2012
            says the eigenvalues themselves, which belong to values of 0..1; of 0..255 they would be thousands.
    """

    components: Float[np.ndarray, "3 3"]

    @classmethod
    def of(cls, images: Sequence[UInt8[np.ndarray, "height width 3"]]) -> ColourNoise:
        """The covariance of all pixels of some images."""
        pixels = np.concatenate([image.reshape(-1, 3) for image in images]).astype(np.float64)
        values, vectors = np.linalg.eigh(np.cov(pixels.T))
        return cls((vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32))

    def __call__(
        self, images: Float[np.ndarray, "n height width 3"], rng: np.random.Generator
    ) -> Float[np.ndarray, "n height width 3"]:
        """The images, their values no more bound to 0..255."""
        factors = rng.normal(0, SPREAD, (len(images), 3)).astype(np.float32)
        return images + (factors @ self.components.T)[:, None, None]
