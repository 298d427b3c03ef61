"""Search: the likeliest matches of a pose among the people of an index."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from jaxtyping import Int

from samepose.errors import StoreError
from samepose.index.copies import Copies
from samepose.index.filter import Excluded, Filter
from samepose.index.hits import Hit
from samepose.index.options import SearchOptions
from samepose.index.ranking import Found, Question, Route
from samepose.index.rows import MovedError, Rows
from samepose.index.schema import bodies_of, medium_of, poses_of, shown_id
from samepose.index.shortlist import best
from samepose.poses import Poses, mirrors
from samepose.skeleton import SKELETONS

if TYPE_CHECKING:
    from pathlib import Path

    from samepose.index.ignoring import Ignoring
    from samepose.index.moments import Moment
    from samepose.index.pairs import Pairs
    from samepose.index.store import Store

_ATTEMPTS = 5


def search(
    store: Store, routes: Sequence[Route], options: SearchOptions, excluded: Excluded | None = None,
    copies: Copies | None = None, ignoring: Ignoring | None = None, moment: Moment | None = None,
    pairs: Pairs | None = None,
) -> list[Hit]:
    """The likeliest matches of a pose, best first.

    Args:
        routes: ways to find people, each with the embeddings that `mirror` asks for: of the pose, of the mirrored
            pose, or of both in this order.
        excluded: a person to leave out with what would be folded into it: "more like this".
        copies: pictures to leave out.
        ignoring: joints that shall not matter; the query's embeddings are without them.
        moment: what the query does before and after; the first of the routes is then that of keypoints.
        pairs: what it looks like, for a second look at a shortlist; likewise.

    Raises:
        StoreError: the index cannot be read.
    """
    hidden = np.zeros(0, np.int64)
    for _ in range(_ATTEMPTS):
        filter = Filter.of(store, options)
        if filter.rows == 0:
            return []
        question = Question(routes, np.array(mirrors(options.mirror)), options.k, options.distinct, options.min_score,
                            excluded, hidden, copies, ignoring, moment, pairs)
        rows = Rows(store, routes[0].space.columns if pairs else ())
        try:
            return read_hits(store, best(store, question, filter, rows), rows)
        except _UnfinishedError:
            hidden = _unfinished_media(store)
        except MovedError:
            continue
    raise StoreError(f"{store.uri}: the index is being rewritten; search again in a moment")


class _UnfinishedError(Exception):
    """A person's medium has no row: its writer is at work, or was killed."""


def read_hits(store: Store, found: list[Found], reader: Rows) -> list[Hit]:
    """The full rows of what was found, in that order.

    Raises:
        MovedError: see `Rows`.
    """
    if not found:
        return []
    media = store.catalogue().find({medium_of(f.id) for f in found})
    if any(medium_of(f.id) not in media for f in found):
        raise _UnfinishedError
    rows = reader.read([f.id for f in found], [f.row for f in found])
    rows = rows.append_column("time", pa.array([f.time for f in found]))
    rows = rows.append_column("track", pa.array([f.track for f in found]))
    labels, boxes, start, hits = rows["label"].to_pylist(), rows["box"].to_pylist(), 0, []
    for skeleton, same in groupby(found, key=lambda f: media[medium_of(f.id)][1]):
        run = list(same)
        part = rows.slice(start, len(run))
        poses, bodies = poses_of(part, SKELETONS[skeleton]), bodies_of(part, SKELETONS[skeleton])
        for i, f in enumerate(run):
            body = None if bodies is None or np.isnan(bodies.points[i]).all() else bodies[i]
            hits.append(_hit(f, store.root, media[medium_of(f.id)][0], poses[i], boxes[start + i], labels[start + i],
                             body))
        start += len(run)
    return hits


def _hit(
    found: Found, root: Path, path: str, pose: Poses, box: list[float] | None, label: str | None, body: Poses | None
) -> Hit:
    timeless = np.isnan(found.time)
    return Hit(
        shown_id(found.id), found.score, path, None if timeless else found.time, None if timeless else found.span,
        int(pose.frames[0]), int(pose.tracks[0]), None if box is None else (box[0], box[1], box[2], box[3]),
        found.mirrored, label, pose, root, body, found.moment,
    )


def _unfinished_media(store: Store) -> Int[np.ndarray, " n"]:
    """Media that have people but no row."""
    from samepose.index.upkeep import people_per_medium

    known = store.catalogue().ids.tolist()
    return np.array(sorted(people_per_medium(store).keys() - known), np.int64)
