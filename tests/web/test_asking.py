"""Whom to search for: what is sent, moments and people of the index, a figure."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from index_fakes import FakeDetector, photo, video
from samepose.web import uploads
from served_page import Page, Serve


def test_the_people_of_a_picture_are_told_with_their_joints(page: Page, tmp_path: Path) -> None:
    file = photo(tmp_path / "p.png", people=3, seed=40)
    asked = page.send(file.read_bytes(), name="C:\\me\\my holiday.png")
    expected = FakeDetector().detect(np.asarray(Image.open(file).convert("RGB")))
    assert (asked["kind"], asked["source"], asked["time"], len(asked["people"])) == ("image", "my holiday.png", None, 3)
    assert (asked["picture"]["width"], asked["picture"]["height"]) == (8, 8)
    first = asked["people"][0]
    person = int(expected.prominence().argmax())
    assert first["person"] == 0 and first["id"] is None and first["skeleton"] == "COCO17"
    for k, joint in enumerate(expected.skeleton.joints):
        assert np.float32(first["keypoints"][joint][0]) == expected.points[person, k, 0]
    image = page.client.get(asked["picture"]["url"])
    assert image.headers["content-type"] == "image/jpeg" and Image.open(io.BytesIO(image.content)).size == (8, 8)


def test_a_large_picture_is_shown_smaller_with_its_joints(page: Page, tmp_path: Path) -> None:
    colour = (20, 200, 0)
    for size, name in ((800, "small.png"), (3200, "large.png")):
        Image.new("RGB", (size, size // 2), colour).save(tmp_path / name)
    small, large = (page.send((tmp_path / name).read_bytes()) for name in ("small.png", "large.png"))
    assert small["picture"]["width"] == 800 and large["picture"]["width"] == 1600
    x, y, _ = small["people"][0]["keypoints"]["nose"]
    assert large["people"][0]["keypoints"]["nose"][:2] == pytest.approx([x / 2, y / 2], rel=1e-5)


def test_a_video_is_looked_at_where_it_is_asked_and_again_elsewhere(page: Page, tmp_path: Path) -> None:
    file = video(tmp_path / "v.mp4", people=2, seed=3)
    asked = page.send(file.read_bytes(), kind="video/mp4", at=0.5)
    assert asked["kind"] == "video" and asked["time"] == 0.5 and asked["duration"] == pytest.approx(1.2)
    again = page.post("/api/query", {"query": asked["query"], "at": 1.0})
    assert again["time"] == 1.0 and again["query"] != asked["query"] and len(again["people"]) == 2
    assert page.post("/api/query", {"query": asked["query"], "at": 99}, 422)["error"]["kind"] == "media"


def test_people_and_moments_of_the_index_come_with_their_ids(page: Page) -> None:
    clip = next(m for m in page.get("/api/library")["media"] if m["path"] == "a.mp4")
    asked = page.post("/api/query", {"media": clip["id"], "at": 1.02})
    assert (asked["kind"], asked["source"], asked["time"]) == ("media", "a.mp4", 1.0) and len(asked["people"]) == 2
    assert all(p["id"].startswith(clip["id"] + "-") for p in asked["people"])
    row = page.post("/api/query", {"person": asked["people"][1]["id"]})
    assert row["kind"] == "person" and row["people"][0]["keypoints"] == asked["people"][1]["keypoints"]


def test_a_figure_to_bend_stands_on_a_board_and_can_be_searched_by(page: Page) -> None:
    asked = page.post("/api/query", {"figure": "standing"})
    joints = asked["people"][0]["keypoints"]
    assert asked["picture"]["url"] is None and len(joints) == 17
    assert joints["left_hip"][0] > joints["right_hip"][0] and joints["left_ankle"][1] > joints["left_knee"][1]
    assert all(0 < x < asked["picture"]["width"] and 0 < y < asked["picture"]["height"] for x, y, _ in joints.values())
    assert page.post("/api/search", {"keypoints": joints, "min_score": 0})["results"]


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"<svg onload='alert(1)'/>"])
def test_what_is_no_picture_is_told_by_its_name(page: Page, content: bytes) -> None:
    error = page.send(content, 422, name="it.png")["error"]
    assert error["kind"] == "media" and error["message"].startswith("it.png: ") and error["remedy"]
    assert "samepose-" not in error["message"]


def test_what_was_sent_is_deleted_when_it_is_forgotten(
    serve: Serve, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = serve(library)
    content = photo(tmp_path / "p.png", people=1).read_bytes()
    page.send(b"no picture", 422)
    asked = [page.send(content)["query"] for _ in range(uploads._MOST + 2)]
    queries = page.client.app.state.service.queries  # type: ignore[attr-defined]
    assert len(list(queries.folder.iterdir())) == uploads._MOST
    page.get(f"/api/query/{asked[0]}/picture.jpg", 404)
    assert page.client.get(f"/api/query/{asked[-1]}/picture.jpg").status_code == 200
    monkeypatch.setattr(uploads, "_SECONDS", -1.0)
    page.get(f"/api/query/{asked[-1]}/picture.jpg", 404)
    assert not list(queries.folder.iterdir())
    queries.close()
    assert not queries.folder.exists()


@pytest.mark.parametrize("body", [
    {}, {"person": "0a1b2c3d4-1", "figure": "standing"}, {"person": "../../etc/passwd"}, {"figure": "lying"},
    {"media": "/etc/passwd"}, {"media": "0a1b2c3d4", "at": -1}, {"query": "x"}, {"figure": "standing", "path": "x"}, [],
    7,
])
def test_what_cannot_be_asked_is_refused(page: Page, body: object) -> None:
    assert page.post("/api/query", body, 422)["error"]["kind"] == "usage"
