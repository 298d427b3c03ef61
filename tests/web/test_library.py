"""The session, what is indexed, its pictures, changes, and indexing runs."""

from __future__ import annotations

import io
import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from drawn_people import Shell
from index_fakes import FakeDetector, opened, photo
from samepose.index.lock import write_lock
from samepose.web import jobs
from served_page import Page, Serve


def medium(page: Page, path: str) -> Any:
    return next(m for m in page.get("/api/library")["media"] if m["path"] == path)


def wait(page: Page, job: str, *states: str) -> Any:
    for _ in range(400):
        now = page.get(f"/api/jobs/{job}")
        if now["state"] in (states or ("done", "failed", "cancelled")):
            return now
        time.sleep(0.02)
    raise AssertionError(now)


def test_the_session_tells_what_the_page_needs(page: Page) -> None:
    told = page.get("/api/session")
    assert told["there"] and told["local"] and told["problem"] is None and len(told["csrf"]) > 20
    coco = next(s for s in told["skeletons"] if s["name"] == "COCO17")
    assert ["left_knee", "left_ankle"] in coco["bones"] and told["parts"]["left_arm"] == ["left_elbow", "left_wrist"]
    described = page.get("/api/openapi.json")
    assert {"/api/query", "/api/search", "/api/map"} <= set(described["paths"])
    assert {"Ask", "Search", "Found", "Failure"} <= set(described["components"]["schemas"])


def test_the_library_is_the_command_lines(page: Page, run: Shell) -> None:
    index = page.folder / "index"
    told, files = run.json("info", "--index", index), run.json("info", "--files", "--index", index)
    shown = page.get("/api/library")
    assert shown["info"] == told and shown["total"] == len(files) == 16
    assert [{k: v for k, v in m.items() if k not in ("id", "kind")} for m in shown["media"]] == files
    first = page.get("/api/library?limit=5")
    assert first["next"] == 5 and first["media"] + page.get("/api/library?offset=5")["media"] == shown["media"]
    failed = page.get("/api/library?failed=true")["media"]
    assert [m["path"] for m in failed] == ["photos/broken.png"] and failed[0]["error"]
    assert page.get("/api/library", params={"where": "*.mp4"})["total"] == 2


def test_a_file_is_given_whole_or_in_part(page: Page) -> None:
    clip, content = medium(page, "a.mp4"), (page.folder / "a.mp4").read_bytes()
    url = f"/api/media/{clip['id']}"
    whole = page.client.get(url)
    assert whole.content == content and whole.headers["content-type"] == "video/mp4"
    part = page.client.get(url, headers={"Range": "bytes=100-199"})
    assert part.status_code == 206 and part.content == content[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(content)}"
    assert page.client.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416
    told = page.get(f"{url}/info")
    assert (told["width"], told["height"], told["duration"]) == (64, 64, 3.0) and len(told["tracks"]) == 2
    assert told["tracks"][0]["sightings"] == 30 and told["tracks"][0]["end"] == pytest.approx(2.9)


def test_pictures_are_cut_to_the_person_and_kept(page: Page) -> None:
    id = page.post("/api/query", {"media": medium(page, "photos/01.png")["id"]})["people"][0]["id"]
    pictures = [page.client.get(f"/api/crop/{id}.jpg?size={size}") for size in (160, 320, 320)]
    assert [Image.open(io.BytesIO(p.content)).size for p in pictures] == [(160, 160), (320, 320), (320, 320)]
    assert len(page.client.app.state.service.crops) >= 2  # type: ignore[attr-defined]
    page.get(f"/api/crop/{id}.jpg?size=100000", 422)
    frame = page.client.get(f"/api/frame/{medium(page, 'a.mp4')['id']}.jpg?t=1.5&size=320")
    shown = np.asarray(Image.open(io.BytesIO(frame.content)).convert("RGB"))
    assert shown.shape == (64, 64, 3) and abs(int(shown[30, 30, 0]) - 40) < 12  # the video's own colour
    assert page.get(f"/api/frame/{medium(page, 'a.mp4')['id']}.jpg?t=99", 422)["error"]["kind"] == "media"


