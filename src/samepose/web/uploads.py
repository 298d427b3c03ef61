"""What was asked: pictures and videos that were sent, and people of the index; each under a random name, for a while.

A file that is sent goes to a folder of this server's own, chunk by chunk, under a random name; it is deleted when its
query is forgotten, and with the server.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

import anyio
import numpy as np
from jaxtyping import UInt8

from samepose.poses import Poses
from samepose.web.problems import Refusal, missing

if TYPE_CHECKING:
    from samepose.index import Medium

_MOST, _SECONDS, _BYTES = 16, 1800.0, 1 << 30  # queries, since the last use, of all files
_PATIENCE = 600.0  # seconds for an upload
_RECEIVING = 4  # at once
Kind = Literal["image", "video", "person", "media", "figure"]


@dataclass(eq=False)
class Kept:
    """One thing that was asked.

    Attributes:
        source: its name, for people.
        people: everyone in the picture, in its pixels as shown, the most prominent first.
        ids: of the rows, where they are of the index.
        picture: as shown, JPEG; None where there is none.
        size: its width and height; without a picture, of the drawing board.
        file: that was sent.
        medium: of the index.
        person: the row of the index that was asked for.
        around: sightings before and after, by the place among `people` and the seconds (`web.around`).
    """

    kind: Kind
    source: str
    people: Poses
    ids: Sequence[str] = ()
    picture: bytes | None = None
    size: tuple[int, int] = (0, 0)
    time: float | None = None
    duration: float | None = None
    file: Path | None = None
    medium: Medium | None = None
    around: dict[tuple[int, float], Poses] = field(default_factory=dict)
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    used: float = field(default_factory=monotonic)

    @property
    def pixels(self) -> UInt8[np.ndarray, "height width 3"] | None:
        """Of the picture as shown."""
        import io

        from PIL import Image

        return None if self.picture is None else np.asarray(Image.open(io.BytesIO(self.picture)).convert("RGB"))


class Queries:
    """What was asked lately; for several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._lock = Lock()
        self._receiving = 0

    @cached_property
    def folder(self) -> Path:
        """Of the files that are sent; nobody else may read it."""
        return Path(tempfile.mkdtemp(prefix="samepose-"))

    def get(self, id: str) -> Kept:
        """One, which is used now; `Refusal` when it is forgotten."""
        with self._lock:
            self._sweep()
            if id not in self._kept:
                raise missing()
            self._kept.move_to_end(id)
            self._kept[id].used = monotonic()
            return self._kept[id]

    def keep(self, kept: Kept) -> Kept:
        """Remember one, and forget what is old or too much."""
        with self._lock:
            self._kept[kept.id] = kept
            self._sweep()
        return kept

    async def receive(self, chunks: AsyncIterator[bytes]) -> Path:
        """What is sent, in a file; its size is watched over where it comes in (`security`).

        Raises:
            Refusal: it takes too long, or too many are sending.
        """
        if self._receiving >= _RECEIVING:
            raise Refusal(503, "busy", "too many files are being sent", "send it again in a moment")
        self._receiving += 1
        file = self.folder / secrets.token_urlsafe(16)
        try:
            with anyio.fail_after(_PATIENCE), file.open("xb") as out:
                async for chunk in chunks:
                    out.write(chunk)
        except BaseException as error:
            file.unlink(missing_ok=True)
            if isinstance(error, TimeoutError):
                raise Refusal(408, "large", "sending it took too long", "send a smaller file") from error
            raise
        finally:
            self._receiving -= 1
        return file

    def close(self) -> None:
        """Forget all and delete the folder."""
        with self._lock:
            self._kept.clear()
            if "folder" in vars(self):
                shutil.rmtree(self.folder, ignore_errors=True)

    def _sweep(self) -> None:
        def size() -> int:
            return sum(_size(file) for file in {k.file for k in self._kept.values() if k.file})

        oldest = monotonic() - _SECONDS
        while self._kept:
            first = next(iter(self._kept.values()))
            if first.used > oldest and len(self._kept) <= _MOST and (len(self._kept) == 1 or size() <= _BYTES):
                return
            del self._kept[first.id]
            if first.file and not any(k.file == first.file for k in self._kept.values()):
                first.file.unlink(missing_ok=True)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def shown_name(name: str | None) -> str:
    """A name that came with a file, as it is shown: its last part, without what is no letter; never used as a path."""
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    return "".join(c for c in last if c.isprintable())[:120].strip() or "picture"


def scaled(poses: Poses, factor: float) -> Poses:
    """Poses in the pixels of a picture that was made smaller."""
    from dataclasses import replace

    if factor == 1:
        return poses
    changed: dict[str, Any] = {"points": poses.points * np.float32(factor), "boxes": poses.boxes * np.float32(factor)}
    return replace(poses, **changed)
