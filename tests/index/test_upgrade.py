"""Indexes of format 1, written here by hand in the columns that version 0.1 used."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from index_fakes import FakeDetector, FakeEmbedder, opened, photo, rows
from samepose.errors import StoreError
from samepose.index import Index, Space
from samepose.index.store import Store
from samepose.index.upgrade import upgrade
from samepose.media.image import read_image

EMBEDDER = FakeEmbedder()
MEDIA = pa.schema([
    pa.field("id", pa.int64(), nullable=False), pa.field("path", pa.string(), nullable=False),
    pa.field("size", pa.int64(), nullable=False), pa.field("mtime", pa.int64(), nullable=False),
    pa.field("hash", pa.string(), nullable=False), pa.field("kind", pa.string(), nullable=False),
    pa.field("fps", pa.float64()), pa.field("mode", pa.string(), nullable=False),
    pa.field("status", pa.string(), nullable=False), pa.field("error", pa.string()),
    pa.field("people", pa.int64(), nullable=False), pa.field("skeleton", pa.string()), pa.field("label", pa.string()),
])
PEOPLE = pa.schema([
    pa.field("id", pa.int64(), nullable=False), pa.field("media", pa.int64(), nullable=False),
    pa.field("time", pa.float64()), pa.field("frame", pa.int64(), nullable=False),
    pa.field("track", pa.int64(), nullable=False), pa.field("score", pa.float32(), nullable=False),
    pa.field("box", pa.list_(pa.float32(), 4)), pa.field("keypoints", pa.list_(pa.float32()), nullable=False),
    pa.field("embedding", pa.list_(pa.float32(), 17)), pa.field("variance", pa.list_(pa.float32(), 16)),
    pa.field("label", pa.string()),
])


def format_1(folder: Path, photos: list[Path], copies: int = 1) -> Path:
    """An index as version 0.1 left it, of photos beside it; every other person cannot be searched for."""
    import lancedb

    people, media = [], []
    for n, file in enumerate(photos, 1):
        poses, stat = FakeDetector().detect(read_image(file)), file.stat()
        embeddings = EMBEDDER.embed(poses)
        media.append((n, file.name, stat.st_size, stat.st_mtime_ns, f"hash{n}", "image", None, "fake-1", "done", None,
                      len(poses) * copies, "COCO17", "old" if n == 1 else None))
        for i in range(len(poses) * copies):
            p = i % len(poses)
            rank = [*embeddings.mean[p].tolist(), float(np.sqrt(embeddings.var[p].sum()))]
            keypoints = np.column_stack([poses.points[p], poses.scores[p]]).ravel().tolist()
            people.append((n << 27 | i, n, None, 0, n << 27 | i, float(poses.person_scores[p]), poses.boxes[p].tolist(),
                           keypoints, None if i % 2 else rank, None if i % 2 else embeddings.var[p].tolist(),
                           "old" if n == 1 else None))
    facts = {"format": "1", "model": EMBEDDER.name, "model_sha256": EMBEDDER.sha256, "root": folder.parent.as_posix()}
    db = lancedb.connect(folder)
    for name, schema, values in (("people", PEOPLE.with_metadata(facts), people), ("media", MEDIA, media)):
        table = pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(zip(*values), schema)], schema=schema)
        db.create_table(name, schema=schema).add(table)
    return folder


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return format_1(tmp_path / "ix", [photo(tmp_path / f"{n}.png", n, n) for n in (1, 2, 3)])


def contents(index: Index) -> list[tuple]:
    people = [(m, [index.row(id) for id in index.people_of(m).ids]) for m in index.select()]
    return [(m, [(p.id, p.time, p.label, p.pose.points.tolist(),
                  p.embedding and (p.embedding.mean.tolist(), p.embedding.var.tolist())) for p in rows])
            for m, rows in people]


def test_reading_and_searching_leave_it_as_it_is(old: Path) -> None:
    before = {f: f.stat().st_mtime_ns for f in old.rglob("*") if f.is_file()}
    index = opened(old, create=False)
    facts = index.info()
    assert (facts.format, facts.people, facts.searchable, facts.labels) == ("1", 6, 4, {"old": 1})
    assert [(s.name, s.dimensions, s.model, s.sha256) for s in facts.spaces] == [
        ("keypoints", 16, "fake", EMBEDDER.sha256)]
    found = index.search(old.parent / "2.png", where="2.png")
    assert [h.path for h in found] == ["2.png"] and found[0].person == 0
    expected = EMBEDDER.embed(FakeDetector().detect(read_image(old.parent / "2.png")))[0]
    assert found[0].score == pytest.approx(EMBEDDER.matching.probability(expected, expected)[0, 0], abs=1e-5)
    assert {f: f.stat().st_mtime_ns for f in old.rglob("*") if f.is_file()} == before


def test_the_next_writer_makes_it_format_2_with_the_same_contents(old: Path) -> None:
    index = opened(old, create=False)
    before, hits = contents(index), index.search(old.parent / "3.png", min_score=0).to_json()
    assert opened(old).label("3.png", "new") == 3
    facts = index.info()  # also of an index that was open meanwhile
    assert (facts.format, facts.searchable, facts.labels) == ("2", 4, {"old": 1, "new": 3})
    assert facts.spaces == (Space("keypoints", 16, "fake", EMBEDDER.sha256),)
    index.label("3.png", None)
    assert contents(index) == before
    assert index.search(old.parent / "3.png", min_score=0).to_json() == hits
    assert {"embedding", "variance"}.isdisjoint(index._store.people.schema.names)
    report = index.add(old.parent / "1.png", photo(old.parent / "4.png", 2, 4))
    assert (report.unchanged, report.people, index.info().people) == (1, 2, 8)


def test_re_embedding_an_old_index(old: Path) -> None:
    new = FakeEmbedder("new", "cd" * 32, scale=2.0)
    index = opened(old, embedder=new)
    with pytest.raises(StoreError, match="re_embed"):
        index.search(old.parent / "1.png")
    assert index.re_embed() == (6, [])
    assert index.info().spaces == (Space("keypoints", 16, "new", new.sha256),)
    assert index.info().searchable == 6  # all have joints enough


def test_an_upgrade_that_fails_leaves_format_1(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, batches = contents(opened(old)), Store.batches

    def failing(self: Store, *args: object, **options: object) -> object:
        for batch in batches(self, 2):
            yield batch
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, "batches", failing)
        with pytest.raises(KeyboardInterrupt):
            opened(old).label("1.png", "new")
    index = opened(old)
    assert index.info().format == "1" and contents(index) == before
    index.label("1.png", "old")
    assert index.info().format == "2" and contents(index) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills processes as POSIX does")
def test_killed_anywhere_it_is_whole_and_of_one_format(tmp_path: Path) -> None:
    import subprocess
    import sys

    place = format_1(tmp_path / "ix", [photo(tmp_path / "a.png", 9, 1)], copies=500)
    expected = rows(opened(place))[0]
    code = ("import sys; from samepose.index.store import Store; store = Store(sys.argv[1])\n"
            "print('open', flush=True)\nwith store.writing(): pass")
    command = [sys.executable, "-W", "ignore", "-c", code, str(place)]
    formats: list[str] = []
    while "2" not in formats:
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None and child.stdout.readline() == b"open\n"
            time.sleep(0.02 * len(formats))
            os.kill(child.pid, signal.SIGKILL)
        index = opened(place)
        formats.append(index.info().format)
        found = rows(index)[0]
        if formats[-1] == "1":
            assert found == expected
    names = {"embedding": "rank_keypoints", "variance": "variance_keypoints"}
    assert found == [{names.get(k, k): v for k, v in person.items()} for person in expected]


def test_a_format_2_index_is_left_alone(tmp_path: Path) -> None:
    store = opened(tmp_path / "ix")._store
    version = store.people.version
    upgrade(store)
    assert store.people.version == version
