"""Many writers of one index on an object store: each medium once, whoever is killed, and no store that forgets."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest

from index_fakes import FakeDetector, assert_same, opened, photo, rows, video
from samepose.errors import StoreError
from samepose.index import batch, turns
from samepose.index import store as index_store

pytest.importorskip("moto", reason="WRITERS OF REMOTE INDICES ARE NOT TESTED: pip install 'moto[server]'")
from object_store import ObjectStore, store_in_use

PLACE = "s3://bucket/index"


@pytest.fixture
def store(monkeypatch):
    with store_in_use(monkeypatch) as store:
        yield store


@pytest.fixture
def trusted(monkeypatch):
    """The store is known to honour conditional writes: the trial takes seconds."""
    monkeypatch.setattr(turns, "_try_conditional_writes", lambda uri: None)


def test_two_writers_on_overlapping_folders_end_with_each_medium_once(store, trusted, tmp_path, monkeypatch):
    for i in range(4):
        photo(tmp_path / f"m/{i:02d}.png", i % 3 + 1, seed=i)
    video(tmp_path / "m/clip.mp4", 2)
    alone = opened(tmp_path / "alone", root=tmp_path)
    alone.add(tmp_path / "m")
    opened(PLACE, root=tmp_path)
    monkeypatch.setattr(batch, "_SECONDS", 0.0)
    monkeypatch.setattr(turns, "_POLL", 0.05)
    start, reports = threading.Barrier(2), []

    def write() -> None:
        index = opened(PLACE, root=tmp_path)
        start.wait()
        reports.append(index.add(tmp_path / "m"))

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert_same(opened(PLACE), alone)
    assert sum(r.done for r in reports) == 5 and all(r.done + r.unchanged == 5 for r in reports)
    assert sum(r.people for r in reports) == alone.info().people


@pytest.mark.parametrize("stale", [0.0, 600.0])
def test_a_writer_gives_way_to_who_was_first(store, trusted, tmp_path, monkeypatch, stale):
    """Also when it last looked at the index before the other one came."""
    monkeypatch.setattr(index_store, "_STALE", stale)
    photo(tmp_path / "m/a.png", 2)

    class Slow(FakeDetector):
        def detect(self, image):
            if not self.calls:
                opened(PLACE, root=tmp_path).add(tmp_path / "m")  # another writer, meanwhile
            return super().detect(image)

    report = opened(PLACE, detector=Slow(), root=tmp_path).add(tmp_path / "m")
    people, media = rows(opened(PLACE))
    assert len(people) == 2 and len(media) == 1 and (report.done, report.unchanged, report.people) == (0, 1, 0)


def test_what_a_killed_writer_left_is_swept_by_who_takes_its_turn(store, trusted, tmp_path, monkeypatch):
    photo(tmp_path / "m/a.png", 3)
    opened(PLACE, root=tmp_path)
    code = ("import os, index_fakes as f; from samepose.index.store import Store\n"
            "Store.put_media = lambda *a, **k: os._exit(7)\n"  # between the people and their medium
            f"f.opened('{PLACE}', root={str(tmp_path)!r}).add({str(tmp_path / 'm')!r})")
    path = os.pathsep.join(["tests", *sys.path])
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}).returncode == 7
    assert opened(PLACE)._store.count() == 3
    monkeypatch.setattr(turns, "LEASE", 1.5)
    assert opened(PLACE, root=tmp_path).add(tmp_path / "m").done == 1
    people, media = rows(opened(PLACE))
    assert len(people) == 3 and len(media) == 1


def test_what_is_left_of_making_the_turn_bars_nobody(store, trusted, tmp_path):
    photo(tmp_path / "m/a.png", 3)
    opened(PLACE, root=tmp_path)
    store.put("bucket/index/turn.lance/data/left.lance", b"of a writer that was killed")
    assert opened(PLACE, root=tmp_path).add(tmp_path / "m").done == 1


@pytest.mark.parametrize("what", ["turn.lance", "people.lance", "media.lance"])
def test_a_request_that_the_store_calls_a_conflict_is_made_again(store, trusted, tmp_path, what):
    photo(tmp_path / "m/a.png", 3)
    refused: list[str] = []

    def refuse(method: str, path: str) -> tuple[int, str] | None:
        if method != "PUT" or what not in path or len(refused) >= 2:
            return None
        refused.append(path)
        return 409, "ConditionalRequestConflict"

    store.refuse = refuse
    assert opened(PLACE, root=tmp_path).add(tmp_path / "m").done == 1
    store.refuse = None
    people, media = rows(opened(PLACE))
    assert len(people) == 3 and len(media) == 1 and len(refused) == 2


def test_a_slow_holder_is_not_robbed_and_a_robbed_one_stops(store, trusted, tmp_path, monkeypatch):
    opened(PLACE, root=tmp_path)
    monkeypatch.setattr(turns, "LEASE", 3.0)
    first, second, order = turns.Turns(PLACE), turns.Turns(PLACE), []

    def wait() -> None:
        with second.taken() as inherited:
            order.append(("second", inherited))

    with first.taken():
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(6)
        first.check()
        order.append(("first", None))
    thread.join()
    assert order == [("first", None), ("second", False)]
    with pytest.raises(StoreError, match="held up"), first.taken():
        assert second._table is not None
        second._table.update(where="true", values={"owner": "robber"})
        time.sleep(1.2)
        first.check()


def test_a_store_without_conditional_writes_is_refused(store: ObjectStore, tmp_path):
    store.forget = ("if-none-match",)
    photo(tmp_path / "m/a.png", 2)
    with pytest.raises(StoreError, match=r"conditional writes.*keep the index in a folder"):
        opened(PLACE, root=tmp_path).add(tmp_path / "m")
    store.forget = ()
    assert opened(PLACE, root=tmp_path).add(tmp_path / "m").done == 1


@pytest.mark.parametrize(("status", "code", "words"), [
    (404, "NoSuchBucket", "no such bucket"), (403, "ExpiredToken", "expired; renew"), (403, "AccessDenied", "denied"),
    (301, "PermanentRedirect", "AWS_REGION"),
])
def test_an_index_that_is_refused_is_one_line(store: ObjectStore, status, code, words):
    store.refuse = lambda method, path: (status, code)
    with pytest.raises(StoreError) as error:
        opened(PLACE)
    assert words in str(error.value) and "\n" not in str(error.value) and str(error.value).startswith(PLACE)
    assert Counter(store.requests).total() <= 20


def test_now_and_then_busy_or_in_conflict(store: ObjectStore, trusted, tmp_path, monkeypatch):
    """One request in twenty is answered 503 or 409."""
    for i in range(6):
        photo(tmp_path / f"m/{i}.png", 1, seed=i)
    alone = opened(tmp_path / "alone", root=tmp_path)
    alone.add(tmp_path / "m")
    index = opened(PLACE, root=tmp_path)
    monkeypatch.setattr(batch, "_SECONDS", 0.0)
    count = 0

    def refuse(method: str, path: str):
        nonlocal count
        count += 1
        if count % 20:
            return None
        return (409, "ConditionalRequestConflict") if method == "PUT" and "manifest" in path else (503, "SlowDown")

    store.refuse = refuse
    index.add(tmp_path / "m")
    store.refuse = None
    assert count > 100
    assert_same(opened(PLACE), alone)
