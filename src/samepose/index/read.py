"""Read: everyone in one photo or video, moment by moment, and the person of motion capture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from samepose.index.pixels import Seen, seen
from samepose.index.schema import MOTION, Medium
from samepose.poses import Poses

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.embed.image import ImageEmbedder

_MOMENTS = 256  # of motion capture that are given at a time


def read(
    file: Path, medium: Medium, detector: Detector, tell: Callable[[float], None] | None = None,
    before: Poses | None = None, embedder: ImageEmbedder | None = None,
) -> Iterator[Seen]:
    """The people of each moment at which there are any; of motion capture, of many moments at a time.

    Args:
        medium: how to read it: `kind` and `fps`.
        tell: called with the part of a video that is done, 0 to 1.
        before: everyone found in a video earlier, when it was not read to its end; only who comes after is given.
        embedder: of the people's pixels, which are not looked at without.

    Raises:
        MediaError: the file cannot be read; with a video that is cut, after its good frames.
        FormatError: motion capture cannot be read.
    """
    if medium.kind == MOTION:
        yield from _motion(file, medium.fps, tell)
        return
    from samepose.detection import detect, go_on

    duration = _duration(file) if medium.kind == "video" and tell else None
    fps = medium.fps
    moments = detect(file, detector, fps) if before is None else go_on(file, detector, fps, before)
    for moment in seen(moments, embedder):
        yield moment
        if duration and tell:
            tell(min(float(moment.poses.times[0]) / duration, 1.0))


def _motion(file: Path, fps: float | None, tell: Callable[[float], None] | None) -> Iterator[Seen]:
    """What is embedded and written at a time is bounded; the file's own numbers are in memory as a whole."""
    from samepose.formats.motion import read_motion
    from samepose.geometry.frontal import pictured

    poses = read_motion(file, fps).poses
    for start in range(0, len(poses), _MOMENTS):
        flat, depth = pictured(poses[start : start + _MOMENTS])
        yield Seen(flat, None, depth)
        if tell:
            tell(min((start + _MOMENTS) / len(poses), 1.0))


def _duration(file: Path) -> float | None:
    from samepose.media.video import probe

    return probe(file).duration
