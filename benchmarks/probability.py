"""How much faster and how exact is the closed-form matching probability, and what does embedding cost?

    python -m benchmarks.probability [--mocap poses.npz] [--rounds 9] [--quick]

Four targets: against the paper's 20 x 20 Monte Carlo on the same backend (numba) and threads, sampling included, at
least 50 times faster per pair and nearer to 20,000 samples; all pairs of 10,000 x 10,000 at most 3 times the faster of
scipy's cdist and numpy's distance matrix; 100 times faster than our Procrustes and 500 times faster than batched SVD;
embedding 100,000 poses within 1.3 times the bare matrix products, and one pose within 0.25 ms. Embeddings: the shipped
model's on views of `--mocap` (an array `points` (N, 17, 3)) or of made-up poses. All libraries use all the cores of
the process.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import numpy as np
import onnx
from benchmarks._machine import Clock, cores, describe, interleaved, medians, verdict
from benchmarks.procrustes import numpy_svd, torch_svd
from numba import njit, prange
from scipy.spatial.distance import cdist

from samepose.embed.prvipe import _BATCH, PrVipeEmbedder
from samepose.geometry.camera import centred, project
from samepose.geometry.procrustes import np_mpjpe_matrix
from samepose.matching._kernel import exp
from samepose.matching.embeddings import Embeddings, Matching
from samepose.skeleton import BODY13, H36M17
from samepose.weights import weight_file

Calls = dict[str, Callable[[], object]]
SAMPLES, TRUTH = 20, 20_000
COLUMNS = SAMPLES * 40  # samples side by side
LIMIT, ONE, TWO = np.float32(40), np.float32(1), np.float32(2)


@njit(fastmath=True, error_model="numpy", cache=True)
def add_sigmoids(x, own, others, squares, a, b, distances, total):  # type: ignore[no-untyped-def]
    """One sample against a row of samples: sigmoid(b - a |x - y|) added to `total`; plain vectorised arithmetic."""
    for j in range(len(total)):
        distances[j] = own + squares[j]
    for d in range(0, len(x), 4):
        x0, x1, x2, x3 = -TWO * x[d], -TWO * x[d + 1], -TWO * x[d + 2], -TWO * x[d + 3]
        for j in range(len(total)):
            distances[j] += x0 * others[d, j] + x1 * others[d + 1, j] + x2 * others[d + 2, j] + x3 * others[d + 3, j]
    for j in range(len(total)):
        total[j] += ONE / (ONE + exp(a * math.sqrt(max(distances[j], np.float32(0))) - b, LIMIT))


@njit(fastmath=True, error_model="numpy", cache=True)
def one_query(x, squares_x, y, squares_y, a, b, out):  # type: ignore[no-untyped-def]
    distances, total = np.empty(COLUMNS, np.float32), np.empty(COLUMNS, np.float32)
    for t in range(len(y)):
        total[:] = 0
        for k in range(len(x)):
            add_sigmoids(x[k], squares_x[k], y[t], squares_y[t], a, b, distances, total)
        first = t * COLUMNS // SAMPLES
        for j in range(min(COLUMNS // SAMPLES, len(out) - first)):
            out[first + j] = total[j * SAMPLES : (j + 1) * SAMPLES].sum() / np.float32(SAMPLES * SAMPLES)


@njit(parallel=True, fastmath=True, error_model="numpy", cache=True)
def sampled_pairs(x, squares_x, y, squares_y, a, b, out):  # type: ignore[no-untyped-def]
    for i in prange(len(x)):
        one_query(x[i], squares_x[i], y, squares_y, a, b, out[i])


def monte_carlo(matching: Matching, query: Embeddings, other: Embeddings, rng: np.random.Generator) -> np.ndarray:
    """The paper's estimate for all pairs: 20 draws of each embedding, the mean over all 20 x 20 distances."""
    x, y = (e.mean[:, None] + np.sqrt(e.var)[:, None]
            * rng.standard_normal((len(e), SAMPLES, e.mean.shape[1]), np.float32) for e in (query, other))
    tiles = -(-len(other) * SAMPLES // COLUMNS)
    padded = np.zeros((tiles * COLUMNS, y.shape[2]), np.float32)
    padded[: len(other) * SAMPLES] = y.reshape(-1, y.shape[2])
    columns = np.ascontiguousarray(padded.reshape(tiles, COLUMNS, -1).transpose(0, 2, 1))
    out = np.empty((len(query), len(other)), np.float32)
    sampled_pairs(x, (x * x).sum(-1), columns, (columns * columns).sum(1), np.float32(matching.a),
                  np.float32(matching.b), out)
    return out


def many_samples(matching: Matching, query: Embeddings, other: Embeddings, rng: np.random.Generator) -> np.ndarray:
    """Row by row, from independent pairs of draws: the reference for the errors."""
    truth = []
    for i in range(len(query)):
        x, y = (e.mean[i] + np.sqrt(e.var[i]) * rng.standard_normal((TRUTH, e.mean.shape[1])) for e in (query, other))
        truth.append((1 / (1 + np.exp(matching.a * np.linalg.norm(x - y, axis=1) - matching.b))).mean())
    return np.array(truth)


def numpy_distances(query: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Euclidean, by one matrix product, in place."""
    out = query @ other.T
    out *= -2
    out += (query * query).sum(1)[:, None]
    out += (other * other).sum(1)
    np.maximum(out, 0, out=out)
    return np.sqrt(out, out=out)


def bodies(path: str | None, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 17, 3) poses with the pelvis at the origin and the torso about 1 long."""
    if path:
        with np.load(path) as file:
            points = file["points"]
        points = points[rng.integers(0, len(points), n)]
    else:
        points = np.linspace((-0.3, 0, -0.1), (0.4, 1.7, 0.15), 17) + rng.normal(0, 0.25, (n, 17, 3))
    points = centred(points.astype(np.float32))
    return points / np.linalg.norm(points[:, H36M17.index("thorax")], axis=1)[:, None, None]


def views(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """BODY13 keypoints (n, 13, 2) of each body in a camera of its own; the upper neck stands for the nose."""
    angles = [rng.uniform(-limit, limit, len(points)).astype(np.float32) for limit in (np.pi, 0.5, 0.2)]
    image = project(points, *angles, np.full(len(points), 8, np.float32))
    joints = [H36M17.index({"nose": "neck"}.get(j, j)) for j in BODY13.joints]
    return image[:, joints].astype(np.float32)


def accuracy(matching: Matching, first: Embeddings, second: Embeddings, rng: np.random.Generator) -> None:
    """Two views of one pose, and views of different poses, half each."""
    n = len(first)
    order = np.where(np.arange(n) < n // 2, np.arange(n), rng.permutation(n))
    second = second[order]
    truth = many_samples(matching, first, second, rng)
    errors = {
        "closed form": matching.probability_rows(first, second) - truth,
        "20 x 20 Monte Carlo": np.diagonal(monte_carlo(matching, first, second, rng)) - truth,
    }
    print(f"{n} pairs, P from {truth.min():.3f} to {truth.max():.3f}, half of them one pose in two views")
    for name, error in errors.items():
        size = np.abs(error)
        print(f"  error of {name:<22} mean {size.mean():.4f}   99th percentile {np.quantile(size, 0.99):.4f}")
    closed, sampled = (np.abs(e).mean() for e in errors.values())
    print(verdict("error, Monte Carlo / closed form", sampled / closed, 1, most=False))


def layers() -> list[tuple[int, int]]:
    """(inputs, outputs) of the shipped model's matrix products, in order."""
    model = onnx.load(weight_file("prvipe"))
    return [(w.dims[0], w.dims[1]) for w in model.graph.initializer if len(w.dims) == 2]


def products(sizes: list[tuple[int, int]], n: int, batch: int, rng: np.random.Generator) -> Callable[[], None]:
    """The same products of float32 matrices in numpy and nothing else."""
    weights = [rng.standard_normal(size, np.float32) for size in sizes]
    rows = {size[0]: rng.standard_normal((min(n, batch), size[0]), np.float32) for size in sizes}
    results = {size: np.empty((min(n, batch), size[1]), np.float32) for size in sizes}

    def run() -> None:
        for start in range(0, n, batch):
            count = min(batch, n - start)
            for w in weights:
                np.matmul(rows[w.shape[0]][:count], w, out=results[w.shape][:count])

    return run


def report(seconds: dict[str, list[float]], count: int) -> dict[str, float]:
    """Print medians; nanoseconds for each of `count` pairs or poses, by name."""
    each = {name: 1e9 * s / count for name, s in medians(seconds).items()}
    for name, ns in each.items():
        print(f"  {name:<48}{1e-6 * ns * count:10.1f} ms{ns:12.2f} ns each")
    return each


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mocap")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it runs, says nothing about speed")
    parser.add_argument("--cpu-time", action="store_true", help="for a busy machine: run it as `taskset -c 0 python …`")
    args = parser.parse_args(argv)
    clock = time.process_time if args.cpu_time else time.perf_counter
    rounds, quick = (1, True) if args.quick else (args.rounds, False)
    rng = np.random.default_rng(0)
    all_n, mc_n, few, poses_n, truth_n = (600, 60, 20, 3000, 20) if quick else (10_000, 1000, 200, 100_000, 600)
    print(describe("numpy", "scipy", "numba", "onnxruntime", "torch"))
    embedder = PrVipeEmbedder.load(threads=cores())
    matching = Matching(embedder.matching.a, embedder.matching.b)  # samples know no calibration
    points = bodies(args.mocap, poses_n, rng)
    keypoints = [views(points, rng) for _ in range(2)]
    first, second = (embedder.embed_keypoints(k[:all_n]) for k in keypoints)
    print(f"model {embedder.name}, {'mocap' if args.mocap else 'made-up'} poses; medians of {rounds} interleaved rounds"
          + ", processor time" * args.cpu_time)
    accuracy(matching, first[:truth_n], second[:truth_n], rng)

    some, (mean_1, mean_2) = [e[:mc_n] for e in (first, second)], (first.mean, second.mean)
    bones = [p.astype(np.float32) for p in (points[:few], points[few : 2 * few])]
    calibrated = Matching(matching.a, matching.b, 1.3, -0.2)
    matrices: Calls = {
        "closed form": lambda: matching.probability(first, second),
        "closed form, calibrated": lambda: calibrated.probability(first, second),
        "scipy cdist": lambda: cdist(mean_1, mean_2),
        "numpy distances": lambda: numpy_distances(mean_1, mean_2),
    }
    sampled: Calls = {
        "20 x 20 Monte Carlo": lambda: monte_carlo(matching, *some, rng),
        "closed form, as many pairs": lambda: matching.probability(*some),
    }
    procrustes: Calls = {
        "NP-MPJPE (np_mpjpe_matrix)": lambda: np_mpjpe_matrix(*bones),
        "SVD (numpy)": lambda: numpy_svd(*bones),
        "SVD (torch)": lambda: torch_svd(*bones),
    }
    each: dict[str, float] = {}
    for calls, n, times in ((matrices, all_n, rounds), (sampled, mc_n, rounds), (procrustes, few, 1 + rounds // 3)):
        each |= report(interleaved(calls, times, clock), n * n)
    ours = each["closed form"]
    print(verdict("Monte Carlo / closed form, per pair",
                  each["20 x 20 Monte Carlo"] / each["closed form, as many pairs"], 50, most=False))
    print(verdict(f"{all_n} x {all_n}: closed form / faster distance matrix",
                  ours / min(each["scipy cdist"], each["numpy distances"]), 3))
    print(verdict("NP-MPJPE / closed form, per pair", each["NP-MPJPE (np_mpjpe_matrix)"] / ours, 100, most=False))
    print(verdict("faster batched SVD / closed form, per pair",
                  min(each["SVD (numpy)"], each["SVD (torch)"]) / ours, 500, most=False))
    embedding(embedder, keypoints[0], rounds, rng, clock)


def embedding(
    embedder: PrVipeEmbedder, keypoints: np.ndarray, rounds: int, rng: np.random.Generator, clock: Clock
) -> None:
    """`PrVipeEmbedder.embed_keypoints` against the products of its layers, by the better of two batch sizes."""
    n, sizes = len(keypoints), layers()
    calls: Calls = {
        f"embedding {n} poses": lambda: embedder.embed_keypoints(keypoints),
        f"products alone, {_BATCH} rows": products(sizes, n, _BATCH, rng),
        f"products alone, {n} rows": products(sizes, n, n, rng),
    }
    whole, *bare = report(interleaved(calls, rounds, clock), n).values()
    print(verdict("embedding / bare matrix products", whole / min(bare), 1.3))
    for threads in (1, cores()):
        times = 1000 * seconds_each(PrVipeEmbedder.load(threads=threads), keypoints[:1], 100 * rounds)
        print(f"one pose, {threads} threads: {np.median(times):.3f} ms in the median, {np.percentile(times, 10):.3f} "
              "in the best tenth (aim: 0.25)")


def seconds_each(embedder: PrVipeEmbedder, keypoints: np.ndarray, count: int) -> np.ndarray:
    """Wall times of embedding the same once more."""
    times = np.empty(count)
    for k in range(count):
        began = time.perf_counter()
        embedder.embed_keypoints(keypoints)
        times[k] = time.perf_counter() - began
    return times


if __name__ == "__main__":
    main()
