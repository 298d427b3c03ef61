"""What to look for: one person in a photo, a video, a keypoint file, an index, or given as pixels or poses."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from samepose.query.kinds import open_source
from samepose.query.moment import Query, check_ignored, embed_around, embed_query
from samepose.query.source import Sighted

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.poses import Poses

__all__ = ["Query", "check_ignored", "embed_around", "embed_query", "resolve_query"]


def resolve_query(
    what: str | os.PathLike[str] | UInt8[np.ndarray, "height width 3"] | Poses | Sighted | Query,
    index: Any = None,
    detector: Detector | Callable[[], Detector] | None = None,
    *,
    at: float | None = None,
    person: int | None = None,
    image: str | None = None,
    frame: int | None = None,
    ignore: Sequence[str] = (),
) -> Query:
    """The person that is meant by what the user named.

    Args:
        what: path of a photo, a video (with `at`), motion capture (with `at` or `frame`) or a pose file; id of a person
            of the index, or path or id of a file in it (with `at`), whose video is not read again; pixels, RGB
            (h, w, 3) uint8; poses, 2D in pixels or 3D; a hit; a query.
        index: an `Index`, or what opens it when it is needed: where ids and hits are looked up.
        detector: for photos, videos and pixels, or what loads it when it is needed; the index's or MoveNet by default.
        at: seconds in the video.
        person: rank of prominence in a photo, track id in a video; the most prominent by default.
        image: name of one of the pictures of a keypoint file, see `Source.of`.
        frame: number of a frame of motion capture or poses, see `Source.numbered`.
        ignore: joints that shall not matter, see `samepose.skeleton.parts`.

    Raises:
        UsageError: no such file or id, a video without `at`, a person who is not there, pixels of another shape.
        MediaError: the photo or video cannot be read, or nobody is in it.
        FormatError: the motion capture or pose file cannot be read.
        StoreError: no such id in the index.
    """
    source = open_source(what, index=index, detector=detector)
    source = source if image is None else source.of(image)
    found = (source if frame is None else source.numbered(frame)).moment(at, person)
    return found.without(ignore) if ignore else found
