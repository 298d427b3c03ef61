"""Media into the index: nothing is read twice, a killed run goes on where it stopped, a bad file stops nobody.

A file is known by its path, size and modification time; when these differ, by its hash (SHA-256). So an unchanged file
is skipped, a touched one only noted, a moved one renamed, a copy copied. A video read at another `fps`, or a file read
by another detector, is read anew and its people replaced; a file that failed is tried again when it has changed or was
removed from the index.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from samepose.errors import MediaError, UsageError
from samepose.index.batch import Batch
from samepose.index.schema import Medium, with_id
from samepose.poses import Poses

if TYPE_CHECKING:
    from samepose.embed import Embedder
    from samepose.index.store import Index

Progress = Callable[[float, float, str, int], None]
PathLike = str | os.PathLike[str]


@dataclass
class Report:
    """What a run did, in files but for `people`.

    Attributes:
        done, nobody: read, with and without people in them (replaced ones included).
        failed: (path, why) of those that could not be read, now or in an earlier run.
        unchanged: skipped. moved, copied, removed: not read either.
        people: added.
        seconds: of the whole run.
    """

    done: int = 0
    nobody: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    unchanged: int = 0
    moved: int = 0
    copied: int = 0
    removed: int = 0
    people: int = 0
    seconds: float = 0.0


def index_media(
    index: Index,
    paths: Sequence[PathLike],
    detector: Any,
    embedder: Embedder,
    *,
    fps: float | None = 10.0,
    label: str | None = None,
    prune: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Detect, embed and store the people of images and videos.

    Args:
        paths: files, and folders that are searched through (hidden files and folders are left out).
        detector: see `samepose.detection`; its name is the `mode` remembered with each file.
        fps: frames per second to read of videos; None for every frame.
        label: for all people of the files named, also of those already indexed.
        prune: forget files that have vanished from the folders named.
        progress: called with files done (a video in parts), files in all, the path and the people so far.

    Raises:
        UsageError: a path does not exist.
        StoreError: another model's index, another writer, a full disk; what was finished before is kept.
    """
    from samepose.media.files import media_files

    started = time.perf_counter()
    index.check_model(embedder)
    files = media_files(paths)
    with index.writing():
        run = _Run(index, embedder, label)
        for n, file in enumerate(files):
            run.progress = (lambda part, path, n=n: progress(n + part, len(files), path, run.report.people)) \
                if progress else None
            with run.batch.kept_on_error():
                run.take(file, detector, fps)
        run.batch.flush()
        if prune:
            run.prune([Path(p) for p in paths])
        run.relabel()
    run.report.seconds = time.perf_counter() - started
    return run.report


def index_poses(
    index: Index, poses: Poses, name: PathLike | Sequence[PathLike], embedder: Embedder, *, label: str | None = None
) -> Report:
    """Store people whose keypoints are given, e.g. from a file of another detector, in place of detection.

    Args:
        poses: 2D, in pixels.
        name: path of their image or video, which need not exist; or one such path for each pose.

    Raises:
        UsageError: the poses are 3D, or there are not as many names as poses.
        StoreError: as `index_media`.
    """
    if poses.points.shape[-1] != 2:
        raise UsageError("the poses are 3D; an index holds 2D poses in pixels, project them first")
    names = [name] * len(poses) if isinstance(name, (str, os.PathLike)) else list(name)
    if len(names) != len(poses):
        raise UsageError(f"{len(names)} names for {len(poses)} poses; expected one name, or one for each")
    started = time.perf_counter()
    index.check_model(embedder)
    rows: dict[str, list[int]] = {os.fspath(name): []} if isinstance(name, (str, os.PathLike)) else {}
    for i, each in enumerate(names):
        rows.setdefault(os.fspath(each), []).append(i)
    with index.writing():
        run = _Run(index, embedder, label)
        for each, chosen in rows.items():
            run.take_poses(Path(each), poses[chosen])
        run.batch.flush()
        run.relabel()
    run.report.seconds = time.perf_counter() - started
    return run.report


