"""The page with a figure that one can turn: what is in it, and in a browser that it turns, plays and asks nobody."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from made_up_motion import standing
from samepose.errors import UsageError
from samepose.media.draw import LEFT_COLOUR, MIDDLE_COLOUR, OUTLINE_COLOUR, RIGHT_COLOUR
from samepose.media.writer import video_writer
from samepose.poses import Poses
from samepose.report.figure import write_figure
from samepose.skeleton import H36M17

STATIC = Path(__file__).parents[2] / "src/samepose/report/static"


def moving(n: int = 30) -> Poses:
    points = standing()[None] + np.linspace(0, 1, n)[:, None, None] * (1, 0, 0)
    return Poses.of(points, H36M17, times=np.arange(n) / 30, unit="metre", fps=30.0)


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_page_holds_all_and_asks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    alternatives = np.stack([standing(), standing() * (1, 1, -1)])[None]
    write_figure(path, Poses.of(standing(), H36M17, unit="metre"), picture=np.full((60, 80, 3), 200, np.uint8),
                 alternatives=alternatives, weights=np.array([[0.7, 0.3]]), title="<b>Ann & Bob</b>", note="</script>")
    page = path.read_text("utf-8")
    assert "&lt;b&gt;Ann &amp; Bob&lt;/b&gt;" in page and "<b>Ann" not in page and "&lt;/script&gt;" in page
    assert not re.search(r'(?:src|href)="(?!data:)', page) and "http://" not in page.replace("http-equiv", "")
    script = re.search(r'<script type="module">(.*?)</script>', page, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src &#x27;sha256-{digest}&#x27;" in page and "default-src &#x27;none&#x27;" in page
    data = data_of(page)
    np.testing.assert_allclose(np.array(data["poses"]).reshape(17, 3) / 1000, standing(), atol=6e-4)
    assert np.array(data["alternatives"]).shape == (1, 2, 51) and data["weights"] == [[0.7, 0.3]]


def test_a_missing_joint_and_a_long_video_s_time(tmp_path: Path) -> None:
    pose = standing()
    pose[H36M17.index("left_wrist")] = np.nan
    write_figure(tmp_path / "a.html", Poses.of(pose, H36M17, unit="metre"))
    row = data_of((tmp_path / "a.html").read_text("utf-8"))["poses"][0]
    assert row[3 * H36M17.index("left_wrist")] == -32768


def test_what_cannot_be_turned_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no 3D pose"):
        write_figure(tmp_path / "a.html", Poses.of(np.ones((1, 17, 2)), H36M17))
    with pytest.raises(UsageError, match="are not of 30 poses"):
        write_figure(tmp_path / "a.html", moving(), alternatives=np.zeros((1, 2, 17, 3)), weights=np.ones((1, 2)))


def test_colours_are_those_of_the_pictures() -> None:
    line = re.search(r"COLOURS = \{(.*?)\}", (STATIC / "figure.js").read_text("utf-8"))
    assert line
    told = {name: tuple(bytes.fromhex(hexes)) for name, hexes in re.findall(r'(\w+): "#(\w{6})"', line[1])}
    assert told == {"left": LEFT_COLOUR, "right": RIGHT_COLOUR, "middle": MIDDLE_COLOUR, "outline": OUTLINE_COLOUR}


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens a page and collects what goes wrong in it and what it asks for."""
    context = chromium.new_context(viewport={"width": 1000, "height": 800})

    def opener(path: Path) -> Any:
        tab = context.new_page()
        tab.wrong = []
        tab.on("pageerror", lambda error: tab.wrong.append(str(error)))
        tab.on("console", lambda message: tab.wrong.append(message.text) if message.type == "error" else None)
        tab.on("request", lambda r: tab.wrong.append(r.url) if not r.url.startswith(("file:", "data:")) else None)
        tab.goto(path.as_uri())
        return tab

    yield opener
    context.close()


