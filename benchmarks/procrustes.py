"""NP-MPJPE of all pairs: the compiled closed form against batched SVD in numpy and torch, on as many threads.

    python -m benchmarks.procrustes [--poses 512] [--repeats 40] [--threads N]

The poses are random; `--mocap poses.npz` takes real ones (an array `points` (N, 17, 3)).
"""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import time
from collections.abc import Callable

import numba
import numpy as np

from samepose.geometry.normalise import normalise_3d
from samepose.geometry.procrustes import np_mpjpe_matrix, procrustes_align, within


def numpy_svd(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """All pairs by `np.linalg.svd`, row by row so that memory stays small; float64: the accuracy reference."""
    a, b = normalise_3d(a.astype(np.float64)), normalise_3d(b.astype(np.float64))
    return np.stack([
        np.linalg.norm(pose - procrustes_align(np.broadcast_to(pose, b.shape), b), axis=-1).mean(axis=-1) for pose in a
    ])


def torch_svd(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """All pairs by `torch.linalg.svd` in float32, covariances by one matrix product."""
    import torch

    x, y = (torch.from_numpy(normalise_3d(p.astype(np.float32))) for p in (a, b))
    x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    u, s, vh = torch.linalg.svd(torch.einsum("njx,mjy->nmxy", x, y))
    sign = torch.det(u) * torch.det(vh)
    u[..., 2] *= sign[..., None]
    s[..., 2] *= sign
    turn = (u @ vh) * (s.sum(-1) / (y * y).sum((1, 2)))[..., None, None]
    moved = torch.einsum("nmxy,mjy->nmjx", turn, y)
    return (x[:, None] - moved).norm(dim=-1).mean(-1).numpy()


def best_of(repeats: int, run: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def version(package: str) -> str:
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"no {package}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--poses", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--threads", type=int, default=numba.get_num_threads())
    parser.add_argument("--mocap")
    args = parser.parse_args()
    numba.set_num_threads(args.threads)
    rng = np.random.default_rng(0)
    if args.mocap:
        points = np.load(args.mocap)["points"]
        a, b = (points[rng.choice(len(points), args.poses, replace=False)] for _ in range(2))
    else:
        stance = np.linspace((-0.3, 0, -0.1), (0.4, 1.7, 0.15), 17)
        a, b = (stance + rng.normal(0, 0.25, (args.poses, 17, 3)) for _ in range(2))

    print(f"{platform.processor() or platform.machine()}, {args.threads} threads, Python {platform.python_version()}, "
          + ", ".join(version(p) for p in ("numpy", "numba", "torch")))
    print(f"{args.poses} x {args.poses} poses of 17 joints, {'mocap' if args.mocap else 'random'}; best of several")
    ours, found = best_of(args.repeats, lambda: np_mpjpe_matrix(a, b))
    pairs = args.poses**2
    print(f"{'np_mpjpe_matrix':<28}{ours * 1e3:9.1f} ms {ours / pairs * 1e9:9.1f} ns/pair")
    reference, exact = best_of(1, lambda: numpy_svd(a, b))
    baselines = {"numpy SVD (float64)": reference}
    try:
        import torch

        torch.set_num_threads(args.threads)
        baselines["torch SVD (float32)"] = best_of(2, lambda: torch_svd(a, b))[0]
    except ImportError:
        pass
    for name, seconds in baselines.items():
        print(f"{name:<28}{seconds * 1e3:9.1f} ms {seconds / pairs * 1e9:9.1f} ns/pair   ratio {seconds / ours:.0f}")
    print(f"largest difference from float64 SVD: {np.abs(found - exact).max():.1e}")
    for kappa in (0.02, 0.05):
        pruned, _ = best_of(args.repeats, lambda kappa=kappa: within(a, b, kappa))
        print(f"{f'within kappa {kappa}':<28}{pruned * 1e3:9.1f} ms   ratio to the whole matrix {ours / pruned:.1f}")


if __name__ == "__main__":
    main()
