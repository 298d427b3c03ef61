"""The kinds of sources, and which of them the user named: `open_source`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from samepose.errors import MediaError, UsageError
from samepose.formats.keypointfile import KeypointFile
from samepose.media.files import is_motion
from samepose.media.remote import located
from samepose.poses import Poses
from samepose.query.keypoints import Keypoints, Motion
from samepose.query.moment import Query
from samepose.query.pictures import Photo, Video
from samepose.query.rows import Asked, Row, in_index, people_of_medium
from samepose.query.source import Sighted, Source

if TYPE_CHECKING:
    from samepose.detection import Detector

FPS = 30.0  # frames per second of a video that are looked at for a clip
_KEYPOINT_SUFFIXES = frozenset({".npz", ".json"})


def open_source(
    what: str | os.PathLike[str] | UInt8[np.ndarray, "height width 3"] | Poses | Sighted | Query,
    *,
    index: Any = None,
    detector: Detector | Callable[[], Detector] | None = None,
    fps: float | None = FPS,
    span: tuple[float | None, float | None] = (None, None),
) -> Source:
    """What the user named; nothing is decoded yet.

    Args:
        what: path of a photo, video, motion capture, keypoint file or folder of these; if there is no such file, the
            path or id of a file, or the id of a person, in the index. Pixels, RGB (h, w, 3) uint8. Poses, 2D in pixels
            or 3D (y up). A hit. A query.
        index: an `Index`, or what opens it; called when it is needed.
        detector: a detector, or what loads it; called when it is needed. The index's, or MoveNet, by default.
        fps: frames per second of a video or of motion capture to look at for `track`; None = all.
        span: seconds of a video between which to look for `track`; ids of tracks count from its beginning.

    Raises:
        UsageError: nothing of these, or neither a file nor one in the index.
        MediaError: a file of another kind, or one in which the index has nobody.
        StoreError: no such file, and the index, where it might be, cannot be opened.
    """
    find = _found_by(detector, index)
    if isinstance(what, (str, os.PathLike)):
        return _named(os.fspath(what), index, find, fps, span)
    if isinstance(what, np.ndarray):
        if what.dtype != np.uint8 or what.ndim != 3 or what.shape[2] != 3:
            raise UsageError(f"pixels are {what.dtype} {what.shape}; expected uint8 (height, width, 3), RGB")
        return Photo("pixels", None, what, find)
    if isinstance(what, Poses):
        return Keypoints("poses", lambda: (KeypointFile(what, ("",) * len(what)), ()))
    if isinstance(what, Query):
        return Asked(what)
    if isinstance(what, Sighted):
        return Row(what.id, what, index() if callable(index) else index)
    raise UsageError(f"{type(what).__name__} is nothing to look for; give a path, an id, pixels, Poses or a hit")


def indexed_clips(index: Any) -> Iterator[tuple[float, str, int, Poses, Path | None]]:
    """Share of the files done, path, track, poses and video of everyone in an index's clips; no video is decoded."""
    clips = index.clips()
    for n, medium in enumerate(clips):
        video = index.file(medium.path) if medium.kind == "video" else None
        for track, poses in people_of_medium(medium.path, medium, index).tracks():
            yield n / len(clips), medium.path, track, poses, video


def _named(
    text: str, index: Any, find: Callable[[], Detector], fps: float | None, span: tuple[float | None, float | None]
) -> Source:
    from samepose.media.image import IMAGE_SUFFIXES
    from samepose.media.video import VIDEO_SUFFIXES

    path = located(text)
    suffix = path.suffix.lower()
    if not path.exists():
        return in_index(text, index)
    if path.is_dir() or suffix in _KEYPOINT_SUFFIXES:
        from samepose.formats.keypoints import load_poses

        return Keypoints(text, lambda: (load_poses(path), ()))
    if suffix in IMAGE_SUFFIXES:
        return Photo(text, path, None, find)
    if suffix in VIDEO_SUFFIXES:
        return Video(path, find, fps, span)
    if is_motion(path):
        return Motion(path, fps)
    raise MediaError(f"{text}: is no photo, video, keypoint file or motion capture by its name; give one of these, or "
                     "an id")


def _found_by(detector: Any, index: Any) -> Callable[[], Detector]:
    """The detector that was given, else the index's own, else the one that comes with samepose: when it is needed."""
    def find() -> Detector:
        from samepose.detection import default_detector

        if detector is None:
            return getattr(index, "detector", None) or default_detector()
        return detector() if isinstance(detector, type) or not hasattr(detector, "detect") else detector

    return find
