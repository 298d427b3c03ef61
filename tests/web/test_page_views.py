"""Compare, moves, map and library of the page in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from benchmarks.page import FRAMES

from index_fakes import opened
from web.accessibility import low_contrast, nameless
from web.browser import OpenTab, Served, clip, picture
from web.test_moves import exercise

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page


@pytest.fixture(scope="module")
def library_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of three clips of two movers, and of 16 photos."""
    folder = tmp_path_factory.mktemp("views")
    index = opened(folder / "index")
    for n in range(3):
        index.add(exercise(n % 2), name=clip(folder / "clips" / f"{n}.mp4", people=1, frames=60, seed=n))
    for n in range(16):
        picture(folder / "photos" / f"{n:02d}.png", people=1 + n % 2, seed=n)
    index.add(folder / "photos")
    server = Served(folder)
    server.start()
    yield server
    server.kill()


def ids(page: Page, served: Served) -> dict[str, str]:
    """Name of a clip -> its id."""
    media = page.request.get(f"{served.url}/api/library?where=*.mp4").json()["media"]
    return {medium["path"].rpartition("/")[2]: medium["id"] for medium in media}


def clock(seconds: float) -> str:
    return f"0:{round(10 * seconds + 1e-9) / 10:04.1f}"


def set_range(slider: Locator, value: float) -> None:
    """As somebody who drags it."""
    slider.evaluate("(node, value) => { node.value = value; node.dispatchEvent(new Event('input')); }", value)


