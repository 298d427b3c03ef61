"""How many requests, and how long, does a search of an index on an object store take?

    python -m benchmarks.remote_search [--people 100000] [--delay 0.02]

The people are made up, as in benchmarks/search_million.py; the store is moto's S3 on this machine, behind a proxy that
counts requests and answers each after a delay. A search within two seconds of the one before does not ask whether the
index has changed; after that it does. Every query is new, so other partitions of the vector index are read each time.
Then the same with a copy of the index on this machine's disk (`Index.open(…, copies=FOLDER)`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from benchmarks._machine import describe
from benchmarks.search_million import build, queries_of

from samepose.index import Index
from samepose.index.store import _STALE

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from object_store import ObjectStore, object_store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds before each answer")
    args = parser.parse_args()
    print(describe("lancedb", "moto"))
    with tempfile.TemporaryDirectory() as temporary, object_store() as store:
        folder = Path(temporary) / "index"
        build(folder, None, args.people, np.random.default_rng(0))
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                store.put(f"bucket/index/{file.relative_to(folder).as_posix()}", file)
        os.environ.update(store.environment())
        store.delay = args.delay
        embedder, queries = queries_of(None, args.queries, args.people)
        index = Index.open("s3://bucket/index", embedder=embedder)
        for k in range(5):
            index.search(queries[k])
        rest = range(5, args.queries)
        told("new queries, at once", [counted(store, index, queries[k], 0) for k in rest])
        told("the same queries again", [counted(store, index, queries[k], 0) for k in rest])
        told("new queries, after two seconds", [counted(store, index, queries[k], 1.1 * _STALE) for k in range(5, 15)])
        before, start = len(store.requests), time.perf_counter()
        index = Index.open("s3://bucket/index", embedder=embedder, copies=Path(temporary) / "copies")
        took = time.perf_counter() - start
        print(f"a copy on the disk: {len(store.requests) - before} requests, {took:.1f} s to make it")
        for k in range(5):
            index.search(queries[k])
        told("copy: new queries, at once", [counted(store, index, queries[k], 0) for k in rest])
        told("copy: new queries, after two seconds",
             [counted(store, index, queries[k], 1.1 * _STALE) for k in range(5, 15)])


def counted(store: ObjectStore, index: Index, query: object, wait: float) -> tuple[int, int, float]:
    """Requests, those of them for files of indices, and milliseconds of one search."""
    time.sleep(wait)
    before, start = len(store.requests), time.perf_counter()
    index.search(query)  # type: ignore[arg-type]
    took, made = 1e3 * (time.perf_counter() - start), store.requests[before:]
    return len(made), sum("/_indices/" in path for _, path in made), took


def told(name: str, found: list[tuple[int, int, float]]) -> None:
    """One line: medians and largest."""
    requests, indices, times = zip(*found)
    print(f"{name:38s}{statistics.median(requests):6.0f} requests ({max(requests)} at most; "
          f"{statistics.median(indices):.0f} for indices)"
          f"{statistics.median(times):9.1f} ms ({max(times):.1f} at most)")


if __name__ == "__main__":
    main()
