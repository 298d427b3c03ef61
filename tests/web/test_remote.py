"""The page of an index and of media in an object store, with a copy of the index on this disk and without."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from index_fakes import FakeDetector, FakeEmbedder, opened, photo, video
from samepose.index import turns
from samepose.web.app import create_app

pytest.importorskip("moto", reason="SERVING REMOTE INDICES IS NOT TESTED: pip install 'moto[server]'")
from object_store import ObjectStore, store_in_use
from served_page import PLACE, Page

INDEX = "s3://bucket/index"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ObjectStore]:
    """A store with an index of its own three photos and a video."""
    monkeypatch.setattr(turns, "_try_conditional_writes", lambda uri: None)
    with store_in_use(monkeypatch) as store:
        for n in range(3):
            store.put(f"bucket/media/{n}.png", photo(tmp_path / f"{n}.png", n + 1, seed=n))
        store.put("bucket/media/clip.mp4", video(tmp_path / "clip.mp4", 1))
        opened(INDEX).add("s3://bucket/media")
        yield store


@pytest.mark.parametrize("copied", [False, True])
def test_a_remote_index_of_remote_media_is_served(store: ObjectStore, tmp_path: Path, copied: bool) -> None:
    copies = str(tmp_path / "copies") if copied else None
    app = create_app(INDEX, detector=FakeDetector(), embedder=FakeEmbedder(), copies=copies)
    with TestClient(app, base_url=PLACE) as client:
        page = Page(client, tmp_path)
        media = {m["path"]: m["id"] for m in page.get("/api/library")["media"]}
        assert set(media) == {f"s3://bucket/media/{name}" for name in ("0.png", "1.png", "2.png", "clip.mp4")}
        people = page.post("/api/query", {"media": media["s3://bucket/media/2.png"]})["people"]
        asked = {"person": people[0]["id"], "min_score": 0, "copies": True, "k": 100}
        before = len(store.requests)
        found = page.post("/api/search", asked)["results"]
        assert {hit["path"] for hit in found} == set(media)
        if copied:
            assert not any(".lance/data/" in path for _, path in store.requests[before:])
        crop = client.get(found[0]["crop"]["url"])
        assert crop.status_code == 200 and min(Image.open(io.BytesIO(crop.content)).size) > 20
        part = client.get(f"/api/media/{media['s3://bucket/media/clip.mp4']}", headers={"Range": "bytes=0-99"})
        assert part.status_code == 206 and part.content == (tmp_path / "clip.mp4").read_bytes()[:100]
        assert page.post("/api/label", {"what": [found[0]["id"]], "name": "me"})["people"] == 1
        labels = {hit["id"]: hit["label"] for hit in page.post("/api/search", asked)["results"]}
        assert [id for id, label in labels.items() if label] == [found[0]["id"]]
    assert opened(INDEX).info().labels == {"me": 1}
