"""Two cameras of the same performance, aligned: does each moment meet its own? All 12 ordered pairs of the demo's four.

    python -m experiments.align_four_cameras [--weights MODEL.onnx] [--detections DIR] [--json]

The cameras ran in step, so the right path is known. "in step": the median |dt| along the path of every pair is to be at
most 0.05 s. "shifted": one of the two begins 0.5 s later and is played at 60 % speed, 30 frames a second, and the ends
are open; the median |dt| over the moments that both show (1.1 s) is to be at most 0.07 s, in seconds of the
performance. A moment of A that the path leaves out counts with the nearest one on it: leaving out is no way to be
right. "closed" is the same without open ends, for comparison. Detection takes a minute or two and is kept in DIR.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from benchmarks._machine import describe, verdict

from samepose.demo import cache_folder, fetch_videos
from samepose.detection import detect
from samepose.detection.movenet import MoveNet
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.formats.keypoints import save_poses
from samepose.poses import Poses
from samepose.query.kinds import open_source
from samepose.sequences.alignment import Alignment, align
from samepose.sequences.clip import clip_of

RATE, SHIFT, SPEED = 30.0, 0.5, 0.6
TARGETS = {"in step": 0.05, "shifted": 0.07}


def everyone(video: Path, detector: MoveNet, folder: Path) -> Path:
    """A file of all people in every frame, in the folder if it is not there yet."""
    kept = folder / f"{video.stem}-all-{detector.name}.npz"
    if not kept.exists():
        print(f"detecting in {video.name}", file=sys.stderr)
        people = Poses.concatenate([p for _, p in detect(video, detector, None) if len(p)])
        save_poses(kept, people, [video.name] * len(people))
    return kept


def performer(video: Path, detector: MoveNet, folder: Path) -> Poses:
    """The most prominent person in every frame."""
    return open_source(everyone(video, detector, folder)).track()


def shifted(poses: Poses) -> Poses:
    """From `SHIFT` on, at `SPEED`."""
    later = poses[poses.times >= SHIFT - 1e-6]
    return replace(later, times=(later.times - SHIFT) / SPEED)


def offsets(found: Alignment, shift: float, speed: float) -> np.ndarray:
    """Seconds of the performance by which each moment of A that B shows too is off."""
    a, b = found.times[:, 0], shift + speed * found.times[:, 1]
    moments = np.unique(a)
    met = np.array([b[a == moment].mean() for moment in moments])
    end = min(found.a.times[-1], shift + speed * found.b.times[-1])
    asked = found.a.times[(found.a.times >= shift - 1e-6) & (found.a.times <= end + 1e-6)]
    return np.abs(np.interp(asked, moments, met) - asked)


def measure(people: list[Poses], embedder: PrVipeEmbedder) -> dict[str, list[dict[str, float]]]:
    results: dict[str, list[dict[str, float]]] = {"in step": [], "shifted": [], "closed": []}
    clips = [clip_of(p, embedder, rate=RATE) for p in people]
    slow = [clip_of(shifted(p), embedder, rate=RATE) for p in people]
    for i, j in itertools.permutations(range(len(people)), 2):
        straight = align(clips[i], clips[j])
        runs = {"in step": np.abs(straight.times[:, 1] - straight.times[:, 0])}
        for name, open_ends in (("shifted", True), ("closed", False)):
            found = align(clips[i], slow[j], open_ends=open_ends)
            runs[name] = offsets(found, SHIFT, SPEED)
        for name, values in runs.items():
            results[name].append({"a": i + 1, "b": j + 1, "median_offset": round(float(np.median(values)), 4),
                                  "mean_offset": round(float(values.mean()), 4), "moments": len(values)})
    return results


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="an exported Pr-VIPE model; the shipped one by default")
    parser.add_argument("--detections", type=Path, default=cache_folder() / "four_cameras", help="folder of pose files")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)
    videos, detector = fetch_videos(cache_folder() / "four_cameras"), MoveNet("balanced")
    args.detections.mkdir(parents=True, exist_ok=True)
    embedder = PrVipeEmbedder.load(args.weights)
    results = measure([performer(video, detector, args.detections) for video in videos], embedder)
    if args.json:
        print(json.dumps({"model": embedder.name, **results}))
        return
    print(describe("samepose", "numpy", "onnxruntime"), f"; {embedder.name}")
    print(f"median |dt| in seconds\n{'A, B':8}" + "".join(f"{name:>10}" for name in results))
    for rows in zip(*results.values()):
        print(f"{rows[0]['a']}, {rows[0]['b']:<5}" + "".join(f"{row['median_offset']:10.3f}" for row in rows))
    for name, limit in TARGETS.items():
        worst = max(row["median_offset"] for row in results[name])
        print(verdict(f"{name}: worst pair / {limit} s", worst / limit, 1.0))


if __name__ == "__main__":
    main()
