"""How fast is dynamic time warping with its path, against the fastest permissive libraries on the same matrix?

    python -m benchmarks.dtw [--rounds 101] [--length 500] [--quick]

The target: two clips of 500 frames, warm, in processor time, at least as fast as the fastest of those installed that
take a matrix of distances, compute exactly, return the path, and may be used freely: tslearn (BSD), librosa (ISC). All
give the same total. Also the mean along the path without the path, which recognition uses.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from benchmarks._machine import describe, interleaved, medians, verdict

from samepose.embed.prvipe import PrVipeEmbedder
from samepose.poses import Poses
from samepose.sequences.clip import Clip, clip_of
from samepose.sequences.distance import frame_distances
from samepose.sequences.dtw import dtw, dtw_mean
from samepose.skeleton import BODY13

OURS = "samepose dtw"
Solve = Callable[[np.ndarray], tuple[float, int]]


def libraries() -> dict[str, Solve]:
    """Name -> the total and the number of pairs of a path, by each library that is installed."""
    found: dict[str, Solve] = {}
    if find_spec("tslearn"):
        from tslearn.metrics import dtw_path_from_metric

        def by_tslearn(d: np.ndarray) -> tuple[float, int]:
            path, cost = dtw_path_from_metric(d, metric="precomputed")
            return float(cost), len(path)

        found["tslearn"] = by_tslearn
    if find_spec("librosa"):
        from librosa.sequence import dtw as librosa_dtw

        def by_librosa(d: np.ndarray) -> tuple[float, int]:
            cost, path = librosa_dtw(C=d, backtrack=True)
            return float(cost[-1, -1]), len(path)

        found["librosa"] = by_librosa
    return found


def by_samepose(d: np.ndarray) -> tuple[float, int]:
    path = dtw(d)
    return path.total, len(path.pairs)


def clips(length: int, embedder: PrVipeEmbedder) -> tuple[Clip, Clip]:
    """Two made-up movements: joints on smooth random ways, the second the first at another pace and with noise."""
    rng = np.random.default_rng(0)
    knots = rng.normal(0, 40, (length // 20 + 4, 13, 2)).cumsum(axis=0) * 0.3 + rng.normal(200, 60, (13, 2))
    made = []
    for warp in (1.0, 1.2):
        at = np.linspace(0, 1, length) ** warp * (len(knots) - 1)
        low = np.minimum(at.astype(int), len(knots) - 2)
        points = knots[low] + (at - low)[:, None, None] * (knots[low + 1] - knots[low])
        noisy = points + rng.normal(0, 2, points.shape)
        made.append(clip_of(Poses.of(noisy, BODY13, times=np.arange(length) / 30), embedder))
    return made[0], made[1]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--length", type=int, default=500, help="frames of each clip")
    parser.add_argument("--quick", action="store_true", help="small and few, to see that it runs")
    args = parser.parse_args(argv)
    rounds, length = (3, 60) if args.quick else (args.rounds, args.length)
    print(describe("numpy", "numba", "tslearn", "librosa"))
    embedder = PrVipeEmbedder.load()
    a, b = clips(length, embedder)
    matrix = frame_distances(a, b, embedder.matching)
    exact = matrix.astype(np.float64)  # what the others compute with
    others = libraries()
    total, pairs = by_samepose(exact)
    for name, solve in others.items():
        theirs = solve(exact)
        assert np.isclose(theirs[0], total), (name, theirs, total)
    calls: dict[str, Callable[[], object]] = {
        OURS: lambda: by_samepose(exact), f"{OURS}, float32": lambda: by_samepose(matrix),
        "samepose dtw_mean, no path": lambda: dtw_mean(matrix),
        **{name: (lambda solve=solve: solve(exact)) for name, solve in others.items()},
    }
    seconds = medians(interleaved(calls, rounds, time.process_time))  # all are of one thread: waiting is nobody's fault
    print(f"{length} x {length} frames, path of {pairs} pairs, median of {rounds} rounds")
    for name, value in seconds.items():
        print(f"  {name:<54}{1000 * value:9.3f} ms")
    if not others:
        print("no other library is installed: pip install 'samepose[test]' brings tslearn")
        return
    fastest = min(others, key=lambda name: seconds[name])
    print(verdict(f"{fastest} / {OURS}, both in float64", seconds[fastest] / seconds[OURS], 1.0, most=False))


if __name__ == "__main__":
    main()