def test_compare_two_clips_and_scrub(tab: OpenTab, library_served: Served) -> None:
    page = tab("#/compare")
    for side, name in (("Left", "0.mp4"), ("Right", "1.mp4")):
        page.get_by_role("region", name=side).get_by_role("button", name="Choose a video").click()
        page.get_by_role("dialog").get_by_role("button", name=name).click()
    page.locator(".strip").wait_for()
    media = ids(page, library_served)
    asked = {"a": {"media": media["0.mp4"]}, "b": {"media": media["1.mp4"]}}
    told = page.request.post(f"{library_served.url}/api/align", data=asked).json()
    last = len(told["times"]) - 1

    def shown_is(step: int) -> None:
        assert page.locator(".side-time").all_text_contents() == [clock(t) for t in told["times"][step]]
        ringed = sum(values[step] is not None and values[step] >= 20 for values in told["degrees"].values())
        for side in ("Left", "Right"):
            assert page.get_by_role("region", name=side).locator(".ring").count() == min(ringed, 4)

    strip = page.get_by_role("slider", name="Moment", exact=True)
    for key, step in (("End", last), ("ArrowLeft", last - 1), ("Home", 0)):
        strip.press(key)
        shown_is(step)
    box = strip.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 20)
    step = int(strip.input_value())
    assert abs(step - last / 2) <= 0.05 * last
    shown_is(step)
    set_range(page.get_by_role("slider", name="Moment of the right video"), told["times"][last // 3][1])
    step = int(strip.input_value())
    assert told["times"][step][1] == pytest.approx(told["times"][last // 3][1], abs=0.02)
    shown_is(step)
    page.wait_for_function(  # the address follows a little later
        "at => Math.abs(new URLSearchParams(location.hash.split('?')[1]).get('at') - at) < 0.005", arg=step / last)
    other = tab(page.url.partition("/#")[2].join(["#", ""]))
    other.locator(".strip").wait_for()
    for side in (0, 1):
        there = page.locator(".side-time").nth(side).inner_text()
        other.locator(".side-time").nth(side).filter(has_text=there).wait_for()


def test_mark_a_move_and_find_and_count_it(tab: OpenTab, library_served: Served) -> None:
    page = tab("#/moves")
    page.get_by_role("button", name="Choose a video").click()
    page.get_by_role("dialog").get_by_role("button", name="0.mp4").click()
    finish = page.get_by_role("slider", name="End of the move")
    finish.wait_for()
    line, grip = page.locator(".timeline").bounding_box(), finish.bounding_box()
    assert line is not None and grip is not None
    page.mouse.move(grip["x"] + 7, grip["y"] + 20)
    page.mouse.down()
    page.mouse.move(line["x"] + line["width"] / 2, line["y"] + 20, steps=5)
    page.mouse.up()
    assert float(finish.get_attribute("aria-valuenow") or 0) == pytest.approx(3, abs=0.05)
    finish.press("Shift+ArrowLeft")
    assert page.get_by_text("Marked: 0:00.0 to 0:02.0").is_visible()
    finish.press("Home")
    assert float(finish.get_attribute("aria-valuenow") or 0) >= 0.1  # never before the start
    for key in ("Shift+ArrowRight", "Shift+ArrowRight", "ArrowLeft"):
        finish.press(key)
    page.get_by_role("button", name="Find in the index").click()
    page.locator(".places .span").first.wait_for()
    files = page.locator(".places .side-name").all_text_contents()
    assert files[0] in ("0.mp4", "2.mp4") and {"0.mp4", "2.mp4"} <= set(files)
    other = page.locator(".places > li").filter(has_text="2.mp4").locator(".span").first
    other.click()
    assert other.get_attribute("aria-pressed") == "true"
    page.get_by_text("2.mp4, 0:0").wait_for()
    page.get_by_role("button", name="Count in this clip").click()
    told = page.get_by_role("heading", name=re.compile(r"^\d+ times? in 0\.mp4$"))
    told.wait_for()
    assert page.locator(".places .span").count() == int(told.inner_text().split()[0]) >= 1


def mapped(page: Page, served: Served) -> tuple[Any, np.ndarray]:
    """What the server says of the map, and x of each point."""
    told = page.request.get(f"{served.url}/api/map").json()
    content = page.request.get(served.url + told["url"]).body()
    return told, np.frombuffer(content, "<u2", told["points"])


def lasso(page: Page, corners: list[tuple[float, float]]) -> None:
    """Around a part of the map; corners are shares of its width and height."""
    page.get_by_role("button", name="Lasso").click()
    box = page.locator(".map-canvas").bounding_box()
    assert box is not None
    for k, (x, y) in enumerate(corners):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=3)
        if k == 0:
            page.mouse.down()
    page.mouse.up()


def test_lasso_people_on_the_map_and_label_them(tab: OpenTab, library_served: Served) -> None:
    page = tab("#/map")
    page.get_by_text("near means alike").wait_for()  # the points are there
    _, x = mapped(page, library_served)
    lasso(page, [(0.01, 0.01), (0.5, 0.01), (0.5, 0.99), (0.01, 0.99)])
    middle = (int(x.min()) + int(x.max())) / 2  # in the middle of the canvas when all is shown
    left = int((x < middle).sum())
    chosen = page.get_by_role("region", name="Chosen people")
    chosen.get_by_role("heading", name=f"{left} people chosen").wait_for()
    assert "person=" in (chosen.get_by_role("link").first.get_attribute("href") or "")
    chosen.get_by_role("textbox").fill("<i>left</i>")
    chosen.get_by_role("button", name="Label", exact=True).click()
    page.locator(".legend").get_by_text("<i>left</i>").wait_for()
    told, _ = mapped(page, library_served)
    assert told["labels"] == ["<i>left</i>"]
    page.get_by_role("button", name="Choose all of No label").click()
    chosen.get_by_role("heading", name=f"{len(x) - left} people chosen").wait_for()
    canvas = page.get_by_role("application")
    canvas.press("Escape")
    assert chosen.is_hidden()
    canvas.press("Enter")
    chosen.get_by_role("heading", name=f"{len(x)} people chosen").wait_for()
    chosen.get_by_role("button", name="Take labels off").click()
    page.get_by_text(f"Labels of {len(x)} taken off.").wait_for()


def test_a_hundred_thousand_points_are_drawn_in_time(tab: OpenTab, record_property: Any) -> None:
    """The limit is wide: a busy machine without a graphics card; `benchmarks/page.py` measures."""
    page = tab("#/library")
    page.locator(".facts").wait_for()
    drawn, _, inks = page.evaluate(FRAMES, [100_000, 30])
    record_property("drawing_ms", drawn)
    assert inks > 5 and np.median(drawn) < 250, drawn


def add_folder(page: Page, folder: Path) -> None:
    page.get_by_role("button", name="Add a folder").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Folder", exact=True).fill(str(folder))
    dialog.get_by_role("button", name="Open").click()  # at once, while the first folder may still be on its way
    dialog.get_by_role("button", name="Index this folder").click()
    dialog.wait_for(state="detached")


def test_add_a_folder_and_watch_it_finish(tab: OpenTab, tmp_path: Path) -> None:
    for n in range(3):
        picture(tmp_path / "more" / f"more{n}.png", people=1, seed=40 + n)
    (tmp_path / "more" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    page = tab("#/library")
    add_folder(page, tmp_path / "more")
    job = page.locator(".job").first
    page.wait_for_selector(".job[data-state=done]")
    assert "3 people added" in job.inner_text() and "1 could not be read" in job.inner_text()
    page.get_by_role("searchbox", name="Part of the name").fill("/more/")
    page.get_by_text("4 of 23 files").wait_for()
    page.get_by_label("Only failures").check()
    page.get_by_text("1 of 23 files").wait_for()
    assert "broken.png" in page.locator(".file").inner_text()
    page.reload()
    page.get_by_text("1 of 23 files").wait_for()
    page.wait_for_selector(".job[data-state=done]")  # runs are told after a reload too


def test_cancel_a_run(tab: OpenTab, tmp_path: Path) -> None:
    for n in range(500):
        picture(tmp_path / "many" / f"{n}.png", people=1, seed=n)
    page = tab("#/library")
    add_folder(page, tmp_path / "many")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector(".job[data-state=cancelled]")
    assert page.get_by_role("button", name="Cancel").count() == 0
    assert page.get_by_role("button", name="Try again").count() == 1


def test_a_run_elsewhere_is_told(tab: OpenTab, tmp_path: Path, library_served: Served) -> None:
    picture(tmp_path / "late" / "late.png", people=1, seed=60)
    page = tab("#/library")
    with opened(library_served.folder / "index")._store.writing():
        add_folder(page, tmp_path / "late")
        job = page.locator(".job[data-state=failed]")
        job.wait_for()
    job.get_by_role("button", name="Try again").click()
    page.wait_for_selector(".job[data-state=done]:has-text('late')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_contrast_and_width(tab: OpenTab, library_served: Served, scheme: str) -> None:
    page = tab("#/library", color_scheme=scheme, viewport={"width": 390, "height": 844})
    media = ids(page, library_served)
    sides = f"a={media['0.mp4']}&b={media['1.mp4']}"
    for address, ready in (("library", ".file"), (f"compare?{sides}", ".strip"), ("map", ".legend"),
                           (f"moves?media={media['0.mp4']}&from=0&to=2", ".timeline"), ("compare", ".hint")):
        page.goto(f"{library_served.url}/#/{address}")
        page.locator(ready).first.wait_for()
        assert not nameless(page) and not low_contrast(page), address
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, address
