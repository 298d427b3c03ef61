"""An index that was moved with its media finds them; one that was not can be told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from index_fakes import opened, photo
from samepose.errors import UsageError
from samepose.index import Index


def test_an_index_moves_with_its_folder(tmp_path: Path) -> None:
    index = opened(tmp_path / "old/sub/ix", root=tmp_path / "old")
    index.add(photo(tmp_path / "old/m/a.png", 1))
    assert index.root == tmp_path / "old"
    shutil.move(tmp_path / "old", tmp_path / "new")
    moved = opened(tmp_path / "new/sub/ix")
    assert moved.root == tmp_path / "new" and moved.file("m/a.png").is_file()
    assert moved.info().root == (tmp_path / "new").as_posix()
    assert moved.add(tmp_path / "new/m").unchanged == 1
    assert moved.search(tmp_path / "new/m/a.png")[0].file.is_file()
    moved.re_embed()  # writes the people table anew
    assert Index.open(tmp_path / "new/sub/ix").root == tmp_path / "new"


def test_media_elsewhere_are_found_when_told(tmp_path: Path) -> None:
    index = opened(tmp_path / "ix", root=tmp_path / "old")
    index.add(photo(tmp_path / "old/a.png", 1))
    shutil.move(tmp_path / "old", tmp_path / "new")
    again = opened(tmp_path / "ix")
    assert again.root == tmp_path / "old"  # it does not lie in its root: nothing to go by
    assert again.move_root(tmp_path / "new") == 1
    assert Index.open(tmp_path / "ix").root == tmp_path / "new"
    assert opened(tmp_path / "ix").add(tmp_path / "new").unchanged == 1
    with pytest.raises(UsageError, match="no such folder"):
        again.move_root(tmp_path / "old")
