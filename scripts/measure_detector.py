"""Measure MoveNet's faults and write src/samepose/detection/noise.json.

    python scripts/measure_detector.py --detections four.npz --calibration Calib.qca.txt --photos DIR \
        --labels joints.mat --mocap mocap.npz --out src/samepose/detection/noise.json

--detections: points (camera, frame, 17, 2) COCO17 pixels and scores (camera, frame, 17), of one person in synchronised
videos; --calibration: those cameras' Qualisys file (both from the pose2sim 0.10.49 wheel, Demo_SinglePerson);
--photos and --labels: the images and joints.mat (14, 3, n) of Leeds Sports Pose Extended; --mocap: points (n, 17, 3)
H36M17 and subject (n,). What the cameras agree on is taken as true: it shows the error of a large sharp person that
differs from view to view. Photographs show small people in odd poses; their labels are noisy too, and discounted.
Lengths: the largest shoulder-hip distance is 0.5, in the image; torso lengths in the body.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from triangulate import read_calibration, triangulate

from samepose.detection.movenet import JOINT_SCORE, MoveNet
from samepose.detection.noise import hidden_joints
from samepose.media.image import read_image
from samepose.skeleton import BODY13, COCO17, H36M17, LSP14

NAMES = ("nose", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
KIND = np.array([NAMES.index(j.split("_")[-1]) for j in BODY13.joints])
TORSO = [BODY13.index(f"{s}_{j}") for j in ("shoulder", "hip") for s in ("left", "right")]
IN_COCO = [COCO17.index(j) for j in BODY13.joints]
RAYLEIGH = 1.1774  # median distance of a 2D Gaussian from its mean, in standard deviations per axis
GROSS = 0.15  # an error beyond it is no longer the core's, in photographs
GROSS_VIDEO = 0.1  # and in videos, where the core is narrower

SOURCES = {
    "core": "four cameras: median error of joints not hidden, per axis, x sqrt(8/5) as 3 of 8 coordinates are fitted",
    "tail": "photographs: share of found joints with an error beyond 0.15, left-right swaps undone, halved: the people "
            "are harder than most, and labels err too; nose: four cameras, beyond 0.1, halved as half "
            "of them are behind it",
    "reach": "photographs: median of those errors, per axis",
    "miss": "mean of four cameras (joints not hidden) and photographs (people scored above 0.55 on average); nose: "
            "four cameras",
    "miss_hidden": "same, of joints that the body hides (cameras: computed; photographs: labelled), less `miss`; "
                   "0.02 (ours) where fewer than 10 were seen",
    "outward, up, forward, ankle_to_knee": "proportions of the person triangulated less the median of motion capture's "
                                           "subjects, shrunk by the subjects' variance; others than these: 0",
    "small": "photographs: median over joints of the core spread, label noise discounted in quadrature, over `core`; "
             "the label noise is what the surest elbows and wrists have beyond `core`",
    "shared": "photographs: correlation of neighbouring joints' errors, mean",
    "hidden_core": "four cameras: median error of hidden joints over the others'",
    "hidden_tail": "four cameras: share of hidden joints with an error beyond 0.1 over the mean `tail`",
    "swap_arms, swap_legs": "photographs (people as for `miss`): limbs swapped though shoulders and hips are not, "
                            "halved like `tail`; at least 0.002 (ours)",
    "swap_all, swap_all_back": "ours: none in 400 frames of four cameras, two of them behind the person; photographs "
                               "show 3-5 % from the front, 20-30 % from behind, but labels swap there too",
    "definition_spread, definition_floor": "ours: marker sets differ from each other about as much",
}


@dataclass(frozen=True)
class Errors:
    """Detections against the truth: vectors (..., 13, 2) in image units, scores, and which joints are hidden."""

    vector: Float[np.ndarray, "n 13 2"]
    score: Float[np.ndarray, "n 13"]
    hidden: Bool[np.ndarray, "n 13"]
    swapped: Float[np.ndarray, "n 13"]  # length of the error against the joint of the other side

    @property
    def length(self) -> Float[np.ndarray, "n 13"]:
        return np.asarray(np.linalg.norm(self.vector, axis=-1))

    def __getitem__(self, rows: Any) -> Errors:
        return Errors(self.vector[rows], self.score[rows], self.hidden[rows], self.swapped[rows])


def camera_errors(detections: Path, calibration: Path) -> tuple[Errors, Float[np.ndarray, "n 13 3"]]:
    """Errors of every camera's detections against what all agree on, and the body in world axes."""
    data, cameras = np.load(detections), read_calibration(calibration)
    pixels = data["points"][:, :, IN_COCO].astype(np.float64)
    scores = data["scores"][:, :, IN_COCO].astype(np.float64)
    views, frames = pixels.shape[:2]
    shift = np.zeros((views, 1, 2))  # of the whole image: what the calibration itself is off by
    for _ in range(12):
        points, off = triangulate(pixels.reshape(views, -1, 2) - shift, scores.reshape(views, -1), cameras)
        shift += 0.7 * np.median(off, axis=1, keepdims=True)
    body = points.reshape(frames, 13, 3)
    scale = (0.5 / _torso_scale(pixels))[..., None, None]
    hidden = []
    for camera in cameras:
        turned = camera.turned(points).reshape(frames, 13, 3)
        depth = turned[..., 2:].mean(axis=1, keepdims=True)
        hidden.append(hidden_joints(np.concatenate([turned[..., :2] / turned[..., 2:] * depth, turned[..., 2:]], -1)))
    vector = off.reshape(views, frames, 13, 2) * scale
    flat = vector.reshape(-1, 13, 2)
    return Errors(flat, scores.reshape(-1, 13), np.concatenate(hidden), np.linalg.norm(flat, axis=-1)), body


