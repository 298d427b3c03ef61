"""Media into the index: plan, read, commit.

Nothing is read twice, a killed run goes on where it stopped, a bad file stops nobody. `Plan` says what is to be done
with each file, `read` finds the people in it, `Batch` writes them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samepose.errors import FormatError, MediaError, UsageError
from samepose.formats.keypointfile import KeypointFile
from samepose.index.batch import Batch
from samepose.index.labels import Stretch, given_back, lost_text, of_medium
from samepose.index.pixels import Seen
from samepose.index.plan import Copy, Fail, Move, Plan, Read, Skip, Step, Take, Touch, failure, passing, why
from samepose.index.read import read
from samepose.index.schema import Medium, number_of, poses_of
from samepose.poses import Poses
from samepose.progress import Progress, silent
from samepose.skeleton import SKELETONS

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.index.models import Models
    from samepose.index.store import Store

PathLike = str | os.PathLike[str]


@dataclass
class Report:
    """What a run did, in files but for `people`.

    Attributes:
        done, nobody: read, with and without people in them (replaced ones included).
        failed: (path, why) of those that could not be read, now or in an earlier run.
        cut: (path, why) of videos that break off; the people before that are in the index.
        lost: (path, why) of labels of single people that could not be kept when a file was read anew.
        unchanged: skipped. moved, copied, removed: not read either.
        left_out: files of folders that are no photos, videos or motion capture by their name: how many, by suffix.
        people: added.
        no_pixels: those of them who cannot be found by pixels, in an index where others can: keypoints that were given,
            motion capture, and people without a box.
        seconds: of the whole run.
    """

    done: int = 0
    nobody: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    cut: list[tuple[str, str]] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)
    unchanged: int = 0
    moved: int = 0
    copied: int = 0
    removed: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    people: int = 0
    no_pixels: int = 0
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """For programs; each of `failed`, `cut` and `lost` is `{"path", "error"}`."""
        told = {name: [{"path": path, "error": why} for path, why in getattr(self, name)]
                for name in ("failed", "cut", "lost")}
        return {**asdict(self), **told}


@contextmanager
def ingestion(store: Store, models: Models, label: str | None, progress: Progress, total: int) -> Iterator[Ingest]:
    """Add to an index as its only writer; at the end all is written and labelled, and the report has its time.

    Raises:
        StoreError: the index is of other models.
    """
    models.keypoints_of(store), models.pixels_of(store)  # before anything is written
    started = time.perf_counter()
    with store.writing(shared=True):
        run = Ingest(store, models, label, progress, total)
        yield run
        run.finish()
    run.report.seconds = time.perf_counter() - started


class Ingest:
    """One run: carries out a plan's steps and keeps the account. Get it from `ingestion`."""

    def __init__(self, store: Store, models: Models, label: str | None, progress: Progress, total: int) -> None:
        self._batch, self._pixels = Batch(store, models.keypoints_of(store)), models.pixels_of(store)
        self.report, self.plan = Report(), Plan(store.all_media(), store.root, label)  # as of the batch, or newer
        self._store, self._label, self._progress, self._total = store, label, progress, total
        self._reader: Callable[..., Iterator[Seen]] = read
        self._read: dict[int, Medium] = {}  # media read in this run, as they turned out
        self._to_label: list[int] = []
        self._steps = 0

    def run(self, steps: Iterator[Step], detector: Detector | None = None, ray: str | None = None) -> None:
        """Carry out steps, `Read` and those that turn into it with the detector; on a Ray cluster if one is given."""
        if ray is not None and detector is not None:
            from samepose.index.ray import fleet

            with fleet(ray, detector, self._pixels) as ships:
                self._reader = ships.read
                self._run(ships.ahead(steps), detector)
            return
        self._run(steps, detector)

    def _run(self, steps: Iterator[Step], detector: Detector | None) -> None:
        while True:
            with self._batch.kept_on_error():
                step = next(steps, None)
                if step is None:
                    return
                path = step.path if isinstance(step, Fail) else step.medium.path
                self._tell(0.0, path)
                self._do(step, detector)
                self._steps += 1
                self._tell(0.0, path)

    def prune(self, folders: Sequence[Path]) -> None:
        """Forget files that are gone from the folders."""
        self._batch.flush()
        gone = self.plan.vanished(folders)
        with self._store.turn():
            self._store.drop_media([m.id for m in gone])
        self.report.removed = len(gone)

    def finish(self) -> None:
        """Write what is left, and label files that were indexed already."""
        self._batch.flush()
        if self._to_label:
            with self._store.turn():
                self._store.label_media(self._to_label, self._label)
        for medium in self._batch.given_way:  # another writer was first
            if medium.status != "failed":
                self.report.people -= medium.people
                self.report.done -= bool(medium.people)
                self.report.nobody -= not medium.people
                self.report.unchanged += 1

    def _do(self, step: Step, detector: Detector | None) -> None:
        match step:
            case Skip():
                self._unchanged(step.medium)
            case Touch():
                self._batch.change(step.medium)
                self._unchanged(step.medium)
            case Take():
                self._add(step.medium, [Seen(step.poses)], self._stretches(step.replaces))
                self._done(step.medium, step.replaces)
            case Fail():
                self._failed(step.path, step.why, step.medium, step.replaces)
            case Move() | Copy():
                self._twin(step, detector)
            case Read():
                self._look(step, detector)

    def _twin(self, step: Move | Copy, detector: Detector | None) -> None:
        twin, replaces = self._read.get(step.twin.id, step.twin), step.replaces if isinstance(step, Copy) else None
        if twin.status == "failed":  # in this run, after the plan had trusted it
            self._look(Read(step.medium, step.file, replaces), detector)
        elif isinstance(step, Move):
            moved = replace(twin, path=step.medium.path, mtime=step.medium.mtime)
            self._batch.change(moved)
            self.report.moved += 1
            self._label_later(moved)
        else:
            copied = replace(step.medium, status=twin.status, people=twin.people, skeleton=twin.skeleton,
                             error=twin.error)
            self._say_cut(copied)
            self._say_lost(copied.path, self._stretches(replaces), copied.label)
            self._batch.copy(twin, copied, replaces)
            self._read[copied.id] = copied
            self.report.copied += 1

    def _look(self, step: Read, detector: Detector | None) -> None:
        assert detector is not None  # a plan of files comes with one
        new, path, before = step.medium, step.medium.path, self._before(step)
        known, held = () if step.go_on else self._stretches(step.replaces), list[Seen]()
        new = replace(new, people=0 if before is None else len(before))
        # What a path had before stays until all is read: such a video is only there whole.
        parts = new.kind == "video" and (step.go_on or not (step.replaces and step.replaces.people))
        tell = None if self._progress is silent else lambda part: self._tell(part, path)
        error, added = None, (self.report.people, self.report.no_pixels)
        try:
            for seen in self._reader(step.file, new, detector, tell, before, self._pixels):
                new = replace(new, people=new.people + len(seen.poses), skeleton=seen.poses.skeleton.name)
                if known:  # whose label is whose shows when all are there
                    held.append(seen)
                    continue
                self._add(new, [seen])
                if parts:
                    self._batch.part(new)
        except (MediaError, FormatError, OSError) as caught:
            error = caught
        if error is None or (new.people and not passing(error)):  # a video that breaks off is kept as far as it goes
            self._add(new, held, known)
            self._done(replace(new, status="done" if new.people else "nobody",
                               error=None if error is None else why(error, step.file)), step.replaces)
        elif not (parts and new.people):  # else its row says that a part was read
            self.report.people, self.report.no_pixels = added
            self._batch.drop(new)
            self._unread(step, failure(new, error, step.file), passing(error))
        else:
            self.report.failed.append((path, f"{why(error, step.file)} (the next run goes on from there)"))

    def _before(self, step: Read) -> Poses | None:
        """Who was found in a video of which a part was read."""
        if not step.go_on:
            return None
        medium, rows = step.medium, self._store.people_of(step.medium.id)
        self._batch.go_on(medium, max(map(number_of, rows["id"].to_pylist()), default=-1) + 1, step.replaces)
        if step.replaces and step.replaces.label != medium.label:
            self._to_label.append(medium.id)
        return poses_of(rows, SKELETONS[medium.skeleton or "COCO17"])

    def _unread(self, step: Read, failed: Medium, again: bool) -> None:
        """Nothing of a file could be read; if it may be the next time, what was found in it earlier stays."""
        assert failed.error is not None
        if again and step.replaces and step.replaces.status != "failed":
            self._failed(failed.path, failed.error, None, None)
            return
        self._say_lost(failed.path, self._stretches(step.replaces), failed.label)
        self._failed(failed.path, failed.error, failed, step.replaces)

    def _stretches(self, replaces: Medium | None) -> tuple[Stretch, ...]:
        """Labels of single people of a file that is to be replaced; none where all get a new one."""
        return () if replaces is None or self._label else of_medium(self._store, replaces)

    def _add(self, new: Medium, found: list[Seen], known: Sequence[Stretch] = ()) -> None:
        """People of a medium; where stretches are known it is all of them, and they get their labels back."""
        seen = Seen.concatenate(found) if found else None
        labels = None
        if known:
            labels, lost = given_back(known, seen.poses, new.label) if seen is not None else ([], list(known))
            self._say_lost(new.path, lost, new.label)
        if seen is not None:
            self.report.people += self._batch.add(new, seen, labels)
            self.report.no_pixels += seen.unseen if self._pixels else 0

    def _say_cut(self, medium: Medium, when: str = "") -> None:
        if medium.error is not None:
            self.report.cut.append((medium.path, medium.error + when))

    def _say_lost(self, path: str, lost: Sequence[Stretch], usual: str | None) -> None:
        gone = [stretch for stretch in lost if stretch.label != usual]
        if gone:
            self.report.lost.append((path, lost_text(gone)))

    def _done(self, new: Medium, replaces: Medium | None) -> None:
        self._batch.finish(new, replaces)
        self._read[new.id] = new
        self._say_cut(new)
        if new.people:
            self.report.done += 1
        else:
            self.report.nobody += 1

    def _failed(self, path: str, reason: str, row: Medium | None, replaces: Medium | None) -> None:
        self.report.failed.append((path, reason))
        if row is not None:
            self._batch.finish(row, replaces)
            self._read[row.id] = row

    def _unchanged(self, known: Medium) -> None:
        if known.status == "failed":
            self.report.failed.append((known.path, f"{known.error} (unchanged since it failed)"))
        else:
            self.report.unchanged += 1
            self._say_cut(known, " (unchanged since)")
        self._label_later(known)

    def _label_later(self, medium: Medium) -> None:
        if self._label and medium.label != self._label:
            self._to_label.append(medium.id)

    def _tell(self, part: float, path: str) -> None:
        people = self.report.people
        self._progress(self._steps + part, self._total,
                       f"{people:,} {'person' if people == 1 else 'people'}, {Path(path).name}")


