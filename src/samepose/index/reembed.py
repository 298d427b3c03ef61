"""Another model for an index: every embedding computed anew from the stored keypoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from samepose.index.batch import embedded
from samepose.index.schema import PEOPLE, poses_of
from samepose.index.store import people_schema
from samepose.index.upkeep import optimise
from samepose.skeleton import SKELETONS

if TYPE_CHECKING:
    from samepose.embed import Embedder
    from samepose.index.store import Index

_ROWS = 8192  # in memory at a time


def re_embed(index: Index, embedder: Embedder, progress: Callable[[int, int], None] | None = None) -> int:
    """Compute all embeddings with another model, and make it the index's model.

    The new rows stream into a new version of the people table, which carries the model's name too: killed before its
    one commit, the index is still whole and of the old model.

    Args:
        progress: called with people done and people in all.

    Returns:
        people embedded.

    Raises:
        StoreError: another writer, or a full disk; the index is as before.
    """
    with index.writing():
        total = index.people.count_rows()
        schema = people_schema(embedder, index.metadata["root"])
        rows = pa.RecordBatchReader.from_batches(schema, _rows(index, embedder, schema, total, progress))
        # "null" keeps people without an embedding; LanceDB would refuse them in a stream otherwise.
        index.commit(lambda: index.people.add(rows, mode="overwrite", on_bad_vectors="null"))
        optimise(index, index.people)  # frees the old rows' files
    index.matching = embedder.matching
    return int(total)


def _rows(
    index: Index, embedder: Embedder, schema: pa.Schema, total: int, progress: Callable[[int, int], None] | None
) -> Iterator[pa.RecordBatch]:
    skeletons = {m.id: m.skeleton for m in index.all_media()}
    vectors = [PEOPLE.names.index(n) for n in ("embedding", "variance")]
    done = 0
    for batch in index.people.search().select(PEOPLE.names).to_batches(_ROWS):
        names = [skeletons[m] for m in batch["media"].to_pylist()]
        at = 0
        for name, same in groupby(names):
            n = len(list(same))
            part = batch.slice(at, n)
            columns = list(part.columns)
            for i, column in zip(vectors, embedded(poses_of(part, SKELETONS[name or "COCO17"]), embedder)):
                columns[i] = column
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
            at, done = at + n, done + n
            if progress:
                progress(done, total)
    assert done == total, np.array([done, total])
