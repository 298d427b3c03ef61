"""Files that would start programs, wait for ever or reach for other files: nothing but what we name is opened."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, features

from drawn_people import Shell, photo, video
from hostile_files import tiff_of_samples
from samepose.cli.media import left_out_text
from samepose.errors import FormatError, MediaError
from samepose.formats.keypoints import load_poses
from samepose.formats.load_mocap import load_poseset
from samepose.media.files import media_files, walk
from samepose.media.image import read_image
from samepose.media.video import read_frames


def irregular(folder: Path, suffix: str) -> list[Path]:
    """A pipe, a socket, a device, a link to itself and a link to nothing, all named as if they were files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{kind}{suffix}" for kind in ("pipe", "socket", "device", "loop", "nowhere")]
    os.mkfifo(paths[0])
    held = Path.cwd()
    os.chdir(folder)  # a socket's path may not be long
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(paths[1].name)
    os.chdir(held)
    paths[2].symlink_to("/dev/zero")
    paths[3].symlink_to(paths[3].name)
    paths[4].symlink_to("not-there")
    return paths


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    for path in irregular(tmp_path, ".jpg"):
        with pytest.raises(MediaError, match=r"jpg: .*; "):
            read_image(path)
        with pytest.raises(MediaError, match=r"jpg: .*; "):
            next(read_frames(path))
    for path in [*irregular(tmp_path / "json", ".json"), *irregular(tmp_path / "npz", ".npz")]:
        with pytest.raises(FormatError, match=r"(json|npz): .*; "):
            load_poses(path)


def test_what_is_no_file_costs_nobody_else(run: Shell, tmp_path: Path) -> None:
    irregular(tmp_path / "media", ".jpg")
    irregular(tmp_path / "media" / "clips", ".mp4")
    photo(tmp_path / "media" / "zz-good.png")
    told = run.json("index", "media", code=1)
    assert told["done"] == 1 and len(told["failed"]) == 10
    run("detect", "media", "--out", "poses.npz", code=1)
    assert [Path(m).name for m in load_poses("poses.npz").media] == ["zz-good.png"]
    assert len(run.err.splitlines()) == 10


def test_pipes_among_motion_capture_are_reported(tmp_path: Path) -> None:
    irregular(tmp_path / "mocap", ".bvh")
    with pytest.raises(FormatError, match="none of its 5 motion capture files can be read"):
        load_poseset(tmp_path / "mocap")


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A folder of an ordinary user, who this process is meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            os.seteuid(user)


@pytest.mark.parametrize("mode", [0o000, 0o400, 0o100], ids=["nothing", "names only", "entering only"])
def test_a_folder_that_may_not_be_looked_into(nobody: Path, mode: int) -> None:
    (nobody / "media" / "locked" / "deeper").mkdir(parents=True)
    (nobody / "media" / "good.jpg").write_bytes(b"x")
    (nobody / "media" / "locked").chmod(mode)
    try:
        found = media_files([nobody / "media"])
    finally:
        (nobody / "media" / "locked").chmod(0o700)
    assert nobody / "media" / "good.jpg" in found
    assert any(path.is_relative_to(nobody / "media" / "locked") for path in found)


def test_ghostscript_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object, **__: object) -> None:
        raise AssertionError("Ghostscript was asked for")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", run)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    for name in ("a.jpg", "a.png", "a.tif"):
        (tmp_path / name).write_bytes(eps)
        with pytest.raises(MediaError, match="not an image that can be read"):
            read_image(tmp_path / name)


@pytest.mark.parametrize("kind", ["PPM", "TGA", "ICO", "PCX", "SGI", "DDS", "IM", "MSP", "XBM", "JPEG2000", "QOI"])
def test_kinds_that_are_not_named_are_not_opened(tmp_path: Path, kind: str) -> None:
    Image.init()
    Image.new("1" if kind in ("MSP", "XBM") else "RGB", (32, 32)).save(tmp_path / "a.jpg", format=kind)
    with pytest.raises(MediaError, match="not an image that can be read"):
        read_image(tmp_path / "a.jpg")


