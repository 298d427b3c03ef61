"""What the command line prints: names cannot take hold of the terminal, times are read as written, tables fit."""

from __future__ import annotations

import io
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from drawn_people import Shell, photo
from samepose.cli.options import Options
from samepose.cli.text import seconds, shown, table_text

EVIL = "x\x1b[31m\x1b]0;owned\x07\u202egpj\x9b2J\nerror: no\r\u2028\x7f"


def harmless(text: str) -> bool:
    return all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp") for c in text)


@given(st.text(st.characters()))
def test_whatever_a_name_holds_it_is_shown_in_one_harmless_line(name: str) -> None:
    text = shown(name).replace("\u200c", "").replace("\u200d", "")
    assert harmless(text) and "\n" not in text
    text.encode()
    assert shown(shown(name)) == shown(name)


def test_names_in_all_languages_stay() -> None:
    for name in ("Fuß 日本 🏃‍♂️.png", "می‌خواهم.jpg", "[bold]x[/bold] a\\b.png", "שלום.jpg"):
        assert shown(name) == name
    assert shown("a\x1b[2J\u202eb") == r"a\x1b[2J\u202eb"
    assert shown("two\nlines\t", keep="\n") == "two\nlines\\t"


def test_no_verb_lets_a_name_or_label_through(run: Shell, tmp_path: Path) -> None:
    photo(tmp_path / "media" / f"{EVIL}.png")
    (tmp_path / "media" / f"{EVIL}.jpg").write_text("no picture")
    for words, code in (
        (["index", "media", "--label", EVIL], 1), (["info"], 0),
        (["search", f"media/{EVIL}.png", "--copies", "--min-score", 0], 0),
        (["label", "*", EVIL], 0), (["search", f"media/{EVIL}.jpg"], 3), (["search", f"{EVIL}.png"], 2),
        (["search", f"media/{EVIL}.jpg", "--debug"], 3), (["info", "--index", EVIL], 3), (["detect", "media"], 1),
        (["detect", f"--{EVIL}"], 2), (["remove", "*", EVIL, "--yes"], 0), (["doctor", "--index", EVIL], 3),
    ):
        run(*words, code=code)
        assert harmless(run.out) and harmless(run.err), words
        if "--debug" not in words:  # a traceback has lines
            assert not [line for line in run.err.splitlines() if line.startswith("error: no")], words


def test_the_progress_bar_shows_names_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    with Options().progress("file") as progress:
        progress(1, 2, EVIL[-12:])
        time.sleep(0.3)
    assert r"\u2028" in screen.getvalue() and "\u2028" not in screen.getvalue()


@pytest.mark.parametrize(("text", "expected"), [
    ("90.5", 90.5), ("0", 0), ("0:01.5", 1.5), ("1:02:03", 3723), ("1:02:03.25", 3723.25), ("90:00", 5400), (" 7 ", 7),
])
def test_times(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", ":", "1:", ":30", "1:60", "1:99:00", "1:2:3:4", "1.5:30", "-1:30", "1:-30", "a",
                                  "nan", "1:nan", "1:1e1:2", "1: 2:3"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="give seconds, m:ss"):
        seconds(text)


def test_times_of_search(run: Shell, tmp_path: Path) -> None:
    from drawn_people import video

    video(tmp_path / "clip.mp4")
    run("index", "clip.mp4")
    words = ["search", "clip.mp4", "--copies", "--from", "0:00", "--to", "0:00:05", "--at"]
    found = [run.json(*words, at) for at in ("0.5", "0:00.5")]
    assert found[0] == found[1] and found[0]["results"]
    run.fails("search", "clip.mp4", "--at", "1:75", code=2, says=["--at", "1:75", "m:ss.s"])
    run.fails("search", "clip.mp4", "--at", "-1", code=2, says=["--at"])


def table() -> Table:
    made = Table()
    for name in ("#", "score"):
        made.add_column(name, justify="right")
    made.add_column("path", overflow="fold")
    made.add_column("time", justify="right", no_wrap=True)
    made.add_column("id", no_wrap=True)
    for n, path in enumerate(("a/日本/" + "long" * 12 + "/clip.mp4", "b.png"), 1):
        made.add_row(*map(Text, (str(n), "0.943", path, "2.00 s (1.50–2.50)", f"0a1b2c3d{n}-17")))
    return made


def printed(width: int | None, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: width is not None)
    monkeypatch.setenv("COLUMNS", str(width or 40))
    return table_text(table()).splitlines()


@pytest.mark.parametrize("width", [30, 40, 80, 200])
def test_a_table_fits_and_loses_nothing(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(width, monkeypatch)
    assert all(cell_len(line) <= width for line in lines)
    joined = "".join("".join(lines).split())
    for text in ("0.943", "0a1b2c3d1-17", "0a1b2c3d2-17", "b.png", "1.50–2.50"):
        assert text in joined, text
    if width == 40:
        assert lines[0] == "1  score 0.943  time 2.00 s (1.50–2.50)"
        assert "".join(line.strip() for line in lines[2:4]) == "a/日本/" + "long" * 12 + "/clip.mp4"
    else:
        assert (lines[0].split() == ["#", "score", "path", "time", "id"]) == (width > 40)


def test_piped_rows_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(None, monkeypatch)
    assert len(lines) == 3 and "a/日本/" + "long" * 12 + "/clip.mp4" in lines[1]
    assert lines[1].endswith("0a1b2c3d1-17")
