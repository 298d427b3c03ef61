"""What the API answers. What the command line prints too is its very JSON, and may have more fields here."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

Box = tuple[float, float, float, float]


class Problem(BaseModel):
    """What went wrong, and what to do about it.

    Attributes:
        kind: "usage", "media", "format", "store", "busy", "refused", "missing", "large" or "unexpected".
    """

    message: str
    remedy: str | None = None
    kind: str


class Failure(BaseModel):
    """Every answer that is none."""

    error: Problem


class Skeleton(BaseModel):
    """Joints in order, and the pairs of them that a line is drawn between."""

    name: str
    joints: list[str]
    bones: list[tuple[str, str]]


class Session(BaseModel):
    """What the page needs to know first.

    Attributes:
        index: address. there: there is one; `problem` says what is wrong with it.
        csrf: to be sent as X-Samepose-CSRF with every change.
        local: served to this computer only; folders of it can be indexed.
        parts: of the body, for `ignore`, with their joints.
        spaces: what the people of the index can be found by: "keypoints", "pixels".
        limits: bytes of an upload, pixels of a picture, results of a search.
    """

    version: str
    index: str
    there: bool
    problem: Problem | None
    csrf: str
    local: bool
    spaces: list[str]
    parts: dict[str, list[str]]
    skeletons: list[Skeleton]
    limits: dict[str, int]


class Picture(BaseModel):
    """What to draw on; keypoints are in its pixels. `url` is None of a figure, and where the file has vanished."""

    url: str | None
    width: int
    height: int


class Figure(BaseModel):
    """A person in a picture.

    Attributes:
        person: rank of prominence, 0 first; of a file of the index the track.
        id: in the index.
        score: how sure the detector is that this is a person.
        keypoints: joint -> x, y in pixels, score 0..1; joints that are not seen are left out.
    """

    person: int
    id: str | None
    score: float
    box: Box | None
    keypoints: dict[str, tuple[float, float, float]]
    skeleton: str


class Asked(BaseModel):
    """Who can be searched for.

    Attributes:
        query: opaque; gone half an hour after its last use.
        kind: "image", "video", "person", "media" or "figure".
        source: its name, for people.
        time, duration: seconds, of a video.
        people: the most prominent first; nobody may be there.
    """

    query: str
    kind: Literal["image", "video", "person", "media", "figure"]
    source: str
    media: str | None
    time: float | None
    duration: float | None
    picture: Picture
    people: list[Figure]


class Crop(BaseModel):
    """A square picture of a person; `window` is x, y of its corner and its side, in pixels of the whole picture."""

    url: str
    window: tuple[int, int, int]


class Result(BaseModel):
    """A person found; the first eleven fields are those of `samepose search --json`."""

    id: str
    score: float
    path: str
    time: float | None
    span: tuple[float, float] | None
    frame: int
    person: int
    box: Box | None
    mirrored: bool
    label: str | None
    moment: float
    media: str
    words: str
    crop: Crop
    keypoints: dict[str, tuple[float, float, float]]
    skeleton: str


class Asking(BaseModel):
    """The query, as `samepose search --json` has it."""

    source: str
    image: str | None
    time: float | None
    person: int | None
    people: int
    box: Box | None
    ignored: list[str]
    by: str
    id: str | None
    moment: float
    alone: str | None


class Found(BaseModel):
    """What a search found.

    Attributes:
        next: `offset` of the results that follow; None when there are no more.
        nothing: why there is none: "index" (it is empty), "where" (no such file), "label" (nobody has it), "score"
            (nobody is likely enough) or "nobody".
    """

    query: Asking
    results: list[Result]
    next: int | None
    nothing: Literal["index", "where", "label", "score", "nobody"] | None


class Labelled(BaseModel):
    """As `samepose label --json`."""

    index: str
    people: int
    label: str | None


class Removed(BaseModel):
    """As `samepose remove --json`; `paths` of a dry run only."""

    index: str
    people: int
    files: int
    paths: list[str] | None = None


class Medium(BaseModel):
    """A file of the index; the first five fields are those of `samepose info --files --json`."""

    path: str
    status: str
    people: int
    label: str | None
    error: str | None
    id: str
    kind: Literal["image", "video", "motion", "poses"]


class TrackSpan(BaseModel):
    """Somebody in a clip: track, first and last second, sightings, and the id of the first one."""

    person: int
    start: float | None
    end: float | None
    sightings: int
    id: str


class MediumDetail(Medium):
    """And what is in it.

    Attributes:
        there: the file can be read; `width` and `height` are those of its picture, None where not.
        tracks: who is in it, the most prominent first.
    """

    there: bool
    width: int | None
    height: int | None
    duration: float | None
    fps: float | None
    tracks: list[TrackSpan]


class Library(BaseModel):
    """What is indexed.

    Attributes:
        info: as `samepose info --json`.
        media: a part of the files in order of path; `total` are there, and `next` is the offset of those that follow.
    """

    info: dict[str, Any]
    media: list[Medium]
    total: int
    next: int | None


class Folder(BaseModel):
    """A folder of this computer, to choose from; hidden ones are left out."""

    path: str
    parent: str | None
    folders: list[str]
    media: int = Field(description="photos and videos that lie in it, not in its folders")


class Job(BaseModel):
    """An indexing run.

    Attributes:
        state: "waiting", "running", "done", "cancelled" or "failed" (`error` says why).
        done, total: files, the one in work in parts.
        what: people so far, and the file in work.
        report: as `samepose index --json`, when it is done.
    """

    job: str
    state: Literal["waiting", "running", "done", "cancelled", "failed"]
    done: float
    total: float
    what: str
    paths: list[str]
    report: dict[str, Any] | None
    error: Problem | None


Place = tuple[float, float, float]


class Alternative(BaseModel):
    """What a pose could be, and how probable that is."""

    points: list[Place]
    weight: float


class InSpace(BaseModel):
    """A person in space.

    Attributes:
        points: of the joints of the skeleton; metres, x to the right of the picture, y up, z to the viewer.
        spread: standard deviation of each joint along one axis, metres.
        alternatives: the likeliest first, which `points` are.
    """

    person: int
    time: float | None
    skeleton: str
    points: list[Place]
    spread: list[float]
    alternatives: list[Alternative]


class Lifted(BaseModel):
    """Keypoints in space."""

    people: list[InSpace]
