"""A 3D pose among embeddings of 2D poses: it is seen from all around, and the views' Gaussians become one.

Pr-VIPE embeds what a camera sees. A 3D pose has no camera, so it gets many: `AZIMUTHS` around it at each of
`ELEVATIONS`. All views show one pose and should embed alike; where they do not, those that are surest count most: each
dimension is the mean of the views weighted by their precision, with the variance of that mixture (`combined`). One
Gaussian is stored and searched like that of any photo, whatever the number of views.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from samepose.geometry.camera import project
from samepose.geometry.frontal import trunk
from samepose.matching.embeddings import Embeddings
from samepose.poses import Poses
from samepose.skeleton import BODY13

if TYPE_CHECKING:
    from samepose.embed import Embedder

AZIMUTHS = 12
ELEVATIONS = (-15.0, 0.0, 15.0, 30.0)  # degrees
_DISTANCE = 8.0  # trunk lengths from the camera, as in training
_POSES = 256  # whose views are embedded at once


def views_of(
    poses: Poses, azimuths: int = AZIMUTHS, elevations: Sequence[float] = ELEVATIONS
) -> Poses:
    """2D poses, BODY13, of each 3D pose as cameras all around see it: all views of the first, then of the second, …

    Args:
        poses: 3D, y up, in any unit; shoulders and hips must be known.
        azimuths: cameras around the person at each of the `elevations` (degrees, positive looks down from above).

    Raises:
        UsageError: 2D poses, or hips and shoulders that are not known or lie at one point.
    """
    hips, up, _ = trunk(poses)
    body = poses.to(BODY13)
    points = (body.points - hips[:, None]) / np.linalg.norm(up, axis=1)[:, None, None]
    turns = np.arange(azimuths) * (2 * np.pi / azimuths)
    seen = [project(points, turn, np.float64(np.radians(elevation)), np.float64(0), np.float64(_DISTANCE))
            for elevation in elevations for turn in turns]
    flat = np.stack(seen, axis=1).reshape(-1, len(BODY13), 2)
    return Poses.of(flat, BODY13, scores=np.repeat(body.scores, len(seen), axis=0))


def embed_any(poses: Poses, embedder: Embedder, ignored: Sequence[str] = (), mirrored: bool = False) -> Embeddings:
    """One embedding for each pose: of 2D poses what the embedder makes of them, of 3D ones of all their views.

    Args:
        ignored: joints that shall not matter, of 3D poses: the views are without them. 2D poses come without.
        mirrored: of the mirror images instead; `ignored` is of the poses as they are.

    Raises:
        UsageError: as `views_of`.
    """
    if poses.points.shape[-1] == 2:
        return embedder.embed(poses.mirrored() if mirrored else poses)
    parts = []
    for start in range(0, len(poses), _POSES):
        views = views_of(poses[start : start + _POSES]).hide(ignored)
        parts.append(combined(embedder.embed(views.mirrored() if mirrored else views), AZIMUTHS * len(ELEVATIONS)))
    return Embeddings.concatenate(parts)


def enough_joints(poses: Poses, embedder: Embedder) -> Bool[np.ndarray, " n"]:
    """Which of n poses, in 2D or 3D, have enough joints to be embedded: every view of a 3D pose has the same."""
    if poses.points.shape[-1] == 3:
        poses = poses.to(BODY13)
        poses = replace(poses, points=poses.points[..., :2], unit="pixel")
    return embedder.searchable(poses)


def combined(embedded: Embeddings, views: int) -> Embeddings:
    """One Gaussian for each `views` rows of embeddings, see the module."""
    mean, var = (x.reshape(-1, views, x.shape[-1]).astype(np.float64) for x in (embedded.mean, embedded.var))
    weight = 1 / np.maximum(var, 1e-12)
    weight /= weight.sum(axis=1, keepdims=True)
    middle = (weight * mean).sum(axis=1)
    spread = (weight * (var + (mean - middle[:, None]) ** 2)).sum(axis=1)
    return Embeddings(middle.astype(np.float32), spread.astype(np.float32))
