"""Training of Pr-VIPE: the batch's NP-MPJPE against SVD, the share of mining and losses, and a plain port of the paper.

    python -m benchmarks.training_speed [--data MOCAP] [--seconds 90] [--width 1024] [--threads 1]

The port is the paper's recipe written down plainly: batches of 256 pairs, NP-MPJPE of all pairs by (batched) SVD,
20 x 20 samples for each matching probability, Adagrad. It shares our network and our random cameras, their distances
included, but has no mirrored or varied bodies and no keypoint faults. With one thread, the default, time is processor
time, which other programs on the machine do not stretch. --data (motion capture with subjects of the default held-out
list in it) adds Hit@1 at equal time; without, the poses are made up. Before that is measured, the BatchNorm statistics
of both networks are taken anew under their final weights: a hundred steps are too few for running averages.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numba
import numpy as np
import torch
from benchmarks._machine import describe, interleaved, medians, verdict
from benchmarks.procrustes import torch_svd
from lightning_fabric import Fabric
from torch import Tensor

from samepose.evaluation.retrieval import evaluate, select_frames
from samepose.evaluation.views import CHEST4
from samepose.formats.subjects import load_many, read_subjects, split
from samepose.geometry.procrustes import np_mpjpe_matrix
from samepose.losses.matching import gaussian_prior
from samepose.models.prvipe import PrVipe, PrVipeConfig
from samepose.training.loop import LoopConfig, fit
from samepose.training.prvipe.augment import AugmentConfig, random_view_pairs, random_views
from samepose.training.prvipe.recipe import MotionPool, PrVipeRecipe, PrVipeRecipeConfig, draw_poses
from samepose.training.prvipe.validate import scorer_of

_CPU = torch.device("cpu")
_PAPER = AugmentConfig(mirror=0, limbs=0, bones=0, nose=0, jitter=0, swap=0, hide=0)


class PlainPort:
    """Sun 2020 and its reference code, nothing clever: SVD for every pair, 20 samples per pose, Adagrad, EMA."""

    def __init__(self, pool: MotionPool, width: int, batch: int = 256) -> None:
        self.points, self.batch = torch.from_numpy(pool.points), batch
        self.model = PrVipe(PrVipeConfig(width=width, dropout=0.3))
        self.averaged = PrVipe(self.model.config)
        self.averaged.load_state_dict(self.model.state_dict())
        self.optimiser = torch.optim.Adagrad(self.model.parameters(), 0.02, initial_accumulator_value=0.1)
        self.rng, self.steps = torch.Generator().manual_seed(0), 0

    def step(self) -> None:
        bodies = self.points[torch.randint(len(self.points), (self.batch,), generator=self.rng)]
        first, second = random_view_pairs(bodies, _PAPER, self.rng)
        match = torch.from_numpy(torch_svd(bodies.numpy(), bodies.numpy()) < 0.1)
        mean, var = self.model.train()(torch.cat([first.points, second.points]),
                                       torch.cat([first.visible, second.visible]))
        n = self.batch
        with torch.no_grad():  # the nearest negative that is farther than the positive
            distance = torch.cdist(mean[:n], mean[n:])
            allowed = ~match & (distance > distance.diagonal()[:, None])
            nearest, negative = distance.masked_fill(~allowed, math.inf).min(1)
        z = mean[:, None] + var.sqrt()[:, None] * torch.randn((2 * n, 20, mean.shape[1]), generator=self.rng)
        positive = self._distance(z[:n], z[n:])
        hinge = (math.log(2) + positive - self._distance(z[:n], z[n:][negative])).clamp_min(0) * nearest.isfinite()
        ratio = hinge.sum() / (hinge > 0).sum().clamp_min(1)
        loss = ratio + 0.005 * positive.mean() + 0.001 * gaussian_prior(mean, var)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.steps += 1
        decay = min(0.9999, self.steps / (self.steps + 9))
        with torch.no_grad():
            for old, new in zip(self.averaged.state_dict().values(), self.model.state_dict().values()):
                old.copy_(old.lerp(new, 1 - decay) if old.is_floating_point() else new)

    def _distance(self, z1: Tensor, z2: Tensor) -> Tensor:
        gaps = (z1[:, :, None] - z2[:, None]).norm(dim=-1)  # (n, 20, 20)
        p = 0.9 * torch.sigmoid(self.model.raw_b - self.model.a * gaps) + 0.05
        return -p.mean((1, 2)).log()


class Ours:
    """One step of the library's loop at a time."""

    def __init__(self, pool: MotionPool, config: PrVipeRecipeConfig, precision: str = "32-true") -> None:
        self.recipe, self.fabric = PrVipeRecipe(config, pool), Fabric(precision=precision, accelerator="cpu", devices=1)
        optimiser = torch.optim.AdamW(self.recipe.model.parameters(), 1e-3)
        self.model, self.optimiser = self.fabric.setup(self.recipe.model, optimiser)
        self.rng = torch.Generator().manual_seed(0)

    def step(self) -> None:
        loss, _ = self.recipe.loss(self.model.train(), self.rng, _CPU)
        self.optimiser.zero_grad()
        self.fabric.backward(loss)
        self.fabric.clip_gradients(self.model, self.optimiser, max_norm=5.0)
        self.optimiser.step()

    def mining_and_losses(self) -> Callable[[], None]:
        """What a step does between the network's output and its gradient, NP-MPJPE of all pairs included."""
        cfg = self.recipe.settings
        bodies = self.recipe.points[draw_poses(self.recipe.clip, cfg.batch, cfg.neighbours, self.rng)]
        n, view = cfg.batch, random_views(bodies, cfg.augment, self.rng)
        with torch.no_grad():
            out = self.model.eval()(view.points.repeat(2, 1, 1), view.visible.repeat(2, 1))

        def run() -> None:
            mean, var = (x.detach().requires_grad_() for x in out)
            match = torch.from_numpy(np_mpjpe_matrix(bodies.numpy(), bodies.numpy()) < cfg.kappa)
            loss = self.recipe._retrieval_loss(mean[:n], var[:n], mean[n:], var[n:], match, self.rng, {})
            (loss + cfg.prior * gaussian_prior(mean, var)).backward()

        return run


