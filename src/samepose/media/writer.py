"""Writing videos: VP9 in .mp4 or .webm, with the sound of another video if it has any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from samepose.errors import MediaError
from samepose.files import written
from samepose.media import one_line
from samepose.media.video import opened_container

# PyAV's H.264 encoder is GPL: VP9 is free, and browsers play it.
_SOUND = {".mp4": "aac", ".webm": "libopus"}
_SOUND_RATE = 48_000
_QUALITY = {"crf": "30", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}


class VideoWriter:
    """Frames of one size, one after the other, with the sound up to each."""

    def __init__(self, container: Any, picture: Any, rate: Fraction, sound: Iterator[Any]) -> None:
        self._container, self._picture, self._rate, self._sound = container, picture, rate, sound
        self._count, self._packet = 0, next(sound, None)

    def write(self, image: UInt8[np.ndarray, "height width 3"]) -> None:
        """Append a frame."""
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
        frame.pts, frame.time_base = self._count, 1 / self._rate
        self._container.mux(self._picture.encode(frame))
        self._count += 1
        self._mux_sound(float(self._count / self._rate))

    def finish(self) -> None:
        """Write what the encoders still hold."""
        self._container.mux(self._picture.encode(None))
        self._mux_sound(float("inf"))

    def _mux_sound(self, until: float) -> None:
        while self._packet is not None and (self._packet.pts or 0) * self._packet.time_base < until:
            self._container.mux(self._packet)
            self._packet = next(self._sound, None)


@contextmanager
def video_writer(
    path: Path, size: tuple[int, int], rate: float, sound: tuple[Path, float, float] | None = None
) -> Iterator[VideoWriter]:
    """A writer of a new video; the file appears when all is written, and replaces one of that name.

    Args:
        path: .mp4 or .webm.
        size: (width, height), even numbers.
        rate: frames per second.
        sound: the video whose sound to take, and from which to which second.

    Raises:
        SameposeError: it cannot be written.
    """
    import av

    exact = Fraction(rate).limit_denominator(1001)
    with written(path) as part:
        try:
            with av.open(str(part), "w") as container:
                picture = container.add_stream("libvpx-vp9", rate=exact, options=dict(_QUALITY))
                picture.width, picture.height, picture.pix_fmt, picture.bit_rate = *size, "yuv420p", 0
                packets: Iterator[Any] = iter(())
                if sound is not None and _has_sound(sound[0]):
                    stream = container.add_stream(_SOUND[path.suffix.lower()], rate=_SOUND_RATE, layout="stereo")
                    packets = _sound_packets(stream, *sound)
                writer = VideoWriter(container, picture, exact, packets)
                yield writer
                writer.finish()
        except av.FFmpegError as error:
            raise MediaError(f"{path}: cannot be written ({one_line(error)}); choose another place") from error


def _has_sound(path: Path) -> bool:
    with opened_container(path) as container:
        return any(stream.codec_context is not None for stream in container.streams.audio)


def _sound_packets(stream: Any, path: Path, start: float, end: float) -> Iterator[Any]:
    """Packets of the sound from `start` to `end`, seconds since the first picture; damaged parts are left out."""
    import av

    with opened_container(path) as container:
        pictures: Any = container.streams.video[0]
        zero = float((pictures.start_time or 0) * pictures.time_base) + start
        try:
            frame: Any
            for frame in container.decode(container.streams.audio[0]):
                time = float((frame.pts or 0) * frame.time_base) - zero
                if time >= end - start:
                    break
                if time >= 0:
                    frame.pts = round(time / frame.time_base)
                    yield from stream.encode(frame)
        except av.FFmpegError:
            pass
        yield from stream.encode(None)
