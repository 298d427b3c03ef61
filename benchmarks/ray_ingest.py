"""What do Ray nodes add to one process, and what do they cost?

    python -m benchmarks.ray_ingest [--photos FOLDER | --pictures 200] [--rounds 3]

The photographs of a folder, or so many made-up pictures with nobody in them, are indexed by one process on one core,
and by clusters of one node and of as many as there are cores, one core each, in turn; each time into a new index. The
clusters are started before; each run connects, and its workers load the networks, as a user's would. The process that
plans and commits comes on top of the nodes' cores.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import numpy as np
from benchmarks._machine import cores, describe, interleaved, medians, verdict
from PIL import Image

from samepose.index import Index


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--pictures", type=int, default=200, help="made-up ones: more of them, less of what is fixed")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    print(describe("ray", "lancedb", "onnxruntime"))
    with ExitStack() as stack:
        folder, number = Path(stack.enter_context(tempfile.TemporaryDirectory())), count()
        photos = args.photos or made_up(folder / "photos", args.pictures)

        def add(address: str | None) -> None:
            index = Index.open(folder / f"{next(number)}", create=True, root=photos, threads=1)
            report = index.add(photos, ray=address)
            if report.failed:
                raise SystemExit(f"{report.failed[0]}")

        calls = {"one process": lambda: add(None)}
        for nodes in sorted({1, cores()}):
            address = _cluster(nodes, stack)
            calls[f"{nodes} node{'s' * (nodes > 1)}"] = lambda address=address: add(address)
        begun = time.perf_counter()
        seconds = interleaved(calls, args.rounds)
        found = medians(seconds)
        for name, value in found.items():
            print(f"{name:14s}{value:8.1f} s   ({', '.join(f'{s:.1f}' for s in seconds[name])})")
        alone = found["one process"]
        print(verdict("time of one node, of that of the process", found["1 node"] / alone, 1.1))
        if cores() > 1:
            print(verdict(f"rate of {cores()} nodes, of that of the process", alone / found[f"{cores()} nodes"],
                          0.9 * cores(), most=False))
        print(f"{time.perf_counter() - begun:.0f} s in all; {describe()}")


def made_up(folder: Path, pictures: int) -> Path:
    """Pictures of coarse noise."""
    folder.mkdir()
    for k in range(pictures):
        noise = np.random.default_rng(k).integers(0, 256, (24, 32, 3)).astype(np.uint8)
        Image.fromarray(noise).resize((640, 480)).save(folder / f"{k}.jpg")
    return folder


def _cluster(nodes: int, stack: ExitStack) -> str:
    """The address of a cluster of nodes with one core each."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    stack.callback(made.shutdown)
    for _ in range(nodes - 1):
        made.add_node(num_cpus=1)
    return str(made.address)


if __name__ == "__main__":
    main()
