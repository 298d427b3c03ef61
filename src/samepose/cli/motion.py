"""`--data` of the verbs that train and measure: motion capture, and its subjects by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from samepose.cli.options import Options, counted
from samepose.errors import FormatError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from samepose.formats.multiview import MultiView
    from samepose.formats.poseset import PoseSet

Frames = Annotated[int, Parameter(validator=Number(gte=2))]
Data = Annotated[list[Path], Parameter(consume_multiple=True, negative="")]


def load_motion(data: list[Path], joint_map: Path | None, options: Options) -> PoseSet:
    """Read it, report what failed and what was repaired."""
    from samepose.formats.joint_names import read_joint_map
    from samepose.formats.subjects import listed, load_many, present

    names = read_joint_map(joint_map) if joint_map else None
    options.note(f"reading {', '.join(map(str, data))}")
    poses = load_many(data, names)
    for path, reason in poses.failed:
        options.warn(reason if reason.startswith(path) else f"{path}: {reason}")
    files: dict[str, list[str]] = {}
    for note in poses.notes:
        file, _, repair = note.partition(": ")
        files.setdefault(repair, []).append(file)
    for repair, of in files.items():
        options.note(f"{listed(of, 5)}: {repair}")
    options.note(f"{len(poses):,} poses in {counted(len(poses.clip_names), 'clip')} of "
                 f"{counted(len(present(poses)), 'subject')}")
    return poses


def subjects_of(path: Path | None, poses: PoseSet, options: Options) -> tuple[str, ...]:
    """The subjects named in a file, by default those we never train on; which of a file's are not there is noted."""
    from samepose.formats.subjects import present, read_subjects

    names = read_subjects(path)
    missing = set(names) - set(present(poses))
    if path is not None and missing:
        options.note(f"{path}: the data has no {', '.join(n for n in names if n in missing)}")
    return names


def train_and_validation(
    data: list[Path], joint_map: Path | None, held_out: Path | None, everything: bool, options: Options
) -> tuple[PoseSet, PoseSet | None]:
    """What a network learns from, and on whom it is validated: nobody of those it learns from.

    Args:
        held_out: file of the subjects to validate on; None: those we never train on.
        everything: train on all subjects; no validation.

    Raises:
        UsageError: both were given, or one side would be empty.
    """
    from samepose.formats.subjects import split

    if everything and held_out:
        raise UsageError("--everything trains on all subjects; leave out --held-out, or --everything")
    poses = load_motion(data, joint_map, options)
    return (poses, None) if everything else split(poses, subjects_of(held_out, poses, options))


def read_seen(path: Path, validation: PoseSet | None) -> MultiView:
    """The file of --views.

    Raises:
        UsageError: somebody in it is validated on.
    """
    from samepose.formats.multiview import read_views
    from samepose.formats.subjects import present

    views = read_views(path)
    if validation and (known := [who for who in views.subjects if who in present(validation)]):
        raise UsageError(f"{path}: shows {', '.join(known)}, who are validated on; render others, by `samepose synth`, "
                         "or name others with --held-out")
    return views


def drawn_frames(
    poses: PoseSet, subjects: Path | None, n: int, options: Options
) -> tuple[np.ndarray, tuple[str, ...]]:
    """`n` frames without near duplicates (n, 17, 3), or fewer, and the subjects that they were drawn from.

    Args:
        subjects: file of the only ones to use; None: all.

    Raises:
        FormatError: the frames are all alike.
    """
    from samepose.evaluation.retrieval import select_frames
    from samepose.formats.subjects import only, present

    if subjects is not None:
        poses = only(poses, subjects_of(subjects, poses, options))
    chosen = select_frames(poses.points, n)
    if len(chosen) < 2:
        raise FormatError(f"{', '.join(present(poses))}: only one pose, or copies of one; give motion to tell apart")
    if len(chosen) < n:
        options.note(f"only {len(chosen):,} frames differ enough; hit rates of {n:,} would be lower")
    return poses.points[chosen], present(poses)
