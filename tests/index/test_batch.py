"""Commits of people and media, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_fakes import FakeEmbedder, opened
from samepose.index import batch
from samepose.index.batch import Batch
from samepose.index.pixels import Seen
from samepose.index.schema import Medium
from samepose.index.store import Store
from samepose.poses import Poses
from samepose.skeleton import COCO17, H36M17, Skeleton

EMBEDDER = FakeEmbedder()


def poses(n: int, seed: int = 0, skeleton: Skeleton = COCO17) -> Poses:
    return Poses.of(np.random.default_rng(seed).random((n, len(skeleton), 2)), skeleton)


def medium(id: int, people: int, path: str = "") -> Medium:
    return Medium(id, path or f"{id}.jpg", 1, 1, f"hash{id}", "image", None, "fake-1", people=people, skeleton="COCO17")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = opened(tmp_path / "ix")._store
    with store.writing():
        yield store


def people(store: Store) -> dict[int, int]:
    ids = store.people.search().limit(None).to_arrow()["media"].to_pylist()
    return {id: ids.count(id) for id in sorted(set(ids))}


def test_people_come_before_their_medium(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_PEOPLE", 4)
    made = Batch(store, EMBEDDER)
    made.add(medium(1, 3), Seen(poses(3)))
    assert people(store) == {}
    made.add(medium(1, 3), Seen(poses(2, 1)))
    assert people(store) == {1: 5} and store.all_media() == []
    made.finish(medium(1, 5), None)
    made.flush()
    assert store.all_media() == [medium(1, 5)]
    rows = store.people_of(1)
    assert [i & 0xFFFF for i in rows["id"].to_pylist()] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(store.spaces[0].embeddings(rows).mean[3:], EMBEDDER.embed(poses(2, 1)).mean, atol=1e-5)


def test_replaced_people_go_last(store: Store) -> None:
    made = Batch(store, EMBEDDER)
    made.add(medium(1, 3), Seen(poses(3)))
    made.finish(medium(1, 3), None)
    made.flush()
    new = medium(2, 1, path="1.jpg")
    made.add(new, Seen(poses(1, 5)))
    made.finish(new, replaces=medium(1, 3))
    assert people(store) == {1: 3}
    made.flush()
    assert (people(store), store.all_media()) == ({2: 1}, [new])


def test_a_medium_that_breaks_off_leaves_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_PEOPLE", 4)
    made = Batch(store, EMBEDDER)
    made.add(medium(1, 0), Seen(poses(5)))
    made.add(medium(1, 0), Seen(poses(1)))
    made.add(medium(2, 2), Seen(poses(2)))
    made.drop(medium(1, 0))
    made.finish(medium(2, 2), None)
    made.flush()
    assert people(store) == {2: 2}


def test_skeletons_are_not_mixed_and_a_copy_has_ids_of_its_own(store: Store) -> None:
    made = Batch(store, EMBEDDER)
    first, second = medium(1, 2), replace(medium(2, 1), skeleton="H36M17")
    for m, p in ((first, poses(2)), (second, poses(1, skeleton=H36M17))):
        made.add(m, Seen(p))
        made.finish(m, None)
    copy = replace(medium(3, 2), label="x")
    made.copy(first, copy, None)
    made.flush()
    assert people(store) == {1: 2, 2: 1, 3: 2}
    one, three = store.people_of(1), store.people_of(3)
    assert one["keypoints"] == three["keypoints"] and one["rank_keypoints"] == three["rank_keypoints"]
    assert {*one["id"].to_pylist()}.isdisjoint(three["id"].to_pylist()) and three["label"].to_pylist() == ["x", "x"]
