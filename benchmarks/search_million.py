"""How fast, how exact and how big is a search among a million people?

    python -m benchmarks.search_million [--people 1000000] [--dir DIR] [--mocap FILE.npz]

Nine tenths of the people are in videos (600 rows each: one person at 10 frames a second), a tenth in photos (two each).
With `--mocap` (an array `points`, N x 17 x 3, H36M17, y up) they are what the shipped model makes of frames in random
cameras, a third of them with 2 to 5 joints hidden, queries too. Without, they are made up: tracks that wander between
2,000 centres, with variances that differ tenfold between people.
Baselines of the same run: LanceDB's own query for the ten nearest means, with and without a vector index, and the
probabilities of everybody in memory.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from itertools import count
from pathlib import Path

import numpy as np
from benchmarks._machine import interleaved, medians, verdict

from samepose.embed import Embedder
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.views import Camera, project_views
from samepose.index import Index
from samepose.index.schema import shown_id
from samepose.index.shortlist import _PROBES
from samepose.matching.embeddings import Embeddings, Matching
from samepose.matching.moment import MomentMatching
from samepose.poses import Poses
from samepose.skeleton import BODY13, COCO17

VIDEO_ROWS, PHOTO_ROWS = 600, 2


class Stub:
    """Stands for the embedder: looks the embeddings up. A pose's nose says which: x = number + 1, negative in a mirror;
    y = 1 for the queries, of which every second one is the mirror image of the one before."""

    name, sha256, dimensions, joint_score, min_joints = "benchmark", "0" * 64, 16, 0.0, 0
    matching = Matching(3.0, 2.0)
    moment = MomentMatching((0.3,), ((1.0, 1.0),), ((0.0, 0.0),))

    def __init__(self, people: Embeddings | None = None, queries: Embeddings | None = None) -> None:
        self.people, self.queries = people, queries

    def searchable(self, poses: Poses) -> np.ndarray:
        return np.ones(len(poses), bool)

    def embed(self, poses: Poses) -> Embeddings:
        number, query = poses.points[:, 0, 0], poses.points[:, 0, 1] == 1
        at = np.abs(number).astype(int) - 1
        if query.all() and self.queries is not None:
            return self.queries[2 * at + (number < 0)]
        assert self.people is not None and not query.any()
        return self.people[at]


def made_up(people: int, rng: np.random.Generator) -> Embeddings:
    """Tracks of VIDEO_ROWS that pass a centre every six seconds."""
    centres = rng.standard_normal((2000, 16)).astype(np.float32)
    tracks, step = -(-people // VIDEO_ROWS), np.arange(VIDEO_ROWS) / 60
    stops = rng.integers(0, len(centres), (tracks, int(step[-1]) + 2))
    part = (step - step.astype(int)).astype(np.float32)[:, None]
    mean = centres[stops[:, step.astype(int)]] * (1 - part) + centres[stops[:, step.astype(int) + 1]] * part
    mean = mean.reshape(-1, 16)[:people] + 0.1 * rng.standard_normal((people, 16), np.float32)
    spread = rng.normal(-3, 0.6, (people, 1)) + rng.normal(0, 0.4, (people, 16))
    return Embeddings(mean.astype(np.float32), np.exp(spread).astype(np.float32))


def seen(path: Path, people: int, rng: np.random.Generator, block: int = VIDEO_ROWS) -> np.ndarray:
    """Keypoints (N, 13, 2) of runs of `block` frames of a file from random places, each in a random camera."""
    with np.load(path) as file:
        points = file["points"]
    keypoints = np.empty((people, 13, 2), np.float32)
    for start in range(0, people, block):
        rows = (rng.integers(len(points)) + np.arange(min(block, people - start))) % len(points)
        camera = Camera(rng.uniform(-180, 180), rng.uniform(-30, 30), rng.uniform(-15, 15))
        keypoints[start : start + block] = project_views(points[rows], [camera])[0]
    rank, hide = rng.random((people, 13)).argsort(axis=1), rng.integers(2, 6, (people, 1))
    keypoints[(rank < hide) & (rng.random((people, 1)) < 1 / 3)] = np.nan
    return keypoints


def numbered(n: int, rng: np.random.Generator, query: bool = False) -> np.ndarray:
    """Keypoints (n, 17, 2) that `Stub` knows the embeddings of."""
    points = 1000 * rng.random((n, 17, 2), np.float32)
    points[:, 0, 0], points[:, 0, 1] = np.arange(1, n + 1), query
    return points


def media(people: int) -> Iterator[tuple[str, bool, int]]:
    """Path, is it a video, and number of people, of as many videos and photos as it takes."""
    left, n = people, 0
    while left:
        is_video = left > people // 10
        count = min(VIDEO_ROWS if is_video else PHOTO_ROWS, left)
        yield (f"videos/{n % 40:02d}/clip{n:05d}.mp4" if is_video else f"photos/{n % 100:02d}/photo{n:06d}.jpg",
               is_video, count)
        left, n = left - count, n + 1


def build(folder: Path, mocap: Path | None, people: int, rng: np.random.Generator) -> None:
    """Add everybody through `Index.add`, whose upkeep builds the indices."""
    embedder = PrVipeEmbedder.load() if mocap else Stub(made_up(people, rng))
    points = seen(mocap, people, rng) if mocap else numbered(people, rng)
    index = Index.open(folder, create=True, root=folder.parent, embedder=embedder)
    skeleton = BODY13 if mocap else COCO17
    names: list[str] = []
    parts: list[Poses] = []
    at = 0
    for path, clip, n in media(people):
        parts.append(Poses.of(
            points[at : at + n], skeleton, scores=rng.uniform(0.3, 1, (n, len(skeleton))) if clip else None,
            frames=np.arange(n) * clip, times=np.arange(n) / 10 if clip else None, tracks=np.arange(n) * (not clip),
        ))
        names += [str(folder.parent / path)] * n
        at += n
    index.add(*parts, name=names)  # at once: the indices then hold everybody


def timed(call: Callable[[int], object], queries: int) -> str:
    """Median and quantiles of the wall time, and the mean processor time, after a warm-up of five."""
    for i in range(min(5, queries)):
        call(i)
    times, processor = [], time.process_time()
    for i in range(queries):
        start = time.perf_counter()
        call(i)
        times.append(1e3 * (time.perf_counter() - start))
    processor = 1e3 * (time.process_time() - processor) / queries
    low, high = np.quantile(times, [0.1, 0.9])
    return f"{np.median(times):9.1f} ms   (p10 {low:.1f}, p90 {high:.1f}, processor {processor:.1f})"


def resident_mb() -> float:
    """Memory this process holds now, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def queries_of(mocap: Path | None, n: int, people: int) -> tuple[Embedder, Poses]:
    """Fresh views of the file's frames, and the shipped embedder; else people of the index, moved by half their
    standard deviation, each with another one as its mirror image, and an embedder that knows them."""
    rng = np.random.default_rng(1)
    if mocap:
        return PrVipeEmbedder.load(), Poses.of(seen(mocap, n, rng, block=1), BODY13)
    everybody = made_up(people, np.random.default_rng(0))
    some = everybody[rng.integers(0, people, 2 * n)]
    moved = some.mean + 0.5 * np.sqrt(some.var) * rng.standard_normal(some.mean.shape, np.float32)
    return Stub(everybody, Embeddings(moved, some.var)), Poses.of(numbered(n, rng, query=True), COCO17)