class _Run:
    """One call's state: what the index knows, what is to be written, what to report."""

    def __init__(self, index: Index, embedder: Embedder, label: str | None) -> None:
        self.index, self.label, self.report = index, label, Report()
        self.root = index.root
        known = index.all_media()
        self.by_path = {m.path: m for m in known}
        self.by_hash = {m.hash: m for m in known}
        self.ids = {m.id for m in known}
        self.batch = Batch(index, embedder)
        self.to_label: list[int] = []
        self.progress: Callable[[float, str], None] | None = None

    def take(self, file: Path, detector: Any, fps: float | None) -> None:
        """One file: skipped, renamed, copied or read."""
        path, new = self._stored(file), None
        if path.encode(errors="ignore").decode() != path:
            self.report.failed.append((path, "its name is not valid UTF-8; rename it"))
            return
        known = self.by_path.get(path)
        self._tell(0.0, path)
        try:
            stat = file.stat()
            new = Medium(0, path, stat.st_size, stat.st_mtime_ns, "", kind_of(file), None, detector.name,
                         label=self.label)
            if new.kind == "video":
                new = replace(new, fps=None if fps is None else float(fps))
            if known and known.same_settings(new) and (known.size, known.mtime) == (new.size, new.mtime):
                self._unchanged(known)
            else:
                self._take_changed(file, replace(new, hash=file_hash(file)), known, detector)
        except (MediaError, OSError) as error:
            self._failed(path, str(error).removeprefix(f"{file}: "), new)
        self._tell(1.0, path)

    def _take_changed(self, file: Path, new: Medium, known: Medium | None, detector: Any) -> None:
        if known and known.hash == new.hash and known.same_settings(new):
            self.batch.change(replace(known, size=new.size, mtime=new.mtime))
            self._unchanged(known)
            return
        twin = self.by_hash.get(new.hash)
        if twin and twin.same_settings(new) and twin.status != "failed" and twin.path in self.by_path:
            self._take_twin(new, known, twin)
            return
        new = with_id(new, self.ids)
        self._read(file, new, known, detector)

    def _take_twin(self, new: Medium, known: Medium | None, twin: Medium) -> None:
        """The same contents were read under another name: moved when that file is gone, a copy otherwise."""
        if known is None and not self.index.file(twin.path).exists():
            moved = replace(twin, path=new.path, mtime=new.mtime)
            self.batch.change(moved)
            del self.by_path[twin.path]
            self._know(moved)
            self.report.moved += 1
            if self.label and moved.label != self.label:
                self.to_label.append(moved.id)
            return
        new = with_id(replace(new, status=twin.status, people=twin.people, skeleton=twin.skeleton), self.ids)
        self.batch.copy(twin, new)
        self.batch.finish(new, known)
        self._know(new)
        self.report.copied += 1

    def _read(self, file: Path, new: Medium, known: Medium | None, detector: Any) -> None:
        from samepose.detection import detect

        duration = _duration(file) if new.kind == "video" and self.progress else None
        try:
            for _, poses in detect(file, detector, new.fps if new.kind == "video" else None):
                if len(poses):
                    new = replace(new, people=new.people + self.batch.add(new, poses),
                                  skeleton=poses.skeleton.name)
                    self.report.people += len(poses)
                    if duration:
                        self._tell(min(float(poses.times[0]) / duration, 1.0), new.path)
        except (MediaError, OSError):
            self.report.people -= new.people
            self.batch.drop(new)
            raise
        self._done(replace(new, status="done" if new.people else "nobody"), known)

    def take_poses(self, file: Path, poses: Poses) -> None:
        """Given keypoints, known by their own hash."""
        path = self._stored(file)
        stat = file.stat() if file.is_file() else None
        digest = hashlib.sha256(poses.skeleton.name.encode())
        for array in (poses.points, poses.scores, poses.frames, poses.times, poses.tracks):
            digest.update(np.ascontiguousarray(array).tobytes())
        new = Medium(0, path, stat.st_size if stat else 0, stat.st_mtime_ns if stat else 0, digest.hexdigest(),
                     kind_of(file) if stat else "poses", None, "keypoints", "done" if len(poses) else "nobody",
                     people=len(poses), skeleton=poses.skeleton.name, label=self.label)
        known = self.by_path.get(path)
        if known and known.hash == new.hash and known.same_settings(new):
            self._unchanged(known)
            return
        new = with_id(new, self.ids)
        self.batch.add(new, poses)
        self._done(new, known)
        self.report.people += len(poses)

    def prune(self, paths: list[Path]) -> None:
        """Forget files that are gone from the folders among the paths."""
        folders = [self._stored(p) for p in paths if p.is_dir()]
        inside = ["" if f == "." else f.rstrip("/") + "/" for f in folders]
        gone = [m for m in self.by_path.values()
                if m.kind != "poses" and any(m.path.startswith(f) for f in inside)
                and not self.index.file(m.path).exists()]
        self.index.drop_media([m.id for m in gone])
        self.report.removed = len(gone)

    def relabel(self) -> None:
        """Label files that were indexed already."""
        self.index.set_label(self.to_label, self.label)

    def _done(self, new: Medium, known: Medium | None) -> None:
        self.batch.finish(new, known)
        self._know(new)
        if new.people:
            self.report.done += 1
        else:
            self.report.nobody += 1

    def _unchanged(self, known: Medium) -> None:
        self.report.unchanged += 1
        if known.status == "failed":
            self.report.failed.append((known.path, f"{known.error} (unchanged since it failed)"))
        if self.label and known.label != self.label:
            self.to_label.append(known.id)

    def _failed(self, path: str, why: str, new: Medium | None) -> None:
        self.report.failed.append((path, why))
        if new is not None:
            failed = with_id(replace(new, status="failed", error=why, people=0, skeleton=None), self.ids)
            self.batch.finish(failed, self.by_path.get(path))
            self._know(failed)

    def _know(self, medium: Medium) -> None:
        self.by_path[medium.path] = self.by_hash[medium.hash] = medium
        self.ids.add(medium.id)

    def _stored(self, file: Path) -> str:
        whole = file.resolve()
        return whole.relative_to(self.root).as_posix() if whole.is_relative_to(self.root) else whole.as_posix()

    def _tell(self, part: float, path: str) -> None:
        if self.progress:
            self.progress(part, path)


def kind_of(file: Path) -> str:
    """ "image" or "video" by the file's suffix.

    Raises:
        MediaError: it is neither.
    """
    from samepose.media.image import IMAGE_SUFFIXES
    from samepose.media.video import VIDEO_SUFFIXES

    if file.is_dir():  # see `media_files`
        raise MediaError(f"{file}: the folder may not be looked into; change its permissions")
    suffix = file.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return "image"
    if suffix in VIDEO_SUFFIXES:
        return "video"
    raise MediaError(f"{file}: neither an image nor a video by its name; convert it, or mend its suffix")


def file_hash(file: Path) -> str:
    """SHA-256 of a file's contents, hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _duration(file: Path) -> float | None:
    from samepose.media.video import probe

    return probe(file).duration
