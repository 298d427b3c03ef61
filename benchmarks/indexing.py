"""Does indexing a video cost more than decoding it and running the networks?

    python benchmarks/indexing.py [--video FILE] [--mode fast balanced] [--rounds 5] [--quick]

Indexes every frame into a fresh index, hashing, tracking, embedding and writing included and start-up (imports, loading
the networks, compiling) excluded. The baseline decodes all frames to RGB with PyAV and calls onnxruntime bare: the same
networks with the same inputs as often, and as many threads. Target: at most 1.15 times the baseline.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np

from _machine import cores, describe, interleaved, verdict
from samepose.detect.movenet import Mode, MoveNet
from samepose.embed import Embedder
from samepose.index import Index, index_media

Calls = list[tuple[Any, tuple[int, ...], int]]  # session, input shape, how often


@dataclass
class Recorder:
    """Stands for a session and remembers how often it was called with which shapes."""

    session: Any
    shapes: Counter[tuple[int, ...]] = field(default_factory=Counter)

    def run(self, outputs: Any, inputs: dict[str, np.ndarray]) -> Any:
        self.shapes[next(iter(inputs.values())).shape] += 1
        return self.session.run(outputs, inputs)


def calls_of(index: Callable[[], object], detector: MoveNet, embedder: Embedder) -> Calls:
    """All that one run asks of onnxruntime."""
    index()  # makes the sessions
    holders: list[tuple[Any, Any]] = [(detector._sessions, name) for name in list(detector._sessions)]
    recorders = [Recorder(holder[name]) for holder, name in holders]
    for (holder, name), recorder in zip(holders, recorders):
        holder[name] = recorder
    recorders.append(Recorder(embedder._session))
    embedder._session = recorders[-1]
    index()
    for (holder, name), recorder in zip(holders, recorders):
        holder[name] = recorder.session
    embedder._session = recorders[-1].session
    return [(r.session, shape, times) for r in recorders for shape, times in r.shapes.items()]


def decode(video: Path) -> None:
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            frame.to_ndarray(format="rgb24")


def networks(calls: Calls) -> Callable[[], None]:
    """The same calls again, on noise; turn by turn as indexing makes them, so that caches are as warm."""
    rng = np.random.default_rng(0)
    prepared = []
    for session, shape, times in calls:
        wanted = session.get_inputs()[0]
        image = wanted.type == "tensor(int32)"
        values = rng.integers(0, 256, shape, np.int32) if image else rng.standard_normal(shape, np.float32)
        prepared.append((session, {wanted.name: values}, times))
    most = max(times for *_, times in prepared)

    def run() -> None:
        done = [0] * len(prepared)
        for turn in range(1, most + 1):
            for i, (session, inputs, times) in enumerate(prepared):
                while done[i] * most < turn * times:
                    session.run(None, inputs)
                    done[i] += 1

    return run


def measure(video: Path, mode: Mode, rounds: int, clock: Callable[[], float], folder: Path) -> None:
    detector, embedder = MoveNet(mode, cores()), Embedder.load(threads=cores())
    count, people = 0, 0

    def index() -> None:
        nonlocal count, people
        count += 1
        target = folder / f"{mode}{count}"
        people = index_media(Index.create(target, embedder), [video], detector, embedder, fps=None).people

    calls = calls_of(index, detector, embedder)
    run_networks = networks(calls)
    seconds = interleaved(
        {"indexing": index, "decoding": lambda: decode(video), "networks": run_networks}, rounds, clock
    )
    whole, decoding, running = (np.array(seconds[name]) for name in ("indexing", "decoding", "networks"))
    print(f"{mode}: {people} people, {sum(times for *_, times in calls)} calls of onnxruntime")
    for name, values in seconds.items():
        print(f"  {name:<20}{np.median(values):8.2f} s   ({min(values):.2f} at best)")
    print(verdict(f"{mode}: indexing / (decoding + networks)", float(np.median(whole / (decoding + running))), 1.15))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = os.environ.get("SAMEPOSE_SHARED")
    parser.add_argument("--video", type=Path, default=Path(shared, "media", "video.avi") if shared else None)
    parser.add_argument("--mode", nargs="+", choices=("fast", "balanced", "accurate"), default=["fast", "balanced"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu-time", action="store_true", help="for a busy machine: run it as `taskset -c 0 python …`")
    parser.add_argument("--quick", action="store_true", help="one round of `fast`")
    args = parser.parse_args(argv)
    if args.video is None:
        parser.error("name a video with --video (or set SAMEPOSE_SHARED)")
    print(describe("onnxruntime", "av", "lancedb", "numpy"))
    clock = time.process_time if args.cpu_time else time.perf_counter
    print(f"{args.video.name}, every frame, medians of {1 if args.quick else args.rounds} interleaved rounds"
          + ", processor time" * args.cpu_time)
    for mode in ["fast"] if args.quick else args.mode:
        with tempfile.TemporaryDirectory() as folder:
            measure(args.video, mode, 1 if args.quick else args.rounds, clock, Path(folder))


if __name__ == "__main__":
    main()
