"""Plan: what is to be done with each file, decided from the files and from what the index knows of them.

A file is known by its path, size and modification time; when these differ, by its hash (SHA-256; at a URI of ETag
and size). So an unchanged file
is skipped, a touched one only noted, a moved one renamed, a copy copied. A video read at another `fps`, or a file read
by another detector, is read anew and its people replaced; a file that failed is tried again when it has changed, and at
every run when it may have been for a passing reason: a permission, a lock, a disk or network that did not answer.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from samepose.errors import MediaError
from samepose.index.schema import GIVEN, MOTION, Medium, with_id
from samepose.media.remote import RemotePath, is_remote, located
from samepose.poses import Poses

PART = "partial"  # status of a video whose reading was interrupted
_YOUNG = 5 * 10**9  # nanoseconds: two seconds, and what clocks differ by
AGAIN = -1  # as the time of a file that is to be read at the next run whatever its own is
_PASSING = {getattr(errno, name) for name in (  # a system may lack some
    "EACCES", "EPERM", "ENOENT", "EIO", "EBUSY", "EAGAIN", "EINTR", "ETXTBSY", "EMFILE", "ENFILE", "ENOMEM", "ENODEV",
    "ENXIO", "ETIMEDOUT", "ENETDOWN", "ENETUNREACH", "EHOSTDOWN", "EHOSTUNREACH", "ECONNRESET", "ECONNREFUSED",
    "ECONNABORTED", "ENOTCONN", "EDEADLK", "ENOLCK", "ESTALE") if hasattr(errno, name)}


@dataclass(frozen=True)
class Skip:
    """Nothing to do: the file is as the index has it."""

    medium: Medium


@dataclass(frozen=True)
class Touch:
    """The contents are as the index has them; `medium` has the new time."""

    medium: Medium


@dataclass(frozen=True)
class Read:
    """Look for people in the file.

    Attributes:
        medium: its row to be, but for what reading tells.
        replaces: the row that its path had until now.
        go_on: that row is of the same file, a part of which was read: the rest is wanted.
    """

    medium: Medium
    file: Path
    replaces: Medium | None
    go_on: bool = False


@dataclass(frozen=True)
class Take:
    """Store the poses given for the file; attributes as of `Read`."""

    medium: Medium
    poses: Poses
    replaces: Medium | None


@dataclass(frozen=True)
class Move:
    """The same contents were read under the name `twin.path`, and that file is gone: it was renamed."""

    medium: Medium
    file: Path
    twin: Medium


@dataclass(frozen=True)
class Copy:
    """The same contents were read as `twin`, whose people the file gets too."""

    medium: Medium
    file: Path
    twin: Medium
    replaces: Medium | None


@dataclass(frozen=True)
class Fail:
    """The file cannot be read.

    Attributes:
        medium: the row that remembers it, None where not even that is possible.
    """

    path: str
    why: str
    medium: Medium | None
    replaces: Medium | None


Step = Skip | Touch | Read | Take | Move | Copy | Fail


class Plan:
    """Decides one file after the other; what it has decided counts as done for those that follow.

    It opens no file but to hash it, and decides when it is asked for the next step: a file is hashed just before it is
    read. `list(plan.files(…))` is the whole plan.
    """

    def __init__(self, known: Sequence[Medium], root: Path, label: str | None = None) -> None:
        """Begin with the media known, and the folder that stored paths are relative to."""
        self._root, self._label = root, label
        self._any_mode = self._any_fps = False
        self._by_path = {m.path: m for m in known}
        self._by_hash = {m.hash: m for m in known}
        self._ids = {m.id for m in known}
        self._seen: set[str] = set()  # paths of files that were named or found

    def files(
        self, files: Sequence[Path], mode: str, fps: float | None, *, any_mode: bool = False, any_fps: bool = False
    ) -> Iterator[Step]:
        """A step for each file, in order.

        Args:
            mode: name of the detector that would read them.
            fps: frames per second that videos and motion capture would be read with, None for every frame.
            any_mode, any_fps: nobody asked for these; what was read in another way is fine as it is.
        """
        self._any_mode, self._any_fps = any_mode, any_fps
        for file in files:
            yield self._known_from_now(self._file(file, mode, fps))

    def poses(self, given: Mapping[Path, Poses]) -> Iterator[Step]:
        """A step for each file that poses are given for; the file need not exist, and the poses have their own hash."""
        for file, poses in given.items():
            yield self._known_from_now(self._poses(file, poses))

    def vanished(self, folders: Sequence[Path]) -> list[Medium]:
        """Known media under the folders whose files are gone."""
        inside = ["" if f == "." else f.rstrip("/") + "/" for f in map(self.stored, folders)]
        return [m for m in self._by_path.values()
                if m.kind != "poses" and any(m.path.startswith(f) for f in inside)
                and m.path not in self._seen and not self._there(m)]

    def stored(self, file: Path) -> str:
        """The path as the index stores it."""
        if is_remote(file):
            return file.as_posix()
        whole = Path(os.path.realpath(file))  # Path.resolve raises on a link that leads to itself
        return whole.relative_to(self._root).as_posix() if whole.is_relative_to(self._root) else whole.as_posix()

    def _file(self, file: Path, mode: str, fps: float | None) -> Step:
        path, new = self.stored(file), None
        self._seen.add(path)
        if path.encode(errors="ignore").decode() != path:
            return Fail(path, "its name is not valid UTF-8; rename it", None, None)
        known = self._by_path.get(path)
        try:
            kind, stat = kind_of(file), file.stat()
            rate = None if fps is None or kind == "image" else float(fps)
            how = MOTION if kind == MOTION else mode
            new = Medium(0, path, stat.st_size, _noted(file, stat), "", kind, rate, how, label=self._label_of(known))
            if known and self._fits(known, new) and (known.size, known.mtime) == (stat.st_size, stat.st_mtime_ns):
                return Skip(known) if known.status != PART else self._rest(file, known, new)
            return self._changed(file, replace(new, hash=file_hash(file)), known)
        except (MediaError, OSError) as error:
            if new is None or (known and known.status != "failed" and passing(error)):  # what was found in it stays
                return Fail(path, why(error, file), None, None)
            return Fail(path, why(error, file), with_id(failure(new, error, file), self._ids), known)

    def _changed(self, file: Path, new: Medium, known: Medium | None) -> Step:
        if known and known.hash == new.hash and self._fits(known, new):
            noted = replace(known, size=new.size, mtime=new.mtime)
            return Touch(noted) if known.status != PART else self._rest(file, noted, new)
        twin = self._by_hash.get(new.hash)
        new = with_id(new, self._ids)
        if not twin or not self._fits(twin, new) or twin.status in ("failed", PART) or twin.path not in self._by_path:
            return Read(new, file, known)
        if known is None and not self._there(twin):
            return Move(new, file, twin)
        return Copy(new, file, twin, known)

    def _rest(self, file: Path, known: Medium, new: Medium) -> Read:
        """Go on with a file of which a part was read, as it was read."""
        return Read(replace(known, status="done", label=new.label), file, known, go_on=True)

    def _poses(self, file: Path, poses: Poses) -> Step:
        path, stat = self.stored(file), _stat(file)
        if path.encode(errors="ignore").decode() != path:
            return Fail(path, "its name is not valid UTF-8; rename it", None, None)
        known = self._by_path.get(path)
        new = Medium(0, path, stat.st_size if stat else 0, stat.st_mtime_ns if stat else 0, poses_hash(poses),
                     (stat and _kind_by_name(file)) or "poses", None, "keypoints",
                     "done" if len(poses) else "nobody", people=len(poses), skeleton=poses.skeleton.name,
                     label=self._label_of(known))
        if known and known.hash == new.hash and known.same_settings(new):
            return Skip(known)
        return Take(with_id(new, self._ids), poses, known)

    def _known_from_now(self, step: Step) -> Step:
        medium = step.medium
        if isinstance(step, Move):
            del self._by_path[step.twin.path]
            medium = replace(step.twin, path=step.medium.path)
        if medium is not None and not isinstance(step, Skip):
            self._by_path[medium.path] = self._by_hash[medium.hash] = medium
            self._ids.add(medium.id)
        return step

    def _fits(self, known: Medium, new: Medium) -> bool:
        """True when a file was read as it would be now, or in another way that will do."""
        mode = known.mode == new.mode or (self._any_mode and known.mode not in GIVEN)
        return mode and (known.fps == new.fps or self._any_fps) and (known.mode == new.mode or known.status != PART)

    def _label_of(self, known: Medium | None) -> str | None:
        """A file keeps its label when it is read anew, unless another was given."""
        return self._label or (known.label if known else None)

    def _there(self, medium: Medium) -> bool:
        return located(medium.path, self._root).exists()


def _noted(file: Path, status: os.stat_result) -> int:
    """The time of its last change. Object stores tell it in seconds: one that was written just now may be written once
    more in the same, and gets another, by which the next run asks for its ETag."""
    young = is_remote(file) and time.time_ns() - status.st_mtime_ns < _YOUNG
    return status.st_mtime_ns + young


def failure(medium: Medium, error: Exception, file: Path) -> Medium:
    """The row that remembers that a file cannot be read; without a hash, so that touching it is enough to try again.

    After a passing error it has no time either: it is tried again at the next run.
    """
    mtime = AGAIN if passing(error) else medium.mtime
    return replace(medium, status="failed", error=why(error, file), people=0, skeleton=None, hash="", mtime=mtime)


def passing(error: BaseException | None) -> bool:
    """True when the system, not the file, was the reason: it may be otherwise the next time."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _PASSING:
            return True
        error = error.__cause__
    return False


