"""Rendering people: images a second and core, people reused, against the same with every part timed alone.

    python -m benchmarks.synth [--images 96] [--size 256] [--mocap poses.npz]

CPU seconds of one process, so that other work on the machine counts little; the first pass, which compiles and reads
the shape targets, is not counted. Without --mocap the poses are random.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from benchmarks._machine import describe, verdict

from samepose.formats.load_mocap import load_poseset
from samepose.formats.poseset import PoseSet
from samepose.skeleton import H36M17, SYNTH22
from samepose.synth import SynthConfig
from samepose.synth.body import load_body
from samepose.synth.dataset import render_shard


def rest_poses(n: int = 64) -> PoseSet:
    """The body's own rest pose; the variety of `synth` turns it into others."""
    body = load_body()
    joints = SYNTH22.convert(body.joints(body.vertices)[None], H36M17)
    return PoseSet(np.repeat(joints, n, 0).astype(np.float32), np.zeros(n, int), ("rest",), np.zeros(n, int), ("rest",))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--mocap", type=Path)
    args = parser.parse_args()
    print(describe("numpy", "numba", "pillow", "anny"))
    poses = load_poseset(args.mocap) if args.mocap else rest_poses()
    for cameras in (1, 4):
        config = SynthConfig(size=args.size, cameras_per_instant=cameras)
        render_shard(poses, config, 0, args.images)
        start = time.process_time()
        render_shard(poses, config, 0, args.images)
        rate = args.images / (time.process_time() - start)
        print(verdict(f"{args.size} px, {cameras} camera(s) an instant: {rate:.0f} images/s and core, against 40",
                      rate / 40, 1, most=False))


if __name__ == "__main__":
    main()
