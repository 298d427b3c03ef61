"""Media at URIs, against an S3 emulator: read as the same files are read from a folder, by ranges, and named errors."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from index_fakes import opened, photo, rows, video
from made_up_motion import NAMES, POSE, write_amc, write_bvh
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import MediaError, SameposeError, UsageError
from samepose.formats.c3d_writer import write_c3d
from samepose.formats.motion import read_motion
from samepose.media.files import walk
from samepose.media.image import read_image
from samepose.media.remote import located, remedy
from samepose.media.video import frame_at, probe, read_frames

pytest.importorskip("moto", reason="MEDIA AT URIS ARE NOT TESTED: pip install 'moto[server]'")
from object_store import ObjectStore, store_in_use


@pytest.fixture
def store(monkeypatch):
    with store_in_use(monkeypatch) as store:
        yield store


def test_a_path_at_a_uri_is_a_path():
    path = located("s3://bucket/a folder/b.JPG")
    assert str(path) == "s3://bucket/a folder/b.JPG" and (path.name, path.suffix) == ("b.JPG", ".JPG")
    assert path.parent / "c.png" == located("s3://bucket/a folder/c.png") and located(path) is path
    assert pickle.loads(pickle.dumps(path)) == path and located("a/b.jpg", path.parent) == path.parent / "a/b.jpg"
    assert str(located("file:///x/y.jpg")) == "/x/y.jpg"


def test_a_password_in_a_uri_is_refused_and_not_said():
    with pytest.raises(UsageError) as error:
        located("s3://key:hush@bucket/photos")
    assert "hush" not in str(error.value) and "environment" in str(error.value)


def test_what_is_read_is_what_a_folder_gives(store: ObjectStore, tmp_path):
    picture, clip = photo(tmp_path / "a.png", 3, seed=7), video(tmp_path / "b.mp4", 2, frames=30)
    far, far_clip = located(store.put("bucket/x/a.png", picture)), located(store.put("bucket/x/b.mp4", clip))
    np.testing.assert_array_equal(read_image(far), read_image(picture))
    assert probe(far_clip) == probe(clip)
    for mine, theirs in zip(read_frames(far_clip), read_frames(clip), strict=True):
        assert (mine.index, mine.time) == (theirs.index, theirs.time)
        np.testing.assert_array_equal(mine.image, theirs.image)
    np.testing.assert_array_equal(frame_at(far_clip, 1.0).image, frame_at(clip, 1.0).image)


def test_a_long_video_is_entered_without_reading_it_whole(store: ObjectStore, tmp_path, monkeypatch):
    import av

    from samepose.media import remote

    file = tmp_path / "noise.mp4"
    with av.open(str(file), "w") as out:
        stream = out.add_stream("mpeg4", rate=10, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 240, "yuv420p", 20_000_000
        for i in range(100):
            noise = np.random.default_rng(i).integers(0, 255, (240, 320, 3), np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(noise, "rgb24")))
        out.mux(stream.encode())
    assert file.stat().st_size > 3_000_000
    monkeypatch.setattr(remote, "_BLOCK", 1 << 18)
    far, sizes = located(store.put("bucket/noise.mp4", file)), []
    original = remote._Blocks._block
    monkeypatch.setattr(remote._Blocks, "_block", lambda self, n: (sizes.append((id(self), n)), original(self, n))[1])
    np.testing.assert_array_equal(frame_at(far, 5.0).image, frame_at(file, 5.0).image)
    assert len(set(sizes)) * (1 << 18) < file.stat().st_size / 2


def test_folders_are_listed_without_what_is_hidden_and_indices(store: ObjectStore, tmp_path):
    for key in ("p/b.jpg", "p/a.png", "p/c/d.mp4", "p/.hidden/e.jpg", "p/.f.jpg", "p/people.lance/g.jpg", "p/h.txt"):
        store.put(f"bucket/{key}", b"x")
    found = walk(["s3://bucket/p"])
    assert list(map(str, found.files)) == [f"s3://bucket/p/{n}" for n in ("a.png", "b.jpg", "c/d.mp4")]
    assert found.left_out == {".txt": 1}
    with pytest.raises(UsageError, match="no such file or folder"):
        walk(["s3://bucket/q"])


def test_the_people_are_those_of_a_folder_and_unchanged_files_are_not_opened(store: ObjectStore, tmp_path):
    media = {"a.png": photo(tmp_path / "m/a.png", 3), "b.png": photo(tmp_path / "m/b.png", 2, 5),
             "c.mp4": video(tmp_path / "m/c.mp4", 1)}
    for name, file in media.items():
        store.put(f"bucket/m/{name}", file)
    here, far = opened(tmp_path / "here"), opened(tmp_path / "far")
    here.add(tmp_path / "m")
    assert far.add("s3://bucket/m").done == 3
    (mine, media_mine), (theirs, _) = rows(far), rows(here)
    assert sorted(str(m["path"]) for m in media_mine) == [f"s3://bucket/m/{n}" for n in media]
    kept = ("time", "frame", "score", "box", "keypoints")
    assert sorted(str([p[n] for n in kept]) for p in mine) == sorted(str([p[n] for n in kept]) for p in theirs)
    store.requests.clear()
    assert far.add("s3://bucket/m").unchanged == 3
    assert not [path for method, path in store.requests if method == "GET" and "list-type" not in path]
    store.put("bucket/m/a.png", media["a.png"])  # the same contents at another time
    assert (again := far.add("s3://bucket/m")).unchanged == 3 and not again.done
    store.put("bucket/m/z.png", media["a.png"])
    assert far.add("s3://bucket/m").copied == 1
    store.put("bucket/m/a.png", photo(tmp_path / "n.png", 4))
    assert far.add("s3://bucket/m").done == 1
    hit = far.search("s3://bucket/m/b.png", k=1)[0]
    assert hit.path == "s3://bucket/m/b.png" and hit.file.is_file()
    far.search("s3://bucket/m/b.png", k=3).write(tmp_path / "found.html")
    assert "data:image" in (tmp_path / "found.html").read_text()
    assert [m.path for m in far.select("s3://bucket/m/c.mp4")] == ["s3://bucket/m/c.mp4"]
    assert far.search(str(media["b.png"]), where="s3://bucket/m/*", k=9)


def swinging(kind: str, folder: Path, seed: int) -> Path:
    """A clip of somebody whose joints all swing, 60 frames."""
    time, rng = np.arange(60)[:, None] / 30, np.random.default_rng(seed)
    turns = 25 * np.sin(time * rng.uniform(1, 4, 51) + rng.uniform(0, 6, 51))
    if kind == "amc":
        return write_amc(folder / f"{seed:02d}_01.amc", turns)
    values = np.hstack([np.tile([0, 0.95, 0], (60, 1)), turns])
    bvh = write_bvh(folder / f"clip{seed}.bvh", POSE, NAMES["ours"], rows=values)
    if kind == "bvh":
        return bvh
    write_c3d(folder / f"clip{seed}.c3d", read_motion(bvh, None).poses)
    return folder / f"clip{seed}.c3d"


@pytest.mark.parametrize("kind", ["bvh", "amc", "c3d"])
def test_motion_capture_at_a_uri_is_that_of_a_folder(store: ObjectStore, tmp_path, kind):
    if kind == "c3d":
        pytest.importorskip("ezc3d", reason="needs samepose[c3d]")
    (tmp_path / "m").mkdir()
    clips = [swinging(kind, tmp_path / "m", seed) for seed in (3, 4)]
    for file in (tmp_path / "m").iterdir():
        store.put(f"bucket/m/{file.name}", file)
    read = read_motion(f"s3://bucket/m/{clips[0].name}")
    assert (read.clip, read.subject) == (read_motion(clips[0]).clip, read_motion(clips[0]).subject)
    np.testing.assert_array_equal(read.points, read_motion(clips[0]).points)
    embedder = PrVipeEmbedder.load(threads=1)
    here, far = (opened(tmp_path / name, embedder=embedder) for name in ("here", "far"))
    here.add(*clips)
    assert far.add(*(f"s3://bucket/m/{c.name}" for c in clips)).done == 2
    (mine, _), (theirs, _) = rows(far), rows(here)
    kept = ("time", "frame", "box", "keypoints")
    assert sorted(str([p[n] for n in kept]) for p in mine) == sorted(str([p[n] for n in kept]) for p in theirs)
    hit, at = far.search(f"s3://bucket/m/{clips[1].name}", frame=30, k=1)[0], 30 / (120 if kind == "amc" else 30)
    assert hit.path == f"s3://bucket/m/{clips[1].name}" and abs(hit.time - at) < 0.11  # beside it is nearly the same


def test_a_motion_whose_skeleton_is_not_there_says_so_and_is_tried_again(store: ObjectStore, tmp_path):
    motion = swinging("amc", tmp_path, 3)
    store.put("bucket/m/03_01.amc", motion)
    store.put("bucket/m/below/03.asf", tmp_path / "03.asf")  # beside it is where it is looked for
    index = opened(tmp_path / "i")
    why = index.add("s3://bucket/m").failed
    assert why[0][0] == "s3://bucket/m/03_01.amc" and "put the skeleton there as '03.asf'" in why[0][1]
    store.put("bucket/m/03.asf", tmp_path / "03.asf")
    assert index.add("s3://bucket/m").done == 1


def test_a_vanished_object_is_pruned_and_a_damaged_one_reported(store: ObjectStore, tmp_path, monkeypatch):
    monkeypatch.setattr("samepose.index.plan._YOUNG", 0)  # as if all were written long ago

    index = opened(tmp_path / "i")
    for name in "ab":
        store.put(f"bucket/m/{name}.png", photo(tmp_path / f"{name}.png", 2, ord(name)))
    store.put("bucket/m/c.png", b"no picture")
    report = index.add("s3://bucket/m")
    assert report.done == 2 and [path for path, _ in report.failed] == ["s3://bucket/m/c.png"]
    store.delete("bucket/m/a.png")
    store.requests.clear()
    assert index.add("s3://bucket/m", prune=True).removed == 1
    assert not [path for method, path in store.requests if path.endswith("b.png")]  # the list of the folder tells


@pytest.mark.parametrize(("status", "code", "words"), [
    (403, "AccessDenied", "access is denied"), (403, "ExpiredToken", "expired; renew"),
    (403, "InvalidAccessKeyId", "not accepted"), (301, "PermanentRedirect", "AWS_REGION"),
    (404, "NoSuchBucket", "no such bucket"), (503, "SlowDown", "too busy"),
])
def test_a_store_that_refuses_everything_is_one_line_and_no_storm(store: ObjectStore, status, code, words):
    store.refuse, store.requests = lambda method, path: (status, code), []
    with pytest.raises(SameposeError) as error:
        walk(["s3://bucket/m"])
    assert words in str(error.value) and "\n" not in str(error.value) and "s3://bucket/m" in str(error.value)
    assert len(store.requests) <= 8  # four times each: is it there, and why not?


def test_a_single_object_that_is_denied_stops_nobody(store: ObjectStore, tmp_path):
    for name in "ab":
        store.put(f"bucket/m/{name}.png", photo(tmp_path / f"{name}.png", 2, ord(name)))
    store.refuse = lambda method, path: (403, "AccessDenied") if path.startswith("/bucket/m/a.png") else None
    report = opened(tmp_path / "i").add("s3://bucket/m")
    assert report.done == 1 and "Permission denied" in report.failed[0][1]
    store.refuse = None
    assert opened(tmp_path / "i").add("s3://bucket/m").done == 1


def test_nobody_at_the_address(monkeypatch, store: ObjectStore):
    from samepose.media import remote

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    remote._store_of.cache_clear()
    with pytest.raises(SameposeError, match="cannot be reached"):
        walk(["s3://bucket/m"])


def test_what_fsspec_opens_is_read(tmp_path):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/pictures/a.png", photo(tmp_path / "a.png", 2).read_bytes())
    assert list(map(str, walk(["memory://pictures"]).files)) == ["memory://pictures/a.png"]
    np.testing.assert_array_equal(read_image("memory://pictures/a.png"), read_image(tmp_path / "a.png"))
    with pytest.raises(UsageError, match="install what opens"):
        located("nonsense://x/y.jpg").exists()


def test_remedies_know_what_the_index_says():
    assert "no such bucket" in (remedy("Status { status: 404, body: NoSuchBucket }") or "")
    assert remedy("something else") is None


def test_a_video_that_cannot_be_opened_says_so(store: ObjectStore):
    with pytest.raises(MediaError, match=r"no video|not a video"):
        probe(located(store.put("bucket/x.mp4", b"#EXTM3U\nfile:///etc/passwd")))
