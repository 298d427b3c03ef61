"""Videos as streams of upright RGB frames with the times they are shown at."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from samepose.errors import MediaError, UsageError
from samepose.media import check_readable, one_line
from samepose.media.remote import is_remote

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp",
     ".ogv"}
)

# FFmpeg's names of the containers that are read. Left out is whatever leads to other files or the network: playlists
# (HLS, DASH), scripts (concat), descriptions (SDP); and those that nobody films in.
_CONTAINERS = ("mov", "matroska", "webm", "avi", "mpeg", "mpegvideo", "mpegts", "asf", "flv", "ogg")
_LARGEST = 2**26  # pixels of a frame: twice 8K
_SAMPLING_SLACK = 1e-3  # seconds: containers round times to the millisecond
_CUT_SLACK = 0.5  # seconds that may be missing at the end before a video counts as cut


@dataclass(frozen=True)
class Frame:
    """One upright frame.

    Attributes:
        index: number of the frame in the video, from 0.
        time: seconds since the start of the video at which it is shown; NaN of a photo.
        image: (height, width, 3) uint8 RGB.
    """

    index: int
    time: float
    image: UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class VideoInfo:
    """What a video's header says, of the upright picture.

    Attributes:
        width, height: pixels.
        fps: mean frames per second, None when the header does not say.
        duration: seconds, None when the header does not say.
        frames: how many, None when unknown; an estimate from duration and fps where the header has no count.
    """

    width: int
    height: int
    fps: float | None
    duration: float | None
    frames: int | None


def probe(path: str | Path) -> VideoInfo:
    """Size, rate and length, from the header and the first frame.

    Raises:
        MediaError: the file cannot be read, or holds no video.
    """
    with _opened(path) as (container, stream):
        for _, raw in _decoded(container, stream):
            height, width = _upright(raw, stream).shape[:2]
            fps, duration = _rate(stream), _duration(container, stream)
            estimate = round(fps * duration) if fps and duration else None
            return VideoInfo(width, height, fps, duration, stream.frames or estimate)
    raise MediaError(f"{path}: holds no frame that can be decoded; copy or export it again")


def read_frames(
    path: str | Path, fps: float | None = 10.0, start: float | None = None, end: float | None = None
) -> Iterator[Frame]:
    """Frames in the order they are shown, decoded as they are asked for.

    Sampled by time, so that a variable frame rate does no harm: after each instant k / fps the first frame is
    given, and none twice. Packets that cannot be decoded are skipped.

    Args:
        fps: frames per second to give at most; None gives every frame.
        start, end: seconds, both included; the same frames as without them, of those between. What lies before is not
            decoded where the file can be entered there; then the `index` of frames is the time times the mean rate.

    Raises:
        UsageError: fps is not positive.
        MediaError: the file cannot be read or holds no video; or, AFTER its good frames were given, the video
            breaks off before the length that its header states.
    """
    if fps is not None and not (fps > 0 and math.isfinite(fps)):
        raise UsageError(f"`fps` is {fps}; expected a positive number, or None for every frame")
    low, high = start or 0.0, math.inf if end is None else end + _SAMPLING_SLACK
    with _opened(path) as (container, stream):
        entered = low > 0 and _enter(path, container, stream, low)
        rate = _rate(stream) or 0.0
        index, time = -1, 0.0
        due = -math.inf if low <= 0 else low if fps is None else math.ceil((low - _SAMPLING_SLACK) * fps) / fps
        due -= _SAMPLING_SLACK
        for index, (time, raw) in enumerate(_decoded(container, stream)):
            if time > high:
                return
            if time < due:
                continue
            if fps is not None:
                due = _due(time, fps)
            yield Frame(round(time * rate) if entered else index, time, _upright(raw, stream))
        if index < 0:
            raise MediaError(f"{path}: holds no frame that can be decoded; copy or export it again")
        _check_whole(path, container, stream, time)


PARTED_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm"})  # whose frames all say when they are shown


def part_limits(duration: float | None, fps: float | None, seconds: float) -> list[float]:
    """Where to part a video, so that the frames that are sampled are those of the whole: 0, …, infinity.

    Args:
        fps: as of `read_frames`. seconds: of a part.
    """
    count = int((duration or 0.0) / seconds)
    inner = (k * seconds for k in range(1, count))
    if fps is not None:  # the very moment from which on `read_frames` would take a frame
        inner = (math.ceil(limit * fps) / fps - _SAMPLING_SLACK for limit in inner)
    return [0.0, *inner, math.inf]


def read_part(path: str | Path, fps: float | None, start: float, end: float) -> Generator[Frame, None, int]:
    """The frames of `read_frames` between two of `part_limits`, the first included; `index` counts from there.

    Returns:
        how many frames the part has, so that whoever reads all parts knows the number of each.

    Raises:
        MediaError: as `read_frames`; of what lies behind a cut, only the last part says so.
    """
    with _opened(path) as (container, stream):
        if start > 0:
            _enter(path, container, stream, start)
        count, time, due = 0, 0.0, -math.inf
        for time, raw in _decoded(container, stream):
            if time >= end:
                return count
            if time < start:
                continue
            if time >= due:
                due = -math.inf if fps is None else _due(time, fps)
                yield Frame(count, time, _upright(raw, stream))
            count += 1
        if end == math.inf:
            if start == 0 and not count:
                raise MediaError(f"{path}: holds no frame that can be decoded; copy or export it again")
            _check_whole(path, container, stream, time)
        return count


def _due(time: float, fps: float) -> float:
    """From when on the next frame is sampled, after that of a time."""
    return (math.floor((time + _SAMPLING_SLACK) * fps) + 1) / fps - _SAMPLING_SLACK


def frame_at(path: str | Path, seconds: float) -> Frame:
    """The frame that is shown at a time: the last one at or before it.

    Its `index` is the time times the mean frame rate, exact where the frame rate is constant.

    Raises:
        UsageError: `seconds` is negative or not a number.
        MediaError: the file cannot be read, holds no video, or ends before that time.
    """
    if not (seconds >= 0 and math.isfinite(seconds)):
        raise UsageError(f"`at` is {seconds}; it must be a number of seconds, 0 or more")
    with _opened(path) as (container, stream):
        found = _last_until(container, stream, seconds, seek=True)
        rate = _rate(stream) or 0.0
    if found is None:  # no index, or one that leads too far: read from the start
        with _opened(path) as (container, stream):
            found = _last_until(container, stream, seconds, seek=False)
    if found is None:
        raise MediaError(f"{path}: holds no frame that can be decoded; copy or export it again")
    time, raw, ended = found
    if ended and seconds > time + 1.0 / (rate or 1.0) + _SAMPLING_SLACK:
        raise MediaError(f"{path}: has no frame at {seconds:g} s, its last is at {time:.2f} s; give an earlier time")
    return Frame(round(time * rate), time, _upright(raw, stream))


def _enter(path: str | Path, container: Any, stream: Any, seconds: float) -> bool:
    """Go to the last key frame at or before a time; False, and the file is at its start, where it has none known."""
    import av

    with _opened(path) as (trial, trial_stream):
        try:
            _seek(trial, trial_stream, seconds)
            first = next(_decoded(trial, trial_stream), None)
        except av.FFmpegError:
            first = None
    if first is None or first[0] > seconds + _SAMPLING_SLACK:
        return False
    _seek(container, stream, seconds)
    return True


def _seek(container: Any, stream: Any, seconds: float) -> None:
    target = round((seconds + _SAMPLING_SLACK) / stream.time_base) + (stream.start_time or 0)
    container.seek(target, stream=stream, backward=True)


def _last_until(container: Any, stream: Any, seconds: float, seek: bool) -> tuple[float, Any, bool] | None:
    """Time and picture of the last frame at or before `seconds`, and whether the video ended there."""
    import av

    if seek:
        try:
            _seek(container, stream, seconds)
        except av.FFmpegError:
            return None
    last = None
    for time, raw in _decoded(container, stream):
        if time > seconds + _SAMPLING_SLACK:
            if last is None and not seek:
                last = (time, raw)  # nothing is shown before the first frame
            return (*last, False) if last else None
        last = (time, raw)
    return (*last, True) if last else None


def opened_container(path: str | Path) -> Any:
    """PyAV's container of a file, which is all that is opened: no other file, and nothing over the network.

    Raises:
        MediaError: the file is missing, no regular file, or of none of the kinds that are read.
    """
    import av

    path = check_readable(path)
    remote = is_remote(path)
    only = {"protocol_whitelist": "none" if remote else "file", "format_whitelist": ",".join(_CONTAINERS)}
    try:
        return av.open(path.open("rb") if remote else f"file:{path}", options=only)
    except av.ArgumentError as error:  # FFmpeg's word for what is not on the list
        raise MediaError(f"{path}: is no video of a kind that is read here; convert it to MP4") from error
    except (av.FFmpegError, ValueError, UnicodeError) as error:
        raise MediaError(f"{path}: is not a video that can be read ({_reason(error)}); convert it to MP4") from error


@contextmanager
def _opened(path: str | Path) -> Iterator[tuple[Any, Any]]:
    """The container and its first video stream; MediaError when there is none."""
    with opened_container(path) as container:
        streams = [s for s in container.streams.video if not _is_cover(s)]
        if not streams:
            raise MediaError(f"{path}: holds no video, only sound or data; give a video or a photo")
        stream = streams[0]
        if stream.codec_context is None:
            raise MediaError(f"{path}: its video codec is not known here; convert it to H.264 or VP9")
        if stream.width * float(stream.sample_aspect_ratio or 1) * stream.height > _LARGEST:
            most = _LARGEST // 10**6
            raise MediaError(f"{path}: has frames of more than {most} million pixels; make it smaller first")
        stream.thread_type = "AUTO"
        yield container, stream


def _is_cover(stream: Any) -> bool:
    """A cover picture in a music file is a video stream to FFmpeg."""
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def _decoded(container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
    """(seconds since the start, frame) of all that can be decoded, times always growing."""
    step = 1.0 / (_rate(stream) or 25.0)
    start = float((stream.start_time or 0) * stream.time_base)
    last, shift = None, 0.0
    for raw in _decoded_frames(container, stream):
        if raw.pts is None:
            time = 0.0 if last is None else last + step
        else:
            time = float(raw.pts * raw.time_base) - start + shift
        if last is not None and time <= last:  # clips that were strung together start their clock again
            shift += last + step - time
            time = last + step
        last = time
        yield max(time, 0.0), raw


def _decoded_frames(container: Any, stream: Any) -> Iterator[Any]:
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:  # the file breaks off: what was read so far is still in the decoder
            yield from _flushed(stream)
            return
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue


def _flushed(stream: Any) -> list[Any]:
    import av

    try:
        return list(stream.codec_context.decode(None))
    except av.FFmpegError:
        return []


def _check_whole(path: str | Path, container: Any, stream: Any, last: float) -> None:
    duration = _duration(container, stream)
    if duration and duration - last - 1.0 / (_rate(stream) or 25.0) > max(_CUT_SLACK, 0.02 * duration):
        raise MediaError(f"{path}: the video is cut after {last:.1f} of {duration:.1f} s; copy it again for the rest")


def _rate(stream: Any) -> float | None:
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate else None


def _duration(container: Any, stream: Any) -> float | None:
    """Seconds that the header states; of a cut AVI only its count of frames still tells."""
    counted: float = stream.frames / (_rate(stream) or math.inf)
    if stream.duration:
        return max(float(stream.duration * stream.time_base), counted)
    stated = float(container.duration or 0) / 1e6
    return max(stated, counted) or None


def _upright(raw: Any, stream: Any) -> UInt8[np.ndarray, "height width 3"]:
    """Decoded frame -> RGB with square pixels, turned and mirrored as its display matrix says."""
    width = round(raw.width * (stream.sample_aspect_ratio or 1))
    image = raw.reformat(width=width, height=raw.height, format="rgb24").to_ndarray()
    matrix = raw.side_data.get("DISPLAYMATRIX")
    return image if matrix is None else _displayed(image, np.frombuffer(matrix, np.int32))


def _displayed(
    image: UInt8[np.ndarray, "height width 3"], matrix: Int[np.ndarray, " 9"]
) -> UInt8[np.ndarray, "height2 width2 3"]:
    """Apply FFmpeg's display matrix, in quarter turns: a pixel (x, y) goes to (a x + c y, b x + d y)."""
    a, b, _, c, d = matrix[:5]
    if abs(a) >= abs(b):
        flip_x, flip_y = a < 0, d < 0
    else:
        image, flip_x, flip_y = image.transpose(1, 0, 2), c < 0, b < 0
    image = image[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
    return np.ascontiguousarray(image)


def _reason(error: BaseException) -> str:
    return one_line(getattr(error, "strerror", None) or error)
