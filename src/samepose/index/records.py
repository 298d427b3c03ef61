"""What an index tells about itself and about one person in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool

from samepose.index.schema import Medium, bodies_of, poses_of, shown_id
from samepose.index.spaces import Space
from samepose.poses import Poses
from samepose.skeleton import SKELETONS

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.matching.embeddings import Embeddings


_MANY = 20  # media that may be removed without a question


class Removed(NamedTuple):
    """What `Index.remove` removed: people, and media with all of theirs."""

    people: int
    files: int

    def much(self, media: int) -> bool:
        """True for so many of an index's media that nobody should remove them without being asked: more than 20, or
        half of all; but never for a single one."""
        return self.files > 1 and (self.files > _MANY or 2 * self.files >= media)


class ReEmbedded(NamedTuple):
    """What `Index.re_embed` did.

    Attributes:
        people: in the index.
        lost: (path, why) of media that could not be read again for their pixels: by these, their people are not found.
    """

    people: int
    lost: list[tuple[str, str]]


class Optimised(NamedTuple):
    """What `Index.optimise` did.

    Attributes:
        people: in the index. files: that hold them, before and now. unindexed: of them, those whom a search has to pass
            one by one, before and now.
    """

    people: int
    files: tuple[int, int]
    unindexed: tuple[int, int]


@dataclass(frozen=True)
class Info:
    """What `Index.info` tells.

    Attributes:
        format: of the tables.
        spaces: what people can be found by.
        status, kind: media counted by status ("done", "nobody", "failed") and by kind.
        searchable: people with an embedding in one of the spaces at least.
        covered: in each space, by its name.
        bytes: on disk; None for a remote index.
        labels: people counted by label.
        research_only: media whose people were found by a network that is for research only, see `Detector`.
    """

    uri: str
    root: str
    format: str
    spaces: tuple[Space, ...]
    media: int
    status: dict[str, int]
    kind: dict[str, int]
    people: int
    searchable: int
    covered: dict[str, int]
    labels: dict[str, int]
    bytes: int | None
    research_only: int


@dataclass(frozen=True, eq=False)
class Person:
    """One row of the people table, with its medium's path.

    Attributes:
        id: as `Hit.id`.
        time: seconds, None in an image.
        person: track in a video, rank of prominence in an image.
        embedding: None when too few joints are seen to search by.
        body: the pose in 3D, where it is known: of motion capture.
    """

    id: str
    path: str
    time: float | None
    frame: int
    person: int
    label: str | None
    pose: Poses
    embedding: Embeddings | None
    body: Poses | None = None


class People(NamedTuple):
    """All n people of a medium, by time then track.

    Attributes:
        ids: as `Hit.id`.
        embeddings: of the m searchable ones, in the index's first space.
        searchable: which those are.
    """

    ids: list[str]
    poses: Poses
    embeddings: Embeddings
    searchable: Bool[np.ndarray, " n"]


def person_of(medium: Medium, rows: pa.Table, space: Space) -> Person:
    """The single people row of a table as a Person."""
    pose = poses_of(rows, SKELETONS[medium.skeleton or "COCO17"])
    embedding = space.embeddings(rows) if rows[space.rank][0].is_valid else None
    return Person(shown_id(rows["id"][0].as_py()), medium.path, rows["time"][0].as_py(), int(pose.frames[0]),
                  int(pose.tracks[0]), rows["label"][0].as_py(), pose, embedding, bodies_of(rows, pose.skeleton))


def people_of(medium: Medium, rows: pa.Table, space: Space) -> People:
    """The people rows of a medium, in order."""
    searchable = np.asarray(rows[space.rank].is_valid())
    return People([shown_id(i) for i in rows["id"].to_pylist()], poses_of(rows, SKELETONS[medium.skeleton or "COCO17"]),
                  space.embeddings(rows.filter(searchable)), searchable)
