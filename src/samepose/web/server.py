"""The application as a server: its socket, its limits, and what it says in the terminal."""

from __future__ import annotations

import errno
import logging
import socket
import sys
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI

from samepose.errors import SameposeError, UsageError
from samepose.index import Index
from samepose.index.copied import refuse_local
from samepose.web.app import create_app
from samepose.web.problems import log
from samepose.web.security import Gate, checked_token

_LONGEST_HEAD = 1 << 16  # bytes before the body
_GRACE = 2  # seconds for what is being answered when the server is stopped


@dataclass(frozen=True, eq=False)
class Server:
    """A server whose port is taken, so that nothing can come between; `run` answers.

    Attributes:
        url: to open, with the token if there is one.
        there: there is an index.
    """

    app: FastAPI
    gate: Gate
    url: str
    there: bool
    listening: socket.socket

    @classmethod
    def bind(cls, uri: str, host: str, port: int, token: str | None, *, copies: str | None = None,
             threads: int | None = None) -> Server:
        """Take the port, and bring the copy of a remote index up to date.

        Args:
            copies: see `Index.open`.

        Raises:
            UsageError: the token is easily guessed, or there is no such address; `copies` for an index on this disk.
            SameposeError: the port is in use, or not permitted; the index cannot be copied.
        """
        if copies is not None:
            refuse_local(uri)
        gate, taken = gate_of(host, token), bound(host, port)
        app, there = create_app(uri, gate, threads=threads, copies=copies, warm=True), Index.exists(uri)
        if copies is not None and there:
            app.state.service.index()
        return cls(app, gate, address_of(gate, host, taken.getsockname()[1]), there, taken)

    def run(self, say: Callable[[str], None], *, open_page: bool = False) -> None:
        """Answer until it is interrupted.

        Args:
            say: takes a line about each thing that went wrong.
        """
        handler = _Lines(say)
        for name in (log.name, "uvicorn.error"):
            logging.getLogger(name).addHandler(handler)
            logging.getLogger(name).propagate = False
        config = uvicorn.Config(
            self.app, log_config=None, log_level="warning", access_log=False, server_header=False, http="h11",
            ws="none", lifespan="on", h11_max_incomplete_event_size=_LONGEST_HEAD, timeout_graceful_shutdown=_GRACE)
        if open_page:
            webbrowser.open(self.url)
        with suppress(KeyboardInterrupt), self.listening:
            uvicorn.Server(config).run([self.listening])


class _Lines(logging.Handler):
    """One line for each record."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(record.getMessage())


def gate_of(host: str, token: str | None) -> Gate:
    """Who may ask a server; see `security.checked_token`."""
    return Gate(host, checked_token(host, token))


def address_of(gate: Gate, host: str, port: int) -> str:
    """The URL to open, with the token if there is one."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/" + ("" if gate.token is None else f"?token={quote(gate.token)}")


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens; 0 takes any port that is free.

    Raises:
        UsageError: there is no such address.
        SameposeError: the port is in use, or not permitted.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would let two servers share the port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise SameposeError(f"{host}:{port}: the port is in use; name another `port`") from error
        if isinstance(error, PermissionError):
            raise SameposeError(f"{host}:{port}: this port is not permitted; name a `port` from 1024 on") from error
        raise UsageError(f"{host}: is no address of this computer; use 127.0.0.1, or 0.0.0.0 for all") from error
    return listening
