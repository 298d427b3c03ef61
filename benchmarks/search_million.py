"""How fast, how exact and how big is a search among a million people?

    python -m benchmarks.search_million [--people 1000000] [--dir DIR] [--mocap FILE.npz]

Nine tenths of the people are in videos (600 rows each: one person at 10 frames a second), a tenth in photos (two each).
With `--mocap` (an array `points`, N x 17 x 3, H36M17, y up) they are what the shipped model makes of frames in random
cameras, a third of them with 2 to 5 joints hidden, queries too. Without, they are made up: tracks that wander between
2,000 centres, with variances that differ tenfold between people.
Baselines of the same run: LanceDB without a vector index, and the probabilities of everybody in memory.
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
from pathlib import Path

import numpy as np

from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.views import Camera, project_views
from samepose.index import Index, Medium, search
from samepose.index.schema import PEOPLE, embeddings_of, people_batch, vectors_of, with_id
from samepose.matching.embeddings import Embeddings, Matching
from samepose.poses import Poses
from samepose.skeleton import COCO17

VIDEO_ROWS, PHOTO_ROWS, CHUNK = 600, 2, 100_000


class Stub:
    """Stands for the embedder: the embeddings are already there."""

    name, sha256, matching = "benchmark", "0" * 64, Matching(3.0, 2.0)


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


def seen(path: Path, people: int, rng: np.random.Generator, block: int = VIDEO_ROWS) -> Embeddings:
    """Runs of `block` frames of a file from random places, each in a random camera."""
    with np.load(path) as file:
        points = file["points"]
    keypoints = np.empty((people, 13, 2), np.float32)
    for start in range(0, people, block):
        rows = (rng.integers(len(points)) + np.arange(min(block, people - start))) % len(points)
        camera = Camera(rng.uniform(-180, 180), rng.uniform(-30, 30), rng.uniform(-15, 15))
        keypoints[start : start + block] = project_views(points[rows], [camera])[0]
    rank, hide = rng.random((people, 13)).argsort(axis=1), rng.integers(2, 6, (people, 1))
    keypoints[(rank < hide) & (rng.random((people, 1)) < 1 / 3)] = np.nan
    return PrVipeEmbedder.load().embed_keypoints(keypoints)


def media(people: int) -> Iterator[tuple[Medium, int]]:
    """Videos and photos with the number of people in each, as many as it takes."""
    ids: set[int] = set()
    left, n = people, 0
    while left:
        is_video = left > people // 10
        count = min(VIDEO_ROWS if is_video else PHOTO_ROWS, left)
        path = f"videos/{n % 40:02d}/clip{n:05d}.mp4" if is_video else f"photos/{n % 100:02d}/photo{n:06d}.jpg"
        medium = with_id(Medium(0, path, 1, n, f"{n:064x}", "video" if is_video else "image",
                                10.0 if is_video else None, "benchmark", people=count, skeleton="COCO17"), ids)
        ids.add(medium.id)
        yield medium, count
        left, n = left - count, n + 1


def build(folder: Path, embeddings: Embeddings, rng: np.random.Generator) -> None:
    """Write the tables through the library's own schema; its upkeep builds the indices."""
    index = Index.create(folder, Stub(), root=folder.parent)  # type: ignore[arg-type]
    rows = list(media(len(embeddings)))
    with index.writing():
        batches, at, size = [], 0, 0
        for medium, n in rows:
            clip = medium.kind == "video"
            poses = Poses.of(
                rng.uniform(0, 1000, (n, 17, 2)), COCO17, scores=rng.random((n, 17)),
                frames=np.arange(n) * clip, times=np.arange(n) / 10 if clip else None, tracks=np.arange(n) * (not clip),
            )
            batches.append(people_batch(medium, 0, poses, vectors_of(embeddings[at : at + n], np.ones(n, bool))))
            at, size = at + n, size + n
            if size >= CHUNK:
                index.add_people(batches)
                batches, size = [], 0
        index.add_people(batches)
        index.put_media([m for m, _ in rows], key="")


def medians(call: Callable[[int], object], queries: int) -> str:
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


def queries_of(index: Index, mocap: Path | None, n: int, rng: np.random.Generator) -> list[Embeddings]:
    """Fresh views of the file's frames; else people of the table, moved by half their standard deviation.

    Each with another one as its mirror image.
    """
    if mocap:
        some = seen(mocap, 2 * n, rng, block=1)
    else:
        rows = index.people.take_offsets(rng.integers(0, index.people.count_rows(), 2 * n).tolist())
        some = embeddings_of(rows.select(PEOPLE.names).to_arrow())
        noise = rng.standard_normal(some.mean.shape, np.float32)
        some = Embeddings(some.mean + 0.5 * np.sqrt(some.var) * noise, some.var)
    return [some[[2 * i, 2 * i + 1]] for i in range(n)]


