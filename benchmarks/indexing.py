"""Does indexing a video cost more than decoding it and running the networks?

    python -m benchmarks.indexing [--video FILE] [--mode fast balanced] [--rounds 5] [--quick]

Indexes every frame into a fresh index, hashing, tracking, embedding and writing included and start-up (imports, loading
the networks, compiling) excluded. The baseline decodes all frames to RGB with PyAV and calls onnxruntime bare: the same
networks with the same inputs as often, and as many threads, all of them on each call in turn or one on each of several
calls, whichever is faster. Target: at most 1.15 times the baseline.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from benchmarks._machine import cores, describe, interleaved, medians, verdict

from samepose.demo import cache_folder, fetch_videos
from samepose.detection.movenet import Mode, MoveNet
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.index import Index

Calls = list[tuple[str, tuple[int, ...], int]]  # network, input shape, how often


@dataclass
class Recorder:
    """Stands for a session and remembers the shapes it was called with."""

    session: Any
    shapes: list[tuple[int, ...]] = field(default_factory=list)

    def run(self, outputs: Any, inputs: dict[str, np.ndarray]) -> Any:
        self.shapes.append(next(iter(inputs.values())).shape)
        return self.session.run(outputs, inputs)


def calls_of(index: Callable[[], object], detector: MoveNet) -> Calls:
    """What one run asks of the detector's networks; the embedder's few calls are left to the indexing's account."""
    index()  # opens the networks
    networks: Any = detector.on_one_thread._networks
    recorders = {name: Recorder(network) for name, network in networks.items()}
    networks.update(recorders)
    index()
    networks.update({name: r.session for name, r in recorders.items()})
    return [(name, shape, times) for name, r in recorders.items() for shape, times in Counter(r.shapes).items()]


def decode(video: Path) -> None:
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            frame.to_ndarray(format="rgb24")


def networks(calls: Calls, detector: MoveNet, at_once: int) -> Callable[[], None]:
    """The same calls of the detector's networks again, on noise, in the order in which indexing mixes them."""
    rng = np.random.default_rng(0)
    inputs = {shape: {"input:0": rng.integers(0, 256, shape, np.int32)} for _, shape, _ in calls}
    order = sorted((turn / times, name, shape) for name, shape, times in calls for turn in range(times))

    def call(item: tuple[float, str, tuple[int, ...]]) -> None:
        _, name, shape = item
        detector._networks[name].run(None, inputs[shape])

    def run() -> None:
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(call, order))

    return run


def measure(video: Path, mode: Mode, rounds: int, clock: Callable[[], float], folder: Path) -> None:
    detector, embedder = MoveNet(mode, cores()), PrVipeEmbedder.load(threads=cores())
    count, people = 0, 0

    def index() -> None:
        nonlocal count, people
        count += 1
        target = folder / f"{mode}{count}"
        people = Index.open(target, create=True, detector=detector, embedder=embedder).add(video, fps=None).people

    calls = calls_of(index, detector)
    seconds = interleaved({
        "indexing": index,
        "decoding": lambda: decode(video),
        "networks, in turn": networks(calls, detector, 1),
        "networks, at once": networks(calls, detector.on_one_thread, cores()),
    }, rounds, clock)
    middle = medians(seconds)
    print(f"{mode}: {people} people, {sum(times for *_, times in calls)} calls of the detector's networks")
    for name, value in middle.items():
        print(f"  {name:<20}{value:8.2f} s   ({min(seconds[name]):.2f} at best)")
    bare = middle["decoding"] + min(middle["networks, in turn"], middle["networks, at once"])
    print(verdict(f"{mode}: indexing / (decoding + networks)", middle["indexing"] / bare, 1.15))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = os.environ.get("SAMEPOSE_SHARED")
    parser.add_argument("--video", type=Path, default=Path(shared, "media", "video.avi") if shared else None,
                        help="by default the first of the demo's")
    parser.add_argument("--mode", nargs="+", choices=("fast", "balanced", "accurate"), default=["fast", "balanced"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu-time", action="store_true", help="for a busy machine: run it as `taskset -c 0 python …`")
    parser.add_argument("--quick", action="store_true", help="one round of `fast`")
    args = parser.parse_args(argv)
    if args.video is None:
        args.video = fetch_videos(cache_folder() / "demo")[0]
    print(describe("onnxruntime", "av", "lancedb", "numpy"))
    clock = time.process_time if args.cpu_time else time.perf_counter
    print(f"{args.video.name}, every frame, medians of {1 if args.quick else args.rounds} interleaved rounds"
          + ", processor time" * args.cpu_time)
    for mode in ["fast"] if args.quick else args.mode:
        with tempfile.TemporaryDirectory() as folder:
            measure(args.video, mode, 1 if args.quick else args.rounds, clock, Path(folder))


if __name__ == "__main__":
    main()
