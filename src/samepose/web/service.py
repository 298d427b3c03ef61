"""What all routes share: the opened index with its networks, the threads that work, what was asked, and the jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import anyio
import anyio.to_thread
import numpy as np
from starlette.requests import Request

from samepose.errors import SameposeError, StoreError
from samepose.index import Index, Medium
from samepose.index.place import local_folder
from samepose.index.schema import parse_id
from samepose.matching.embeddings import Embeddings, Matching
from samepose.web.cache import Cache
from samepose.web.figures import standing
from samepose.web.jobs import Jobs
from samepose.web.problems import Refusal, missing
from samepose.web.security import Gate
from samepose.web.uploads import Queries
from samepose.weights import cores

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.embed import Embedder

T = TypeVar("T")
Work = Literal["search", "picture", "detect", "moves"]
_MOST_WAITING = {"search": 500, "picture": 500, "detect": 16, "moves": 16}
_CROPS = 64 << 20  # bytes


class Service:
    """One server's state. Cheap to make: nothing is opened before it is asked for."""

    def __init__(
        self, uri: str, gate: Gate, *, threads: int | None = None, detector: Detector | None = None,
        embedder: Embedder | None = None, copies: str | None = None, queries: Queries | None = None,
    ) -> None:
        self.uri, self.gate, self.threads, self.copies = uri, gate, threads, copies
        self._given, self._embedder = detector, embedder
        self._index: Index | None = None
        self._place: tuple[int, int] | None = None
        self._limits: dict[str, anyio.CapacityLimiter] = {}
        self._meet: bool | None = None
        self._deciding = asyncio.Lock()
        self._lock = Lock()
        self.fillable = self.gate.local and queries is None  # through the page
        self.queries, self.crops = queries or Queries(), Cache(_CROPS)
        self.jobs = Jobs(self._to_fill)
        self.map: tuple[tuple[int, int], Any] | None = None  # of the index in that state
        self.map_lock = Lock()
        self.groups: tuple[Any, Any] | None = None  # of what was asked, in a state of the index
        self.groups_lock = Lock()
        self._waiting = dict.fromkeys(_MOST_WAITING, 0)

    @cached_property
    def embedder(self) -> Embedder:
        """Loaded once, also for an index that is opened again."""
        if self._embedder is None:
            from samepose.embed.prvipe import PrVipeEmbedder

            self._embedder = PrVipeEmbedder.load(threads=self.threads)
        return self._embedder

    def index(self) -> Index:
        """The index; opened once, and again when another has come into its place.

        Raises:
            StoreError: there is none, or it cannot be read.
        """
        with self._lock:
            place = _identity(self.uri)
            if self._index is None or place != self._place:
                self._index, self._place = None, place
                self._index = Index.open(self.uri, detector=self._given, embedder=self.embedder,
                                         copies=self.copies, threads=self.threads)
            return self._index

    @property
    def detector(self) -> Detector:
        """The index's own, or the one that a new index would get."""
        try:
            return self.index().detector
        except StoreError:
            from samepose.detection import default_detector

            return self._given or default_detector()

    def warm(self) -> None:
        """Load what the first search will need; what is wrong is told when somebody asks."""
        with suppress(SameposeError):
            self.index().search(standing(), k=1)

    def medium(self, id: str) -> Medium:
        """A file of the index by id; `Refusal` where there is none, see `missing`."""
        parsed = parse_id(id)
        found = self.index().select(f"{parsed[0]:09x}") if parsed else []
        if not found:
            raise missing()
        return found[0]

    def _to_fill(self) -> Index:
        """The index to add to; made when there is none."""
        if not Index.exists(self.uri):
            Index.open(self.uri, create=True, embedder=self.embedder)
        return self.index()

    async def work(self, kind: Work, task: Callable[..., T], *arguments: Any) -> T:
        """Do something apart from the event loop: searches side by side, what is heavy one after the other of its kind.

        Raises:
            Refusal: too many are waiting.
        """
        if self._waiting[kind] >= _MOST_WAITING[kind]:
            raise Refusal(503, "busy", "too many are waiting", "ask again in a moment")
        self._waiting[kind] += 1
        try:
            if not self._limits:
                async with self._deciding:
                    if self._meet is None:
                        self._meet = await anyio.to_thread.run_sync(_kernels_may_meet)
                self._limits = self._limits or _limits(self._meet)
            return await anyio.to_thread.run_sync(task, *arguments, limiter=self._limits[kind])
        finally:
            self._waiting[kind] -= 1

    def close(self) -> None:
        """End the jobs and delete what was sent."""
        self.jobs.close()
        self.queries.close()


def service_of(request: Request) -> Service:
    """The service of the application that a request came to."""
    service: Service = request.app.state.service
    return service


def _limits(meet: bool) -> dict[str, anyio.CapacityLimiter]:
    """How many work at once; where compiled code must not meet, searches and moves take turns."""
    several = max(cores(), 2)
    searches = anyio.CapacityLimiter(several if meet else 1)
    moves = anyio.CapacityLimiter(1) if meet else searches
    return {"search": searches, "picture": anyio.CapacityLimiter(several), "detect": anyio.CapacityLimiter(1),
            "moves": moves}


def _identity(uri: str) -> tuple[int, int] | None:
    """Of a local index's table: another one when it was made anew in its place."""
    folder = local_folder(uri)
    try:
        status = None if folder is None else (folder / "media.lance").stat()
    except OSError:
        return None
    return None if status is None else (status.st_dev, status.st_ino)


_PAIRED = 256  # embeddings, of whose pairs compiled code takes care


def _kernels_may_meet() -> bool:
    """True when compiled code may run in several threads at once: of numba's thread pools "workqueue" ends the process
    when it is entered twice."""
    import numba

    points = Embeddings(np.zeros((_PAIRED, 1), np.float32), np.zeros((_PAIRED, 1), np.float32))
    Matching(1.0, 0.0).probability(points, points)  # which pool there is, is only known once it was started
    try:
        return str(numba.threading_layer()) in ("omp", "tbb")  # type: ignore[attr-defined]
    except ValueError:  # none was started
        return False
