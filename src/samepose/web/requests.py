"""What the API is asked: one type for each body. Anything that is not named here is refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from samepose.index.spaces import Embedding
from samepose.matching.moment import LONGEST
from samepose.poses import Mirror

PERSON = r"^[0-9a-f]{9}-[0-9]{1,9}$"  # as `Hit.id`
MEDIUM = r"^[0-9a-f]{9}$"  # as `Medium.shown`
MOST_HITS = 2000  # that one can scroll through

PersonId = Annotated[str, Field(pattern=PERSON, description="person in the index", examples=["0a1b2c3d4-17"])]
MediumId = Annotated[str, Field(pattern=MEDIUM, description="file in the index", examples=["0a1b2c3d4"])]
QueryId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}$", description="what was asked before")]
Seconds = Annotated[float, Field(ge=0, le=1e6)]
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Point = tuple[Coordinate, Coordinate] | tuple[Coordinate, Coordinate, Annotated[float, Field(ge=0, le=1)]]
Track = Annotated[int, Field(ge=0, lt=1 << 27)]
What = Annotated[list[Annotated[str, Field(min_length=1, max_length=4096)]], Field(min_length=1, max_length=10_000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Ask(_Body):
    """Whom to start from; exactly one of `person`, `media`, `query` and `figure`. A picture is sent as it is instead.

    Attributes:
        person: a person of the index: "more like this".
        media: a photo of the index, or with `at` a moment of a video of it; nothing is decoded.
        query: a video that was sent before, at another moment `at`.
        figure: a standing figure to bend.
    """

    person: PersonId | None = None
    media: MediumId | None = None
    query: QueryId | None = None
    figure: Literal["standing"] | None = None
    at: Seconds | None = None

    @model_validator(mode="after")
    def _one(self) -> Ask:
        if sum(value is not None for value in (self.person, self.media, self.query, self.figure)) != 1:
            raise ValueError("give exactly one of person, media, query and figure")
        return self


class Filters(_Body):
    """Whom a search may find; as the flags of `samepose search`, of the same meaning and defaults."""

    mirror: Mirror = "off"
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.1
    where: Annotated[str, Field(max_length=4096)] | None = None
    label: Annotated[str, Field(max_length=4096)] | None = None
    time_from: Annotated[Seconds | None, Field(alias="from")] = None
    time_to: Annotated[Seconds | None, Field(alias="to")] = None
    ignore: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=40)] = []
    distinct: Seconds = 0.5
    copies: bool = False
    moment: Annotated[float, Field(ge=0, le=LONGEST)] | None = None
    by: Embedding | None = None


class Search(Filters):
    """A search by `keypoints`, or by a `person` of the index.

    Attributes:
        person: of the index; left out of the results with its neighbours.
        keypoints: joint -> [x, y] or [x, y, score] in pixels, y down; a joint that is hidden is left out.
        skeleton: whose joints these are; BODY13 where all of them are, else the first that has them all.
        query: the picture that the keypoints are from, for exports, `copies` and `by` pixels.
        who: position among its people; by pixels they are cut out of the picture by the box that was found for them.
        k: results wanted. offset: results to pass over: endless scrolling. Together at most 2,000.
    """

    person: PersonId | None = None
    keypoints: Annotated[dict[Annotated[str, Field(max_length=40)], Point], Field(max_length=64)] | None = None
    skeleton: Annotated[str, Field(max_length=20)] | None = None
    query: QueryId | None = None
    who: Annotated[int, Field(ge=0, lt=10_000)] | None = None
    k: Annotated[int, Field(ge=1, le=500)] = 40
    offset: Annotated[int, Field(ge=0, lt=MOST_HITS)] = 0

    @model_validator(mode="after")
    def _one(self) -> Search:
        if (self.person is None) == (self.keypoints is None):
            raise ValueError("give either person or keypoints")
        return self


class Lift(_Body):
    """Keypoints to be lifted into space, as in `Search`.

    Attributes:
        height: metres of the person standing.
    """

    keypoints: Annotated[dict[Annotated[str, Field(max_length=40)], Point], Field(max_length=64)]
    skeleton: Annotated[str, Field(max_length=20)] | None = None
    height: Annotated[float, Field(ge=0.3, le=3)] = 1.7


class Export(Search):
    """A search to be downloaded.

    Attributes:
        format: a page, a picture of at most 60, a table, or JSON.
        only: of its results these.
    """

    format: Literal["html", "png", "csv", "json"]
    only: Annotated[list[PersonId], Field(max_length=MOST_HITS)] | None = None


class Label(_Body):
    """Label people by id, or all people of files by pattern or id; null takes labels off."""

    what: What
    name: Annotated[str, Field(max_length=200)] | None


class Remove(_Body):
    """Remove people by id, or files by pattern or id, from the index; the files themselves stay.

    Attributes:
        dry_run: only say what would be removed.
        yes: also more than 20 files, or half of the index.
    """

    what: What
    dry_run: bool = False
    yes: bool = False


class Add(_Body):
    """Index files and folders of this computer, by absolute path."""

    paths: Annotated[list[Annotated[str, Field(min_length=1, max_length=4096)]], Field(min_length=1, max_length=1000)]
    label: Annotated[str, Field(max_length=200)] | None = None
    prune: bool = False


class Span(_Body):
    """One person's part of a file of the index.

    Attributes:
        media: the file; or a person in it by id, whose track is meant.
        person: track; the most prominent by default.
        time_from, time_to: seconds.
    """

    media: Annotated[str, Field(pattern=r"^[0-9a-f]{9}(-[0-9]{1,9})?$")]
    person: Track | None = None
    time_from: Annotated[Seconds | None, Field(alias="from")] = None
    time_to: Annotated[Seconds | None, Field(alias="to")] = None


class Find(_Body):
    """A move to be found in the whole index."""

    example: Span
    k: Annotated[int, Field(ge=1, le=500)] = 20
    mirror: Mirror = "off"


class Count(_Body):
    """A move to be counted in one file of the index."""

    example: Span
    clip: Annotated[Span, Field(alias="in")]
    mirror: Mirror = "off"


class Align(_Body):
    """Two performances to be aligned."""

    a: Span
    b: Span
    mirror: Mirror = "off"
    open_ends: bool = False


class Group(_Body):
    """The people of the index in groups of one pose; as the flags of `samepose cluster`."""

    by: Embedding | None = None
    min_size: Annotated[int, Field(ge=2, le=1_000_000)] = 3


class Login(_Body):
    """The token that the terminal showed."""

    token: Annotated[str, Field(max_length=500)]