def alone(index: Index, embedder: Embedder) -> Index:
    """The same index, searched by the embedding alone, without the second look at two views together."""
    if isinstance(embedder, PrVipeEmbedder):
        embedder = PrVipeEmbedder(embedder._network, embedder.info, embedder.sha256)
    return Index.open(index._store.uri, embedder=embedder)


def table_embeddings(index: Index) -> tuple[list[str], Embeddings]:
    """Everything, for the exhaustive ranking: behind the door."""
    (space,), store = index.spaces, index._store
    rows = store.people.search().select(["id", *space.columns]).limit(None).to_arrow()
    return [shown_id(i) for i in rows["id"].to_pylist()], space.embeddings(rows)


def start_to_results(folder: Path, mocap: Path | None) -> float:
    """Seconds from the start of a process to its printed results."""
    code = ("import sys, benchmarks.search_million as b; from pathlib import Path\n"
            f"embedder, queries = b.queries_of({f'Path({str(mocap)!r})' if mocap else None}, 1, 1000)\n"
            "print([h.id for h in b.Index.open(sys.argv[1], embedder=embedder).search(queries)])")
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True,
                   cwd=Path(__file__).parent.parent)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--dir", type=Path, help="keep the table here and use it again")
    parser.add_argument("--mocap", type=Path)
    parser.add_argument("--build", action="store_true", help="build only (what the run does in a process of its own)")
    args = parser.parse_args()
    if args.build:
        build(args.dir / "index", args.mocap, args.people, np.random.default_rng(0))
        return
    with tempfile.TemporaryDirectory() as temporary:
        measure(args, args.dir or Path(temporary))