def table_embeddings(index: Index) -> tuple[list[str], Embeddings]:
    """Everything, for the exhaustive ranking."""
    from samepose.index.schema import shown_id

    rows = index.people.search().select(["id", "embedding", "variance"]).limit(None).to_arrow()
    return [shown_id(i) for i in rows["id"].to_pylist()], embeddings_of(rows)


def start_to_results(folder: Path, mocap: Path | None) -> float:
    """Seconds from the start of a process to its printed results."""
    code = (
        "import benchmarks.search_million as b; from samepose.index import *\n"
        + ("b.Stub.matching = b.PrVipeEmbedder.load().matching\n" if mocap else "")
        + "import numpy as np; index = Index.open(sys.argv[1], b.Stub()); zero = np.zeros((1, 16), np.float32)\n"
        "print([h.id for h in search(index, b.Embeddings(zero, zero + 0.05))])"
    )
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
    rng = np.random.default_rng(0)
    if args.mocap:
        Stub.matching = PrVipeEmbedder.load().matching
    if args.build:
        embeddings = seen(args.mocap, args.people, rng) if args.mocap else made_up(args.people, rng)
        build(args.dir / "index", embeddings, rng)
        return
    with tempfile.TemporaryDirectory() as temporary:
        measure(args, args.dir or Path(temporary), rng)


def measure(args: argparse.Namespace, folder: Path, rng: np.random.Generator) -> None:
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
          + ", ".join(f"{p} {version(p)}" for p in ("lancedb", "numpy"))
          + f", load {os.getloadavg()[0]:.1f} when it began")
    if not (folder / "index").exists():
        start = time.perf_counter()
        kept = ["--dir", str(folder)] + (["--mocap", str(args.mocap)] if args.mocap else [])
        subprocess.run([sys.executable, __file__, "--build", "--people", str(args.people), *kept], check=True)
        print(f"{'built, with its indices':44s}{time.perf_counter() - start:9.1f} s")
    for text in ("process start to printed results, first", "process start to printed results, again"):
        print(f"{text:44s}{start_to_results(folder / 'index', args.mocap):9.2f} s")
    start = time.perf_counter()
    index = Index.open(folder / "index", Stub())  # type: ignore[arg-type]
    print(f"{'open':44s}{1e3 * (time.perf_counter() - start):9.1f} ms")
    queries = queries_of(index, args.mocap, args.queries, np.random.default_rng(1))
    cases: dict[str, Callable[[int], object]] = {
        "search, k=10": lambda i: search(index, queries[i][:1]),
        "search, k=10, every frame (distinct off)": lambda i: search(index, queries[i][:1], distinct=None),
        "search, mirror also": lambda i: search(index, queries[i], mirror="also"),
        "search, --where of one video": lambda i: search(index, queries[i][:1], where="clip00123.mp4"),
        "search, --where of 1 % in photos": lambda i: search(index, queries[i][:1], where="photos/*7/*"),
        "search, --where of 2 % in videos": lambda i: search(index, queries[i][:1], where="videos/07"),
        "search, --where of 9 %": lambda i: search(index, queries[i][:1], where="videos/*0/*"),
        "search, --where of 90 %": lambda i: search(index, queries[i][:1], where="*.mp4"),
        "search, --from 3 --to 5": lambda i: search(index, queries[i][:1], time_from=3, time_to=5),
    }
    for name, call in cases.items():
        print(f"{name:44s}{medians(call, args.queries)}")
    print(f"{'memory held':44s}{resident_mb():9.0f} MB")
    exhaustive(index, queries)


def exhaustive(index: Index, queries: list[Embeddings]) -> None:
    """Baselines and recall against ranking everything by probability."""
    vectors = [np.append(q.mean[0], np.float32(0)) for q in queries]

    def flat(i: int) -> object:
        return (index.people.search(vectors[i], vector_column_name="embedding").bypass_vector_index().limit(200)
                .select(["id", "_distance"]).to_arrow())

    print(f"{'baseline: LanceDB scan, 200 ids':44s}{medians(flat, min(20, len(queries)))}")
    ids, everything = table_embeddings(index)
    best: dict[int, set[str]] = {}

    def exhaust(i: int) -> None:
        scores = Stub.matching.probability(queries[i][:1], everything)[0]
        best[i] = {ids[j] for j in np.argpartition(-scores, 10)[:10]}

    print(f"{'baseline: all probabilities, in memory':44s}{medians(exhaust, len(queries))}")
    shared = sum(len(best[i] & {h.id for h in search(index, q[:1], distinct=None)}) for i, q in enumerate(queries))
    print(f"{'recall@10 against all probabilities':44s}{shared / 10 / len(queries):9.4f}")


if __name__ == "__main__":
    main()
