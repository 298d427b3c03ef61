"""The search of the page in a real browser: what a person does with it, with a mouse and without."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from web.accessibility import TEXT_PAIRS, contrast, low_contrast, nameless
from web.browser import OpenTab, Served, picture

if TYPE_CHECKING:
    from playwright.sync_api import Page

FIGURE = "#/search?figure=standing&min=0&distinct=0"
_DROP = """base64 => {
  const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], "group.png", { type: "image/png" }));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
}"""


def found(page: Page) -> list[tuple[str, str]]:
    """Id and score of each result that is shown, in order."""
    page.wait_for_selector(".results[aria-busy=false]")
    return [tuple(pair) for pair in page.eval_on_selector_all(
        ".hit[data-id]", "all => all.map(hit => [hit.dataset.id, hit.querySelector('.score').textContent])")]


@contextmanager
def another_search(page: Page) -> Iterator[None]:
    """Waits for the results of what is done in it."""
    with page.expect_response(lambda answer: "/api/search" in answer.url and answer.ok):
        yield
    page.wait_for_timeout(100)


def changes(page: Page, act: Callable[[], object]) -> bool:
    """Whether the results are others, or likely otherwise, after something was done."""
    before = found(page)
    with another_search(page):
        act()
    return found(page) != before


def joint(page: Page, name: str) -> tuple[float, float]:
    """Where the middle of a joint's handle is on the screen."""
    box = page.get_by_role("button", name=name, exact=True).locator(".knob").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def from_nose(page: Page, name: str) -> tuple[float, float]:
    """Where a joint is, however far the window is scrolled."""
    (x, y), (nose_x, nose_y) = joint(page, name), joint(page, "nose")
    return x - nose_x, y - nose_y


def test_drop_a_picture_pick_a_person_and_bend_them(tab: OpenTab, tmp_path: Path) -> None:
    page = tab("#/search?min=0&distinct=0")
    page.wait_for_selector(".zone")
    content = picture(tmp_path / "group.png", people=3, seed=7).read_bytes()
    with another_search(page):
        page.evaluate(_DROP, base64.b64encode(content).decode())
    assert len(found(page)) > 3
    second = page.get_by_role("button", name="Person 2 of 3")
    assert changes(page, second.click)
    assert second.get_attribute("aria-pressed") == "true" and "who=1" in page.url

    x, y = joint(page, "left wrist")

    def drag() -> None:
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 30, y - 40, steps=4)
        page.mouse.up()
    assert changes(page, drag)
    assert joint(page, "left wrist") == pytest.approx((x + 30, y - 40), abs=2)

    wrist = page.get_by_role("button", name="left wrist", exact=True)
    before_hiding = found(page)
    assert changes(page, wrist.click) and wrist.get_attribute("aria-pressed") == "false"
    with another_search(page):
        page.keyboard.press("Control+z")
    assert found(page) == before_hiding
    with another_search(page):
        page.get_by_role("button", name="Undo").click()
    assert joint(page, "left wrist") == pytest.approx((x, y), abs=2)

    left, right = joint(page, "left hip"), joint(page, "right hip")
    assert changes(page, page.get_by_role("button", name="Mirror", exact=True).click)
    mirrored = joint(page, "left hip"), joint(page, "right hip")
    assert mirrored[0][1] == pytest.approx(right[1], abs=1) and mirrored[1][1] == pytest.approx(left[1], abs=1)
    assert mirrored[0][0] - mirrored[1][0] == pytest.approx(left[0] - right[0], abs=2)


def test_the_address_tells_a_bent_pose_and_the_filters(tab: OpenTab) -> None:
    page = tab(FIGURE)
    found(page)
    page.get_by_role("button", name="left wrist", exact=True).focus()
    with another_search(page):
        page.keyboard.press("Shift+ArrowUp")
    with another_search(page):
        page.get_by_label("Also", exact=True).check(force=True)
    page.get_by_label("Folder or file").fill("media/park/*")
    with another_search(page):
        page.keyboard.press("Enter")
    expected, wrist = found(page), from_nose(page, "left wrist")
    assert expected and "mirror=also" in page.url and "pose=" in page.url

    other = tab(page.url.partition("/#")[2].join(["#", ""]))
    assert found(other) == expected and from_nose(other, "left wrist") == pytest.approx(wrist, abs=1)
    assert other.get_by_label("Also", exact=True).is_checked()
    assert other.get_by_label("Folder or file").input_value() == "media/park/*"
    assert all("park" in (path or "") for path in other.locator(".hit .path").all_text_contents())


