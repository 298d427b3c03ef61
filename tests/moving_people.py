"""A person of 13 joints who moves, for tests of sequences."""

from __future__ import annotations

import numpy as np

from samepose.poses import Poses
from samepose.skeleton import BODY13


def waving(times: np.ndarray, speed: float = 1.0) -> Poses:
    """A person in pixels whose arms go round as time goes on."""
    body = {"nose": (0, -90), "left_shoulder": (20, -60), "right_shoulder": (-20, -60), "left_hip": (12, 0),
            "right_hip": (-12, 0), "left_knee": (14, 45), "right_knee": (-14, 45), "left_ankle": (15, 90),
            "right_ankle": (-15, 90)}
    points = np.zeros((len(times), 13, 2))
    for name, at in body.items():
        points[:, BODY13.index(name)] = at
    for side, sign, pace in (("left", 1, 1.0), ("right", -1, 0.6)):
        angle = speed * pace * times
        way = np.stack([sign * np.sin(angle), np.cos(angle)], axis=-1)
        shoulder = points[:, BODY13.index(f"{side}_shoulder")]
        points[:, BODY13.index(f"{side}_elbow")] = shoulder + 30 * way
        points[:, BODY13.index(f"{side}_wrist")] = shoulder + 58 * way
    return Poses.of(points + 200, BODY13, times=times, frames=np.arange(len(times)), tracks=np.zeros(len(times)))
