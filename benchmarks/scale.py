"""What a library of any size takes: cores, hours, storage, requests and money, and how each number follows.

    python -m benchmarks.scale [--photos 100e6] [--hours 1000] [--mode balanced] [--cores 1000]

Nothing is run: measured figures are put together with list prices, which are arguments too. Every line says what it was
made from.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

MS_PER_PHOTO = {"fast": 22.0, "balanced": 135.0, "accurate": 300.0}  # docs/howto/big-library.md: one thread
ROW_BYTES, MEDIUM_BYTES = 468.0, 145.0  # of a person, of a file: total_bytes of the tables of LSP's index
INDEX_BYTES = 90.0  # of a person: size of _indices at 100,000 people, by benchmarks.search_million --build
PEOPLE_PER_PHOTO, PEOPLE_PER_FRAME, FPS = 1.6, 1.5, 10.0  # assumed; frames a second that are looked at: the default
PHOTO_MB, VIDEO_MB_PER_HOUR = 3.0, 2000.0  # assumed: a phone's photographs; 1080p at 4.5 Mbit/s
READ_BLOCK_MB = 4.0  # media/remote.py
REQUESTS_PER_PHOTO = 4  # HEAD for the ETag, HEAD and GET to read it, HEAD of the worker: counted in docs/scale.md
COMMIT_REQUESTS = 40  # of one turn, counted in docs/scale.md
COMMIT_PEOPLE, COMMIT_SECONDS = 4096, 5.0  # in a turn at most, between turns at least: index/batch.py
PLAN_BYTES = 655.0 + 411.0  # of memory for each file where the plan is made: row, path (tracemalloc)
SEARCH_ROWS, SEARCH_MB = 10e6, 2087.0  # results/growth.json


@dataclass(frozen=True)
class Prices:
    """In dollars: list prices of a large cloud, to be replaced by yours."""

    core_hour: float = 0.045
    gigabyte_month: float = 0.023
    thousand_puts: float = 0.005
    thousand_gets: float = 0.0004


def plan(photos: float, hours: float, mode: str, cores: float, prices: Prices) -> list[tuple[str, str, str]]:
    """(what, how much, how it follows)."""
    ms, frames = MS_PER_PHOTO[mode], hours * 3600 * FPS
    core_hours = (photos + frames) * ms / 3.6e6
    people = photos * PEOPLE_PER_PHOTO + frames * PEOPLE_PER_FRAME
    table, indices = people * ROW_BYTES, people * INDEX_BYTES
    catalogue = photos * MEDIUM_BYTES
    reads = photos * REQUESTS_PER_PHOTO + hours * VIDEO_MB_PER_HOUR / READ_BLOCK_MB
    commits = max(people / COMMIT_PEOPLE, core_hours / cores * 3600 / COMMIT_SECONDS) * COMMIT_REQUESTS
    stored = (table + indices + catalogue) / 1e9
    partitions, megabytes = people**0.5, photos * PHOTO_MB + hours * VIDEO_MB_PER_HOUR
    return [
        ("pictures to look at", f"{photos + frames:,.0f}",
         f"{photos:,.0f} photographs + {hours:,.0f} h x 3600 x {FPS:g}"),
        ("people found", f"{people:,.0f}",
         f"{PEOPLE_PER_PHOTO} in a photograph, {PEOPLE_PER_FRAME} in a frame: assumed"),
        ("core hours", f"{core_hours:,.0f}", f"{ms:g} ms for a picture on one core ({mode})"),
        ("hours", f"{core_hours / cores:,.1f}", f"on {cores:,.0f} cores, all busy"),
        ("cores' price", f"${core_hours * prices.core_hour:,.0f}", f"${prices.core_hour} for a core hour"),
        ("people table", f"{table / 1e9:,.0f} GB", f"{ROW_BYTES:g} bytes for a person"),
        ("search indices", f"{indices / 1e9:,.0f} GB", f"{INDEX_BYTES:g} bytes for a person"),
        ("media table", f"{catalogue / 1e9:,.0f} GB", f"{MEDIUM_BYTES:g} bytes for a file"),
        ("storage", f"${stored * prices.gigabyte_month:,.0f} a month", f"${prices.gigabyte_month} for a GB and month"),
        ("media read", f"{megabytes / 1e6:,.0f} TB",
         f"{PHOTO_MB:g} MB a photograph, {VIDEO_MB_PER_HOUR:,.0f} MB an hour: assumed; free within one region"),
        ("bandwidth", f"{megabytes / (core_hours / cores * 3600) / 125:,.1f} Gbit/s", "media read / hours"),
        ("requests that read", f"{reads:,.0f}, ${reads / 1000 * prices.thousand_gets:,.0f}",
         f"{REQUESTS_PER_PHOTO} a photograph, one for each {READ_BLOCK_MB:g} MB of video"),
        ("requests that commit", f"{commits:,.0f}, ${commits / 1000 * prices.thousand_puts:,.0f}",
         f"{COMMIT_REQUESTS} a turn, one for each {COMMIT_PEOPLE:,} people or {COMMIT_SECONDS:g} s"),
        ("memory of the plan", f"{photos * PLAN_BYTES / 1e9:,.0f} GB", f"{PLAN_BYTES:,.0f} bytes for each known file"),
        ("memory of a search", f"{people / SEARCH_ROWS * SEARCH_MB / 1000:,.0f} GB",
         f"{SEARCH_MB:,.0f} MB held at {SEARCH_ROWS / 1e6:g} million; in proportion"),
        ("partitions", f"{partitions:,.0f}", "the square root of the people"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=float, default=100e6)
    parser.add_argument("--hours", type=float, default=1000, help="of video")
    parser.add_argument("--mode", choices=list(MS_PER_PHOTO), default="balanced")
    parser.add_argument("--cores", type=float, default=1000)
    for name, value in vars(Prices()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=value, help="dollars")
    asked = vars(parser.parse_args())
    size = [asked.pop(name) for name in ("photos", "hours", "mode", "cores")]
    for what, value, how in plan(*size, Prices(**asked)):
        print(f"{what:22}{value:>28}   {how}")


if __name__ == "__main__":
    main()
