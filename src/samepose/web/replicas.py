"""`serve --ray`: the same server several times over on a Ray cluster, behind the proxies of Ray Serve.

Each replica is a whole server with the index open and the networks loaded; Ray Serve asks each whether it is well,
replaces one that is not, and gives requests to the others meanwhile. A request that a replica dies over is answered by
an error, and goes through when it is sent again.

What was asked (`uploads`) is one replica's memory, and the next request may come to another. So one actor of the
cluster keeps it for all. Where that dies it begins anew, empty, as after a restart of the server: a page then sends the
pose again, without the picture. A file that was sent goes there too, and from there to whoever is asked about it, so
that all replicas give the same answer: also a video's other moments, and what is before and after one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import count
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from samepose.errors import SameposeError, StoreError, UsageError
from samepose.files import written
from samepose.index import Index
from samepose.index.copied import HeldError, refuse_local
from samepose.index.place import local_folder
from samepose.index.ray import connected
from samepose.web.app import create_app
from samepose.web.problems import Refusal, missing
from samepose.web.security import Gate
from samepose.web.server import address_of, bound, gate_of
from samepose.web.uploads import Kept, Queries

if TYPE_CHECKING:
    from fastapi import FastAPI

NAME = "samepose"  # of the application on the cluster
_ASKED, _WELL = 5.0, 30.0  # seconds between questions whether a replica is well; that it may take to answer
_KEEPER = 30.0  # seconds that the actor may take, also to hand over a large video
_ENDING = 5.0  # seconds for what is being answered when it is stopped
_TOGETHER = 200  # requests that a replica takes at once; what it works on at once it limits itself


@dataclass(frozen=True)
class Plan:
    """What a replica is made from.

    Attributes:
        uri: of the index.
        copies: folder of each node for copies of the index, of which each replica there has one.
    """

    uri: str
    gate: Gate
    threads: int
    copies: str | None


class Shared:
    """The actor that keeps what was asked."""

    def __init__(self) -> None:
        self._queries = Queries()

    def get(self, id: str) -> Kept | None:
        """One, or None when it is forgotten."""
        with suppress(Refusal):
            return self._queries.get(id)
        return None

    def keep(self, kept: Kept, content: bytes | None = None) -> bool:
        """Remember one; False, and it is not, where the content of its file is needed for that."""
        kept = _moved(kept, self._queries.folder)
        if kept.file is not None and content is not None:
            kept.file.write_bytes(content)
        if kept.file is not None and not kept.file.exists():
            return False
        self._queries.keep(kept)
        return True

    def content(self, id: str) -> bytes | None:
        """Of the file of one, or None when it is forgotten."""
        kept = self.get(id)
        return None if kept is None or kept.file is None else kept.file.read_bytes()


class SharedQueries(Queries):
    """What was asked of this replica, or of another one."""

    def __init__(self, shared: Any) -> None:
        super().__init__()
        self._shared = shared

    def get(self, id: str) -> Kept:
        """One, which is used now; `Refusal` when it is forgotten."""
        with suppress(Refusal):
            return super().get(id)
        kept: Kept | None = _asked(self._shared.get, id)
        if kept is None:
            raise missing()
        kept = _moved(kept, self.folder)
        if kept.file is not None and not kept.file.exists():
            content: bytes | None = _asked(self._shared.content, id)
            if content is None:
                raise missing()
            with written(kept.file) as part:
                part.write_bytes(content)
        return super().keep(kept)

    def keep(self, kept: Kept) -> Kept:
        """Remember one, for all."""
        if _asked(self._shared.keep, kept) is False and kept.file is not None:
            _asked(self._shared.keep, kept, kept.file.read_bytes())
        return super().keep(kept)


def _moved(kept: Kept, folder: Path) -> Kept:
    """The same on another machine: its file in a folder there, used now by the clock there."""
    return replace(kept, file=None if kept.file is None else folder / kept.file.name, used=monotonic())


def _asked(method: Any, *arguments: Any) -> Any:
    """The actor's answer; None where it is just being replaced."""
    import ray

    try:
        return ray.get(method.remote(*arguments), timeout=_KEEPER)
    except ray.exceptions.RayError:
        return None


