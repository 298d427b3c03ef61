"""MPI-INF-3DHP's training sequences: `S1/Seq1/annot.mat` with 28 joints seen by 14 cameras.

Each of the 14 cells of `annot2` and `univ_annot3` is one camera's (T, 28 x 2) pixels and (T, 28 x 3) millimetres in
that camera's axes (x right, y down, z away), a frame's joints one after the other; `cameras` numbers the cells from 0.
The pixels are the annotated joints as the real cameras project them.

Errors of the data set that public loaders of it report, mended here unless `mend` is off. They were not checked on the
data itself, and Sun 2020 does not say whether any was mended.
- S4/Seq2: left and right are exchanged in all annotations of frames 3,759 to 5,852 (reported once).
- S3/Seq1: one annotation more than the 12,488 frames of its videos; the last is left out (reported twice).
- S6/Seq2: the video of camera 2 ends after 3,911 frames, so a detector's keypoints may end there too (reported twice).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.errors import FormatError
from samepose.formats.matfile import load_mat
from samepose.formats.multiview import MultiView
from samepose.formats.positions2d import Positions2D
from samepose.skeleton import BODY13, H36M17

CAMERAS = tuple(str(k) for k in range(14))
NOT_OVERHEAD = CAMERAS[:11]  # Sun 2020, section 4.1; the last three hang from the ceiling
CHEST = ("0", "2", "4", "7", "8")  # Sun 2020, table 1, "chest"
_JOINTS = 28
# H36M17 by position among the 28: its thorax is 3DHP's "neck", the base of it, and its neck is 3DHP's "head".
_PLACES = {
    "pelvis": 4, "spine": 3, "thorax": 5, "neck": 6, "head_top": 7,
    "left_shoulder": 9, "left_elbow": 10, "left_wrist": 11, "right_shoulder": 14, "right_elbow": 15, "right_wrist": 16,
    "left_hip": 18, "left_knee": 19, "left_ankle": 20, "right_hip": 23, "right_knee": 24, "right_ankle": 25,
}
_H36M17 = [_PLACES[joint] for joint in H36M17.joints]
_EXCHANGED = {"S4/Seq2": (3759, 5853)}  # first frame, and the one after the last
_VIDEO_FRAMES = {"S3/Seq1": 12_488}
_SHORT_VIDEOS = {("S6/Seq2", "2"): 3911}


@np.errstate(over="ignore", invalid="ignore")  # numbers that float32 cannot hold become infinite: nowhere
def read_3dhp(
    path: str | Path, cameras: Sequence[str] = NOT_OVERHEAD, up_camera: str = "0", *,
    detections: str | Path | None = None, mend: bool = True,
) -> MultiView:
    """Keypoints of all cameras and one 3D pose per frame.

    The 3D poses are those of `up_camera`, turned so that what is up in its image is y up: true up only as far as the
    camera is level, which NP-MPJPE does not mind. They have the "universal" size that the data set gives everybody.

    Args:
        path: the folder that holds `S1/Seq1/annot.mat` and so on, or one `annot.mat`.
        cameras: `NOT_OVERHEAD` (11), `CHEST` (5), `CAMERAS` (14) or any of them.
        detections: keypoints of a detector in place of the annotated (`formats.positions2d`; a list has 14 cameras).
        mend: the known errors (see the module).

    Raises:
        FormatError: nothing there, damaged, of another layout (the test set's files are), or a camera is missing.
    """
    path = Path(path)
    files = sorted(path.glob("S*/Seq*/annot.mat")) if path.is_dir() else [path]
    if not files:
        raise FormatError(f"{path}: holds no S*/Seq*/annot.mat; give the folder of MPI-INF-3DHP's training set")
    views = [_read(file, tuple(cameras), up_camera) for file in files]
    if mend:
        views = [_mended(view) for view in views]
    if detections:
        keypoints = Positions2D.read(detections)
        views = [_detected(view, keypoints) for view in views]
    return MultiView.concatenate(views)


def _read(path: Path, cameras: tuple[str, ...], up_camera: str) -> MultiView:
    file = _load(path)
    cells = _cells(path, file)
    absent = [c for c in (*cameras, up_camera) if c not in cells]
    if absent:
        raise FormatError(f"{path}: has no camera {', '.join(absent)}; it has {', '.join(cells)}")
    solid = _joints(path, file, "univ_annot3", cells[up_camera], 3) / 1000
    flat = [_joints(path, file, "annot2", cells[c], 2) for c in cameras]
    if {len(f) for f in flat} != {len(solid)} or not np.isfinite(solid).all():
        raise FormatError(f"{path}: cameras have different numbers of frames, or 3D poses hold NaN; get it again")
    frames = np.ravel(file.get("frames", np.arange(len(solid))))
    if frames.shape != (len(solid),) or frames.dtype.kind not in "iuf" or not (np.abs(frames) < 2**31).all():
        raise FormatError(f"{path}: frames is {frames.dtype} {frames.shape}; expected {len(solid)} frame numbers")
    return MultiView(
        np.stack([H36M17.convert(f, BODY13) for f in flat]).astype(np.float32),
        (solid * (1, -1, -1)).astype(np.float32), cameras, np.zeros(len(solid), np.int64),
        ("/".join(path.absolute().parts[-3:-1]),), frames.astype(np.int64),
    )


def _mended(views: MultiView) -> MultiView:
    """One sequence without the known errors of its annotations."""
    (name,) = views.clip_names
    if name in _VIDEO_FRAMES and (views.frame >= _VIDEO_FRAMES[name]).any():
        views = views.take(np.flatnonzero(views.frame < _VIDEO_FRAMES[name]))
        views = replace(views, notes=(f"{name}: left out what is annotated after the end of its videos",))
    if name in _EXCHANGED:
        first, end = _EXCHANGED[name]
        wrong = (views.frame >= first) & (views.frame < end)
        points, keypoints = views.points.copy(), views.keypoints.copy()
        points[wrong] = points[wrong][:, H36M17.mirror]
        keypoints[:, wrong] = keypoints[:, wrong][:, :, BODY13.mirror]
        views = replace(views, points=points, keypoints=keypoints, notes=(
            *views.notes, f"{name}: left and right set right in frames {first:,} to {end - 1:,}"))
    return views


def _detected(views: MultiView, keypoints: Positions2D) -> MultiView:
    """One sequence with a detector's keypoints; frames that its video lacks are NaN."""
    (name,) = views.clip_names
    subject, sequence = name.split("/")
    clip = keypoints.clip(subject, sequence, CAMERAS)
    absent = [c for c in views.cameras if clip is None or c not in clip]
    if clip is None or absent:
        what = f"camera {', '.join(absent)} of {name}" if clip else name
        raise FormatError(f"{keypoints.path}: has no keypoints of {what}; give the file of the same sequences")
    seen = np.full_like(views.keypoints, np.nan)
    notes = views.notes
    for place, camera in enumerate(views.cameras):
        found = clip[camera]
        inside = views.frame < len(found)
        if not inside.all():
            if len(found) < _SHORT_VIDEOS.get((name, camera), int(views.frame[-1]) + 1):
                raise FormatError(f"{keypoints.path}: {name} has {len(found)} frames in camera {camera}, fewer than "
                                  f"its {int(views.frame[-1]) + 1} annotated ones; give the file of the same sequences")
            notes = (*notes, f"{name}: the video of camera {camera} ends at frame {len(found):,}")
        seen[place, inside] = found[views.frame[inside]]
    return replace(views, keypoints=seen, notes=notes)


def _cells(path: Path, file: dict[str, Any]) -> dict[str, int]:
    """Which cell is which camera's."""
    numbers = np.ravel(file.get("cameras", np.arange(len(CAMERAS))))
    if numbers.dtype == object:  # a cell array of numbers
        numbers = np.array([np.ravel(n)[0] if np.size(n) else np.nan for n in numbers])
    if numbers.dtype.kind not in "iuf" or not np.isfinite(numbers).all():
        raise FormatError(f"{path}: cameras are not numbers; get it again")
    return {str(int(n)): k for k, n in enumerate(numbers)}


def _load(path: Path) -> dict[str, Any]:
    file = load_mat(path, ["annot2", "univ_annot3", "cameras", "frames"],
                    newer=", as the test set has; give the training set's annot.mat")
    missing = [key for key in ("annot2", "univ_annot3") if key not in file]
    if missing:
        raise FormatError(f"{path}: has no {', '.join(missing)}; give an annot.mat of MPI-INF-3DHP's training set")
    return file


def _joints(path: Path, file: dict[str, Any], key: str, cell: int, dim: int) -> Float[np.ndarray, "frame 17 dim"]:
    cells = np.ravel(file[key])
    values = cells[cell] if file[key].dtype == object and cell < len(cells) else None
    if values is None or values.ndim != 2 or values.shape[1] != _JOINTS * dim or values.dtype.kind not in "fiu":
        what = f"{values.dtype} {values.shape}" if values is not None else f"{file[key].dtype} {file[key].shape}"
        raise FormatError(f"{path}: {key} of a camera is {what}; expected a cell per camera with (T, {_JOINTS * dim})")
    return values.reshape(-1, _JOINTS, dim).astype(np.float64)[:, _H36M17]

