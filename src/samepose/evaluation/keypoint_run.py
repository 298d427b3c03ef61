"""A detector run over labelled people, each in a square of their own, and measured."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from samepose.detection.cpm import CPM
from samepose.detection.movenet import MoveNet
from samepose.errors import MediaError
from samepose.evaluation.keypoint_report import KeypointResult
from samepose.evaluation.keypoints import (
    NOT_IN_PCKH,
    errors,
    head_units,
    observer_centric,
    torso_units,
    viewpoints,
)
from samepose.formats.labelled import FEWEST_JOINTS, LabelledPeople
from samepose.media.square import Square
from samepose.progress import Progress, silent
from samepose.skeleton import COCO17, Skeleton


@dataclass(frozen=True)
class Looker:
    """A detector of one person in a square.

    Attributes:
        name: of the detector and how it is tested.
        skeleton: joints that it finds.
        look: image and square to (stages, joints, 2) pixels of the image.
    """

    name: str
    skeleton: Skeleton
    look: Callable[[UInt8[np.ndarray, "height width 3"], Square], Float[np.ndarray, "stage joint 2"]]

    @classmethod
    def of_cpm(cls, detector: CPM) -> Looker:
        """Belief maps, as many stages as the network has."""
        return cls(detector.test_name, detector.skeleton, lambda image, square: detector.look(image, square)[0])

    @classmethod
    def of_movenet(cls, detector: MoveNet) -> Looker:
        """Thunder, which has one stage."""
        return cls("movenet-thunder", COCO17, lambda image, square: detector.look(image, square)[0][None])


@dataclass(frozen=True, eq=False)
class Found:
    """What a detector made of the people whose images could be read.

    Attributes:
        people: N; joints marked outside the image are no longer marked.
        joints: (N, stages, J, 2) pixels, by the joints of the labels; NaN for those the detector does not give.
        seconds: per person, without reading the image.
        outside: how many marked joints lay outside their image.
        unreadable: messages about images that are missing or damaged.
    """

    people: LabelledPeople
    joints: Float[np.ndarray, "n stage joint 2"]
    seconds: float
    outside: int
    unreadable: tuple[str, ...]


def look_at(
    people: LabelledPeople, looker: Looker, progress: Progress = silent
) -> Found:
    """Look at everyone who is `alone`. Images that are missing or damaged are skipped and counted."""
    people = people.without(~people.alone, "others too near to be measured as a single person")
    points, rows, outcome = people.poses.points.copy(), [], []
    failed = np.zeros(len(people), bool)
    unreadable: dict[str, str] = {}
    outside, seconds = 0, 0.0
    for i in range(len(people)):
        progress(i, len(people), people.name)
        try:
            image = people.image(i)
        except MediaError as error:
            failed[i], unreadable[str(people.images[i])] = True, str(error)
            continue
        start = time.perf_counter()
        outcome.append(_by_name(looker.look(image, Square.of(*people.square(i, image.shape))), looker, people))
        seconds += time.perf_counter() - start
        rows.append(i)
        beyond = people.poses.visible[i] & ~people.inside(i, image.shape)
        outside += int(beyond.sum())
        points[i, beyond] = np.nan
    kept = people.relabelled(points).without(failed, "image missing or damaged")
    shape = (0, 1, len(people.poses.skeleton), 2)
    found = np.stack(outcome) if outcome else np.zeros(shape, np.float32)
    few = kept.poses.visible.sum(axis=1) < FEWEST_JOINTS
    kept = kept.without(few, f"fewer than {FEWEST_JOINTS} joints marked inside the image")
    return Found(kept, found[~few], seconds / max(len(rows), 1), outside, tuple(unreadable.values()))


def measure(found: Found, looker: Looker, *, occluded: bool | None = None) -> KeypointResult:
    """All figures.

    Args:
        occluded: also count joints that were marked although they are hidden; None: as published for the data set.
    """
    occluded = found.people.occluded_count if occluded is None else occluded
    people, skeleton = found.people, found.people.poses.skeleton
    truth, units = people.poses.points, torso_units(people, occluded=occluded)
    given = np.array([joint in looker.skeleton.joints for joint in skeleton.joints])
    counted = people.poses.visible & given & (True if occluded else ~people.occluded)
    stages = [errors(found.joints[:, k], truth, units, counted, skeleton) for k in range(found.joints.shape[1])]
    last = found.joints[:, -1]
    seen_as = errors(observer_centric(last, skeleton), observer_centric(truth, skeleton), units, counted, skeleton)
    why = people.skipped + Counter({"torso not marked or under 5 pixels": int(np.isnan(units).sum())})
    heads = errors(last, truth, head_units(people), counted, skeleton, NOT_IN_PCKH)
    return KeypointResult(
        looker.name, people.name, int((~np.isnan(units)).sum()), why, tuple(stages), seen_as, heads,
        tuple(viewpoints(truth, skeleton)), found.outside, found.seconds,
    )


def _by_name(
    joints: Float[np.ndarray, "stage joint 2"], looker: Looker, people: LabelledPeople
) -> Float[np.ndarray, "stage joint_to 2"]:
    """The joints of the labels; one that the detector does not give stays NaN, rather than be derived from others."""
    skeleton = people.poses.skeleton
    out = np.full((len(joints), len(skeleton), 2), np.nan, np.float32)
    for k, joint in enumerate(skeleton.joints):
        if joint in looker.skeleton.joints:
            out[:, k] = joints[:, looker.skeleton.index(joint)]
    return out
