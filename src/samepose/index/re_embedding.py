"""Another model for an index: every embedding computed anew from the stored keypoints."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from samepose.index.batch import embedded
from samepose.index.schema import batch_of, people_schema, poses_of
from samepose.index.spaces import KEYPOINTS, Space
from samepose.progress import Progress
from samepose.skeleton import SKELETONS

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.embed import Embedder
    from samepose.index.store import Store

_ROWS = 8192  # in memory at a time


def re_embed(store: Store, embedder: Embedder, progress: Progress) -> int:
    """See `Index.re_embed`; the other spaces stay.

    The new rows stream into a new version of the people table, which carries the model's name too: killed before its
    one commit, the index is still whole and of the old model.
    """
    with store.writing():
        new = Space.of(KEYPOINTS, embedder)
        spaces = [new if space.name == KEYPOINTS else space for space in store.spaces]
        schema = people_schema(spaces, store.root.as_posix())
        total = store.count()
        store.rewrite_people(schema, lambda: _rows(store, embedder, new, schema, total, progress))
    return total


def _rows(
    store: Store, embedder: Embedder, space: Space, schema: pa.Schema, total: int, progress: Progress
) -> Iterator[pa.RecordBatch]:
    skeletons = {m.id: m.skeleton for m in store.all_media()}
    done = 0
    for rows in store.batches(_ROWS):
        at = 0
        for name, same in groupby(skeletons[m] for m in rows["media"].to_pylist()):
            n = len(list(same))
            part = rows.slice(at, n)
            poses = poses_of(part, SKELETONS[name or "COCO17"])
            kept = {column: part[column] for column in part.schema.names}
            yield batch_of({**kept, **embedded(poses, embedder, space)}, n, schema)
            at, done = at + n, done + n
            progress(done, total, store.uri)
    assert done == total, (done, total)
