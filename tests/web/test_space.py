"""Keypoints in space: what the library tells, and a figure on the page that follows the pose."""

from __future__ import annotations

import pytest

from samepose.lifting import lift
from samepose.web.figures import pose_of, standing
from served_page import Page
from web.browser import OpenTab
from web.test_page import FIGURE, joint

_PAINTED = "document.querySelector('.space').toDataURL()"


def test_keypoints_are_lifted_as_by_the_library(page: Page) -> None:
    keypoints = page.post("/api/query", {"figure": "standing"})["people"][0]["keypoints"]
    told = page.post("/api/lift", {"keypoints": keypoints, "height": 1.8})
    assert told == lift(standing(), height=1.8).to_json()
    (person,) = told["people"]
    height = max(y for _, y, _ in person["points"]) - min(y for _, y, _ in person["points"])
    assert len(person["points"]) == 17 and 1.5 < height < 1.8
    bent = {**keypoints, "left_wrist": [keypoints["left_wrist"][0] + 150, keypoints["left_shoulder"][1]]}
    assert page.post("/api/lift", {"keypoints": bent}) == lift(
        pose_of({name: tuple(place) for name, place in bent.items()}, None)).to_json()


@pytest.mark.parametrize(("body", "status"), [
    ({"keypoints": {"nose": [1, 1]}}, 422), ({"keypoints": {"tail": [1, 1]}}, 400), ({}, 422),
    ({"keypoints": {"nose": [1, 1]}, "height": 40}, 422),
])
def test_what_cannot_be_lifted_is_told(page: Page, body: object, status: int) -> None:
    error = page.post("/api/lift", body, status)["error"]
    assert error["message"] and error["remedy"]


def test_the_figure_follows_the_pose_and_turns(tab: OpenTab) -> None:
    page = tab(FIGURE)
    page.locator(".space-card .segments, .space-card p").first.wait_for(state="attached")
    page.wait_for_function(f"document.querySelector('.space').width > 100 && {_PAINTED}.length > 5000")
    before = page.evaluate(_PAINTED)
    page.locator(".joint[data-joint=left_wrist]").focus()
    with page.expect_response("**/api/lift"):
        page.keyboard.press("Shift+ArrowUp")
    page.wait_for_function(f"before => {_PAINTED} !== before", arg=before)
    before = page.evaluate(_PAINTED)
    page.locator(".space").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"before => {_PAINTED} !== before", arg=before)
    assert joint(page, "left wrist")
