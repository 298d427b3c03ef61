"""An index survives `kill -9`, a full disk and a second writer."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from index_fakes import FakeDetector, FakeEmbedder, assert_same, impatient, opened, photo, rows, video
from samepose.errors import StoreError
from samepose.index import Index
from samepose.index.store import Store

KILLS = 20


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    for i in range(40):
        photo(folder / f"photo{i:02d}.png", i % 4, i)
    for i in range(4):
        video(folder / f"clip{i}.mp4", 3, 60, seed=i)
    (folder / "bad.jpg").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def nursery() -> Iterator[subprocess.Popen[str]]:
    """Where writers are born; see `index_fakes.serve_writers`."""
    if not hasattr(os, "fork"):
        pytest.skip("kills processes as POSIX does")
    with subprocess.Popen([sys.executable, "-W", "ignore", str(Path(__file__).parents[1] / "index_fakes.py")],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


class Writer:
    """A process that indexes."""

    def __init__(self, nursery: subprocess.Popen[str], media: Path, index: Path) -> None:
        assert nursery.stdin and nursery.stdout
        self._out = nursery.stdout
        nursery.stdin.write(f"{media} {index}\n")
        nursery.stdin.flush()
        self._id = int(self._out.readline())

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._id, signal.SIGKILL)

    def wait(self) -> int:
        """0 when it came to its end."""
        return int(self._out.readline())


def test_killed_writers_leave_no_trace(nursery: subprocess.Popen[str], media: Path, tmp_path: Path) -> None:
    """Killed at random moments and run again, the index holds exactly the rows of an undisturbed run."""
    assert Writer(nursery, media, tmp_path / "warm").wait() == 0
    begin = time.perf_counter()
    assert Writer(nursery, media, tmp_path / "whole").wait() == 0
    whole_run = time.perf_counter() - begin
    expected = rows(Index.open(tmp_path / "whole"))
    assert len(expected[0]) == 10 * (0 + 1 + 2 + 3) + 4 * 60 * 3
    random.seed(0)
    kills, target = 0, 0
    while kills < KILLS:
        writer = Writer(nursery, media, tmp_path / f"killed{target}")
        time.sleep(random.uniform(0, whole_run / 4))
        writer.kill()
        if writer.wait() == 0:
            assert_same(Index.open(tmp_path / f"killed{target}"), Index.open(tmp_path / "whole"))
            target += 1
        else:
            kills += 1
    assert Writer(nursery, media, tmp_path / f"killed{target}").wait() == 0
    assert_same(Index.open(tmp_path / f"killed{target}"), Index.open(tmp_path / "whole"))


def test_reader_never_sees_half_a_medium(tmp_path: Path) -> None:
    """Rows of a medium without its row, as a killed writer leaves them, are in no search, and go with the next run."""
    clip = video(tmp_path / "m/clip.mp4", 2)
    photo(tmp_path / "m/photo.png", 1)
    index = opened(tmp_path / "ix")
    index.add(tmp_path / "m")
    assert index.search(clip, at=0)[0].path == "m/clip.mp4"
    index._store.media.delete(f"id = {index.clips()[0].id}")
    assert {h.path for h in index.search(clip, at=0)} == {"m/photo.png"}
    assert index.info().people == 25
    report = index.add(tmp_path / "m")
    assert (report.done, report.unchanged, index.info().people) == (1, 1, 25)


def test_second_writer_is_refused_and_names_the_first(tmp_path: Path) -> None:
    first, second = (opened(tmp_path / "ix") for _ in range(2))
    photo(tmp_path / "m/photo.png", 1)
    with first._store.writing(), pytest.raises(StoreError, match=r"process \d+ is writing"):
        second.add(tmp_path / "m")
    second.add(tmp_path / "m")
    assert first.info().people == 1


def test_lock_of_a_killed_writer_does_not_stay(
    nursery: subprocess.Popen[str], media: Path, tmp_path: Path
) -> None:
    child = Writer(nursery, media, tmp_path / "ix")
    while not (tmp_path / "ix" / "writer.lock").exists():
        time.sleep(0.01)
    child.kill()
    child.wait()
    opened(tmp_path / "ix", root=media).label("*", "free")


@pytest.mark.parametrize("nth", range(6))
def test_full_disk_is_named_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    """Whichever commit meets the full disk, a run after it ends as if nothing had been."""
    impatient_for(monkeypatch)
    for i in range(12):
        photo(tmp_path / f"m/photo{i}.png", 2, i)
    index = opened(tmp_path / "ix")
    commit, calls = Store.commit, []

    def full(self: Store, change: object) -> object:
        calls.append(0)
        if len(calls) == nth + 1:
            def change() -> None:
                raise OSError(errno.ENOSPC, "No space left on device")
        return commit(self, change)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Store, "commit", full)
        with pytest.raises(StoreError, match=r"ix: the disk is full; free some space"):
            index.add(tmp_path / "m")
    index.add(tmp_path / "m")
    undisturbed = opened(tmp_path / "other")
    undisturbed.add(tmp_path / "m")
    assert rows(index) == rows(undisturbed)


def impatient_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """`impatient` for one test."""
    from samepose.index import batch, upkeep

    for module in (batch, upkeep):
        for name in dir(module):
            if isinstance(getattr(module, name), (int, float)) and name.strip("_").isupper():
                monkeypatch.setattr(module, name, getattr(module, name))
    impatient()


def test_interrupted_run_keeps_what_was_finished(tmp_path: Path) -> None:
    class Interrupted(FakeDetector):
        def detect(self, image: np.ndarray):  # type: ignore[no-untyped-def]
            if self.calls == 3:
                raise KeyboardInterrupt
            return super().detect(image)

    for i in range(5):
        photo(tmp_path / f"m/photo{i}.png", 2, i)
    index = opened(tmp_path / "ix", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        index.add(tmp_path / "m")
    assert [m.path for m in index.select()] == [f"m/photo{i}.png" for i in range(3)]
    assert index.info().people == 6


def test_re_embedding_is_all_or_nothing(tmp_path: Path) -> None:
    """An embedder that fails half-way leaves the old model; one that does not, the rows a fresh index would have."""
    class Failing(FakeEmbedder):
        left = 3

        def embed(self, poses):  # type: ignore[no-untyped-def]
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return super().embed(poses)

    old, new = FakeEmbedder(), FakeEmbedder("new", "cd" * 32, scale=2.0)
    for i in range(5):
        photo(tmp_path / f"m/photo{i}.png", 2, i)
    video(tmp_path / "m/clip.mp4", 2, 400)
    index = opened(tmp_path / "ix", embedder=old)
    index.add(tmp_path / "m", fps=None)
    before = rows(index)
    with pytest.raises(KeyboardInterrupt):
        opened(tmp_path / "ix", embedder=Failing("new", "cd" * 32)).re_embed()
    assert rows(Index.open(tmp_path / "ix")) == before
    assert index.spaces[0].model == "fake"
    told: list[tuple[float, float, str]] = []
    assert opened(tmp_path / "ix", embedder=new).re_embed(lambda *args: told.append(args)).people == 810
    assert told[-1] == (810, 810, str(tmp_path / "ix")) and [t[0] for t in told] == sorted(t[0] for t in told)
    with pytest.raises(StoreError, match="re_embed"):  # an index that was open meanwhile sees it too
        index.search(tmp_path / "m/photo0.png")
    fresh = opened(tmp_path / "fresh", embedder=new)
    fresh.add(tmp_path / "m", fps=None)
    assert_same(Index.open(tmp_path / "ix"), fresh)
