"""Labels outlive removal, re-indexing and other settings; nothing is removed or labelled by accident."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from index_fakes import opened, photo, rows, video
from samepose.errors import FormatError, UsageError
from samepose.index import Index
from samepose.poses import Poses
from samepose.skeleton import COCO17


@pytest.fixture
def index(tmp_path: Path) -> Index:
    index = opened(tmp_path / "ix")
    for i in range(3):
        photo(tmp_path / f"m/p{i}.png", 2, i)
    video(tmp_path / "m/clip.mp4", 2, 20)
    index.add(tmp_path / "m")
    return index


def labels_by_place(index: Index) -> set[tuple[str, float | None, tuple[float, ...], str]]:
    """Path, time, box and label of everyone who has a label."""
    people, media = rows(index)
    paths = {m["id"]: m["path"] for m in media}
    return {(paths[p["media"]], p["time"], tuple(p["box"]), p["label"]) for p in people if p["label"]}


@pytest.mark.parametrize("pattern", ["", " ", ".", "./"])
def test_an_empty_pattern_means_nobody(index: Index, pattern: str) -> None:
    before = rows(index)
    for use in (index.remove, lambda what: index.label(what, "x"), index.select):
        with pytest.raises(UsageError, match="names no file"):
            use(["p0.png", pattern])
    assert rows(index) == before


def test_a_dry_run_counts_what_a_removal_removes(index: Index) -> None:
    clip = index.select("clip.mp4")[0].shown
    for what in ("p?.png", [f"{clip}-3", f"{clip}-3", f"{clip}-999"], [clip, f"{clip}-1"], "none"):
        before = rows(index)
        meant = index.remove(what, dry_run=True)
        assert rows(index) == before
        assert index.remove(what) == meant
    assert rows(index) == ([], [])


def test_removed_labels_come_back_after_indexing_again(index: Index, tmp_path: Path) -> None:
    clip, photos = index.select("clip.mp4")[0], index.select("*.png")
    index.label("p1.png", "sitting")
    index.label(f"{photos[1].shown}-1", None)
    index.label([f"{clip.shown}-{n}" for n in range(4, 12)], "it's")
    index.label(f"{photos[0].shown}-1", "one")
    expected, labels = labels_by_place(index), json.loads(json.dumps(index.labels()))
    assert len(expected) == 1 + 8 + 1
    index.remove("*")
    index.add(tmp_path / "m")
    assert labels_by_place(index) == set()
    assert index.restore_labels(labels) == (10, [])
    assert labels_by_place(index) == expected
    assert [m.label for m in index.select("*.png")] == [None, "sitting", None]
    (tmp_path / "m/p1.png").rename(tmp_path / "m/renamed.png")
    (tmp_path / "m/p0.png").unlink()
    other = opened(tmp_path / "other")
    other.add(tmp_path / "m")
    people, lost = other.restore_labels(labels)
    assert people == 9 and [path for path, _ in lost] == ["m/p0.png"]
    assert {path for path, *_ in labels_by_place(other)} == {"m/renamed.png", "m/clip.mp4"}


@pytest.mark.parametrize("broken", [
    {}, {"format": "other", "version": 1, "media": []}, {"format": "samepose-labels", "version": 1, "media": [{}]},
    {"format": "samepose-labels", "version": 1, "media": [{"path": "a", "hash": "b", "label": 3, "people": []}]},
    {"format": "samepose-labels", "version": 1, "media": 3},
])
def test_what_are_no_labels_is_refused(index: Index, broken: dict[str, object]) -> None:
    with pytest.raises(FormatError, match="no labels"):
        index.restore_labels(broken)


def test_a_label_goes_to_whoever_stands_there_not_to_the_number(tmp_path: Path) -> None:
    """Two people who walk side by side and were numbered the other way round when they were found anew."""
    def walking(order: tuple[int, int], rate: float) -> Poses:
        n = round(2 * rate)
        spot = np.random.default_rng(0).uniform(0, 50, (17, 2))
        points = np.stack([spot + np.array([200 * who + t, 0]) for t in range(n) for who in (0, 1)])
        return Poses.of(points, COCO17, frames=np.repeat(np.arange(n), 2), times=np.repeat(np.arange(n) / rate, 2),
                        tracks=list(order) * n)

    index = opened(tmp_path / "ix")
    index.add(walking((0, 1), 10), name="walk.mp4")
    (medium,) = index.select()
    index.label([f"{medium.shown}-{n}" for n in range(1, 20, 2)], "right")  # the first second of the right one
    labels = index.labels()
    other = opened(tmp_path / "other")
    other.add(walking((1, 0), 10), name="walk.mp4")
    other.restore_labels(labels)
    found = {(t, x > 150) for _, t, (x, *_), _ in labels_by_place(other)}
    assert found == {(t / 10, True) for t in range(10)}
