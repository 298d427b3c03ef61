"""What the index does for itself: remains of killed writers removed, small files merged, search indices built.

Thresholds, measured with 17-d vectors on two cores: a scan takes 4 ms per 100,000 rows, so an IVF_FLAT index of
√rows partitions pays from 100,000 people on; lookups by id or medium pay from 20,000 rows on. 64 small files slow a
query by a few milliseconds, so they are merged then. Every step is one commit of LanceDB: killed between or inside
them, the table is as before or after, and left-over files go with the next clean-up.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from samepose.index.builders import HERE, Builder, Scalar
from samepose.index.place import store_errors

if TYPE_CHECKING:
    from samepose.index.spaces import Space
    from samepose.index.store import Store

IVF_FROM_ROWS = 100_000
SCALAR_FROM_ROWS = 20_000
SMALL_FILES = 64
UNINDEXED_ROWS = 20_000
_KEEP_VERSIONS = timedelta(minutes=10)  # for searches that run meanwhile in other processes
_GROWTH = 4  # retrain the partitions when the table has grown by this factor
_LEFT_OUT = 0.1  # of the people, from which an index is built anew where many build it


def recover(store: Store) -> None:
    """Delete people whose medium has no row, and put right the counts of media that lost people."""
    counts = people_per_medium(store)
    media = store.all_media()
    store.drop_people_of(counts.keys() - {m.id for m in media})
    wrong = [m for m in media if m.people != counts.get(m.id, 0)]
    store.put_media([replace(m, people=counts.get(m.id, 0)) for m in wrong], key="id")


def people_per_medium(store: Store) -> dict[int, int]:
    """Rows of the people table per medium."""
    counts: dict[int, int] = {}
    for batch in store.batches(1 << 20, ["media"]):
        for medium, n in zip(*(a.tolist() for a in np.unique(np.asarray(batch["media"]), return_counts=True))):
            counts[medium] = counts.get(medium, 0) + n
    return counts


def maintain(store: Store, *, thoroughly: bool = False, builder: Builder = HERE) -> None:
    """Bring files and indices of both tables to where searching is fast; does nothing when they are, or nearly.

    Args:
        thoroughly: also what is only nearly there.
        builder: who does it. One elsewhere also builds anew an index that leaves many people out; here they are
            taken into it as it is.
    """
    people = store.people
    if thoroughly:
        builder.merge_files(store)
    rows = store.count()
    if rows >= SCALAR_FROM_ROWS:
        _scalar_indices(store, builder)
    if rows >= IVF_FROM_ROWS:
        for space in store.spaces:
            _vector_index(store, space, builder)
    if thoroughly or _crowded(people):
        optimise(store, people)
    if thoroughly or _crowded(store.media):
        optimise(store, store.media)


def files_and_unindexed(store: Store) -> tuple[int, int]:
    """Files that hold the people; people whom a vector index of each space leaves out, or all where there is none."""
    with store_errors(store.uri):
        files = store.people.stats()["fragment_stats"]["num_fragments"]
        ranks = {space.rank for space in store.spaces}
        indices = [i for i in store.people.list_indices() if set(i.columns) <= ranks]
        loose = max((i.num_unindexed_rows for i in indices), default=0)
    return files, loose if len(indices) >= len(ranks) else store.count()


def optimise(store: Store, table: Any) -> None:
    """Merge small files, take new rows into the indices, delete files of old versions."""
    # Files that no version names are a killed writer's; with the lock held nobody else can be writing them.
    alone = store.folder is not None
    store.commit(lambda: table.optimize(cleanup_older_than=_KEEP_VERSIONS, delete_unverified=alone))


def _crowded(table: Any) -> bool:
    stats = table.stats()["fragment_stats"]
    if stats["num_small_fragments"] >= SMALL_FILES:
        return True
    return any(i.num_unindexed_rows >= UNINDEXED_ROWS for i in table.list_indices())


def _scalar_indices(store: Store, builder: Builder) -> None:
    kinds: dict[str, Scalar] = {"id": "BTREE", "media": "BTREE", "time": "BTREE", "label": "BITMAP"}
    have = {column: index for index in store.people.list_indices() for column in index.columns}
    for column, kind in kinds.items():
        if column not in have or _outdated(store, have[column], builder):
            builder.scalar(store, column, kind)


def _vector_index(store: Store, space: Space, builder: Builder) -> None:
    """Train IVF_FLAT, and again after much growth; the name keeps the number of partitions it was trained for."""
    have = [index for index in store.people.list_indices() if index.columns == [space.rank]]
    rows = store.covered(space)
    if rows < IVF_FROM_ROWS or any(_fits(index, rows) and not _outdated(store, index, builder) for index in have):
        return
    partitions = math.isqrt(rows)
    name = f"{space.rank}_ivf_{partitions}"
    builder.vector(store, space.rank, partitions, name)
    for old in {index.name for index in have} - {name}:
        store.commit(partial(store.people.drop_index, old))


def _fits(index: Any, rows: int) -> bool:
    return int(index.name.rpartition("_")[2]) ** 2 * _GROWTH > rows


def _outdated(store: Store, index: Any, builder: Builder) -> bool:
    """Whether it leaves out so many that building it anew elsewhere is worth more than taking them in here."""
    return builder is not HERE and index.num_unindexed_rows > _LEFT_OUT * store.count()
