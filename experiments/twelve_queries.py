"""Twelve queries over a mixed collection, to be judged by looking: are the five best hits in the same pose?

    python -m experiments.twelve_queries MEDIA INDEX OUT

MEDIA holds `photos/*.jpg` (COCO val2014), `jhmdb/*.avi` (JHMDB) and `video.avi`; INDEX is made of it unless it is
there. OUT gets a sheet for each query, with the five best hits that are not of the query's own file, and `judge.csv`
with an empty column. The queries were chosen by name and time, before anything was searched for. The judgements are in
results/twelve-queries.json.

Right is a hit whose person, whatever the camera's angle, holds the torso alike (upright, bent or lying, within some 30
degrees), and each arm and each leg that both show alike (raised, stretched, bent or hanging; standing, striding,
kicking or crouching); one limb may differ a little, none grossly. The pose mirrored is wrong. Only poses are judged,
not who it is or what they do.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

from samepose.index import Index

QUERIES: tuple[tuple[str, float | None], ...] = (
    ("photos/COCO_val2014_000000000241.jpg", None),
    ("photos/COCO_val2014_000000000294.jpg", None),
    ("photos/COCO_val2014_000000000360.jpg", None),
    ("photos/COCO_val2014_000000000415.jpg", None),
    ("photos/COCO_val2014_000000000474.jpg", None),
    ("photos/COCO_val2014_000000000569.jpg", None),
    ("jhmdb/golf_2.avi", 0.8),
    ("jhmdb/jump_6.avi", 0.6),
    ("jhmdb/kick_ball_3.avi", 0.7),
    ("jhmdb/pullup_2.avi", 0.7),
    ("jhmdb/swing_baseball_1.avi", 0.6),
    ("video.avi", 2.0),
)
HITS = 5
_LOOKED_AT = 200  # so many that five are left without the query's own file


def main(argv: Sequence[str] | None = None) -> None:
    """Search, and write sheets and the table to be filled in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("media", type=Path)
    parser.add_argument("index", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args(argv)
    there = options.index.exists()
    index = Index.open(options.index, create=not there)
    if not there:
        index.add(options.media)
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "judge.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("query", "of", "hit", "file", "time", "score", "right"))
        for n, (name, at) in enumerate(QUERIES, 1):
            own = options.media / name
            found = index.search(own, at=at, k=_LOOKED_AT)
            kept = [i for i, hit in enumerate(found) if hit.file.resolve() != own.resolve()][:HITS]
            best = type(found)(found.query, [found[i] for i in kept], found.root)
            best.write(options.out / f"{n:02d}.png", title=f"{n:02d} {name}")
            for k, hit in enumerate(best, 1):
                table.writerow((f"{n:02d}", name, k, Path(hit.path).name, hit.time, f"{hit.score:.2f}", ""))


if __name__ == "__main__":
    main()
