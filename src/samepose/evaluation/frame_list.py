"""Which frames a protocol measures: the paper's selection, and lists in files that fix a selection for good.

Sun 2020, section 4.1: near-duplicates closer than 0.02 NP-MPJPE are removed, the same frames in all cameras. That
leaves 10,910 frames per camera of Human3.6M's S9 and S11 and 6,824 of MPI-INF-3DHP's eight training subjects. The
authors published those frames (google-research, poem/eval/frames): one text file per camera, one key a line,
`S11:Directions 1:54138969:000020` or `S1:Seq1:V1:C1:003370`, counted from 0. Those that we have seen are multiples of
ten, so we look at every tenth frame. In what order they were compared is not told, so the same rule may leave another
number here: the list is what makes two measurements comparable.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from samepose.errors import FormatError, UsageError
from samepose.evaluation.retrieval import near_duplicates_removed
from samepose.files import written
from samepose.formats.h36m import one_name
from samepose.formats.multiview import MultiView

PAPER_FRAMES = {"h36m": 10_910, "3dhp": 6_824}  # per camera
STEP = 10  # frames from one that is looked at to the next
_HEADER = ["clip", "frame"]
_KEY = re.compile(r"(?P<subject>S\d+):(?P<clip>[^:]+):(?:V\d+:)?C?(?P<camera>\d+):(?P<frame>\d+)")
FrameList = tuple[tuple[str, int], ...]


def paper_frames(views: MultiView, n: int | None = None, seed: int = 0) -> Int[np.ndarray, " kept"]:
    """Frames of `views` to keep, in order: every tenth that all cameras see, no two closer than 0.02 NP-MPJPE.

    Args:
        n: draw so many of them, such as `PAPER_FRAMES["h36m"]`; None keeps all.
        seed: of the draw.
    """
    looked_at = np.flatnonzero((views.frame % STEP == 0) & views.in_all_cameras())
    kept = looked_at[near_duplicates_removed(views.points[looked_at])]
    if n is None or len(kept) <= n:
        return kept
    return np.sort(np.random.default_rng(seed).choice(kept, n, replace=False))


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
    """A list that `write_frame_list` wrote, or the published one.

    Args:
        path: the CSV file; or one of the authors' text files, or the folder of them, one for each camera.

    Raises:
        FormatError: not such a list, an empty one, one that names a frame twice, or cameras with different frames.
    """
    path = Path(path)
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    if not files:
        raise FormatError(f"{path}: holds no .txt file; give the folder of the published frames, or one list")
    lists = [_read(file) for file in files]
    for file, frames in zip(files, lists):
        if not frames or len(set(frames)) < len(frames):
            raise FormatError(f"{file}: {'names frames twice' if frames else 'lists no frame'}; write the list again")
        if set(frames) != set(lists[0]):
            raise FormatError(f"{file}: lists other frames than {files[0].name}; give files of one data set, a frame "
                              "counts in all cameras or in none")
    return lists[0]


def _read(path: Path) -> FrameList:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        if lines and ":" in lines[0]:
            return tuple(_of_key(line.strip()) for line in lines if line.strip())
        header, *rows = [row for row in csv.reader(lines) if row]
        if header != _HEADER:
            raise ValueError(f"the header is {','.join(header)}")
        return tuple((clip, int(frame)) for clip, frame in rows)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except (ValueError, csv.Error) as error:
        raise FormatError(f"{path}: is not a list of frames ({error}); expected lines of clip,frame under that header, "
                          "or the published keys such as S9:Eating:54138969:000010") from error


def _of_key(key: str) -> tuple[str, int]:
    found = _KEY.fullmatch(key)
    if not found:
        raise ValueError(f"{key[:60]!r} is no key")
    return f"{found['subject']}/{one_name(found['clip'])}", int(found["frame"])
