"""Penn Action: `labels/NNNN.mat`, one trimmed video each, with 13 joints in every frame (Zhang, Zhu & Derpanis 2013).

A label file holds `action`, `pose` (the view: front, left, right or back), `x`, `y` and `visibility` (T x 13),
`bbox` (T x 4: x0, y0, x1, y1), `nframes`, `dimensions` (height, width, frames) and `train` (1, else -1 or 0). Pixels
count from 1. A joint that nobody could place lies at (1, 1); other invisible joints are the annotator's guesses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from samepose.errors import FormatError, SameposeError
from samepose.formats.matfile import load_mat
from samepose.poses import Poses
from samepose.skeleton import PENN13

VIEWS = ("front", "left", "right", "back")
_FIELDS = ("action", "pose", "x", "y", "visibility", "train")


@dataclass(frozen=True, eq=False)
class PennVideo:
    """One labelled video.

    Attributes:
        name: of the file without its suffix, e.g. "0001".
        action: e.g. "baseball_pitch".
        view: one of `VIEWS`.
        train: whether the official split trains on it.
        poses: (T,) PENN13 in pixels, one person, a pose per frame; a joint nobody placed is NaN. No times: the labels
            do not say how fast the video is.
        annotated: (T, 13) joints the annotator saw; the other joints of `poses` are guesses.
    """

    name: str
    action: str
    view: str
    train: bool
    poses: Poses
    annotated: Bool[np.ndarray, "frame 13"]

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def visible(self) -> float:
        """Share of the person's joints, over all frames, that the annotator saw."""
        return float(self.annotated.mean())

    def without_guesses(self, reach: int = 0) -> PennVideo:
        """Only what the annotator saw, and guesses up to `reach` frames from where that joint was seen; else NaN."""
        frames = np.arange(len(self))
        near = np.zeros_like(self.annotated)
        for joint, seen in enumerate(self.annotated.T):
            if seen.any():
                at = np.flatnonzero(seen)
                near[:, joint] = np.abs(frames[:, None] - at).min(axis=1) <= reach
        points = np.where(near[..., None], self.poses.points, np.float32(np.nan))
        scores = np.where(near, self.poses.scores, np.float32(0))
        return replace(self, poses=replace(self.poses, points=points, scores=scores))


@dataclass(frozen=True)
class PennAction:
    """The videos that could be read, by name, and a line for each file that could not."""

    videos: tuple[PennVideo, ...]
    failed: tuple[str, ...] = ()


def read_penn_action(path: str | Path) -> PennAction:
    """Every label file of a folder.

    Args:
        path: the folder that holds `labels/`, or the folder of the .mat files itself.

    Raises:
        FormatError: there is no label file, or none that can be read.
    """
    folder = Path(path)
    labels = folder / "labels" if (folder / "labels").is_dir() else folder
    files = sorted(f for f in labels.glob("*.mat") if not f.name.startswith("."))
    if not files:
        raise FormatError(f"{path}: holds no labels/*.mat; give the folder of Penn Action, or its labels folder")
    videos, failed = [], []
    for file in files:
        try:
            videos.append(read_penn_label(file))
        except FormatError as error:
            failed.append(str(error))
    if not videos:
        raise FormatError(f"{path}: none of {len(files)} label files can be read; the first: {failed[0]}")
    return PennAction(tuple(videos), tuple(failed))


@np.errstate(over="ignore", invalid="ignore")  # numbers that float32 cannot hold become infinite: nowhere
def read_penn_label(path: str | Path) -> PennVideo:
    """One label file.

    Raises:
        FormatError: missing, damaged, or not a label of Penn Action.
    """
    path = Path(path)
    file = _load(path)
    x, y, seen = (_table(path, file, key) for key in ("x", "y", "visibility"))
    if not x.shape == y.shape == seen.shape:
        raise FormatError(f"{path}: x {x.shape}, y {y.shape} and visibility {seen.shape} differ; get the file again")
    points = np.stack([x, y], axis=-1).astype(np.float32)
    points[((x <= 1) & (y <= 1)) | ~np.isfinite(points).all(axis=-1)] = np.nan
    annotated = (seen > 0) & ~np.isnan(points[..., 0])
    view = _text(path, file, "pose")
    if view not in VIEWS:
        raise FormatError(f"{path}: its view (pose) is {view!r}; expected one of {', '.join(VIEWS)}")
    train = np.ravel(file["train"])
    if train.size != 1 or train.dtype.kind not in "iufb":
        raise FormatError(f"{path}: train is not a number; get the file again")
    poses = Poses.of(points, PENN13, boxes=_boxes(file.get("bbox"), points), frames=np.arange(len(points)),
                     tracks=np.zeros(len(points), np.int64))
    return PennVideo(path.stem, _text(path, file, "action"), view, bool(train[0] == 1), poses, annotated)


def detected(
    video: PennVideo, frames: str | Path, detect: Callable[[Any, Float[np.ndarray, "n 4"]], Poses]
) -> Poses:
    """Keypoints found in the video's pictures, inside the given boxes (Sun 2020, supplement), a pose per frame.

    Args:
        frames: the data set's folder `frames`, with `0001/000001.jpg` and so on.
        detect: image and boxes -> a pose of each box, `MoveNet.detect_inside`.

    Raises:
        SameposeError: a picture is missing.
        MediaError: a picture cannot be read.
    """
    from samepose.media.image import read_image

    found = []
    for k, box in enumerate(video.poses.boxes):
        picture = Path(frames) / video.name / f"{k + 1:06d}.jpg"
        if not picture.is_file():
            raise SameposeError(f"{picture}: is missing; unpack all frames of Penn Action, or use the annotated joints")
        found.append(detect(read_image(picture), box[None]))
    return replace(Poses.concatenate(found), frames=video.poses.frames, tracks=video.poses.tracks)


def _load(path: Path) -> dict[str, Any]:
    file = load_mat(path)
    missing = [key for key in _FIELDS if key not in file]
    if missing:
        raise FormatError(f"{path}: has no {', '.join(missing)}; give label files of Penn Action")
    return file


def _table(path: Path, file: dict[str, Any], key: str) -> Float[np.ndarray, "frame 13"]:
    values = file[key]
    if values.ndim != 2 or values.shape[1] != len(PENN13) or not len(values) or values.dtype.kind not in "iufb":
        raise FormatError(f"{path}: {key} is {values.dtype} {values.shape}; expected a row of {len(PENN13)} numbers "
                          "for every frame")
    table: np.ndarray = values.astype(np.float64)
    return table


def _text(path: Path, file: dict[str, Any], key: str) -> str:
    values = np.ravel(file[key])
    if values.size != 1 or values.dtype.kind not in "US" or not str(values[0]).strip():
        raise FormatError(f"{path}: {key} is not a word; get the file again")
    return str(values[0]).strip()


def _boxes(given: Any, points: Float[np.ndarray, "frame 13 2"]) -> Float[np.ndarray, "frame 4"]:
    """A box for every frame: where one is missing, the nearest frame's (Sun 2020, supplement), else the joints'."""
    boxes = np.full((len(points), 4), np.nan, np.float32)
    if isinstance(given, np.ndarray) and given.ndim == 2 and given.shape[1] == 4 and given.dtype.kind in "iuf":
        n = min(len(given), len(boxes))
        boxes[:n] = given[:n]
    boxes[~((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))] = np.nan
    there = np.flatnonzero(~np.isnan(boxes[:, 0]))
    if len(there):
        return boxes[there[np.abs(np.arange(len(boxes))[:, None] - there).argmin(axis=1)]]
    return Poses.of(points, PENN13).boxes
