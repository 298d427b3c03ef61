"""Nothing that a verb writes takes the place of what the user has: whatever is there is the same afterwards."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from drawn_people import Shell, detector, embedder, photo, video
from moving_people import waving
from samepose.errors import UsageError
from samepose.formats.keypoints import save_poses
from samepose.index import Index
from samepose.sequences.alignment import align
from samepose.sequences.clip import Clip


def hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if path.is_file() and "samepose-index" not in path.parts}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs, a clip, two pose files and other files of the user, and an index of the photographs."""
    folder = tmp_path_factory.mktemp("template")
    photo(folder / "a.jpg", quality=90)
    photo(folder / "q.png", arms=70)
    photo(folder / "holiday" / "b.png", arms=30)
    video(folder / "clip.mp4", frames=3)
    save_poses(folder / "wave.npz", waving(np.arange(30) / 30))
    (folder / "diary.csv").write_text("dear diary")
    (folder / "page.html").write_text("mine")
    photo(folder / "new-17.png")
    (folder / "link.png").symlink_to("holiday/b.png")
    os.link(folder / "holiday" / "b.png", folder / "hard.png")
    Index.open(folder / "samepose-index", create=True, root=folder, detector=detector(), embedder=embedder()).add(
        folder / "a.jpg", folder / "holiday")
    return folder


@pytest.fixture
def mine(template: Path, run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "mine"
    shutil.copytree(template, folder, symlinks=True)
    (folder / "hard.png").unlink()
    os.link(folder / "holiday" / "b.png", folder / "hard.png")
    monkeypatch.chdir(folder)
    return folder


TAKEN = [
    (["detect", ".", "--draw", "."], "a.jpg"),
    (["detect", "holiday", "--draw", "new", "--out", "wave.npz"], "wave.npz"),
    (["align", "clip.mp4", "wave.npz", "--out", "clip.mp4"], "clip.mp4"),
    (["align", "wave.npz", "wave.npz", "--csv", "diary.csv"], "diary.csv"),
    (["search", "q.png", "--sheet", "q.png"], "q.png"),
    (["search", "q.png", "--sheet", "link.png"], "link.png"),
    (["search", "q.png", "--sheet", "hard.png"], "hard.png"),
    (["search", "q.png", "--sheet", "holiday/../q.png"], "q.png"),
    (["search", "q.png", "--report", "page.html"], "page.html"),
    (["search", "q.png", "--sheet", "new.png", "-k", "1000"], "new-17.png"),
]


@pytest.mark.parametrize(("words", "says"), TAKEN, ids=[" ".join(words) for words, _ in TAKEN])
def test_what_is_there_is_refused_before_any_work(run: Shell, mine: Path, words: list[str], says: str) -> None:
    before = hashes(mine)
    run.fails(*words, code=2, says=[says])
    assert hashes(mine) == before


INPUTS = [
    ["detect", ".", "--draw", "."], ["detect", "a.jpg", "--draw", "."],
    ["align", "clip.mp4", "clip.mp4", "--out", "clip.mp4"],
    ["search", "q.png", "--sheet", "q.png"], ["search", "wave.npz", "--at", "0.5", "--sheet", "holiday/b.png"],
    ["search", "q.png", "--sheet", "link.png"], ["search", "q.png", "--sheet", "hard.png"],
]


@pytest.mark.parametrize("words", INPUTS, ids=" ".join)
def test_inputs_and_files_of_the_index_stay_even_with_force(
    run: Shell, template: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(template)  # the index knows where its files are
    before = hashes(template)
    run.fails(*words, "--force", code=2, says=["would replace"])
    assert hashes(template) == before


def test_force_replaces_other_files_and_devices_need_none(run: Shell, mine: Path) -> None:
    run("search", "q.png", "--report", "page.html", "--force")
    assert "<html" in (mine / "page.html").read_text()
    run("detect", "q.png", "--out", "wave.npz", "--draw", "drawn", "--force")
    run.fails("detect", "q.png", "--draw", "drawn", code=2, says=["drawn/q.jpg: exists already; --force replaces it"])
    (mine / "drawn" / "q.jpg").write_text("old")
    run("detect", "q.png", "--draw", "drawn", "--force")
    assert (mine / "drawn" / "q.jpg").read_bytes()[:2] == b"\xff\xd8"


def test_frames_of_a_clip_do_not_replace_those_of_another_run(run: Shell, mine: Path) -> None:
    run("detect", "clip.mp4", "--draw", "drawn", "--fps", "all")
    before = hashes(mine)
    run.fails("detect", "clip.mp4", "--draw", "drawn", "--fps", "all", code=2, says=["clip-000000.jpg: exists"])
    assert hashes(mine) == before


def test_names_that_numbers_make_equal_are_all_drawn(run: Shell, tmp_path: Path) -> None:
    for name in ("a/same.png", "b/same.png", "c/same-2.png", "d/SAME.png"):
        photo(tmp_path / name)
    run("detect", "a", "b", "c", "d", "--draw", "drawn")
    names = [p.name.lower() for p in (tmp_path / "drawn").iterdir()]
    assert len(set(names)) == 4


def test_the_library_replaces_files_but_not_those_it_read(mine: Path) -> None:
    before = hashes(mine)
    index = Index.open("samepose-index", detector=detector(), embedder=embedder())
    hits = index.search("q.png")
    with pytest.raises(UsageError, match=r"q\.png: would replace q\.png"):
        hits.write("q.png")
    clip = Clip.open("wave.npz", embedder=embedder())
    found = align(clip, clip)
    shutil.copy("wave.npz", "wave.csv")
    object.__setattr__(clip, "name", "wave.csv")
    with pytest.raises(UsageError, match="would replace"):
        found.write("wave.csv")
    Path("wave.csv").unlink()
    with pytest.raises(UsageError, match="would replace"):
        save_poses("wave.npz", waving(np.arange(2) / 30), ["wave.npz", "wave.npz"])
    assert hashes(mine) == before
    hits.write("diary.csv")
    assert (mine / "diary.csv").read_text().startswith("id,")
