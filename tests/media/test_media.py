"""Photos and videos of every awkward kind, made here; and pictures of poses."""

from __future__ import annotations

import os
import struct
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from samepose.errors import MediaError, UsageError
from samepose.media.draw import LEFT_COLOUR, RIGHT_COLOUR, draw_poses
from samepose.media.image import crop_square, read_image, resize
from samepose.media.video import frame_at, probe, read_frames
from samepose.poses import Poses
from samepose.skeleton import COCO17

SIZE = (160, 96)  # of the test videos, width and height


def quadrants(width: int = 40, height: int = 20) -> np.ndarray:
    """Red top left, green top right, blue bottom left, white bottom right."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (255, 0, 0)
    image[: height // 2, width // 2 :] = (0, 255, 0)
    image[height // 2 :, : width // 2] = (0, 0, 255)
    image[height // 2 :, width // 2 :] = (255, 255, 255)
    return image


def only_error(call: object, path: Path) -> str:
    """The message of the MediaError a call raises: one line, beginning with the path, ending with a remedy."""
    with pytest.raises(MediaError) as caught:
        call(path)  # type: ignore[operator]
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    assert "; " in message
    return message


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".tiff", ".gif", ".jpg"])
def test_formats_agree(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(quadrants()).save(path, **({"lossless": True} if suffix == ".webp" else {}))
    image = read_image(path)
    assert image.dtype == np.uint8 and image.shape == (20, 40, 3) and image.flags.writeable
    corners = image[[2, 2, -3, -3], [2, -3, 2, -3]].astype(int)
    assert np.abs(corners - [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]).max() <= (
        6 if suffix == ".jpg" else 0
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int) -> None:
    upright = quadrants()
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright, 1), 7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    for suffix in (".png", ".tiff"):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / f"a{suffix}", exif=exif)
        np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}"), upright)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    Image.fromarray(ramp).save(tmp_path / "ramp.tiff")
    Image.fromarray((ramp / 65535).astype(np.float32)).save(tmp_path / "float.tiff")
    for name in ("ramp.png", "ramp.tiff", "float.tiff"):
        np.testing.assert_allclose(read_image(tmp_path / name)[..., 0].reshape(-1), np.arange(256), atol=1)


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2] = (255, 0, 0, 255)
    rgba[2:] = (0, 0, 0, 0)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    palette = Image.fromarray(rgba).convert("RGB").quantize(4)
    palette.save(tmp_path / "p.png", transparency=palette.getpixel((0, 3)))
    for name in ("a.png", "p.png"):
        image = read_image(tmp_path / name)
        assert image[0, 0].tolist() == [255, 0, 0] and image[3, 0].tolist() == [255, 255, 255]


def test_cmyk_grey_bilevel_and_first_frame(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=95)
    assert np.abs(read_image(tmp_path / "cmyk.jpg")[4, 4].astype(int) - [255, 0, 0]).max() < 30
    Image.new("1", (8, 8), 1).save(tmp_path / "one.png")
    assert (read_image(tmp_path / "one.png") == 255).all()
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "blue")]
    for name in ("a.gif", "a.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100)
        red, _, blue = read_image(tmp_path / name)[4, 4].astype(int)
        assert red > 240 and blue < 15


def test_long_panorama_and_mislabelled_photo(tmp_path: Path) -> None:
    Image.new("RGB", (20000, 4600), "red").save(tmp_path / "wide.png")  # more pixels than Pillow warns at
    image = read_image(tmp_path / "wide.png")
    assert image.shape == (4600, 20000, 3) and image[-1, -1].tolist() == [255, 0, 0]
    Image.new("RGB", (8, 8), "red").save(tmp_path / "png.jpg", format="PNG")
    assert read_image(tmp_path / "png.jpg").shape == (8, 8, 3)


def test_decompression_bomb_is_refused(tmp_path: Path) -> None:
    Image.new("1", (8, 8)).save(tmp_path / "bomb.png")
    data = bytearray((tmp_path / "bomb.png").read_bytes())
    data[16:24] = struct.pack(">II", 60000, 60000)
    import zlib

    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "bomb.png").write_bytes(data)
    assert "million pixels" in only_error(read_image, tmp_path / "bomb.png")


def test_unreadable_photos(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for suffix in (".jpg", ".png", ".webp"):
        Image.fromarray(noise).save(tmp_path / f"a{suffix}")
        whole = (tmp_path / f"a{suffix}").read_bytes()
        (tmp_path / f"cut{suffix}").write_bytes(whole[: len(whole) // 2])
        only_error(read_image, tmp_path / f"cut{suffix}")
    (tmp_path / "empty.jpg").touch()
    assert "empty" in only_error(read_image, tmp_path / "empty.jpg")
    (tmp_path / "text.jpg").write_text("not a photo")
    assert "not an image" in only_error(read_image, tmp_path / "text.jpg")
    assert "no such file" in only_error(read_image, tmp_path / "none.jpg")
    assert "directory" in only_error(read_image, tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_forbidden_photo(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    assert "permitted" in only_error(read_image, tmp_path / "a.png")


def test_resize_keeps_places_and_averages() -> None:
    image = np.zeros((600, 1200, 3), np.uint8)
    image[300:320, 900:920] = 255
    small = resize(image, 60, 30).astype(float)[..., 0]
    y, x = (np.array(np.indices(small.shape)) * small).sum(axis=(1, 2)) / small.sum()
    assert (x + 0.5) * 20 == pytest.approx(910, abs=2) and (y + 0.5) * 20 == pytest.approx(310, abs=2)
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(resize(stripes, 100, 100).astype(int) - 127).max() <= 2


def test_crop_square_maps_back_and_pads() -> None:
    image = np.arange(100 * 100 * 3, dtype=np.uint32).astype(np.uint8).reshape(100, 100, 3)
    np.testing.assert_array_equal(crop_square(image, (10, 20), 30, 30), image[20:50, 10:40])
    crop = crop_square(image, (-10, 90), 20, 20, fill=7)
    np.testing.assert_array_equal(crop[:10, 10:], image[90:, :10])
    assert (crop[10:] == 7).all() and (crop[:, :10] == 7).all()
    assert (crop_square(image, (500, 500), 20, 10, fill=9) == 9).all()


def write_video(
    path: Path, frames: int = 50, codec: str = "mpeg4", times: list[int] | None = None, rotation: int | None = None,
    aspect: Fraction | None = None, options: dict[str, str] | None = None,
) -> Path:
    """Frame i has the grey level 4 i (mod 256) and a red corner top left; `times` are milliseconds."""
    base = Fraction(1, 1000) if times else Fraction(1, 25)
    with av.open(str(path), "w", options=options or {}) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 2_000_000
        stream.codec_context.time_base = base
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for i in range(frames):
            image = np.full((SIZE[1], SIZE[0], 3), 4 * i % 256, np.uint8)
            image[:24, :48] = (255, 0, 0)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = (times[i] if times else i), base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def grey(image: np.ndarray) -> float:
    """Mean level of the middle."""
    height, width = image.shape[:2]
    return float(image[height // 2 - 8 : height // 2 + 8, width // 2 - 8 : width // 2 + 8].mean())


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.ts", "vidéo – 日本.mp4"])
def test_every_frame_with_its_time(tmp_path: Path, name: str) -> None:
    codec = {".webm": "libvpx-vp9", ".ts": "mpeg2video"}.get(Path(name).suffix, "mpeg4")
    path = write_video(tmp_path / name, codec=codec)
    frames = list(read_frames(path, fps=None))
    assert [f.index for f in frames] == list(range(50))
    np.testing.assert_allclose([f.time for f in frames], np.arange(50) / 25, atol=1e-3)
    np.testing.assert_allclose([grey(f.image) for f in frames], np.arange(50) * 4, atol=8)
    info = probe(path)
    assert (info.width, info.height, info.frames) == (*SIZE, 50)
    assert info.fps == pytest.approx(25) and info.duration == pytest.approx(2, abs=0.05)


def test_sampling_goes_by_time_not_by_count(tmp_path: Path) -> None:
    times = [33 * i for i in range(31)] + [1000 + 250 * i for i in range(1, 9)]  # 30 a second, then 4 a second
    path = write_video(tmp_path / "vfr.mkv", frames=len(times), times=times)
    frames = list(read_frames(path, fps=10))
    naive, due = [], 0.0
    for t in np.array(times) / 1000:
        if t >= due - 1e-3:
            naive.append(t)
            due = (np.floor((t + 1e-3) * 10) + 1) / 10
    np.testing.assert_allclose([f.time for f in frames], naive, atol=1e-3)
    assert len({f.index for f in frames}) == len(frames)
    assert len(list(read_frames(path, fps=1000))) == len(times)


@pytest.mark.parametrize(("rotation", "corner"), [(0, (5, 5)), (90, (-5, 5)), (180, (-5, -5)), (270, (5, -5))])
def test_rotated_as_the_phone_was_held(tmp_path: Path, rotation: int, corner: tuple[int, int]) -> None:
    path = write_video(tmp_path / "phone.mp4", frames=2, rotation=rotation)
    image = next(read_frames(path)).image
    shape = SIZE if rotation % 180 else SIZE[::-1]
    assert image.shape[:2] == shape and image.flags.c_contiguous
    assert (probe(path).height, probe(path).width) == shape
    red, _, blue = image[corner].astype(int)
    assert red > 200 and blue < 60
    with av.open(str(path)) as container:  # FFmpeg's own reading of the matrix
        raw = next(container.decode(video=0))
        turned = np.rot90(raw.to_ndarray(format="rgb24"), round(raw.rotation / 90))
    np.testing.assert_array_equal(image, turned)


def test_pixels_that_are_not_square_become_square(tmp_path: Path) -> None:
    path = write_video(tmp_path / "wide.mkv", frames=2, aspect=Fraction(2, 1))
    assert next(read_frames(path)).image.shape == (SIZE[1], 2 * SIZE[0], 3)


def test_frame_at_is_the_one_shown(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4")
    every = list(read_frames(path, fps=None))
    for seconds in (0.0, 0.039, 0.04, 0.7, 1.23, 1.96, 1.99):
        frame = frame_at(path, seconds)
        shown = [f for f in every if f.time <= seconds + 1e-3][-1]
        assert (frame.index, frame.time) == (shown.index, pytest.approx(shown.time))
        np.testing.assert_array_equal(frame.image, shown.image)
    assert "earlier" in only_error(lambda p: frame_at(p, 9.0), path)
    with pytest.raises(UsageError):
        frame_at(path, -1)
    with pytest.raises(UsageError):
        next(read_frames(path, fps=0))


def test_video_of_one_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "one.mp4", frames=1)
    assert [f.time for f in read_frames(path)] == [0]
    assert frame_at(path, 0).index == 0


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.webm"])
def test_cut_video_gives_its_good_frames_then_says_so(tmp_path: Path, name: str) -> None:
    codec = "libvpx-vp9" if name.endswith("webm") else "mpeg4"
    path = write_video(tmp_path / name, 200, codec, options={"movflags": "faststart"} if name.endswith("mp4") else None)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 4])
    frames = []
    with pytest.raises(MediaError, match="is cut after"):
        for frame in read_frames(path, fps=None):
            frames.append(frame)
    assert 10 < len(frames) < 150
    np.testing.assert_allclose([grey(f.image) for f in frames[:10]], np.arange(10) * 4, atol=8)


def test_corrupt_packets_are_skipped(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 200)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = np.random.default_rng(0).integers(0, 256, 4000, dtype=np.uint8).tobytes()
    path.write_bytes(data)
    frames = list(read_frames(path, fps=None))
    assert len(frames) > 100 and frames[-1].time == pytest.approx(199 / 25, abs=0.01)
    assert (np.diff([f.time for f in frames]) > 0).all()


def test_unreadable_videos(tmp_path: Path) -> None:
    def first(path: Path) -> object:
        return next(read_frames(path))

    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/x.ts\n")
    (tmp_path / "empty.mp4").touch()
    with wave.open(str(tmp_path / "sound.avi"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    assert "not a video" in only_error(first, tmp_path / "text.mp4")
    assert "not a video" in only_error(first, tmp_path / "list.mp4")
    assert "empty" in only_error(first, tmp_path / "empty.mp4")
    assert "no video" in only_error(first, tmp_path / "sound.avi")
    assert "no such file" in only_error(probe, tmp_path / "none.mp4")
    assert "directory" in only_error(first, tmp_path)


def standing(at: tuple[float, float] = (100, 100)) -> Poses:
    """Someone who faces the camera, 120 pixels tall: their left is on the right of the picture."""
    half = {"eye": (3, -53), "ear": (6, -52), "shoulder": (15, -35), "elbow": (22, -10), "wrist": (25, 10),
            "hip": (10, 5), "knee": (11, 35), "ankle": (12, 65)}
    points = [(0.0, -50.0)] + [(s * half[j.split("_")[1]][0], half[j.split("_")[1]][1])
                               for j in COCO17.joints[1:] for s in (1 if j.startswith("left") else -1,)]
    return Poses.of(np.array(points)[None] + at, COCO17)


def test_left_and_right_have_their_colours() -> None:
    person = standing()
    picture = draw_poses(np.zeros((200, 200, 3), np.uint8), person)
    for side, colour in (("left", LEFT_COLOUR), ("right", RIGHT_COLOUR)):
        x, y = person.points[0, COCO17.index(f"{side}_knee")].round().astype(int)
        assert np.abs(picture[y, x].astype(int) - colour).max() < 30
    assert not picture[:20].any() and not picture[:, 160:].any()


def test_missing_and_doubtful_joints_are_not_drawn() -> None:
    person = standing().hide(joints=["left_ankle"])
    scores = person.scores.copy()
    scores[0, COCO17.index("right_ankle")] = 0.1
    doubtful = Poses.of(person.points, COCO17, scores=scores)
    picture = draw_poses(np.zeros((200, 200, 3), np.uint8), doubtful)
    assert not picture[150:].any() and picture[130:140].any()
    boxed = draw_poses(np.zeros((200, 200, 3), np.uint8), doubtful, boxes=True, labels=["7"])
    assert (boxed != picture).any()
    assert not draw_poses(np.zeros((9, 9, 3), np.uint8), Poses.empty(COCO17)).any()


def test_people_outside_the_image_are_no_trouble() -> None:
    for at in ((-500.0, 50.0), (0.0, 0.0), (1000.0, 1000.0)):
        assert draw_poses(np.zeros((50, 60, 3), np.uint8), standing(at), boxes=True, labels=["x"]).shape == (50, 60, 3)