def test_the_window_shows_where_the_joints_are_in_the_crop(page: Page, serve: Serve, tmp_path: Path) -> None:
    Image.fromarray(np.full((400, 400, 3), (20, 0, 0), np.uint8)).save(tmp_path / "p.png")
    opened(tmp_path / "index").add(tmp_path / "p.png")
    own = serve(tmp_path)
    asked = own.post("/api/query", {"media": medium(own, "p.png")["id"]})
    found = own.post("/api/search", {"keypoints": asked["people"][0]["keypoints"], "min_score": 0, "copies": True})
    x, y, side = found["results"][0]["crop"]["window"]
    joints = np.array([point[:2] for point in found["results"][0]["keypoints"].values()])
    inside = (joints - [x, y]) / side
    assert (inside > 0.1).all() and (inside < 0.9).all()
    crop = np.asarray(Image.open(io.BytesIO(own.client.get(found["results"][0]["crop"]["url"]).content)), int)
    for k in range(2):  # what lies outside the picture is grey, what lies in it is the picture
        row = round((200 - y) / side * 320)
        for at in (-x / side * 320 + 6, -x / side * 320 - 6)[: 1 if x >= 0 else 2]:
            grey = at < -x / side * 320
            assert (abs(crop[row, max(round(at), 0)] - ((40, 40, 40) if grey else (20, 0, 0))) < 14).all(), k


def test_a_track_is_told_through_the_clip(page: Page) -> None:
    start = page.get(f"/api/media/{medium(page, 'a.mp4')['id']}/info")["tracks"][1]
    track = page.get(f"/api/track/{start['id']}")
    assert track["person"] == start["person"] and len(track["times"]) == len(track["keypoints"]) == 30
    assert len(track["keypoints"][0]) == len(track["skeleton"]["joints"]) == 17
    first = page.post("/api/query", {"person": start["id"]})["people"][0]["keypoints"]["nose"]
    assert track["keypoints"][0][track["skeleton"]["joints"].index("nose")] == pytest.approx(first, abs=0.006)


def test_changes_are_the_command_lines_and_are_seen_at_once(serve: Serve, tmp_path: Path, run: Shell) -> None:
    for n in range(8):
        photo(tmp_path / "p" / f"{n}.png", people=1, seed=n)
    opened(tmp_path / "index").add(tmp_path / "p")
    page = serve(tmp_path)
    assert page.post("/api/label", {"what": ["p/1.png", "p/2.png"], "name": "squat"}) == {
        "index": str(tmp_path / "index"), "people": 2, "label": "squat"}
    assert run.json("info", "--index", tmp_path / "index")["labels"] == {"squat": 2}
    meant = page.post("/api/remove", {"what": ["p/1.png"], "dry_run": True})
    assert meant == run.json("remove", "p/1.png", "--dry-run", "--index", tmp_path / "index")
    error = page.post("/api/remove", {"what": ["p/*"]}, 409)["error"]
    assert error["kind"] == "confirm" and "8 files" in error["message"]
    removed = page.post("/api/remove", {"what": ["p/1.png"]})
    assert removed == {"index": str(tmp_path / "index"), "people": 1, "files": 1}
    assert page.get("/api/library")["info"]["labels"] == {"squat": 1}
    assert page.post("/api/remove", {"what": ["p/*"], "yes": True})["files"] == 7
    for path, body in (("label", {"name": "x"}), ("remove", {})):
        assert page.post(f"/api/{path}", {"what": ["no such"], **body}, 400)["error"]["kind"] == "usage"