LEFT_AND_RIGHT = """() => {
  const canvas = document.getElementById("figure");
  const { data, width } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const sums = { left: [0, 0], right: [0, 0] };
  for (let k = 0; k < data.length; k += 4) {
    const kind = data[k] > 240 && data[k + 1] > 130 && data[k + 1] < 150 && data[k + 2] < 10 ? "left"
      : data[k] < 10 && data[k + 1] > 120 && data[k + 1] < 140 && data[k + 2] > 240 ? "right" : null;
    if (kind) { sums[kind][0] += (k / 4) % width; sums[kind][1] += 1; }
  }
  return Object.fromEntries(Object.entries(sums).map(([name, [x, n]]) => [name, x / n / width]));
}"""


def test_it_turns_and_left_is_left(opened: Any, tmp_path: Path) -> None:
    alternatives = np.stack([standing(), standing() * (1, 1, -1)])[None]
    write_figure(tmp_path / "a.html", Poses.of(standing(), H36M17, unit="metre"), alternatives=alternatives,
                 weights=np.array([[0.7, 0.3]]))
    tab = opened(tmp_path / "a.html")
    tab.get_by_role("button", name="As photographed").click()
    from_front = tab.evaluate(LEFT_AND_RIGHT)
    assert from_front["left"] > 0.5 > from_front["right"]  # who faces us has the left hand on our right
    figure = tab.locator("#figure")
    figure.focus()
    for _ in range(26):  # 26 steps of 0.12 are half a turn
        tab.keyboard.press("ArrowRight")
    from_behind = tab.evaluate(LEFT_AND_RIGHT)
    assert from_behind["left"] < 0.5 < from_behind["right"]
    before = tab.locator("#view").inner_text()
    box = figure.bounding_box()
    tab.mouse.move(box["x"] + 200, box["y"] + 200)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 260, box["y"] + 220, steps=3)
    tab.mouse.up()
    assert tab.locator("#view").inner_text() != before
    tab.keyboard.press("0")
    assert tab.locator("#view").inner_text() == "20° to the left, 9° from above"
    picture = figure.screenshot()
    tab.get_by_role("radio", name="Alternative 1").check()
    assert figure.screenshot() != picture
    assert tab.wrong == []


def test_it_plays_with_its_video(opened: Any, tmp_path: Path) -> None:
    with video_writer(tmp_path / "v.mp4", (64, 48), 30) as writer:
        for k in range(30):
            writer.write(np.full((48, 64, 3), 8 * k, np.uint8))
    write_figure(tmp_path / "a.html", moving(), video=tmp_path / "v.mp4")
    tab = opened(tmp_path / "a.html")
    tab.locator("#video").evaluate(
        "v => v.readyState >= 2 || new Promise((done) => v.addEventListener('loadeddata', () => done(true)))")
    tab.get_by_role("slider", name="Time").focus()
    for _ in range(3):
        tab.keyboard.press("ArrowRight")
    assert tab.locator("#scrub").get_attribute("aria-valuetext") == "0.1 of 1.0 seconds"
    assert tab.evaluate("document.getElementById('video').currentTime") == pytest.approx(0.1, abs=0.01)
    tab.get_by_role("button", name="Play").click()
    tab.locator('#scrub[aria-valuetext="1.0 of 1.0 seconds"]').wait_for()
    tab.get_by_role("button", name="Play", exact=True).wait_for()  # at its end it stops
    assert tab.wrong == []


def test_on_a_phone_nothing_is_wider_than_the_screen(opened: Any, tmp_path: Path) -> None:
    two = Poses.of(np.stack([standing(), standing()]), H36M17, unit="metre")
    write_figure(tmp_path / "a.html", two, picture=np.zeros((600, 900, 3), np.uint8))
    tab = opened(tmp_path / "a.html")
    tab.set_viewport_size({"width": 390, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    tab.get_by_label("Person").select_option("1")
    assert tab.wrong == []
