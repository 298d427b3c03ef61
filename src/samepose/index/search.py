"""Search: the likeliest matches of a pose among the people of an index."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from samepose.errors import StoreError, UsageError
from samepose.index.place import store_errors
from samepose.index.schema import medium_of, poses_of, shown_id
from samepose.index.shortlist import Excluded, Filter, Found, Ranking
from samepose.poses import Mirror, Poses
from samepose.skeleton import SKELETONS

if TYPE_CHECKING:
    from samepose.index.store import Index
    from samepose.matching.embeddings import Embeddings

_ATTEMPTS = 5


@dataclass(frozen=True, eq=False)
class Hit:
    """One person found.

    Attributes:
        id: names the person in `search` and `remove`.
        score: matching probability, 0..1.
        path: as stored, see `Index.file`.
        time: seconds, None in an image.
        span: (from, to) of the near-identical neighbours folded into this hit, seconds; None in an image.
        frame: number in the clip, 0 in an image.
        person: track in a video, rank of prominence in an image.
        box: x0, y0, x1, y1 in pixels, None where unknown.
        mirrored: the mirrored query matched better.
        pose: the person's keypoints, one pose.
    """

    id: str
    score: float
    path: str
    time: float | None
    span: tuple[float, float] | None
    frame: int
    person: int
    box: tuple[float, float, float, float] | None
    mirrored: bool
    label: str | None
    pose: Poses


def search(
    index: Index,
    query: Embeddings,
    *,
    k: int = 10,
    mirror: Mirror = "off",
    where: str | None = None,
    label: str | None = None,
    time_from: float | None = None,
    time_to: float | None = None,
    distinct: float | None = 0.5,
    min_score: float | None = None,
    exclude_id: str | None = None,
) -> list[Hit]:
    """The likeliest matches of a pose, best first.

    Args:
        index: opened with the embedder.
        query: one embedding; two with `mirror`: of the pose, and of the mirrored pose.
        k: hits wanted; fewer come when no more match.
        mirror: "also" takes the better of both for each person, "only" searches the mirrored pose.
        where: pattern of paths, see `Index.select_media`.
        label: only people of this label.
        time_from, time_to: seconds in the clip, inclusive; leaves out images.
        distinct: people of one track within so many seconds of a better hit are folded into it; None or 0: not.
        min_score: leave out what matches with a lower probability.
        exclude_id: a person to leave out with what would be folded into it: "more like this".

    Raises:
        UsageError: an argument is out of range.
        StoreError: the index cannot be read, or has no person `exclude_id`.
    """
    queries, mirrored = _queries(index, query, k, mirror)
    excluded = None if exclude_id is None else Excluded.of(index, exclude_id)
    hidden = np.zeros(0, np.int64)
    for _ in range(_ATTEMPTS):
        chosen = Filter.of(index, where, label, time_from, time_to)
        if chosen.rows == 0:
            return []
        found = Ranking(index, queries, mirrored, chosen, k, distinct or 0.0, min_score or 0.0, excluded,
                        hidden).best()
        try:
            return _hits(index, found)
        except _UnfinishedError:
            hidden = _unfinished_media(index)
        except _MovedError:
            continue
    raise StoreError(f"{index.uri}: the index is being rewritten; search again in a moment")


class _UnfinishedError(Exception):
    """A person's medium has no row: its writer is at work, or was killed."""


class _MovedError(Exception):
    """Rows changed their address between shortlist and reading: files were merged meanwhile."""


def _queries(index: Index, query: Embeddings, k: int, mirror: Mirror) -> tuple[Embeddings, np.ndarray]:
    if index.matching is None:
        raise UsageError("open the index with an embedder to search it")
    if k < 1:
        raise UsageError(f"k is {k}; expected 1 or more")
    if mirror not in ("off", "also", "only"):
        raise UsageError(f"mirror is {mirror!r}; expected off, also or only")
    if len(query) not in ((1, 2) if mirror == "off" else (2,)):
        raise UsageError(f"{len(query)} query embeddings; expected one, with `mirror` also that of the mirrored pose")
    chosen = {"off": slice(0, 1), "also": slice(0, 2), "only": slice(1, 2)}[mirror]
    return query[chosen], np.array([False, True])[chosen]


def _hits(index: Index, found: list[Found]) -> list[Hit]:
    """The full rows of what was found, in that order."""
    if not found:
        return []
    media = index.catalogue().find({medium_of(f.id) for f in found})
    if any(medium_of(f.id) not in media for f in found):
        raise _UnfinishedError
    with store_errors(index.uri):
        rows = (index.people.take_row_ids([f.row for f in found])
                .select(["id", "frame", "score", "box", "keypoints", "label"]).to_arrow())
    at = {id: i for i, id in enumerate(rows["id"].to_pylist())}
    if any(f.id not in at for f in found):
        raise _MovedError
    rows = rows.take([at[f.id] for f in found])
    rows = rows.append_column("time", pa.array([f.time for f in found]))
    rows = rows.append_column("track", pa.array([f.track for f in found]))
    labels, boxes, start, hits = rows["label"].to_pylist(), rows["box"].to_pylist(), 0, []
    for skeleton, same in groupby(found, key=lambda f: media[medium_of(f.id)][1]):
        run = list(same)
        poses = poses_of(rows.slice(start, len(run)), SKELETONS[skeleton])
        for i, f in enumerate(run):
            hits.append(_hit(f, media[medium_of(f.id)][0], poses[i], boxes[start + i], labels[start + i]))
        start += len(run)
    return hits


def _hit(found: Found, path: str, pose: Poses, box: list[float] | None, label: str | None) -> Hit:
    timeless = np.isnan(found.time)
    return Hit(
        shown_id(found.id), found.score, path, None if timeless else found.time, None if timeless else found.span,
        int(pose.frames[0]), int(pose.tracks[0]), None if box is None else (box[0], box[1], box[2], box[3]),
        found.mirrored, label, pose,
    )


def _unfinished_media(index: Index) -> Int[np.ndarray, " n"]:
    """Media that have people but no row."""
    from samepose.index.upkeep import people_per_medium

    known = index.catalogue().ids.tolist()
    return np.array(sorted(people_per_medium(index).keys() - known), np.int64)
