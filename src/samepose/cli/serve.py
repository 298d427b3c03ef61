"""`samepose serve`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from samepose.cli.options import DEFAULTS, Flag, Options


def serve(
    *,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 8765,
    host: str = "127.0.0.1",
    token: str | None = None,
    copies: str | None = None,
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
            index is large. Only one server can use it at a time.
        open_: Open the page in the browser.
    """
    from samepose.web.server import Server

    options.limit_threads()
    if copies is not None:
        options.note(f"{options.index}: the copy in {copies} is brought up to date")
    server = Server.bind(options.index, host, port, token, copies=copies, threads=options.threads)
    if not server.there:
        options.note(f"{options.index}: no index here yet; add folders on the page")
    options.done({"url": server.url, "index": options.index, "token": server.gate.token},
                 f"{server.url}\nstop it with Ctrl-C")
    server.run(options.warn, open_page=open_)
