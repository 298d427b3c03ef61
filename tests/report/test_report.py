"""Pages and sheets of search results, looked at the way a browser and an eye would."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from drawn_people import standing
from samepose.errors import SameposeError
from samepose.index import Hit
from samepose.media.draw import LEFT_COLOUR, RIGHT_COLOUR
from samepose.poses import Poses
from samepose.query.query import Query
from samepose.report import Section, write_report, write_sections, write_sheet, write_sheet_sections
from samepose.report.cards import clock
from samepose.report.sheet import sheet_paths
from samepose.skeleton import COCO17

GREEN = (20, 160, 60)


def hit(path: str, pose: Poses, **fields: object) -> Hit:
    known = Hit("0a1b2c3d4-7", 0.83, path, None, None, 0, 0, None, False, None, pose)
    return replace(known, **fields)  # type: ignore[arg-type]


def query(pose: Poses | None = None, image: Path | None = None) -> Query:
    return Query(pose if pose is not None else standing(100, 100), "poses.npz", image, None, None, 1)


def photo(path: Path, width: int = 300, height: int = 200) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), GREEN, np.uint8)).save(path)
    return path.name


class Page(HTMLParser):
    """What a browser makes of a page: its tags, its words, its pictures."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.text = text

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data + "\n"

    def pictures(self) -> list[np.ndarray]:
        sources = [a["src"] or "" for tag, a in self.tags if tag == "img"]
        return [np.array(Image.open(io.BytesIO(base64.b64decode(s.partition("base64,")[2])))) for s in sources]


def page_of(path: Path) -> Page:
    return Page(path.read_text("utf-8"))


def near(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.abs(picture.astype(int) - colour).sum(axis=-1) < 90


def test_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    write_report(tmp_path / "r.html", query(), [hit("a.jpg", standing(150, 100))], tmp_path)
    page = page_of(tmp_path / "r.html")
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert all((a["src"] or "").startswith("data:image/jpeg;base64,") for tag, a in page.tags if tag == "img")
    assert not re.search(r"https?://|url\(|@import", page.text)
    assert len(page.pictures()) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"a.jpg", "r.html"}


def test_page_says_what_is_known_of_a_match(tmp_path: Path) -> None:
    shown = hit("clips/x.mp4", standing(50, 50), time=61.234, span=(60.5, 62.0), mirrored=True, label="jump", person=3)
    write_report(tmp_path / "r.html", query(), [shown, hit("b.jpg", standing(9, 9), score=0.05)], tmp_path)
    words = page_of(tmp_path / "r.html").words.split("\n")
    for expected in ("0.83", "0.05", "x.mp4", "clips", "jump", "person 3", "0a1b2c3d4-7", "poses.npz", "1", "2"):
        assert expected in words
    assert "in 1:00.50 to 1:02.00" in words
    assert words.count("mirrored") == 1
    assert "1 query, 2 matches" in words


def test_names_are_text_not_markup(tmp_path: Path) -> None:
    name = '<img src=x onerror="alert(1)">&amp;.jpg'
    evil = hit(f"<b>/{name}", standing(50, 50), label="<script>alert(2)</script>")
    asked = replace(query(), source='"><script>.npz')
    write_sections(tmp_path / "r.html", [Section(asked, [evil], "<i>", ["<u>"])], tmp_path, title="<s>", note="<p>x")
    page = page_of(tmp_path / "r.html")
    assert not {"script", "u", "s"} & {tag for tag, _ in page.tags}
    assert all("onerror" not in attributes for _, attributes in page.tags)
    assert name in page.words.replace("\n", "")
    assert "<script>alert(2)</script>" in page.words


def test_crop_is_centred_on_the_match_with_sides_in_their_colours(tmp_path: Path) -> None:
    image = np.full((400, 600, 3), GREEN, np.uint8)
    image[:, :300] = (255, 0, 255)  # far from the person
    Image.fromarray(image).save(tmp_path / "a.png")
    _, (card,) = Section(query(), [hit("a.png", standing(450, 200))]).cards(tmp_path, 300)
    assert card.picture.shape == (300, 300, 3)
    assert not near(card.picture, (255, 0, 255)).any()
    left, right = (np.argwhere(near(card.picture, colour)) for colour in (LEFT_COLOUR, RIGHT_COLOUR))
    assert left[:, 1].mean() > 165 and right[:, 1].mean() < 135
    assert np.abs(np.vstack([left, right])[:, 1].mean() - 150) < 8
    assert near(card.picture, GREEN).mean() > 0.7


