"""`samepose cluster`, on drawn people."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from drawn_people import Shell, detector, embedder, photo, share_networks
from samepose.index import Index


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of four photos of one pose and one of another."""
    folder = tmp_path_factory.mktemp("media")
    for i in range(4):
        photo(folder / f"out{i}.png", arms=80 + i)
    photo(folder / "down.png", arms=15)
    Index.open(folder / "index", create=True, root=folder, detector=detector(), embedder=embedder()).add(folder)
    return folder / "index"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SAMEPOSE_INDEX", raising=False)
    share_networks(monkeypatch)
    return Shell(capsys)


def test_groups_as_json_as_text_as_a_page_and_as_labels(run: Shell, filled: Path, tmp_path: Path) -> None:
    shutil.copytree(filled, tmp_path / "copy")
    value = run.json("cluster", filled)
    (group,) = value["groups"]
    assert (group["id"], group["size"], value["noise"]) == (1, 4, 1)
    assert group["medoid"] == group["members"][0] and len(group["members"]) == 4
    assert run.json("cluster", "--index", filled) == value
    text = run("cluster", tmp_path / "copy", "--label-as", "arms", "--report", "page.html").out
    assert "1 group of 4 people; noise: 1 person in no group" in text and "4 people labelled 'arms-1'" in text
    assert "Most typical" in (tmp_path / "page.html").read_text()
    assert run.json("info", "--index", tmp_path / "copy")["labels"] == {"arms-1": 4}


def test_errors_name_the_flag_and_what_to_do(run: Shell, filled: Path) -> None:
    assert "--min-size" in run("cluster", filled, "--min-size", "9", code=3).err
    assert "samepose index --re-embed --embedding both" in run("cluster", filled, "--by", "both", code=3).err
    assert "no index here" in run("cluster", "nowhere", code=3).err
    assert "name it *.html" in run("cluster", filled, "--report", "page.png", code=2).err
