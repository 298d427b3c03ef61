"""The two tables' columns, and the way between their rows and the library's nouns."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Int

from samepose.errors import StoreError, UsageError
from samepose.geometry.frontal import solid
from samepose.index.spaces import Space, flat, to_json
from samepose.poses import Poses
from samepose.skeleton import Skeleton

FORMAT = "2"
_NUMBER_BITS = 27
_NUMBER_MASK = (1 << _NUMBER_BITS) - 1
_BOX = pa.list_(pa.float32(), 4)
MOTION = "motion"  # kind and mode of motion capture
GIVEN = ("keypoints", MOTION)  # modes of media that no detector looked at

PERSON = (
    pa.field("id", pa.int64(), nullable=False),  # medium << 27 | number of the person in it
    pa.field("media", pa.int64(), nullable=False),
    pa.field("time", pa.float64()),  # seconds; null in an image
    pa.field("frame", pa.int64(), nullable=False),
    # medium << 27 | track: a column that is the same in every row is slow to read at random
    pa.field("track", pa.int64(), nullable=False),
    pa.field("score", pa.float32(), nullable=False),  # how sure the detector is that this is a person
    pa.field("box", _BOX),  # x0, y0, x1, y1 in pixels
    # x, y, score of each joint, x and y NaN = missing; of a 3D pose, shown as in `geometry.frontal`, then all depths
    pa.field("keypoints", pa.list_(pa.float32()), nullable=False),
    pa.field("label", pa.string()),
)


def people_schema(spaces: Sequence[Space], root: str) -> pa.Schema:
    """The people table: `PERSON`, then the columns of each space; with the facts that must change with its rows."""
    fields = [*PERSON, *(field for space in spaces for field in space.fields)]
    return pa.schema(fields, metadata={"format": FORMAT, "root": root, "spaces": to_json(spaces)})


@dataclass(frozen=True)
class Medium:
    """One row of the media table.

    Attributes:
        id: 36 bits drawn from path, contents and settings; shown as 9 hexadecimal digits.
        path: POSIX, relative to the index's root, or absolute where it lies outside.
        size: bytes. mtime: nanoseconds since the epoch. hash: SHA-256 of the contents.
        kind: "image", "video", "motion" (capture, 3D) or "poses" (keypoints without a file).
        fps: frames per second a video or motion capture was read with, None for every frame and for images.
        mode: the detector's name, "keypoints" where they were given, or "motion".
        skeleton: of its people, None where there are none.
        status: "done", "nobody", "partial" (a video that was not read to its end yet) or "failed"; `error` says why,
            and of a video that is "done" why it breaks off: the people before that are there.
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

    @property
    def shown(self) -> str:
        """The id as people, `Index.select` and `where` of a search know it."""
        return f"{self.id:09x}"

    def to_json(self) -> dict[str, Any]:
        """For programs: what became of it."""
        return {"path": self.path, "status": self.status, "people": self.people, "label": self.label,
                "error": self.error}

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


FACT = "samepose."  # before the names of facts


def media_schema(facts: Mapping[str, str]) -> pa.Schema:
    """The media table: `MEDIA`, and facts that may change without a row, kept with its first column."""
    return MEDIA.set(0, MEDIA.field(0).with_metadata({FACT + name: value for name, value in facts.items()}))


def media_table(media: list[Medium]) -> pa.Table:
    """Rows for the media table."""
    return pa.Table.from_pylist([asdict(m) for m in media], schema=MEDIA)


def media_of(table: pa.Table) -> list[Medium]:
    """The rows of a media table with all its columns."""
    columns = [table[name].to_pylist() for name in MEDIA.names]
    return [Medium(*row) for row in zip(*columns)]


def with_id(medium: Medium, taken: Container[int]) -> Medium:
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


def number_of(person: Any) -> Any:
    """The number of a person or track within its medium, or of an array of them."""
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


def person_id(text: str) -> tuple[int, int]:
    """Medium and person of a shown id of a person.

    Raises:
        UsageError: it is none.
    """
    parsed = parse_id(text)
    if parsed is None or parsed[1] is None:
        raise UsageError(f"{text!r} is no id of a person; ids look like 0a1b2c3d4-17")
    return parsed[0], parsed[1]


