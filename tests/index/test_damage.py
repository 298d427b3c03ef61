"""Damage is called so only when it is proven; whatever else goes wrong is told as what it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from index_fakes import opened, photo
from samepose.errors import StoreError
from samepose.index import Index
from samepose.index.place import store_errors


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    index = opened(folder / "ix")
    for i in range(3):
        index.add(photo(folder / f"m/{i}.png", 2, i))
    index.label("*", "x")
    return folder / "ix"


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "ix"))


def newest(table: Path) -> Path:
    return min((table / "_versions").glob("*.manifest"))


def data(table: Path) -> Path:
    """A file that the newest manifest names."""
    return next(f for f in sorted((table / "data").iterdir()) if f.name.encode() in newest(table).read_bytes())


def middle(file: Path) -> None:
    """Other bytes where the footer says what lies where."""
    content = bytearray(file.read_bytes())
    content[-40:-8] = b"\xee" * 32
    file.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "manifest overwritten": lambda t: newest(t).write_bytes(b"damage"),
    "manifest cut": lambda t: newest(t).write_bytes(newest(t).read_bytes()[:50]),
    "manifest empty": lambda t: newest(t).write_bytes(b""),
    "data missing": lambda t: data(t).unlink(),
    "data cut": lambda t: data(t).write_bytes(data(t).read_bytes()[:100]),
    "data overwritten": lambda t: data(t).write_bytes(b"x" * 5000),
    "footer overwritten": lambda t: middle(data(t)),
}


@pytest.mark.parametrize("table", ["people", "media"])
@pytest.mark.parametrize("harm", DAMAGES)
def test_damage_is_named_and_labels_come_before_deleting(place: Path, table: str, harm: str) -> None:
    DAMAGES[harm](place / f"{table}.lance")
    with pytest.raises(StoreError, match=r"the index is damaged: .*`Index.labels") as error:
        index = Index.open(place)
        index.info()
        index._store.people.search().to_arrow()
    text = str(error.value)
    assert "\n" not in text and text.index("labels") < text.index("delete")


@pytest.mark.parametrize("error", [
    OSError(5, "Input/output error"), ConnectionResetError(104, "Connection reset by peer"), TimeoutError("timed out"),
    RuntimeError("lance error: LanceError(IO): Generic S3 error: error sending request for url"),
])
def test_a_broken_connection_or_disk_is_no_damage(place: Path, error: Exception) -> None:
    (place / "people.lance/data/left-by-a-killed-writer-0123.lance").write_bytes(b"half")
    with pytest.raises(StoreError, match="nothing is known to be lost") as told, store_errors(str(place)):
        raise error
    assert "damaged" not in str(told.value) and "delete" not in str(told.value)
    assert type(error)(*error.args).args[-1] in str(told.value)


def test_a_mistake_of_ours_is_told_as_one(place: Path) -> None:
    with pytest.raises(ValueError, match="our mistake"), store_errors(str(place)):
        raise ValueError("our mistake")


def test_labels_of_files_can_be_saved_when_people_are_lost(place: Path) -> None:
    data(place / "people.lance").unlink()
    labels = Index.open(place).labels()
    assert [m["label"] for m in labels["media"]] == ["x"] * 3 and "missing" in labels["incomplete"]
