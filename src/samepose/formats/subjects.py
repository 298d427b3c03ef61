"""Motion capture to train on and to measure with: several places as one pose set, and subjects kept apart. No torch.

Subjects, not clips, are held out: a body that the network has learned is no test of one that it has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from samepose.errors import FormatError, UsageError
from samepose.formats.joint_names import JointMap
from samepose.formats.load_mocap import load_poseset
from samepose.formats.poseset import PoseSet


def load_many(paths: Sequence[Path], joint_map: JointMap | None = None) -> PoseSet:
    """Several files or folders of motion as one pose set at 30 frames per second; equal names are one subject.

    Raises:
        FormatError: nothing could be read. What failed beside others is listed in `PoseSet.failed`.
        UsageError: no path is given.
    """
    sets: list[PoseSet] = []
    failed: list[tuple[str, str]] = []
    for path in paths:
        try:
            sets.append(load_poseset(path, joint_map))
        except FormatError as error:
            if len(paths) == 1:
                raise
            failed.append((str(path), str(error)))
    if not sets:
        raise FormatError(failed[0][1]) if failed else UsageError("name the files or folders of the motion capture")
    return _joined(sets, failed)


def _joined(sets: Sequence[PoseSet], failed: Sequence[tuple[str, str]]) -> PoseSet:
    subjects = tuple(dict.fromkeys(name for s in sets for name in s.subject_names))
    offsets = np.cumsum([0, *(len(s.clip_names) for s in sets)])
    return PoseSet(
        np.concatenate([s.points for s in sets]),
        np.concatenate([s.clip + offset for s, offset in zip(sets, offsets)]),
        tuple(name for s in sets for name in s.clip_names),
        np.concatenate([np.array([subjects.index(n) for n in s.subject_names])[s.subject] for s in sets]), subjects,
        sets[0].fps if len({s.fps for s in sets}) == 1 else None,
        tuple(note for s in sets for note in s.notes), (*(f for s in sets for f in s.failed), *failed),
    )


def read_subjects(path: Path | None = None) -> tuple[str, ...]:
    """Names of a text file, one a line (# begins a comment); by default the subjects that we never train on.

    Raises:
        FormatError: not readable text, or no name in it.
    """
    try:
        text = path.read_text("utf-8") if path else (files("samepose.formats") / "held_out.txt").read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise FormatError(f"{path}: cannot be read ({why}); give a text file of subject names") from error
    names = tuple(dict.fromkeys(n for line in text.splitlines() if (n := line.partition("#")[0].strip())))
    if not names:
        raise FormatError(f"{path}: names no subject; write one name a line")
    return names


def split(poses: PoseSet, subjects: Sequence[str]) -> tuple[PoseSet, PoseSet]:
    """The poses of all other subjects, and those of `subjects` (names that the pose set lacks do not matter).

    Raises:
        UsageError: one side would be empty.
    """
    held = np.isin(np.array(poses.subject_names), subjects)[poses.subject]
    if not held.any():
        raise UsageError(f"none of the subjects {listed(subjects)} is in the data, which has "
                         f"{listed(poses.subject_names)}; name some of those in a file as `held_out`")
    if held.all():
        raise UsageError(f"all subjects of the data ({listed(poses.subject_names)}) are held out; add data of others")
    return _part(poses, ~held), _part(poses, held)


def only(poses: PoseSet, subjects: Sequence[str]) -> PoseSet:
    """The poses of `subjects`.

    Raises:
        UsageError: none of them is in the data.
    """
    held = np.isin(np.array(poses.subject_names), subjects)[poses.subject]
    return poses if held.all() else split(poses, subjects)[1]


def _part(poses: PoseSet, keep: np.ndarray) -> PoseSet:
    return replace(poses, points=poses.points[keep], clip=poses.clip[keep], subject=poses.subject[keep])


def present(poses: PoseSet) -> tuple[str, ...]:
    """Names of the subjects that have a pose."""
    return tuple(poses.subject_names[i] for i in np.unique(poses.subject))


def listed(names: Sequence[str], most: int = 12) -> str:
    """ "ann, bob and 3 more"."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