def test_a_folder_is_indexed_while_it_is_watched(serve: Serve, tmp_path: Path) -> None:
    for n in range(5):
        photo(tmp_path / "p" / f"{n}.png", people=1, seed=n)
    (tmp_path / "p" / "bad.png").write_bytes(b"no picture")
    page = serve(tmp_path)
    told = page.get("/api/session")
    assert not told["there"] and "no index here" in told["problem"]["message"]
    assert page.get("/api/library", 409)["error"]["kind"] == "store"
    job = page.post("/api/index", {"paths": [str(tmp_path / "p")]}, 202)
    with page.client.stream("GET", f"/api/jobs/{job['job']}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in stream.iter_lines() if line]
    assert set(lines[::2]) == {"event: job"}
    last = json.loads(lines[-1].removeprefix("data: "))
    assert last["state"] == "done" and last["done"] == last["total"] == 6
    assert last["report"]["people"] == 5 and last["report"]["failed"][0]["path"].endswith("bad.png")
    assert page.get("/api/session")["there"] and page.get("/api/library")["info"]["people"] == 5
    assert page.get("/api/jobs")[0]["job"] == job["job"]


def test_a_run_is_called_off_and_keeps_what_is_finished(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    for n in range(6):
        photo(tmp_path / "p" / f"{n}.png", people=1, seed=n)
    page, go, at = serve(tmp_path), threading.Event(), threading.Event()
    detect = FakeDetector.detect

    def slow(self: FakeDetector, image: np.ndarray) -> Any:
        if self.calls == 2:
            at.set()
            go.wait(10)
        return detect(self, image)

    monkeypatch.setattr(FakeDetector, "detect", slow)
    job = page.post("/api/index", {"paths": [str(tmp_path / "p")]}, 202)["job"]
    later = page.post("/api/index", {"paths": [str(tmp_path / "p")]}, 202)
    assert at.wait(10) and later["state"] == "waiting"
    assert page.post(f"/api/jobs/{later['job']}/cancel", {})["state"] == "cancelled"
    page.post(f"/api/jobs/{job}/cancel", {})
    go.set()
    assert wait(page, job)["state"] == "cancelled"
    assert 2 <= page.get("/api/library")["info"]["people"] < 6
    again = page.post("/api/index", {"paths": [str(tmp_path / "p")]}, 202)["job"]
    assert wait(page, again)["state"] == "done" and page.get("/api/library")["info"]["people"] == 6
    assert wait(page, later["job"])["state"] == "cancelled"


def test_an_index_that_was_made_anew_is_opened_again(serve: Serve, tmp_path: Path) -> None:
    photo(tmp_path / "p" / "a.png", people=1)
    opened(tmp_path / "index").add(tmp_path / "p")
    page = serve(tmp_path)
    assert page.get("/api/library")["info"]["people"] == 1
    (tmp_path / "index").rename(tmp_path / "old")
    assert page.get("/api/library", 409)["error"]["kind"] == "store"
    photo(tmp_path / "p" / "b.png", people=2, seed=1)
    opened(tmp_path / "index").add(tmp_path / "p")
    assert page.get("/api/library")["info"]["people"] == 3


def test_another_writer_is_told_and_left_alone(serve: Serve, tmp_path: Path) -> None:
    photo(tmp_path / "p" / "a.png", people=1)
    opened(tmp_path / "index").add(tmp_path / "p")
    page = serve(tmp_path)
    with write_lock(tmp_path / "index"):
        error = page.post("/api/label", {"what": ["*"], "name": "x"}, 409)["error"]
        assert "is writing to this index" in error["message"] and "wait" in error["remedy"]
        job = wait(page, page.post("/api/index", {"paths": [str(tmp_path / "p")]}, 202)["job"])
        assert job["state"] == "failed" and "is writing" in job["error"]["message"]
        assert page.post("/api/search", {"person": page.post("/api/query", {
            "media": medium(page, "p/a.png")["id"]})["people"][0]["id"]})["results"] == []


def test_a_file_that_has_vanished_leaves_its_joints(serve: Serve, tmp_path: Path) -> None:
    photo(tmp_path / "p" / "a.png", people=1)
    opened(tmp_path / "index").add(tmp_path / "p")
    page = serve(tmp_path)
    id = medium(page, "p/a.png")["id"]
    (tmp_path / "p" / "a.png").unlink()
    asked = page.post("/api/query", {"media": id})
    assert asked["picture"]["url"] is None and asked["picture"]["width"] > 50 and len(asked["people"]) == 1
    assert not page.get(f"/api/media/{id}/info")["there"]
    for path in (f"/api/media/{id}", f"/api/frame/{id}.jpg", f"/api/crop/{asked['people'][0]['id']}.jpg"):
        assert page.get(path, 404)["error"]["kind"] == "missing"


def test_folders_are_listed_to_choose_from(page: Page) -> None:
    told = page.get("/api/folders", params={"path": str(page.folder)})
    assert told["folders"] == ["index", "photos"] and told["media"] == 2 and told["parent"] == str(page.folder.parent)
    assert page.get("/api/folders")["path"] == str(Path.home())
    for path in ("relative", "/no/such/folder", str(page.folder / "a.mp4"), "/\0"):
        page.get("/api/folders", 404, params={"path": path})


def test_runs_that_ended_are_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_MOST", 3)

    def none() -> Any:
        raise OSError(5, "broken")

    runs = jobs.Jobs(none)
    for _ in range(6):
        id = runs.start([], None, False).job
        while runs.get(id).state != "failed":
            time.sleep(0.005)
    assert len(runs.all()) <= 3
    runs.close()
