"""The two tables' columns, and the way between their rows and the library's nouns."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Int

from samepose.errors import StoreError
from samepose.poses import Poses
from samepose.skeleton import Skeleton

if TYPE_CHECKING:
    from samepose.matching.embeddings import Embeddings

FORMAT = "1"
DIMENSIONS = 16
_NUMBER_BITS = 27
_NUMBER_MASK = (1 << _NUMBER_BITS) - 1

# One vector ranks: the mean, then the root of the summed variances. Its squared distance to [query mean, 0] is
# E r², up to the query's own constant, so the store's nearest are the likeliest matches but for the shape of r.
_RANK = pa.list_(pa.float32(), DIMENSIONS + 1)
PEOPLE = pa.schema([
    pa.field("id", pa.int64(), nullable=False),  # medium << 27 | number of the person in it
    pa.field("media", pa.int64(), nullable=False),
    pa.field("time", pa.float64()),  # seconds; null in an image
    pa.field("frame", pa.int64(), nullable=False),
    # medium << 27 | track: a column that is the same in every row is slow to read at random
    pa.field("track", pa.int64(), nullable=False),
    pa.field("score", pa.float32(), nullable=False),  # how sure the detector is that this is a person
    pa.field("box", pa.list_(pa.float32(), 4)),  # x0, y0, x1, y1 in pixels
    pa.field("keypoints", pa.list_(pa.float32()), nullable=False),  # x, y, score of each joint; x and y NaN = missing
    pa.field("embedding", _RANK),  # null: too few joints to search by
    pa.field("variance", pa.list_(pa.float32(), DIMENSIONS)),
    pa.field("label", pa.string()),
])


@dataclass(frozen=True)
class Medium:
    """One row of the media table.

    Attributes:
        id: 36 bits drawn from path, contents and settings; shown as 9 hexadecimal digits.
        path: POSIX, relative to the index's root, or absolute where it lies outside.
        size: bytes. mtime: nanoseconds since the epoch. hash: SHA-256 of the contents.
        kind: "image", "video" or "poses" (keypoints without a file).
        fps: frames per second a video was read with, None for every frame and for images.
        mode: the detector's name, or "keypoints" where they were given.
        skeleton: of its people, None where there are none.
        status: "done", "nobody" or "failed", then `error` says why.
        people: rows in the people table.
    """

    id: int
    path: str
    size: int
    mtime: int
    hash: str
    kind: str
    fps: float | None
    mode: str
    status: str = "done"
    error: str | None = None
    people: int = 0
    skeleton: str | None = None
    label: str | None = None

    def same_settings(self, other: Medium) -> bool:
        """True when both were, or would be, read in the same way."""
        return self.mode == other.mode and self.fps == other.fps


MEDIA = pa.schema([
    pa.field("id", pa.int64(), nullable=False),
    pa.field("path", pa.string(), nullable=False),
    pa.field("size", pa.int64(), nullable=False),
    pa.field("mtime", pa.int64(), nullable=False),
    pa.field("hash", pa.string(), nullable=False),
    pa.field("kind", pa.string(), nullable=False),
    pa.field("fps", pa.float64()),
    pa.field("mode", pa.string(), nullable=False),
    pa.field("status", pa.string(), nullable=False),
    pa.field("error", pa.string()),
    pa.field("people", pa.int64(), nullable=False),
    pa.field("skeleton", pa.string()),
    pa.field("label", pa.string()),
])
assert MEDIA.names == [f.name for f in fields(Medium)]


def media_table(media: list[Medium]) -> pa.Table:
    """Rows for the media table."""
    return pa.Table.from_pylist([asdict(m) for m in media], schema=MEDIA)


def media_of(table: pa.Table) -> list[Medium]:
    """The rows of a media table with all its columns."""
    columns = [table[name].to_pylist() for name in MEDIA.names]
    return [Medium(*row) for row in zip(*columns)]


def with_id(medium: Medium, taken: Any) -> Medium:
    """The medium with its id: the same for the same path, contents and settings, unless `taken` holds it."""
    text = "\0".join((medium.path, medium.hash, str(medium.fps), medium.mode))
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:5], "big") >> 4
    while number in taken:
        number = (number + 1) % (1 << 36)
    return replace(medium, id=number)


def in_medium(media: int, numbers: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Ids of people or tracks of a medium from their numbers in it, and back with `number_of`."""
    if len(numbers) and numbers.max() > _NUMBER_MASK:
        raise StoreError(f"one video with more than {_NUMBER_MASK:,} people does not fit in an index; cut it in parts")
    return (np.int64(media) << _NUMBER_BITS) | numbers.astype(np.int64)


