"""The picture that a query was taken from, where it or an exact copy of it is in the index: it says nothing new."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.media.remote import located

if TYPE_CHECKING:
    from samepose.index.schema import Medium
    from samepose.index.store import Store
    from samepose.query.query import Query


@dataclass(frozen=True, eq=False)
class Copies:
    """Media with the contents of the query's, and the moment of the query.

    Attributes:
        media: ids.
        time: seconds; None in a photo.
    """

    media: Int[np.ndarray, " copy"]
    time: float | None

    @classmethod
    def of(cls, store: Store, query: Query) -> Copies:
        """Of the file that a query was taken from; of a row of the index, its copies but not its own file."""
        if query.image is None or not query.image.is_file():
            return cls(np.zeros(0, np.int64), None)
        file = query.image.resolve()
        same = store.media_of_size(file.stat().st_size)
        own = [m for m in same if located(m.path, store.root) == file] or _poses_at(store, file)
        others = [m for m in same if m not in own]
        if others:
            digest = _digest(file, own)
            others = [m for m in others if m.hash == digest]
        ids = {m.id for m in others} | ({m.id for m in own} if query.exclude_id is None else set())
        return cls(np.array(sorted(ids), np.int64), query.time)

    def show(
        self, media: Int[np.ndarray, " n"], times: Float[np.ndarray, " n"], within: float
    ) -> Bool[np.ndarray, " n"]:
        """Which people, by medium and time, are in the query's picture, or `within` seconds of it in its video."""
        inside: Any = np.isin(media, self.media)
        return inside if self.time is None else inside & ~(np.abs(times - self.time) > max(within, _FRAME))


_FRAME = 0.05  # seconds: the frame that is shown at a time, and the one that was looked at nearest to it


def _poses_at(store: Store, file: Path) -> list[Medium]:
    """Media of that path whose size is another's, such as poses that were given for it."""
    quoted = "".join(f"[{char}]" if char in "*?[" else char for char in str(file))
    ids = store.catalogue().chosen([quoted], store.root)[0].tolist()
    return [m for m in store.all_media(set(ids)) if located(m.path, store.root) == file] if ids else []


def _digest(file: Path, own: list[Medium]) -> str:
    """The file's hash; as the index has it where the file is as it was."""
    status = file.stat()
    known = [m.hash for m in own if m.mtime == status.st_mtime_ns and m.mode != "keypoints"]
    return known[0] if known else _hash(file, status.st_size, status.st_mtime_ns)


@lru_cache(64)
def _hash(file: Path, size: int, mtime: int) -> str:
    """Read once as long as it stays as it is: who drags joints searches again and again."""
    from samepose.index.plan import file_hash

    return file_hash(file)
