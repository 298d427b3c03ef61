"""Whom a search leaves out: as a condition for the store, and as a test of rows that it returned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

from samepose.errors import StoreError
from samepose.index.schema import medium_of

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.index.options import SearchOptions
    from samepose.index.store import Store

# A filter is applied to a longer shortlist when a larger part than this passes, in the store otherwise; there without
# the vector index where few rows in few runs are left to read.
BROAD = 0.05
FEW_ROWS, FEW_MEDIA = 50_000, 1000


@dataclass(frozen=True, eq=False)
class Filter:
    """What people must fulfil.

    Attributes:
        sql: None when every person will do.
        media: sorted ids, None for all.
        times: first and last second.
        rows: people in `media`, None for all.
        part: their part of all people.
    """

    sql: str | None
    media: Int[np.ndarray, " n"] | None
    label: str | None
    times: tuple[float, float] | None
    rows: int | None
    part: float

    @classmethod
    def of(cls, store: Store, options: SearchOptions) -> Filter:
        """From the options of a search, for the index as it is now."""
        terms, media, rows, part, times = [], None, None, 1.0, None
        if options.where is not None or options.dates is not None:
            media, rows = store.catalogue().chosen(["*" if options.where is None else options.where], store.root,
                                                   options.dates)
            part = rows / max(store.count(), 1)
            terms.append(f"media IN ({', '.join(map(str, media.tolist()))})")
        if options.label is not None:
            quoted = options.label.replace("'", "''")
            terms.append(f"label = '{quoted}'")
        first, last = options.time_from, options.time_to
        if first is not None or last is not None:
            times = (-np.inf if first is None else float(first), np.inf if last is None else float(last))
            terms += [f"time >= {times[0]!r}"] * (first is not None)
            terms += [f"time <= {times[1]!r}"] * (last is not None)
        return cls(" AND ".join(terms) or None, media, options.label, times, rows, part)

    @property
    def narrow(self) -> bool:
        """True when so few people are known to pass that the store had better apply it."""
        return self.rows is not None and (self.rows <= FEW_ROWS or self.part < BROAD)

    @property
    def scan(self) -> bool:
        """True when reading all that pass is faster than asking the vector index."""
        return self.media is not None and (self.rows or 0) <= FEW_ROWS and len(self.media) <= FEW_MEDIA

    @property
    def columns(self) -> list[str]:
        """What `keep` needs besides `Question.COLUMNS`."""
        return [] if self.label is None else ["label"]

    def keep(self, rows: pa.Table) -> Bool[np.ndarray, " n"]:
        """Which of some rows pass."""
        keep = np.ones(len(rows), bool)
        if self.media is not None:
            keep &= np.isin(medium_of(np.asarray(rows["id"])), self.media)
        if self.times is not None:
            time = np.asarray(rows["time"], np.float64)
            keep &= (time >= self.times[0]) & (time <= self.times[1])
        if self.label is not None:
            keep &= np.array([v == self.label for v in rows["label"].to_pylist()], bool)
        return keep


@dataclass(frozen=True)
class Excluded:
    """A person to leave out, with its neighbours in the same track."""

    id: int
    track: int
    time: float

    @classmethod
    def of(cls, store: Store, id: int, shown: str) -> Excluded:
        """StoreError when there is no such person."""
        rows = store.person(id)
        if not len(rows):
            raise StoreError(f"{store.uri}: no person {shown}; it was removed or its file was indexed anew")
        time = rows["time"][0].as_py()
        return cls(id, rows["track"][0].as_py(), np.nan if time is None else time)