def why(error: Exception, file: Path) -> str:
    """What is wrong with a file, without its name."""
    return str(error).removeprefix(f"{file}: ")


def kind_of(file: Path) -> str:
    """ "image", "video" or "motion" by the file's suffix.

    Raises:
        MediaError: it is neither.
    """
    from samepose.media.files import left_standing

    if what := left_standing(file):
        raise MediaError(f"{file}: {what}")
    kind = _kind_by_name(file)
    if kind is None:
        raise MediaError(f"{file}: neither an image, a video nor motion capture by its name; convert it, or mend its "
                         "suffix")
    return kind


def _stat(file: Path) -> os.stat_result | None:
    """Of a regular file that may be looked at, else None."""
    try:
        return file.stat() if file.is_file() else None
    except OSError:
        return None


def _kind_by_name(file: Path) -> str | None:
    from samepose.media.files import is_motion
    from samepose.media.image import IMAGE_SUFFIXES
    from samepose.media.video import VIDEO_SUFFIXES

    suffix = file.suffix.lower()
    if is_motion(file):
        return MOTION
    return "image" if suffix in IMAGE_SUFFIXES else "video" if suffix in VIDEO_SUFFIXES else None


def file_hash(file: Path) -> str:
    """SHA-256 of a file's contents, hexadecimal; of one at a URI see `RemotePath.digest`."""
    if isinstance(file, RemotePath):
        return file.digest
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def poses_hash(poses: Poses) -> str:
    """SHA-256 of the arrays of poses and the name of their skeleton, hexadecimal."""
    digest = hashlib.sha256(poses.skeleton.name.encode())
    for array in (poses.points, poses.scores, poses.frames, poses.times, poses.tracks):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
