"""The same people a moment before and after: rows of their tracks, found by their numbers in the medium.

People of a medium are numbered in the order in which they were seen, so whoever is near in time is near in number. How
near depends on frames a second and people in view: first a few rows around each person are read, then, of those whose
window does not reach far enough in time, as many as these say it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int

from samepose.index.schema import medium_of

if TYPE_CHECKING:
    from samepose.index.store import Store

_COLUMNS = ("id", "track", "time")
_WINDOW = 4  # rows before and after: enough for one person at ten frames a second
_WIDEST = 512
_ROUNDS = 4


class Neighbours(NamedTuple):
    """Rows of a table, and which of them is each person's at each offset in time.

    Attributes:
        rows: people, with the columns that were asked for.
        at: positions in `rows`, -1 where there is none.
    """

    rows: pa.Table
    at: Int[np.ndarray, "n offset"]


def neighbours(
    store: Store, id: Int[np.ndarray, " n"], track: Int[np.ndarray, " n"], time: Float[np.ndarray, " n"],
    offsets: Float[np.ndarray, " offset"], near: float, columns: Sequence[str], known: str | None = None,
) -> Neighbours:
    """Each person's sighting nearest to each offset from its time, in the same track.

    Args:
        time: seconds; NaN: a photo, which has no neighbours.
        offsets: seconds.
        near: seconds by which a sighting may be off.
        columns: to read besides those that tell who is who.
        known: a column that must not be null: rows without it do not count.
    """
    timed = np.flatnonzero(~np.isnan(time))
    at = np.full((len(id), len(offsets)), -1)
    rows = _windows(store, id[timed], time[timed], float(np.abs(offsets).max()) + near, [*_COLUMNS, *columns])
    if known is not None and rows[known].null_count:
        rows = rows.filter(rows[known].is_valid())
    if len(rows) and len(timed):
        at[timed] = _nearest(rows, track[timed], time[timed], offsets, near)
    return Neighbours(rows, at)


def _windows(
    store: Store, id: Int[np.ndarray, " n"], time: Float[np.ndarray, " n"], reach: float, columns: list[str]
) -> pa.Table:
    """Rows around people, so many that all within `reach` seconds of them are among these."""
    width = np.full(len(id), _WINDOW)
    parts, have = [], np.zeros(0, np.int64)
    for _ in range(_ROUNDS):
        window = np.concatenate([np.arange(i - w, i + w + 1) for i, w in zip(id.tolist(), width.tolist())] or [have])
        own = medium_of(window) == np.repeat(medium_of(id), 2 * width + 1)
        wanted = np.setdiff1d(window[own], have)
        parts.append(store.people_by_id(wanted.tolist(), columns))
        have = np.union1d(have, wanted)
        read = pa.concat_tables(parts) if len(parts) > 1 else parts[0]
        width = _wider(np.asarray(read["id"]), np.asarray(read["time"], np.float64), id, time, width, reach)
        id, time, width = id[width > 0], time[width > 0], width[width > 0]
        if not len(id):
            break
    return read


def _wider(
    read: Int[np.ndarray, " m"], times: Float[np.ndarray, " m"], id: Int[np.ndarray, " n"],
    time: Float[np.ndarray, " n"], width: Int[np.ndarray, " n"], reach: float,
) -> Int[np.ndarray, " n"]:
    """How many rows each window needs; 0 where it reaches far enough, or the medium begins and ends in it."""
    order = np.argsort(read)
    read, times = read[order], times[order]
    need = np.zeros(len(id), np.int64)
    for sign in (-1, 1):
        edge = np.searchsorted(read, id + sign * width)
        there = (edge < len(read)) & (read[np.minimum(edge, len(read) - 1)] == id + sign * width)
        covered = np.abs(np.where(there, times[np.minimum(edge, len(read) - 1)], np.inf) - time)
        short = ~(covered > reach)
        estimate = np.ceil(1.2 * width * reach / np.maximum(covered, reach / 8)).astype(np.int64)
        need = np.maximum(need, np.where(short, np.minimum(np.maximum(estimate, width + 1), _WIDEST), 0))
    return np.where(need > width, need, 0)


def _nearest(
    rows: pa.Table, track: Int[np.ndarray, " n"], time: Float[np.ndarray, " n"], offsets: Float[np.ndarray, " offset"],
    near: float,
) -> Int[np.ndarray, "n offset"]:
    """Which row of its track is nearest in time to each person's offsets; -1 where none is near."""
    tracks, times = np.asarray(rows["track"]), np.asarray(rows["time"], np.float64)
    order = np.lexsort((times, tracks))
    tracks, times = tracks[order], times[order]
    first, last = (np.searchsorted(tracks, track, side)[:, None] for side in ("left", "right"))
    wanted = time[:, None] + offsets
    span = float(max(times.max(), wanted.max()) - min(times.min(), wanted.min())) + 1  # tracks one after the other
    number = np.unique(tracks, return_inverse=True)[1]
    line = times + number * span
    mine = np.searchsorted(np.unique(tracks), track)[:, None] * span
    after = np.clip(np.searchsorted(line, wanted + mine), first, np.maximum(last - 1, first))
    before = np.maximum(after - 1, first)
    inside: Bool[np.ndarray, "n 1"] = first < last
    after, before = (np.minimum(x, len(times) - 1) for x in (after, before))
    best = np.where(np.abs(times[after] - wanted) < np.abs(times[before] - wanted), after, before)
    found: np.ndarray = inside & (np.abs(times[best] - wanted) <= near)
    return np.where(found, order[best], -1)
