"""An object store on this machine: moto's S3, behind a proxy that counts, waits, refuses and forgets conditions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest import MonkeyPatch

Refusal = tuple[int, str]  # status, S3's code


def error_xml(code: str) -> bytes:
    """As S3 says it."""
    return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'.encode()


@dataclass
class ObjectStore:
    """What the proxy does, and has seen.

    Attributes:
        url: of the store.
        requests: (method, path) of each.
        delay: seconds before each answer.
        refuse: of (method, path): what to answer instead; None: nothing.
        forget: headers that the store does not know.
    """

    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    delay: float = 0.0
    refuse: Callable[[str, str], Refusal | None] | None = None
    forget: tuple[str, ...] = ()

    def put(self, key: str, content: bytes | Path) -> str:
        """Store an object; its URI."""
        host = HTTPConnection(self.url.removeprefix("http://"))
        body = content.read_bytes() if isinstance(content, Path) else content
        host.request("PUT", f"/{key}", body, _SIGNED | {"Content-Type": "application/octet-stream"})
        answer = host.getresponse()
        assert answer.status == 200, answer.read()
        host.close()
        return f"s3://{key}"

    def delete(self, key: str) -> None:
        """Remove an object."""
        host = HTTPConnection(self.url.removeprefix("http://"))
        host.request("DELETE", f"/{key}", headers=_SIGNED)
        assert host.getresponse().status == 204
        host.close()

    def environment(self) -> dict[str, str]:
        """For whoever shall use it."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_ALLOW_HTTP": "true", "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}


_SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, "
                            "Signature=0"}


@contextmanager
def object_store(bucket: str = "bucket") -> Iterator[ObjectStore]:
    """One with an empty bucket."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    store = ObjectStore()
    proxy = _Server(("127.0.0.1", 0), _handler(store, *moto.get_host_and_port()))
    thread = threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    store.url = f"http://127.0.0.1:{proxy.server_port}"
    try:
        host = HTTPConnection(store.url.removeprefix("http://"))
        host.request("POST", "/moto-api/reset")
        host.getresponse().read()
        store.put(bucket, b"")
        yield store
    finally:
        proxy.shutdown()
        moto.stop()


@contextmanager
def store_in_use(monkeypatch: MonkeyPatch) -> Iterator[ObjectStore]:
    """One with an empty bucket, that the environment names."""
    from samepose.media import remote

    remote._store_of.cache_clear()  # which knows the address of the one before
    with object_store() as store:
        for name, value in store.environment().items():
            monkeypatch.setenv(name, value)
        yield store
    remote._store_of.cache_clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:  # clients go away
        return


def _handler(store: ObjectStore, host: str, port: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            self.behind = HTTPConnection(host, port)

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            store.requests.append((self.command, self.path))
            time.sleep(store.delay)
            refused = store.refuse(self.command, self.path) if store.refuse else None
            if refused:
                self.reply(refused[0], {"Content-Type": "application/xml"}, error_xml(refused[1]))
                return
            headers = {k: v for k, v in self.headers.items() if k.lower() not in (*store.forget, "expect")}
            self.behind.request(self.command, self.path, body, headers)
            found = self.behind.getresponse()
            content, kept = found.read(), {k: v for k, v in found.getheaders() if k.lower() not in _HOPS}
            if self.command == "HEAD" and found.getheader("Content-Length"):
                kept["Content-Length"] = found.getheader("Content-Length") or "0"
            self.reply(found.status, kept, content)

        def reply(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response_only(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer

        def log_message(self, *_: Any) -> None:
            return

    return Handler


_HOPS = ("content-length", "transfer-encoding", "connection", "keep-alive", "server")