@pytest.mark.parametrize(("x", "y", "shape"), [(5, 100, (200, 200)), (295, 195, (200, 200)), (150, 100, (200, 200))])
def test_crop_stays_inside_the_image(tmp_path: Path, x: float, y: float, shape: tuple[int, int]) -> None:
    photo(tmp_path / "a.png")
    _, (card,) = Section(query(), [hit("a.png", standing(x, y))]).cards(tmp_path, 200)
    assert card.picture.shape[:2] == shape and card.problem is None
    assert near(card.picture, GREEN).mean() > 0.6


def test_person_larger_than_a_portrait_photo_is_not_padded(tmp_path: Path) -> None:
    photo(tmp_path / "a.png", 100, 300)
    _, (card,) = Section(query(), [hit("a.png", standing(50, 150, 280))]).cards(tmp_path, 300)
    assert card.picture.shape == (300, 100, 3)


def test_vanished_and_damaged_media_leave_a_skeleton_and_a_reason(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    hits = [hit("gone.jpg", standing(50, 50)), hit("bad.jpg", standing(50, 50)),
            hit("bad.mp4", standing(50, 50), time=1.0), hit("gone/x.mp4", standing(50, 50), time=1.0)]
    _, cards = Section(query(), hits).cards(tmp_path, 200)
    assert all(card.problem and str(tmp_path) not in card.problem for card in cards)
    assert all(near(card.picture, LEFT_COLOUR).sum() > 50 for card in cards)
    write_report(tmp_path / "r.html", query(), hits, tmp_path)
    words = page_of(tmp_path / "r.html").words
    assert words.count("there is no such file") == 2 and "is not an image that can be read" in words
    write_sheet(tmp_path / "r.png", query(), hits, tmp_path)


def test_video_hit_shows_its_own_frame(tmp_path: Path) -> None:
    levels = [20, 90, 160, 230]
    with av.open(str(tmp_path / "v.avi"), "w") as out:
        stream = out.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for level in levels:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), level, np.uint8), "rgb24")))
        out.mux(stream.encode())
    hits = [hit("v.avi", standing(32, 32, 30), time=n / 4) for n in range(4)]
    _, cards = Section(query(), hits).cards(tmp_path, 100)
    assert [round(float(np.median(c.picture))) for c in cards] == pytest.approx(levels, abs=6)


def test_pose_without_any_joint_shows_the_whole_photo(tmp_path: Path) -> None:
    photo(tmp_path / "a.png", 300, 150)
    nobody = Poses.of(np.full((17, 2), np.nan), COCO17)
    _, (card,) = Section(query(nobody), [hit("a.png", nobody)]).cards(tmp_path, 200)
    assert card.picture.shape == (100, 200, 3) and near(card.picture, GREEN).all()


def test_photo_replaced_by_a_smaller_one_does_not_fail(tmp_path: Path) -> None:
    photo(tmp_path / "a.png", 40, 30)
    _, (card,) = Section(query(), [hit("a.png", standing(900, 900))]).cards(tmp_path, 200)
    assert card.picture.shape == (150, 200, 3)


