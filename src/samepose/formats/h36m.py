"""Human3.6M in its public processed layouts: VideoPose3D's `.npz` files and 3d-pose-baseline's folder of `.h5`.

`data_3d_h36m.npz`: `positions_3d`, subject -> action -> (T, 32, 3) metres, z up, 50 frames per second.
`data_2d_h36m_*.npz`: keypoints of the four videos (`formats.positions2d`), `gt` for those projected by the real
cameras. Videos go on after the motion capture has ended.
`<root>/S1/MyPoses/3D_positions/Directions.h5`: `3D_positions`, (96, T) millimetres, z up.
`<root>/cameras.h5`: the real cameras (`formats.h36m_cameras`).

The video of S11's "Directions" in camera 54138969 is damaged at its source, so keypoint files lack that camera or the
clip, and `data_3d_h36m.npz` the clip; the published frame list has no frame of it either. Two actions have two names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.errors import FormatError
from samepose.formats.h36m_cameras import CAMERAS, RealCamera, read_cameras, read_h5
from samepose.formats.motion import thinned
from samepose.formats.multiview import MultiView
from samepose.formats.objectnpz import has_array
from samepose.formats.poseset import PoseSet
from samepose.formats.positions2d import Positions2D, kind_of, read_table
from samepose.skeleton import BODY13, H36M17

TRAIN_SUBJECTS = ("S1", "S5", "S6", "S7", "S8")  # Sun 2020, section 4.1
TEST_SUBJECTS = ("S9", "S11")
FPS = 50.0
DAMAGED = ("S11", "Directions")
_SECOND_NAMES = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}
# The 32 joints repeat some places; these 17, in order, are H36M17.
MOVING = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
JOINTS = 32
_H5 = "S*/MyPoses/3D_positions/*.h5"
_POSES, _PROJECTED, _CAMERAS = "data_3d_h36m.npz", "data_2d_h36m_gt.npz", "cameras.h5"


def is_h36m(path: Path) -> bool:
    """Whether `read_h36m` is the reader for a file or folder."""
    if path.is_dir():
        return next(path.glob(_H5), None) is not None or (path / _POSES).is_file()
    return has_array(path, "positions_3d")


@np.errstate(over="ignore", invalid="ignore")  # numbers that float32 cannot hold become infinite, and are refused
def read_h36m(path: str | Path, subjects: Sequence[str] | None = None, fps: float | None = None) -> PoseSet:
    """3D poses in metres, y up; a clip is `"S9/Directions 1"`.

    Args:
        path: `data_3d_h36m.npz` or the folder that holds it, or the folder that holds `S1/MyPoses/3D_positions/*.h5`.
        subjects: such as `TRAIN_SUBJECTS`; None takes all.
        fps: thin every clip to this rate; None keeps the 50 frames per second.

    Raises:
        FormatError: not one of these layouts, damaged, or a subject that is not there.
    """
    path = Path(path)
    clips = [(subject, action, points[thinned(len(points), FPS, fps or FPS)])
             for subject, action, points in clips_of(path, subjects)]
    lengths = [len(points) for _, _, points in clips]
    names = tuple(dict.fromkeys(subject for subject, _, _ in clips))
    rate = FPS if fps is None else min(fps, FPS)
    return PoseSet(
        np.concatenate([points for _, _, points in clips]),
        np.repeat(np.arange(len(clips)), lengths), tuple(f"{subject}/{action}" for subject, action, _ in clips),
        np.repeat([names.index(subject) for subject, _, _ in clips], lengths), names,
        rate, (f"thinned to {rate:g} frames per second",) if rate < FPS else (),
    )


def read_h36m_views(
    path: str | Path, detections: str | Path | None = None, subjects: Sequence[str] | None = TEST_SUBJECTS
) -> MultiView:
    """3D poses with the keypoints of the four cameras, every frame (50 per second).

    Args:
        path: as in `read_h36m`.
        detections: keypoints of a detector (`formats.positions2d`). None: projected by the real cameras, from
            `data_2d_h36m_gt.npz` or by `cameras.h5` beside the poses.
        subjects: such as `TRAIN_SUBJECTS`; None takes all.

    Raises:
        FormatError: as `read_h36m`; keypoints of another layout, or that do not cover the 3D poses; no cameras.
    """
    path = Path(path)
    root = path if path.is_dir() else path.parent
    if detections is None and not (root / _PROJECTED).is_file() and (root / _CAMERAS).is_file():
        cameras = read_cameras(root / _CAMERAS)
        views = [_projected(root / _CAMERAS, cameras, *clip) for clip in clips_of(path, subjects)]
        return MultiView.concatenate(views)
    source = Path(detections) if detections else root / _PROJECTED
    if detections is None and not source.is_file():
        raise FormatError(f"{root}: holds neither {_PROJECTED} nor {_CAMERAS}, so its cameras are not known; put one "
                          "of them there, or name a detector's keypoints")
    keypoints = Positions2D.read(source)
    keypoints = replace(keypoints, table={s: _by_one_name(actions) for s, actions in keypoints.table.items()})
    found = [_seen(keypoints, *clip) for clip in clips_of(path, subjects)]
    left_out = tuple(note for note in found if isinstance(note, str))
    views = [view for view in found if isinstance(view, MultiView)]
    if not views:
        raise FormatError(f"{source}: {'; '.join(left_out)}; give the file of the same clips")
    joined = MultiView.concatenate(views)
    return replace(joined, notes=(*left_out, *joined.notes))


def _projected(
    file: Path, cameras: dict[tuple[str, str], RealCamera], subject: str, action: str,
    points: Float[np.ndarray, "frame 17 3"],
) -> MultiView:
    absent = [name for name in CAMERAS if (subject, name) not in cameras]
    if absent:
        raise FormatError(f"{file}: has no camera {', '.join(absent)} of {subject}; get the whole file")
    body = H36M17.convert(z_up(points), BODY13)
    return _view(subject, action, points, np.stack([cameras[subject, name].project(body) for name in CAMERAS]))


def _seen(
    keypoints: Positions2D, subject: str, action: str, points: Float[np.ndarray, "frame 17 3"]
) -> MultiView | str:
    """The clip, or a note that the file has nothing of the one that may be missing."""
    clip, path = keypoints.clip(subject, action, CAMERAS), keypoints.path
    if clip is None and (subject, action) != DAMAGED:
        raise FormatError(f"{path}: has no keypoints of {subject} {action}; give the file of the same clips")
    if clip is None:
        return f"{subject} {action}: left out, {path.name} lacks it (its video is damaged in camera {CAMERAS[0]})"
    absent = [name for name in CAMERAS if name not in clip]
    if absent and (subject, action) != DAMAGED:
        raise FormatError(f"{path}: {subject} {action} lacks camera {', '.join(absent)}; give a complete file")
    seen = np.full((len(CAMERAS), len(points), len(BODY13), 2), np.nan, np.float32)
    for name, camera in clip.items():
        if len(camera) < len(points):
            raise FormatError(f"{path}: {subject} {action} has {len(camera)} frames in a camera, fewer than its "
                              f"{len(points)} 3D poses; give the file of the same clips")
        seen[CAMERAS.index(name)] = camera[: len(points)]
    notes = (f"{subject} {action}: no video in camera {', '.join(absent)}, which is damaged",) if absent else ()
    return _view(subject, action, points, seen, notes)


def _view(
    subject: str, action: str, points: Float[np.ndarray, "n 17 3"], seen: Float[np.ndarray, "4 n 13 2"],
    notes: tuple[str, ...] = (),
) -> MultiView:
    return MultiView(seen.astype(np.float32), points, CAMERAS, np.zeros(len(points), np.int64),
                     (f"{subject}/{action}",), np.arange(len(points)), notes)


def clips_of(
    path: Path, subjects: Sequence[str] | None
) -> Iterator[tuple[str, str, Float[np.ndarray, "frame 17 3"]]]:
    """Subject, action and H36M17 poses in metres, y up, of every clip."""
    if path.is_dir() and (path / _POSES).is_file():
        path = path / _POSES
    table = _h5_table(path) if path.is_dir() else read_table(path, "positions_3d")
    chosen = tuple(table) if subjects is None else tuple(subjects)
    missing = [s for s in chosen if not table.get(s)]
    if missing or not chosen:
        raise FormatError(f"{path}: holds no poses of {', '.join(missing) or 'anyone'}; it has {', '.join(table)}")
    for subject in chosen:
        for action, source in sorted(_by_one_name(table[subject]).items()):
            yield subject, action, _poses(path, f"{subject} {action}", _h5(source) if path.is_dir() else source)


def _by_one_name(actions: dict[str, Any]) -> dict[str, Any]:
    return {one_name(action): value for action, value in actions.items()}


def names_of(action: str) -> tuple[str, ...]:
    """Both names that an action has, as it was given first."""
    word, space, number = action.partition(" ")
    second = {**_SECOND_NAMES, **{one: other for other, one in _SECOND_NAMES.items()}}
    return (action, f"{second[word]}{space}{number}") if word in second else (action,)


def one_name(action: str) -> str:
    """The name of an action that most of the subjects have it under: "Photo 1" for "TakingPhoto 1"."""
    word, space, number = action.partition(" ")
    return f"{_SECOND_NAMES.get(word, word)}{space}{number}"


def _poses(path: Path, clip: str, points: Any) -> Float[np.ndarray, "frame 17 3"]:
    if not isinstance(points, np.ndarray) or points.ndim != 3 or points.shape[1:] not in ((JOINTS, 3), (17, 3)):
        raise FormatError(f"{path}: {clip} is {kind_of(points)}; expected (T, 32, 3) metres")
    body = points[:, MOVING] if points.shape[1] == JOINTS else points
    if len(body) == 0 or not np.isfinite(body).all():
        raise FormatError(f"{path}: {clip} is empty or holds NaN; get the file from its source again")
    small: np.ndarray = np.stack([body[..., 0], body[..., 2], -body[..., 1]], axis=-1).astype(np.float32)
    if not np.isfinite(small).all():
        raise FormatError(f"{path}: {clip} holds numbers that are no metres; get the file from its source again")
    return small


def z_up(points: Float[np.ndarray, "frame 17 3"]) -> Float[np.ndarray, "frame 17 3"]:
    """The inverse of what `_poses` does to the axes: cameras live in the data set's own."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1).astype(np.float64)


def _h5_table(root: Path) -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = {}
    for file in sorted(root.glob(_H5)):
        table.setdefault(file.parents[2].name, {})[file.stem] = file
    if not table:
        raise FormatError(f"{root}: holds no {_H5} and no {_POSES}; give the folder of 3d-pose-baseline's Human3.6M, "
                          "or VideoPose3D's file")
    return table


def _h5(file: Path) -> Float[np.ndarray, "frame 32 3"]:
    with read_h5(file) as opened:
        if "3D_positions" not in opened:
            raise FormatError(f"{file}: has no data set '3D_positions'; give 3d-pose-baseline's files")
        flat = np.asarray(opened["3D_positions"], np.float64)
    if flat.ndim != 2 or len(flat) != JOINTS * 3:
        raise FormatError(f"{file}: 3D_positions has shape {flat.shape}; expected (96, T) millimetres")
    return flat.T.reshape(-1, JOINTS, 3) / 1000
