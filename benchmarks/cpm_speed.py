"""The lean Convolutional Pose Machine on the CPU: milliseconds per person, and its ONNX file against PyTorch.

    python -m benchmarks.cpm_speed [RUN] [--threads 2]

RUN: a folder of `samepose train cpm`; without it a network with the default shape and random heads, which takes as
long. Times are those of `samepose eval keypoints`: one square, cropped, looked at once, peaks found. CPU seconds are
printed too, because on a busy machine only those mean something.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from benchmarks._machine import cores, describe, interleaved, medians, verdict

from samepose.detection.cpm import CPM
from samepose.detection.movenet import MoveNet
from samepose.media.square import Square
from samepose.models.cpm import Beliefs, Cpm, CpmConfig
from samepose.training.cpm.export import export_cpm, graph
from samepose.training.cpm.recipe import load_cpm

LIMIT_MS, LIMIT_DIFFERENCE = 60, 1e-4


def differences(model: Cpm, detector: CPM, image: np.ndarray) -> tuple[float, float]:
    """The largest difference of any belief from the network: of its translation, and of the file with fp16 weights."""
    with torch.no_grad():
        out = model(torch.from_numpy(image).permute(2, 0, 1)[None].float())
        beliefs = Beliefs(model.config)(out).clamp(0, 1)[0].numpy()
    translation = onnxruntime.InferenceSession(graph(model).SerializeToString()).run(None, {"image": image[None]})[0][0]
    stored = detector.belief_maps(image, Square(0, 0, model.config.size))
    return float(np.abs(translation - beliefs).max()), float(np.abs(stored - beliefs).max())


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?")
    parser.add_argument("--threads", type=int, default=min(cores(), 2))
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="two people")
    args = parser.parse_args(argv)
    print(describe("numpy", "torch", "onnxruntime"))
    torch.manual_seed(0)
    model = load_cpm(args.run) if args.run else Cpm(CpmConfig()).eval()
    size = model.config.size
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "cpm.onnx")
        export_cpm(model, "cpm", path)
        print(f"{path.stat().st_size / 1e6:.1f} MB, {model.config.stages} stages at {size} px")
        detector, movenet = CPM(path, threads=args.threads), MoveNet(threads=args.threads)
        calls = {"cpm": lambda: detector.look(image, Square(0, 0, size)),
                 "thunder": lambda: movenet.look(image, Square(0, 0, size))}
        rounds = 2 if args.quick else args.people
        wall = medians(interleaved(calls, rounds))
        work = medians(interleaved(calls, rounds, time.process_time))
        off, rounded = differences(model, detector, image)
    for name in calls:
        print(f"{name:<8} {1000 * wall[name]:6.1f} ms per person on {args.threads} threads, "
              f"{1000 * work[name]:6.1f} ms of CPU time")
    print(f"largest difference of a belief from torch: {off:.1e}, with fp16 weights {rounded:.1e}")
    print(f"CPU time of cpm / thunder: {work['cpm'] / work['thunder']:.2f}")
    print(verdict(f"ms per person, against {LIMIT_MS}", 1000 * wall["cpm"] / LIMIT_MS, 1))
    print(verdict(f"difference from torch, against {LIMIT_DIFFERENCE:.0e}", off / LIMIT_DIFFERENCE, 1))


if __name__ == "__main__":
    main()