def made_up(n: int) -> MotionPool:
    stance = np.random.default_rng(1).normal(0, 0.4, (17, 3))
    points = stance + np.random.default_rng(0).normal(0, 0.12, (n, 17, 3))
    return MotionPool.of(points.astype(np.float32), np.arange(n))


def hit(model: PrVipe, points: np.ndarray) -> float:
    (result,) = evaluate(points, {"it": scorer_of(model.eval())}, CHEST4, cameras_name="chest4")
    return 100 * result.hit[0.1][1]


@torch.no_grad()
def warm(model: PrVipe, points: Tensor, batches: int = 20) -> PrVipe:
    """BatchNorm's statistics as the mean over fresh batches of views of `points` under the weights as they are."""
    rng = torch.Generator().manual_seed(1)
    model.eval()
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm1d):
            layer.reset_running_stats()
            layer.momentum = None
            layer.train()
    for _ in range(batches):
        views = random_views(points[torch.randint(len(points), (512,), generator=rng)], _PAPER, rng)
        model(views.points, views.visible)
    return model.eval()


def at_equal_time(
    pool: MotionPool, points: np.ndarray, config: PrVipeRecipeConfig, seconds: float, per_step: float,
    clock: Callable[[], float], threads: int,
) -> tuple[float, float, str]:
    """Hit@1 of ours and of the port, trained as long, and in words how long."""
    steps = max(10, int(seconds / per_step))
    torch.manual_seed(0)
    start = clock()
    with TemporaryDirectory() as folder:
        loop = LoopConfig(steps=steps, save_every=steps, validate_every=steps, threads=threads)
        ours = fit(PrVipeRecipe(config, pool), loop, Path(folder, "run"))
    spent = clock() - start
    torch.manual_seed(0)
    port, start = PlainPort(pool, config.model.width), clock()
    while clock() - start < spent:
        port.step()
    assert isinstance(ours, PrVipe)
    ours_hit, port_hit = (hit(warm(model, port.points), points) for model in (ours, port.averaged))
    return ours_hit, port_hit, f"{spent:.0f} s: {steps} steps against {port.steps}"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=90, help="of training for the comparison of Hit@1")
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="so small that it says nothing")
    args = parser.parse_args(arguments)
    if args.quick:
        args.width, args.batch, args.rounds, args.seconds = 16, 16, 2, 0.2
    torch.set_num_threads(args.threads)
    numba.set_num_threads(args.threads)
    clock = time.process_time if args.threads == 1 else time.perf_counter
    poses, held = split(load_many(args.data), read_subjects()) if args.data else (None, None)
    pool = MotionPool.of(poses.points, poses.clip) if poses else made_up(500)
    print(describe("numpy", "numba", "torch"), f"\n{args.threads} threads,",
          "processor" if args.threads == 1 else "wall", f"time, medians of {args.rounds} interleaved rounds; width "
          f"{args.width}, {args.batch} pairs, {len(pool.points):,} poses")

    config = PrVipeRecipeConfig(PrVipeConfig(width=args.width), batch=args.batch)
    bodies = pool.points[np.random.default_rng(0).choice(len(pool.points), args.batch)]
    t = medians(interleaved({"ours": lambda: np_mpjpe_matrix(bodies, bodies), "svd": lambda: torch_svd(bodies, bodies)},
                            args.rounds, clock))
    print(f"NP-MPJPE of a batch: ours {1e3 * t['ours']:.1f} ms, torch's batched SVD {1e3 * t['svd']:.1f} ms")
    print(verdict("batched SVD / ours", t["svd"] / t["ours"], 5, most=False))

    for precision in ("32-true", "bf16-mixed"):
        ours = Ours(pool, config, precision)
        t = medians(interleaved({"step": ours.step, "part": ours.mining_and_losses()}, args.rounds, clock))
        print(f"{precision}: step {1e3 * t['step']:.0f} ms, of which mining and losses {1e3 * t['part']:.0f} ms")
        print(verdict(f"mining and losses / step, {precision}", t["part"] / t["step"], 0.25))

    paper = replace(config, triplet=1.0, positive=0.005, pairs=0.0, contrast=0.0, smoothing=0.1, augment=_PAPER)
    calls = {"port": PlainPort(pool, args.width, args.batch).step, "same losses": Ours(pool, paper).step,
             "default": Ours(pool, config).step}
    t = medians(interleaved(calls, args.rounds, clock))
    print("steps per second: " + ", ".join(f"{name} {1 / s:.2f}" for name, s in t.items()))
    print(verdict("steps per second, same losses and views / port", t["port"] / t["same losses"], 1.5, most=False))
    print(verdict("steps per second, default recipe / port", t["port"] / t["default"], 1.5, most=False))
    if held is not None:
        points = held.points[select_frames(held.points, 50 if args.quick else 500)]
        ours, port, spent = at_equal_time(pool, points, config, args.seconds, t["default"], clock, args.threads)
        print(f"Hit@1, chest4, kappa 0.1, {len(points)} frames of unseen people, each trained {spent}: "
              f"ours {ours:.1f} %, port {port:.1f} %: {'met' if ours > port else 'MISSED'}")


if __name__ == "__main__":
    main()
