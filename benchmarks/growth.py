"""How do building and searching grow with the people? Times, bytes and memory of indices of several sizes, and a plot.

    python -m benchmarks.growth --mocap FILE.npz --dir DIR [--people 1000000 3000000 10000000] [--plot FILE.png]
    python -m benchmarks.growth --mocap FILE.npz --dir DIR --bare 10000000 100000000 --people 1000000 [--plot FILE.png]

The people are those of benchmarks/search_million.py: what the shipped model makes of frames of motion capture in random
cameras. Each size is built in a process of its own and kept in DIR, so that it can be measured again. Recall, of
the search by the embedding alone, is the share of the ten people of the highest probability of all that are found.

`--bare` is what a disk too small for all columns allows: a table of ids and ranking vectors alone, drawn from the
largest index of `--people` that is in DIR, each of its people several times, moved at random by a fifth of the standard
deviation of its Gaussian. Only the shortlist is measured, the 200 nearest vectors, of that table and of the indices;
its recall is the share of the ten nearest vectors.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from benchmarks._machine import describe
from benchmarks.search_million import alone, build, queries_of, resident_mb, table_embeddings

from samepose.embed.prvipe import PrVipeEmbedder
from samepose.index import Index
from samepose.index.place import connect
from samepose.index.shortlist import _PROBES
from samepose.index.spaces import Space
from samepose.matching.embeddings import Embeddings

EXHAUSTED = 20  # queries that are compared with everybody
MOST_PARTITIONS = 3162  # of ten million: with 10,000, for 100 million, 24 minutes of a core assigned some 15 %
BARE = pa.schema([("id", pa.int64()), ("rank_keypoints", pa.list_(pa.float32(), 17))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mocap", type=Path, required=True, help=".npz with `points`, N x 17 x 3, H36M17, y up")
    parser.add_argument("--dir", type=Path, required=True, help="where the indices are kept")
    parser.add_argument("--people", type=int, nargs="+", default=[1_000_000, 3_000_000, 10_000_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--build-only", action="store_true")
    parser.add_argument("--bare", type=int, nargs="+", help="so many ids and vectors")
    args = parser.parse_args()
    print(describe("lancedb", "numpy"))
    if args.bare:
        measured = shortlists(args.dir, args.mocap, args.people, args.bare, args.queries)
        if args.plot:
            plot_shortlists(measured, args.plot)
        return
    found: list[dict[str, Any]] = []
    for people in args.people:
        folder = args.dir / str(people)
        if not (folder / "built.json").exists():
            code = "from benchmarks.growth import built; import sys; built(*sys.argv[1:])"
            subprocess.run([sys.executable, "-c", code, str(folder), str(args.mocap), str(people)], check=True)
        if not args.build_only:
            found.append({"people": people, **json.loads((folder / "built.json").read_text()),
                          **searched(folder / "index", args.mocap, args.queries)})
            print(json.dumps(found[-1]), flush=True)
    if args.plot and found:
        plot(found, args.plot)


def built(folder: str, mocap: str, people: str) -> None:
    """Build one index and write down what it took, of this process."""
    start = time.perf_counter()
    Path(folder).mkdir(parents=True, exist_ok=True)
    build(Path(folder) / "index", Path(mocap), int(people), np.random.default_rng(0))
    used = resource.getrusage(resource.RUSAGE_SELF)
    size = sum(file.stat().st_size for file in (Path(folder) / "index").rglob("*") if file.is_file())
    (Path(folder) / "built.json").write_text(json.dumps({
        "build_s": round(time.perf_counter() - start), "build_processor_s": round(used.ru_utime + used.ru_stime),
        "build_peak_mb": round(used.ru_maxrss / 1024), "bytes_a_row": round(size / int(people), 1)}))


def shortlists(root: Path, mocap: Path, people: list[int], bare: list[int], queries: int) -> list[dict[str, Any]]:
    """Build the bare tables that are not there; print a line for each and one for each of the indices."""
    largest = root / str(max(n for n in people if (root / str(n) / "built.json").exists())) / "index"
    measured = [{"people": n, **shortlisted(root / str(n) / "index", mocap, queries)} for n in people]
    for n in bare:
        folder = root / f"{n}-bare"
        if not (folder / "built.json").exists():
            code = "from benchmarks.growth import built_bare; import sys; built_bare(*sys.argv[1:])"
            subprocess.run([sys.executable, "-c", code, str(folder), str(largest), str(n)], check=True)
        facts = json.loads((folder / "built.json").read_text())
        measured.append({"people": n, **facts, **shortlisted(folder / "index", mocap, queries)})
    for row in measured:
        print(json.dumps(row), flush=True)
    return measured


def built_bare(folder: str, source: str, people: str) -> None:
    """Build the bare table and write down what it took."""
    from lancedb.index import IvfFlat

    n, db = int(people), connect(str(Path(folder) / "index"))
    if "people" not in db.list_tables().tables:
        table = db.create_table("people", schema=BARE)
        for rows in drawn(Path(source), n, np.random.default_rng(0)):
            table.add(rows)
    start, table, partitions = time.perf_counter(), db.open_table("people"), min(math.isqrt(n), MOST_PARTITIONS)
    table.create_index("rank_keypoints", config=IvfFlat(distance_type="l2", num_partitions=partitions))
    used = resource.getrusage(resource.RUSAGE_SELF)
    size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    (Path(folder) / "built.json").write_text(json.dumps({
        "partitions": partitions, "index_s": round(time.perf_counter() - start),
        "processor_s": round(used.ru_utime + used.ru_stime), "peak_mb": round(used.ru_maxrss / 1024),
        "bytes_a_row": round(size / n, 1)}))


def drawn(source: Path, people: int, rng: np.random.Generator) -> Iterator[pa.Table]:
    """Millions of ids and vectors like those of an index: its Gaussians, in turn, each moved a little."""
    index, at = Index.open(source, embedder=PrVipeEmbedder.load()), 0
    (space,) = index.spaces
    while at < people:
        batches = index._store.batches(1 << 18, space.columns)
        while batch := list(islice(batches, 8)):
            some = space.embeddings(pa.Table.from_batches(batch))
            some = some[np.arange(min(len(some), people - at))]
            mean = some.mean + 0.2 * np.sqrt(some.var) * rng.standard_normal(some.mean.shape, np.float32)
            vectors = space.vectors(Embeddings(mean, some.var), np.ones(len(some), bool))[space.rank]
            yield pa.table([pa.array(np.arange(at, at + len(some))), vectors], schema=BARE)
            at += len(some)
            if at == people:
                return


def shortlisted(folder: Path, mocap: Path, number: int) -> dict[str, Any]:
    """Times, memory and recall of the store's nearest vectors, as a search asks for them."""
    embedder, queries = queries_of(mocap, number + 20, 0)
    table = connect(str(folder)).open_table("people")
    targets = Space.of("keypoints", embedder).targets(embedder.embed(queries))

    def nearest(i: int, limit: int, exhaustively: bool = False) -> list[int]:
        query = table.search(targets[i], vector_column_name="rank_keypoints").distance_type("l2").limit(limit)
        query = query.select(["id", "_distance"]).nprobes(_PROBES)
        found = (query.bypass_vector_index() if exhaustively else query).to_arrow()
        ids: list[int] = found["id"].to_pylist()
        return ids

    for i in range(number, number + 20):
        nearest(i, 200)
    times = []
    for i in range(number):
        start = time.perf_counter()
        nearest(i, 200)
        times.append(1e3 * (time.perf_counter() - start))
    held = resident_mb()
    shared = sum(len(set(nearest(i, 200)) & set(nearest(i, 10, exhaustively=True))) for i in range(EXHAUSTED))
    p50, p99 = (round(float(np.quantile(times, q)), 1) for q in (0.5, 0.99))
    return {"shortlist_p50_ms": p50, "shortlist_p99_ms": p99, "held_mb": round(held),
            "recall_of_nearest_10": shared / 10 / EXHAUSTED, "load": round(os.getloadavg()[0], 1)}


