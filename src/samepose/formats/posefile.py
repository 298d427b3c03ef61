"""samepose's own pose file: an .npz that any numpy reads without pickle.

Arrays, N poses of J joints in D dimensions:

- ``format`` "samepose poses", ``version`` 1
- ``points`` (N, J, D) float32, ``scores`` (N, J), ``boxes`` (N, 4), ``person_scores`` (N,), ``frames`` (N,), ``times``
  (N,), ``tracks`` (N,): as in `Poses`, a missing joint NaN
- ``skeleton`` its name, ``joints`` (J,) their names, ``unit`` "pixel", "metre" or "normalised", ``fps`` NaN if unknown
- ``media`` (N,) the file each pose comes from, "" if none
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, get_args

import numpy as np

from samepose.errors import FormatError, UsageError
from samepose.formats.keypointfile import KeypointFile, checked_names
from samepose.formats.npz import read_npz
from samepose.media import one_line
from samepose.poses import Poses, Unit
from samepose.skeleton import SKELETONS, Skeleton

_FORMAT, _VERSION = "samepose poses", 1
_PER_POSE = ("scores", "boxes", "person_scores", "frames", "times", "tracks")
_FIELDS = ("format", "version", "points", *_PER_POSE, "skeleton", "joints", "unit", "fps", "media")


def pose_bytes(file: KeypointFile) -> bytes:
    """The content of a pose file."""
    poses, buffer = file.poses, io.BytesIO()
    np.savez_compressed(
        buffer, format=_FORMAT, version=_VERSION, points=poses.points, **{k: getattr(poses, k) for k in _PER_POSE},
        skeleton=poses.skeleton.name, joints=np.array(poses.skeleton.joints), unit=poses.unit,
        fps=np.nan if poses.fps is None else poses.fps, media=np.array(file.media, np.str_),
    )
    return buffer.getvalue()


def read_posefile(path: Path | str) -> KeypointFile:
    """Poses from a file in samepose's own format.

    Raises:
        FormatError: unreadable, damaged, another program's .npz, or made by a newer samepose.
    """
    fields: dict[str, Any] = read_npz(path, _FIELDS)
    if str(fields.get("format")) != _FORMAT:
        raise FormatError(f"{path}: not a samepose pose file, for it does not say so; see save_poses")
    try:
        if int(fields["version"]) > _VERSION:
            raise FormatError(f"{path}: pose file of version {fields['version']}, not {_VERSION}; update samepose")
        unit, fps = str(fields["unit"]), float(fields["fps"])
        if unit not in get_args(Unit):
            raise UsageError(f"unit {unit!r} is not one of {', '.join(get_args(Unit))}")
        poses = Poses.of(
            fields["points"], _skeleton(fields), unit=unit,  # type: ignore[arg-type]  # checked above
            fps=None if np.isnan(fps) else fps, **{name: fields[name] for name in _PER_POSE},
        )
        return KeypointFile(poses, checked_names((str(name) for name in fields["media"]), path))
    except (KeyError, TypeError, ValueError, OverflowError, UsageError) as error:
        raise FormatError(f"{path}: damaged pose file ({one_line(error)}); save the poses again") from error


def _skeleton(fields: dict[str, Any]) -> Skeleton:
    saved = Skeleton(str(fields["skeleton"]), tuple(str(joint) for joint in fields["joints"]))
    known = SKELETONS.get(saved.name, saved)
    if known != saved:
        raise UsageError(f"its {saved.name} has other joints than ours")
    return known
