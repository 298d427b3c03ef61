"""What a page, or a program, does with the server, in the test's own process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

PLACE = "http://127.0.0.1:8765"


class Page:
    """What a page, or a program, does with the server."""

    def __init__(self, client: TestClient, folder: Path) -> None:
        self.client, self.folder = client, folder
        self.csrf: str = client.get("/api/session").json().get("csrf", "")

    def get(self, path: str, code: int = 200, **options: Any) -> Any:
        """The JSON of a route."""
        answer = self.client.get(path, **options)
        assert answer.status_code == code, answer.text[:500]
        return answer.json()

    def post(self, path: str, body: Any, code: int = 200) -> Any:
        """The JSON of a route that takes JSON."""
        answer = self.client.post(path, json=body, headers={"X-Samepose-CSRF": self.csrf})
        assert answer.status_code == code, answer.text[:500]
        return answer.json()

    def send(self, content: bytes, code: int = 200, kind: str = "image/png", **query: Any) -> Any:
        """The JSON of `/api/query` for a file that is sent."""
        answer = self.client.post("/api/query", content=content, headers={"Content-Type": kind}, params=query)
        assert answer.status_code == code, answer.text[:500]
        return answer.json()


Serve = Callable[..., Page]
