"""`samepose serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from samepose.cli.options import DEFAULTS, Flag, Options

if TYPE_CHECKING:
    from samepose.web.replicas import Served
    from samepose.web.server import Server


def serve(
    *,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8765,
    host: str = "127.0.0.1",
    token: str | None = None,
    copies: str | None = None,
    ray: str | None = None,
    replicas: Annotated[int, Parameter(validator=Number(gte=1))] = 2,
    open_: Annotated[Flag, Parameter("--open")] = False,
    options: Options = DEFAULTS,
) -> None:
    """Search an index in the browser, until it is stopped with Ctrl-C.

    Only this computer can reach it, unless --host says otherwise; then whoever asks needs the token. Nothing leaves the
    machine.

    Args:
        port: To listen at; 0 takes any that is free.
        host: Address to listen at: 0.0.0.0 for all of this computer's.
        token: What other computers must know, 16 characters or more; a random one by default.
        copies: Folder for a copy of an index at a URI, kept up to date and searched in its place: faster where the
            index is large. Only one server can use it at a time; of replicas each has its own in it.
        ray: Serve on a Ray cluster, by several replicas behind one address: the cluster's address, or auto for the one
            on this machine, which is started when there is none. Its nodes must see the index where it is. Needs the
            extra ray.
        replicas: How many servers there are on the cluster, each on a core.
        open_: Open the page in the browser.
    """
    from samepose.web.server import Server

    options.limit_threads()
    if copies is not None:
        options.note(f"{options.index}: the copy in {copies} is brought up to date")
    if ray is not None:
        _serve_replicas(host, port, token, ray, replicas, copies, open_, options)
        return
    server = Server.bind(options.index, host, port, token, copies=copies, threads=options.threads)
    _tell(server, options, "add folders on the page")
    server.run(options.warn, open_page=open_)


def _serve_replicas(
    host: str, port: int, token: str | None, ray: str, replicas: int, copies: str | None, open_: bool, options: Options
) -> None:
    import signal
    import webbrowser
    from contextlib import suppress
    from threading import Event

    from samepose.web.replicas import served

    with served(options.index, host, port, token, ray=ray, replicas=replicas, copies=copies,
                threads=options.threads) as replicated, suppress(KeyboardInterrupt):
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ray's own would end it and leave the replicas
        _tell(replicated, options, "make one with `samepose index`")
        if open_:
            webbrowser.open(replicated.url)
        Event().wait()


def _tell(server: Server | Served, options: Options, remedy: str) -> None:
    if not server.there:
        options.note(f"{options.index}: no index here yet; {remedy}")
    options.done({"url": server.url, "index": options.index, "token": server.gate.token},
                 f"{server.url}\nstop it with Ctrl-C")
