"""A run of image retrieval: everyone is shown to the models once, then all rankings are measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from samepose.embed.image import boxes_of_joints
from samepose.errors import MediaError, SameposeError, UsageError
from samepose.evaluation.image_people import CroppedPeople, Split, task_of
from samepose.evaluation.image_retrieval import WORST, Ranking, Task, fuse, rank, rank_randomly
from samepose.evaluation.image_rivals import Batch, Rival, See
from samepose.progress import Progress, silent
from samepose.skeleton import BODY13

ORACLE, RANDOM = "oracle", "random"
_BATCH = 16


@dataclass(frozen=True, eq=False)
class Results:
    """Everything that was measured.

    Attributes:
        cropped: everyone of the data set who can be measured.
        split: queries and database that were.
        task: of them.
        rankings: by model.
        distances: (Q, N) by model; none of random.
        skipped: people who were not measured, by reason.
        unreadable: messages about images.
        worst: rows of the queries on which MoveNet does worst, see `worst_detected`; None where it did not run.
    """

    cropped: CroppedPeople
    split: Split
    task: Task
    rankings: dict[str, Ranking]
    distances: dict[str, Float[np.ndarray, "q n"]]
    skipped: Counter[str]
    unreadable: tuple[str, ...]
    worst: Int[np.ndarray, " worst"] | None


def run(
    cropped: CroppedPeople, split: Split, rivals: Sequence[Rival], fusions: Sequence[tuple[str, str]] = (),
    progress: Progress = silent,
) -> Results:
    """Measure the oracle, random choice, the rivals and fusions of two of them.

    Args:
        fusions: pairs of names.

    Raises:
        UsageError: a fusion of a model that is not measured.
        SameposeError: no image can be read, or nobody compares.
    """
    names = [ORACLE, *(rival.name for rival in rivals)]
    for name in (name for pair in fusions for name in pair):
        if name not in names:
            raise UsageError(f"`fuse` names {name}; measured are {', '.join(names)}")
    seen, unreadable, split = _look(cropped, split, rivals, progress)
    task, kept = task_of(cropped, split)
    skipped = cropped.people.skipped + Counter({
        "an image that is missing or damaged": len(unreadable),
        "nobody in the database to compare to": len(split.queries) - len(kept.queries),
        "a place in the lists, but not among those who can be measured": split.missing})
    distances = {ORACLE: task.differences}
    for rival in rivals:
        rows = seen[rival.see]
        distances[rival.name] = rival.distances(rows[kept.queries], rows[kept.database])
    for a, b in fusions:
        distances[f"{a}+{b}"] = fuse(distances[a], distances[b], task)
    rankings = {name: rank(values, task) for name, values in distances.items()} | {RANDOM: rank_randomly(task)}
    movenet = next((rival for rival in rivals if rival.name == "movenet"), None)
    worst = worst_detected(cropped, kept, seen[movenet.see][kept.queries]) if movenet else None
    return Results(cropped, kept, task, rankings, distances, skipped, tuple(unreadable.values()), worst)


def worst_detected(
    cropped: CroppedPeople, split: Split, found: Float[np.ndarray, "q 13 3"]
) -> Int[np.ndarray, " worst"]:
    """The 10 % of the queries whose detected joints lie farthest from the marked ones on average; not found is worst.

    Over the joints of BODY13 that the labels have too, in pixels of the crop, torsos not aligned.
    """
    joints = [joint for joint in BODY13.joints if joint in cropped.skeleton.joints]
    truth = cropped.points[split.queries][:, [cropped.skeleton.index(joint) for joint in joints]]
    gaps = np.linalg.norm(found[:, [BODY13.index(joint) for joint in joints], :2] - truth, axis=-1)
    total, count = np.nan_to_num(gaps).sum(axis=1), (~np.isnan(gaps)).sum(axis=1)
    errors = np.where(count > 0, total / np.maximum(count, 1), np.inf)
    return np.sort(np.argsort(-errors, kind="stable")[: max(round(WORST * len(errors)), 1)])


def _look(
    cropped: CroppedPeople, split: Split, rivals: Sequence[Rival], progress: Progress
) -> tuple[dict[See, np.ndarray], dict[int, str], Split]:
    """What each model sees of everybody who is needed, in rows of `cropped`; whose image cannot be read is left out."""
    seen: dict[See, np.ndarray] = {}
    unreadable: dict[int, str] = {}
    if not cropped.photographed:
        return seen, unreadable, split
    rows = np.union1d(split.queries, split.database)
    boxes = boxes_of_joints(cropped.people.poses.points)
    for start in range(0, len(rows), _BATCH):
        progress(start, len(rows), cropped.people.name)
        images = {}
        for row in rows[start : start + _BATCH]:
            try:
                images[int(row)] = cropped.people.image(int(row))
            except MediaError as error:
                unreadable[int(row)] = str(error)
        if not images:
            continue
        batch = Batch([*images.values()], [cropped.squares[row] for row in images], boxes[[*images]])
        for see in {rival.see for rival in rivals}:
            found = see(batch)
            seen.setdefault(see, np.full((len(cropped), *found.shape[1:]), np.nan, np.float32))[[*images]] = found
    there = np.array([row not in unreadable for row in range(len(cropped))])
    split = split.only(there)
    if not len(split.queries) or not len(split.database):
        raise SameposeError(f"no image of queries or database can be read, such as {next(iter(unreadable.values()))}")
    return seen, unreadable, split
