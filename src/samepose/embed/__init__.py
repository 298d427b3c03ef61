"""What a pose is turned into so that poses compare: the `Embedder` protocol, and Pr-VIPE."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool

from samepose.matching.embeddings import Embeddings, Matching
from samepose.poses import Poses

if TYPE_CHECKING:
    from samepose.embed.prvipe import PrVipeEmbedder


@runtime_checkable
class Embedder(Protocol):
    """Whatever turns 2D poses into Gaussian embeddings, and says when two of them match.

    Attributes:
        name: for people, e.g. "prvipe-1".
        sha256: hexadecimal; embeddings of equal hashes compare, others do not. An index remembers it.
        dimensions: of the embeddings.
        matching: the matching probability that belongs to them.
        joint_score: 0..1; a keypoint that scores less counts as missing.
        min_joints: a person with fewer joints of BODY13 cannot be embedded.
    """

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def matching(self) -> Matching: ...

    @property
    def joint_score(self) -> float: ...

    @property
    def min_joints(self) -> int: ...

    def searchable(self, poses: Poses) -> Bool[np.ndarray, " n"]:
        """Which of n poses show enough joints to be embedded."""
        ...

    def embed(self, poses: Poses) -> Embeddings:
        """Embeddings (n, `dimensions`) of n 2D poses in pixels, of any skeleton; those of poses that are not
        searchable mean nothing."""
        ...


@cache
def shipped() -> PrVipeEmbedder:
    """The embedder that comes with samepose, loaded when it is first asked for."""
    from samepose.embed.prvipe import PrVipeEmbedder

    return PrVipeEmbedder.load()
