"""Is a `--deterministic` training run bitwise repeatable, killed with SIGKILL half way and resumed or not?

    python -m experiments.repeatable [--steps 500] [--width 64]

Each precision is run three times on made-up motion: undisturbed, undisturbed again, and killed. Every tensor of the
three last checkpoints must be the same bit for bit: weights, averages, moments and the state of the random generators.
Ends with status 1 if one is not.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from benchmarks._machine import describe
from safetensors import safe_open
from safetensors.torch import load_file

from samepose.cli.app import main as samepose
from samepose.formats.poseset import PoseSet, save_poseset

_PRECISIONS = ("32-true", "bf16-mixed")


def made_up(path: Path, n: int = 300) -> None:
    rng, nobody = np.random.default_rng(0), np.zeros(n, np.int64)
    points = (rng.normal(0, 0.4, (17, 3)) + rng.normal(0, 0.12, (n, 17, 3))).astype(np.float32)
    save_poseset(path, PoseSet(points, nobody, ("clip",), nobody, ("nobody",), 30.0))


def steps_done(run: Path) -> int:
    checkpoint = run / "checkpoint.safetensors"
    if not checkpoint.exists():
        return 0
    with safe_open(checkpoint, "pt") as tensors:
        return int(tensors.get_tensor("step"))


def killed(words: list[str], run: Path, at: int) -> int:
    """Start a run in a process of its own, kill it once its checkpoint is of step `at` or later; that step."""
    with subprocess.Popen([sys.executable, "-m", "samepose", *words, "--out", str(run)]) as process:
        while process.poll() is None and steps_done(run) < at:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    return steps_done(run)


def differences(a: Path, b: Path) -> list[str]:
    """Names of the tensors of two checkpoints that are not the same bits."""
    one, other = (load_file(run / "checkpoint.safetensors") for run in (a, b))
    return [name for name in {**one, **other} if name not in one or name not in other
            or not torch.equal(one[name].view(-1).view(torch.uint8), other[name].view(-1).view(torch.uint8))]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--quick", action="store_true", help="few steps, one precision")
    args = parser.parse_args(arguments)
    if args.quick:
        args.steps, args.width = 60, 16
    print(describe("numpy", "numba", "torch"))
    bad = 0
    with TemporaryDirectory() as folder:
        data = Path(folder, "motion.npz")
        made_up(data)
        for precision in _PRECISIONS[: 1 if args.quick else None]:
            words = ["train", "prvipe", "--data", str(data), "--everything", "--deterministic", "--quiet", "--threads",
                     "1", "--steps", str(args.steps), "--save-every", str(max(1, args.steps // 20)), "--precision",
                     precision, "--model.width", str(args.width), "--batch", "32"]
            runs = {name: Path(folder, f"{precision}-{name}") for name in ("whole", "again", "cut")}
            at = killed(words, runs["cut"], args.steps // 2)
            codes = [samepose([*words, "--resume", "--out", str(run)]) for run in runs.values()]
            for name in ("again", "cut"):
                odd = differences(runs["whole"], runs[name])
                bad += bool(odd or any(codes) or not 0 < at < args.steps)
                what = f"killed after step {at} and resumed" if name == "cut" else "run again"
                verdict = f"differs in {', '.join(odd[:3])}, {len(odd)} tensors in all" if odd else "the same bits"
                print(f"{precision}, {args.steps} steps, width {args.width}, {what}: {verdict}")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
