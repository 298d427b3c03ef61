"""Who may ask, and how much: every request passes here before any route sees it.

Refused are other names than this server's (a foreign page may have its own name point here: DNS rebinding), other pages
by `Origin` and `Sec-Fetch-Site`, whoever has no token where one is needed, changes without the session's own token, and
what is too much. There are no cross-origin headers, so a preflight is refused like any other method.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from samepose.web.problems import Refusal, respond

LARGEST_BODY, LARGEST_UPLOAD = 1 << 20, 1 << 29  # bytes
_MOST_HEADERS, _LONGEST_HEADERS, _LONGEST_PATH = 100, 32_768, 8192
_HOST = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?")
_LOCAL = ("127.0.0.1", "localhost", "::1")
_ASKING = ("/api/query", "/api/search", "/api/export", "/api/find", "/api/count", "/api/align", "/api/login")
_UPLOADS = re.compile(r"(image|video)/[a-z0-9.+-]+|application/octet-stream")

_PAGE = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
         "connect-src 'self'; font-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
         "form-action 'none'; frame-ancestors 'none'")
_HEADERS = (
    (b"content-security-policy", _PAGE.encode()), (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"), (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"), (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)


@dataclass(frozen=True)
class Gate:
    """What this server answers to.

    Attributes:
        host: it is bound to.
        token: that others than this computer's need; None where none is.
        csrf: of this run, for changes. session: of this run, as the value of the cookie.
    """

    host: str = "127.0.0.1"
    token: str | None = None
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    session: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def local(self) -> bool:
        """Only this computer can reach it."""
        return is_local(self.host)

    def answers_to(self, host: str) -> bool:
        """True for a `Host` header that means this server.

        Bound to all addresses, it goes by every address: no name can be made to point at one without being the name.
        """
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match[1].strip("[]").rstrip(".").lower()
        if name in _LOCAL or name == self.host.lower():
            return True
        return not self.local and (_is_address(name) or name in _own_names())

    def admits(self, headers: Mapping[str, str]) -> bool:
        """True when no token is needed, or the right one comes with the request."""
        if self.token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        cookie = _cookie(headers.get("cookie", ""), self.cookie)
        return (scheme.lower() == "bearer" and same(given.strip(), self.token)) | same(cookie, self.session)

    @property
    def cookie(self) -> str:
        """Its name."""
        return "samepose"

    @property
    def set_cookie(self) -> str:
        """The header that makes a browser keep it."""
        return f"{self.cookie}={self.session}; Path=/; HttpOnly; SameSite=Strict"


class Guard:
    """The application with the gate before it."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app, self._gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sent(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": _with_ours(message.get("headers", []))}
            await send(message)

        try:
            most = self._checked(scope)
            await self._app(scope, _limited(receive, most), sent)
        except Exception as error:
            if started:  # half an answer is there: only closing the connection says that it is not whole
                raise
            await respond(error)(scope, receive, sent)

    def _checked(self, scope: Scope) -> int:
        """Bytes that its body may have."""
        gate, raw, path = self._gate, scope["headers"], scope["path"]
        if len(raw) > _MOST_HEADERS or sum(len(k) + len(v) for k, v in raw) > _LONGEST_HEADERS:
            raise Refusal(431, "large", "too many header lines")
        if len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) > _LONGEST_PATH:
            raise Refusal(414, "large", "the address is too long")
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in raw}
        hosts = [v.decode("latin-1") for k, v in raw if k.lower() == b"host"]
        if len(hosts) != 1 or not gate.answers_to(hosts[0]):
            raise Refusal(400, "refused", "this server does not go by that name", "use the address that it printed")
        if scope["method"] not in ("GET", "HEAD", "POST"):
            raise Refusal(405, "refused", "no route takes this method")
        _same_page(headers, hosts[0], path, scope["method"])
        if path.startswith("/api/") and path != "/api/login" and not gate.admits(headers):
            raise Refusal(401, "refused", "this server asks for its token", "give the token that the terminal shows")
        if scope["method"] != "POST":
            return 0
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        upload = path == "/api/query" and _UPLOADS.fullmatch(kind) is not None
        if kind != "application/json" and not upload:
            raise Refusal(415, "refused", "this content type is not taken", "send application/json")
        if path not in _ASKING and not same(headers.get("x-samepose-csrf", ""), gate.csrf):
            raise Refusal(403, "refused", "a change needs the session's own token", "load the page again")
        most = LARGEST_UPLOAD if upload else LARGEST_BODY
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit() and len(length) < 20):
            raise Refusal(400, "refused", "that is no content length")
        if int(length) > most:
            raise _too_large(most)
        return most


def checked_token(host: str, token: str | None) -> str | None:
    """The token of a server: the one given, for others than this computer a random one where none is.

    Raises:
        UsageError: it is easily guessed.
    """
    from samepose.errors import UsageError

    if token is None:
        return None if is_local(host) else secrets.token_urlsafe(24)
    if len(token) < 16 or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError("`token` takes 16 or more letters, digits and signs; leave it out to get a random one")
    return token


def is_local(host: str) -> bool:
    """True for the addresses that only this computer reaches."""
    return host.lower() == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def same(given: str, expected: str) -> bool:
    """Equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _same_page(headers: Mapping[str, str], host: str, path: str, method: str) -> None:
    """Raises `Refusal` when another page asks."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    foreign = origin is not None and origin not in (f"http://{host}", f"https://{host}")
    navigates = method == "GET" and not path.startswith("/api/")
    if foreign or (site not in ("same-origin", "none") and not navigates):
        raise Refusal(403, "refused", "another page must not ask here")


def _limited(receive: Receive, most: int) -> Receive:
    """What gives no more than so many bytes of a body, however long it goes on."""
    had = 0

    async def received() -> Message:
        nonlocal had
        message = await receive()
        had += len(message.get("body", b""))
        if had > most:
            raise _too_large(most)
        return message

    return received


def _too_large(most: int) -> Refusal:
    return Refusal(413, "large", f"more than {most >> 20} MiB are not taken", "send less, or a smaller file")


def _with_ours(headers: Any) -> list[tuple[bytes, bytes]]:
    have = {name.lower() for name, _ in headers}
    return [*headers, *(pair for pair in (*_HEADERS, (b"cache-control", b"no-store")) if pair[0] not in have)]


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {name, name.partition(".")[0], f"{name.partition('.')[0]}.local"}