def medium_of(person: Any) -> Any:
    """The medium of a person's or track's id, or of an array of them."""
    return person >> _NUMBER_BITS


def number_of(person: int) -> int:
    """The number of a person or track within its medium."""
    return person & _NUMBER_MASK


def shown_id(person: int) -> str:
    """A person's id for people: `0a1b2c3d4-17` is number 17 of medium 0a1b2c3d4."""
    return f"{medium_of(person):09x}-{number_of(person)}"


def parse_id(text: str) -> tuple[int, int | None] | None:
    """(medium, person id or None) of a shown id of a person or a medium; None when it is no id at all."""
    media, dash, number = text.partition("-")
    hexadecimal = len(media) == 9 and all(c in "0123456789abcdef" for c in media)
    if not hexadecimal or (dash and not (number.isascii() and number.isdigit())):
        return None
    return int(media, 16), (int(media, 16) << _NUMBER_BITS) + int(number) if dash else None


def vectors_of(embeddings: Embeddings, searchable: Bool[np.ndarray, " n"]) -> tuple[pa.Array, pa.Array]:
    """The columns `embedding` and `variance` of n people, from the embeddings of the searchable ones in order."""
    rank = np.zeros((len(searchable), DIMENSIONS + 1), np.float32)
    variance = np.zeros((len(searchable), DIMENSIONS), np.float32)
    rank[searchable, :-1], variance[searchable] = embeddings.mean, embeddings.var
    rank[:, -1] = np.sqrt(variance.sum(axis=1))
    mask = pa.array(~searchable)
    return (pa.FixedSizeListArray.from_arrays(pa.array(rank.ravel()), type=_RANK, mask=mask),
            pa.FixedSizeListArray.from_arrays(pa.array(variance.ravel()), type=PEOPLE.field("variance").type,
                                              mask=mask))


def people_batch(
    medium: Medium, start: int, poses: Poses, vectors: tuple[pa.Array, pa.Array]
) -> pa.RecordBatch:
    """Rows for the people table.

    Args:
        medium: whose people they are, from the `start`-th on.
        poses: n people, 2D, in pixels.
        vectors: of the same people, from `vectors_of`.
    """
    n, joints = len(poses), len(poses.skeleton)
    keypoints = np.concatenate([poses.points, poses.scores[..., None]], axis=2).astype(np.float32)
    offsets = pa.array(np.arange(0, (n + 1) * joints * 3, joints * 3, dtype=np.int32))
    box = np.nan_to_num(poses.boxes).astype(np.float32)
    return pa.RecordBatch.from_arrays([
        pa.array(in_medium(medium.id, np.arange(start, start + n))),
        pa.array(np.full(n, medium.id)),
        pa.array(poses.times, mask=np.isnan(poses.times)),
        pa.array(poses.frames.astype(np.int64)),
        pa.array(in_medium(medium.id, poses.tracks)),
        pa.array(poses.person_scores.astype(np.float32)),
        pa.FixedSizeListArray.from_arrays(pa.array(box.ravel()), type=PEOPLE.field("box").type,
                                          mask=pa.array(np.isnan(poses.boxes).any(axis=1))),
        pa.ListArray.from_arrays(offsets, pa.array(keypoints.ravel())),
        *vectors,
        pa.array([medium.label] * n, pa.string()),
    ], schema=PEOPLE)


def poses_of(rows: pa.Table | pa.RecordBatch, skeleton: Skeleton) -> Poses:
    """The poses of people rows that all have the skeleton."""
    keypoints = flat(rows["keypoints"]).reshape(len(rows), len(skeleton), 3)
    return Poses.of(
        keypoints[..., :2], skeleton, scores=keypoints[..., 2],
        boxes=np.array([b or [np.nan] * 4 for b in rows["box"].to_pylist()]).reshape(-1, 4),
        person_scores=np.asarray(rows["score"]), frames=np.asarray(rows["frame"]),
        times=np.asarray(rows["time"], np.float64), tracks=np.asarray(rows["track"]) & _NUMBER_MASK,
    )


def embeddings_of(rows: pa.Table | pa.RecordBatch) -> Embeddings:
    """The embeddings of searchable people rows (columns `embedding` and `variance`)."""
    from samepose.matching.embeddings import Embeddings

    return Embeddings(flat(rows["embedding"]).reshape(len(rows), -1)[:, :DIMENSIONS],
                      flat(rows["variance"]).reshape(len(rows), -1))


def flat(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """The values of a list column without nulls, one after the other."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    values: np.ndarray = column.flatten().to_numpy(zero_copy_only=False)
    return values
