"""A run of 3D pose estimation: every picture is shown to every model once, then all predictions are measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from samepose.embed.image import boxes_of_joints
from samepose.errors import SameposeError, UsageError
from samepose.evaluation.pose3d import AVERAGED, Errors, about_hip, mpjpe, share_within
from samepose.formats.posed_images import PosedImages
from samepose.progress import Progress, silent
from samepose.skeleton import BODY13

_BATCH = 16
_SAME = 1.0  # mm
_FEW = 2  # joints within the picture: too few to tell where a person is
SPACE = "structnet"  # whose figures have the paper's names alone: max, avg500, pred


class Batch(NamedTuple):
    """Some pictures of a data set.

    Attributes:
        images: RGB.
        boxes: about the person who is meant, pixels.
        keypoints: of that person, pixels, as the data set has them.
        ray: from the camera to the hip, any length.
    """

    images: list[UInt8[np.ndarray, "height width 3"]]
    boxes: Float[np.ndarray, "n 4"]
    keypoints: Float[np.ndarray, "n 13 2"]
    ray: Float[np.ndarray, "n 3"]


class Seen(NamedTuple):
    """What a model says of a batch, mm about the hip in camera space, NaN where it finds nobody.

    Attributes:
        poses: by the way in which they were found, "" for the only one.
        averages: Avg(A) for A = 1, 2, … of a model that scores poses, else None.
    """

    poses: dict[str, Float[np.ndarray, "n 17 3"]]
    averages: Float[np.ndarray, "most n 17 3"] | None = None


@runtime_checkable
class Contestant(Protocol):
    """A model under test."""

    @property
    def name(self) -> str: ...

    def look(self, batch: Batch) -> Seen:
        """Look at some pictures."""
        ...


@dataclass(frozen=True)
class Recorded:
    """Predictions that were made before, in the order of the pictures, by the way in which they were found.

    Attributes:
        truth: of those pictures, if it was kept.
    """

    name: str
    poses: dict[str, Float[np.ndarray, "image 17 3"]]
    truth: Float[np.ndarray, "image 17 3"] | None = None


@runtime_checkable
class Valid(Protocol):
    """What makes bodies of averaged poses: (targets, starts, truth), mm about the hip, to poses."""

    def __call__(
        self, targets: Float[np.ndarray, "n 17 3"], starts: Float[np.ndarray, "n 17 3"],
        truth: Float[np.ndarray, "n 17 3"],
    ) -> Float[np.ndarray, "n 17 3"]: ...


@dataclass(frozen=True, eq=False)
class Results:
    """Everything that was measured.

    Attributes:
        images: those that could be read.
        predictions: by model, mm about the hip.
        errors: of them.
        curves: by model that scores candidates, mean MPJPE of Avg(A) for A = 1, 2, ….
        unreadable: why the others could not be read.
    """

    images: PosedImages
    predictions: dict[str, Float[np.ndarray, "image 17 3"]]
    errors: dict[str, Errors]
    curves: dict[str, Float[np.ndarray, " most"]]
    unreadable: tuple[str, ...] = field(default=())


def run(
    images: PosedImages, contestants: Sequence[Contestant], recorded: Sequence[Recorded] = (),
    valid: Valid | None = None, progress: Progress = silent,
) -> Results:
    """Measure models, and predictions that were recorded.

    Args:
        valid: makes a body of Avg(500) of the contestant "structnet", starting from its Max: "apf".

    Raises:
        UsageError: recorded predictions of another number of pictures.
        SameposeError: no picture can be read.
    """
    for record in recorded:
        count = len(next(iter(record.poses.values())))
        if count != len(images):
            raise UsageError(f"{record.name} has {count:,} predictions, and there are {len(images):,} "
                             "pictures; give those of the same data, in its order")
        if record.truth is not None and mpjpe(record.truth, about_hip(images.truth)).max() > _SAME:
            raise UsageError(f"{record.name} was predicted from other pictures, whose true poses differ; give those of "
                             "the same data, in its order")
    truth = about_hip(images.truth)
    found: dict[str, np.ndarray] = {}
    sums: dict[str, np.ndarray] = {}
    unreadable = _look(images, contestants, truth, (found, sums), progress)
    found |= {named(record.name, way): poses for record in recorded for way, poses in record.poses.items()}
    kept = np.ones(len(images), bool)
    kept[[*unreadable]] = False
    if not kept.any():
        raise SameposeError(f"no picture can be read, such as {next(iter(unreadable.values()), 'any')}")
    found, truth = {name: poses[kept] for name, poses in found.items()}, truth[kept]
    if valid is not None and "avg500" in found:
        found["apf"] = valid(found["avg500"], found["max"], truth)
    return Results(images.only(kept), found, {name: Errors.of(poses, truth) for name, poses in found.items()},
                   {name: total / kept.sum() for name, total in sums.items()}, tuple(unreadable.values()))


def trained_within(
    images: PosedImages, contestants: Sequence[Contestant], progress: Progress = silent
) -> dict[str, float]:
    """By model that scores poses, the share of the pictures that it was trained on whose best pose is within 30 mm.

    Raises:
        SameposeError: no picture can be read.
    """
    errors = run(images, contestants, progress=progress).errors
    best = {contestant.name: named(contestant.name, "max") for contestant in contestants}
    return {name: share_within(errors[key]) for name, key in best.items() if key in errors}


def named(contestant: str, way: str) -> str:
    """What a prediction is called: `max` of the contestant "structnet", `raw-max` of "raw", `lifting` of "lifting"."""
    return "-".join(part for part in (contestant if contestant != SPACE else "", way) if part) or contestant


def boxes_of(images: PosedImages) -> Float[np.ndarray, "image 4"]:
    """About the joints within the picture, as a detector would draw them; about all of those who are outside."""
    some = images.inside.sum(axis=1) > _FEW
    return boxes_of_joints(np.where((images.inside | ~some[:, None])[..., None], images.points, np.nan))


def _look(
    images: PosedImages, contestants: Sequence[Contestant], truth: Float[np.ndarray, "image 17 3"],
    into: tuple[dict[str, np.ndarray], dict[str, np.ndarray]], progress: Progress,
) -> dict[int, str]:
    """Fills predictions and sums of curves; why rows cannot be read."""
    unreadable: dict[int, str] = {}
    waiting: dict[int, np.ndarray] = {}
    if not contestants:
        return unreadable

    boxes = boxes_of(images)
    keypoints = images.skeleton.convert(images.points, BODY13)

    def flush() -> None:
        rows = [*waiting]
        batch = Batch([*waiting.values()], boxes[rows], keypoints[rows], images.truth[rows, 0])
        for contestant in contestants:
            _record(contestant, contestant.look(batch), rows, truth, into)
        waiting.clear()

    for count, (row, picture) in enumerate(images.pictures()):
        progress(count, len(images), images.name)
        if isinstance(picture, SameposeError):
            unreadable[row] = str(picture)
            continue
        waiting[row] = picture
        if len(waiting) == _BATCH:
            flush()
    if waiting:
        flush()
    return unreadable


def _record(
    contestant: Contestant, seen: Seen, rows: list[int], truth: Float[np.ndarray, "image 17 3"],
    into: tuple[dict[str, np.ndarray], dict[str, np.ndarray]],
) -> None:
    found, sums = into
    poses = dict(seen.poses)
    if (means := seen.averages) is not None:
        poses |= {"max": means[0]} | {f"avg{a}": means[a - 1] for a in AVERAGED if a <= len(means)}
        errors = mpjpe(means, truth[rows]).sum(axis=1)
        sums[contestant.name] = sums.get(contestant.name, np.zeros_like(errors)) + errors
    for way, values in poses.items():
        name = named(contestant.name, way)
        found.setdefault(name, np.full((len(truth), 17, 3), np.nan))[rows] = values


