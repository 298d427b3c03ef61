"""What users really have: each is handled, or is one line that names the file and the remedy; nothing else is lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawn_people import Shell, detector, photo, picture, video
from samepose import files
from samepose.formats.keypoints import load_poses, save_poses
from samepose.poses import Poses
from samepose.skeleton import COCO17, Skeleton


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    photo(path)
    path.write_bytes(path.read_bytes()[:2000])


def mislabelled(path: Path) -> None:
    path.write_text("<html>404 not found</html>")


def bomb(path: Path) -> None:
    """A PNG of 900 million pixels in a few bytes."""
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0" * 10_000))
                     + chunk(b"IEND", b""))


def sound_only(path: Path) -> None:
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream("mp2", rate=44_100)
        for _ in range(4):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1152 * 2), np.int16), format="s16", layout="stereo")
            frame.sample_rate = 44_100
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def cut(path: Path) -> None:
    video(path, frames=30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def not_a_video(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


BAD: list[tuple[str, Callable[[Path], None], str]] = [
    ("empty.jpg", empty, "empty"),
    ("truncated.png", truncated, "damaged"),
    ("page.jpg", mislabelled, "not an image"),
    ("bomb.png", bomb, "million pixels"),
    ("empty.mp4", empty, "empty"),
    ("sound.mkv", sound_only, "holds no video"),
    ("cut.mp4", cut, "not a video that can be read"),
    ("noise.mp4", not_a_video, "not a video that can be read"),
]


@pytest.mark.parametrize(("name", "make", "says"), BAD, ids=[b[0] for b in BAD])
def test_a_bad_file_is_reported_and_costs_nobody_else(
    run: Shell, tmp_path: Path, name: str, make: Callable[[Path], None], says: str
) -> None:
    (tmp_path / "media").mkdir()
    make(tmp_path / "media" / name)
    photo(tmp_path / "media" / "zz-good.png")
    told = run.json("index", "media", code=1)
    assert [f["path"] for f in told["failed"]] == [f"media/{name}"] and told["done"] == 1
    assert says in told["failed"][0]["error"] and ";" in told["failed"][0]["error"]
    lines = run.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith(f"error: media/{name}: ") and says in lines[0]
    assert run.json("info")["people"] == 1
    assert run.json("index", "media", code=1)["people"] == 0  # said again, and nobody indexed twice
    assert name in run.err
    run("detect", "media", "--out", "poses.npz", code=1)
    assert [Path(m).name for m in load_poses(tmp_path / "poses.npz").media].count("zz-good.png") == 1
    assert name in run.err and len(run.err.splitlines()) == 1


@pytest.mark.parametrize(("name", "make", "says"), BAD, ids=[b[0] for b in BAD])
def test_alone_or_as_query_it_is_one_line_and_exit_code_3(
    run: Shell, tmp_path: Path, name: str, make: Callable[[Path], None], says: str
) -> None:
    photo(tmp_path / "good.png")
    run("index", "good.png")
    make(tmp_path / name)
    run("index", name, code=3)
    assert run.err.startswith(f"error: {name}: ") and says in run.err and len(run.err.splitlines()) == 1
    at = ["--at", 1.9] if Path(name).suffix in (".mp4", ".mkv", ".avi") else []
    run.fails("search", name, *at, code=3, says=[name])


def test_a_good_beginning_of_a_cut_video_is_kept(run: Shell, tmp_path: Path) -> None:
    cut(tmp_path / "cut.avi")
    run("detect", "cut.avi", "--out", "poses.npz", code=1)
    people = len(load_poses(tmp_path / "poses.npz").poses)
    assert people > 5 and "copy it again for the rest" in run.err
    told = run.json("index", "cut.avi", code=1)
    assert (told["people"], told["done"], told["failed"]) == (people, 1, []) and told["cut"][0]["path"] == "cut.avi"
    assert len(run.err.splitlines()) == 1 and "copy it again for the rest" in run.err
    again = run.json("index", "cut.avi", code=1)  # said again, and nobody indexed twice
    assert (again["people"], again["unchanged"]) == (0, 1) and "copy it again for the rest" in run.err
    assert [f["path"] for f in run.json("info", "--failed")] == ["cut.avi"]
    run.fails("search", "cut.avi", "--at", 2.9, code=3, says=["cut.avi"])


def test_a_link_to_nothing(run: Shell, tmp_path: Path) -> None:
    photo(tmp_path / "media" / "good.png")
    (tmp_path / "media" / "link.jpg").symlink_to("nowhere.jpg")
    told = run.json("index", "media", code=1)
    assert (told["done"], len(told["failed"])) == (1, 1) and "No such file" in run.err
    run.fails("index", "media/link.jpg", code=2, says=["link.jpg: no such file"])


def test_empty_folders(run: Shell, tmp_path: Path) -> None:
    (tmp_path / "void" / "deeper").mkdir(parents=True)
    (tmp_path / "void" / "notes.txt").write_text("no picture")
    for verb in ("index", "detect"):
        run.fails(verb, "void", code=3, says=["void: no photo or video in there", "name files or another folder"])
    assert not (tmp_path / "samepose-index").exists()


def test_nobody(run: Shell, tmp_path: Path) -> None:
    photo(tmp_path / "empty.png", people=0)
    told = run.json("index", "empty.png")
    assert (told["nobody"], told["people"], told["failed"]) == (1, 0, [])
    run.fails("search", "empty.png", code=3, says=["empty.png: nobody was found", "--mode accurate"])
    assert run.json("detect", "empty.png") == []
    photo(tmp_path / "one.png")
    assert run.json("search", "one.png")["results"] == []
    assert "the index is empty" in run("search", "one.png").err


UNUSUAL = ["cmyk.jpg", "sixteen.png", "moving.webp", "palette.gif", "transparent.png", "UPPER.JPG"]
NAMES = ["Fuß 日本 🏃.png", "[bold]x[/bold].png", "it's 50%_*?.png", "-k.png", b"\xff\xfe.png"]


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_images_are_read(run: Shell, tmp_path: Path, name: str) -> None:
    person, path = picture(), tmp_path / name
    if name == "cmyk.jpg":
        person.convert("CMYK").save(path, quality=92)
    elif name == "sixteen.png":
        Image.fromarray(np.asarray(person.convert("L")).astype(np.uint16) * 257).save(path)
    elif name == "moving.webp":
        person.save(path, save_all=True, append_images=[picture(0), picture(0)], duration=100)
    elif name == "palette.gif":
        person.quantize(64).save(path)
    elif name == "transparent.png":
        person.convert("RGBA").save(path)
    else:
        person.save(path, quality=92)
    told = run.json("index", name)
    assert (told["done"], told["people"]) == (1, 1)
    assert run.json("search", name, "--copies")["results"][0]["path"] == name


def test_a_panorama_of_20000_pixels(run: Shell, tmp_path: Path) -> None:
    wide = Image.new("RGB", (20_000, 700), (150, 190, 140))
    wide.paste(picture(size=700), (9000, 0))
    wide.save(tmp_path / "wide.jpg", quality=80)
    told = run.json("index", "wide.jpg")
    assert told["failed"] == [] and told["done"] + told["nobody"] == 1


def test_a_video_of_one_frame(run: Shell, tmp_path: Path) -> None:
    video(tmp_path / "one.mp4", frames=1)
    assert run.json("index", "one.mp4")["people"] == 1
    assert run.json("search", "one.mp4", "--at", 0, "--copies")["results"][0]["time"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_unusual_names(run: Shell, tmp_path: Path, name: str | bytes) -> None:
    file = Path(os.fsdecode(name))
    try:
        photo(tmp_path / file)
    except OSError:
        pytest.skip("this file system does not take such a name")
    photo(tmp_path / "good.png", arms=60)
    if isinstance(name, bytes):  # the index keeps names as text
        assert run.json("index", ".", code=1)["people"] == 1
        assert "not valid UTF-8; rename it" in run.err
        return
    assert run.json("index", ".")["people"] == 2
    query = f"./{file}"
    assert run.json("search", query, "--copies")["results"][0]["path"] == str(file)
    assert str(file) in run("search", query, "--copies").out
    assert run.json("remove", query.replace("[", "[[]").replace("*?", "[*][?]"))["people"] == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everywhere")
def test_folders_without_permission(run: Shell, tmp_path: Path) -> None:
    photo(tmp_path / "locked" / "a.png")
    photo(tmp_path / "good.png")
    run("index", "good.png")
    (tmp_path / "locked").chmod(0)
    (tmp_path / "samepose-index").chmod(0o500)
    try:
        for verb in ("index", "detect"):
            for code, more in ((3, ()), (1, ("good.png",))):
                run(verb, "locked", *more, code=code)
                assert run.err == "error: locked: the folder may not be looked into; change its permissions\n"
        run.fails("index", "good.png", "--index", "locked/index", code=3, says=["locked/index", "permission"])
        run.fails("detect", "good.png", "--out", "locked/poses.npz", code=3, says=["locked"])
    finally:
        (tmp_path / "locked").chmod(0o700)
        (tmp_path / "samepose-index").chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_under_detect(run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo(tmp_path / "a.png")
    run("detect", "a.png", "--out", "poses.npz")
    before = (tmp_path / "poses.npz").read_bytes()
    monkeypatch.setattr(files, "_count", iter(range(1)))
    (tmp_path / f"{files._PART}{os.getpid()}-0.part.npz").symlink_to("/dev/full")  # what is written first
    run.fails("detect", "a.png", "--out", "poses.npz", "--force", code=3, says=["cannot be written (No space left"])
    assert (tmp_path / "poses.npz").read_bytes() == before


def test_a_full_disk_under_index(run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from samepose.index.store import Store

    photo(tmp_path / "a.png")
    photo(tmp_path / "b.png", arms=70)
    run("index", "a.png")
    with monkeypatch.context() as patch:
        def full(self: Store, change: Callable[[], object]) -> object:
            from samepose.index.store import store_errors

            with store_errors(self.uri):
                raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(Store, "commit", full)
        run.fails("index", "a.png", "b.png", code=3, says=["samepose-index: the disk is full", "free some space"])
    assert run.json("search", "a.png", "--copies")["results"][0]["path"] == "a.png"
    assert run.json("index", "a.png", "b.png")["people"] == 1
    assert run.json("info")["people"] == 2


def damage_manifest(index: Path) -> None:
    for file in index.rglob("*.manifest"):
        file.write_bytes(b"garbage")


def truncate_data(index: Path) -> None:
    for file in (index / "people.lance" / "data").rglob("*.lance"):
        file.write_bytes(file.read_bytes()[:40])


def lose_people(index: Path) -> None:
    shutil.rmtree(index / "people.lance")


def be_something_else(index: Path) -> None:
    shutil.rmtree(index)
    index.write_text("a file")


@pytest.mark.parametrize("damage", [damage_manifest, truncate_data, lose_people, be_something_else])
def test_a_corrupt_index(run: Shell, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    photo(tmp_path / "a.png")
    run("index", "a.png")
    damage(tmp_path / "samepose-index")
    run.fails("search", "a.png", code=3, says=["samepose-index: "])
    assert ";" in run.err


def test_no_index_at_all(run: Shell, tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    for words in (["search", "a.png"], ["info"], ["remove", "a.png"], ["label", "a.png", "x"]):
        run.fails(*words, code=3, says=["samepose-index: no index here", "samepose index"])


def test_an_index_of_another_model(run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import samepose.embed.prvipe

    photo(tmp_path / "a.png")
    run("index", "a.png")
    with monkeypatch.context() as patch:
        patch.setattr(samepose.embed.prvipe.PrVipeEmbedder, "name", property(lambda self: "prvipe-next"))
        run.fails("search", "a.png", code=3, says=["samepose-index", "prvipe-next", "samepose index --re-embed"])
        run("index", "--re-embed")
        assert run.json("search", "a.png", "--copies")["results"][0]["path"] == "a.png"


def test_keypoints_that_cannot_be_used(run: Shell, tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    run("index", "a.png")
    save_poses(tmp_path / "nan.npz", Poses.of(np.full((1, 17, 2), np.nan), COCO17))
    run.fails("search", "nan.npz", code=3, says=["nan.npz", "only 0 of 13 joints", "7 are needed"])
    person = {"image_id": 1, "category_id": 1, "keypoints": [float("nan")] * 51, "score": 0.9}
    (tmp_path / "nan.json").write_text(json.dumps([person]))
    run.fails("search", "nan.json", code=3, says=["nan.json"])
    hand = Skeleton("HAND3", ("wrist", "thumb", "index_finger"))
    save_poses(tmp_path / "hand.npz", Poses.of(np.ones((1, 3, 2)), hand))
    run.fails("search", "hand.npz", code=3, says=["hand.npz"])
    (tmp_path / "cut.json").write_text('[{"image_id": 1, "keyp')
    run.fails("search", "cut.json", code=3, says=["cut.json: not JSON"])
    run.fails("index", "--keypoints", "cut.json", code=3, says=["cut.json: not JSON"])
    run.fails("index", "--keypoints", "none.json", code=3, says=["none.json"])
    (tmp_path / "none.json").write_text("[]")
    run.fails("search", "none.json", code=3, says=["none.json: nobody was found"])
    run.fails("index", "--keypoints", "none.json", code=3, says=["none.json: holds no pose"])


def test_wrong_k(run: Shell, tmp_path: Path) -> None:
    run.fails("search", "a.png", "-k", 0, code=2, says=["-k", ">= 1"])


class _Interrupted:
    """Stops as Ctrl-C would, in the middle of the second file."""

    name = "movenet-test"

    def __init__(self) -> None:
        self.left = 1

    def detect(self, image: np.ndarray) -> Poses:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return detector().detect(image)


def test_an_interrupt_loses_nothing_that_was_finished(
    run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from samepose.cli.options import Options

    photo(tmp_path / "media" / "a.png")
    photo(tmp_path / "media" / "b.png", arms=70)
    with monkeypatch.context() as patch:
        patch.setattr(Options, "detector", lambda self, mode, kind="movenet": _Interrupted())
        run.fails("index", "media", code=130, says=["interrupted", "kept"])
        assert run.json("info")["people"] == 1
        run.fails("detect", "media", "--out", "poses.npz", code=130, says=["interrupted"])
    assert load_poses(tmp_path / "poses.npz").media == ("media/a.png",)
