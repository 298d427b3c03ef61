"""Pose sets: many 3D poses of many clips in one `.npz` without pickle, or a folder of motion capture read as one.

Human3.6M in its public layouts is recognised and read by `formats.h36m`.

The `.npz` holds `points` (N, J, 3) in metres, y up; `joints`, J names in any order; `skeleton`, a name; `clip` (N,)
numbers or names; and may hold `subject` (N,) and `fps`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from samepose.errors import UsageError
from samepose.files import written
from samepose.skeleton import H36M17


@dataclass(frozen=True, eq=False)
class PoseSet:
    """N poses on H36M17, each of a clip and a subject.

    Attributes:
        points: (N, 17, 3) float32 metres, y up, no NaN; the frames of a clip in order.
        clip: (N,) int64 position in `clip_names`.
        clip_names: names of the clips.
        subject: (N,) int64 position in `subject_names`.
        subject_names: names of the subjects.
        fps: frames per second of every clip, or None where unknown or different.
        notes: one line for each repair, beginning with the clip's name where it concerns one clip.
        failed: (path, reason) of the files of a folder that could not be read.
    """

    points: Float[np.ndarray, "n 17 3"]
    clip: Int[np.ndarray, " n"]
    clip_names: tuple[str, ...]
    subject: Int[np.ndarray, " n"]
    subject_names: tuple[str, ...]
    fps: float | None = None
    notes: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = field(default=())

    def __post_init__(self) -> None:
        n = len(self.points)
        if self.points.shape != (n, len(H36M17), 3) or self.clip.shape != (n,) or self.subject.shape != (n,):
            raise UsageError(f"pose set: points {self.points.shape}, clip {self.clip.shape} and subject "
                             f"{self.subject.shape} do not fit; expected (N, 17, 3), (N,), (N,)")

    def __len__(self) -> int:
        return len(self.points)


def save_poseset(path: str | Path, poseset: PoseSet) -> None:
    """Write a pose set as `.npz`, in one step: an interrupted write leaves what was there.

    Raises:
        SameposeError: the place cannot be written to.
    """
    arrays = {
        "points": poseset.points,
        "joints": np.array(H36M17.joints),
        "skeleton": np.array(H36M17.name),
        "clip": np.array(poseset.clip_names)[poseset.clip],
        "subject": np.array(poseset.subject_names)[poseset.subject],
    }
    if poseset.fps is not None:
        arrays["fps"] = np.array(poseset.fps)
    with written(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)
