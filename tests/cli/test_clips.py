"""What was found, cut out and written down; and filters by date."""

from __future__ import annotations

import csv
import os
import shutil
from datetime import date, datetime
from pathlib import Path

import av
import pytest

from drawn_people import Shell, detector, embedder, photo, video
from exercising_people import jack, moves, saved, stand
from samepose.errors import UsageError
from samepose.index import Index


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    photo(folder / "q.png", arms=60)
    photo(folder / "media" / "old.png", arms=70)
    photo(folder / "media" / "two.png", people=2, arms=45)
    video(folder / "media" / "clip.mp4", frames=30)
    _dated(folder / "media" / "old.png", 2019)
    _dated(folder / "media" / "two.png", 2021)
    _dated(folder / "media" / "clip.mp4", 2023)
    Index.open(folder / "samepose-index", create=True, root=folder, detector=detector(), embedder=embedder()).add(
        folder / "media")
    return folder


@pytest.fixture
def mine(template: Path, run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(template, tmp_path / "mine")
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path / "mine"


def _dated(path: Path, year: int) -> None:
    noon = datetime(year, 5, 17, 12).timestamp()
    os.utime(path, (noon, noon))


def _length(path: Path) -> tuple[float, int, int]:
    """Seconds, width and height, as FFmpeg decodes them."""
    with av.open(str(path)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
        stream = container.streams.video[0]
        return times[-1] - times[0], stream.width, stream.height


def test_a_second_around_each_hit_is_cut_out_and_photos_are_copied_once(run: Shell, mine: Path) -> None:
    words = ["search", "q.png", "--min-score", "0", "-k", "12", "--distinct", "0.5", "--clips", "found"]
    results = run.json(*words)["results"]
    photos = list(dict.fromkeys(r["path"] for r in results if r["time"] is None))
    moments = [(rank, r["time"]) for rank, r in enumerate(results, 1) if r["time"] is not None]
    files = {int(path.name.partition("-")[0]): path for path in (mine / "found").iterdir()}
    assert len(files) == len(photos) + len(moments) and len(photos) == 2 and moments
    for rank, time in moments:
        seconds, width, height = _length(files[rank])
        end = min(time + 0.5, 2.9)
        assert seconds == pytest.approx(end - max(time - 0.5, 0), abs=0.11) and width % 2 == height % 2 == 0
    first = next(n for n, r in enumerate(results, 1) if r["path"].endswith("old.png"))
    assert files[first].name.endswith("-old.png")
    assert files[first].read_bytes() == (mine / "media" / "old.png").read_bytes()


def test_clips_replace_no_file_without_force_and_no_input_ever(run: Shell, mine: Path) -> None:
    words = ["search", "q.png", "--min-score", "0", "-k", "1", "--where", "clip.mp4", "--clips", "found"]
    (mine / "found").mkdir()
    there = mine / "found" / "1-clip.mp4"
    there.write_text("mine")
    run.fails(*words, code=2, says=["1-clip.mp4: exists already; --force replaces it"])
    assert there.read_text() == "mine"
    run(*words, "--force")
    assert _length(there)[0] > 0.4
    there.unlink()
    there.symlink_to(mine / "media" / "clip.mp4")
    before = (mine / "media" / "clip.mp4").read_bytes()
    run.fails(*words, "--force", code=2, says=["would replace"])
    assert (mine / "media" / "clip.mp4").read_bytes() == before
    run.fails(*words[:-1], "q.png", code=2, says=["q.png: is no folder"])


def test_a_video_that_is_gone_is_named_and_the_rest_is_cut(run: Shell, mine: Path) -> None:
    (mine / "media" / "clip.mp4").unlink()
    run("search", "q.png", "--min-score", "0", "-k", "12", "--clips", "found", code=1)
    assert "clip.mp4: there is no file to cut from" in run.err
    assert {path.name.partition("-")[2] for path in (mine / "found").iterdir()} == {"old.png", "two.png"}


def test_finds_are_cut_out_and_tabled(run: Shell, mine: Path) -> None:
    results = run.json("find", "media/clip.mp4", "--span", "0:1", "--in", "media/clip.mp4", "-k", "1", "--clips", "cut",
                       "--csv", "finds.csv")["results"]
    with (mine / "finds.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row == {name: str(value) for name, value in results[0].items()}
    assert _length(mine / "cut" / "1-clip.mp4")[0] == pytest.approx(results[0]["end"] - results[0]["start"], abs=0.11)
    inside = run.json("find", "media/clip.mp4", "--span", "0:1", "-k", "1", "--clips", "again")["results"]
    assert inside[0]["path"] == "media/clip.mp4" and _length(mine / "again" / "1-clip.mp4")[0] > 0.3
    run.fails("find", "media/clip.mp4", "--in", "media/clip.mp4", "--csv", "finds.csv", code=2, says=["finds.csv: exi"])
    saved(mine / "move.npz", moves((stand, 1), (jack, 1.3)))
    run("find", "move.npz", "--span", "1:", "--in", "move.npz", "-k", "1", "--clips", "none", code=1)
    assert "move.npz: there is no file to cut from" in run.err


# -- dates -------------------------------------------------------------------------------------------------------


def found(run: Shell, *words: str) -> set[str]:
    results = run.json("search", "q.png", "--min-score", "0", "-k", "50", *words)["results"]
    return {Path(r["path"]).name for r in results}


def test_only_files_changed_between_two_dates(run: Shell, mine: Path) -> None:
    assert found(run, "--since", "2020-01-01") == {"two.png", "clip.mp4"}
    assert found(run, "--until", "2021-05-17") == {"old.png", "two.png"}  # to the end of the day
    assert found(run, "--until", "2021-05-17T11:59") == {"old.png"}
    assert found(run, "--since", "2021-05-17T12:01", "--until", "2024-01-01") == {"clip.mp4"}
    assert found(run, "--since", "2020-01-01", "--where", "*.png") == {"two.png"}
    assert found(run, "--since", "2019-01-01", "--from", "0.5") == {"clip.mp4"}
    index = Index.open("samepose-index")
    assert [m.path for m in index.select(since=date(2021, 5, 17), until=date(2021, 5, 17))] == ["media/two.png"]


def test_dates_that_match_nothing_or_are_none_are_told(run: Shell, mine: Path) -> None:
    run("search", "q.png", "--since", "2030-01-01", "--where", "*.png")
    assert "nothing found; --where *.png --since 2030-01-01 matches no file of the index" in run.err
    run.fails("search", "q.png", "--since", "yesterday", code=2, says=["--since is 'yesterday'", "2026-11-24"])
    run.fails("search", "q.png", "--until", "2021-13-01", code=2, says=["--until is '2021-13-01'"])
    run.fails("search", "q.png", "--since", "2022-01-01", "--until", "2021-01-01", code=2, says=["nothing lies"])


def test_people_without_a_file_have_no_date(tmp_path: Path) -> None:
    index = Index.open(tmp_path / "ix", create=True, embedder=embedder())
    index.add(moves((jack, 1)), name="gone.mp4")
    assert len(index.select()) == 1 and not index.select(until="2999-01-01")
    with pytest.raises(UsageError, match="`since` is 'x'"):
        index.select(since="x")
