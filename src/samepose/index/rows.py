"""People's rows in full, each read once in a search: its second look and its hits want the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from samepose.index.schema import medium_of

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.index.store import Store

_COLUMNS = ["id", "frame", "score", "box", "keypoints", "label"]


class MovedError(Exception):
    """Rows changed their address between shortlist and reading: files were merged meanwhile."""


class Rows:
    """Reads people's rows, and keeps them. Made for one search.

    Args:
        more: columns besides those of a hit.
    """

    def __init__(self, store: Store, more: Sequence[str] = ()) -> None:
        self._store, self._columns = store, [*_COLUMNS, *more]
        self._kept: list[pa.Table] = []
        self._at: dict[int, int] = {}

    def read(self, ids: Sequence[int], addresses: Sequence[int]) -> pa.Table:
        """The rows of people in this order, whom a shortlist found at those addresses.

        Raises:
            MovedError: somebody else is there now.
        """
        import pyarrow as pa

        new = [address for id, address in zip(ids, addresses) if id not in self._at]
        if new:
            self._kept.append(self._store.rows(new, self._columns))
            for id in self._kept[-1]["id"].to_pylist():
                self._at[id] = len(self._at)
        if any(id not in self._at for id in ids):
            raise MovedError
        return pa.concat_tables(self._kept).take([self._at[id] for id in ids])


def by_skeleton(store: Store, ids: Int[np.ndarray, " n"]) -> Iterator[tuple[str, Int[np.ndarray, " m"]]]:
    """The skeletons that people have, each with the positions of those who have it; nobody of unfinished media."""
    media = medium_of(ids).tolist()
    known = {medium: skeleton for medium, (_, skeleton) in store.catalogue().find(set(media)).items()}
    skeletons = np.array([known.get(medium) or "" for medium in media])
    for name in sorted(set(skeletons.tolist()) - {""}):
        yield name, np.flatnonzero(skeletons == name)
