"""People as image embeddings: of moments as they are looked at, and of what an index has already, read again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float32

from samepose.errors import MediaError
from samepose.index.plan import file_hash, why
from samepose.index.schema import GIVEN, poses_of
from samepose.media.remote import located
from samepose.poses import Poses
from samepose.skeleton import SKELETONS

if TYPE_CHECKING:
    from pathlib import Path

    from samepose.embed.image import ImageEmbedder
    from samepose.index.schema import Medium
    from samepose.index.spaces import Space
    from samepose.index.store import Store
    from samepose.media.video import Frame

_CROPS = 16  # of moments that wait to be embedded together: 0.8 MB


class Seen(NamedTuple):
    """The people of a moment.

    Attributes:
        pixels: their image embeddings, NaN for those without a box; None where nobody asked for them.
        depth: of the joints of 3D poses, see `geometry.frontal`.
    """

    poses: Poses
    pixels: Float32[np.ndarray, "n dim"] | None = None
    depth: Float32[np.ndarray, "n joint"] | None = None

    @property
    def unseen(self) -> int:
        """How many have no image embedding."""
        return len(self.poses) if self.pixels is None else int(np.isnan(self.pixels).any(axis=1).sum())

    @staticmethod
    def concatenate(many: Sequence[Seen]) -> Seen:
        """Several moments of one skeleton, in order, all or none of them in 3D."""
        poses = Poses.concatenate([replace(each.poses, fps=None) for each in many])
        depths = [each.depth for each in many if each.depth is not None]
        depth = np.concatenate(depths) if depths else None
        known = [each.pixels for each in many if each.pixels is not None]
        if not known:
            return Seen(poses, None, depth)
        pixels = np.full((len(poses), known[0].shape[1]), np.nan, np.float32)
        at = 0
        for each in many:
            if each.pixels is not None:
                pixels[at : at + len(each.poses)] = each.pixels
            at += len(each.poses)
        return Seen(poses, pixels, depth)


def seen(moments: Iterable[tuple[Frame, Poses]], embedder: ImageEmbedder | None) -> Iterator[Seen]:
    """Moments with people in them; of their pictures nothing is kept but a few crops, until these are embedded.

    Raises:
        MediaError, OSError: what reading raises, after the moments before it.
    """
    if embedder is None:
        yield from (Seen(poses, None) for _, poses in moments if len(poses))
        return
    from samepose.embed.image import person_crops

    waiting: list[tuple[Poses, np.ndarray]] = []
    cut = None
    try:
        for frame, poses in moments:
            if len(poses):
                waiting.append((poses, person_crops(frame.image, poses.boxes[_boxed(poses)])))
            if sum(len(crops) for _, crops in waiting) >= _CROPS:
                yield from _embedded(waiting, embedder)
                waiting = []
    except (MediaError, OSError) as error:
        cut = error
    yield from _embedded(waiting, embedder)
    if cut is not None:
        raise cut


def _embedded(waiting: list[tuple[Poses, np.ndarray]], embedder: ImageEmbedder) -> Iterator[Seen]:
    crops = [crops for _, crops in waiting]
    points = embedder.embed_crops(np.concatenate(crops)).mean if any(map(len, crops)) else None
    at = 0
    for poses, own in waiting:
        pixels = np.full((len(poses), embedder.dimensions), np.nan, np.float32)
        if points is not None:
            pixels[_boxed(poses)] = points[at : at + len(own)]
        at += len(own)
        yield Seen(poses, pixels)


def _boxed(poses: Poses) -> Any:
    """Who has a box."""
    return np.isfinite(poses.boxes).all(axis=1)


class Again(NamedTuple):
    """What reading the media of an index again gave.

    Attributes:
        ids: of people, sorted. points: their image embeddings.
        lost: (path, why) of media some of whose people could not be found again.
    """

    ids: np.ndarray
    points: Float32[np.ndarray, "n dim"]
    lost: list[tuple[str, str]]


def look_again(store: Store, embedder: ImageEmbedder, kept: Space | None, tell: Callable[[int, str], None]) -> Again:
    """Image embeddings of the people of an index by their boxes: media are decoded, nobody is looked for anew.

    Held in memory: 512 bytes for each person with 128 dimensions.

    Args:
        kept: the index's space of pixels where its vectors are of this embedder: who has one is passed over.
        tell: called after each medium with its people and its path.
    """
    ids: list[int] = []
    points: list[np.ndarray] = []
    lost: list[tuple[str, str]] = []
    for medium in store.all_media():
        if not medium.people:
            continue
        if medium.mode not in GIVEN:  # of poses that were given nobody knows which picture they were seen in
            found, problem = _of_medium(store, medium, embedder, kept)
            ids += found
            points += found.values()
            lost += [(medium.path, problem)] if problem else []
        tell(medium.people, medium.path)
    order = np.argsort(np.array(ids, np.int64))
    none = np.zeros((0, embedder.dimensions), np.float32)
    return Again(np.array(ids, np.int64)[order], np.stack(points)[order] if points else none, lost)


def _of_medium(
    store: Store, medium: Medium, embedder: ImageEmbedder, kept: Space | None
) -> tuple[dict[int, np.ndarray], str]:
    """The embeddings of a medium's people by id, and why some are not there, "" where all are."""
    rows = store.people_of(medium.id)
    wanted = np.asarray(rows["box"].is_valid())
    if kept is not None:
        wanted = wanted & np.asarray(rows[kept.rank].is_null())
    rows = rows.filter(wanted)
    file, found = located(medium.path, store.root), dict[int, np.ndarray]()
    if not len(rows):
        return found, ""
    ids, poses = np.asarray(rows["id"]), poses_of(rows, SKELETONS[medium.skeleton or "COCO17"])
    if problem := _changed(file, medium):
        return found, problem
    try:
        for known, points, _ in seen(_moments(file, medium, poses), embedder):
            assert points is not None  # with an embedder
            found |= zip(ids[known.tracks].tolist(), points)
    except (MediaError, OSError) as error:
        return found, why(error, file) if len(found) < len(ids) else ""
    lacking = len(ids) - len(found)
    return found, f"{lacking} of its people are at moments that it does not have any more" if lacking else ""


def _moments(file: Path, medium: Medium, poses: Poses) -> Iterator[tuple[Frame, Poses]]:
    """The pictures that people were seen in, each with them; their `tracks` are their places among all of these."""
    from samepose.media.image import read_image
    from samepose.media.video import Frame, read_frames

    poses = replace(poses, tracks=np.arange(len(poses)))
    if medium.kind == "image":
        yield Frame(0, math.nan, read_image(file)), poses
        return
    last = poses.frames.max()
    for frame in read_frames(file, medium.fps):
        yield frame, poses[poses.frames == frame.index]
        if frame.index >= last:
            return


def _changed(file: Path, medium: Medium) -> str:
    """Why a file does not show what it showed when it was indexed; "" where it does."""
    try:
        stat = file.stat()
        same = stat.st_size == medium.size and (stat.st_mtime_ns == medium.mtime or file_hash(file) == medium.hash)
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        return "is not there any more" if gone else why(error, file)
    return "" if same else "has changed since it was indexed; index it again"
