"""`--data` of the verbs that train and measure: motion capture, and its subjects by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from samepose.cli.options import Options, counted

if TYPE_CHECKING:
    import numpy as np

    from samepose.formats.poseset import PoseSet

Frames = Annotated[int, Parameter(validator=Number(gte=2))]
Data = Annotated[list[Path], Parameter(consume_multiple=True, negative="")]


def load_motion(data: list[Path], joint_map: Path | None, options: Options) -> PoseSet:
    """Read it, report what failed."""
    from samepose.formats.joint_names import read_joint_map
    from samepose.training.data import load_many, present

    names = read_joint_map(joint_map) if joint_map else None
    options.note(f"reading {', '.join(map(str, data))}")
    poses = load_many(data, names)
    for path, reason in poses.failed:
        options.warn(reason if reason.startswith(path) else f"{path}: {reason}")
    options.note(f"{len(poses):,} poses in {counted(len(poses.clip_names), 'clip')} of "
                 f"{counted(len(present(poses)), 'subject')}")
    return poses


def subjects_of(path: Path | None, poses: PoseSet, options: Options) -> tuple[str, ...]:
    """The subjects named in a file, by default those we never train on; which of a file's are not there is noted."""
    from samepose.training.data import present, read_subjects

    names = read_subjects(path)
    missing = set(names) - set(present(poses))
    if path is not None and missing:
        options.note(f"{path}: the data has no {', '.join(n for n in names if n in missing)}")
    return names


def drawn_frames(poses: PoseSet, subjects: Path | None, n: int, options: Options) -> np.ndarray:
    """`n` frames without near duplicates, of the subjects in a file if one is given: (n, 17, 3), or fewer."""
    from samepose.evaluation.retrieval import select_frames
    from samepose.training.data import only

    if subjects is not None:
        poses = only(poses, subjects_of(subjects, poses, options))
    points = poses.points[select_frames(poses.points, n)]
    if len(points) < n:
        options.note(f"only {len(points):,} frames differ enough; hit rates of {n:,} would be lower")
    return points
