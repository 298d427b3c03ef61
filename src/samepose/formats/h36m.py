"""Human3.6M in its public processed layouts: VideoPose3D's `.npz` files and 3d-pose-baseline's folder of `.h5`.

`data_3d_h36m.npz`: `positions_3d`, subject -> action -> (T, 32, 3) metres, z up, 50 frames per second.
`data_2d_h36m_*.npz`: `positions_2d`, subject -> action -> one (T', J, 2) in pixels per camera with T' >= T, and
`metadata`, whose `keypoints_symmetry` tells which joints are left and right, and by that the layout.
`<root>/S1/MyPoses/3D_positions/Directions.h5`: `3D_positions`, (96, T) millimetres, z up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.errors import FormatError
from samepose.formats.motion import thinned
from samepose.formats.multiview import MultiView
from samepose.formats.objectnpz import has_array, read_object
from samepose.formats.poseset import PoseSet
from samepose.skeleton import BODY13, COCO17, H36M17, MPII16, Skeleton

TRAIN_SUBJECTS = ("S1", "S5", "S6", "S7", "S8")  # Sun 2020, section 4.1
TEST_SUBJECTS = ("S9", "S11")
CAMERAS = ("54138969", "55011271", "58860488", "60457274")
FPS = 50.0
# The 32 joints repeat some places; these 17, in order, are H36M17.
_MOVING = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
_JOINTS = 32
_H5 = "S*/MyPoses/3D_positions/*.h5"


def is_h36m(path: Path) -> bool:
    """Whether `read_h36m` is the reader for a file or folder."""
    return next(path.glob(_H5), None) is not None if path.is_dir() else has_array(path, "positions_3d")


def read_h36m(path: str | Path, subjects: Sequence[str] | None = None, fps: float | None = None) -> PoseSet:
    """3D poses in metres, y up; a clip is `"S9/Directions 1"`.

    Args:
        path: `data_3d_h36m.npz`, or the folder that holds `S1/MyPoses/3D_positions/*.h5`.
        subjects: such as `TRAIN_SUBJECTS`; None takes all.
        fps: thin every clip to this rate; None keeps the 50 frames per second.

    Raises:
        FormatError: not one of these layouts, damaged, or a subject that is not there.
    """
    path = Path(path)
    clips = [(subject, action, points[thinned(len(points), FPS, fps or FPS)])
             for subject, action, points in _clips(path, subjects)]
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
    path: str | Path, path_2d: str | Path, subjects: Sequence[str] | None = TEST_SUBJECTS
) -> MultiView:
    """3D poses with the keypoints of all cameras, every frame (50 per second).

    Args:
        path: as in `read_h36m`.
        path_2d: `data_2d_h36m_gt.npz` or any detector's; COCO17, H36M17, MPII16 or BODY13 joints.
        subjects: None takes all.

    Raises:
        FormatError: as `read_h36m`; keypoints of another layout, or that do not cover the 3D poses.
    """
    path, path_2d = Path(path), Path(path_2d)
    keypoints = _table(path_2d, "positions_2d")
    skeleton = _layout(path_2d, read_object(path_2d, "metadata"))
    views = []
    for subject, action, points in _clips(path, subjects):
        seen = np.stack(_cameras(path_2d, keypoints, subject, action, len(points), len(skeleton)))
        views.append(MultiView(
            np.stack([skeleton.convert(camera, BODY13) for camera in seen]), points,
            CAMERAS if len(seen) == len(CAMERAS) else tuple(str(k) for k in range(len(seen))),
            np.zeros(len(points), np.int64), (f"{subject}/{action}",), np.arange(len(points)),
        ))
    if len({v.cameras for v in views}) > 1:
        raise FormatError(f"{path_2d}: not all clips have the same number of cameras; give a complete file")
    return MultiView.concatenate(views)


def _clips(
    path: Path, subjects: Sequence[str] | None
) -> Iterator[tuple[str, str, Float[np.ndarray, "frame 17 3"]]]:
    """Subject, action and H36M17 poses in metres, y up, of every clip."""
    table = _h5_table(path) if path.is_dir() else _table(path, "positions_3d")
    chosen = tuple(table) if subjects is None else tuple(subjects)
    missing = [s for s in chosen if not table.get(s)]
    if missing or not chosen:
        raise FormatError(f"{path}: holds no poses of {', '.join(missing) or 'anyone'}; it has {', '.join(table)}")
    for subject in chosen:
        for action, source in sorted(table[subject].items()):
            yield subject, action, _poses(path, f"{subject} {action}", _h5(source) if path.is_dir() else source)


def _poses(path: Path, clip: str, points: Any) -> Float[np.ndarray, "frame 17 3"]:
    if not isinstance(points, np.ndarray) or points.ndim != 3 or points.shape[1:] not in ((_JOINTS, 3), (17, 3)):
        raise FormatError(f"{path}: {clip} is {_kind(points)}; expected (T, 32, 3) metres")
    body = points[:, _MOVING] if points.shape[1] == _JOINTS else points
    if len(body) == 0 or not np.isfinite(body).all():
        raise FormatError(f"{path}: {clip} is empty or holds NaN; get the file from its source again")
    return np.stack([body[..., 0], body[..., 2], -body[..., 1]], axis=-1).astype(np.float32)


def _table(path: Path, key: str) -> dict[str, dict[str, Any]]:
    table = read_object(path, key)
    if not isinstance(table, dict) or not all(isinstance(actions, dict) for actions in table.values()):
        raise FormatError(f"{path}: {key} is {_kind(table)}; expected subject -> action -> positions")
    return table


def _cameras(
    path: Path, keypoints: dict[str, dict[str, Any]], subject: str, action: str, frames: int, joints: int
) -> list[Float[np.ndarray, "frame joint 2"]]:
    cameras = keypoints.get(subject, {}).get(action)
    if not isinstance(cameras, list) or not cameras:
        raise FormatError(f"{path}: has no keypoints of {subject} {action}; give the file of the same clips")
    for camera in cameras:
        if not isinstance(camera, np.ndarray) or camera.ndim != 3 or camera.shape[1:] != (joints, 2):
            raise FormatError(f"{path}: {subject} {action} is {_kind(camera)} in a camera; expected (T, {joints}, 2)")
        if len(camera) < frames:
            raise FormatError(f"{path}: {subject} {action} has {len(camera)} frames in a camera, fewer than its "
                              f"{frames} 3D poses; give the file of the same clips")
    # Videos go on after the motion capture ends.
    return [camera[:frames].astype(np.float32) for camera in cameras]


def _layout(path: Path, metadata: Any) -> Skeleton:
    """The skeleton whose left and right joints are where the metadata say."""
    said = metadata.get("keypoints_symmetry", ()) if isinstance(metadata, dict) else ()
    sides = [sorted(int(k) for k in side) for side in said]
    for skeleton in (COCO17, H36M17, MPII16, BODY13):
        ours = [[k for k, j in enumerate(skeleton.joints) if j.startswith(side)] for side in ("left_", "right_")]
        if sides == ours and metadata.get("num_joints", len(skeleton)) == len(skeleton):
            return skeleton
    raise FormatError(f"{path}: its left and right joints {sides} are those of no layout we know; give keypoints of "
                      "COCO's 17, Human3.6M's 17 or MPII's 16 joints")


def _h5_table(root: Path) -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = {}
    for file in sorted(root.glob(_H5)):
        table.setdefault(file.parents[2].name, {})[file.stem] = file
    if not table:
        raise FormatError(f"{root}: holds no {_H5}; give the folder of 3d-pose-baseline's Human3.6M")
    return table


def _h5(file: Path) -> Float[np.ndarray, "frame 32 3"]:
    try:
        h5py: Any = import_module("h5py")
    except ImportError:
        raise FormatError(f"{file}: reading .h5 needs h5py; run pip install 'samepose[h36m]'") from None
    try:
        with h5py.File(file, "r") as opened:
            flat = np.asarray(opened["3D_positions"], np.float64)
    except KeyError:
        raise FormatError(f"{file}: has no data set '3D_positions'; give 3d-pose-baseline's files") from None
    except (OSError, TypeError, ValueError) as error:
        raise FormatError(f"{file}: is not a readable .h5 file ({str(error).splitlines()[0]}); get it again") from None
    if flat.ndim != 2 or len(flat) != _JOINTS * 3:
        raise FormatError(f"{file}: 3D_positions has shape {flat.shape}; expected (96, T) millimetres")
    return flat.T.reshape(-1, _JOINTS, 3) / 1000


def _kind(value: Any) -> str:
    return f"an array {value.shape}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
