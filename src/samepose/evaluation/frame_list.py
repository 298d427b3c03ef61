"""Which frames a protocol measures: the paper's selection, and lists in files that fix a selection for good.

Sun 2020, section 4.1: near-duplicates closer than 0.02 NP-MPJPE are removed, the same frames in all cameras. That
leaves 10,910 frames per camera of Human3.6M's S9 and S11 and 6,824 of MPI-INF-3DHP's eight training subjects. The paper
does not say in what order frames were compared nor whether they were thinned first, so the same rule may leave
another number of them here: a list in a file is what makes two measurements comparable.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from samepose.errors import FormatError, UsageError
from samepose.evaluation.retrieval import near_duplicates_removed, select_frames
from samepose.files import written
from samepose.formats.multiview import MultiView

PAPER_FRAMES = {"h36m": 10_910, "3dhp": 6_824}  # per camera
_HEADER = ["clip", "frame"]
FrameList = tuple[tuple[str, int], ...]


def paper_frames(views: MultiView, n: int | None = None, seed: int = 0) -> Int[np.ndarray, " kept"]:
    """Frames of `views` to keep, in order: no two closer than 0.02 NP-MPJPE, the same in all cameras.

    Args:
        n: draw so many of them, such as `PAPER_FRAMES["h36m"]`; None keeps all.
        seed: of the draw.
    """
    if n is None:
        return near_duplicates_removed(views.points)
    return select_frames(views.points, n, seed)


def frame_list(views: MultiView) -> FrameList:
    """The (clip, frame number) of every frame."""
    return tuple((views.clip_names[c], int(f)) for c, f in zip(views.clip, views.frame))


def listed_frames(views: MultiView, frames: Sequence[tuple[str, int]]) -> Int[np.ndarray, " kept"]:
    """Where the frames of a list are in `views`, in the list's order.

    Raises:
        UsageError: `views` lack some of them.
    """
    place = {entry: k for k, entry in enumerate(frame_list(views))}
    missing = [entry for entry in frames if entry not in place]
    if missing:
        clip, frame = missing[0]
        raise UsageError(f"{len(missing)} of {len(frames)} listed frames are not in the data, first {clip} frame "
                         f"{frame}; read the subjects and the frame rate that the list was made of")
    return np.array([place[entry] for entry in frames], np.int64)


def write_frame_list(path: str | Path, frames: Sequence[tuple[str, int]]) -> None:
    """Write a list as CSV with the header `clip,frame`, in one step.

    Raises:
        SameposeError: the place cannot be written to.
    """
    with written(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([_HEADER, *frames])


def read_frame_list(path: str | Path) -> FrameList:
    """A list that `write_frame_list` wrote.

    Raises:
        FormatError: not such a list, an empty one, or one that names a frame twice.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            header, *rows = [row for row in csv.reader(file) if row]
        if header != _HEADER:
            raise ValueError(f"the header is {','.join(header)}")
        frames = tuple((clip, int(frame)) for clip, frame in rows)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (ValueError, csv.Error) as error:
        raise FormatError(f"{path}: is not a list of frames ({error}); expected lines of clip,frame under that header"
                          ) from None
    if not frames or len(set(frames)) < len(frames):
        raise FormatError(f"{path}: {'names frames twice' if frames else 'lists no frame'}; write the list again")
    return frames