def photo_errors(photos: Path, labels: Path, people: int) -> Errors:
    """Errors of labelled people of whom half the joints were found somewhere near; NaN where not labelled."""
    from scipy.io import loadmat

    joints = loadmat(labels)["joints"].transpose(2, 0, 1).astype(np.float64)
    truth, seen = LSP14.convert(joints[..., :2], BODY13), LSP14.convert(joints[..., 2:], BODY13)[..., 0] > 0
    truth[:, 0] = np.nan  # neck and crown do not make a nose
    whole = np.flatnonzero(seen[:, TORSO].all(axis=1) & ((joints[..., 2] > 0).sum(axis=1) >= 12))
    chosen = np.random.default_rng(0).choice(whole, min(people, len(whole)), replace=False)
    files, detector, rows = sorted(photos.glob("*.jpg")), MoveNet("balanced", threads=1), []
    for k in chosen:
        found = detector.detect(read_image(files[k]))
        if not len(found):
            continue
        scale = 0.5 / _torso_scale(truth[k])
        off = (found.points[:, IN_COCO] - truth[k]) * scale
        off[:, 1:][:, ~seen[k, 1:]] = np.nan
        middling = np.nanmedian(np.linalg.norm(off, axis=-1), axis=1)
        best = int(middling.argmin())
        if middling[best] < 0.25:
            other = (found.points[best][IN_COCO][BODY13.mirror] - truth[k]) * scale
            rows.append((off[best], found.scores[best][IN_COCO], ~seen[k], np.linalg.norm(other, axis=-1)))
    return Errors(*(np.stack([row[i] for row in rows]) for i in range(4)))


def _torso_scale(points: Float[np.ndarray, "*batch 13 2"]) -> Float[np.ndarray, "*batch"]:
    torso = points[..., TORSO, :]
    return np.asarray(np.linalg.norm(torso[..., :, None, :] - torso[..., None, :, :], axis=-1).max(axis=(-1, -2)))


def proportions(body: Float[np.ndarray, "n 13 3"]) -> dict[str, float]:
    """Medians over the frames of one person, in torso lengths (middle of the hips to middle of the shoulders)."""
    joint = {name: body[:, k] for k, name in enumerate(BODY13.joints)}
    neck = (joint["left_shoulder"] + joint["right_shoulder"]) / 2
    spine = neck - (joint["left_hip"] + joint["right_hip"]) / 2
    length = np.linalg.norm(spine, axis=1)
    up = spine / length[:, None]
    across = joint["left_shoulder"] - joint["right_shoulder"] + joint["left_hip"] - joint["right_hip"]
    across -= (across * up).sum(axis=1, keepdims=True) * up
    forward = np.cross(across / np.linalg.norm(across, axis=1, keepdims=True), up)

    def gap(a: str, b: str) -> Any:
        return np.linalg.norm(joint[a] - joint[b], axis=1) / length

    values = {
        "shoulder": gap("left_shoulder", "right_shoulder") / 2, "hip": gap("left_hip", "right_hip") / 2,
        "shank": (gap("left_knee", "left_ankle") + gap("right_knee", "right_ankle")) / 2,
        "nose_up": ((joint["nose"] - neck) * up).sum(axis=1) / length,
        "nose_forward": ((joint["nose"] - neck) * forward).sum(axis=1) / length,
    }
    return {key: float(np.median(value)) for key, value in values.items()}


