"""An index of pictures that need no weights, served in the test's own process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from index_fakes import FakeDetector, FakeEmbedder, opened, photo, video
from samepose.web.app import create_app
from samepose.web.security import Gate
from served_page import PLACE, Page, Serve
from web.browser import library_served, tab

__all__ = ["library_served", "tab"]  # fixtures of the page's tests


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of photos, one with nobody, a broken one, and two videos."""
    folder = tmp_path_factory.mktemp("library")
    for n in range(12):
        photo(folder / "photos" / f"{n:02d}.png", people=1 + n % 3, seed=n)
    photo(folder / "photos" / "nobody.png", people=0)
    (folder / "photos" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    video(folder / "a.mp4", people=2, frames=30, seed=20)
    video(folder / "b.mp4", people=1, frames=30, seed=21)
    opened(folder / "index").add(folder / "photos", folder / "a.mp4", folder / "b.mp4")
    return folder


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serves an index; by default to this computer."""
    clients = []

    def started(folder: Path, index: str = "index", gate: Gate | None = None, **options: Any) -> Page:
        app = create_app(str(folder / index), gate, detector=FakeDetector(), embedder=FakeEmbedder())
        client = TestClient(app, base_url=PLACE, **options)
        client.__enter__()
        clients.append(client)
        return Page(client, folder)

    yield started
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture(scope="module")
def page(library: Path) -> Iterator[Page]:
    """The page of the library, for tests that change nothing in it."""
    app = create_app(str(library / "index"), detector=FakeDetector(), embedder=FakeEmbedder())
    with TestClient(app, base_url=PLACE) as client:
        yield Page(client, library)
