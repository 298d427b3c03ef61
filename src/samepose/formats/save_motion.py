"""3D poses of one person over time as a file of any kind: the one place that decides by suffix."""

from __future__ import annotations

import os
from pathlib import Path

from samepose.errors import UsageError
from samepose.formats.bvh_writer import write_bvh
from samepose.formats.c3d_writer import write_c3d
from samepose.formats.keypoints import save_poses
from samepose.poses import Poses

_WRITERS = {".bvh": write_bvh, ".c3d": write_c3d}
SAVED_SUFFIXES = (*_WRITERS, ".npz")  # of 3D poses


def check_suffix(path: str | os.PathLike[str]) -> None:
    """`UsageError` unless 3D poses can be saved under such a name."""
    if Path(path).suffix.lower() not in SAVED_SUFFIXES:
        raise UsageError(f"{os.fspath(path)}: 3D poses are saved as {', '.join(SAVED_SUFFIXES)}; choose one of them")


def save_motion(path: str | os.PathLike[str], poses: Poses, fps: float = 30.0) -> None:
    """Save 3D poses as the suffix says: .bvh and .c3d are one person's motion, the pose file (.npz) keeps everything.

    Args:
        path: replaced when it exists.
        fps: frames per second of .bvh and .c3d; the pose file keeps the poses' own times.

    Raises:
        UsageError: another suffix, or poses that cannot be such a file, see `write_bvh` and `write_c3d`.
        SameposeError: it cannot be written.
    """
    check_suffix(path)
    writer = _WRITERS.get(Path(path).suffix.lower())
    if writer is None:
        save_poses(Path(path), poses)
    else:
        writer(path, poses, fps)