def grouped(given: Sequence[Poses | KeypointFile], name: PathLike | Sequence[PathLike] | None) -> dict[Path, Poses]:
    """Given poses by the file they belong to, in order.

    Args:
        given: one or more batches of 2D poses in pixels; a `KeypointFile` names the pictures itself.
        name: path of the picture, or one for each pose, over all that is given.

    Raises:
        UsageError: 3D poses, poses of one file in different skeletons, or poses without the path of their picture.
    """
    batches = [g.poses if isinstance(g, KeypointFile) else g for g in given]
    if any(poses.points.shape[-1] != 2 for poses in batches):
        raise UsageError("the poses are 3D; an index holds 2D poses in pixels, project them first")
    names, at = _names(given, name), 0
    parts: dict[str, list[Poses]] = {os.fspath(name): []} if isinstance(name, (str, os.PathLike)) else {}
    for poses in batches:
        rows: dict[str, list[int]] = {}
        for i, each in enumerate(names[at : at + len(poses)]):
            rows.setdefault(each, []).append(i)
        for each, chosen in rows.items():
            parts.setdefault(each, []).append(poses[chosen])
        at += len(poses)
    return {Path(each): Poses.concatenate(some or [batches[0][:0]]) for each, some in parts.items()}


def _names(given: Sequence[Poses | KeypointFile], name: PathLike | Sequence[PathLike] | None) -> list[str]:
    """The path of each pose's picture."""
    count = sum(len(g.media) if isinstance(g, KeypointFile) else len(g) for g in given)
    if isinstance(name, (str, os.PathLike)):
        return [os.fspath(name)] * count
    if name is None:
        names = [m for g in given for m in (g.media if isinstance(g, KeypointFile) else ("",) * len(g))]
        if "" in names:
            raise UsageError("poses without the path of their picture; give it as `name`, or one path for each pose")
        return names
    names = [os.fspath(n) for n in name]
    if len(names) != count:
        raise UsageError(f"`name` holds {len(names)} paths for {count} poses; expected one, or one for each")
    return names
