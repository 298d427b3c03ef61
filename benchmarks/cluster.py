"""How fast are the people of an index grouped, and how do the groups compare with HDBSCAN's?

    python -m benchmarks.cluster [--people 100000] [--mocap FILE.npz] [--baseline 100000]
    python -m benchmarks.cluster --index URI [--actions]

The first makes an index and measures `Index.cluster`: with `--mocap` (an array `points`, N x 17 x 3, H36M17, y up) of
what the shipped model makes of frames in random cameras with simulated faults of a detector; without, of made-up people
around 2,000 centres. The baseline of the same run is scikit-learn's HDBSCAN (`pip install scikit-learn`) on the means
of the same embeddings, `leaf` and `min_samples=2`, the setting of it that serves poses best.
The second holds our groups of an index beside HDBSCAN's of the same sightings. With `--actions`, the files' names
without their number are actions ("golf_3.avi" is golf): how far do groups agree with these?
"""

from __future__ import annotations

import argparse
import re
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks._machine import describe
from benchmarks.search_million import Stub, made_up, numbered

from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.views import Camera, keypoint_views
from samepose.index import Index
from samepose.index.cluster import DISTINCT, LEAST, MIN_SIZE, _people
from samepose.index.grouping import Likeness, grouped, sightings
from samepose.index.schema import medium_of
from samepose.poses import Poses
from samepose.skeleton import BODY13, COCO17

VIEWS = 1000  # people who share a camera


def views(points: np.ndarray, people: int, rng: np.random.Generator) -> np.ndarray:
    """Keypoints (people, 13, 2) of random frames, `VIEWS` in each random camera, with faults of a detector."""
    parts = []
    for start in range(0, people, VIEWS):
        camera = Camera(rng.uniform(-180, 180), rng.uniform(-30, 30), rng.uniform(-15, 15))
        rows = rng.integers(len(points), size=min(VIEWS, people - start))
        parts.append(keypoint_views(points[rows], [camera], "detected", seed=start)[0])
    return np.concatenate(parts)


def build(folder: Path, mocap: Path | None, people: int) -> Index:
    """An index of so many people in images, a thousand in each: nobody is anybody's near-duplicate in a track."""
    rng = np.random.default_rng(0)
    embedder = PrVipeEmbedder.load() if mocap else Stub(made_up(people, rng))
    points = views(np.load(mocap)["points"], people, rng) if mocap else numbered(people, rng)
    index = Index.open(folder / "index", create=True, root=folder, embedder=embedder)
    poses = Poses.of(points, BODY13 if mocap else COCO17, tracks=np.arange(people) % VIEWS)
    index.add(poses, name=[f"{folder}/{i // VIEWS:05d}.jpg" for i in range(people)])
    return index


def timed(name: str, call: Callable[[], Any]) -> Any:
    start, processor = time.perf_counter(), time.process_time()
    result = call()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{name:46s}{time.perf_counter() - start:8.1f} s, processor {time.process_time() - processor:6.1f} s, "
          f"peak of the process so far {peak:.2f} GB", flush=True)
    return result


def speed(people: int, mocap: Path | None, baseline: int) -> None:
    """`Index.cluster` once in an index of so many, and HDBSCAN of the first `baseline` of them."""
    with tempfile.TemporaryDirectory() as temporary:
        index = build(Path(temporary), mocap, people)
        groups = timed(f"Index.cluster, {people:,} people", index.cluster)
        sizes = [group.size for group in groups]
        print(f"  {len(groups):,} groups, largest {max(sizes, default=0) / people:.1%}, "
              f"noise {len(groups.noise) / people:.1%}, not embedded {groups.not_embedded}")
        likeness = everybody(index)[0][slice(baseline)]
    found = timed(f"grouped, {baseline:,} people", lambda: grouped(likeness, MIN_SIZE, LEAST))
    tell("ours", found.group, likeness)
    if baseline and (fit := hdbscan("leaf", 2)):
        group = timed(f"scikit-learn's HDBSCAN, {baseline:,} people", lambda: fit(likeness))
        tell("HDBSCAN, leaf", group, likeness)


