"""Poses from what pose estimators return in Python: ultralytics, rtmlib and MediaPipe.

None of them is imported: their results are known by shape and by the names of their attributes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.errors import UsageError
from samepose.formats.keypointfile import mark_missing, ranked
from samepose.poses import Poses
from samepose.skeleton import BLAZEPOSE33, COCO17

_RTMLIB_JOINTS = (17, 26, 133)  # body, body with feet, whole body: each begins with COCO's 17


def from_ultralytics(results: Any) -> Poses:
    """COCO17 poses from ultralytics.

    Args:
        results: what a pose model returned (a list or stream of results becomes frames 0, 1, 2, …), one result of
            it, its `keypoints`, or their `data`: (n, 17, 3) x, y in pixels and confidence, or (n, 17, 2).

    Returns:
        Poses with the result's boxes, their confidence as person scores, and track ids if the model was tracking;
        otherwise `tracks` ranks the people of each frame. Joints at (0, 0), ultralytics' unseen ones, are missing.

    Raises:
        UsageError: another shape, such as that of a model trained on other joints.
    """
    many = results if isinstance(results, (list, tuple, Iterator)) else [results]
    frames = [_ultralytics_frame(result, k) for k, result in enumerate(many)]
    return Poses.concatenate(frames) if frames else Poses.empty(COCO17)


def from_rtmlib(keypoints: Any, scores: Any) -> Poses:
    """COCO17 poses of one image from rtmlib.

    Args:
        keypoints: (n, 17, 2) x, y in pixels. With feet (26) or the whole body (133) the first 17 are taken.
        scores: (n, 17), or as many joints as `keypoints`.

    Raises:
        UsageError: another shape, such as rtmlib's `to_openpose=True` gives.
    """
    points, confidence = _array(keypoints), _array(scores)
    if points.size == 0:
        return Poses.empty(COCO17)
    if points.ndim != 3 or points.shape[1] not in _RTMLIB_JOINTS or confidence.shape != points.shape[:2]:
        raise UsageError(
            f"rtmlib keypoints have shape {points.shape} and scores {confidence.shape}; expected (n, 17, 2) and "
            "(n, 17), without to_openpose"
        )
    return _image_poses(points[:, : len(COCO17)], confidence[:, : len(COCO17)])


def from_mediapipe(landmarks: Any, image_size: tuple[int, int]) -> Poses:
    """BLAZEPOSE33 poses of one image from MediaPipe, in pixels.

    Args:
        landmarks: what MediaPipe's pose landmarker (or the older `solutions.pose`) returned, its `pose_landmarks`, or
            an array (n, 33, 2) of x, y or (n, 33, 4) of x, y, z, visibility; x and y in 0..1 of the image.
        image_size: (width, height) of the image in pixels; without it the pose would be squeezed.

    Raises:
        UsageError: another shape or number of landmarks.
    """
    found = getattr(landmarks, "pose_landmarks", landmarks)
    if hasattr(found, "landmark"):  # solutions.pose: one person
        found = [found.landmark]
    if found is None or len(found) == 0:
        return Poses.empty(BLAZEPOSE33)
    if hasattr(found[0], "x"):  # one person's landmarks, out of their list
        found = [found]
    if hasattr(found[0][0], "x"):
        found = [[_landmark(mark) for mark in person] for person in found]
    values = _array(found)
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or values.shape[1] != len(BLAZEPOSE33) or values.shape[2] not in (2, 4):
        raise UsageError(f"MediaPipe landmarks have shape {values.shape}; expected (n, 33, 2) or (n, 33, 4)")
    visibility = values[..., 3] if values.shape[2] == 4 else np.ones(values.shape[:2])
    poses = Poses.of(values[..., :2] * np.array(image_size), BLAZEPOSE33, scores=visibility)
    return ranked(poses, [0] * len(poses))


def _ultralytics_frame(result: Any, frame: int) -> Poses:
    keypoints = getattr(result, "keypoints", result)
    if hasattr(keypoints, "xy"):
        points, confidence = _array(keypoints.xy), _array(getattr(keypoints, "conf", None))
    else:
        data = _array(keypoints)
        points, confidence = data[..., :2], data[..., 2] if data.shape[-1:] == (3,) else _array(None)
    if points.size == 0:
        return Poses.empty(COCO17)
    if points.ndim != 3 or points.shape[1:] != (len(COCO17), 2):
        raise UsageError(
            f"ultralytics keypoints have shape {points.shape}; expected (n, 17, 2 or 3): use a model of COCO's joints"
        )
    confidence = confidence if confidence.size else np.ones(points.shape[:2])
    boxes = getattr(result, "boxes", None)
    return _image_poses(
        points, confidence, frame, boxes=_column(boxes, "xyxy"), person_scores=_column(boxes, "conf"),
        tracks=_column(boxes, "id"),
    )


def _image_poses(
    points: Float[np.ndarray, "n 17 2"],
    scores: Float[np.ndarray, "n 17"],
    frame: int = 0,
    *,
    boxes: Float[np.ndarray, "n 4"] | None = None,
    person_scores: Float[np.ndarray, " n"] | None = None,
    tracks: Float[np.ndarray, " n"] | None = None,
) -> Poses:
    poses = Poses.of(
        mark_missing(points, scores), COCO17, scores=scores, boxes=boxes, person_scores=person_scores,
        frames=np.full(len(points), frame), tracks=tracks,
    )
    return poses if tracks is not None else ranked(poses, [0] * len(poses))


def _column(boxes: Any, name: str) -> np.ndarray | None:
    """A field of ultralytics' boxes; None without boxes, and for ids when it was not tracking."""
    values = getattr(boxes, name, None)
    return None if values is None else _array(values)


def _landmark(mark: Any) -> list[float]:
    """x, y, (z is not used), visibility."""
    visibility = getattr(mark, "visibility", None)
    return [mark.x, mark.y, 0.0, 1.0 if visibility is None else visibility]


def _array(values: Any) -> np.ndarray:
    """A float array of a list, an array, or a tensor on any device; None is empty."""
    if values is None:
        return np.zeros(0)
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values, np.float64)
