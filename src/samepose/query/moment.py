"""A query: one pose, at one moment of what the user named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, UInt8

from samepose.errors import SameposeError, UsageError
from samepose.geometry.frontal import pictured
from samepose.matching.moment import near, offsets_of
from samepose.poses import Mirror, Poses, mirrors
from samepose.query.around import Around
from samepose.skeleton import BODY13

if TYPE_CHECKING:
    from samepose.embed import Embedder
    from samepose.matching.embeddings import Embeddings


@dataclass(frozen=True, eq=False)
class Query:
    """One pose to search by.

    Attributes:
        pose: one pose, 2D in pixels, without the joints to ignore; of a 3D pose what `geometry.frontal` shows of it.
        source: what it was made from, as the user named it.
        image: the photo or video it is in; None for keypoints or pixels without one.
        time: seconds in the video, None in a photo.
        person: rank of prominence in a photo (0 = first), track id in a video; None for the most prominent of a frame.
        people: how many there were to choose from.
        chosen: somebody asked for this person; else it is the most prominent.
        ignored: joints that shall not matter.
        exclude_id: the row it was taken from, which need not be found again.
        pixels: (h, w, 3) RGB of the picture, where it was looked at; None where keypoints were given.
        by: what is compared: "keypoints", "pixels" or "both".
        body: the pose in 3D (metres, y up) with all joints, where it is known: then it is compared from all sides.
        around: gives the person before and after; None where there is but one picture.
        moment: seconds before and after that are compared; 0: the frame alone.
        alone: why the frame alone is compared where a moment was meant.
    """

    pose: Poses
    source: str
    image: Path | None
    time: float | None
    person: int | None
    people: int
    chosen: bool = False
    ignored: tuple[str, ...] = ()
    exclude_id: str | None = None
    pixels: UInt8[np.ndarray, "height width 3"] | None = None
    by: str = "keypoints"
    body: Poses | None = None
    around: Around | None = None
    moment: float = 0.0
    alone: str | None = None

    def without(self, joints: Sequence[str]) -> Query:
        """The same with more joints that shall not matter."""
        ignored = tuple(dict.fromkeys((*self.ignored, *joints)))
        return replace(self, pose=self.pose.hide(ignored), ignored=ignored)

    def describe(self) -> str:
        """For people, e.g. "photo.jpg, person 0 of 3 (most prominent)"."""
        text = self.source if self.exclude_id is None or self.image is None else f"{self.source}, {self.image}"
        if self.time is not None:
            text += f" at {self.time:.2f} s"
        if self.exclude_id is not None:
            text += f", person {self.person}"
        elif self.person is None:
            text += f", the most prominent of {self.people}" if self.people > 1 else ", the only person"
        elif self.time is not None:
            text += f", person {self.person} ({self.people} in view)"
        else:
            text += f", person {self.person} of {self.people}{'' if self.chosen else ' (most prominent)'}"
        return text + (f", without {', '.join(self.ignored)}" if self.ignored else "")

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        box = [round(float(v), 2) for v in self.pose.boxes[0]]
        return {
            "source": self.source, "image": None if self.image is None else str(self.image), "time": self.time,
            "person": self.person, "people": self.people, "box": None if np.isnan(box).any() else box,
            "ignored": list(self.ignored), "id": self.exclude_id, "by": self.by, "moment": self.moment,
            "alone": self.alone,
        }


def shown(poses: Poses) -> tuple[Poses, Poses | None]:
    """Poses as a picture shows them, and in 3D where they are.

    Raises:
        UsageError: hips and shoulders of a 3D pose are not known, or lie at one point.
    """
    if poses.points.shape[-1] == 2:
        return poses, None
    return pictured(poses)[0], poses


def without_joints(poses: Poses, joints: Sequence[str]) -> Poses:
    """The poses with joints hidden, also those of BODY13 for which other joints would stand."""
    hidden = poses.hide(joints)
    body = hidden.to(BODY13)
    derived = [BODY13.index(joint) for joint in joints if joint in BODY13.joints]
    return body.hide(joints) if body.visible[:, derived].any() else hidden


def check_ignored(joints: Sequence[str], embedder: Embedder) -> None:
    """UsageError when nobody, with all other joints in view, could be embedded without these."""
    left = len(set(BODY13.joints) - set(joints))
    if left < embedder.min_joints:
        raise UsageError(f"`ignore` leaves {left} of {len(BODY13)} joints and {embedder.min_joints} are needed; "
                         "ignore less")


def embed_query(query: Query, embedder: Embedder, mirror: Mirror) -> Embeddings:
    """Embeddings (1 or 2, dim): of the pose, of its mirror image, or of both in this order.

    The embedder gets the pose on its own skeleton, as the index gave it those that are searched.

    Raises:
        SameposeError: too few joints are left.
    """
    from samepose.embed.views import embed_any
    from samepose.matching.embeddings import Embeddings

    pose = without_joints(query.pose, query.ignored)
    if not embedder.searchable(pose)[0]:
        seen = int(pose.hide(below=embedder.joint_score).to(BODY13).visible.sum())
        raise SameposeError(
            f"{query.describe()}: only {seen} of {len(BODY13)} joints are known and {embedder.min_joints} are "
            "needed; choose another `person` or picture, or `ignore` less"
        )
    return Embeddings.concatenate([embed_any(pose if query.body is None else query.body, embedder, query.ignored, flip)
                                   for flip in mirrors(mirror)])


def embed_around(
    query: Query, embedder: Embedder, seconds: float, mirror: Mirror
) -> tuple[tuple[Embeddings, ...], Bool[np.ndarray, "7"]]:
    """For each of the seven frames of a moment, what `embed_query` gives of one, and whether the person is there.

    Args:
        query: with `around` and a time.
        seconds: before and after.
    """
    from samepose.embed.views import embed_any, enough_joints
    from samepose.matching.embeddings import Embeddings

    assert query.around is not None and query.time is not None
    offsets, seen = offsets_of(seconds), query.around(offsets_of(seconds))
    now = query.pose if seen.points.shape[-1] == 2 or query.body is None else query.body
    gaps = np.abs(seen.times - (query.time + offsets)[:, None])
    nearest = [now if not offset or not len(gap) else seen[int(gap.argmin())] for offset, gap in zip(offsets, gaps)]
    poses = Poses.concatenate([pose.to(now.skeleton) for pose in nearest])
    if poses.points.shape[-1] == 2:
        poses = without_joints(poses, query.ignored)
    found = (gaps.min(axis=1, initial=np.inf) <= near(seconds)) | (offsets == 0)
    found &= enough_joints(poses, embedder)
    embedded = [embed_any(poses, embedder, query.ignored, flip) for flip in mirrors(mirror)]
    return tuple(Embeddings.concatenate([each[k] for each in embedded]) for k in range(len(poses))), found
