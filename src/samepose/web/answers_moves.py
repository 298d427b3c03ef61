"""What the API answers about moves, tracks, groups and the map."""

from __future__ import annotations

from pydantic import BaseModel

from samepose.web.answers import Box, Skeleton


class Example(BaseModel):
    """What shows a move."""

    source: str
    start: float
    end: float
    person: int


class Place(BaseModel):
    """Where a move is; the first eight fields are those of `samepose find --json`."""

    score: float
    path: str
    start: float
    end: float
    person: int
    distance: float
    contrast: float
    mirrored: bool
    media: str | None


class Places(BaseModel):
    """As `samepose find --json`."""

    example: Example
    mirror: str
    results: list[Place]
    failed: list[str]


class Counted(BaseModel):
    """As `samepose count --json`."""

    example: Example
    mirror: str
    path: str
    person: int
    count: int
    repetitions: list[Place]


class Difference(BaseModel):
    """A moment at which two performances differ."""

    time_a: float
    time_b: float
    distance: float
    joint: str | None
    degrees: float | None


class Aligned(BaseModel):
    """As `samepose align --json`."""

    pairs: list[tuple[int, int]]
    times: list[tuple[float, float]]
    distance: list[float | None]
    mean_distance: float
    mirrored: bool
    degrees: dict[str, list[float | None]]
    worst: list[Difference]
    a: str
    b: str
    person_a: int
    person_b: int


class Tracked(BaseModel):
    """One person through a clip.

    Attributes:
        times: seconds, None in a photo.
        keypoints: for each time and each joint of `skeleton` x, y, score; None where it is not seen.
    """

    media: str
    person: int
    skeleton: Skeleton
    ids: list[str]
    times: list[float | None]
    boxes: list[Box | None]
    keypoints: list[list[tuple[float, float, float] | None]]


class Group(BaseModel):
    """People in one pose: ids, the most typical member first; `sightings` of them are not neighbours in time."""

    id: int
    size: int
    sightings: int
    medoid: str
    members: list[str]


class Grouped(BaseModel):
    """As `samepose cluster --json`."""

    groups: list[Group]
    noise: int
    not_embedded: int


class Plane(BaseModel):
    """The map of the index; the points themselves are at `url`.

    Attributes:
        points: in the file; at most 100,000, evenly chosen among `people`.
        explained: shares of the variance that the two axes show.
        media: ids, that the points number.
        labels: that the points number; 0 is none, 1 the first of these.
        version: changes with the index; part of `url`.
    """

    points: int
    people: int
    explained: tuple[float, float]
    media: list[str]
    labels: list[str]
    version: str
    url: str