def test_a_clip_plays_with_its_skeleton(tab: OpenTab) -> None:
    page = tab(FIGURE + "&where=media/clips/*")
    hit = page.get_by_role("button", name="Open a.mp4").first
    hit.click()
    player = page.get_by_role("dialog")
    player.locator(".footage .bone.left").first.wait_for()
    moment = player.get_by_role("slider")
    start = float(moment.input_value())
    player.get_by_role("button", name="A frame on").click()
    assert float(moment.input_value()) == pytest.approx(start + 0.1, abs=0.06)
    player.get_by_role("button", name="Play").click()
    player.get_by_role("button", name="Pause").wait_for()
    page.keyboard.press("Escape")
    player.wait_for(state="detached")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Open a.mp4")


def test_the_second_around_a_hit_plays_under_the_pointer(tab: OpenTab) -> None:
    page = tab(FIGURE + "&where=media/clips/*", reduced_motion="no-preference")
    page.get_by_role("button", name="Open a.mp4").first.hover()
    moving = page.locator(".hit .motion")
    moving.wait_for(state="attached")
    first = moving.get_attribute("href")
    page.wait_for_function("was => document.querySelector('.motion')?.getAttribute('href') !== was", arg=first)
    page.mouse.move(0, 0)
    moving.wait_for(state="detached")


def test_label_those_selected(tab: OpenTab) -> None:
    page = tab(FIGURE)
    found(page)
    chosen = page.locator(".hit").filter(has_text="02.png").first
    chosen.get_by_role("checkbox").check()
    bar = page.get_by_role("region", name="Selected results")
    bar.get_by_role("button", name="Remove").click()
    assert "1 person will be taken out" in page.get_by_role("dialog").inner_text()
    page.get_by_role("button", name="Cancel").click()
    for press in ("Label", "Take labels off"):
        bar.get_by_role("button", name="Label").click()
        if press == "Label":
            page.get_by_role("dialog").get_by_label("Label", exact=True).fill("<b>squat</b>")
        page.get_by_role("dialog").get_by_role("button", name=press, exact=True).click()
        page.get_by_role("dialog").wait_for(state="detached")
        assert (chosen.locator(".chip").all_text_contents() == ["<b>squat</b>"]) is (press == "Label")
        chosen.get_by_role("checkbox").check()


def test_nothing_found_says_what_to_do(tab: OpenTab) -> None:
    page = tab("#/search?figure=standing&where=elsewhere/*")
    page.get_by_role("heading", name="No file is called like that").wait_for()
    page = tab("#/search?person=0a1b2c3d4-17")
    page.get_by_role("alert").get_by_role("button", name="New search").wait_for()


def test_a_lost_server_is_told_and_waited_for(tab: OpenTab, library_served: Served) -> None:
    page = tab(FIGURE)
    expected = found(page)
    page.get_by_role("button", name="left wrist", exact=True).focus()
    library_served.kill()
    try:
        page.keyboard.press("Shift+ArrowUp")
        page.get_by_text("The server does not answer.").wait_for()
    finally:
        library_served.start()
    page.get_by_text("The server is back.").wait_for()
    page.locator("#banner").wait_for(state="hidden")
    page.wait_for_selector(".results[aria-busy=false]")
    with another_search(page):
        page.get_by_role("button", name="Undo").click()
    assert found(page) == expected


def test_all_of_it_with_the_keyboard(tab: OpenTab) -> None:
    page = tab("#/search?min=0&distinct=0")
    page.wait_for_selector(".zone")
    page.get_by_role("button", name="Bend a figure").focus()
    with another_search(page):
        page.keyboard.press("Enter")
    page.locator("main:not([hidden])").focus()
    passed = []
    for _ in range(120):
        page.keyboard.press("Tab")
        name = page.evaluate("""() => { const at = document.activeElement;
          return at.getAttribute('aria-label') || at.labels?.[0]?.innerText || at.innerText; }""")
        passed.append(name)
        if name.startswith("Open "):
            break
    order = ["Choose a picture or video", "nose", "left wrist", "Mirror", "Ignore parts", "At least this likely",
             "Folder or file", "Download", passed[-1]]
    assert passed[-1].startswith("Open ") and [passed.index(name) for name in order] == sorted(map(passed.index, order))
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")  # which gives the focus back
    knee = page.get_by_role("button", name="left knee", exact=True)
    assert changes(page, lambda: knee.press("Space"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_and_contrast(tab: OpenTab, scheme: str) -> None:
    page = tab("", color_scheme=scheme, viewport={"width": 390, "height": 844})
    page.wait_for_selector(".zone")
    assert not nameless(page) and not low_contrast(page)
    page.get_by_role("button", name="Bend a figure").click()
    found(page)
    page.locator(".filter-card summary").click()
    assert not nameless(page) and not low_contrast(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for ink, paper, least in TEXT_PAIRS:
        assert contrast(page, ink, paper) >= least, f"{ink} on {paper}"
