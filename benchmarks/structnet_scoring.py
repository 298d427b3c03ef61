"""How long does it take to score a million 3D poses for one picture, all of them and through an index?

    python -m benchmarks.structnet_scoring --people RENDERED [--model FILE.onnx] [--candidates 1000000] [--dir DIR]

The poses are the model's candidates, each turned about the vertical by a random angle and mixed with another one near
it; the pictures are people that `samepose synth` rendered. Baseline: the bare product of as many float32 rows with the
vector (4 GB for a million), on one thread as ours; medians of rounds in which both take turns. The index is LanceDB's
IVF_FLAT by dot product on the 96 directions in which embeddings are largest; its best 200 are scored anew with whole
embeddings. Recall@10 is against all scores.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy starts its own

import numpy as np
from benchmarks._machine import describe, interleaved, medians

from samepose.embed.pose_machine import SIZE
from samepose.lifting.candidates import Candidates
from samepose.lifting.structnet import StructNetModel

_ROUNDS = 15
_DIRECTIONS, _LOOKED_AT = 96, 200


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--dir", type=Path)
    args = parser.parse_args(argv)
    print(describe("numpy", "numba", "lancedb"))
    model = StructNetModel.load(args.model, threads=1)
    images = np.concatenate([model.see_squares(one[None]).embeddings for one in _squares(args.people, args.queries)])
    candidates = many(model, args.candidates, np.random.default_rng(0))
    figures = scoring(candidates, images)
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        figures |= indexed(candidates, images, Path(folder))
    for name, value in figures.items():
        print(f"{name}: {value:.4g}")
    return figures


def many(model: StructNetModel, count: int, rng: np.random.Generator) -> Candidates:
    """Poses of the model in float16, with their embeddings in float16."""
    own = model.candidates.poses
    poses = np.empty((count, 17, 3), np.float16)
    embeddings = np.empty((count, model.candidates.embeddings.shape[1]), np.float16)
    for start in range(0, count, 4_000):
        n = min(4_000, count - start)
        one, other = own[rng.integers(len(own), size=n)], own[rng.integers(len(own), size=n)]
        mixed = one + rng.uniform(0, 0.15, (n, 1, 1)) * (other - one)
        angle = rng.uniform(-np.pi, np.pi, n)
        x, z = mixed[..., 0].copy(), mixed[..., 2].copy()
        mixed[..., 0] = np.cos(angle)[:, None] * x + np.sin(angle)[:, None] * z
        mixed[..., 2] = np.cos(angle)[:, None] * z - np.sin(angle)[:, None] * x
        poses[start : start + n] = mixed
        embeddings[start : start + n] = model.embed_poses(mixed.astype(np.float32))
    return Candidates(poses, embeddings)


def scoring(candidates: Candidates, images: np.ndarray) -> dict[str, float]:
    """All scores of one picture, against the bare product of the same number of rows."""
    z = images[:1].astype(np.float32)
    candidates.best(z, 500)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # without the rows of the baseline
    rows = candidates.embeddings.astype(np.float32)
    bare, every, best = medians(interleaved(
        {"bare": lambda: rows @ z[0], "every": lambda: candidates.scores(z), "best": lambda: candidates.best(z, 500)},
        _ROUNDS)).values()
    return {"bare product of float32 rows, ms": 1e3 * bare, "all scores, ms": 1e3 * every, "ratio": every / bare,
            "all scores and the 500 best, ms": 1e3 * best,
            "embeddings and poses, GB": (candidates.embeddings.nbytes + candidates.poses.nbytes) / 1e9,
            "peak memory, GB": peak}


def indexed(candidates: Candidates, images: np.ndarray, folder: Path) -> dict[str, float]:
    """The ten best by LanceDB's index: time and recall by the number of partitions that are looked into."""
    import lancedb
    import pyarrow as pa

    some = candidates.embeddings[:: max(1, len(candidates) // 50_000)].astype(np.float32)
    basis = np.linalg.eigh(some.T @ some)[1][:, -_DIRECTIONS:]

    def batches() -> Any:
        for start in range(0, len(candidates), 50_000):
            block = candidates.embeddings[start : start + 50_000].astype(np.float32) @ basis
            vectors = pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), block.shape[1])
            yield pa.record_batch([pa.array(np.arange(start, start + len(block))), vectors], ["row", "vector"])

    schema = pa.schema([("row", pa.int64()), ("vector", pa.list_(pa.float32(), basis.shape[1]))])
    table = lancedb.connect(folder).create_table("poses", batches(), schema=schema)
    started = time.perf_counter()
    partitions = max(1, round(len(candidates) ** 0.5))
    table.create_index(metric="dot", vector_column_name="vector", index_type="IVF_FLAT", num_partitions=partitions)
    figures = {"index built in, s": time.perf_counter() - started}
    truth, _ = candidates.best(images, 10)
    for probes in (5, 10, 20, 40, 80):
        found, times = [], []
        for image in images:
            begun = time.perf_counter()
            got = (table.search(image @ basis, vector_column_name="vector").distance_type("dot")
                   .nprobes(probes).select(["row", "_distance"]).limit(_LOOKED_AT).to_arrow())
            rows = got["row"].to_numpy()
            scores = candidates.embeddings[rows].astype(np.float32) @ image
            best = rows[np.argsort(-scores)[:10]]
            times.append(time.perf_counter() - begun)
            found.append(best)
        recall = np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, truth)])
        figures[f"index, {probes} of {partitions} partitions, ms"] = 1e3 * float(np.median(times))
        figures[f"index, {probes} of {partitions} partitions, recall@10"] = float(recall)
    return figures


def _squares(folder: Path, count: int) -> np.ndarray:
    """Squares around rendered people."""
    from samepose.embed.image import boxes_of_joints, square_of
    from samepose.formats.rendered import read_shards

    made = []
    for sample in islice(read_shards(folder), count):
        inside = np.where(sample.inside[:, None], sample.joints_2d - np.float32(0.5), np.nan)
        made.append(square_of(boxes_of_joints(inside[None])[0]).crop(sample.image, SIZE))
    return np.stack(made)


if __name__ == "__main__":
    main()
