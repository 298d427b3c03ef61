"""The index: the people of your photos and videos, to be searched by pose."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from samepose.errors import StoreError, UsageError
from samepose.formats.keypointfile import KeypointFile
from samepose.index.filter import Excluded
from samepose.index.hits import Hit, Hits
from samepose.index.ingest import PathLike, Report, grouped, ingestion
from samepose.index.labels import Restored, restore, written_down
from samepose.index.options import SearchOptions
from samepose.index.place import exists
from samepose.index.records import Info, People, Person, Removed, people_of, person_of
from samepose.index.schema import Medium, medium_of, person_id, single_people
from samepose.index.search import search
from samepose.index.settings import Fps, Settings, detector_named, remember, remembered
from samepose.index.spaces import KEYPOINTS, Space
from samepose.index.store import Store
from samepose.poses import Mirror, Poses
from samepose.progress import Progress, silent
from samepose.skeleton import parts

if TYPE_CHECKING:
    from jaxtyping import UInt8

    from samepose.detection import Detector
    from samepose.embed import Embedder
    from samepose.index.plane import Plane
    from samepose.query.query import Query


class Index:
    """The people of photos and videos, in a folder or at an address that LanceDB takes (`s3://…`).

    Open it with `Index.open`. Reading never waits; only one process can change an index at a time. What is killed
    leaves the index whole, and the same call goes on where it stopped.
    """

    def __init__(
        self, store: Store, detector: Detector | None, embedder: Embedder | None, threads: int | None
    ) -> None:
        self._store, self._detector, self._embedder, self._threads = store, detector, embedder, threads
        self._detector_given = detector is not None

    @classmethod
    def open(
        cls,
        uri: PathLike,
        *,
        create: bool = False,
        root: PathLike | None = None,
        detector: Detector | None = None,
        embedder: Embedder | None = None,
        threads: int | None = None,
    ) -> Index:
        """Open an index; cheap, no table is read, and no network is loaded before it is needed.

        Args:
            uri: a folder, or an address LanceDB takes.
            create: make it when there is none.
            root: of a new index: folder that stored paths are relative to, the working directory by default.
            detector: finds people in photos and videos; by default the one that the index was filled by, MoveNet in its
                balanced mode if it is empty.
            embedder: makes poses comparable; by default the one that comes with samepose. An index holds embeddings
                of one embedder: another one is refused by `add` and `search`, not here.
            threads: of the default detector and embedder; all cores by default.

        Raises:
            StoreError: there is no index, it is damaged or of a later version; or it cannot be made.
        """
        uri = os.fspath(uri)
        if create and not exists(uri):
            opened = embedder or _shipped_embedder(threads)
            store = Store.create(uri, [Space.of(KEYPOINTS, opened)], Path(root or ".").resolve())
            return cls(store, detector, opened, threads)
        return cls(Store(uri), detector, embedder, threads)

    @staticmethod
    def exists(uri: PathLike) -> bool:
        """True when there is an index at a folder or address."""
        return exists(os.fspath(uri))

    def __repr__(self) -> str:
        return f"<Index {self.uri}>"

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

    @property
    def detector(self) -> Detector:
        """What finds people in photos and videos."""
        if self._detector is None:
            self._detector = detector_named(remembered(self._store).detector, self._threads)
        return self._detector

    @property
    def embedder(self) -> Embedder:
        """What makes poses comparable."""
        if self._embedder is None:
            self._embedder = _shipped_embedder(self._threads)
        return self._embedder

    def add(
        self,
        *media: PathLike | Poses | KeypointFile,
        name: PathLike | Sequence[PathLike] | None = None,
        label: str | None = None,
        fps: Fps = "remembered",
        prune: bool = False,
        progress: Progress = silent,
    ) -> Report:
        """Add the people of photos and videos; again any time: unchanged files are skipped, changed ones replaced.

        Args:
            media: photos, videos, and folders that are searched through (hidden files and folders are left out); or 2D
                poses in pixels, to be taken as they are.
            name: for poses: path of their photo or video, which need not exist; or one such path for each pose.
            label: for all people of the media named, also of those already indexed.
            fps: frames per second of videos to look at; None for every frame. By default what was asked for last, 10
                in a new index, and videos that were read at another rate stay as they are.
            prune: forget files that have vanished from the folders named.
            progress: called with media done (a video in parts), media in all, and what was added and is being read.

        Returns:
            what was done. A file that cannot be read stops nothing: the report names it.

        Raises:
            UsageError: a path does not exist; poses are 3D, have no name, or there are none for the name.
            StoreError: another model's index, another writer, a full disk; what was finished before is kept.
        """
        from samepose.media.files import walk

        given = [m for m in media if isinstance(m, (Poses, KeypointFile))]
        paths = [Path(m) for m in media if not isinstance(m, (Poses, KeypointFile))]
        if name is not None and not given:
            raise UsageError("`name` is for poses; photos and videos have their own")
        found, poses = walk(paths), grouped(given, name) if given else {}
        embedder = self._checked_embedder()
        with ingestion(self._store, embedder, label, progress, len(found.files) + len(poses)) as run:
            run.report.left_out = dict(found.left_out)
            if found.files:
                any_fps = fps == "remembered"
                rate = remembered(self._store).fps if fps == "remembered" else fps
                run.run(run.plan.files(found.files, self.detector.name, rate, any_mode=not self._detector_given,
                                       any_fps=any_fps), self.detector)
                remember(self._store, Settings(self.detector.name, rate))
            run.run(run.plan.poses(poses))
            if prune:
                run.prune([path for path in paths if path.is_dir()])
        return run.report

    def search(
        self,
        query: PathLike | UInt8[np.ndarray, "height width 3"] | Poses | Hit | Query,
        *,
        at: float | None = None,
        person: int | None = None,
        ignore: str | Sequence[str] = (),
        k: int = 10,
        mirror: Mirror = "off",
        where: str | None = None,
        label: str | None = None,
        time_from: float | None = None,
        time_to: float | None = None,
        distinct: float = 0.5,
        min_score: float = 0.0,
        copies: bool = True,
    ) -> Hits:
        """The likeliest matches of a pose, best first, whatever the camera angle.

        Args:
            query: a photo, a video (with `at`), a keypoint file or the id of a person in the index; an RGB picture;
                one pose; or a hit, which is then left out with its neighbours: "more like this".
            at: seconds in the video.
            person: whom to take: rank of prominence in a picture, track in a video; the most prominent by default.
            ignore: joints, or parts of the body such as "left_arm" or "legs", that shall not matter; names, or one
                text with commas.
            k: hits wanted; fewer come when no more match.
            mirror: "also" takes the better of the pose and its mirror image for each person, "only" the mirror image.
            where: only media of this pattern or id, see `select`.
            label: only people of this label.
            time_from, time_to: only between these seconds of a clip, inclusive; leaves out images.
            distinct: people of one track within so many seconds of a better hit are folded into it; 0: none.
            min_score: leave out what matches with a lower probability.
            copies: also find the people of the very picture that the query was taken from, and of exact copies of its
                file; of a video, those within `distinct` of its moment.

        Raises:
            UsageError: no such query, or an argument out of its range.
            MediaError, FormatError: the query cannot be read, or nobody is in it.
            StoreError: the index cannot be read, is of another model, or has no person of the id.
        """
        from samepose.index.copies import Copies
        from samepose.index.ignoring import Ignoring
        from samepose.query.query import check_ignored, embed_query, resolve_query

        options = SearchOptions(k, mirror, where, label, time_from, time_to, distinct, min_score)
        embedder = self._checked_embedder()
        ignored = parts(ignore)
        check_ignored(ignored, embedder)
        asked = resolve_query(query, self, at=at, person=person, ignore=ignored)
        ignoring = Ignoring(self._store, embedder, asked.ignored) if asked.ignored else None
        excluded = self._excluded(asked.exclude_id)
        hits = search(self._store, embed_query(asked, embedder), embedder.matching, options, excluded,
                      None if copies else Copies.of(self._store, asked), ignoring)
        return Hits(asked, hits, self.root)

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

    def move_root(self, root: PathLike) -> int:
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

    def check(self) -> None:
        """Make sure that people can be found by `embedder`.

        Raises:
            StoreError: the index was made with another one, or cannot be read.
        """
        self._checked_embedder()

    def info(self) -> Info:
        """Counts, models and size; reads small columns of both tables."""
        return self._store.info()

    def re_embed(self, progress: Progress = silent) -> int:
        """Compute all embeddings anew with `embedder`, from the stored keypoints, and make it the index's model.

        Args:
            progress: called with people done, people in all and the index's address.

        Returns:
            people in the index.

        Raises:
            StoreError: another writer, or a full disk; the index is as before.
        """
        from samepose.index.re_embedding import re_embed

        return re_embed(self._store, self.embedder, progress)

    def plane(self, most: int = 100_000) -> Plane:
        """All people in a plane, to look at; evenly chosen ones where there are more than `most`."""
        from samepose.index.plane import plane

        return plane(self._store, self._store.spaces[0], most)

    @property
    def state(self) -> tuple[int, int]:
        """Differs whenever something has changed."""
        return self._store.state

    # -- reading -------------------------------------------------------------------------------------------------

    def select(self, patterns: str | Sequence[str] = "*") -> list[Medium]:
        """Media whose path matches one of the patterns, or whose 9-digit id is given; in order of path.

        A pattern with a slash is held against the whole path (`*` crosses slashes), one without against the file's
        name; a folder stands for all that lies in it.
        """
        chosen, _ = self._store.catalogue().chosen(_list(patterns), self.root)
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

    def file(self, path: str) -> Path:
        """Where the file of a stored path should be."""
        return self.root / path

    def _single_people(self, patterns: list[str], media: list[int]) -> list[int]:
        """Single people by id who are there, but for those of the media."""
        ids = {id for id in single_people(patterns) if medium_of(id) not in media}
        return [id for id in ids if len(self._store.person(id))]

    def _excluded(self, id: str | None) -> Excluded | None:
        return None if id is None else Excluded.of(self._store, person_id(id)[1], id)

    def _checked_embedder(self) -> Embedder:
        """The embedder, when it is the one that the index was made with."""
        have, embedder = self._store.space(KEYPOINTS), self.embedder
        if (have.model, have.sha256) != (embedder.name, embedder.sha256):
            raise StoreError(
                f"{self.uri}: made with the model {have.model} ({have.sha256[:8]}), not {embedder.name} "
                f"({embedder.sha256[:8]}); bring it up to this model with `Index.re_embed()`"
            )
        return embedder


def _shipped_embedder(threads: int | None) -> Embedder:
    from samepose.embed.prvipe import PrVipeEmbedder

    return PrVipeEmbedder.load(threads=threads)


def _list(patterns: str | Sequence[str]) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns)
