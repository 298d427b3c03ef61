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
from samepose.errors import StoreError
from samepose.media.video import part_limits, read_frames, read_part

ray = pytest.importorskip("ray", reason="RAY IS NOT TESTED: pip install 'samepose[ray]'")

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    was = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TESTS), *sys.path])
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        for _ in range(2):
            made.add_node(num_cpus=1)
    except Exception as error:  # Ray gives its nodes 30 seconds to start, which a busy machine may not
        pytest.skip(f"RAY IS NOT TESTED: its nodes did not start ({str(error)[:100]})")
    yield made
    made.shutdown()
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


def test_no_ray_at_the_address(tmp_path):
    photo(tmp_path / "m/a.png", 2)
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:9: no Ray answers there .*start one there") as error:
        opened(tmp_path / "i").add(tmp_path / "m", ray="127.0.0.1:9")
    assert "\n" not in str(error.value)


def test_the_extra_is_named_when_it_is_missing(tmp_path, monkeypatch):
    photo(tmp_path / "m/a.png", 2)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StoreError, match=r"samepose\[ray\]"):
        opened(tmp_path / "i").add(tmp_path / "m", ray="auto")


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
