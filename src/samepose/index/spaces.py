"""The spaces of an index: for each embedder its columns in the people table, and the way between these and Embeddings.

A vector ranks alone: the mean, and for Gaussians, as one more coordinate, the root of the summed variances. Its squared
distance to [query mean, 0] is E r², the expected squared distance of two draws, up to the query's own constant; so the
store's nearest are the likeliest matches but for the spread of r.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float32

from samepose.errors import UsageError

if TYPE_CHECKING:
    from samepose.embed import Embedder
    from samepose.embed.image import ImageEmbedder
    from samepose.matching.embeddings import Embeddings

KEYPOINTS = "keypoints"  # the name of the space of embeddings that are made from keypoints
PIXELS = "pixels"  # of those that are made from pixels
Embedding = Literal["keypoints", "pixels", "both"]


def spaces_meant(embedding: str) -> tuple[str, ...]:
    """The names of the spaces that an `Embedding` means, in the order in which an index has them.

    Raises:
        UsageError: it is none.
    """
    if embedding not in get_args(Embedding):
        raise UsageError(f"{embedding!r} is nothing to find people by; expected {', '.join(get_args(Embedding))}")
    return (KEYPOINTS, PIXELS) if embedding == "both" else (embedding,)


@dataclass(frozen=True)
class Space:
    """The vectors of one embedder in the people table.

    Attributes:
        name: letters, digits and underscores; part of the names of its columns.
        dimensions: of a mean.
        model, sha256: name and hash of the embedder: vectors of another one do not compare with these.
        gaussian: every vector has a variance; else it is a point.
    """

    name: str
    dimensions: int
    model: str
    sha256: str
    gaussian: bool = True

    @classmethod
    def of(cls, name: str, embedder: Embedder | ImageEmbedder) -> Space:
        """The space of an embedder's vectors; those of pixels are points."""
        return cls(name, embedder.dimensions, embedder.name, embedder.sha256, gaussian=name != PIXELS)

    @property
    def rank(self) -> str:
        """The column that the store ranks by; null for people who cannot be embedded."""
        return f"rank_{self.name}"

    @property
    def variance(self) -> str:
        """The column of variances, of Gaussians only."""
        return f"variance_{self.name}"

    @property
    def columns(self) -> list[str]:
        """Names of its columns."""
        return [self.rank, self.variance] if self.gaussian else [self.rank]

    @property
    def fields(self) -> list[pa.Field]:
        """Its columns."""
        sizes = (self.dimensions + self.gaussian, self.dimensions)
        return [pa.field(name, pa.list_(pa.float32(), size)) for name, size in zip(self.columns, sizes)]

    def vectors(self, embeddings: Embeddings, searchable: Bool[np.ndarray, " n"]) -> dict[str, pa.Array]:
        """The columns of n people, from the embeddings of the searchable ones in order."""
        rank = np.zeros((len(searchable), self.dimensions + self.gaussian), np.float32)
        variance = np.zeros((len(searchable), self.dimensions), np.float32)
        rank[searchable, : self.dimensions], variance[searchable] = embeddings.mean, embeddings.var
        if self.gaussian:
            rank[:, -1] = np.sqrt(variance.sum(axis=1))
        mask = pa.array(~searchable)
        return {
            field.name: pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), type=field.type, mask=mask)
            for field, values in zip(self.fields, (rank, variance))
        }

    def of_points(self, points: Float32[np.ndarray, "n dim"]) -> dict[str, pa.Array]:
        """The columns of n people from points, null for those that hold NaN."""
        from samepose.matching.embeddings import Embeddings

        known: np.ndarray = np.isfinite(points).all(axis=1)
        return self.vectors(Embeddings(points[known], np.zeros_like(points[known])), known)

    def embeddings(self, rows: pa.Table | pa.RecordBatch) -> Embeddings:
        """The embeddings of people rows that all have one; points come with variances of 0."""
        from samepose.matching.embeddings import Embeddings

        mean = flat(rows[self.rank]).reshape(len(rows), self.dimensions + self.gaussian)[:, : self.dimensions]
        if not self.gaussian:
            return Embeddings(mean, np.zeros_like(mean))
        return Embeddings(mean, flat(rows[self.variance]).reshape(len(rows), self.dimensions))

    def spread(self, rows: pa.Table) -> Float32[np.ndarray, " n"]:
        """The summed variances of people rows that all have an embedding, from the column that ranks."""
        if not self.gaussian:
            return np.zeros(len(rows), np.float32)
        return np.square(flat(rows[self.rank]).reshape(len(rows), -1)[:, -1])

    def targets(self, queries: Embeddings) -> Float32[np.ndarray, "query coordinate"]:
        """What the store is to find the nearest vectors of."""
        zero = np.zeros((len(queries), int(self.gaussian)), np.float32)
        return np.hstack([queries.mean, zero]).astype(np.float32)


def to_json(spaces: Sequence[Space]) -> str:
    """As kept in the people table's metadata."""
    return json.dumps([asdict(space) for space in spaces])


def from_json(text: str) -> tuple[Space, ...]:
    """The inverse of `to_json`."""
    return tuple(Space(**fields) for fields in json.loads(text))


def flat(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """The values of a list column without nulls, one after the other."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    values: np.ndarray = column.flatten().to_numpy(zero_copy_only=False)
    return values
