"""Part of a video: the same frames as of the whole, without decoding what lies before or after."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from samepose.media import video
from samepose.media.video import read_frames

RATE, SECONDS = 25, 20


@pytest.fixture(scope="module", params=["mp4", "avi", "mkv"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames whose brightness tells their number, a key frame every second."""
    path = tmp_path_factory.mktemp("span") / f"clip.{request.param}"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=RATE)
        stream.width = stream.height = 64
        stream.pix_fmt, stream.gop_size = "yuv420p", RATE
        for n in range(RATE * SECONDS):
            image = np.full((64, 64, 3), 20 + n % 100 * 2, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        out.mux(stream.encode())
    return path


@pytest.mark.parametrize("fps", [None, 10.0, 3.0, 25.0])
@pytest.mark.parametrize(("start", "end"), [(12.3, 13.5), (0, 1), (None, 2.04), (18.0, None), (19.9, 30), (7.04, 7.04)])
def test_the_frames_of_a_part_are_those_of_the_whole(
    clip: Path, fps: float | None, start: float | None, end: float | None
) -> None:
    low, high = (start or 0) - 1e-3, (1e9 if end is None else end) + 1e-3
    expected = [f for f in read_frames(clip, fps) if low <= f.time <= high]
    found = list(read_frames(clip, fps, start, end))
    assert [f.time for f in found] == pytest.approx([f.time for f in expected])
    assert [f.index for f in found] == [f.index for f in expected]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(found, expected, strict=True))


def test_little_else_is_decoded(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded, all_frames = 0, video._decoded_frames

    def counted(container: object, stream: object):  # type: ignore[no-untyped-def]
        nonlocal decoded
        for frame in all_frames(container, stream):
            decoded += 1
            yield frame

    monkeypatch.setattr(video, "_decoded_frames", counted)
    assert len(list(read_frames(clip, 10, 15.0, 16.0))) == 11
    assert decoded < 4 * RATE
    assert list(read_frames(clip, 10, 500.0)) == []
