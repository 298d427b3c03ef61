"""Search by moment through the command line: the demo's four synchronised cameras, and held-out motion capture.

    python -m experiments.search_by_moment [--detections DIR] [--every 2] [--moments 0 0.3]
    python -m experiments.search_by_moment --data MOCAP --weights HELD_OUT.onnx [--frames 300]

Cameras: for each of the four, `samepose index --fps 30` of the other three, then `samepose search VIDEO --at T` for
every second of its indexed frames (15 a second), by the frame alone and by moments. The best find in each of the other
videos counts: it should be at T. Detections are deterministic; each frame is looked at once and kept in DIR, so that
queries and indexes of all runs share them. Nothing is tuned on these videos.

Motion capture: Hit@1 of frames and of moments of people that the weights have never seen, in every second camera of
all11, the gallery drawn without near duplicates. A find is right when the pose of its own frame is within 0.1 NP-MPJPE,
for frames and moments alike. Here the length of a moment was chosen.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks._machine import describe, verdict
from experiments.align_four_cameras import everyone
from scipy.stats import kendalltau

import samepose
from samepose.cli.app import main as command_line
from samepose.demo import cache_folder, fetch_videos
from samepose.detection.movenet import MoveNet
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.crossview import CrossView, Pair
from samepose.evaluation.moment_calibrator import CAMERAS, centres_of, steps_of
from samepose.evaluation.views import keypoint_views
from samepose.formats.keypoints import load_poses
from samepose.formats.subjects import load_many, only, read_subjects
from samepose.geometry.procrustes import np_mpjpe_matrix
from samepose.matching.moment import minus_log
from samepose.media.video import read_frames
from samepose.poses import Poses

FPS = "30"
LENGTHS = (0.1, 0.2, 0.3, 0.6)
TARGETS = {"median_offset": 0.034, "tau": 0.95}


class Kept:
    """MoveNet, whose answers for the frames of the four videos are read from files that it wrote itself."""

    def __init__(self, videos: list[Path], folder: Path) -> None:
        self._detector = MoveNet("balanced")
        self.name = self._detector.name
        self._known: dict[int, Poses] = {}
        for video in videos:
            people = load_poses(everyone(video, self._detector, folder)).poses
            for frame in read_frames(video, None):
                self._known[hash(frame.image.tobytes())] = people[people.frames == frame.index]

    def detect(self, image: np.ndarray) -> Poses:
        return self._known[hash(image.tobytes())]


def said(*words: Any) -> Any:
    """What `samepose WORDS --json` prints."""
    out = io.StringIO()
    with redirect_stdout(out):
        code = command_line([*map(str, words), "--json", "--quiet"])
    if code:
        raise SystemExit(f"samepose {' '.join(map(str, words))}: ended with {code}")
    return json.loads(out.getvalue())


def indexes(videos: list[Path], folder: Path) -> list[Path]:
    """One for each camera, of the other three."""
    whole = folder / "all"
    said("index", *videos, "--fps", FPS, "--index", whole, "--root", videos[0].parent)
    made = []
    for video in videos:
        made.append(folder / f"without-{video.stem}")
        shutil.copytree(whole, made[-1])
        said("remove", video.name, "--index", made[-1], "--yes")
    return made


def cameras(videos: list[Path], moments: list[float], every: int, folder: Path) -> dict[float, CrossView]:
    made, pairs = indexes(videos, folder), {moment: [] for moment in moments}
    for q, video in enumerate(videos):
        times = [frame.time for frame in read_frames(video, float(FPS))][::every]
        for moment in moments:
            best = [found(video, time, made[q], moment) for time in times]
            for e, other in enumerate(videos):
                if e != q:
                    met = [(t, *b[other.name]) for t, b in zip(times, best) if other.name in b]
                    at, there, score = np.array(met).T
                    tau = float(kendalltau(at, there).statistic)
                    pairs[moment].append(Pair(q, e, there - at, tau, score))
    return {moment: CrossView(tuple(p)) for moment, p in pairs.items()}


def found(video: Path, time: float, index: Path, moment: float) -> dict[str, tuple[float, float]]:
    """Time and score of the best find in each of the other videos; somebody is always in view."""
    hits = said("search", video, "--at", time, "--index", index, "--moment", moment, "-k", 20, "--distinct", 10,
                "--min-score", 0)["results"]
    return {hit["path"]: (hit["time"], hit["score"]) for hit in reversed(hits)}


def on_mocap(data: list[Path], weights: Path, frames: int) -> Iterator[dict[str, Any]]:
    """Hit@1, a mean over ordered pairs of cameras."""
    embedder = PrVipeEmbedder.load(weights)
    poses = only(load_many(data), read_subjects())
    people = np.unique(poses.subject)
    for seconds, steady in itertools.product(LENGTHS, (False, True)):
        centres = centres_of(poses, people, seconds, frames)
        right = np_mpjpe_matrix(poses.points[centres], poses.points[centres]) <= 0.1
        taps = [[embedder.embed_keypoints(view) for view in keypoint_views(
            poses.points[centres + step], CAMERAS, "detected", 0 if steady else tap)]
            for tap, step in enumerate(steps_of(poses, seconds))]
        hits = []
        for q, e in itertools.permutations(range(len(CAMERAS)), 2):
            distance = np.stack([minus_log(embedder.matching.probability(tap[q], tap[e])) for tap in taps])
            hits.append([right[np.arange(len(right)), d.argmin(axis=1)].mean()
                         for d in (distance[3], distance.mean(axis=0))])
        frame, moment = np.mean(hits, axis=0)
        yield {"seconds": seconds, "faults": "once" if steady else "anew", "moments": len(centres),
               "frame": round(100 * float(frame), 1), "moment": round(100 * float(moment), 1)}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--detections", type=Path, default=cache_folder() / "four_cameras", help="folder of pose files")
    parser.add_argument("--every", type=int, default=2, help="of so many indexed frames one is looked for")
    parser.add_argument("--moments", type=float, nargs="+", default=[0.0, 0.3])
    parser.add_argument("--data", type=Path, nargs="+", help="motion capture: measure on it instead")
    parser.add_argument("--weights", type=Path, help="a model that has not seen the held-out people")
    parser.add_argument("--frames", type=int, default=300)
    args = parser.parse_args(argv)
    print(describe("samepose", "numpy", "onnxruntime"))
    if args.data:
        for row in on_mocap(args.data, args.weights, args.frames):
            print(json.dumps(row), flush=True)
        return
    videos = fetch_videos(cache_folder() / "four_cameras")
    detector = Kept(videos, args.detections)
    samepose.MoveNet = lambda *args: detector  # type: ignore[assignment,misc]
    with tempfile.TemporaryDirectory() as folder:
        results = cameras(videos, args.moments, args.every, Path(folder))
    for moment, result in results.items():
        print(f"--moment {moment:g}: median |dt| {result.median_offset:.3f} s, mean {result.mean_offset:.3f} s, tau "
              f"{result.tau:.3f}, median score {np.median([np.median(p.top) for p in result.pairs]):.2f}")
        for p in result.pairs:
            print(f"    {p.query + 1} in {p.index + 1}: {np.median(np.abs(p.offsets)):.3f} s, tau {p.tau:.2f}, "
                  f"{len(p.offsets)} queries")
    last = results[args.moments[-1]]
    print(verdict("median |dt| / 0.034 s", last.median_offset / TARGETS["median_offset"], 1.0))
    print(verdict("0.95 / tau", TARGETS["tau"] / last.tau, 1.0))


if __name__ == "__main__":
    main()
