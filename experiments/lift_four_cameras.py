"""Lifting on real videos: four synchronised cameras, each lifted alone, against what all four see together.

    python -m experiments.lift_four_cameras [--detections DIR] [--tracks FILE] [--json]

Truth: MoveNet's keypoints of every second frame (30 a second), triangulated by the cameras' calibration
(scripts/triangulate.py), less the shift of each image that the calibration leaves (as in scripts/measure_detector.py).
It has shoulders, elbows, wrists, hips, knees and ankles: these 12 joints are compared, in mm, after moving the lifted
pose onto the truth of its frame by Procrustes (rotation, scale, translation). A body's joints lie elsewhere than a
detector sees them, so part of every figure is a difference of definition; `as_detected` is the figure of single frames
with the mean offsets of detection/noise.json added to the lifted joints. `projected` is what single frames are off if
the 12 keypoints are where the truth is projected to (the nose as detected): what is left without the detector's errors.
Nothing was trained or chosen on these videos but that fault model, which the training simulates.

`steady` is what `samepose lift` gives of a video; `tracks` is a network of tracks (`--tracks`), agreed with that of
single frames. A foot counts as planted where its true ankle moves less than 8 mm a
frame, as a mean over five frames.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from experiments.four_cameras import most_prominent
from jaxtyping import Float

import samepose
from samepose.demo import cache_folder, fetch_videos
from samepose.detection.movenet import MoveNet
from samepose.detection.noise import movenet_noise
from samepose.embed.lifting import LiftingNetwork
from samepose.geometry.procrustes import procrustes_align
from samepose.lifting import steadied
from samepose.lifting.lifting import LiftingModel, load_lifter
from samepose.media.video import frame_at
from samepose.poses import Poses
from samepose.skeleton import BODY13, H36M17

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
from triangulate import QualisysCamera, read_calibration, triangulate

_CALIBRATION = "Pose2Sim/Demo_SinglePerson/calibration/Calib.qca.txt"
JOINTS = tuple(j for j in BODY13.joints if j != "nose")
_IN_BODY, _IN_H36M = [BODY13.index(j) for j in JOINTS], [H36M17.index(j) for j in JOINTS]


def calibration(folder: Path) -> list[QualisysCamera]:
    """Of the demo's cameras, from the wheel that the videos come from."""
    target = folder / "Calib.qca.txt"
    if not target.exists():
        (wheel,) = cache_folder().glob("pose2sim-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            target.write_bytes(archive.read(_CALIBRATION))
    return read_calibration(target)


def common_frames(people: list[Poses]) -> list[Poses]:
    """The frames in which every camera found somebody."""
    shared = set.intersection(*(set(p.frames.tolist()) for p in people))
    return [p[np.isin(p.frames, sorted(shared))] for p in people]


def truth(people: list[Poses], cameras: list[QualisysCamera]) -> Float[np.ndarray, "frame 12 3"]:
    """Metres, world axes (z up)."""
    body = [p.to(BODY13) for p in people]
    pixels = np.stack([p.points[:, _IN_BODY].astype(np.float64) for p in body])
    scores = np.stack([p.scores[:, _IN_BODY].astype(np.float64) for p in body])
    views, frames = pixels.shape[:2]
    shift = np.zeros((views, 1, 2))
    for _ in range(12):
        points, off = triangulate(pixels.reshape(views, -1, 2) - shift, scores.reshape(views, -1), cameras)
        shift += 0.7 * np.median(off, axis=1, keepdims=True)
    return points.reshape(frames, len(JOINTS), 3)


def aligned_error(true: Float[np.ndarray, "n joint 3"], lifted: Float[np.ndarray, "n joint 3"]) -> float:
    """Mean distance in mm after Procrustes for each frame."""
    moved = procrustes_align(true, lifted.astype(np.float64))
    return 1000 * float(np.linalg.norm(moved - true, axis=-1).mean())


def untimed(poses: Poses) -> Poses:
    """The same as single pictures."""
    return Poses.of(poses.points, poses.skeleton, scores=poses.scores, boxes=poses.boxes)


def as_detected(lifted: Float[np.ndarray, "n 17 3"]) -> Float[np.ndarray, "n 12 3"]:
    """Lifted joints where MoveNet would see them, on average."""
    noise = replace(movenet_noise(), definition_spread=0.0, definition_floor=0.0)
    body = np.concatenate([lifted[:, [9]], lifted[:, _IN_H36M]], axis=1).astype(np.float64)
    return noise.redefine(body, np.random.default_rng(0))[:, 1:]


def sliding(true: Float[np.ndarray, "n 12 3"], moved: Float[np.ndarray, "n 17 3"]) -> Float[np.ndarray, " k"]:
    """Mm a frame of the lifted ankles while the true ones stand: for two frames before and after, within the clip."""
    steps = []
    for side in ("left", "right"):
        real = np.linalg.norm(np.diff(true[:, JOINTS.index(f"{side}_ankle")], axis=0), axis=1)
        stands = np.pad(np.convolve(real, np.full(5, 0.2), "valid") < 0.008, 2)
        ours = np.linalg.norm(np.diff(moved[:, H36M17.index(f"{side}_ankle")], axis=0), axis=1)
        steps.append(1000 * ours[stands])
    return np.concatenate(steps)


def bone_change(points: Float[np.ndarray, "n 17 3"]) -> float:
    """The largest share by which a bone's length leaves its mean, over the limbs."""
    bones = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in
             (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))]
    ends = [points[:, [H36M17.index(bone[k]) for bone in bones]] for k in (0, 1)]
    lengths = np.linalg.norm(ends[0] - ends[1], axis=2).T
    return float(np.abs(lengths / lengths.mean(axis=1, keepdims=True) - 1).max())


