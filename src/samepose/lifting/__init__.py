"""From the picture into space: the 3D pose of a photo, or of a person through a video.

A room below `index` and `sequences`: it asks `query` what the user named.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from samepose.errors import MediaError, UsageError
from samepose.lifting.lifted import Lifted, Lifter, check_height, liftable, timed
from samepose.poses import Poses
from samepose.query.kinds import open_source
from samepose.query.pictures import Photo
from samepose.query.source import Sighted, Source, about
from samepose.skeleton import BODY13

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.query.query import Query

__all__ = ["Lifted", "Lifter", "lift"]

MODELS = ("lifting", "structnet")


def lift(
    what: str | os.PathLike[str] | UInt8[np.ndarray, "height width 3"] | Poses | Sighted | Query | Source,
    *,
    at: float | None = None,
    person: int | None = None,
    height: float = 1.7,
    model: str | Lifter = "lifting",
    detector: Detector | Callable[[], Detector] | None = None,
    index: Any = None,
) -> Lifted:
    """The 3D pose of everyone in a photo, of one person at a time, or of one person through a video.

    Args:
        what: as for `open_source`: a photo, video, keypoint file, pixels, poses, an id of an index, or a source.
        at: seconds: only this moment of a video.
        person: rank of prominence in a photo, track id in a video; everyone in a photo and the most prominent of a
            video by default.
        height: metres of the person standing: the size of what is far and large looks like that of near and small.
        model: "lifting", which needs keypoints alone; "structnet", which looks at the pixels of a photo or of one
            moment (`at`) of a video; or anything that lifts 2D poses.
        detector: a detector, or what loads it; MoveNet by default.
        index: an `Index`, or what opens it, to look ids up in.

    Raises:
        UsageError: nothing that can be lifted, a height that no person has, a person who is not there, a time that does
            not go with it.
        MediaError: nobody is found, or the file cannot be read.
    """
    if isinstance(model, str) and model not in MODELS:
        raise UsageError(f"`model` is {model!r}; expected {' or '.join(MODELS)}")
    check_height(height)
    source = what if isinstance(what, Source) else open_source(what, index=index, detector=detector)
    if model == "structnet":
        from samepose.lifting.structnet import lift_pixels

        with about(source.name):
            return replace(lift_pixels(source, at, person, height), name=source.name)
    if isinstance(model, str):
        from samepose.lifting.lifting import load_lifter

        model = load_lifter()
    with about(source.name):
        poses, picture = meant(source, at, person)
        found = replace(model.lift(poses, height), name=source.name, picture=picture, video=source.video)
    return steadied(found, poses) if found.moving else found


def steadied(found: Lifted, seen: Poses) -> Lifted:
    """The moments of one person as a motion, see `lifting.steady`; the alternatives stay those of each moment.

    Args:
        seen: what they were lifted from.
    """
    from samepose.lifting.steady import steady

    return replace(found, poses=steady(found.poses, spread=found.spread, seen=seen))


def meant(source: Source, at: float | None, person: int | None) -> tuple[Poses, Any]:
    """The 2D poses that are meant, one moment, the people of a photo, or a track; and the picture they are in.

    Raises:
        UsageError, MediaError: as `lift`.
    """
    people = source.people if at is None else Poses.empty(BODY13)
    if len(people) and not np.isnan(people.times).all():
        return source.track(person), None
    if at is not None or person is not None or not len(people):
        query = source.moment(at, person)
        return timed(query), query.pixels
    if len(clear := people[liftable(people)]):
        return clear, source.pixels if isinstance(source, Photo) else None
    raise MediaError("too few joints of anybody are seen; choose another picture")
