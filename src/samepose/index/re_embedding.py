"""Other models or other spaces for an index: embeddings of keypoints computed anew from these, of pixels from media."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from samepose.index.batch import embedded
from samepose.index.pixels import Again, look_again
from samepose.index.records import ReEmbedded
from samepose.index.schema import MOTION, batch_of, bodies_of, people_schema, poses_of
from samepose.index.spaces import KEYPOINTS, PIXELS, Space
from samepose.progress import Progress
from samepose.skeleton import SKELETONS

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.embed import Embedder
    from samepose.index.models import Models
    from samepose.index.store import Store

_ROWS = 8192  # in memory at a time


def re_embed(store: Store, models: Models, names: Sequence[str] | None, progress: Progress) -> ReEmbedded:
    """See `Index.re_embed`.

    The new rows stream into a new version of the people table, which carries the models' names too: killed before its
    one commit, the index is still whole and of the old models.

    Args:
        names: of the spaces that the index is to have; None for those that it has.
    """
    with store.writing():
        had = {space.name: space for space in store.spaces}
        spaces = [models.space(name) for name in names or had]
        total = store.count()
        done, work, again = 0, total, None

        def tell(people: int, what: str) -> None:
            nonlocal done
            done += people
            progress(done, work, what)

        if any(space.name == PIXELS for space in spaces):
            (pixels,) = (space for space in spaces if space.name == PIXELS)
            work += sum(medium.people for medium in store.all_media())
            again = look_again(store, models.pixels, pixels if had.get(PIXELS) == pixels else None, tell)
        columns = _Columns(spaces, had, models.keypoints if KEYPOINTS in (s.name for s in spaces) else None, again)
        schema = people_schema(spaces, store.root.as_posix())
        store.rewrite_people(schema, lambda: _rows(store, columns, schema, lambda n: tell(n, store.uri)))
    return ReEmbedded(total, again.lost if again else [])


class _Columns:
    """The columns of each space for rows that the index has."""

    def __init__(
        self, spaces: Sequence[Space], had: dict[str, Space], embedder: Embedder | None, again: Again | None
    ) -> None:
        self._spaces, self._had, self._embedder, self._again = spaces, had, embedder, again

    def of(self, rows: pa.RecordBatch, skeleton: str) -> dict[str, Any]:
        """Those that change."""
        found: dict[str, Any] = {}
        for space in self._spaces:
            if space.name == PIXELS:
                found |= self._pixels(space, rows)
            elif self._embedder is not None and self._had.get(space.name) != space:
                bodies = bodies_of(rows, SKELETONS[skeleton])
                found |= embedded(poses_of(rows, SKELETONS[skeleton]) if bodies is None else bodies, self._embedder,
                                  space)
        return found

    def _pixels(self, space: Space, rows: pa.RecordBatch) -> dict[str, Any]:
        assert self._again is not None
        points = np.full((len(rows), space.dimensions), np.nan, np.float32)
        if self._had.get(space.name) == space:
            known = np.asarray(rows[space.rank].is_valid())
            points[known] = space.embeddings(rows.filter(rows[space.rank].is_valid())).mean
        ids = np.asarray(rows["id"])
        at = np.minimum(np.searchsorted(self._again.ids, ids), max(len(self._again.ids) - 1, 0))
        new = self._again.ids[at] == ids if len(self._again.ids) else np.zeros(len(ids), bool)
        points[new] = self._again.points[at[new]]
        return space.of_points(points)


def _rows(store: Store, columns: _Columns, schema: pa.Schema, tell: Any) -> Iterator[pa.RecordBatch]:
    skeletons = {m.id: (m.skeleton, m.kind == MOTION) for m in store.all_media()}
    for rows in store.batches(_ROWS):
        at = 0
        for (name, _), same in groupby(skeletons[m] for m in rows["media"].to_pylist()):
            n = len(list(same))
            part = rows.slice(at, n)
            kept = {column: part[column] for column in part.schema.names}
            yield batch_of({**kept, **columns.of(part, name or "COCO17")}, n, schema)
            at += n
            tell(n)
