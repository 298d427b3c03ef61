"""What an index holds: to be told of, labelled and removed, without any network."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from samepose.errors import StoreError, UsageError
from samepose.index.dates import Date, between
from samepose.index.labels import Restored, restore, written_down
from samepose.index.records import Info, People, Person, Removed, people_of, person_of
from samepose.index.schema import MOTION, Medium, bodies_of, in_medium, medium_of, person_id, poses_of, single_people
from samepose.index.spaces import Space
from samepose.index.store import Store
from samepose.media.remote import located
from samepose.poses import Poses
from samepose.skeleton import SKELETONS

if TYPE_CHECKING:
    from samepose.query.source import Sighted


class Contents:
    """The media of an index and the people in them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def uri(self) -> str:
        """Where it is."""
        return self._store.uri

    @property
    def root(self) -> Path:
        """The folder that stored paths are relative to."""
        return self._store.root

    @property
    def spaces(self) -> tuple[Space, ...]:
        """What people can be found by, and the models of it."""
        return self._store.spaces

    def label(self, patterns: str | Sequence[str], name: str | None) -> int:
        """Label all people of media by pattern or id (see `select`), or single people by id; None takes labels off.

        Returns:
            people labelled.

        Raises:
            StoreError: another process is writing, or the disk is full.
        """
        patterns = _list(patterns)
        with self._store.writing():
            media = self._store.catalogue().chosen(patterns, self.root)[0].tolist()
            return self._store.label_media(media, name) + self._store.label_people(single_people(patterns), name)

    def move_root(self, root: str | os.PathLike[str]) -> int:
        """Say where the media lie now that are in the index by relative paths; nothing is read or moved.

        An index inside its root is found there again by itself when both are moved together.

        Returns:
            how many media of the index are there.

        Raises:
            UsageError: there is no such folder.
            StoreError: another process is writing, or the disk is full.
        """
        folder = Path(root).resolve()
        if not folder.is_dir():
            raise UsageError(f"{root}: no such folder")
        with self._store.writing():
            self._store.move_root(folder)
        return sum(self.file(medium.path).exists() for medium in self._store.all_media())

    def labels(self) -> dict[str, Any]:
        """All labels, to be kept as JSON and given to `restore_labels` of an index of the same media.

        They are kept by path and hash of the file, track and time, not by ids, which change when a file is read anew.
        """
        return written_down(self._store)

    def restore_labels(self, labels: Mapping[str, Any]) -> Restored:
        """Give people the labels that `labels` wrote down; media that these do not name stay as they are.

        Raises:
            FormatError: these are no labels.
            StoreError: another process is writing, or the disk is full.
        """
        with self._store.writing():
            return restore(self._store, labels)

    def remove(self, patterns: str | Sequence[str], *, dry_run: bool = False) -> Removed:
        """Forget media by pattern or id (see `select`) with all their people, or single people by id.

        The files themselves are not touched.

        Args:
            dry_run: only say what would be removed.

        Raises:
            UsageError: a pattern is empty.
            StoreError: another process is writing, or the disk is full.
        """
        from samepose.index.upkeep import recover

        patterns = _list(patterns)
        if dry_run:
            media, people = self._store.catalogue().chosen(patterns, self.root)
            return Removed(people + len(self._single_people(patterns, media.tolist())), len(media))
        with self._store.writing():
            chosen = self._store.catalogue().chosen(patterns, self.root)[0].tolist()
            single, people = self._single_people(patterns, chosen), self._store.count()
            self._store.drop_media(chosen)
            if single:
                self._store.drop_people(single)
                recover(self._store)  # counts the people left in each medium
            return Removed(people - self._store.count(), len(chosen))

    def info(self) -> Info:
        """Counts, models and size; reads small columns of both tables."""
        return self._store.info()

    # -- reading -------------------------------------------------------------------------------------------------

    def select(
        self, patterns: str | Sequence[str] = "*", *, since: Date | None = None, until: Date | None = None
    ) -> list[Medium]:
        """Media whose path matches one of the patterns, or whose 9-digit id is given; in order of path.

        A pattern with a slash is held against the whole path (`*` crosses slashes), one without against the file's
        name; a folder stands for all that lies in it.

        Args:
            since, until: only files that were changed last between these dates, inclusive: ISO 8601, or a `date`.

        Raises:
            UsageError: an empty pattern, or no date.
        """
        chosen, _ = self._store.catalogue().chosen(_list(patterns), self.root, between(since, until))
        return sorted(self._store.all_media(set(chosen.tolist())), key=lambda m: m.path)

    def clips(self) -> list[Medium]:
        """Media with people in them that are not images, in order of path."""
        return [m for m in self.select() if m.people and m.kind != "image"]

    def people_of(self, medium: Medium) -> People:
        """All people of a medium, by time then track; no video is decoded.

        Raises:
            UsageError: there is nobody in it.
        """
        if not medium.people:
            raise UsageError(f"{medium.path}: nobody in it")
        return people_of(medium, self._store.people_of(medium.id), self._store.spaces[0])

    def bodies_of(self, medium: Medium) -> Poses | None:
        """The same people in 3D (metres, y up, facing +z), in the same order, of motion capture; else None."""
        if medium.kind != MOTION:
            return None
        return bodies_of(self._store.people_of(medium.id), SKELETONS[medium.skeleton or "COCO17"])

    def row(self, id: str) -> Person:
        """One person by id.

        Raises:
            UsageError: this is no id.
            StoreError: there is none of that id.
        """
        medium, person = person_id(id)
        media, rows = self._store.all_media({medium}), self._store.person(person)
        if not media or not len(rows):
            raise StoreError(f"{self.uri}: no person {id}; it was removed or its file was indexed anew")
        return person_of(media[0], rows, self._store.spaces[0])

    def around(self, person: Sighted, offsets: Float[np.ndarray, " offset"]) -> Poses:
        """A person's sightings at about so many seconds before and after, as far as the track goes, by time.

        Args:
            person: a row or hit of this index, of a video; among what is returned as long as it is there.
        """
        from samepose.index.neighbours import neighbours

        if person.time is None:
            return person.pose
        medium, number = person_id(person.id)
        near = float(np.abs(np.diff(offsets)).min()) / 2 + 1e-6
        found = neighbours(self._store, np.array([number]), in_medium(medium, np.array([person.person])),
                           np.array([person.time]), offsets, near, ["frame", "score", "box", "keypoints"])
        rows = found.rows.take(np.unique(found.at[found.at >= 0])).sort_by("time")
        if not len(rows):
            return person.pose
        bodies = None if getattr(person, "body", None) is None else bodies_of(rows, person.pose.skeleton)
        return poses_of(rows, person.pose.skeleton) if bodies is None else bodies

    def file(self, path: str) -> Path:
        """Where the file of a stored path should be."""
        return located(path, self.root)

    def _single_people(self, patterns: list[str], media: list[int]) -> list[int]:
        """Single people by id who are there, but for those of the media."""
        ids = {id for id in single_people(patterns) if medium_of(id) not in media}
        return [id for id in ids if len(self._store.person(id))]


def _list(patterns: str | Sequence[str]) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns)
