"""Searches: what the command line finds, page by page, filtered, and as files."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from drawn_people import Shell
from index_fakes import FakeDetector, FakeEmbedder, opened, photo
from samepose.cli.options import Options
from samepose.index import Index
from samepose.matching.moment import MomentMatching
from samepose.skeleton import BODY13
from samepose.web.app import create_app
from served_page import PLACE, Page, Serve

MORE = {"media", "words", "crop", "keypoints", "skeleton"}  # than the command line tells


def people(page: Page, path: str = "photos/04.png") -> list[Any]:
    medium = next(m for m in page.get("/api/library")["media"] if m["path"] == path)
    found: list[Any] = page.post("/api/query", {"media": medium["id"]})["people"]
    return found


def test_the_answer_is_the_command_lines(page: Page, run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Options, "detector", lambda self, mode, kind="movenet": FakeDetector())
    monkeypatch.setattr(Options, "embedder", lambda self: FakeEmbedder())
    assert page.post("/api/search", {"person": people(page)[0]["id"], "moment": 2}, 422)["error"]["kind"] == "usage"
    id = people(page)[0]["id"]
    index = page.folder / "index"
    for words, body in (
        ([], {}), (["--mirror", "also"], {"mirror": "also"}), (["--copies"], {"copies": True}),
        (["--where", "*.mp4", "--distinct", "0"], {"where": "*.mp4", "distinct": 0}),
        (["--from", "1", "--to", "2"], {"from": 1, "to": 2}), (["--moment", "0"], {"moment": 0}),
        (["--ignore", "left_arm"], {"ignore": ["left_arm"]}),
    ):
        told = run.json("search", id, "--index", index, "-k", 8, "--min-score", "0", *words)
        found = page.post("/api/search", {"person": id, "k": 8, "min_score": 0, **body})
        assert found["query"] == told["query"]
        assert [{k: v for k, v in r.items() if k not in MORE} for r in found["results"]] == told["results"], words
        assert found["results"]


def test_joints_that_were_not_moved_find_what_their_person_finds(page: Page) -> None:
    person = people(page)[0]
    body = {"min_score": 0, "copies": True, "k": 100}
    by_id = page.post("/api/search", {"person": person["id"], **body})
    by_joints = page.post("/api/search", {"keypoints": person["keypoints"], **body})
    assert by_joints["results"][0]["id"] == person["id"]
    assert [r["id"] for r in by_joints["results"] if r["id"] != person["id"]] == [r["id"] for r in by_id["results"]]


def test_people_as_they_were_found_in_a_video_are_moments(library: Path) -> None:
    class Timed(FakeEmbedder):
        moment = MomentMatching((0.3,), ((1.0, 1.0),), ((0.0, 0.0),))

    looking = FakeDetector()
    with TestClient(create_app(str(library / "index"), detector=looking, embedder=Timed()), base_url=PLACE) as client:
        page = Page(client, library)
        video = next(m["id"] for m in page.get("/api/library")["media"] if m["path"] == "a.mp4")
        sent = page.send((library / "a.mp4").read_bytes(), kind="video/mp4", name="a.mp4", at=1.05)
        indexed = page.post("/api/query", {"media": video, "at": 1.0})
        for asked, looks in ((sent, 7), (indexed, 0)):
            calls = looking.calls
            joints = dict(asked["people"][1]["keypoints"])
            body = {"keypoints": joints, "query": asked["query"], "min_score": 0, "copies": True}
            for _ in range(2):
                told = page.post("/api/search", body)
                assert told["query"]["moment"] == 0.3 and told["results"][0]["moment"] == 0.3
                assert told["results"][0]["path"] == "a.mp4" and looking.calls - calls == looks
            shown = {joint: joints[joint] for joint in BODY13.joints}  # as the page has them
            told = page.post("/api/search", {**body, "keypoints": shown, "skeleton": "BODY13"})
            assert told["query"]["moment"] == 0.3 and told["results"][0]["path"] == "a.mp4"
            joints["nose"] = [5, 5]
            assert page.post("/api/search", body)["query"]["moment"] == 0
        assert page.post("/api/search", {"person": indexed["people"][0]["id"]})["query"]["moment"] == 0.3
        assert page.post("/api/search", {"person": people(page)[0]["id"]})["query"]["moment"] == 0


def test_the_pages_of_a_search_follow_each_other(page: Page) -> None:
    body = {"person": people(page)[0]["id"], "min_score": 0, "distinct": 0}
    whole = page.post("/api/search", {**body, "k": 60})
    assert whole["next"] == 60
    parts, at = [], 0
    for _ in range(3):
        part = page.post("/api/search", {**body, "k": 20, "offset": at})
        parts += part["results"]
        at = part["next"]
    assert [r["id"] for r in parts] == [r["id"] for r in whole["results"]]
    all_of_them = page.post("/api/search", {**body, "k": 500})
    assert all_of_them["next"] is None and len(all_of_them["results"]) > 60
    assert page.post("/api/search", {**body, "k": 20, "offset": 1999})["results"] == []


def test_the_own_picture_of_what_was_sent_is_left_out(page: Page) -> None:
    asked = page.send((page.folder / "photos" / "05.png").read_bytes())
    body = {"keypoints": asked["people"][0]["keypoints"], "query": asked["query"], "min_score": 0}
    assert "photos/05.png" not in {r["path"] for r in page.post("/api/search", body)["results"]}
    with_copies = page.post("/api/search", {**body, "copies": True})
    assert with_copies["results"][0]["path"] == "photos/05.png"
    assert with_copies["query"]["image"] is None and with_copies["query"]["source"] == "picture"
    report = page.client.post("/api/export", json={**body, "format": "html", "k": 3}).text
    assert "samepose-" not in report and ">picture<" in report
    assert page.post("/api/search", {**body, "query": "x" * 22}, 404)["error"]["kind"] == "missing"


@pytest.mark.parametrize(("body", "why"), [
    ({"where": "nothing/*"}, "where"), ({"label": "nobody has it"}, "label"), ({"min_score": 1}, "score"),
    ({"from": 500, "min_score": 0}, "nobody"),
])
def test_where_nothing_is_found_it_is_told_why(page: Page, body: dict[str, Any], why: str) -> None:
    found = page.post("/api/search", {"person": people(page)[0]["id"], **body})
    assert found["results"] == [] and found["next"] is None and found["nothing"] == why


def test_an_empty_index_says_so(serve: Serve, tmp_path: Path) -> None:
    opened(tmp_path / "index")
    page = serve(tmp_path)
    joints = page.post("/api/query", {"figure": "standing"})["people"][0]["keypoints"]
    assert page.post("/api/search", {"keypoints": joints})["nothing"] == "index"


def test_exports_are_the_files_of_the_command_line(page: Page) -> None:
    body = {"person": people(page)[0]["id"], "k": 5, "min_score": 0}
    found = page.post("/api/search", body)
    only = [found["results"][k]["id"] for k in (0, 3)]

    def file(**more: Any) -> bytes:
        answer = page.client.post("/api/export", json={**body, **more})
        assert answer.status_code == 200 and answer.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in answer.headers["content-security-policy"]
        return answer.content

    told = json.loads(file(format="json"))["results"]
    assert told == [{k: v for k, v in r.items() if k not in MORE} for r in found["results"]]
    rows = list(csv.DictReader(io.StringIO(file(format="csv", only=only).decode())))
    assert [row["id"] for row in rows] == only
    assert all(name.encode() in file(format="html") for name in (r["path"].rpartition("/")[2] for r in told))
    assert Image.open(io.BytesIO(file(format="png"))).width > 500
    assert page.post("/api/export", {**body, "k": 100, "distinct": 0, "format": "png"}, 400)["error"]["kind"] == "usage"


@pytest.mark.parametrize("change", [
    {"person": None}, {"keypoints": {"nose": [0, 0]}}, {"k": 0}, {"k": 501}, {"offset": -1}, {"mirror": "maybe"},
    {"min_score": 2}, {"where": "x" * 5000}, {"nonsense": 1}, {"person": "0a1b2c3d4"}, {"from": "x"}, {"distinct": -1},
    {"ignore": ["left_arm"] * 50}, {"person": None, "keypoints": {"nose": ["x", 1]}},
    {"person": None, "keypoints": {"nose": [1, 2, 3]}}, {"person": None, "keypoints": {"nose": [1e300, 0]}},
])
def test_what_no_search_can_be_is_refused(page: Page, change: dict[str, Any]) -> None:
    assert page.post("/api/search", {"person": "0a1b2c3d4-17", **change}, 422)["error"]["kind"] == "usage"


@pytest.mark.parametrize(("body", "status", "says"), [
    ({"keypoints": {"nose": [1, 2], "left_hip": [3, 4]}}, 422, "joints are known"),
    ({"keypoints": {"third_arm": [1, 2]}}, 400, "no skeleton"),
    ({"keypoints": {"nose": [1, 2]}, "skeleton": "OCTOPUS"}, 400, "no skeleton"),
    ({"person": "0a1b2c3d4-17"}, 409, "no person"), ({"person": "0a1b2c3d4-17", "ignore": ["tail"]}, 400, "body part"),
])
def test_what_cannot_be_searched_for_is_told(page: Page, body: dict[str, Any], status: int, says: str) -> None:
    error = page.post("/api/search", body, status)["error"]
    assert says in error["message"] and error["remedy"]


def test_an_index_of_another_model_is_told(serve: Serve, tmp_path: Path) -> None:
    photo(tmp_path / "p" / "a.png", people=1)
    opened(tmp_path / "index", embedder=FakeEmbedder(sha256="cd" * 32)).add(tmp_path / "p")
    page = serve(tmp_path)
    told = page.get("/api/session")
    assert not told["there"] and "made with the model" in told["problem"]["message"] and told["problem"]["remedy"]
    joints = page.post("/api/query", {"figure": "standing"})["people"][0]["keypoints"]
    assert page.post("/api/search", {"keypoints": joints}, 409)["error"]["kind"] == "store"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index whose people are found by keypoints and by pixels; `copy` is a picture once more."""
    folder = tmp_path_factory.mktemp("both")
    for n in range(9):
        speckled(folder / "m" / f"{n}.png", people=1 + n % 2, seed=n)
    shutil.copy(folder / "m" / "3.png", folder / "m" / "copy.png")
    Index.open(folder / "index", create=True, root=folder, detector=FakeDetector(), embedder=FakeEmbedder(),
               embedding="both").add(folder / "m")
    return folder


