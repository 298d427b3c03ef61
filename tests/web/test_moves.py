"""Moves and the map: what the command line tells, and points where the embeddings are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawn_people import Shell
from index_fakes import FakeDetector, FakeEmbedder, opened, photo
from samepose.cli.options import Options
from samepose.index import Index
from samepose.index.plane import principal
from samepose.poses import Poses
from samepose.skeleton import COCO17
from served_page import Page, Serve


def exercise(seed: int, seconds: float = 6.0, rate: int = 10) -> Poses:
    """Somebody who does the same move again and again, every two seconds."""
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 300, (17, 2))
    way = rng.uniform(-120, 120, (17, 2))
    times = np.arange(int(seconds * rate)) / rate
    bend = (1 - np.cos(np.pi * times)) / 2
    points = start + bend[:, None, None] * way + rng.normal(0, 0.5, (len(times), 17, 2))
    frames = np.arange(len(times))
    return Poses.of(points, COCO17, times=times, frames=frames, tracks=np.zeros(len(times), int), fps=rate)


@pytest.fixture(scope="module")
def gym(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gym")
    index = opened(folder / "index")
    for n in range(3):
        index.add(exercise(n % 2), name=folder / f"{n}.mp4")
    return folder


@pytest.fixture
def both(gym: Path, serve: Serve, run: Shell, monkeypatch: pytest.MonkeyPatch) -> tuple[Page, Shell, list[Any]]:
    """The page, the command line, and the clips of the same index."""
    monkeypatch.setattr(Options, "detector", lambda self, mode, kind="movenet": FakeDetector())
    monkeypatch.setattr(Options, "embedder", lambda self: FakeEmbedder())
    monkeypatch.setenv("SAMEPOSE_INDEX", str(gym / "index"))
    page = serve(gym)
    return page, run, page.get("/api/library")["media"]


def same(served: Any, told: Any, *more: str) -> None:
    assert {k: v for k, v in served.items() if k not in more} == told


def test_a_move_is_found_as_by_the_command_line(both: tuple[Page, Shell, list[Any]]) -> None:
    page, run, media = both
    example = {"media": media[0]["id"], "from": 0, "to": 2}
    found = page.post("/api/find", {"example": example, "k": 5})
    told = run.json("find", media[0]["id"], "--span", "0:2", "-k", 5)
    for served, expected in zip(found["results"], told["results"], strict=True):
        assert served["media"] in {m["id"] for m in media}
        same(served, expected, "media")
    same(found, told["example"] and {k: v for k, v in told.items() if k != "results"}, "results")
    assert {r["path"] for r in found["results"][:4]} == {"0.mp4", "2.mp4"}  # of one mover


def test_a_move_is_counted_as_by_the_command_line(both: tuple[Page, Shell, list[Any]]) -> None:
    page, run, media = both
    example, clip = {"media": media[0]["id"], "from": 0, "to": 2}, {"media": media[2]["id"]}
    counted = page.post("/api/count", {"example": example, "in": clip})
    told = run.json("count", media[0]["id"], "--span", "0:2", "--in", media[2]["id"])
    assert counted["count"] == told["count"] == 3
    for served, expected in zip(counted["repetitions"], told["repetitions"], strict=True):
        same(served, {**expected, "path": served["path"]}, "media")
    whole = page.post("/api/query", {"media": media[2]["id"]})["people"][0]["id"]
    assert page.post("/api/count", {"example": example, "in": {"media": whole}})["count"] == 3


def test_two_clips_are_aligned_as_by_the_command_line(both: tuple[Page, Shell, list[Any]]) -> None:
    page, run, media = both
    aligned = page.post("/api/align", {"a": {"media": media[0]["id"]}, "b": {"media": media[2]["id"]}})
    told = run.json("align", media[0]["id"], media[2]["id"])
    same(aligned, told, "person_a", "person_b")
    part = page.post("/api/align", {"a": {"media": media[0]["id"], "to": 2}, "b": {"media": media[0]["id"]},
                                    "open_ends": True})
    assert part["times"][-1][0] == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(("path", "body", "code"), [
    ("find", {"example": {"media": "000000000"}}, 404), ("find", {"example": {"media": "../x"}}, 422),
    ("align", {"a": {"media": "000000000"}, "b": {"media": "000000000"}}, 404), ("count", {}, 422),
    ("find", {"example": {"media": "GYM", "from": 50}}, 400), ("find", {"example": {"media": "GYM", "person": 9}}, 400),
    ("find", {"example": {"media": "GYM"}, "k": 0}, 422),
])
def test_what_is_no_move_is_told(both: tuple[Page, Shell, list[Any]], path: str, body: Any, code: int) -> None:
    page, _, media = both
    if body.get("example", {}).get("media") == "GYM":
        body = {**body, "example": {**body["example"], "media": media[0]["id"]}}
    assert page.post(f"/api/{path}", body, code)["error"]["message"]


# -- the map --------------------------------------------------------------------------------------------------------


def points(page: Page) -> tuple[Any, dict[str, np.ndarray]]:
    told = page.get("/api/map")
    content, n, at, columns = page.client.get(told["url"]).content, told["points"], 0, {}
    for name, kind in (("x", "<u2"), ("y", "<u2"), ("file", "<u4"), ("number", "<u4"), ("label", "<u2")):
        columns[name] = np.frombuffer(content, kind, n, at)
        at += columns[name].nbytes
    assert at == len(content)
    return told, columns


def test_the_map_shows_everyone_where_their_embedding_is(serve: Serve, tmp_path: Path) -> None:
    for n in range(30):
        photo(tmp_path / "p" / f"{n}.png", people=1 + n % 2, seed=n)
    index = opened(tmp_path / "index")
    index.add(tmp_path / "p")
    index.label("p/3.png", "squat")
    page = serve(tmp_path)
    told, columns = points(page)
    ids = [f"{told['media'][file]}-{number}" for file, number in zip(columns["file"], columns["number"])]
    assert len(ids) == len(set(ids)) == told["people"] == 45 and told["labels"] == ["squat"]
    assert columns["label"].sum() == 2
    mean = np.stack([index.row(id).embedding.mean[0] for id in ids])
    centred = mean - mean.mean(axis=0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    assert told["explained"] == pytest.approx((values**2 / (values**2).sum())[:2], rel=1e-4)
    for k, name in enumerate("xy"):
        assert abs(np.corrcoef(centred @ axes[k], columns[name])[0, 1]) > 0.9999
    spread = [np.ptp(columns[name]) for name in "xy"]
    assert max(spread) == 65535 and spread[1] / spread[0] == pytest.approx(
        np.ptp(centred @ axes[1]) / np.ptp(centred @ axes[0]), rel=1e-3)
    index.label("p/4.png", "lunge")
    again, _ = points(page)
    assert again["version"] != told["version"] and again["labels"] == ["lunge", "squat"]
    page.get(told["url"], 404)


def test_a_large_index_is_thinned_evenly(library: Path) -> None:
    index = Index.open(library / "index", embedder=FakeEmbedder())
    whole, part = index.plane(), index.plane(20)
    assert len(part.number) == 20 and part.people == whole.people == len(whole.number)
    assert set(part.media) <= set(whole.media) and len(part.media) > 5
    few, shares = principal(np.zeros((1, 16)))
    assert few.shape == (1, 2) and shares == (0.0, 0.0)


def test_an_empty_index_has_an_empty_map(serve: Serve, tmp_path: Path) -> None:
    opened(tmp_path / "index")
    told, columns = points(serve(tmp_path))
    assert told["points"] == 0 and told["media"] == [] and all(len(c) == 0 for c in columns.values())


# -- groups ---------------------------------------------------------------------------------------------------------


def test_groups_are_the_librarys_and_made_once(serve: Serve, gym: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = serve(gym)
    grouped = page.post("/api/cluster", {"min_size": 2})
    assert grouped == opened(gym / "index").cluster(min_size=2).to_json() and grouped["groups"]
    monkeypatch.setattr(Index, "cluster", None)  # not asked again
    assert page.post("/api/cluster", {"min_size": 2}) == grouped
    assert page.post("/api/cluster", {"min_size": 1}, 422)["error"]["kind"] == "usage"


def test_too_few_for_a_group_are_told(serve: Serve, tmp_path: Path) -> None:
    photo(tmp_path / "p" / "0.png", people=1)
    opened(tmp_path / "index").add(tmp_path / "p")
    told = serve(tmp_path).post("/api/cluster", {}, 409)["error"]
    assert told["kind"] == "store" and "fewer than the 3" in told["message"]
