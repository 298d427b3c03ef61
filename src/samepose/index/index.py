"""The index: the people of your photos and videos, to be searched by pose."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from samepose.errors import StoreError, UsageError
from samepose.formats.keypointfile import KeypointFile
from samepose.index.cluster import MIN_SIZE, Groups, cluster, label_groups, spaces_of
from samepose.index.contents import Contents
from samepose.index.dates import Date, between
from samepose.index.filter import Excluded
from samepose.index.hits import Hit, Hits
from samepose.index.ingest import PathLike, Report, grouped, ingestion
from samepose.index.masked import Memory
from samepose.index.models import Models
from samepose.index.options import SearchOptions
from samepose.index.place import exists
from samepose.index.records import Optimised, ReEmbedded
from samepose.index.schema import person_id
from samepose.index.search import search
from samepose.index.settings import Fps, Settings, detector_named, remember, remember_licence, remembered
from samepose.index.spaces import Embedding, spaces_meant
from samepose.index.store import Store
from samepose.poses import Mirror, Poses
from samepose.progress import Progress, silent
from samepose.skeleton import parts

if TYPE_CHECKING:
    from jaxtyping import UInt8

    from samepose.detection import Detector
    from samepose.embed import Embedder
    from samepose.embed.image import ImageEmbedder
    from samepose.index.plane import Plane
    from samepose.query.query import Query


class Index(Contents):
    """The people of photos and videos, in a folder or at an address that LanceDB takes (`s3://…`).

    Open it with `Index.open`. Reading never waits; only one process can change an index at a time. What is killed
    leaves the index whole, and the same call goes on where it stopped.
    """

    def __init__(self, store: Store, detector: Detector | None, models: Models, threads: int | None) -> None:
        super().__init__(store)
        self._detector, self._models, self._threads = detector, models, threads
        self._detector_given = detector is not None
        self._masked = Memory()

    @classmethod
    def open(
        cls,
        uri: PathLike,
        *,
        create: bool = False,
        root: PathLike | None = None,
        detector: Detector | None = None,
        embedder: Embedder | None = None,
        embedding: Embedding | None = None,
        image_embedder: ImageEmbedder | None = None,
        copies: PathLike | None = None,
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
            embedding: of a new index: what people will be found by. "keypoints", the default, needs their joints;
                "pixels" only their pictures; or "both". Of an index that is there: what it is expected to have.
            image_embedder: makes pictures of people comparable, as `embedder` does poses.
            copies: folder in which a copy of an index at a URI is kept and searched; one process has it to itself. The
                copy is at most two seconds behind, and changes go to the index.
            threads: of the default detector and embedders; all cores by default.

        Raises:
            UsageError: `copies` for an index on this disk.
            StoreError: there is no index, it is damaged or of a later version; it cannot be made; or its people are not
                found by what was expected.
        """
        uri, models = os.fspath(uri), Models(embedder, image_embedder, threads)
        place = None if copies is None else Path(copies)
        if create and not exists(uri):
            spaces = [models.space(name) for name in spaces_meant(embedding or "keypoints")]
            return cls(Store.create(uri, spaces, Path(root or ".").resolve(), place), detector, models, threads)
        store = Store(uri, place)
        have = tuple(space.name for space in store.spaces)
        if embedding is not None and set(have) != set(spaces_meant(embedding)):
            raise StoreError(f"{uri}: its people are found by {' and '.join(have)}; change that with "
                             f"`Index.re_embed(embedding='{embedding}')`")
        return cls(store, detector, models, threads)

    @staticmethod
    def exists(uri: PathLike) -> bool:
        """True when there is an index at a folder or address."""
        return exists(os.fspath(uri))

    def __repr__(self) -> str:
        return f"<Index {self.uri}>"

    @property
    def detector(self) -> Detector:
        """What finds people in photos and videos."""
        if self._detector is None:
            self._detector = detector_named(remembered(self._store).detector, self._threads)
        return self._detector

    @property
    def embedder(self) -> Embedder:
        """What makes poses comparable."""
        return self._models.keypoints

    def add(
        self,
        *media: PathLike | Poses | KeypointFile,
        name: PathLike | Sequence[PathLike] | None = None,
        label: str | None = None,
        fps: Fps = "remembered",
        prune: bool = False,
        ray: str | None = None,
        progress: Progress = silent,
    ) -> Report:
        """Add the people of media; again any time: unchanged files are skipped, changed ones replaced.

        Args:
            media: photos, videos, motion capture (BVH, AMC beside its ASF, C3D), and folders that are searched through
                (hidden files and folders are left out), here or at URIs such as `s3://bucket/photos`; or 2D poses in
                pixels, to be taken as they are.
            name: for poses: path of their photo or video, which need not exist; or one such path for each pose.
            label: for all people of the media named, also of those already indexed.
            fps: frames per second of videos and motion capture to look at; None for every frame. By default what was
                asked for last, 10 in a new index, and what was read at another rate stays as it is.
            prune: forget files that have vanished from the folders named.
            ray: address of a Ray cluster to read files on, "auto" for that of this machine; its nodes must find the
                media by the same paths or URIs.
            progress: called with media done (a video in parts), media in all, and what was added and is being read.

        Returns:
            what was done. A file that cannot be read stops nothing: the report names it.

        Raises:
            UsageError: a path does not exist; poses are 3D, have no name, or there are none for the name.
            StoreError: another model's index, another writer, a full disk; what was finished before is kept.
        """
        from samepose.media.files import INDEXED_SUFFIXES, walk
        from samepose.media.remote import located

        given = [m for m in media if isinstance(m, (Poses, KeypointFile))]
        paths = [located(m) for m in media if not isinstance(m, (Poses, KeypointFile))]
        if name is not None and not given:
            raise UsageError("`name` is for poses; photos and videos have their own")
        found, poses = walk(paths, INDEXED_SUFFIXES), grouped(given, name) if given else {}
        with ingestion(self._store, self._models, label, progress, len(found.files) + len(poses)) as run:
            # A skeleton belongs to the motion beside it.
            run.report.left_out = {suffix: n for suffix, n in found.left_out.items() if suffix != ".asf"}
            if found.files:
                any_fps = fps == "remembered"
                rate = remembered(self._store).fps if fps == "remembered" else fps
                remember_licence(self._store, self.detector)  # first: an interrupted run has read some
                run.run(run.plan.files(found.files, self.detector.name, rate, any_mode=not self._detector_given,
                                       any_fps=any_fps), self.detector, ray)
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
        image: str | None = None,
        frame: int | None = None,
        ignore: str | Sequence[str] = (),
        k: int = 10,
        mirror: Mirror = "off",
        where: str | None = None,
        label: str | None = None,
        time_from: float | None = None,
        time_to: float | None = None,
        since: Date | None = None,
        until: Date | None = None,
        distinct: float = 0.5,
        min_score: float = 0.0,
        copies: bool = True,
        by: Embedding | None = None,
        moment: float | None = None,
    ) -> Hits:
        """The likeliest matches of a pose, best first, whatever the camera angle.

        Where the query is of a video, moments are compared, as `align` compares them: the frames before and after too.
        The score is then the probability that the poses match all through the moment. People in photos, and at the ends
        of their tracks, are compared by the frame alone (`Hit.moment`), and so are queries that are photos: the best of
        a shortlist, which embeddings gave, side by side with the query and together with each other (`embed.pairs`).

        Args:
            query: a photo, a video (with `at`), motion capture (with `at` or `frame`), a pose file or the id of a
                person in the index; an RGB picture; one pose, 2D or 3D, which is compared from all sides; or a hit,
                which is then left out with its neighbours: "more like this".
            at: seconds in the video or clip.
            person: whom to take: rank of prominence in a picture, track in a video; the most prominent by default.
            image: name of the picture, in a keypoint file of several.
            frame: number of the frame, from 0, in motion capture or poses of several moments.
            ignore: joints, or parts of the body such as "left_arm" or "legs", that shall not matter; names, or one
                text with commas.
            k: hits wanted; fewer come when no more match.
            mirror: "also" takes the better of the pose and its mirror image for each person, "only" the mirror image.
            where: only media of this pattern or id, see `select`.
            label: only people of this label.
            time_from, time_to: only between these seconds of a clip, inclusive; leaves out images.
            since, until: only files that were changed last between these dates, inclusive: ISO 8601, or a `date`.
            distinct: people of one track within so many seconds of a better hit are folded into it; 0: none.
            min_score: leave out what matches with a lower probability.
            copies: also find the people of the very picture that the query was taken from, and of exact copies of its
                file; of a video, those within `distinct` of its moment.
            by: "keypoints" compares 3D poses, whatever the camera angle, where enough joints are seen; "pixels" how
                people look in the picture, without any joint; "both" ranks by the mean of their log-odds, or by the one
                of the two that a person has. By default keypoints, in an index that has them.
            moment: seconds before and after that are compared too, 0.3 by default; 0: the frame alone.
                `hits.query.moment` says what was compared, `hits.query.alone` why less than was to be expected.

        Raises:
            UsageError: no such query, or an argument out of its range.
            MediaError, FormatError: the query cannot be read, or nobody is in it.
            StoreError: the index cannot be read, is of another model, or has no person of the id.
        """
        from samepose.index.asking import Ways
        from samepose.index.copies import Copies
        from samepose.index.ignoring import Ignoring
        from samepose.query.query import resolve_query

        options = SearchOptions(k, mirror, where, label, time_from, time_to, distinct, min_score,
                                between(since, until), moment)
        ignored, ways = parts(ignore), Ways.of(self._store, self._models, by)
        ways.check(ignored)
        asked = resolve_query(query, self, at=at, person=person, image=image, frame=frame,
                              ignore=ignored)
        ways.check(asked.ignored)
        excluded = self._excluded(asked.exclude_id)
        compared, routes = ways.routes(self._store, asked, mirror)
        asked = replace(asked, by=compared)
        meant, alone = ways.moment(asked, mirror, moment)
        asked = replace(asked, moment=meant.seconds if meant else 0.0, alone=alone)
        ignoring = Ignoring(self._store, self.embedder, asked.ignored, self._masked) if asked.ignored else None
        hits = search(self._store, routes, options, excluded, None if copies else Copies.of(self._store, asked),
                      ignoring, meant, ways.pairs(asked, mirror))
        return Hits(asked, hits, self.root)

    def cluster(
        self, *, by: Embedding = "keypoints", min_size: int = MIN_SIZE, label_as: str | None = None
    ) -> Groups:
        """The people in groups of one pose each, the largest first; the rest is noise.

        Everybody in a group matches its centre, see `grouping`. A person who holds a pose in a video counts once
        towards the size of a group, and again after another pose.

        Args:
            by: what to compare people by: keypoints, pixels, or both, of those who have both.
            min_size: sightings that make a group, 2 at least.
            label_as: label the members of each group: "pose" makes it "pose-1", "pose-2", …; labels that they have are
                replaced, as by `label`; who is in no group keeps theirs, unless it is "pose-" and a number, of an
                earlier grouping.

        Raises:
            UsageError: an argument out of its range.
            StoreError: the index cannot be read, is of another model, has no embeddings of this kind, or fewer people
                than `min_size`; another process is writing.
        """
        if label_as is not None and not label_as.strip():
            raise UsageError("`label_as` is empty; give the beginning of the labels, such as pose")
        spaces = [(space, self._models.matching(self._store, space.name)) for space in spaces_of(self._store, by)]
        groups = cluster(self._store, spaces, min_size)
        if label_as is not None:
            groups.labelled = label_groups(self._store, groups, label_as)
        return groups

    def re_embed(self, progress: Progress = silent, *, embedding: Embedding | None = None) -> ReEmbedded:
        """Compute embeddings anew by this index's embedders, or make its people found by something else.

        Those of keypoints come from the stored keypoints. For those of pixels photos and videos are read again, where
        they are as they were; nobody is looked for anew, so ids, labels and boxes stay. Embeddings that are of the same
        model are kept, so that another call goes on with those media that were missing.

        Args:
            progress: called with people done, people in all (twice as many where media are read) and what is at work.
            embedding: what people will be found by from now on: "keypoints", "pixels" or "both"; what is not named is
                dropped. By default what the index has.

        Returns:
            people in the index, and media that could not be read again.

        Raises:
            StoreError: another writer, or a full disk; the index is as before.
        """
        from samepose.index.re_embedding import re_embed

        return re_embed(self._store, self._models, spaces_meant(embedding) if embedding else None, progress)

    def optimise(self, ray: str | None = None) -> Optimised:
        """Merge small files, take all rows into the search indices and free what old versions hold.

        Adding does that too, when it is due; worth a call after many writers, and before many searches.

        Args:
            ray: address of a Ray cluster that merges files and builds indices, or "auto": the one of this machine,
                which is started when there is none. Its nodes must see the index where it is.

        Raises:
            StoreError: another process is writing, or the disk is full; there is no such cluster.
        """
        from samepose.index.builders import HERE, nodes
        from samepose.index.upkeep import files_and_unindexed, maintain

        with nullcontext(HERE) if ray is None else nodes(ray) as builder, self._store.writing():
            before = files_and_unindexed(self._store)
            maintain(self._store, thoroughly=True, builder=builder)
            after = files_and_unindexed(self._store)
        return Optimised(self._store.count(), (before[0], after[0]), (before[1], after[1]))

    def check(self) -> None:
        """Make sure that people can be found by the embedder of the index's first space.

        Raises:
            StoreError: the index was made with another one, or cannot be read.
        """
        self._models.matching(self._store, self._store.spaces[0].name)

    def plane(self, most: int = 100_000) -> Plane:
        """All people in a plane, to look at; evenly chosen ones where there are more than `most`."""
        from samepose.index.plane import plane

        return plane(self._store, self._store.spaces[0], most)

    @property
    def state(self) -> tuple[int, int]:
        """Differs whenever something has changed."""
        return self._store.state

    def _excluded(self, id: str | None) -> Excluded | None:
        return None if id is None else Excluded.of(self._store, person_id(id)[1], id)