def definition(detected: dict[str, float], subjects: list[dict[str, float]]) -> dict[str, float]:
    """What the detector's body has beyond motion capture's, as far as that is more than how subjects differ."""
    offsets = {}
    for key, value in detected.items():
        theirs = np.array([s[key] for s in subjects])
        beyond, variance = value - np.median(theirs), theirs.var()
        offsets[key] = float(beyond * beyond**2 / (beyond**2 + variance))
    offsets["shank"] /= float(np.median([s["shank"] for s in subjects]))
    return offsets


def per_joint(video: Errors, photo: Errors, offsets: dict[str, float]) -> dict[str, dict[str, float]]:
    """The rows of the file's table, by joint name."""
    sure = photo[np.nanmean(photo.score, axis=1) > 0.55]
    undone = np.fmin(photo.length, photo.swapped)
    table: dict[str, dict[str, float]] = {}
    for kind, name in enumerate(NAMES):
        here = kind == KIND
        plain = here & (~video.hidden | (kind == 0))  # no camera tells whether the nose seen from behind is right
        gross = undone[here & (photo.score >= JOINT_SCORE) & ~np.isnan(photo.length)]
        beyond = gross[gross > GROSS]
        missed = _rate(video, plain), _rate(sure, here & ~sure.hidden)
        hidden = [_rate(e, here & e.hidden) for e in (video, sure) if (here & e.hidden).sum() >= 10]
        mean_miss = float(np.mean(missed)) if kind else missed[0]
        table[name] = {
            "core": float(np.median(video.length[plain])) / RAYLEIGH * (8 / 5) ** 0.5,
            "tail": len(beyond) / max(len(gross), 1) / 2,
            "reach": float(np.median(beyond)) / RAYLEIGH if len(beyond) else 0.0,
            "miss": mean_miss,
            "miss_hidden": max(float(np.mean(hidden)) - mean_miss, 0.0) if hidden else 0.02,
            "outward": offsets.get(name, 0.0), "up": 0.0, "forward": 0.0,
        }
    # No photograph has its nose labelled: the cameras alone tell.
    far = video.length[:, 0][video.length[:, 0] > GROSS_VIDEO]
    table["nose"] |= {"tail": len(far) / len(video.length) / 2, "reach": float(np.median(far)) / RAYLEIGH,
                      "up": offsets["nose_up"], "forward": offsets["nose_forward"]}
    return table


def _rate(errors: Errors, where: Bool[np.ndarray, "n 13"]) -> float:
    return float((errors.score[where] < JOINT_SCORE).mean())


def per_view(
    video: Errors, photo: Errors, table: dict[str, dict[str, float]], offsets: dict[str, float]
) -> dict[str, float]:
    """The figures that all joints share."""
    sure = photo[photo.score.mean(axis=1) > 0.55]
    body = np.broadcast_to(KIND > 0, video.hidden.shape)
    hidden, others = video.length[body & video.hidden], video.length[body & ~video.hidden]
    tail = np.mean([table[NAMES[k]]["tail"] for k in KIND[1:]])
    torso = np.isin(KIND, (1, 4))
    return {
        "ankle_to_knee": -offsets["shank"], "small": _smallness(photo, table), "shared": _shared(photo),
        "hidden_core": float(np.median(hidden) / np.median(others)),
        "hidden_tail": float((hidden > GROSS_VIDEO).mean() / tail),
        "swap_arms": _swaps(sure, np.isin(KIND, (2, 3)), torso),
        "swap_legs": _swaps(sure, np.isin(KIND, (5, 6)), torso),
        "swap_all": 0.005, "swap_all_back": 0.03, "definition_spread": 0.5, "definition_floor": 0.02,
    }


