"""What every benchmark says of the machine it ran on, and how the benchmarks time. Run alone, it prints the machine."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def cores() -> int:
    """That this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe(*packages: str) -> str:
    """One line: processor, cores, load, and the versions of Python and of the packages."""
    load = f"load {os.getloadavg()[0]:.1f}, " if hasattr(os, "getloadavg") else ""
    versions = ", ".join(f"{p} {_version(p)}" for p in packages)
    return f"{_processor()}, {cores()} cores, {load}Python {platform.python_version()}, {versions}".rstrip(", ")


Clock = Callable[[], float]


def interleaved(
    calls: Mapping[str, Callable[[], Any]], rounds: int, clock: Clock = time.perf_counter
) -> dict[str, list[float]]:
    """Seconds of each call, once to warm up and then round by round in turn: noise falls on all alike.

    `clock`: `time.process_time` on a busy machine, together with one core (`taskset -c 0`): waiting threads spin.
    """
    for call in calls.values():
        call()
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            start = clock()
            call()
            seconds[name].append(clock() - start)
    return seconds


def medians(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in seconds.items()}


def verdict(name: str, value: float, limit: float, most: bool = True) -> str:
    """One line: a ratio against its target, which is at most or at least `limit`."""
    met = value <= limit if most else value >= limit
    return f"{name:<56}{value:9.2f} x   target {'<=' if most else '>='} {limit:g}: {'met' if met else 'MISSED'}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [x.partition(":")[2].strip() for x in info.read_text().splitlines() if x.startswith("model name")] \
        if info.exists() else []
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


if __name__ == "__main__":
    print(describe("numpy", "scipy", "numba", "onnxruntime", "av", "lancedb"))
