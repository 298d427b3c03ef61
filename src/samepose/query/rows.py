"""Sources of an index: a person, the people of a file, and a query that was made before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.errors import MediaError, StoreError, UsageError
from samepose.formats.keypointfile import KeypointFile
from samepose.poses import Poses
from samepose.query.keypoints import Keypoints
from samepose.query.moment import Query
from samepose.query.source import Sighted, Source, existing

_PERSON_ID = re.compile(r"[0-9a-f]{9}-[0-9]+")  # as `Hit.id`


def in_index(text: str, index: Any) -> Source:
    """What a text means that is no file: a person, or the people of a file, of an index."""
    if index is None:
        what = "an id takes the `index` to look it up in" if _PERSON_ID.fullmatch(text) else "check the path"
        raise UsageError(f"{text}: no such file; {what}")
    try:
        opened = index() if callable(index) else index
    except StoreError as error:
        raise StoreError(f"{text}: no such file; and to look for it in an index: {error}") from error
    return Row(text, opened.row(text), opened) if _PERSON_ID.fullmatch(text) else people_in_file(text, opened)


def people_in_file(text: str, index: Any) -> Keypoints:
    """The people of the one file of an index that a path or an id means."""
    chosen = index.select(text)
    if len(chosen) != 1:
        what = f"{len(chosen)} files of" if len(chosen) else "no such file, nor one in"
        raise UsageError(f"{text}: {what} the index {index.uri}; give the path of a file, or an id from a search, such "
                         "as 0a1b2c3d4-17")
    return people_of_medium(text, chosen[0], index)


def people_of_medium(name: str, medium: Any, index: Any) -> Keypoints:
    """The people of a medium of an index, in 3D where it has them so."""
    if not medium.people:
        raise MediaError(f'{name}: the index {index.uri} has nobody in it; try `mode="accurate"`, or another file')

    def read() -> tuple[KeypointFile, Sequence[str]]:
        ids, poses = index.people_of(medium)[:2]
        poses = poses if (bodies := index.bodies_of(medium)) is None else bodies
        return KeypointFile(poses, (str(index.file(medium.path)),) * len(poses)), ids

    return Keypoints(name, read)


class Row(Source):
    """One person of an index at one time; their track is that of the file they are in."""

    def __init__(self, name: str, row: Sighted, index: Any) -> None:
        super().__init__(name)
        self._row, self._index = row, index

    @property
    def people(self) -> Poses:
        if self._index is None:
            raise UsageError(f"{self.name}: following a hit through its clip takes the `index` it is from")
        everyone = people_in_file(self._row.id.partition("-")[0], self._index).people
        return everyone[everyone.tracks == self._row.person]

    @property
    def video(self) -> Path | None:
        return None if self._index is None else people_in_file(self._row.id.partition("-")[0], self._index).video

    def moment(self, at: float | None = None, person: int | None = None) -> Query:
        if at is not None or person is not None:
            raise UsageError(f"{self.name}: an id is one person at one time; leave `at` and `person` out")
        image = existing(self._row.path) if self._index is None else self._index.file(self._row.path)
        return Query(self._row.pose, self.name, image, self._row.time, self._row.person, 1, True,
                     exclude_id=self._row.id, body=getattr(self._row, "body", None),
                     around=self._around if self._row.time is not None else None)

    def _around(self, offsets: Float[np.ndarray, " offset"]) -> Poses:
        poses: Poses = self._row.pose if self._index is None else self._index.around(self._row, offsets)
        return poses


class Asked(Source):
    """A query that was made before."""

    def __init__(self, query: Query) -> None:
        super().__init__(query.source)
        self._query = query

    @property
    def people(self) -> Poses:
        return self._query.pose

    def moment(self, at: float | None = None, person: int | None = None) -> Query:
        if at is not None or person is not None:
            raise UsageError(f"{self.name}: a query is one person at one time; leave `at` and `person` out")
        return self._query
