"""How do building and searching grow with the people? Times, bytes and memory of indices of several sizes, and a plot.

    python -m benchmarks.growth --mocap FILE.npz --dir DIR [--people 1000000 3000000 10000000] [--plot FILE.png]

The people are those of benchmarks/search_million.py: what the shipped model makes of frames of motion capture in random
cameras. Each size is built in a process of its own and kept in DIR, so that it can be measured again. Recall is the
share of the ten people of the highest probability of all that are found.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks._machine import describe
from benchmarks.search_million import build, queries_of, resident_mb, table_embeddings

from samepose.index import Index

EXHAUSTED = 20  # queries whose probabilities of everybody are computed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mocap", type=Path, required=True, help=".npz with `points`, N x 17 x 3, H36M17, y up")
    parser.add_argument("--dir", type=Path, required=True, help="where the indices are kept")
    parser.add_argument("--people", type=int, nargs="+", default=[1_000_000, 3_000_000, 10_000_000])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--build-only", action="store_true")
    args = parser.parse_args()
    print(describe("lancedb", "numpy"))
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


def searched(folder: Path, mocap: Path, number: int) -> dict[str, Any]:
    """Times, memory and recall of one index."""
    embedder, queries = queries_of(mocap, number + 20, 0)
    index = Index.open(folder, embedder=embedder)
    for query in queries[number:]:
        index.search(query)
    times, processor = [], time.process_time()
    for i in range(number):
        start = time.perf_counter()
        index.search(queries[i])
        times.append(1e3 * (time.perf_counter() - start))
    processor = 1e3 * (time.process_time() - processor) / number
    held = resident_mb()
    embedded, (ids, everybody) = embedder.embed(queries[:EXHAUSTED]), table_embeddings(index)
    shared, start = 0, time.perf_counter()
    for i in range(EXHAUSTED):
        scores = embedder.matching.probability(embedded[i], everybody)[0]
        best = {ids[j] for j in np.argpartition(-scores, 10)[:10]}
        shared += len(best & {hit.id for hit in index.search(queries[i], distinct=0)})
    return {"p50_ms": round(float(np.median(times)), 1), "p99_ms": round(float(np.quantile(times, 0.99)), 1),
            "processor_ms": round(processor, 1), "held_mb": round(held), "recall_at_10": shared / 10 / EXHAUSTED,
            "exhaustive_ms": round(1e3 * (time.perf_counter() - start) / EXHAUSTED),
            "load": round(os.getloadavg()[0], 1)}


def plot(found: list[dict[str, Any]], file: Path) -> None:
    """Both axes logarithmic; dotted: in proportion to the people."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    people = np.array([row["people"] for row in found])
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), constrained_layout=True)
    for axis, names, unit in ((axes[0], {"p50_ms": "search, median", "p99_ms": "search, p99"}, "ms"),
                              (axes[1], {"build_processor_s": "build, processor time"}, "s")):
        for colour, (name, label) in zip(("#1f6f8b", "#d1495b"), names.items()):
            values = np.array([row[name] for row in found])
            axis.plot(people, values, "o-", color=colour, label=label)
            axis.plot(people, values[0] * people / people[0], ":", color=colour, label="in proportion")
        axis.set(xscale="log", yscale="log", xlabel="people in the index", ylabel=unit)
        axis.legend(frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    main()
