"""Search by pixels, 100,000 people of 128 dimensions: time, and recall against ranking everybody.

    python -m benchmarks.search_pixels [--people 100000] [--queries 50]

The vectors are made up: points on the sphere about a curved surface of 24 dimensions, in groups of near-identical ones,
as videos have them. Times are of the search in the index, without embedding the crop of the query.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from samepose.index.options import SearchOptions
from samepose.index.ranking import Route
from samepose.index.schema import Medium, people_batch, with_id
from samepose.index.search import search
from samepose.index.spaces import Space
from samepose.index.store import Store
from samepose.matching.embeddings import Embeddings, Matching
from samepose.poses import Poses
from samepose.skeleton import COCO17

SPACE, MATCHING = Space("pixels", 128, "made-up", "00" * 32, gaussian=False), Matching(8.0, 3.0)
_TRACK = 20  # sightings of a person, one much like the other
_BATCH = 10_000


def points(people: int, rng: np.random.Generator) -> Embeddings:
    """Of `people` sightings."""
    bend, fold = rng.standard_normal((24, 128)) / 4, rng.standard_normal((24, 128))
    latent = rng.standard_normal((people // _TRACK + 1, 24)).repeat(_TRACK, axis=0)[:people]
    latent += 0.2 * rng.standard_normal(latent.shape)
    mean = np.tanh(latent @ bend) * np.cos(latent @ fold / 4) + 0.05 * rng.standard_normal((people, 128))
    mean = (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)
    return Embeddings(mean, np.zeros_like(mean))


def filled(folder: Path, everybody: Embeddings, rng: np.random.Generator) -> Store:
    """An index of these people, each photo with one of them."""
    store = Store.create(str(folder / "index"), [SPACE], folder)
    with store.writing():
        for number, start in enumerate(range(0, len(everybody), _BATCH)):
            own = everybody[start : start + _BATCH]
            medium = with_id(Medium(0, f"{number:04d}.mp4", 1, 1, str(number), "video", 10.0, "made-up",
                                    people=len(own), skeleton="COCO17"), {})
            poses = Poses.of(rng.random((len(own), 17, 2)) * 500, COCO17, times=np.arange(len(own)) / 10)
            vectors = SPACE.vectors(own, np.ones(len(own), bool))
            store.add_people([people_batch(medium, 0, poses, store.people.schema, vectors)])
            store.put_media([medium], key="")
    return store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=50)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    everybody = points(args.people + args.queries, rng)
    queries, everybody = everybody[-args.queries :], everybody[: args.people]
    # As of the same people seen again: the last ones are near nobody, and a search should rank well there as well.
    some = rng.integers(0, args.people, args.queries // 2)
    queries.mean[: len(some)] = everybody.mean[some] + 0.02 * rng.standard_normal((len(some), 128))
    queries.mean[:] /= np.linalg.norm(queries.mean, axis=1, keepdims=True)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        store = filled(Path(folder), everybody, rng)
        print(f"{args.people:,} people, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; built with its index in "
              f"{time.perf_counter() - start:.1f} s: {[i.name for i in store.people.list_indices()]}")
        seconds, computing, shared = [], [], 0
        for q in range(args.queries):
            route = Route(SPACE, MATCHING, queries[q])
            start, cpu = time.perf_counter(), time.process_time()
            hits = search(store, [route], SearchOptions(distinct=0.0))
            seconds.append(time.perf_counter() - start)
            computing.append(time.process_time() - cpu)  # of all threads: what a busy machine does not change
            best = np.argsort(((everybody.mean - queries.mean[q]) ** 2).sum(axis=1))[:10]
            shared += len({(h.path, round((h.time or 0) * 10)) for h in hits}
                          & {(f"{i // _BATCH:04d}.mp4", int(i % _BATCH)) for i in best})
        seconds.sort()
        wall, high, work = 1e3 * np.median(seconds), 1e3 * np.quantile(seconds, 0.9), 1e3 * np.median(computing)
        print(f"search, k=10: median {wall:.1f} ms, least {1e3 * seconds[0]:.1f} ms, 90 % in {high:.1f} ms; computing "
              f"in all threads, median {work:.1f} ms; recall@10 {shared / 10 / args.queries:.4f}")


if __name__ == "__main__":
    main()
