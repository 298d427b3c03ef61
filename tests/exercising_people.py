"""A person of 13 joints who does jumping jacks, or bends one knee, for tests of finding and recognising moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from samepose.formats.keypoints import save_poses
from samepose.poses import Poses
from samepose.skeleton import BODY13

FPS = 10
Move = Callable[[np.ndarray], np.ndarray]


def body(arms: np.ndarray, legs: np.ndarray, left_knee: np.ndarray) -> np.ndarray:
    """(T, 13, 2) pixels of a person seen from the front.

    Args:
        arms: (T,) degrees from hanging down. legs: from straight. left_knee: how high it is lifted.
    """
    points = {"nose": np.tile((0.0, -90), (len(arms), 1))}
    for side, sign in (("left", 1), ("right", -1)):
        arm, leg = np.radians(arms), np.radians(legs)
        reach = np.stack([sign * np.sin(arm), np.cos(arm)], axis=1)
        stride = np.stack([sign * np.sin(leg), np.cos(leg)], axis=1)
        lift = np.radians(left_knee if side == "left" else np.zeros_like(left_knee))
        points[f"{side}_shoulder"] = np.tile((sign * 20.0, -60), (len(arms), 1))
        points[f"{side}_hip"] = np.tile((sign * 12.0, 0), (len(arms), 1))
        points[f"{side}_elbow"] = points[f"{side}_shoulder"] + 30 * reach
        points[f"{side}_wrist"] = points[f"{side}_shoulder"] + 58 * reach
        points[f"{side}_knee"] = points[f"{side}_hip"] + 45 * stride * np.cos(lift)[:, None]
        points[f"{side}_knee"][:, 0] += sign * 40 * np.sin(lift)
        points[f"{side}_ankle"] = points[f"{side}_knee"] + 45 * stride
    return np.stack([points[joint] for joint in BODY13.joints], axis=1) + 200


def jack(phase: np.ndarray) -> np.ndarray:
    """A jumping jack at phases 0 to 1."""
    open_ = (1 - np.cos(2 * np.pi * phase)) / 2
    return body(15 + 150 * open_, 4 + 25 * open_, 0 * open_)


def knee(phase: np.ndarray) -> np.ndarray:
    """The left knee up and down."""
    return body(15 + 0 * phase, 4 + 0 * phase, 80 * (1 - np.cos(2 * np.pi * phase)) / 2)


def mirrored_knee(phase: np.ndarray) -> np.ndarray:
    """The right knee up and down."""
    return Poses.of(knee(phase), BODY13).mirrored().points + np.array([400.0, 0])


def stand(phase: np.ndarray) -> np.ndarray:
    """Nothing."""
    return body(15 + 0 * phase, 4 + 0 * phase, 0 * phase)


def moves(*plan: tuple[Move, float], noise: float = 0.7, seed: int = 0, track: int = 0) -> Poses:
    """One move after the other, each as many seconds long as is said, with noise of some pixels."""
    points = np.concatenate([move(np.arange(round(seconds * FPS)) / round(seconds * FPS)) for move, seconds in plan])
    points = points + np.random.default_rng(seed).normal(0, noise, points.shape)
    n = len(points)
    return Poses.of(points, BODY13, times=np.arange(n) / FPS, frames=np.arange(n), tracks=np.full(n, track), fps=FPS)


def together(*people: Poses) -> Poses:
    """Several people in one clip, in order of time; who comes first is nearest."""
    apart = [replace(p, points=p.points / (1 + k) + np.float32(300 * k), tracks=np.full(len(p), k))
             for k, p in enumerate(people)]
    both = Poses.concatenate([Poses.of(p.points, BODY13, times=p.times, frames=p.frames, tracks=p.tracks)
                              for p in apart])
    return both[np.argsort(both.times, kind="stable")]


def saved(path: Path, poses: Poses, media: Sequence[str] | None = None) -> Path:
    """A pose file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_poses(path, poses, media)
    return path
