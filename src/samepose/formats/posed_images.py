"""Pictures of people with their true 3D poses, whatever the data set: what `samepose eval pose3d` measures on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from samepose.errors import FormatError, MediaError, SameposeError
from samepose.formats.rendered import read_pictures
from samepose.media.image import read_image
from samepose.media.video import read_frames
from samepose.skeleton import Skeleton

FRAME = "img_{:06d}.jpg"  # of a folder of frames


@dataclass(frozen=True, eq=False)
class PosedImages:
    """N pictures, each of one person who is meant.

    Attributes:
        name: of the data set.
        truth: H36M17, metres, camera space: x right, y down, z away from the camera.
        skeleton: of `points`.
        points: what is known of joints in the picture, pixels, x right and y down.
        inside: which of them are within the picture, as far as the data set tells.
        actions, subjects: of each picture.
        action_is: what an action is in this data set.
        media: shards of rendered people, videos, or folders of frames named as `FRAME`.
        places: number of the medium, and of the picture in it; ascending.
    """

    name: str
    truth: Float[np.ndarray, "image 17 3"]
    skeleton: Skeleton
    points: Float[np.ndarray, "image joint 2"]
    inside: Bool[np.ndarray, "image joint"]
    actions: tuple[str, ...]
    subjects: tuple[str, ...]
    action_is: str
    media: tuple[Path, ...]
    places: Int[np.ndarray, "image 2"]

    def __len__(self) -> int:
        return len(self.truth)

    def only(self, rows: Bool[np.ndarray, " image"]) -> PosedImages:
        """Some of the pictures."""
        kept = np.flatnonzero(rows)
        return replace(
            self, truth=self.truth[kept], points=self.points[kept], inside=self.inside[kept], places=self.places[kept],
            actions=tuple(self.actions[k] for k in kept), subjects=tuple(self.subjects[k] for k in kept))

    def drawn(self, n: int | None, seed: int = 0) -> PosedImages:
        """N pictures drawn at random, or all."""
        if n is None or n >= len(self):
            return self
        rows = np.zeros(len(self), bool)
        rows[np.random.default_rng(seed).choice(len(self), n, replace=False)] = True
        return self.only(rows)

    def pictures(self) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"] | SameposeError]]:
        """Row and RGB picture of each, or why it cannot be read; every medium is gone through once."""
        for number in np.unique(self.places[:, 0]):
            path, rows = self.media[number], np.flatnonzero(self.places[:, 0] == number)
            left = dict(zip(self.places[rows, 1].tolist(), rows.tolist()))
            error: SameposeError = MediaError(f"{path}: ends before its 3D poses do; get the whole file")
            try:
                for frame, picture in _pictures(path, list(left)):
                    yield left.pop(frame), picture
            except (MediaError, FormatError) as failure:
                error = failure
            for row in left.values():
                yield row, error


def _pictures(
    path: Path, wanted: Sequence[int]
) -> Iterator[tuple[int, UInt8[np.ndarray, "height width 3"] | SameposeError]]:
    if path.suffix == ".npz":
        yield from read_pictures(path, wanted)
        return
    if path.is_dir():
        for number in wanted:
            try:
                yield number, read_image(path / FRAME.format(number))
            except MediaError as error:
                yield number, error
        return
    among = set(wanted)
    for frame in read_frames(path, fps=None):
        if frame.index in among:
            yield frame.index, frame.image
            if frame.index == wanted[-1]:  # what comes after it is not decoded
                return
