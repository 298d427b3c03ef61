"""Which photos and videos a folder holds."""

from __future__ import annotations

from pathlib import Path

from samepose.media.files import media_files


def test_an_index_among_photographs_hides_none_of_them(tmp_path: Path) -> None:
    made = ["a.jpg", "album/b.jpg", "album/sub/c.mp4", "raw.lance/d.png"]
    index = ["album/media.lance/_versions/1.manifest", "album/media.lance/data/x.png", "album/people.lance/_versions/1",
             "album/people.lance/data/y.jpg"]
    for name in made + index:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    expected = [tmp_path / name for name in made]
    assert sorted(media_files([tmp_path])) == sorted(expected)
    assert sorted(media_files([tmp_path / "album"])) == sorted(expected[1:3])
