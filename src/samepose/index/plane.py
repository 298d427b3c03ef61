"""All people of an index in a plane, to look at: the two directions in which their mean embeddings differ most.

Principal component analysis (Pearson 1901) of the means, each person counting once. What tells poses
apart lies outside the plane for the most part (`explained` says how much lies in it): near points may be unlike, far
ones are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from samepose.index.schema import medium_of, number_of
from samepose.index.spaces import Space, flat

if TYPE_CHECKING:
    from samepose.index.store import Store

_ROWS = 8192


@dataclass(frozen=True, eq=False)
class Plane:
    """n people in a plane, in order of medium and number.

    Attributes:
        xy: in standard deviations of the embedding along both axes alike, the mean person at 0.
        media: ids of m media; `medium` says which of them each person is in, `number` which of its people they are.
        labels: that there are; `label` says which one each has: 0 is none, 1 the first.
        explained: shares of the variance of the means along the two axes.
        people: of the index who have an embedding, of whom these are chosen evenly.
    """

    xy: Float[np.ndarray, "n 2"]
    media: Int[np.ndarray, " m"]
    medium: Int[np.ndarray, " n"]
    number: Int[np.ndarray, " n"]
    labels: tuple[str, ...]
    label: Int[np.ndarray, " n"]
    explained: tuple[float, float]
    people: int


def plane(store: Store, space: Space, most: int) -> Plane:
    """The people who have an embedding in the space, at most so many of them."""
    columns = ["id", "label", space.rank]
    ids, means, labels = [np.zeros(0, np.int64)], [np.zeros((0, space.dimensions), np.float32)], list[str | None]()
    for batch in store.batches(_ROWS, columns):
        known = batch.filter(batch[space.rank].is_valid())
        ids.append(np.asarray(known["id"]))
        means.append(flat(known[space.rank]).reshape(len(known), -1)[:, : space.dimensions])
        labels += known["label"].to_pylist()
    id, mean = np.concatenate(ids), np.concatenate(means).astype(np.float64)
    xy, explained = principal(mean)
    order = np.argsort(id, kind="stable")
    order = order[np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int)]
    media, medium = np.unique(medium_of(id[order]), return_inverse=True)
    names = sorted({name for name in labels if name is not None})[:65_535]
    number = {name: k for k, name in enumerate(names, 1)}
    label = np.array([number.get(labels[k] or "", 0) for k in order], np.int64)
    return Plane(xy[order].astype(np.float32), media, medium.astype(np.int64), number_of(id[order]), tuple(names),
                 label, explained, len(id))


def principal(points: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, "n 2"], tuple[float, float]]:
    """The two first principal components, and their shares of the variance; each axis's largest weight is positive."""
    if len(points) < 2 or points.shape[1] < 2:
        return np.zeros((len(points), 2)), (0.0, 0.0)
    centred = points - points.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(points))
    axes = vectors[:, [-1, -2]]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])
    shares = values[[-1, -2]] / max(values.sum(), 1e-12)
    return centred @ axes, (float(shares[0]), float(shares[1]))
