"""How often a person's own row is found first when a part of the body is ignored.

    python -m experiments.ignored_joints PENN [--every 1] [--queries 100]

PENN is Penn Action's folder of labels. Every sixth frame of each video is indexed, as a clip of 30 frames per second.
Random people of the index are then searched by their keypoints, once as they are and once with every joint moved by a
normal error of 1 % of the larger side of their box; they are found when the hit is of their own clip and within the
half second that is folded into one hit. The ignored joints of the query are given a stranger's place: they must not
matter.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks._machine import describe

from samepose.embed.prvipe import PrVipeEmbedder
from samepose.formats.penn import read_penn_action
from samepose.index import Index
from samepose.poses import Poses
from samepose.skeleton import BODY13, PARTS

_STRIDE, _FPS, _ERROR = 6, 30.0, 0.01


def main(argv: Sequence[str] | None = None) -> None:
    """Index, search, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--every", type=int, default=1, help="take every so many-th clip only")
    options = parser.parse_args(argv)
    print(describe("numpy", "onnxruntime", "lancedb"))
    clips = {f"{v.name}.mp4": _clip(v.poses) for v in read_penn_action(options.folder).videos[:: options.every]}
    with tempfile.TemporaryDirectory() as folder:
        index = Index.open(Path(folder) / "index", create=True, embedder=PrVipeEmbedder.load())
        names = [name for name, poses in clips.items() for _ in range(len(poses))]
        index.add(Poses.concatenate(list(clips.values())), name=names)
        print(f"{index.info().people:,} people of {len(clips):,} clips\n")
        print("ignored          asked  first  in five   with error: first  in five  seconds  score of the first")
        for part in (None, *(p for p in PARTS if p != "upper_body")):
            print(_line(index, clips, part, options.queries))


def _clip(poses: Poses) -> Poses:
    taken = poses[::_STRIDE]
    return replace(taken, times=taken.frames / _FPS).to(BODY13)


def _line(index: Index, clips: dict[str, Poses], part: str | None, queries: int) -> str:
    rng, joints = np.random.default_rng(0), () if part is None else PARTS[part]
    names, ranks, scores, seconds = list(clips), {0.0: [], _ERROR: []}, [], 0.0
    for _ in range(queries):
        name, stranger = names[rng.integers(len(names))], clips[names[rng.integers(len(names))]]
        pose = clips[name][int(rng.integers(len(clips[name])))]
        if not index.embedder.searchable(pose.hide(joints))[0]:
            continue
        for error, found in ranks.items():
            start = time.perf_counter()
            hits = index.search(_as_query(pose, stranger, joints, error, rng), ignore=joints, k=5)
            seconds += time.perf_counter() - start
            own = [Path(h.path).name == name and h.span[0] - 0.01 <= pose.times[0] <= h.span[1] + 0.01 for h in hits]
            found.append(own.index(True) if True in own else 5)
        scores.append(hits[0].score)
    shares = [100 * np.mean(np.array(found) < n) for found in ranks.values() for n in (1, 5)]
    return (f"{part or 'nothing':<15} {len(scores):6d} {shares[0]:5.1f}% {shares[1]:6.1f}% {shares[2]:18.1f}% "
            f"{shares[3]:7.1f}% {seconds / 2 / len(scores):8.2f} {np.mean(scores):8.2f}")


def _as_query(pose: Poses, stranger: Poses, joints: Sequence[str], error: float, rng: np.random.Generator) -> Poses:
    """The keypoints alone: with an error, and a stranger's for the joints that are ignored."""
    size = float((np.nanmax(pose.points[0], axis=0) - np.nanmin(pose.points[0], axis=0)).max())
    points = pose.points + rng.normal(0, error * size, pose.points.shape)
    at = [BODY13.index(j) for j in joints if j in BODY13.joints]
    points[:, at] = stranger.points[:1, at]
    return Poses.of(points.astype(np.float32), BODY13, scores=pose.scores)


if __name__ == "__main__":
    main()