def tilt(true: Float[np.ndarray, "n 12 3"], lifted: Float[np.ndarray, "n 12 3"]) -> float:
    """Median angle in degrees between the lifted pose's up, y, and the world's, z, after Procrustes."""
    centre = [p - p.mean(axis=1, keepdims=True) for p in (true, lifted)]
    u, _, vt = np.linalg.svd(np.swapaxes(centre[0], 1, 2) @ centre[1])
    u[..., 2] *= np.linalg.det(u @ vt)[:, None]
    up = (u @ vt)[..., 1]
    return float(np.median(np.degrees(np.arccos(np.clip(up[:, 2], -1, 1)))))


def where_the_truth_is(
    poses: Poses, true: Float[np.ndarray, "n 12 3"], camera: QualisysCamera
) -> Float[np.ndarray, "n 13 2"]:
    """BODY13 keypoints of a camera without the detector's own errors, but for its nose and the picture's shift."""
    seen = poses.to(BODY13).points.astype(np.float64)
    there = camera.project(true.reshape(-1, 3)).reshape(*true.shape[:2], 2)
    shift = np.median((seen[:, _IN_BODY] - there).reshape(-1, 2), axis=0)
    seen[:, _IN_BODY] = there + shift
    return seen.astype(np.float32)


def measure(folder: Path, lifter: LiftingModel, tracks: LiftingNetwork | None) -> dict[str, Any]:
    """By camera, mm: single frames, the nearest of all hypotheses, as `lift` gives it; and what it costs."""
    folder.mkdir(parents=True, exist_ok=True)
    videos, detector = fetch_videos(folder), MoveNet("balanced")
    people = common_frames([most_prominent(video, detector, folder) for video in videos])
    cameras = calibration(folder)
    true = truth(people, cameras)
    rows = []
    for video, poses, camera in zip(videos, people, cameras):
        single, start = lifter.lift(untimed(poses)), time.perf_counter()
        moving = steadied(lifter.lift(poses), poses).poses.points
        lifted_in = time.perf_counter() - start
        slid = sliding(true, moving)
        options = np.moveaxis(single.alternatives[:, :, _IN_H36M], 1, 0)
        each = [[aligned_error(true[[k]], h[[k]]) for k in range(len(true))] for h in options]
        projected = lifter.lift(Poses.of(where_the_truth_is(poses, true, camera), BODY13))
        row = {
            "camera": video.stem, "frames": len(poses),
            "single": aligned_error(true, single.poses.points[:, _IN_H36M]),
            "single_best": float(np.min(each, axis=0).mean()),
            "projected": aligned_error(true, projected.poses.points[:, _IN_H36M]),
            "as_detected": aligned_error(true, as_detected(single.poses.points)),
            "steady": aligned_error(true, moving[:, _IN_H36M]),
            "steady_bones_percent": 100 * bone_change(moving), "planted": len(slid),
            "slide_median": float(np.median(slid)) if len(slid) else 0.0,
            "slide_most": float(slid.max()) if len(slid) else 0.0, "slide_over_15": int((slid > 15).sum()),
            "single_tilt": tilt(true, single.poses.points[:, _IN_H36M].astype(np.float64)),
            "steady_tilt": tilt(true, moving[:, _IN_H36M].astype(np.float64)),
            "frames_per_second": len(poses) / lifted_in,
        }
        if tracks:
            found = LiftingModel(lifter.single, tracks).lift(poses)
            row["tracks"] = aligned_error(true, found.poses.points[:, _IN_H36M])
            row["tracks_steady"] = aligned_error(true, steadied(found, poses).poses.points[:, _IN_H36M])
        rows.append(row)
    means = {f"mean_{k}": float(np.mean([r[k] for r in rows])) for k in
             ("single", "single_best", "projected", "as_detected", "steady", "tracks", "tracks_steady") if k in rows[0]}
    return {"cameras": rows, **means, "photo_seconds": photo_seconds(videos[0])}


def photo_seconds(video: Path) -> float:
    """A whole `samepose.lift` of a picture, detection included, once the networks are open: the median of five."""
    picture, took = frame_at(video, 0.5).image, []
    for _ in range(6):
        start = time.perf_counter()
        samepose.lift(picture)
        took.append(time.perf_counter() - start)
    return float(np.median(took[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--detections", type=Path, default=cache_folder() / "four_cameras", help="folder of pose files")
    parser.add_argument("--tracks", type=Path, help="an exported network of tracks")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    found = measure(args.detections, load_lifter(), LiftingNetwork(args.tracks) if args.tracks else None)
    if args.json:
        print(json.dumps(found))
        return
    for row in found["cameras"]:
        print("  ".join(f"{k} {v:.1f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()))
    print("  ".join(f"{k} {v:.2f}" for k, v in found.items() if k != "cameras"))


if __name__ == "__main__":
    main()