def _smallness(photo: Errors, table: dict[str, dict[str, float]]) -> float:
    """Spread in photographs, freed of label noise, over spread in videos; median over joints."""
    surest = np.isin(KIND, (2, 3)) & (photo.score > 0.7)
    label = _spread(photo.vector[surest]) ** 2 - table["elbow"]["core"] ** 2
    found = photo.score >= JOINT_SCORE
    ratios = [
        max(_spread(photo.vector[found & (kind == KIND)]) ** 2 - label, 0) ** 0.5 / table[name]["core"]
        for kind, name in enumerate(NAMES) if kind
    ]
    return float(np.median(ratios))


def _spread(vectors: Float[np.ndarray, "n 2"]) -> float:
    """Standard deviation per axis of the core, from the median absolute deviation."""
    vectors = vectors[~np.isnan(vectors[:, 0])]
    return float(1.4826 * np.median(np.abs(vectors - np.median(vectors, axis=0))))


def _shared(photo: Errors) -> float:
    """Correlation of the small errors of joints next to each other on a limb."""
    close = np.where((photo.length < 0.12) & (photo.score >= JOINT_SCORE), 1.0, np.nan)[..., None] * photo.vector
    found = []
    for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")):
        for side in ("left", "right"):
            pair = close[:, [BODY13.index(f"{side}_{a}"), BODY13.index(f"{side}_{b}")]]
            pair = pair[~np.isnan(pair).any(axis=(1, 2))]
            found += [np.corrcoef(pair[:, 0, axis], pair[:, 1, axis])[0, 1] for axis in (0, 1)]
    return float(np.mean(found))


def _swaps(people: Errors, limbs: Bool[np.ndarray, "13"], others: Bool[np.ndarray, "13"]) -> float:
    """Half the share of people whose limbs fit the other side far better, though the other joints do not."""
    own, other = people.length, people.swapped
    labelled = ~np.isnan(own[:, limbs | others]).any(axis=1)
    own, other = own[labelled], other[labelled]
    swapped = (other[:, limbs].mean(axis=1) < 0.6 * own[:, limbs].mean(axis=1)) & (own[:, limbs].mean(axis=1) > 0.1)
    alone = swapped & (own[:, others].mean(axis=1) < 0.6 * other[:, others].mean(axis=1))
    return max(float(alone.mean()) / 2, 0.002)


def measured(video: Errors, photo: Errors) -> dict[str, dict[str, float | None]]:
    """Plain figures per joint, for the reader: errors of found joints, and shares of joints scored too low."""
    table: dict[str, dict[str, float | None]] = {}
    for kind, name in enumerate(NAMES):
        row: dict[str, float | None] = {}
        for source, errors in (("video", video), ("photo", photo)):
            there = (kind == KIND) & ~np.isnan(errors.length)
            lengths = errors.length[there & (errors.score >= JOINT_SCORE)]
            for share in (50, 90):
                row[f"{source}_p{share}"] = _rounded(float(np.percentile(lengths, share))) if len(lengths) else None
            row[f"{source}_missed"] = _rounded(_rate(errors, there)) if len(lengths) else None
        table[name] = row
    return table


def _rounded(value: float) -> float:
    return round(value, 3) + 0.0


def write(path: Path, fields: dict[str, Any]) -> None:
    """JSON with a joint a line."""
    lines = []
    for key, value in fields.items():
        rows = [f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items()]
        lines.append(f"  {json.dumps(key)}: {{\n" + ",\n".join(rows) + "\n  }")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("detections", "calibration", "photos", "labels", "mocap", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--people", type=int, default=700, help="photographs to look at (default: 700)")
    args = parser.parse_args()
    video, body = camera_errors(args.detections, args.calibration)
    photo = photo_errors(args.photos, args.labels, args.people)
    mocap = np.load(args.mocap)
    bodies = H36M17.convert(mocap["points"][::20], BODY13).astype(np.float64)
    subjects = [bodies[mocap["subject"][::20] == s] for s in np.unique(mocap["subject"])]
    offsets = definition(proportions(body), [proportions(s) for s in subjects if len(s)])
    table = per_joint(video, photo, offsets)
    view = per_view(video, photo, table, offsets)
    write(args.out, {
        "joints": {name: {k: _rounded(v) for k, v in row.items()} for name, row in table.items()},
        "view": {k: _rounded(v) for k, v in view.items()},
        "sources": SOURCES, "measured": measured(video, photo),
    })


if __name__ == "__main__":
    main()
