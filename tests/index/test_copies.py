"""A query's own picture and exact copies of its file can be left out of what is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from index_fakes import opened, photo, video
from samepose.index import Hits, Index


@pytest.fixture
def index(tmp_path: Path) -> Index:
    photo(tmp_path / "m/a.png", 2, 1)
    photo(tmp_path / "m/other.png", 2, 2)
    (tmp_path / "m/sub").mkdir()
    shutil.copy(tmp_path / "m/a.png", tmp_path / "m/sub/a[1].png")
    shutil.copy(tmp_path / "m/a.png", tmp_path / "outside.png")
    shutil.copy(video(tmp_path / "m/v.mp4", 1), tmp_path / "m/w.mp4")
    index = opened(tmp_path / "ix")
    index.add(tmp_path / "m")
    return index


def paths(hits: Hits) -> set[str]:
    return {hit.path for hit in hits}


def test_the_own_photo_and_its_copies_are_left_out(index: Index) -> None:
    for query in ("m/a.png", "outside.png", "m/sub/a[1].png"):
        found = paths(index.search(index.root / query, k=100, copies=False))
        assert found == {"m/other.png", "m/v.mp4", "m/w.mp4"}
        assert paths(index.search(index.root / query, k=100)) == found | {"m/a.png", "m/sub/a[1].png"}


def test_of_a_video_only_the_moment_is_left_out(index: Index) -> None:
    hits = index.search(index.root / "m/v.mp4", at=0.5, k=100, distinct=0.2, copies=False)
    times = {hit.time for hit in hits if hit.path in ("m/v.mp4", "m/w.mp4")}
    assert {path for path in paths(hits) if "mp4" in path} == {"m/v.mp4", "m/w.mp4"}
    assert all(abs(time - 0.5) > 0.2 for time in times)


def test_of_a_row_the_copies_are_left_out_but_not_others_in_its_picture(index: Index) -> None:
    row = next(hit for hit in index.search(index.root / "m/a.png", k=100) if hit.path == "m/a.png")
    hits = index.search(row, k=100, copies=False)
    assert "m/sub/a[1].png" not in paths(hits)
    assert [hit.person for hit in hits if hit.path == "m/a.png"] == [1 - row.person]


def test_poses_without_a_picture_have_no_copies(index: Index) -> None:
    pose = index.search(index.root / "m/a.png")[0].pose
    assert paths(index.search(pose, k=100, copies=False)) >= {"m/a.png", "m/sub/a[1].png"}