class Replica:
    """One server, as Ray Serve's deployment."""

    def __init__(self, plan: Plan, shared: Any) -> None:
        self._plan, self._shared = plan, shared

    def __serve_build_asgi_app__(self) -> FastAPI:
        """The application, its index open; it is given requests only after that."""
        plan = self._plan
        for slot in count():
            copies = None if plan.copies is None else str(Path(plan.copies) / str(slot))
            app = create_app(plan.uri, plan.gate, threads=plan.threads, copies=copies,
                             queries=SharedQueries(self._shared))
            try:
                app.state.service.index()
            except HeldError:  # by another replica of this node
                continue
            except SameposeError:  # it is not the replica that is unwell; whoever asks is told
                pass
            app.state.service.warm()
            self._service = app.state.service
            return app
        raise AssertionError("unreachable")

    async def check_health(self) -> None:
        """Ask the index, behind what is being searched; unwell is who does not answer, or has made a mistake."""
        with suppress(SameposeError, Refusal):  # the store is away, there is no index yet, or there is much to do
            await self._service.work("search", lambda: self._service.index().state)


@dataclass(frozen=True, eq=False)
class Served:
    """Replicas that answer.

    Attributes:
        url: of the proxies, with the token if there is one.
        there: there is an index.
    """

    gate: Gate
    url: str
    there: bool


@contextmanager
def served(
    uri: str, host: str, port: int, token: str | None, *, ray: str, replicas: int, copies: str | None = None,
    threads: int | None = None,
) -> Iterator[Served]:
    """Servers on a cluster, for as long as the context is open.

    Args:
        ray: address of the cluster, or "auto": the one of this machine, which is started when there is none.
        replicas: how many; each takes a core.
        copies: see `Index.open`.
        threads: of each replica; one by default.

    Raises:
        UsageError: the token is easily guessed, there is no such address, or there are fewer cores than replicas.
        SameposeError: the port is in use; there is no such cluster; the replicas do not start.
    """
    if copies is not None:
        refuse_local(uri)
        copies = str(Path(copies).resolve())
    folder = local_folder(uri)
    uri = uri if folder is None else str(folder.resolve())  # nodes work elsewhere
    gate = gate_of(host, token)
    with bound(host, port) as taken:  # so that it is told before a cluster is started
        number = taken.getsockname()[1]
    with connected(ray) as library:
        try:
            serve: Any = import_module("ray.serve")
        except ImportError as error:
            raise StoreError("`ray` takes Ray Serve, of which something is not installed: pip install 'samepose[ray]'"
                             ) from error
        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        with suppress(ValueError):
            library.get_actor("SERVE_CONTROLLER_ACTOR", namespace="serve")
            raise StoreError(f"{ray}: Ray Serve runs there already, with addresses of its own; end it (in Python "
                             "`ray.serve.shutdown()`), or use another cluster")
        cores = int(library.cluster_resources().get("CPU", 0))
        if cores < replicas:
            raise UsageError(f"{replicas} replicas take a core each, and the cluster has {cores}: fewer `replicas`")
        shared = library.remote(num_cpus=0, max_restarts=-1)(Shared).remote()
        deployment = serve.deployment(
            serve.ingress()(Replica), name=NAME, num_replicas=replicas, ray_actor_options={"num_cpus": 1},
            max_ongoing_requests=_TOGETHER, health_check_period_s=_ASKED, health_check_timeout_s=_WELL,
            graceful_shutdown_timeout_s=_ENDING)
        try:
            try:
                serve.start(http_options={"host": host, "port": number})
                serve.run(deployment.bind(Plan(uri, gate, threads or 1, copies), shared), name=NAME)
            except RuntimeError as error:
                text = " ".join(str(error).split())[:200]
                raise StoreError(f"{ray}: the replicas do not start ({text}); look at Ray's logs there") from error
            yield Served(gate, address_of(gate, host, number), Index.exists(uri))
        finally:
            serve.shutdown()
            library.kill(shared)
