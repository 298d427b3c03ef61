"""What an index tells about itself and about one person in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samepose.index.schema import Medium, embeddings_of, poses_of, shown_id
from samepose.poses import Poses
from samepose.skeleton import SKELETONS

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.matching.embeddings import Embeddings


@dataclass(frozen=True)
class Info:
    """What `Index.info` tells.

    Attributes:
        status, kind: media counted by status ("done", "nobody", "failed") and by kind.
        searchable: people with enough joints to be found.
        model, model_sha256: of the embeddings.
        bytes: on disk; None for a remote index.
        labels: people counted by label.
    """

    uri: str
    root: str
    format: str
    model: str
    model_sha256: str
    media: int
    status: dict[str, int]
    kind: dict[str, int]
    people: int
    searchable: int
    labels: dict[str, int]
    bytes: int | None


@dataclass(frozen=True, eq=False)
class Person:
    """One row of the people table, with its medium's path.

    Attributes:
        id: as `Hit.id`.
        time: seconds, None in an image.
        person: track in a video, rank of prominence in an image.
        embedding: None when too few joints are seen to search by.
    """

    id: str
    path: str
    time: float | None
    frame: int
    person: int
    label: str | None
    pose: Poses
    embedding: Embeddings | None


def person_of(medium: Medium, rows: pa.Table) -> Person:
    """The single people row of a table as a Person."""
    pose = poses_of(rows, SKELETONS[medium.skeleton or "COCO17"])
    time_ = rows["time"][0].as_py()
    return Person(shown_id(rows["id"][0].as_py()), medium.path, time_, int(pose.frames[0]), int(pose.tracks[0]),
                  rows["label"][0].as_py(), pose, embeddings_of(rows) if rows["embedding"][0].is_valid else None)
