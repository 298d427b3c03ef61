"""Motion capture of any kind as one pose set: a file, a folder of them, or Human3.6M in its public layouts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int

from samepose.errors import FormatError
from samepose.formats.body import to_body
from samepose.formats.h36m import is_h36m, read_h36m
from samepose.formats.joint_names import JointMap
from samepose.formats.motion import MOTION_SUFFIXES, Motion, read_motion, thinned
from samepose.formats.npz import read_npz
from samepose.formats.poseset import PoseSet
from samepose.media.files import left_standing, walk
from samepose.skeleton import SKELETONS


def load_poseset(path: str | Path, joint_map: JointMap | None = None, fps: float | None = 30.0) -> PoseSet:
    """Read a `.npz` pose set, a motion capture file, or a folder of them (subfolders too).

    Args:
        path: the file or folder; Human3.6M's `data_3d_h36m.npz` or folder of `.h5` too, all of its subjects.
        joint_map: our joint -> theirs, for names we do not know.
        fps: thin every clip to this rate; None keeps all frames.

    Raises:
        FormatError: the file cannot be used, or no file of the folder can. Single bad files of a folder are
            listed in `PoseSet.failed`.
    """
    path = Path(path)
    if is_h36m(path):
        return read_h36m(path, fps=fps)
    if path.is_dir():
        return _load_folder(path, joint_map, fps)
    if path.suffix.lower() in MOTION_SUFFIXES:
        motion = read_motion(path, fps, joint_map)
        return _join([motion], [motion.clip], [])
    return _load_npz(path, joint_map, fps)


def _load_folder(folder: Path, joint_map: JointMap | None, fps: float | None) -> PoseSet:
    files = walk([folder], frozenset(MOTION_SUFFIXES)).files
    if not files:
        raise FormatError(f"{folder}: holds no {', '.join(MOTION_SUFFIXES)} file; give the folder of "
                          "the motion capture")
    motions: list[Motion] = []
    names: list[str] = []
    failed: list[tuple[str, str]] = []
    for file in files:
        try:
            if what := left_standing(file):
                raise FormatError(f"{file}: {what}")
            motions.append(read_motion(file, fps, joint_map))
        except FormatError as error:
            failed.append((str(file), str(error)))
        else:
            names.append(file.relative_to(folder).as_posix())
    if not motions:
        raise FormatError(f"{folder}: none of its {len(files)} motion capture files can be read; the first: "
                          f"{failed[0][1]}")
    return _join(motions, names, failed)


def _join(motions: Sequence[Motion], names: Sequence[str], failed: list[tuple[str, str]]) -> PoseSet:
    lengths = [len(m) for m in motions]
    subjects = tuple(dict.fromkeys(m.subject for m in motions))
    rates = {m.fps for m in motions}
    notes = [f"{name}: {note}" for name, m in zip(names, motions) for note in m.notes]
    if len(rates) > 1:
        notes.append(f"clips have different rates: {', '.join(f'{r:g}' for r in sorted(rates))} frames per second")
    return PoseSet(
        np.concatenate([m.points for m in motions]),
        np.repeat(np.arange(len(motions)), lengths), tuple(names),
        np.repeat([subjects.index(m.subject) for m in motions], lengths), subjects,
        rates.pop() if len(rates) == 1 else None, tuple(notes), tuple(failed),
    )


def _load_npz(path: Path, joint_map: JointMap | None, fps: float | None) -> PoseSet:
    arrays = read_npz(path)
    points, joints = _points_and_joints(path, arrays)
    clip_ids = _column(path, arrays, "clip", path.stem, len(points))
    subject_ids = _column(path, arrays, "subject", path.stem, len(points))
    rate = _rate(path, arrays)
    body, kept, notes = to_body(path, joints, points, joint_map)
    if rate is not None and fps is not None and rate > fps * 1.01:
        chosen = np.concatenate([
            frames[thinned(len(frames), rate, fps)]
            for frames in (np.flatnonzero(clip_ids[kept] == c) for c in dict.fromkeys(clip_ids[kept]))
        ])
        chosen.sort()
        body, kept, rate = body[chosen], kept[chosen], fps
        notes += (f"thinned to {fps:g} frames per second",)
    clip_names, clip = _numbered(clip_ids[kept])
    subject_names, subject = _numbered(subject_ids[kept])
    notes = tuple(f"{path.name}: {note}" for note in notes)
    return PoseSet(body, clip, clip_names, subject, subject_names, rate, notes)


def _points_and_joints(path: Path, arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, tuple[str, ...]]:
    if "points" not in arrays:
        raise FormatError(f"{path}: has no array 'points' but {', '.join(arrays) or 'nothing'}; save (N, J, 3) metres "
                          "under that name")
    points = arrays["points"]
    skeleton = SKELETONS.get(str(arrays["skeleton"])) if "skeleton" in arrays else None
    if "joints" in arrays:
        joints = tuple(str(j) for j in arrays["joints"].ravel())
    elif skeleton is not None:
        joints = skeleton.joints
    else:
        raise FormatError(f"{path}: has no array 'joints'; save the {points.shape[1] if points.ndim > 1 else 'J'} "
                          "joint names under that name")
    if points.ndim != 3 or points.shape[1:] != (len(joints), 3) or points.dtype.kind not in "fiu":
        raise FormatError(f"{path}: points are {points.dtype} {points.shape}; expected numbers (N, {len(joints)}, 3) "
                          f"for its {len(joints)} joint names")
    if len(points) == 0:
        raise FormatError(f"{path}: holds no pose; save at least one")
    return points.astype(np.float64), joints


def _column(path: Path, arrays: dict[str, np.ndarray], key: str, otherwise: str, n: int) -> np.ndarray:
    values = arrays.get(key, np.full(n, otherwise))
    if values.shape != (n,):
        raise FormatError(f"{path}: {key} has shape {values.shape}; expected ({n},), one per pose")
    try:
        return values.astype(str)
    except (TypeError, ValueError) as error:  # bytes that are no text
        raise FormatError(f"{path}: {key} holds neither names nor numbers ({values.dtype}); save it again") from error


def _rate(path: Path, arrays: dict[str, np.ndarray]) -> float | None:
    if "fps" not in arrays:
        return None
    values = arrays["fps"]
    if values.size != 1 or values.dtype.kind not in "fiu" or not 0 < float(values.ravel()[0]) < np.inf:
        raise FormatError(f"{path}: fps is {values.tolist()!r}; save one positive number")
    return float(values.ravel()[0])


def _numbered(ids: np.ndarray) -> tuple[tuple[str, ...], Int[np.ndarray, " n"]]:
    """Names in order of appearance, and each row's position among them."""
    names, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return tuple(str(n) for n in names[order]), np.argsort(order)[inverse].astype(np.int64)
