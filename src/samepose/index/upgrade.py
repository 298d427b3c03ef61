"""Indexes of format 1, which had one space: read as they are, and made format 2 by their next writer.

Format 1 called the columns of keypoint embeddings `embedding` and `variance`, always Gaussians of 16 dimensions, and
kept the model in the table's metadata. Opening and searching such an index changes nothing, so it works where writing
is not allowed; whoever next holds the writer's lock rewrites the people table in one commit before anything else.
Killed before it, the index is whole and of format 1, after it whole and of format 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from samepose.index.schema import batch_of, people_schema
from samepose.index.spaces import KEYPOINTS, Space

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.index.store import Store

FORMAT_1 = "1"
_ROWS = 8192  # in memory at a time


@dataclass(frozen=True)
class SpaceOfFormat1(Space):
    """The one space of format 1, under the names that its columns had."""

    @property
    def rank(self) -> str:
        """As `Space.rank`."""
        return "embedding"

    @property
    def variance(self) -> str:
        """As `Space.variance`."""
        return "variance"


def spaces_of_format_1(metadata: Mapping[str, str]) -> tuple[Space, ...]:
    """What format 1's metadata says of its space."""
    return (SpaceOfFormat1(KEYPOINTS, 16, metadata["model"], metadata["model_sha256"]),)


def upgrade(store: Store) -> None:
    """Bring the people table to this version's format, if it is not; only inside `Store.writing`."""
    if store.metadata["format"] != FORMAT_1:
        return
    (old,) = store.spaces
    new = Space(old.name, old.dimensions, old.model, old.sha256)
    schema = people_schema([new], store.root.as_posix())
    names = dict(zip(old.columns, new.columns))

    def renamed() -> Iterator[pa.RecordBatch]:
        for rows in store.batches(_ROWS):
            columns = {names.get(name, name): rows[name] for name in rows.schema.names}
            yield batch_of(columns, len(rows), schema)

    store.rewrite_people(schema, renamed)
