"""What is before and after whom a search is for: of people who were found in a video and not bent since."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from samepose.detection import in_photo
from samepose.detection.movenet import JOINT_SCORE
from samepose.media.video import frame_at
from samepose.poses import Poses
from samepose.query.around import Around, in_video

if TYPE_CHECKING:
    from samepose.web.service import Service
    from samepose.web.uploads import Kept


def around(service: Service, kept: Kept, pose: Poses) -> Around | None:
    """As `Query.around`; None for a photo, a figure, or joints that were moved, hidden or added."""
    person = _as_found(kept.people, pose)
    if kept.time is None or person is None:
        return None
    if kept.ids:
        return partial(service.index().around, service.index().row(kept.ids[person]))
    return partial(_sent, service, kept, person) if kept.kind == "video" and kept.file is not None else None


def _as_found(people: Poses, pose: Poses) -> int | None:
    """The place of the person whose joints these are, in any skeleton; those that count as missing are not compared."""
    if not len(people):
        return None
    found, asked = (seen.hide(below=JOINT_SCORE).to(pose.skeleton).points for seen in (people, pose))
    same = (np.isclose(found, asked, atol=0.01, equal_nan=True)).all(axis=(1, 2))
    return int(same.argmax()) if same.any() else None


def _sent(service: Service, kept: Kept, person: int, offsets: Float[np.ndarray, " offset"]) -> Poses:
    """Of a video that was sent; its frames are looked at once for all pages of a search."""
    key = person, round(float(offsets[-1]), 6)
    if key not in kept.around:
        assert kept.file is not None and kept.time is not None
        now = frame_at(kept.file, kept.time)
        people = in_photo(now.image, service.detector)
        seen = in_video(kept.file, lambda: service.detector, now, people, person)(offsets)
        later = kept.time - now.time  # the frame that is shown at a time began before it
        kept.around[key] = replace(seen, times=seen.times + later)
    return kept.around[key]