def test_several_queries_and_one_that_finds_nothing(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    one = hit("a.jpg", standing(150, 100))
    sections = [Section(query(), [one, one], "First", ["early", "late"], ranked=False), Section(query(), [], "Second")]
    write_sections(tmp_path / "r.html", sections, tmp_path, title="Both", note="Licence")
    words = page_of(tmp_path / "r.html").words
    for expected in ("Both", "First", "early", "late", "Second", "Nothing matches.", "Licence", "2 queries, 2 matches"):
        assert expected in words
    write_sheet_sections(tmp_path / "r.png", sections, tmp_path, title="Both", note="Licence")
    assert Image.open(tmp_path / "r.png").height > 800


def test_unranked_matches_have_no_number(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    section = Section(query(), [hit("a.jpg", standing(150, 100))] * 2)
    assert [card.rank for card in section.cards(tmp_path, 50)[1]] == [1, 2]
    assert [card.rank for card in replace(section, ranked=False).cards(tmp_path, 50)[1]] == [None, None]


def test_sheet_keeps_words_inside_their_cards(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    long = "a_rather_long_name_" * 6 + ".jpg"
    hits = [hit("a.jpg", standing(150, 100)), hit(f"{'folder/' * 20}{long}", standing(50, 50), label="long " * 40)]
    write_sheet(tmp_path / "r.png", query(), hits, tmp_path)
    sheet = np.array(Image.open(tmp_path / "r.png"))
    paper = sheet[2, 2]
    below_header = sheet[100:]
    for column in range(28 + 300 + 4, 28 + 300 + 12):  # between the query's card and the first match's
        assert (below_header[:, column] == paper).all()
    assert (below_header[:, -24:] == paper).all()
    assert near(sheet, LEFT_COLOUR).sum() > 500


def test_a_thousand_matches_fill_several_sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo(tmp_path / "a.jpg")
    ranks: list[list[int | None]] = []
    draw = Section.cards
    monkeypatch.setattr("samepose.report.cards.Section.cards", lambda section, root, size: (
        cards := draw(section, root, size), ranks.append([card.rank for card in cards[1]]))[0])
    hits = [hit("a.jpg", standing(150, 100))] * 130
    write_sheet(tmp_path / "r.png", query(), hits, tmp_path)
    paths = sheet_paths(tmp_path / "r.png", 130)
    assert [p.name for p in paths] == ["r.png", "r-2.png", "r-3.png"] and set(paths) == set(tmp_path.glob("r*.png"))
    assert [rank for page in ranks for rank in page] == list(range(1, 131)) and max(map(len, ranks)) == 60
    sizes = [Image.open(path).size for path in paths]
    assert all(height < 6000 for _, height in sizes) and sizes[2][1] < sizes[1][1]
    sections = [Section(query(), hits[:40], "one"), Section(query(), hits[:40], "two"), Section(query(), [], "three")]
    write_sheet_sections(tmp_path / "s.png", sections, tmp_path)
    assert sorted(p.name for p in tmp_path.glob("s*.png")) == ["s-2.png", "s.png"]
    assert len(sheet_paths(tmp_path / "r.png", 0)) == len(sheet_paths(tmp_path / "r.png", 60)) == 1


def test_sheet_of_many_matches_has_rows(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    sizes = []
    for n in (2, 5, 11):
        write_sheet(tmp_path / "r.png", query(), [hit("a.jpg", standing(150, 100))] * n, tmp_path)
        sizes.append(Image.open(tmp_path / "r.png").size)
    assert sizes[0][0] < sizes[1][0] == sizes[2][0]
    assert sizes[0][1] == sizes[1][1] < sizes[2][1]


def test_error_names_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    for write, name in ((write_report, "r.html"), (write_sheet, "r.png")):
        with pytest.raises(SameposeError, match=f"{name}: cannot be written"):
            write(tmp_path / "missing" / name, query(), [], tmp_path)


def test_query_shows_what_was_asked(tmp_path: Path) -> None:
    asked = replace(query(), person=2, people=4, chosen=True, ignored=("left_knee",), time=3.5)
    card, _ = Section(asked, []).cards(tmp_path, 100)
    assert card.facts == ("person 2", "without left knee") and card.when == "0:03.50" and card.problem is None


def test_a_query_of_pixels_shows_them_and_no_file_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("samepose.report.cards.picture_at", lambda *_: pytest.fail("read again"))
    pixels = np.full((200, 300, 3), GREEN, np.uint8)
    for image in (None, tmp_path / "gone.png"):
        asked = replace(query(standing(150, 100), image), pixels=pixels)
        card, _ = Section(asked, []).cards(tmp_path, 200)
        assert card.problem is None and near(card.picture, GREEN).mean() > 0.6


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00.00"), (59.999, "1:00.00"), (61.234, "1:01.23"), (3723.456, "1:02:03.46")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
