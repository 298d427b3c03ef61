"""What did the user name? A photo, a video, keypoints, a person or a file of an index, pixels, poses, or a hit.

One answer for every verb: a query is one moment of it (`Source.moment`), a clip is one track of it (`Source.track`).
Nothing is read before it is needed, and nothing twice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from samepose.errors import MediaError, SameposeError, UsageError
from samepose.media.files import is_motion
from samepose.media.remote import is_remote, located
from samepose.poses import Poses
from samepose.query.around import Around
from samepose.query.moment import Query, shown

_SHOWN = 10  # track ids in a message


@runtime_checkable
class Sighted(Protocol):
    """A person of an index: a `Hit`, or a row."""

    @property
    def id(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def time(self) -> float | None: ...

    @property
    def person(self) -> int: ...

    @property
    def pose(self) -> Poses: ...


class Source(ABC):
    """What the user named. Made by `query.kinds.open_source`.

    Attributes:
        name: as the user named it.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    @abstractmethod
    def people(self) -> Poses:
        """Every sighting of everyone, in 3D where it is known; `tracks` tells who is who."""

    @property
    def video(self) -> Path | None:
        """To show moments from; None where there is none."""
        return None

    def of(self, image: str) -> Source:
        """Only one picture of a keypoint file of several, by its name or, in a clip without times, its number.

        Raises:
            UsageError: it is no keypoint file, or has no such picture, or several.
        """
        raise UsageError(f"{self.name}: is no keypoint file, whose pictures have names; leave `image` out")

    def numbered(self, frame: int) -> Source:
        """Only one frame of poses that are there already, by its number in the clip, from 0.

        Raises:
            UsageError: it is looked at, or has no such frame.
        """
        raise UsageError(f"{self.name}: has no poses that are numbered, as motion capture and pose files have; leave "
                         "`frame` out")

    @abstractmethod
    def moment(self, at: float | None = None, person: int | None = None) -> Query:
        """One person at one time.

        Args:
            at: seconds; only where there are several moments.
            person: rank of prominence in a photo, track id in a clip; the most prominent by default.

        Raises:
            UsageError: the arguments do not go with what was named, or name nobody.
            MediaError: nobody was found, or it cannot be read.
        """

    def track(self, person: int | None = None) -> Poses:
        """One person through time, by default who stands out most over all the clip.

        Raises:
            MediaError: nobody was found.
            UsageError: nobody has this track id.
        """
        if not len(self.people):
            raise MediaError(f'{self.name}: nobody was found; try `mode="accurate"`, or another clip')
        ids, which = np.unique(self.people.tracks, return_inverse=True)
        order = ids[np.argsort(-np.bincount(which, self.people.prominence()), kind="stable")]
        chosen = int(order[0]) if person is None else person
        if chosen not in ids:
            more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
            raise UsageError(f"{self.name}: has no person {chosen}; there {'are' if len(ids) > 1 else 'is'} "
                             f"{', '.join(map(str, order[:_SHOWN]))}{more}, the most prominent first")
        return self.people[self.people.tracks == chosen]

    def tracks(self) -> Iterator[tuple[int, Poses]]:
        """Track id and poses of everyone, in order of track."""
        for track in np.unique(self.people.tracks).tolist():
            yield track, self.people[self.people.tracks == track]

    def _one_of(
        self, people: Poses, person: int | None, *, media: Sequence[str], time: float | None = None,
        ids: Sequence[str | None] = (), pixels: Any = None, around: Callable[[int], Around | None] = lambda k: None,
    ) -> Query:
        """The person of that track among those of one moment, each with the picture, and the row, it is in.

        Args:
            around: of the person at that place, what `Query.around` is.
        """
        where = self.name if time is None else f"{self.name} at {time:.2f} s"
        if not len(people):
            raise MediaError(f'{where}: nobody was found; try `mode="accurate"`, or another picture')
        have = people.tracks.tolist()
        if person is not None and person not in have:
            raise UsageError(f"{where}: has no person {person}; there {'are' if len(have) > 1 else 'is'} "
                             f"{', '.join(map(str, sorted(have)))}")
        k = int(people.prominence().argmax()) if person is None else have.index(person)
        number = have[k] if time is None or person is not None or ids else None
        with about(self.name):
            pose, body = shown(people[k])
        return Query(pose, self.name, self._picture(media[k], bool(ids) or pixels is not None, body), time, number,
                     len(people), person is not None, exclude_id=ids[k] if ids else None, pixels=pixels, body=body,
                     around=around(k))

    def _picture(self, name: str, trusted: bool, body: Poses | None) -> Path | None:
        """The file that shows a person; at a URI only where the user, or an index, named it (`trusted`)."""
        if body is not None and not is_motion(name):
            return None  # what a 3D pose was made from does not show it from the front
        place = located(name) if name and trusted else None
        if place is None or not is_remote(place):
            return existing(name)
        return place if place.is_file() else None


def existing(name: str) -> Path | None:
    """The file of that name on this machine, if there is one: a name in a keypoint file leads nowhere else."""
    return Path(name) if name and Path(name).is_file() else None


@contextmanager
def about(name: str) -> Iterator[None]:
    """Put the name of what the user named before what is wrong with it."""
    try:
        yield
    except SameposeError as error:
        if not name or str(error).startswith(name):
            raise
        raise type(error)(f"{name}: {error}") from error
