"""The same moment from another camera, on real videos: the demo's four synchronised cameras, all 12 ordered pairs.

    python -m experiments.four_cameras [--weights MODEL.onnx] [--detections DIR] [--json]

Every second frame (30 a second) of each camera is looked for among those of each other camera, the likeliest match
only: by single frames as embeddings, by single frames as a search ranks them (the second look of `embed.pairs`), and by
moments, seven frames fused late as alignment compares them. Detection takes a minute or two and is kept as pose files
in DIR, so that other weights are measured in seconds. The baseline is the same run with the 2D keypoints themselves and
Procrustes per pair.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from samepose.demo import cache_folder, fetch_videos
from samepose.detection import detect
from samepose.detection.movenet import MoveNet
from samepose.embed.pairs import PairModel
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.crossview import CrossView, cross_view
from samepose.evaluation.retrieval import Keypoints2D, PrVipe, Reranked
from samepose.formats.keypoints import load_poses, save_poses
from samepose.matching.embeddings import Matching
from samepose.poses import Poses
from samepose.sequences.clip import Clip, clip_of
from samepose.sequences.distance import frame_distances

FPS = 30.0
SECOND_LOOK, MOMENTS = "second look", "seven frames"
BASELINE = "2d-procrustes"


def most_prominent(video: Path, detector: MoveNet, folder: Path) -> Poses:
    """The most prominent person of every second frame, from the folder if they are there."""
    kept = folder / f"{video.stem}-{FPS:g}fps-{detector.name}.npz"
    if not kept.exists():
        print(f"detecting in {video.name}", file=sys.stderr)
        people = Poses.concatenate([p[int(p.prominence().argmax())] for _, p in detect(video, detector, FPS) if len(p)])
        save_poses(kept, people, [video.name] * len(people))
    return load_poses(kept).poses


@dataclass(frozen=True)
class Moments:
    """A frame with those before and after it, see `samepose.sequences.distance`."""

    matching: Matching

    def describe(self, keypoints: Any) -> Any:
        return keypoints

    def scores(self, query: Clip, index: Clip) -> np.ndarray:
        return np.exp(-frame_distances(query, index, self.matching))


def measure(folder: Path, weights: Path | None) -> dict[str, CrossView]:
    videos = fetch_videos(cache_folder() / "four_cameras")
    folder.mkdir(parents=True, exist_ok=True)
    detector, embedder = MoveNet("balanced"), PrVipeEmbedder.load(weights)
    people = [most_prominent(video, detector, folder) for video in videos]
    people = [p[embedder.searchable(p)] for p in people]
    keypoints, times = [embedder.keypoints(p) for p in people], [p.times for p in people]
    model = PrVipe(embedder.embed_keypoints, embedder.matching)
    clips = [clip_of(p, embedder) for p in people]
    return {
        embedder.name: cross_view(keypoints, times, model),
        SECOND_LOOK: cross_view(keypoints, times, Reranked(model, PairModel.load())),
        MOMENTS: cross_view(clips, [clip.times for clip in clips], Moments(embedder.matching)),
        BASELINE: cross_view(keypoints, times, Keypoints2D()),
    }


def as_json(results: dict[str, CrossView]) -> dict[str, object]:
    return {
        "machine": {"cpu": cpu(), "cores": os.cpu_count()},
        "versions": {p: version(p) for p in ("samepose", "onnxruntime", "numpy")},
        "models": {
            name: {
                "median_offset": result.median_offset, "mean_offset": result.mean_offset, "tau": result.tau,
                "pairs": [
                    {"query": p.query + 1, "index": p.index + 1, "median_offset": float(np.median(np.abs(p.offsets))),
                     "tau": p.tau, "top_score": float(np.median(p.top)), "frames": len(p.offsets)}
                    for p in result.pairs
                ],
            } for name, result in results.items()
        },
    }


def show(results: dict[str, CrossView]) -> None:
    packages = ", ".join(f"{p} {version(p)}" for p in ("samepose", "onnxruntime", "numpy"))
    print(f"{cpu()}, {os.cpu_count()} cores; Python {platform.python_version()}, {packages}\n")
    print(f"{'':12}" + "".join(f"{name:>26}" for name in results))
    print(f"{'cameras':12}" + f"{'|dt| s':>12}{'tau':>7}{'score':>7}" * len(results))
    for row in zip(*(result.pairs for result in results.values())):
        cells = (f"{np.median(np.abs(p.offsets)):12.3f}{p.tau:7.2f}{np.median(p.top):7.2f}" for p in row)
        print(f"{row[0].query + 1} in {row[0].index + 1:<7}" + "".join(cells))
    for label, field in (("median |dt|", "median_offset"), ("mean |dt|", "mean_offset"), ("mean tau", "tau")):
        print(f"{label:12}" + "".join(f"{getattr(result, field):12.3f}{'':14}" for result in results.values()))


def cpu() -> str:
    """The processor's name, where the system tells it."""
    names = Path("/proc/cpuinfo")
    lines = names.read_text().splitlines() if names.exists() else []
    found = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return found[0] if found else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, help="an exported Pr-VIPE model; the shipped one by default")
    parser.add_argument("--detections", type=Path, default=cache_folder() / "four_cameras", help="folder of pose files")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    results = measure(args.detections, args.weights)
    if args.json:
        print(json.dumps(as_json(results)))
    else:
        show(results)


if __name__ == "__main__":
    main()
