"""How fast does `samepose serve` answer: from a dragged joint to results, from many clients at once, and for how long?

    python -m benchmarks.serve --index DIR [--searches 200] [--clients 50] [--seconds 60] [--flat 10000]

A real server in a process of its own, asked over HTTP on this machine, which also asks: the clients take their share of
its cores. DIR may be made by `python -m benchmarks.search_million --build --dir DIR --people 100000 --mocap FILE.npz`
(then it is DIR/index). Every search moves one wrist of a person of the index, as dragging does, and takes 40 results.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks._machine import describe


class Client:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, path: str, body: Any = None) -> bytes:
        """What a route gives; an answer that is none ends the run."""
        if body is None:
            self._connection.request("GET", path)
        else:
            self._connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {content[:300]!r}")
        return content


def dragged(people: list[dict[str, Any]], rng: random.Random) -> dict[str, Any]:
    """A search by somebody whose wrist is elsewhere."""
    keypoints = dict(rng.choice(people))
    joint = rng.choice([j for j in keypoints if j.endswith("wrist")] or list(keypoints))
    x, y, score = keypoints[joint]
    return {"keypoints": {**keypoints, joint: [x + rng.uniform(-60, 60), y + rng.uniform(-60, 60), score]}, "k": 40}


def timed(call: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def quantiles(seconds: list[float]) -> str:
    """For people."""
    p50, p95, p99 = np.quantile(seconds, [0.5, 0.95, 0.99]) * 1000
    return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms of {len(seconds):,}"


def resident_mb(process: int) -> float:
    """Memory of a process that is its own."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def crowd(port: int, people: list[dict[str, Any]], clients: int, seconds: float) -> list[float]:
    """Times of all searches of so many clients, each of which asks again as soon as it is answered."""
    until = time.perf_counter() + seconds

    def one(seed: int) -> list[float]:
        client, rng, took = Client(port), random.Random(seed), list[float]()
        while time.perf_counter() < until:
            body = dragged(people, rng)
            took.append(timed(lambda body=body: client.ask("/api/search", body)))
        return took

    with ThreadPoolExecutor(clients) as pool:
        return [seconds for took in pool.map(one, range(clients)) for seconds in took]


def measure(args: argparse.Namespace, port: int, process: int) -> None:
    """All of it, line by line."""
    client, rng = Client(port), random.Random(0)
    for path in ("/api/session", "/api/library?limit=50"):
        print(f"{path}: first {timed(lambda path=path: client.ask(path)) * 1000:.0f} ms, "
              f"then {timed(lambda path=path: client.ask(path)) * 1000:.0f} ms")
    media = [m for m in json.loads(client.ask("/api/library?limit=1000"))["media"] if m["people"]]
    people = [person["keypoints"] for medium in rng.sample(media, min(40, len(media)))
              for person in json.loads(client.ask("/api/query", {"media": medium["id"]}))["people"]
              if len(person["keypoints"]) >= 10]
    print(f"first search: {timed(lambda: client.ask('/api/search', dragged(people, rng))) * 1000:.0f} ms")
    kinds: dict[str, dict[str, Any]] = {
        "search": {}, "mirror also": {"mirror": "also"}, "without an arm": {"ignore": ["left_arm"]}}
    for name, more in kinds.items():
        took = [timed(lambda more=more: client.ask("/api/search", {**dragged(people, rng), **more}))
                for _ in range(args.searches)]
        print(f"{name}: {quantiles(took)}")
    print(f"map: first {timed(lambda: client.ask('/api/map')) * 1000:.0f} ms, "
          f"then {timed(lambda: client.ask('/api/map')) * 1000:.0f} ms")
    took = crowd(port, people, args.clients, args.seconds)
    print(f"{args.clients} clients for {args.seconds:g} s: {quantiles(took)}")
    client, marks = Client(port), [resident_mb(process)]  # the server has closed the one that waited
    for _ in range(4 if args.flat else 0):
        for _ in range(args.flat // 4):
            client.ask("/api/search", dragged(people, rng))
        marks.append(resident_mb(process))
    print(f"memory over {args.flat:,} searches: {', '.join(f'{mark:.0f}' for mark in marks)} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--index", required=True)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--flat", type=int, default=10_000)
    args = parser.parse_args()
    print(describe("fastapi", "uvicorn", "lancedb", "numpy"))
    command = [sys.executable, "-m", "samepose", "serve", "--port", "0", "--json", "--index", args.index]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        measure(args, int(json.loads(server.stdout.readline())["url"].rpartition(":")[2].strip("/")), server.pid)
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
