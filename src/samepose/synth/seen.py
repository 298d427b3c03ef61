"""Rendered people as a detector sees them: real faults on exact truth, of the same instant in several cameras."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
from jaxtyping import Float

from samepose.detection import Detector
from samepose.detection.movenet import JOINT_SCORE
from samepose.errors import UsageError
from samepose.formats.multiview import MultiView
from samepose.formats.rendered import Sample, read_shards
from samepose.progress import Progress, silent
from samepose.skeleton import BODY13, COCO17, H36M17, SYNTH22

_NEAR = 0.5  # of the mean distance of a body's joints from their middle: farther off, and it is somebody else
_COCO = [COCO17.index(joint) for joint in BODY13.joints]
_FLAT = [SYNTH22.index(joint) for joint in BODY13.joints]
_DEEP = [SYNTH22.index(joint) for joint in H36M17.joints]


def seen_views(folder: Path, detector: Detector, images: int = 0, progress: Progress = silent) -> MultiView:
    """What a detector sees in a set of rendered people (`synth.dataset`); row k is camera k of each instant.

    The person is the one found whose joints lie nearest to the rendered one's; nobody near, nothing seen. A joint that
    scores less than `JOINT_SCORE` is missing, as in a search. The points are metres, with camera 0 in the origin and
    level.

    Args:
        detector: of COCO17, such as `MoveNet`.
        images: how many there are, for `progress`.

    Raises:
        FormatError: no set, or a damaged one.
        UsageError: a set of one camera an instant.
    """
    rows, bodies, clips, frames = [], [], [], []
    done = 0
    for instant, of in groupby(read_shards(folder), lambda sample: sample.instant):
        samples = list(of)
        rows.append([_seen(sample, detector) for sample in samples])
        bodies.append(samples[0].joints_3d[_DEEP] * np.array([1, -1, -1], np.float32))
        clips.append(f"{samples[0].subject}/{samples[0].clip}")
        frames.append(instant)
        done += len(samples)
        progress(done, max(images, done), folder.name)
    cameras = max(map(len, rows))
    if cameras < 2:
        raise UsageError(f"{folder}: one picture of each instant; render them with `cameras_per_instant` 2 or more")
    seen = np.full((len(rows), cameras, len(BODY13), 3), np.nan, np.float32)
    for n, views in enumerate(rows):
        seen[n, : len(views)] = views
    names = tuple(dict.fromkeys(clips))
    seen = np.ascontiguousarray(seen.transpose(1, 0, 2, 3))
    missing = ~(seen[..., 2:] >= JOINT_SCORE)
    return MultiView(np.where(missing, np.nan, seen[..., :2]).astype(np.float32), np.stack(bodies),
                     tuple(f"camera-{k}" for k in range(cameras)), np.array([names.index(c) for c in clips], np.int64),
                     names, np.array(frames, np.int64), scores=seen[..., 2])


def _seen(sample: Sample, detector: Detector) -> Float[np.ndarray, "13 3"]:
    """BODY13 with scores of the rendered person, NaN if nobody was found there."""
    people = detector.detect(sample.image)
    truth = sample.joints_2d[_FLAT] - np.float32(0.5)  # the middle of our first pixel is at 0
    off = np.linalg.norm(people.points[:, _COCO] - truth, axis=2)
    size = np.linalg.norm(truth - truth.mean(axis=0), axis=1).mean()
    if not len(off) or not np.median(off, axis=1).min() < _NEAR * size:
        return np.full((len(BODY13), 3), np.nan, np.float32)
    best = int(np.median(off, axis=1).argmin())
    return np.concatenate([people.points[best, _COCO], people.scores[best, _COCO, None]], axis=1, dtype=np.float32)