def measure(args: argparse.Namespace, folder: Path) -> None:
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
          + ", ".join(f"{p} {version(p)}" for p in ("lancedb", "numpy"))
          + f", load {os.getloadavg()[0]:.1f} when it began")
    if not (folder / "index").exists():
        start = time.perf_counter()
        kept = ["--dir", str(folder)] + (["--mocap", str(args.mocap)] if args.mocap else [])
        subprocess.run([sys.executable, "-m", "benchmarks.search_million", "--build", "--people", str(args.people),
                        *kept], check=True)
        print(f"{'built, with its indices':44s}{time.perf_counter() - start:9.1f} s")
    for text in ("process start to printed results, first", "process start to printed results, again"):
        print(f"{text:44s}{start_to_results(folder / 'index', args.mocap):9.2f} s")
    embedder, queries = queries_of(args.mocap, args.queries, args.people)
    start = time.perf_counter()
    index = Index.open(folder / "index", embedder=embedder)
    print(f"{'open':44s}{1e3 * (time.perf_counter() - start):9.1f} ms")
    by_embedding = alone(index, embedder)
    cases: dict[str, Callable[[int], object]] = {
        "search, k=10": lambda i: index.search(queries[i]),
        "search, k=10, by the embedding alone": lambda i: by_embedding.search(queries[i]),
        "search, k=10, every frame (distinct off)": lambda i: index.search(queries[i], distinct=0),
        "search, mirror also": lambda i: index.search(queries[i], mirror="also"),
        "search, --where of one video": lambda i: index.search(queries[i], where="clip00123.mp4"),
        "search, --where of 1 % in photos": lambda i: index.search(queries[i], where="photos/*7/*"),
        "search, --where of 2 % in videos": lambda i: index.search(queries[i], where="videos/07"),
        "search, --where of 9 %": lambda i: index.search(queries[i], where="videos/*0/*"),
        "search, --where of 90 %": lambda i: index.search(queries[i], where="*.mp4"),
        "search, --from 3 --to 5": lambda i: index.search(queries[i], time_from=3, time_to=5),
    }
    best = [next((hit.id for hit in index.search(query, k=20) if hit.time is not None), None) for query in queries]
    people = [id for id in best if id is not None]
    cases |= {
        "search by a person in a video, frame alone": lambda i: index.search(people[i % len(people)], moment=0),
        "search by a person in a video, moment": lambda i: index.search(people[i % len(people)]),
    }
    for name, call in cases.items():
        print(f"{name:44s}{timed(call, args.queries)}")
    print(f"{'memory held':44s}{resident_mb():9.0f} MB")
    against_bare(index, by_embedding, queries)
    exhaustive(by_embedding, queries)


def against_bare(index: Index, by_embedding: Index, queries: Poses) -> None:
    """The whole call against the store's query alone: ten nearest means through the vector index, all columns."""
    (space,), embedded = index.spaces, index.embedder.embed(queries)
    targets = space.targets(embedded)

    def bare(i: int) -> object:
        query = index._store.people.search(targets[i], vector_column_name=space.rank).distance_type("l2")
        return query.nprobes(_PROBES).limit(10).to_arrow()

    def in_turn(call: Callable[[int], object]) -> Callable[[], object]:
        number = count()
        return lambda: call(next(number) % len(queries))

    turns = {"bare": in_turn(bare), "search": in_turn(lambda i: index.search(queries[i])),
             "mirrored": in_turn(lambda i: index.search(queries[i], mirror="also")),
             "alone": in_turn(lambda i: by_embedding.search(queries[i]))}
    found = medians(interleaved(turns, 3 * len(queries)))
    print(f"{'baseline: LanceDB, 10 rows, all columns':44s}{1e3 * found['bare']:9.1f} ms   in turn with search "
          f"{1e3 * found['search']:.1f}, mirror also {1e3 * found['mirrored']:.1f}, by the embedding alone "
          f"{1e3 * found['alone']:.1f}")
    print(verdict("search, k=10, of that", found["search"] / found["bare"], 1.5))
    print(verdict("search, mirror also, of that", found["mirrored"] / found["bare"], 2))


def exhaustive(index: Index, queries: Poses) -> None:
    """Baselines and recall, of the search by the embedding alone, against ranking everything by probability."""
    (space,), embedded = index.spaces, index.embedder.embed(queries)

    def flat(i: int) -> object:
        return index._store.nearest(space.rank, space.targets(embedded[i]), ["id", "_distance"], 200, scan=True)

    print(f"{'baseline: LanceDB scan, 200 ids':44s}{timed(flat, min(20, len(queries)))}")
    ids, everything = table_embeddings(index)
    best: dict[int, set[str]] = {}

    def exhaust(i: int) -> None:
        scores = index.embedder.matching.probability(embedded[i], everything)[0]
        best[i] = {ids[j] for j in np.argpartition(-scores, 10)[:10]}

    print(f"{'baseline: all probabilities, in memory':44s}{timed(exhaust, len(queries))}")
    shared = sum(len(best[i] & {h.id for h in index.search(queries[i], distinct=0)}) for i in range(len(queries)))
    print(f"{'recall@10 against all probabilities':44s}{shared / 10 / len(queries):9.4f}")


if __name__ == "__main__":
    main()
