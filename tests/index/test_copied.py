"""A copy of a remote index on this disk: the same answers with few requests, never behind what its holder changed."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from index_fakes import FakeDetector, FakeEmbedder, opened, photo, rows, video
from samepose.errors import StoreError, UsageError
from samepose.index import Index, copied, turns
from samepose.index import store as index_store
from samepose.web.server import Server

pytest.importorskip("moto", reason="COPIES OF REMOTE INDICES ARE NOT TESTED: pip install 'moto[server]'")
from object_store import store_in_use

PLACE = "s3://bucket/index"


@pytest.fixture
def store(monkeypatch):
    with store_in_use(monkeypatch) as store:
        monkeypatch.setattr(turns, "_try_conditional_writes", lambda uri: None)
        monkeypatch.setattr(index_store, "_STALE", 0.0)
        yield store


@pytest.fixture
def media(tmp_path: Path) -> Path:
    for i in range(6):
        photo(tmp_path / f"m/{i:02d}.png", i % 3 + 1, seed=i)
    video(tmp_path / "m/clip.mp4", 2)
    return tmp_path / "m"


def copy(tmp_path: Path, folder: str = "copies") -> Index:
    return Index.open(PLACE, detector=FakeDetector(), embedder=FakeEmbedder(), copies=tmp_path / folder)


def files(tmp_path: Path) -> set[str]:
    return {f.name for f in (tmp_path / "copies").rglob("*.lance") if f.is_file()}


def hits(index: Index, media: Path) -> list[tuple]:
    return [(h.id, h.path, h.score, h.label) for h in index.search(media / "02.png", k=30)]


def test_the_copy_answers_as_the_index_does_with_few_requests(store, media, tmp_path):
    index = opened(PLACE, root=tmp_path)
    index.add(media)
    here = copy(tmp_path)
    assert rows(here) == rows(index) and hits(here, media) == hits(index, media) != []
    before = len(store.requests)
    for _ in range(5):
        hits(here, media)
    assert all(method == "GET" and "_versions" in path for method, path in store.requests[before:])


def test_what_others_change_is_seen(store, media, tmp_path):
    index = opened(PLACE, root=tmp_path)
    index.add(media / "00.png")
    here = copy(tmp_path)
    assert here.info().media == 1
    index.add(media)
    assert rows(here) == rows(index) and hits(here, media) == hits(index, media)
    index.remove("*.mp4")
    assert here.info().media == 6 and hits(here, media) == hits(index, media)


def test_what_its_holder_changes_is_seen_at_once(store, media, tmp_path, monkeypatch):
    opened(PLACE, root=tmp_path).add(media)
    monkeypatch.setattr(index_store, "_STALE", 600.0)
    here = copy(tmp_path)
    assert here.label("m/02.png", "mine") == 3
    assert {h[3] for h in hits(here, media) if h[1] == "m/02.png"} == {"mine"}
    assert here.remove("m/02.png").files == 1
    assert "m/02.png" not in {h[1] for h in hits(here, media)}
    assert opened(PLACE).info() == here.info()


def test_merged_files_go_after_a_while(store, media, tmp_path, monkeypatch):
    index = opened(PLACE, root=tmp_path)
    for file in sorted(media.iterdir()):
        index.add(file)
    here = copy(tmp_path)
    hits(here, media)
    many = files(tmp_path)
    index.optimise()
    assert hits(here, media) == hits(index, media)
    assert files(tmp_path) >= many  # for searches that were on their way
    monkeypatch.setattr(copied, "_KEEP", -1.0)
    index.label("*", "all")
    assert hits(here, media) == hits(index, media)
    assert not files(tmp_path) & many


def test_a_file_that_goes_while_it_is_fetched(store, media, tmp_path, monkeypatch):
    index = opened(PLACE, root=tmp_path)
    index.add(media)
    fetch, failed = copied._download, []

    def once(there, here) -> None:
        if not failed:
            failed.append(there)
            raise FileNotFoundError(2, "gone", str(there))
        fetch(there, here)

    monkeypatch.setattr(copied, "_download", once)
    here = copy(tmp_path)
    assert failed and hits(here, media) == hits(index, media)


def test_what_was_fetched_before_a_failure_is_read_after_it(store, media, tmp_path, monkeypatch):
    index = opened(PLACE, root=tmp_path)
    index.add(media / "00.png")
    here, fetch = copy(tmp_path), copied.Copy._fetch

    def failing(self, table: str):
        if table == "people":
            raise OSError(5, "the connection broke")
        return fetch(self, table)

    with index._store.writing():
        index._store.put_facts(fps="7")  # a commit of the media table alone
    monkeypatch.setattr(copied.Copy, "_fetch", failing)
    with pytest.raises(StoreError, match="cannot be read"):
        here.info()
    monkeypatch.setattr(copied.Copy, "_fetch", fetch)
    assert here._store.facts["fps"] == "7" and here._store.facts == index._store.facts


def test_an_index_made_anew_is_another_one(store, media, tmp_path):
    opened(PLACE, root=tmp_path).add(media / "00.png")
    here = copy(tmp_path)
    assert here.info().media == 1
    for path in sorted({path.partition("?")[0] for method, path in store.requests if method in ("PUT", "POST")}):
        if "/index/" in path:
            store.delete(path.lstrip("/"))
    opened(PLACE, root=tmp_path).add(media / "01.png")
    assert [m.path for m in here.select("*")] == ["m/01.png"]
    assert {h[1] for h in hits(here, media)} == {"m/01.png"}


def test_a_copy_goes_on_where_the_last_one_stopped(store, media, tmp_path):
    index = opened(PLACE, root=tmp_path)
    index.add(media)
    expected = hits(copy(tmp_path), media)
    (tmp_path / "copies").joinpath("left").mkdir()
    next((tmp_path / "copies").rglob("data")).joinpath("0.lance").write_bytes(b"of a run that was killed")
    before = len(store.requests)
    assert hits(copy(tmp_path), media) == expected != []
    assert not any(".lance/data/" in path for _, path in store.requests[before:])
    index.add(photo(tmp_path / "m/new.png", 2, seed=9))
    assert len(hits(copy(tmp_path), media)) == len(expected) + 2
    assert "0.lance" not in files(tmp_path)


def test_wrong_use_is_told_in_one_line(store, media, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="is on this disk"):
        opened(tmp_path / "ix").add(media)
        Index.open(tmp_path / "ix", copies=tmp_path / "copies")
    with pytest.raises(UsageError, match="is on this disk"):  # whether there is one or not
        Server.bind(str(tmp_path / "none"), "127.0.0.1", 0, None, copies=str(tmp_path / "copies"))
    with pytest.raises(StoreError, match="no index here"):
        copy(tmp_path)
    opened(PLACE, root=tmp_path).add(media)
    first = copy(tmp_path)
    with pytest.raises(StoreError, match="another process keeps a copy") as told:
        copy(tmp_path)
    assert "\n" not in str(told.value) and str(tmp_path / "copies") in str(told.value)
    assert hits(first, media)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(StoreError, match=r"needs 0\.0 GB more and 0\.0 GB are free; name a folder on a larger disk"):
        copy(tmp_path, "other")
