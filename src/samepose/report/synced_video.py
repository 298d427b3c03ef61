"""Two performances side by side at one pace, as a video: what differs is coloured, and when is told by a bar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageDraw, ImageFont

from samepose.geometry.angles import ANGLES
from samepose.media.draw import draw_poses
from samepose.media.image import resize
from samepose.media.video import VideoInfo, probe, read_frames
from samepose.media.writer import video_writer
from samepose.poses import Poses
from samepose.progress import Progress, silent
from samepose.skeleton import mirrored_name

if TYPE_CHECKING:
    from samepose.sequences.alignment import Alignment
    from samepose.sequences.clip import Clip

HEIGHT = 480  # pixels of the pictures, or less if both are smaller
_WIDEST = 2.0  # times the height
_BAR = 84  # pixels of the bar under them
_INK, _PAPER, _DIM, _MARK = (235, 235, 235), (24, 24, 28), (120, 120, 128), (255, 60, 160)
_COLOURED, _LEAST_DEGREES = 2, 20.0  # so many joints at most, and only those that differ by so much
_FULL_DEGREES = 70.0  # from here on the colour is the strongest


def write_synced(alignment: Alignment, out: Path, progress: Progress = silent) -> None:
    """B at the pace of A, side by side, over the moments of A that were aligned; the sound is A's.

    The joints whose angles differ most, by 20 degrees at least, are marked in both; the bar shows the distance over
    time. Of a clip without a video the skeletons are drawn on an empty ground.

    Args:
        out: .mp4 or .webm.
        progress: told of each frame.

    Raises:
        MediaError: a video cannot be read, or `out` cannot be written.
    """
    rows = _one_row_per_moment(alignment.path.pairs)
    i, j = alignment.path.pairs[rows].T
    clips = alignment.a, alignment.b
    headers = [None if clip.video is None else probe(clip.video) for clip in clips]
    height = min(HEIGHT, max((header.height for header in headers if header), default=HEIGHT)) // 2 * 2
    left, right = (_Panel.of(clip, header, height) for clip, header in zip(clips, headers))
    width = left.size[0] + right.size[0]
    bar = _Bar(alignment, rows, width)
    start, end = alignment.a.times[i[0]], alignment.a.times[i[-1]] + 1 / alignment.a.rate
    sound = None if alignment.a.video is None else (alignment.a.video, float(start), float(end))
    with video_writer(out, (width, height + _BAR), alignment.a.rate, sound) as writer:
        pictures = zip(left.pictures(alignment.a.times[i]), right.pictures(alignment.b.times[j]))
        for n, (row, (picture_a, picture_b)) in enumerate(zip(rows, pictures)):
            marks = most_different(alignment.degrees[row])
            others = {mirrored_name(k): v for k, v in marks.items()} if alignment.mirrored else marks
            writer.write(np.concatenate([
                np.concatenate([left.drawn(picture_a, alignment.a.poses[int(i[n])], marks),
                                right.drawn(picture_b, alignment.b.poses[int(j[n])], others)], axis=1),
                bar.at(n, marks)]))
            progress(n + 1, len(rows), str(out))


def most_different(degrees: Float[np.ndarray, "8"]) -> dict[str, float]:
    """The joints to mark: at most two, of 20 degrees or more, the most different first."""
    order = np.argsort(-np.nan_to_num(degrees))[:_COLOURED]
    return {list(ANGLES)[k]: float(degrees[k]) for k in order if degrees[k] >= _LEAST_DEGREES}


def _one_row_per_moment(pairs: Int[np.ndarray, "k 2"]) -> Int[np.ndarray, " moment"]:
    """For each moment of A the middle one of its pairs."""
    _, first, count = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    rows: np.ndarray = first + count // 2
    return rows


@dataclass(frozen=True)
class _Panel:
    """One side of the picture.

    Attributes:
        size: (width, height) pixels.
        scale, shift: pixels of the panel = `scale` * pixels of the clip + `shift`.
        video: None for an empty ground.
    """

    size: tuple[int, int]
    scale: float
    shift: Float[np.ndarray, "2"]
    video: Path | None

    @classmethod
    def of(cls, clip: Clip, info: VideoInfo | None, height: int) -> _Panel:
        if info is not None:
            scale = min(height / info.height, _WIDEST * height / info.width)
            width = max(round(info.width * scale) // 2 * 2, 2)
            return cls((width, height), scale, np.array([0, (height - info.height * scale) / 2]), clip.video)
        points = clip.poses.points.reshape(-1, 2)
        low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
        scale = 0.85 * height / max(float((high - low).max()), 1e-6)
        return cls((height, height), scale, height / 2 - (low + high) / 2 * scale, None)

    def pictures(self, times: Float[np.ndarray, " moment"]) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """The picture shown at each of the times, which never go back; the last one for times after the end."""
        width, height = self.size
        empty = np.full((height, width, 3), 48, np.uint8)
        if self.video is None:
            yield from (empty for _ in times)
            return
        frames, step = read_frames(self.video, None), 1e-3
        frame, after = next(frames), next(frames, None)
        shown, canvas = -1, empty
        for time in times:
            while after is not None and after.time <= time + step:
                frame, after = after, next(frames, None)
            if frame.index != shown:
                canvas, shown = empty.copy(), frame.index
                inner = resize(frame.image, width, min(round(frame.image.shape[0] * self.scale), height))
                top = (height - len(inner)) // 2
                canvas[top : top + len(inner)] = inner
            yield canvas

    def drawn(
        self, picture: UInt8[np.ndarray, "height width 3"], pose: Poses, marks: dict[str, float]
    ) -> UInt8[np.ndarray, "height width 3"]:
        """The picture with the skeleton and the marked joints."""
        pose = replace(pose, points=(pose.points * self.scale + self.shift).astype(np.float32))
        canvas = Image.fromarray(draw_poses(picture, pose, below=0.0))
        pen = ImageDraw.Draw(canvas, "RGBA")
        for joint, degrees in marks.items():
            x, y = pose.points[0, pose.skeleton.index(joint)]
            radius, strength = self.size[1] / 26, min(degrees / _FULL_DEGREES, 1)
            ring = (x - radius, y - radius, x + radius, y + radius)
            pen.ellipse(ring, fill=(*_MARK, round(110 * strength)), outline=_MARK, width=round(2 + 3 * strength))
        return np.asarray(canvas)


class _Bar:
    """The distance over the moments shown, a cursor, the times, and the marked joints by name."""

    def __init__(self, alignment: Alignment, rows: Int[np.ndarray, " moment"], width: int) -> None:
        self.times, self.width = alignment.times[rows], width
        distance = np.nan_to_num(alignment.distance[rows])
        full = max(float(distance.max()), float(alignment.matrix.mean()) / 2, 1e-6)  # so that alike stays low
        self.font = ImageFont.load_default(size=15)
        self.image = Image.new("RGB", (width, _BAR), _PAPER)
        pen = ImageDraw.Draw(self.image)
        top, bottom = 42, _BAR - 6
        heights = (bottom - top) * distance / full
        xs = self._x(np.arange(len(rows)))
        pen.polygon([(xs[0], bottom), *zip(xs, bottom - heights), (xs[-1], bottom)], fill=(150, 40, 95))
        pen.line([(0, bottom), (width, bottom)], fill=_DIM)
        pen.text((6, 26), "difference", _DIM, ImageFont.load_default(size=12))

    def at(self, n: int, marks: dict[str, float]) -> UInt8[np.ndarray, "bar width 3"]:
        """The bar at the n-th moment."""
        image = self.image.copy()
        pen = ImageDraw.Draw(image)
        x = self._x(np.array([n]))[0]
        pen.line([(x, 28), (x, _BAR)], fill=_INK, width=2)
        pen.text((6, 6), f"A {self.times[n, 0]:.2f} s   B {self.times[n, 1]:.2f} s", _INK, self.font)
        words = "   ".join(f"{joint.replace('_', ' ')} {degrees:.0f}°" for joint, degrees in marks.items())
        pen.text((self.width - 6, 6), words, _MARK, self.font, anchor="ra")
        return np.asarray(image)

    def _x(self, n: Int[np.ndarray, " k"]) -> list[float]:
        return (6 + (self.width - 12) * n / max(len(self.times) - 1, 1)).tolist()