def single_people(texts: Sequence[str]) -> list[int]:
    """The people among patterns and ids."""
    return [parsed[1] for text in texts if (parsed := parse_id(text)) and parsed[1] is not None]


def people_batch(
    medium: Medium, start: int, poses: Poses, schema: pa.Schema, vectors: Mapping[str, pa.Array],
    labels: Sequence[str | None] | None = None, depth: Float[np.ndarray, "n joint"] | None = None,
) -> pa.RecordBatch:
    """Rows for the people table.

    Args:
        medium: whose people they are, from the `start`-th on.
        poses: n people, 2D, in pixels.
        schema: of the table.
        vectors: columns of spaces for the same people, see `Space.vectors`; those not given are null.
        labels: of each; the medium's where they are not given.
        depth: of each joint, where it is known, see `geometry.frontal`.
    """
    n = len(poses)
    points = np.concatenate([poses.points, poses.scores[..., None]], axis=2)
    keypoints = points.astype(np.float32).reshape(n, 3 * len(poses.skeleton))
    if depth is not None:
        keypoints = np.concatenate([keypoints, depth.astype(np.float32)], axis=1)
    width = keypoints.shape[1]
    offsets = pa.array(np.arange(0, (n + 1) * width, width, dtype=np.int32))
    box = np.nan_to_num(poses.boxes).astype(np.float32)
    columns = {
        "id": pa.array(in_medium(medium.id, np.arange(start, start + n))),
        "media": pa.array(np.full(n, medium.id)),
        "time": pa.array(poses.times, mask=np.isnan(poses.times)),
        "frame": pa.array(poses.frames.astype(np.int64)),
        "track": pa.array(in_medium(medium.id, poses.tracks)),
        "score": pa.array(poses.person_scores.astype(np.float32)),
        "box": pa.FixedSizeListArray.from_arrays(pa.array(box.ravel()), type=_BOX,
                                                 mask=pa.array(np.isnan(poses.boxes).any(axis=1))),
        "keypoints": pa.ListArray.from_arrays(offsets, pa.array(keypoints.ravel())),
        "label": pa.array([medium.label] * n if labels is None else labels, pa.string()),
        **vectors,
    }
    return batch_of(columns, n, schema)


def batch_of(columns: Mapping[str, pa.Array], n: int, schema: pa.Schema) -> pa.RecordBatch:
    """n rows of the schema; columns that are not given are null."""
    arrays = [columns[f.name] if f.name in columns else pa.nulls(n, f.type) for f in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def keypoints_of(
    rows: pa.Table | pa.RecordBatch, skeleton: Skeleton
) -> tuple[Float[np.ndarray, "n joint 3"], Float[np.ndarray, "n joint"]]:
    """x, y and score of people rows that all have the skeleton, and depths, NaN in rows that are not in 3D."""
    values, lengths = flat(rows["keypoints"]), np.asarray(pc.list_value_length(rows["keypoints"])).astype(np.int64)
    start, joints = (np.cumsum(lengths) - lengths)[:, None], len(skeleton)
    depth = np.full((len(rows), joints), np.nan, np.float32)
    deep = lengths == 4 * joints
    depth[deep] = values[start[deep] + np.arange(3 * joints, 4 * joints)]
    return values[start + np.arange(3 * joints)].reshape(len(rows), joints, 3), depth


def bodies_of(rows: pa.Table | pa.RecordBatch, skeleton: Skeleton) -> Poses | None:
    """The people of rows in 3D (see `geometry.frontal.solid`), all of the skeleton; None where they are not."""
    depth = keypoints_of(rows, skeleton)[1]
    return None if np.isnan(depth).all() else solid(poses_of(rows, skeleton), depth)


def poses_of(rows: pa.Table | pa.RecordBatch, skeleton: Skeleton) -> Poses:
    """The poses of people rows that all have the skeleton, in 2D."""
    keypoints = keypoints_of(rows, skeleton)[0]
    return Poses.of(
        keypoints[..., :2], skeleton, scores=keypoints[..., 2],
        boxes=np.array([b or [np.nan] * 4 for b in rows["box"].to_pylist()]).reshape(-1, 4),
        person_scores=np.asarray(rows["score"]), frames=np.asarray(rows["frame"]),
        times=np.asarray(rows["time"], np.float64), tracks=np.asarray(rows["track"]) & _NUMBER_MASK,
    )
