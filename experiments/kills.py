"""kill -9 at random moments over everything that changes an index: no row may be lost or doubled.

    python -m experiments.kills [KILLS] [SEED]

Each round copies a whole index (or begins with none), starts one writer (index, re-embed, label, remove, prune,
optimise), and kills it. Then no person and no file may be there twice, and where the call removes nobody, all must be
there. The same call made again must end with exactly the rows of an undisturbed one. Needs POSIX; fails at the first
difference.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from index_fakes import FakeEmbedder, assert_same, impatient, opened, photo, rows, video
from samepose.index import Index

OTHER = FakeEmbedder("other", "cd" * 32, scale=2.0)


def _index(place: Path, media: Path) -> None:
    opened(place, root=media).add(media)


def _re_embed(place: Path, media: Path) -> None:
    opened(place, embedder=OTHER).re_embed()


def _label(place: Path, media: Path) -> None:
    opened(place).label(["clip*", "photo1?.png"], "killed")


def _remove(place: Path, media: Path) -> None:
    opened(place).remove(["clip0.mp4", "photo*.png"])


def _prune(place: Path, media: Path) -> None:
    opened(place, root=media).add(media / "kept", prune=True)


def _optimise(place: Path, media: Path) -> None:
    from samepose.index.upkeep import optimise

    index = opened(place)
    with index._store.writing():
        optimise(index._store, index._store.people)
        optimise(index._store, index._store.media)


CALLS: dict[str, Callable[[Path, Path], None]] = {
    "index": _index, "re-embed": _re_embed, "label": _label, "remove": _remove, "prune": _prune, "optimise": _optimise,
}


def _child(call: Callable[[Path, Path], object], place: Path, media: Path) -> int:
    """A call in a process of its own, for LanceDB does not outlive a fork; exit code 2 when the call gave True."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 2 if call(place, media) else 0
        finally:
            os._exit(code)
    return child


def _apart(call: Callable[[Path, Path], object], place: Path, media: Path) -> bool:
    """What `_child` made of a call, when it is done."""
    code = os.waitstatus_to_exitcode(os.waitpid(_child(call, place, media), 0)[1])
    assert code in (0, 2), "see above"
    return code == 2


def _killed(name: str, start: Path | None, wait: float, place: Path, media: Path) -> bool:
    """Kill one writer and look at what is left; whether it was hit before its end."""
    if start is not None:
        shutil.copytree(start, place)
    child = _child(CALLS[name], place, media)
    time.sleep(wait)
    os.kill(child, signal.SIGKILL)
    hit = os.waitpid(child, 0)[1] != 0
    if Index.exists(place):
        people, found = rows(Index.open(place))
        assert max(Counter(p["id"] for p in people).values(), default=1) == 1, f"{name}: a person twice"
        assert max(Counter(m["path"] for m in found).values(), default=1) == 1, f"{name}: a file twice"
        if name in ("label", "re-embed", "optimise"):
            assert start is not None and {p["id"] for p in people} == _ids(start), f"{name}: rows lost"
    return hit


def _ids(place: Path) -> set[int]:
    return set(map(int, (place / "ids.txt").read_text().split()))


def _prepare(whole: Path, media: Path) -> None:
    """Media, and an index of them that also knows files that have gone from the folder `kept`."""
    for i in range(24):
        photo(media / f"photo{i:02d}.png", i % 4, i)
    for i in range(12):
        photo(media / "kept" / f"gone{i}.png", 2, 30 + i)
    for i in range(2):
        video(media / f"clip{i}.mp4", 3, 60, seed=i)
    index = opened(whole, root=media)
    index.add(media)
    index.label("photo0?.png", "before")
    for i in range(0, 12, 2):
        (media / "kept" / f"gone{i}.png").unlink()
    (whole / "ids.txt").write_text(" ".join(str(p["id"]) for p in rows(index)[0]))


def main(kills: int = 50, seed: int = 0) -> None:
    """Kill so many writers."""
    os.environ["LANCEDB_LOG"] = "error"
    import lancedb  # noqa: F401 - once, before the forks

    import samepose.detection.track  # noqa: F401

    impatient()
    random.seed(seed)
    hits: Counter[str] = Counter()
    rounds, took = 0, {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        media, whole = folder / "media", folder / "whole"
        _apart(_prepare, whole, media)
        starts = {name: None if name == "index" else whole for name in CALLS}
        for name, call in CALLS.items():
            if starts[name] is not None:
                shutil.copytree(whole, folder / name)
            begin = time.perf_counter()
            _apart(call, folder / name, media)
            took[name] = time.perf_counter() - begin
        while sum(hits.values()) < kills:
            name = list(CALLS)[rounds % len(CALLS)]
            wait = random.uniform(0, took[name])
            rounds += 1
            hits[name] += _apart(partial(_killed, name, starts[name], wait), folder / "round", media)
            _apart(CALLS[name], folder / "round", media)
            _apart(partial(_compare, folder / name), folder / "round", media)
            shutil.rmtree(folder / "round")
    for name in CALLS:
        print(f"{name:10}{hits[name]:4} kills, 0 rows lost or doubled, {took[name]:.2f} s undisturbed")
    print(f"{'all':10}{sum(hits.values()):4} kills in {rounds} rounds")


def _compare(undisturbed: Path, place: Path, media: Path) -> None:
    assert_same(Index.open(place), Index.open(undisturbed))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
