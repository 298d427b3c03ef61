"""The same work on a cluster of three nodes: the same rows, whoever dies; messages where there is no cluster."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from index_fakes import SlowDetector, assert_same, opened, photo, rows, video
from ray_nodes import ray_nodes
from samepose.errors import StoreError
from samepose.index import builders, upkeep
from samepose.media.video import part_limits, read_frames, read_part

ray = pytest.importorskip("ray", reason="RAY IS NOT TESTED: pip install 'samepose[ray]'")

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def cluster():
    was = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TESTS), *sys.path])
    with ray_nodes(1, 1, 1) as made:
        yield made
    os.environ.pop("PYTHONPATH") if was is None else os.environ.update(PYTHONPATH=was)


@pytest.fixture
def media(tmp_path, monkeypatch):
    for i in range(30):
        photo(tmp_path / f"m/{i:02d}.png", i % 4, seed=i)
    photo(tmp_path / "m/z copy.png", 2, seed=2)
    (tmp_path / "m/bad.jpg").write_bytes(b"no picture")
    video(tmp_path / "m/clip.mp4", 2, frames=40)
    alone = opened(tmp_path / "alone", root=tmp_path)
    alone.add(tmp_path / "m")
    monkeypatch.setattr("samepose.index.ray._PART", 1.0)
    return tmp_path


def test_rows_are_those_of_one_process(cluster, media):
    index = opened(media / "far", root=media)
    report = index.add(media / "m", ray=cluster.address)
    assert_same(index, opened(media / "alone"))
    assert len(report.failed) == 1 and "bad.jpg" in report.failed[0][0] and report.copied == 1
    assert index.add(media / "m", ray=cluster.address).unchanged == 32


def test_killed_workers_lose_and_double_nothing(cluster, media):
    kills = media / "kills"
    kills.mkdir()
    done = threading.Event()

    def kill() -> None:
        for n in range(4):
            (kills / f"kill-{n}").touch()
            if done.wait(1.0):
                return

    killer = threading.Thread(target=kill)
    killer.start()
    index = opened(media / "far", SlowDetector(kills), root=media)
    index.add(media / "m", ray=cluster.address)
    done.set()
    killer.join()
    assert len(list(kills.glob("kill-*"))) < 4  # somebody died
    assert_same(index, opened(media / "alone"))


def test_a_killed_driver_loses_and_doubles_nothing(cluster, media):
    code = ("import index_fakes as f; f.impatient()\n"
            f"f.opened({str(media / 'far')!r}, f.SlowDetector(), root={str(media)!r})"
            f".add({str(media / 'm')!r}, ray={cluster.address!r})")
    driver = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and driver.poll() is None:
        time.sleep(0.05)
        if opened(media / "far", root=media)._store.count() > 3:
            break
    driver.kill()
    driver.wait()
    there = len(rows(opened(media / "far"))[1])
    index = opened(media / "far", root=media)
    report = index.add(media / "m", ray=cluster.address)
    assert_same(index, opened(media / "alone"))
    assert report.unchanged > 0 and there > 0


def test_nodes_merge_files_and_build_indices(cluster, tmp_path, monkeypatch):
    index = opened(tmp_path / "i", root=tmp_path)
    for i in range(30):  # a file of rows for each photograph
        index.add(photo(tmp_path / f"m/{i:02d}.png", 9, seed=i))
    assert index._store.count() == 270
    before = index.search(tmp_path / "m/07.png", k=20)
    for name, fewest in (("SCALAR_FROM_ROWS", 20), ("IVF_FROM_ROWS", 256)):
        monkeypatch.setattr(upkeep, name, fewest)
    done = index.optimise(ray=cluster.address)
    assert done.files[0] >= 30 and done.files[1] <= 3 and done.unindexed == (270, 0)
    assert _indices(index) == {"id": 270, "media": 270, "time": 270, "label": 270, "rank_keypoints": 270}
    after = index.search(tmp_path / "m/07.png", k=20)
    assert [(hit.id, hit.score) for hit in after] == [(hit.id, hit.score) for hit in before]
    assert index.search(after[0], k=3)  # whose row is found by the index of ids

    for i in range(30, 34):  # an eighth more
        index.add(photo(tmp_path / f"m/{i:02d}.png", 9, seed=i))
    built = list[str]()
    monkeypatch.setattr(builders.Nodes, "vector", lambda self, store, column, *how: built.append(column))
    monkeypatch.setattr(builders.Nodes, "scalar", lambda self, store, column, *how: built.append(column))
    index.optimise(ray=cluster.address)
    assert sorted(built) == ["id", "label", "media", "rank_keypoints", "time"]
    assert set(_indices(index).values()) == {306}  # those whom nobody has built in are taken into what is there
    built.clear()
    index.add(photo(tmp_path / "m/99.png", 9, seed=99))
    assert index.optimise(ray=cluster.address).unindexed == (9, 0) and not built


def test_what_a_lost_node_was_doing_is_done_anew(cluster, tmp_path, monkeypatch):
    import lance_ray

    index = opened(tmp_path / "i", root=tmp_path)
    index.add(photo(tmp_path / "a.png", 9))
    monkeypatch.setattr(upkeep, "SCALAR_FROM_ROWS", 5)
    whole, calls = lance_ray.create_scalar_index, list[str]()

    def lost(**how) -> None:
        calls.append(how["column"])
        if len(calls) == 1:
            raise ray.exceptions.ActorDiedError
        whole(**how)

    monkeypatch.setattr(lance_ray, "create_scalar_index", lost)
    index.optimise(ray=cluster.address)
    assert calls[0] == calls[1] and len(calls) == 1 + len(set(calls))
    assert {"id", "media", "time", "label"} <= set(_indices(index)) and set(_indices(index).values()) == {9}


def test_a_cluster_that_goes_away_is_said_in_a_line(cluster, tmp_path, monkeypatch):
    index = opened(tmp_path / "i", root=tmp_path)
    index.add(photo(tmp_path / "a.png", 2))

    def gone(self, store) -> None:
        raise ray.exceptions.ActorDiedError

    monkeypatch.setattr(builders.Nodes, "merge_files", gone)
    with pytest.raises(StoreError, match=r"the cluster has lost .*do the same again") as error:
        index.optimise(ray=cluster.address)
    assert "\n" not in str(error.value)


def _indices(index) -> dict[str, int]:
    """Columns that have an index, and how many people are in it."""
    table = index._store.people
    return {i.columns[0]: table.index_stats(i.name).num_indexed_rows for i in table.list_indices()}


def test_no_ray_at_the_address(tmp_path):
    photo(tmp_path / "m/a.png", 2)
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:9: no Ray answers there .*start one there") as error:
        opened(tmp_path / "i").add(tmp_path / "m", ray="127.0.0.1:9")
    assert "\n" not in str(error.value)
    with pytest.raises(StoreError, match="no Ray answers there"):
        opened(tmp_path / "i").optimise(ray="127.0.0.1:9")


def test_the_extra_is_named_when_it_is_missing(tmp_path, monkeypatch):
    photo(tmp_path / "m/a.png", 2)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StoreError, match=r"samepose\[ray\]"):
        opened(tmp_path / "i").add(tmp_path / "m", ray="auto")


def test_lance_ray_is_named_when_it_is_missing(cluster, tmp_path, monkeypatch):
    opened(tmp_path / "i").add(photo(tmp_path / "a.png", 2))
    monkeypatch.setitem(sys.modules, "lance_ray", None)
    with pytest.raises(StoreError, match=r"lance-ray, .*samepose\[ray\]"):
        opened(tmp_path / "i").optimise(ray=cluster.address)


@pytest.mark.parametrize("fps", [10.0, 7.0, None])
@pytest.mark.parametrize("rate", [10, 25])
def test_parts_of_a_video_are_its_frames(tmp_path, fps, rate):
    clip = video(tmp_path / "c.mp4", 1, frames=6 * rate, rate=rate)
    whole = [(frame.index, frame.time) for frame in read_frames(clip, fps)]
    limits, first, parts = part_limits(6.0, fps, 1.0), 0, []
    assert len(limits) > 4
    for start, end in pairwise(limits):
        part = read_part(clip, fps, start, end)
        while True:
            try:
                frame = next(part)
            except StopIteration as stop:
                first += stop.value
                break
            parts.append((first + frame.index, frame.time))
    assert [i for i, _ in parts] == [i for i, _ in whole]
    np.testing.assert_allclose([t for _, t in parts], [t for _, t in whole])