def speckled(path: Path, people: int, seed: int) -> None:
    """A picture of coloured clouds in which `FakeDetector` finds so many people."""
    clouds = Image.fromarray(np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)).resize((300, 300))
    clouds.paste((people * 20, seed * 5, 0), (0, 0, 16, 16))
    path.parent.mkdir(parents=True, exist_ok=True)
    clouds.save(path)


def test_people_are_found_by_how_they_look(serve: Serve, both: Path) -> None:
    page = serve(both)
    assert page.get("/api/session")["spaces"] == ["keypoints", "pixels"]
    index = Index.open(both / "index", detector=FakeDetector(), embedder=FakeEmbedder())
    asked = page.send((both / "m" / "3.png").read_bytes())
    person = asked["people"][1]
    body = {"keypoints": person["keypoints"], "query": asked["query"], "who": 1, "min_score": 0, "copies": True}
    for by in ("pixels", "both"):  # the page sends a JPEG: nearly the same
        found = page.post("/api/search", {**body, "by": by})
        expected = index.search(both / "m" / "3.png", person=1, by=by)  # type: ignore[arg-type]
        assert found["query"]["by"] == by
        assert {r["path"] for r in found["results"][:2]} == {hit.path for hit in expected[:2]}
        assert {hit.path for hit in expected[:2]} == {"m/3.png", "m/copy.png"}
        assert [r["score"] for r in found["results"][:2]] == pytest.approx([h.score for h in expected[:2]], abs=0.15)
    bent = {**person["keypoints"], "left_wrist": [0, 0]}  # looks do not change with the joints
    assert page.post("/api/search", {**body, "keypoints": bent, "by": "pixels"})["results"][0] == (
        page.post("/api/search", {**body, "by": "pixels"})["results"][0])
    stored = page.post("/api/search", {"person": found["results"][0]["id"], "by": "pixels", "min_score": 0})
    assert stored["query"]["by"] == "pixels" and stored["results"]


def test_what_has_no_picture_is_not_searched_for_by_its_looks(serve: Serve, both: Path, page: Page) -> None:
    looks = serve(both)
    figure = looks.post("/api/query", {"figure": "standing"})["people"][0]["keypoints"]
    told = looks.post("/api/search", {"keypoints": figure, "by": "pixels"}, 400)["error"]
    assert "holds no picture" in told["message"] and told["remedy"]
    told = page.post("/api/search", {"person": people(page)[0]["id"], "by": "pixels"}, 409)["error"]
    assert "by pixels here, only by keypoints" in told["message"]
    assert page.get("/api/session")["spaces"] == ["keypoints"]
