"""What was found, to hand on: parts of videos cut out as small videos, photographs as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from samepose.errors import MediaError
from samepose.files import refuse_inputs, written
from samepose.media.files import copy, is_motion
from samepose.media.image import resize
from samepose.media.video import probe, read_frames
from samepose.media.writer import video_writer

_LARGEST = 640  # pixels of the longer side
_FASTEST, _USUAL = 30.0, 25.0  # frames per second: the most that are written, and where a video does not say


@dataclass(frozen=True)
class Excerpt:
    """A part of a video, or a whole photograph.

    Attributes:
        number: before its name.
        file: to cut from; None where there is none.
        name: what to call it in an error.
        start, end: seconds, both included; None of a photograph.
    """

    number: int
    file: Path | None
    name: str
    start: float | None = None
    end: float | None = None

    def path(self, folder: Path, width: int) -> Path:
        """Where it goes: `03-photo.jpg`, `04-clip.mp4`."""
        of = self.file or Path(self.name)
        return folder / f"{self.number:0{width}d}-{of.name if self.start is None else of.stem + '.mp4'}"


def excerpt_paths(excerpts: Sequence[Excerpt], folder: Path) -> list[Path]:
    """Where each goes."""
    width = len(str(max((excerpt.number for excerpt in excerpts), default=0)))
    return [excerpt.path(folder, width) for excerpt in excerpts]


def write_excerpts(excerpts: Sequence[Excerpt], folder: Path) -> tuple[list[Path], list[str]]:
    """Write each into the folder, which is made; existing files are replaced, but none that is read.

    Returns:
        what was written, and a line for each that could not be.

    Raises:
        UsageError: one would take the place of a file to cut from.
        SameposeError: the folder cannot be written to.
    """
    paths = excerpt_paths(excerpts, folder)
    refuse_inputs(paths, [excerpt.file for excerpt in excerpts if excerpt.file])
    folder.mkdir(parents=True, exist_ok=True)
    done, failed = [], []
    for excerpt, path in zip(excerpts, paths):
        if excerpt.file is None or not excerpt.file.is_file():
            failed.append(f"{excerpt.name}: there is no file to cut from; it was moved or removed, or only its poses "
                          "were given")
            continue
        if excerpt.start is None or excerpt.end is None:
            with written(path) as part:
                copy(excerpt.file, part)
        else:
            try:
                cut(excerpt.file, path, excerpt.start, excerpt.end)
            except MediaError as error:
                failed.append(str(error))
                continue
        done.append(path)
    return done, failed


def cut(video: Path, path: Path, start: float, end: float) -> None:
    """Write the pictures of a part of a video as a small one, without sound, at its pace.

    Args:
        path: .mp4 or .webm.
        start, end: seconds, both included.

    Raises:
        MediaError: the video cannot be read, has no picture there, or the new one cannot be written.
    """
    if is_motion(video):
        raise MediaError(f"{video}: is motion capture; there are no pictures to cut out")
    rate = min(probe(video).fps or _USUAL, _FASTEST)
    frames = read_frames(video, rate, max(start, 0.0), end)
    first = next(frames, None)
    if first is None:
        raise MediaError(f"{video}: has no picture from {start:.2f} to {end:.2f} s; it was replaced by a shorter one")
    last, shown = _small(first.image), 0
    with video_writer(path, (last.shape[1], last.shape[0]), rate) as writer:
        for frame in frames:
            for _ in range(round((frame.time - first.time) * rate) - shown):  # more than one where frames are missing
                writer.write(last)
                shown += 1
            last = _small(frame.image)
        writer.write(last)


def _small(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """With sides that are even, which the encoder wants, the longer of them no longer than `_LARGEST`."""
    height, width = image.shape[:2]
    scale = min(_LARGEST / max(height, width), 1.0)
    return resize(image, *(max(round(side * scale / 2) * 2, 2) for side in (width, height)))