def test_what_pillow_logs_is_not_printed(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff_of_samples(65_283))
    code = f"""from samepose.media.image import read_image
try: read_image({str(tmp_path / "a.tif")!r})
except Exception as error: print(error)"""  # in a process of its own: pytest handles all that is logged
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "a.tif: " in done.stdout and done.stderr == ""


@pytest.mark.parametrize(("kind", "text"), [
    ("concat script", "ffconcat version 1.0\nfile other.mp4\n"),
    ("playlist", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n"),
    ("session description", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"),
    ("metadata", ";FFMETADATA1\ntitle=x\n"),
])
def test_no_video_opens_another_file(tmp_path: Path, kind: str, text: str) -> None:
    video(tmp_path / "other.mp4", frames=3)
    for suffix in (".mp4", ".avi", ".ts", ".mkv"):
        (tmp_path / f"a{suffix}").write_text(text)
        with pytest.raises(MediaError, match="; convert it to MP4"):
            next(read_frames(tmp_path / f"a{suffix}"))
    if kind == "concat script":  # left to itself FFmpeg follows it, by the file protocol
        with av.open(f"file:{tmp_path / 'a.mp4'}", options={"protocol_whitelist": "file"}) as followed:
            assert followed.format.name == "concat" and next(followed.decode(video=0)).width


@pytest.mark.parametrize(("suffix", "codec", "container"), [
    (".mp4", "mpeg4", None), (".mov", "mpeg4", None), (".3gp", "mpeg4", None), (".mkv", "mpeg4", None),
    (".webm", "libvpx-vp9", None), (".avi", "mpeg4", None), (".ts", "mpeg2video", None), (".wmv", "wmv2", None),
    (".m2ts", "mpeg2video", "mpegts"), (".mpg", "mpeg2video", "mpeg"), (".flv", "flv", None), (".ogv", "libvpx", None),
])
def test_what_people_film_in_is_read(tmp_path: Path, suffix: str, codec: str, container: str | None) -> None:
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for i in range(8):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 * i, np.uint8), "rgb24")))
        out.mux(stream.encode())
    assert sum(1 for _ in read_frames(path, None)) >= 7


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif(tmp_path: Path) -> None:
    half = np.zeros((32, 64, 3), np.uint8)
    half[:, :32] = 255
    Image.fromarray(half).save(tmp_path / "a.avif")
    image = read_image(tmp_path / "a.avif")
    assert image.shape == (32, 64, 3) and image[16, 8].min() > 240 and image[16, -8].max() < 15


def test_heic_is_read_upright_with_the_extra(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    half = np.zeros((32, 64, 3), np.uint8)
    half[:, :32] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(half).save(tmp_path / "a.heic", exif=exif.tobytes())
    image = read_image(tmp_path / "a.heic")
    assert image.shape == (64, 32, 3) and image[8, 16].min() > 240 and image[-8, 16].max() < 15


def test_heic_without_the_extra_names_it(run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    run("index", "IMG_1.HEIC", code=3)
    assert run.err == "error: IMG_1.HEIC: is HEIC; to read it, pip install 'samepose[heic]'\n"


def test_what_is_left_out_for_its_kind_is_counted_and_named(run: Shell, tmp_path: Path) -> None:
    photo(tmp_path / "media" / "a.png")
    for name in ("a.txt", "b.TXT", "c.pdf", "README", ".hidden.txt"):
        (tmp_path / "media" / name).write_text("x")
    assert walk([tmp_path / "media"]).left_out == Counter({".txt": 2, ".pdf": 1, "": 1})
    says = "4 left out: 2 .txt, 1 .pdf, 1 without suffix"
    assert left_out_text(walk([tmp_path / "media"]).left_out) in (says, says.replace("1 .pdf, ", "") + ", 1 .pdf")
    assert "4 left out: 2 .txt, " in run("index", "media").out
    assert "4 left out: 2 .txt, " in run("detect", "media").out
    assert run.json("index", "media")["left_out"] == {".txt": 2, ".pdf": 1, "": 1}
    (tmp_path / "media" / "a.png").unlink()
    run.fails("detect", "media", code=3, says=["no photo or video in there (4 left out: 2 .txt, "])
