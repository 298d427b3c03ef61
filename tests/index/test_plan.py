"""What the plan decides, from files and known media alone."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from samepose.index.plan import Copy, Fail, Move, Plan, Read, Skip, Step, Take, Touch, file_hash, poses_hash
from samepose.index.schema import Medium
from samepose.poses import Poses
from samepose.skeleton import COCO17


def known(file: Path, id: int = 7, **other: object) -> Medium:
    """The row of a photo as it is now."""
    stat = file.stat()
    row = Medium(id, file.name, stat.st_size, stat.st_mtime_ns, file_hash(file), "image", None, "d1", people=2,
                 skeleton="COCO17")
    return replace(row, **other)  # type: ignore[arg-type]


def photo(path: Path, content: str = "a") -> Path:
    path.write_text(content)  # a plan never looks inside
    return path


def plan(root: Path, rows: list[Medium], *files: Path, mode: str = "d1", fps: float | None = 10.0) -> list[Step]:
    return list(Plan(rows, root, "dance").files(files, mode, fps))


def test_what_is_new_is_read_and_what_is_known_skipped(tmp_path: Path) -> None:
    old, new, clip = photo(tmp_path / "old.jpg"), photo(tmp_path / "new.jpg", "b"), photo(tmp_path / "clip.mp4", "c")
    row = known(old)
    skip, read, video = plan(tmp_path, [row], old, new, clip)
    assert skip == Skip(row)
    assert isinstance(read, Read) and (read.file, read.replaces) == (new, None)
    assert (read.medium.path, read.medium.kind, read.medium.fps, read.medium.mode, read.medium.label) == (
        "new.jpg", "image", None, "d1", "dance")
    assert read.medium.hash == file_hash(new) and read.medium.id not in (0, 7)
    assert isinstance(video, Read) and (video.medium.kind, video.medium.fps) == ("video", 10.0)


@pytest.mark.parametrize(("changed", "decided"), [
    ({}, Skip), ({"mtime": 1}, Touch), ({"mtime": 1, "hash": "other"}, Read), ({"mode": "d2"}, Read),
    ({"size": 5, "status": "failed", "hash": ""}, Read), ({"status": "failed", "error": "broken"}, Skip),
])
def test_by_what_a_known_file_is_known(tmp_path: Path, changed: dict[str, object], decided: type) -> None:
    file = photo(tmp_path / "a.jpg")
    row = known(file, **changed)
    (step,) = plan(tmp_path, [row], file)
    assert isinstance(step, decided)
    if isinstance(step, Read):
        assert step.replaces == row
    if isinstance(step, Touch):
        assert step.medium == known(file)


def test_videos_are_read_again_at_another_rate_photos_not(tmp_path: Path) -> None:
    clip, still = photo(tmp_path / "a.mp4"), photo(tmp_path / "b.jpg", "b")
    rows = [known(clip, kind="video", fps=10.0), known(still, 8)]
    assert [type(s) for s in plan(tmp_path, rows, clip, still, fps=5)] == [Read, Skip]
    assert [type(s) for s in plan(tmp_path, rows, clip, still, fps=None)] == [Read, Skip]


def test_a_twin_is_moved_when_its_file_is_gone_else_copied(tmp_path: Path) -> None:
    first = photo(tmp_path / "first.jpg")
    row = known(first)
    second = photo(tmp_path / "second.jpg")
    (copy,) = plan(tmp_path, [row], second)
    assert isinstance(copy, Copy) and (copy.twin, copy.replaces) == (row, None) and copy.medium.id != row.id
    (replaced,) = plan(tmp_path, [row, known(second, 8, mtime=1, hash="other")], second)
    assert isinstance(replaced, Copy) and replaced.replaces is not None and replaced.replaces.id == 8
    first.unlink()
    third = photo(tmp_path / "third.jpg")
    move, copy = plan(tmp_path, [row], second, third)
    assert isinstance(move, Move) and move.twin == row and move.medium.path == "second.jpg"
    assert isinstance(copy, Copy) and copy.twin == replace(row, path="second.jpg")  # there is no third move
    (other,) = plan(tmp_path, [row], second, mode="d2")
    assert isinstance(other, Read)
    (again,) = plan(tmp_path, [replace(row, status="failed")], second)
    assert isinstance(again, Read)


def test_equal_new_files_are_read_once(tmp_path: Path) -> None:
    files = [photo(tmp_path / f"{name}.jpg", "same") for name in "abc"]
    read, *copies = plan(tmp_path, [], *files)
    assert isinstance(read, Read)
    assert all(isinstance(c, Copy) and c.twin.hash == read.medium.hash for c in copies)
    assert len({s.medium.id for s in (read, *copies) if s.medium}) == 3


def test_what_cannot_be_read_fails_with_a_row_where_that_is_possible(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    text, gone = photo(tmp_path / "notes.txt"), tmp_path / "gone.jpg"
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"))
    no_media, missing, no_name, closed = plan(tmp_path, [], text, gone, odd, tmp_path / "folder.jpg")
    assert isinstance(no_media, Fail) and no_media.medium is None
    assert "neither an image, a video nor motion capture" in no_media.why
    assert isinstance(missing, Fail) and "No such file" in missing.why
    assert isinstance(no_name, Fail) and "UTF-8" in no_name.why
    assert isinstance(closed, Fail) and "may not be looked into" in closed.why


def test_a_file_is_hashed_only_when_its_step_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [photo(tmp_path / f"{name}.jpg", name) for name in "ab"]
    hashed: list[Path] = []
    monkeypatch.setattr("samepose.index.plan.file_hash", lambda file: hashed.append(file) or str(file))
    steps = Plan([], tmp_path).files(files, "d1", None)
    assert hashed == []
    next(steps)
    assert hashed == files[:1]


def test_given_poses_are_taken_unless_they_are_the_same(tmp_path: Path) -> None:
    poses = Poses.of(np.random.default_rng(0).random((2, 17, 2)), COCO17)
    (take,) = Plan([], tmp_path).poses({Path("/elsewhere/a.jpg"): poses})
    assert isinstance(take, Take) and take.poses is poses
    assert (take.medium.path, take.medium.kind, take.medium.mode, take.medium.people) == (
        "/elsewhere/a.jpg", "poses", "keypoints", 2)
    (skip,) = Plan([take.medium], tmp_path).poses({Path("/elsewhere/a.jpg"): poses})
    assert skip == Skip(take.medium)
    (other,) = Plan([take.medium], tmp_path).poses({Path("/elsewhere/a.jpg"): poses[:1]})
    assert isinstance(other, Take) and other.replaces == take.medium
    assert poses_hash(poses) != poses_hash(poses[:1])


def test_vanished_files_of_folders(tmp_path: Path) -> None:
    there = photo(tmp_path / "there.jpg")
    rows = [known(there), known(there, 8, path="gone.jpg"), known(there, 9, path="sub/gone.jpg"),
            known(there, 10, path="given.jpg", kind="poses")]
    made = Plan(rows, tmp_path)
    assert [m.id for m in made.vanished([tmp_path])] == [8, 9]
    assert [m.id for m in made.vanished([tmp_path / "sub"])] == [9]