def searched(folder: Path, mocap: Path, number: int) -> dict[str, Any]:
    """Times, memory and recall of one index."""
    embedder, queries = queries_of(mocap, number + 20, 0)
    index = Index.open(folder, embedder=embedder)
    by_embedding = alone(index, embedder)
    ways: dict[str, list[float]] = {"": [], "alone_": []}
    for i in reversed(range(number + 20)):  # those beyond the number warm it up
        for way, some in zip(ways, (index, by_embedding)):
            start = time.perf_counter()
            some.search(queries[i])
            ways[way].append(1e3 * (time.perf_counter() - start))
    times = {f"{way}p{q}_ms": round(float(np.quantile(ways[way][20:], q / 100)), 1) for way in ways for q in (50, 99)}
    held = resident_mb()
    embedded, (ids, everybody) = embedder.embed(queries[:EXHAUSTED]), table_embeddings(index)
    shared, start = 0, time.perf_counter()
    for i in range(EXHAUSTED):
        scores = embedder.matching.probability(embedded[i], everybody)[0]
        best = {ids[j] for j in np.argpartition(-scores, 10)[:10]}
        shared += len(best & {hit.id for hit in by_embedding.search(queries[i], distinct=0)})
    return {**times, "held_mb": round(held), "recall_at_10": round(shared / 10 / EXHAUSTED, 3),
            "exhaustive_ms": round(1e3 * (time.perf_counter() - start) / EXHAUSTED),
            "load": round(os.getloadavg()[0], 1)}


def plot(found: list[dict[str, Any]], file: Path) -> None:
    """Times of whole searches and of building."""
    _curves(found, ((("p50_ms", "search, median"), ("p99_ms", "search, p99")), "ms"),
            ((("build_processor_s", "build, processor time"),), "s"), file=file)


def plot_shortlists(measured: list[dict[str, Any]], file: Path) -> None:
    """Times of the shortlist, and the memory held after it."""
    _curves(measured, ((("shortlist_p50_ms", "shortlist, median"), ("shortlist_p99_ms", "shortlist, p99")), "ms"),
            ((("held_mb", "memory held"),), "MB"), file=file)


def _curves(found: list[dict[str, Any]], *panels: tuple[tuple[tuple[str, str], ...], str], file: Path) -> None:
    """Both axes logarithmic; dotted: in proportion to the people.

    Args:
        panels: columns with their labels, and their unit.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    people = np.array([row["people"] for row in found])
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), constrained_layout=True)
    for axis, (columns, unit) in zip(axes, panels):
        for colour, (name, label) in zip(("#1f6f8b", "#d1495b"), columns):
            values = np.array([row[name] for row in found])
            axis.plot(people, values, "o-", color=colour, label=label)
            axis.plot(people, values[0] * people / people[0], ":", color=colour, label="in proportion")
        axis.set(xscale="log", yscale="log", xlabel="people in the index", ylabel=unit)
        axis.legend(frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    main()
