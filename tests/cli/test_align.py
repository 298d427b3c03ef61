"""`samepose align`: from videos, pose files and indexes to pairs of moments, a video, a picture and a table."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drawn_people import Shell, share_networks, video
from moving_people import waving
from samepose.formats.keypoints import save_poses
from samepose.media.video import probe, read_frames
from samepose.poses import Poses
from samepose.sequences.alignment import ANGLES


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SAMEPOSE_INDEX", raising=False)
    share_networks(monkeypatch)
    return Shell(capsys)


def save(name: str, poses: Poses, media: str = "") -> str:
    save_poses(name, poses, [media] * len(poses))
    return name


def loud_video(path: Path, seconds: float, hertz: float = 440.0) -> None:
    """Grey pictures with a tone."""
    import av

    with av.open(str(path), "w") as out:
        picture, sound = out.add_stream("mpeg4", rate=10), out.add_stream("aac", rate=48000, layout="mono")
        picture.width, picture.height, picture.pix_fmt = 320, 240, "yuv420p"
        for n in range(round(seconds * 10)):
            grey = np.full((240, 320, 3), 20 * (n % 10), np.uint8)
            out.mux(picture.encode(av.VideoFrame.from_ndarray(grey, "rgb24")))
        wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * 48000)) / 48000)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], "fltp", "mono")
        frame.sample_rate = 48000
        out.mux(sound.encode(frame))
        for stream in (picture, sound):
            out.mux(stream.encode(None))


def sound_of(path: Path) -> tuple[float, float]:
    """Seconds and root mean square of the sound of a video."""
    import av

    with av.open(str(path)) as container:
        samples = np.concatenate([f.to_ndarray().ravel() for f in container.decode(audio=0)])
        stream = container.streams.audio[0]
        return len(samples) / stream.channels / stream.rate, float(np.sqrt((samples**2).mean()))


def test_pose_files_of_two_paces_come_together(run: Shell) -> None:
    a = save("a.npz", waving(np.arange(60) / 30))
    b = save("b.npz", waving(np.arange(60) / 20, speed=2 / 3))
    found = run.json("align", a, b, "--csv", "c.csv")
    assert set(found) == {"pairs", "times", "distance", "mean_distance", "mirrored", "degrees", "worst", "a", "b"}
    times = np.array(found["times"])
    assert np.median(np.abs(1.5 * times[:, 0] - times[:, 1])) < 0.06
    n = len(found["pairs"])
    assert len(found["distance"]) == len(times) == n == len(Path("c.csv").read_text().splitlines()) - 1
    assert set(found["degrees"]) == set(ANGLES) and len(found["degrees"]["left_elbow"]) == n
    assert set(found["worst"][0]) == {"time_a", "time_b", "distance", "joint", "degrees"}
    text = run("align", a, b).out
    assert "most different:" in text and "A at 1.5" in text.replace("A at 1.4", "A at 1.5")


def test_open_ends_align_what_both_show(run: Shell) -> None:
    poses = waving(np.arange(120) / 30, speed=2.0)
    a, b = save("a.npz", poses[:80]), save("b.npz", replace(poses[30:], times=poses.times[30:] - 1))
    times = np.array(run.json("align", a, b, "--open-ends")["times"])
    assert np.median(np.abs(times[:, 0] - 1 - times[:, 1])) < 0.04
    assert times[0, 0] > 0.85 and times[-1, 1] < 1.8
    assert run.json("align", a, b)["times"][0] == [0, 0]


def test_videos_are_looked_at_and_played_side_by_side(run: Shell, tmp_path: Path) -> None:
    video(tmp_path / "a.avi", frames=6)
    video(tmp_path / "b.avi", frames=9)
    found = run.json("align", "a.avi", "b.avi", "--out", "both.mp4", "--fps", "all")
    info = probe("both.mp4")
    frames = list(read_frames("both.mp4", None))
    assert len(frames) == len({i for i, _ in found["pairs"]}) == 6 and info.fps == pytest.approx(10)
    assert (info.width, info.height) == (512, 256 + 84)
    left, right = frames[-1].image[:256, :256].astype(int), frames[-1].image[:256, 256:].astype(int)
    assert np.abs(left - right).mean() < 25  # arms are up in both
    assert list(tmp_path.glob(".*part*")) == []


def test_the_sound_is_a_s_over_the_moments_shown(run: Shell, tmp_path: Path) -> None:
    loud_video(tmp_path / "loud.mp4", 3.0)
    a = save("a.npz", waving(np.arange(1.0, 2.5, 1 / 30)), "loud.mp4")
    b = save("b.npz", waving(np.arange(1.0, 2.5, 1 / 30)))
    for out in ("both.mp4", "both.webm"):
        run("align", a, b, "--out", out)
        seconds, loudness = sound_of(tmp_path / out)
        assert seconds == pytest.approx(1.5, abs=0.06) and loudness > 0.2
        shown = list(read_frames(out, None))
        assert len(shown) == 45
        assert abs(float(shown[3].image[5, 5].mean()) - 20 * 1) < 12  # at 1.1 s A shows the picture of 1.1 s
    run("align", b, a, "--out", "silent.mp4")
    with pytest.raises(IndexError):
        sound_of(tmp_path / "silent.mp4")


def test_the_plot_is_a_picture(run: Shell, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; it comes with samepose[eval]")
    from PIL import Image

    a = save("a.npz", waving(np.arange(30) / 30))
    run("align", a, a, "--plot", "p.png")
    with Image.open("p.png") as picture:
        assert min(picture.size) > 500 and len(np.unique(np.asarray(picture.convert("L")))) > 50


def test_indexed_clips_are_not_decoded_again(run: Shell, tmp_path: Path) -> None:
    a = save("a.npz", waving(np.arange(30) / 30))
    video(tmp_path / "clip.avi", frames=6)
    run("index", "clip.avi", "--fps", "all")
    (tmp_path / "clip.avi").rename(tmp_path / "away.bin")
    found = run.json("align", "clip.avi", a)
    assert found["times"][-1][0] == pytest.approx(0.5)
    run.fails("align", "gone.avi", a, code=2, says=["gone.avi: no such file, nor one in the index samepose-index"])


def test_people_are_chosen_by_track(run: Shell) -> None:
    times = np.arange(40) / 30
    near, far = waving(times), waving(times, speed=3)
    far = replace(far, points=far.points * 0.4, boxes=far.boxes * 0.4, tracks=np.full(40, 7))
    both = save("both.npz", Poses.concatenate([far, near]))
    alone = save("alone.npz", waving(times))
    assert run.json("align", both, alone)["mean_distance"] < 0.2
    assert run.json("align", both, alone, "--person-a", 7)["mean_distance"] > 0.4
    run.fails("align", both, alone, "--person-a", 3, code=2, says=["both.npz: has no person 3; there are 0, 7"])


@pytest.mark.parametrize(("words", "code", "says"), [
    (("a.npz", "missing.mp4"), 3, ["missing.mp4: no such file", "samepose-index: no index here"]),
    (("a.npz", "nobody.npz"), 3, ["nobody.npz: nobody was found"]),
    (("a.npz", "hidden.npz"), 3, ["hidden.npz: nobody to compare", "7 are needed"]),
    (("a.npz", "two.npz"), 3, ["two.npz: holds the poses of 2 files"]),
    (("a.npz", "a.npz", "--out", "x.gif"), 2, ["x.gif: name it *.mp4 or *.webm"]),
    (("a.npz", "a.npz", "--fps", "0"), 2, ["--fps is 0"]),
    (("a.npz", "flat.npz"), 2, ["several poses at 0 s"]),
])
def test_bad_input_is_one_clear_line(run: Shell, words: tuple[str, ...], code: int, says: list[str]) -> None:
    poses = waving(np.arange(30) / 30)
    save("a.npz", poses)
    save("nobody.npz", poses[:0])
    save("hidden.npz", poses.hide(poses.skeleton.joints[4:]))
    save_poses("two.npz", poses, ["x.mp4"] * 15 + ["y.mp4"] * 15)
    save("flat.npz", replace(poses, times=poses.times * 0))
    run.fails("align", *words, code=code, says=says)


def test_a_clip_of_one_frame_aligns_with_anything(run: Shell) -> None:
    one, many = save("one.npz", waving(np.zeros(1))), save("many.npz", waving(np.arange(20) / 30))
    assert run.json("align", one, many, "--out", "x.mp4")["pairs"] == [[0, j] for j in range(20)]
    assert len(run.json("align", many, one, "--open-ends")["pairs"]) >= 1
    assert len(run.json("align", one, one)["pairs"]) == 1


def test_help_and_import_cost_nothing(run: Shell) -> None:
    assert run("align", "--help").out.startswith("Usage: samepose align A B")
    assert importlib.import_module("samepose.cli.align")
