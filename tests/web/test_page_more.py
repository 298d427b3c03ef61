"""More of the page in a real browser: joints that were not found, two hits compared, files, a token, no index."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from index_fakes import opened
from web.accessibility import low_contrast, nameless
from web.browser import Apart, OpenTab, Served, picture
from web.test_page import FIGURE, another_search, found, joint

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_WITHOUT = """async joint => {
  const { encode, poseOf } = await import("/static/pose.js");
  const { session, post } = await import("/static/api.js");
  const { joints } = (await session()).skeletons.find(({ name }) => name === "BODY13");
  const { people: [{ keypoints }], picture } = await post("/api/query", { figure: "standing" });
  const pose = poseOf(keypoints, joints);
  delete pose[joint];
  return encode(pose, joints, picture);
}"""
_PASTE = """async address => {
  const bytes = await (await fetch(address)).arrayBuffer();
  const files = new DataTransfer();
  files.items.add(new File([bytes], "pasted.jpg", { type: "image/jpeg" }));
  document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: files, bubbles: true }));
}"""


def test_a_joint_that_was_not_found_is_placed_by_click_and_by_keyboard(tab: OpenTab) -> None:
    page = tab("")
    page.wait_for_selector(".zone")
    code = page.evaluate(_WITHOUT, "left_wrist")
    page = tab(f"#/search?min=0&distinct=0&pose={code}")
    before = found(page)
    place = page.get_by_role("group", name="Place joints").get_by_role("button", name="left wrist")
    place.click()
    assert place.get_attribute("aria-pressed") == "true"
    x, y = joint(page, "left elbow")
    with another_search(page):
        page.mouse.click(x + 30, y + 20)
    assert joint(page, "left wrist") == pytest.approx((x + 30, y + 20), abs=2)
    assert found(page) != before and place.count() == 0
    with another_search(page):
        page.keyboard.press("Control+z")
    place.focus()
    with another_search(page):
        page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "left wrist"
    elbow, shoulder = joint(page, "left elbow"), joint(page, "left shoulder")
    assert joint(page, "left wrist")[1] > elbow[1] > shoulder[1]  # on from the elbow


def test_two_selected_hits_are_compared(tab: OpenTab) -> None:
    page = tab(FIGURE)
    first, second = (id for id, _ in found(page)[:2])
    for id in (second, first):
        page.locator(f".hit[data-id='{id}']").get_by_role("checkbox").check()
    page.get_by_role("region", name="Selected results").get_by_role("button", name="Compare").click()
    page.locator(".readout").filter(has_text="likely the same pose").wait_for()
    assert f"a={first}&b={second}" in page.url


def test_seconds_before_and_after_are_asked_for_and_it_says_what_was_compared(tab: OpenTab) -> None:
    page = tab(FIGURE)
    found(page)
    how = page.locator(".results > p[role=status]").first
    assert how.text_content() == ""
    field = page.get_by_label("Seconds before and after, of films")
    assert field.input_value() == "0.3"
    field.fill("0.5")
    with page.expect_request(lambda sent: "/api/search" in sent.url) as asked, another_search(page):
        page.keyboard.press("Enter")
    assert asked.value.post_data_json["moment"] == 0.5 and "around=0.5" in page.url
    assert how.text_content() == "The frame alone is compared, for the query has no frames before and after."


def test_results_come_as_files(tab: OpenTab, tmp_path: Path) -> None:
    page = tab(FIGURE + "&where=media/park/*")
    shown = [id for id, _ in found(page)]
    for name in ("Report", "Sheet", "Table", "JSON"):
        page.get_by_role("region", name="Results", exact=True).get_by_role("button", name="Download").first.click()
        with page.expect_download() as waited:
            page.get_by_role("dialog").get_by_role("button", name=name).click()
        file = tmp_path / waited.value.suggested_filename
        waited.value.save_as(file)
        page.get_by_role("dialog").wait_for(state="detached")
    assert [row["id"] for row in csv.DictReader((tmp_path / "samepose.csv").open())] == shown
    assert [hit["id"] for hit in json.loads((tmp_path / "samepose.json").read_text())["results"]] == shown
    assert Image.open(tmp_path / "samepose.png").width > 300
    assert "<html" in (tmp_path / "samepose.html").read_text("utf-8")


def test_a_pasted_picture_is_asked(tab: OpenTab) -> None:
    page = tab("#/search?min=0&distinct=0")
    page.wait_for_selector(".zone")
    medium = page.evaluate("fetch('/api/library?where=*/05.png').then(answer => answer.json())")["media"][0]["id"]
    with another_search(page):
        page.evaluate(_PASTE, f"/api/media/{medium}")
    assert "pasted.jpg" in page.locator(".caption").inner_text() and found(page)


def test_a_finger_drags_a_joint(tab: OpenTab) -> None:
    page = tab(FIGURE, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844})
    before = found(page)
    (x, y), touch = joint(page, "left wrist"), page.context.new_cdp_session(page)
    with another_search(page):
        for kind, points in (("touchStart", [(x, y)]), ("touchMove", [(x + 10, y - 20)]),
                             ("touchMove", [(x + 25, y - 60)]), ("touchEnd", [])):
            touch.send("Input.dispatchTouchEvent",
                       {"type": kind, "touchPoints": [{"x": px, "y": py} for px, py in points]})
    assert joint(page, "left wrist") == pytest.approx((x + 25, y - 60), abs=3) and found(page) != before
    assert page.evaluate("scrollY") == 0  # the page stays where it is


def test_a_group_is_listed_by_a_click(chromium: Browser, tmp_path: Path) -> None:
    for n in range(4):
        for twin in "ab":
            picture(tmp_path / f"{n}{twin}.png", people=1, seed=n)
    index = opened(tmp_path / "index", Apart())
    index.add(tmp_path)
    first = index.cluster(min_size=2).to_json()["groups"][0]
    server = Served(tmp_path)
    server.start()
    try:
        page = chromium.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{server.url}/#/map?by=groups&least=2")
        page.locator(".legend").get_by_text("Group 1", exact=True).wait_for()
        page.get_by_role("button", name="Choose all of Group 1", exact=True).click()
        chosen = page.get_by_role("region", name="Chosen people")
        chosen.get_by_role("heading", name=f"Group 1: {first['size']} people chosen").wait_for()
        assert first["medoid"] in (chosen.get_by_role("link").first.get_attribute("href") or "")
        assert not nameless(page) and not low_contrast(page)
        page.get_by_text("Labels", exact=True).click()
        page.locator(".legend").get_by_text("No label").wait_for()
        assert "by=groups" not in page.url
        page.context.close()
    finally:
        server.kill()


def test_a_private_page_asks_for_its_token(chromium: Browser, tmp_path: Path) -> None:
    """And without an index it leads to the library."""
    picture(tmp_path / "new" / "a.png", people=1)
    server = Served(tmp_path, token="a token of the tests")
    server.start()
    try:
        page = chromium.new_context(viewport={"width": 390, "height": 844}).new_page()
        page.set_default_timeout(60_000)
        page.goto(server.url)
        for token, said in (("wrong", "that is not the token"), ("a token of the tests", None)):
            page.get_by_label("Token").fill(token)
            page.get_by_role("button", name="Open").click()
            page.get_by_text(said).wait_for() if said else page.wait_for_selector(".zone")
            assert not nameless(page) and not low_contrast(page)
        page.locator(".notice").get_by_role("link", name="Open the library").click()
        page.get_by_role("button", name="Add a folder").wait_for()
        page.context.close()
    finally:
        server.kill()
