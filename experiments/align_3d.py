"""Degrees that `align` reports between cameras of the same instants: in the picture, and in space.

    python -m experiments.align_3d [--detections DIR] [--mocap MOCAP --held-out HELD_OUT.txt]

What is compared are the same instants of one performance, so every degree is an error. First the demo's four
synchronised real videos, all pairs of cameras: the joints' angles (elbows, shoulders, hips, knees; the median of five
moments, as `align` takes them) in MoveNet's keypoints, and in the poses that these are lifted to. Then clips of people
whom no network has seen, in perfect projection to two virtual cameras (30 frames a second, 90 degrees apart). Moments
count where both cameras have the joint. Printed are the median, the 90th percentile, and the share of 20 degrees or
more, from which on a joint is marked.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from benchmarks._machine import describe
from experiments.align_four_cameras import RATE, performer
from jaxtyping import Float

from samepose.demo import cache_folder, fetch_videos
from samepose.detection.movenet import MoveNet
from samepose.embed import shipped
from samepose.formats.load_mocap import load_poseset
from samepose.formats.subjects import only, read_subjects
from samepose.geometry.angles import joint_angles
from samepose.geometry.camera import centred, project
from samepose.lifting import Lifter
from samepose.lifting.lifting import load_lifter
from samepose.poses import Poses
from samepose.sequences.alignment import Alignment, smoothed
from samepose.sequences.clip import Clip, clip_of
from samepose.sequences.dtw import Path as Way
from samepose.skeleton import BODY13, H36M17

_CLIPS, _LONGEST = 40, 150  # clips of held-out people, and frames of each
_AZIMUTHS, _DISTANCE = (30, 120), 4.0  # degrees, metres


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detections", type=Path, default=cache_folder() / "four_cameras", help="folder of pose files")
    parser.add_argument("--mocap", type=Path)
    parser.add_argument("--held-out", type=Path)
    options = parser.parse_args(argv)
    lifter = load_lifter()
    print(describe("numpy", "onnxruntime"), f"; {lifter.name}")
    detector = MoveNet("balanced")
    people = [performer(video, detector, options.detections) for video in fetch_videos(cache_folder() / "four_cameras")]
    pairs = {"four cameras": list(itertools.combinations([clip_of(p, shipped(), rate=RATE) for p in people], 2))}
    if options.mocap:
        pairs["held-out mocap"] = [tuple(clip_of(p, shipped(), rate=RATE) for p in both)
                                   for both in virtual(options.mocap, options.held_out)]
    figures = {}
    for name, clips in pairs.items():
        for where, degrees in (("picture", in_picture), ("space", in_space)):
            gaps = np.concatenate([degrees(a, b, lifter).ravel() for a, b in clips])
            gaps = gaps[~np.isnan(gaps)]
            told = {"median": np.median(gaps), "p90": np.quantile(gaps, 0.9), "marked": 100 * (gaps >= 20).mean()}
            figures[f"{name}, {where}"] = {key: round(float(value), 1) for key, value in told.items()}
            print(f"{name:15} {where:8} median {told['median']:5.1f}°  90 % under {told['p90']:5.1f}°  "
                  f"20° or more {told['marked']:5.1f} %  of {len(gaps):,}")
    print(json.dumps(figures))


def same_instants(a: Clip, b: Clip, lifter: Lifter) -> Alignment:
    """What an alignment would be that brings every moment together with its own."""
    start = max(a.times[0], b.times[0])
    first, second = (round((start - clip.times[0]) * RATE) for clip in (a, b))
    moments = np.arange(min(len(a) - first, len(b) - second))
    way = Way(np.stack([moments + first, moments + second], axis=1), 0.0)
    return Alignment(a, b, np.zeros((len(a), len(b))), way, False, lifter)


def in_space(a: Clip, b: Clip, lifter: Lifter) -> Float[np.ndarray, "k 8"]:
    return same_instants(a, b, lifter).degrees


def in_picture(a: Clip, b: Clip, lifter: Lifter) -> Float[np.ndarray, "k 8"]:
    """As it was told before poses were lifted."""
    i, j = same_instants(a, b, lifter).path.pairs.T
    return np.abs(smoothed(joint_angles(a.poses))[i] - smoothed(joint_angles(b.poses))[j])


def virtual(mocap: Path, held_out: Path | None) -> list[tuple[Poses, Poses]]:
    """The beginnings of clips of people held out, as two cameras see them."""
    poses = only(load_poseset(mocap), read_subjects(held_out))
    clips = np.random.default_rng(0).permutation(np.unique(poses.clip))[:_CLIPS]
    found = []
    for clip in clips:
        points = poses.points[poses.clip == clip][:_LONGEST].astype(np.float64)
        body = H36M17.convert(points - centred_at(points), BODY13)
        views = [project(body, np.float64(np.radians(a)), np.float64(np.radians(10)), np.float64(0),
                         np.float64(_DISTANCE)) for a in _AZIMUTHS]
        flat = [Poses.of(view * 1000 + 500, BODY13, times=np.arange(len(view)) / RATE, tracks=np.zeros(len(view)))
                for view in views]
        found.append((flat[0], flat[1]))
    return found


def centred_at(points: Float[np.ndarray, "n 17 3"]) -> Float[np.ndarray, "1 1 3"]:
    """The place of the pelvis in the first frame, where the cameras look."""
    first: np.ndarray = (points - centred(points))[:1, :1]
    return first


if __name__ == "__main__":
    main()