def compare(uri: str, actions: bool) -> None:
    """Our groups and HDBSCAN's of the sightings of an index."""
    likeness, names = everybody(Index.open(uri))
    action = np.array([re.sub(r"_\d+$", "", Path(name).stem) for name in names]) if actions else None
    tell("ours", grouped(likeness, MIN_SIZE, LEAST).group, likeness, action)
    for selection in ("eom", "leaf"):
        for samples in (2, 3):
            if fit := hdbscan(selection, samples):
                tell(f"HDBSCAN, {selection}, min_samples={samples}", fit(likeness), likeness, action)


def everybody(index: Index) -> tuple[Likeness, list[str]]:
    """The sightings in an index, and their files: behind the door."""
    space, store = index.spaces[0], index._store
    rows, embedded = _people(store, [space])
    rows = rows.filter(embedded)
    likeness = Likeness(((index.embedder.matching, space.embeddings(rows)),))
    own = sightings(np.asarray(rows["track"]), np.asarray(rows["time"], np.float64), likeness, DISTINCT, LEAST)
    seen = np.flatnonzero(own == np.arange(len(own)))
    media = medium_of(np.asarray(rows["id"])[seen])
    paths = store.catalogue().find(set(media.tolist()))
    return likeness[seen], [paths[medium][0] for medium in media.tolist()]


def hdbscan(selection: str, samples: int) -> Callable[[Likeness], np.ndarray] | None:
    try:
        from sklearn.cluster import HDBSCAN
    except ImportError:
        print("scikit-learn is not installed: no baseline")
        return None
    model = HDBSCAN(min_cluster_size=MIN_SIZE, min_samples=samples, cluster_selection_method=selection, copy=True)
    return lambda likeness: model.fit(likeness.spaces[0][1].mean.astype(np.float64)).labels_


def tell(name: str, group: np.ndarray, likeness: Likeness, action: np.ndarray | None = None) -> None:
    """A line about groups: how many, how large, how alike; the centre of each is its likeliest member on average."""
    inside = group >= 0
    sizes = np.bincount(group[inside]) if inside.any() else np.zeros(1, int)
    total, agree, rows = 0.0, 0, 0
    for number in range(len(sizes)):
        own = likeness[np.flatnonzero(group == number)[:2000]]
        if len(own) > 1:
            p = own.probability(own)
            np.fill_diagonal(p, 0)
            row = np.delete(p[(at := p.sum(axis=1).argmax())], at)
            total, agree, rows = total + row.sum(), agree + (row >= LEAST).sum(), rows + len(row)
    line = (f"  {name:28s} groups {len(sizes):5d}, noise {1 - inside.mean():.1%}, "
            f"largest {sizes.max() / len(group):.1%}, P with the centre: mean {total / max(rows, 1):.2f}, "
            f"{agree / max(rows, 1):.0%} of members >= {LEAST}")
    if action is not None:
        purity = sum(np.unique(action[group == n], return_counts=True)[1].max() for n in range(len(sizes)))
        line += f"; of those in groups {purity / max(inside.sum(), 1):.0%} are of their group's commonest action"
        try:
            from sklearn.metrics import adjusted_mutual_info_score as ami

            line += f", adjusted mutual information {ami(action[inside], group[inside]):.2f}"
        except ImportError:
            pass
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--baseline", type=int, default=100_000, help="people whom HDBSCAN groups; it is slow")
    parser.add_argument("--mocap", type=Path)
    parser.add_argument("--index", help="compare the groups of this index instead")
    parser.add_argument("--actions", action="store_true")
    args = parser.parse_args()
    print(describe("numpy", "numba", "scikit-learn"))
    if args.index:
        compare(args.index, args.actions)
    else:
        speed(args.people, args.mocap, args.baseline)


if __name__ == "__main__":
    main()
