"""A model's matching probability made honest: fitted and tested on people that it has not learned from.

As learned, P is right on average over the random pairs of a training batch. Shown are the best few of a whole gallery,
under keypoint noise, and there it is overconfident: the best of 1,500 are chosen for looking alike, and a gallery holds
more poses just outside kappa than a batch does. Two numbers on the logit mend the slope and the level (Platt), and
being monotone they change no ranking. More would be fitted to the gallery: how many poses of it match at all moves the
level, is a fact of the motion and not of the model, and differs between recordings (results/calibration.json).

So the map is fitted to all held-out people in one gallery, and tested on half of them with the map of the other half.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.errors import UsageError
from samepose.evaluation.calibration import (
    TopPairs,
    brier_score,
    calibrated,
    expected_calibration_error,
    top_pairs,
)
from samepose.evaluation.retrieval import near_duplicates_removed, select_frames
from samepose.evaluation.views import CAMERAS, Keypoints, keypoint_views
from samepose.geometry.procrustes import np_mpjpe_matrix
from samepose.matching.embeddings import Embeddings, Matching
from samepose.progress import Progress, silent

KAPPA = 0.1  # NP-MPJPE of a match
FRAMES = 1500
KEYPOINTS: tuple[Keypoints, ...] = ("perfect", "noisy", "detected")
FITTED: tuple[Keypoints, ...] = ("noisy", "detected")  # as real keypoints are; in all cameras
_SPLITS = 500
_SAMPLE = 200  # frames of a person that stand for all of them when halves are chosen

Embed = Callable[[Float[np.ndarray, "n 13 2"]], Embeddings]


@dataclass(frozen=True)
class Honesty:
    """How far the probability can be taken at its word in one condition, (before, after) calibration.

    Attributes:
        people: "A" or "B", the half whose gallery was asked, with the map of the other half; "both": those together.
        frames: poses in the gallery or galleries.
        pairs: queries with what they retrieved.
        base_rate: share of `pairs` that match.
        ece, brier: see `evaluation.calibration`.
    """

    cameras: str
    keypoints: str
    people: str
    frames: int
    pairs: int
    base_rate: float
    ece: tuple[float, float]
    brier: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {**vars(self), "ece": list(self.ece), "brier": list(self.brier)}


def honesty_table(tests: Sequence[Honesty]) -> str:
    """Tests as a Markdown table."""
    rows = ["| cameras | keypoints | tested on | base rate | ECE | Brier score | pairs | N |",
            "|---|---|---|---|---|---|---|---|"]
    kinds = [*KEYPOINTS, *dict.fromkeys(t.keypoints for t in tests if t.keypoints not in KEYPOINTS)]
    cameras = list(dict.fromkeys(["chest4", *(t.cameras for t in tests)]))
    for t in sorted(tests, key=lambda t: (cameras.index(t.cameras), kinds.index(t.keypoints))):
        rows.append(f"| {t.cameras} | {t.keypoints} | {t.people} | {t.base_rate:.3f} | {t.ece[0]:.3f} → "
                    f"{t.ece[1]:.3f} | {t.brier[0]:.3f} → {t.brier[1]:.3f} | {t.pairs:,} | {t.frames:,} |")
    return "\n".join(rows)


@dataclass(frozen=True)
class Calibration:
    """A fitted map and its test.

    Attributes:
        matching: fitted to everybody given.
        halves: names of the people of the two halves of the test.
        maps: fitted to each half.
        tests: every condition on each half and on both.
    """

    matching: Matching
    halves: tuple[tuple[str, ...], tuple[str, ...]]
    maps: tuple[Matching, Matching]
    tests: tuple[Honesty, ...]

    def to_json(self) -> dict[str, Any]:
        """As `samepose export` reports it."""
        return {
            "slope": self.matching.slope, "offset": self.matching.offset,
            "halves": [{"people": list(people), "slope": m.slope, "offset": m.offset}
                       for people, m in zip(self.halves, self.maps)],
            "tests": [t.to_json() for t in self.tests],
        }

    def to_markdown(self) -> str:
        """The tests as a table."""
        return honesty_table(self.tests)


def calibrate(
    embed: Embed, matching: Matching, points: Float[np.ndarray, "n 17 3"], subject: Int[np.ndarray, " n"],
    names: tuple[str, ...], *, frames: int = FRAMES,
    progress: Progress = silent,
) -> Calibration:
    """Fit the calibration to people, and test it on each half of them with what was fitted to the other.

    Args:
        points: H36M17 poses, y up, of people that `embed` has not learned from.
        subject: whose pose it is, an index into `names`.
        frames: poses in a gallery, drawn without near duplicates.

    Raises:
        UsageError: fewer than two people, or retrievals that all match or all fail.
    """
    halves = alike_halves(points, subject)
    scenes = []
    for k, people in enumerate((*halves, np.concatenate(halves))):
        progress(k, 3, ("half A", "half B", "everybody")[k])
        theirs = points[np.isin(subject, people)]
        scenes.append(_Scene.of(embed, matching.uncalibrated, theirs[select_frames(theirs, frames)]))
    first, second, fitted = (scene.fit(matching.uncalibrated) for scene in scenes)
    tests = []
    for condition in scenes[0].pairs:
        asked = [scenes[0].pairs[condition], scenes[1].pairs[condition]]
        n = scenes[0].frames, scenes[1].frames
        p, hit = [x.probability for x in asked], [x.hit for x in asked]
        shown = [second.calibrate(p[0]), first.calibrate(p[1])]
        tests += [_honesty(condition, name, n[k], p[k], shown[k], hit[k]) for k, name in enumerate("AB")]
        tests.append(_honesty(condition, "both", sum(n), *(np.concatenate(x) for x in (p, shown, hit))))
    a, b = (tuple(names[i] for i in people) for people in halves)
    return Calibration(fitted, (a, b), (first, second), tuple(tests))


@dataclass(frozen=True, eq=False)
class _Scene:
    """What is retrieved in each condition among so many frames, with uncalibrated probabilities."""

    frames: int
    pairs: dict[tuple[str, Keypoints], TopPairs]

    @classmethod
    def of(cls, embed: Embed, matching: Matching, points: Float[np.ndarray, "n 17 3"]) -> _Scene:
        errors, pairs = np_mpjpe_matrix(points, points), {}
        for keypoints in KEYPOINTS:
            for name, cameras in CAMERAS.items():
                seen = [embed(view) for view in keypoint_views(points, cameras, keypoints)]
                pairs[name, keypoints] = top_pairs(seen, matching, errors, kappa=KAPPA)
        return cls(len(points), pairs)

    def fit(self, matching: Matching) -> Matching:
        chosen = [self.pairs["all11", keypoints] for keypoints in FITTED]
        return calibrated(matching, np.concatenate([c.probability for c in chosen]),
                          np.concatenate([c.hit for c in chosen]))


def _honesty(
    condition: tuple[str, Keypoints], people: str, frames: int, before: Float[np.ndarray, " n"],
    after: Float[np.ndarray, " n"], hit: Bool[np.ndarray, " n"],
) -> Honesty:
    ece = expected_calibration_error(before, hit), expected_calibration_error(after, hit)
    return Honesty(*condition, people, frames, len(hit), float(hit.mean()), ece,
                   (brier_score(before, hit), brier_score(after, hit)))


def alike_halves(
    points: Float[np.ndarray, "n 17 3"], subject: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " b"]]:
    """People in two halves, of whose poses as many match: decided by the motion alone, before any model is asked.

    Raises:
        UsageError: fewer than two people.
    """
    people = np.unique(subject)
    if len(people) < 2:
        raise UsageError("calibration is tested on people that it has not seen: give two or more that were held out")
    kept = []
    for person in people:
        theirs = points[subject == person]
        kept.append(theirs[near_duplicates_removed(theirs)])
    size = np.array([len(k) for k in kept], float)
    some = [k[np.linspace(0, len(k) - 1, min(_SAMPLE, len(k))).astype(int)] for k in kept]
    matches = np.array([[(np_mpjpe_matrix(i, j) <= KAPPA).mean() for j in some] for i in some])

    def rate(chosen: Int[np.ndarray, " k"]) -> float:
        weight = size[chosen] / size[chosen].sum()
        return float(weight @ matches[np.ix_(chosen, chosen)] @ weight)

    everybody = np.arange(len(people))
    best = min(_choices(len(people)), key=lambda a: abs(np.log(rate(a) / rate(np.setdiff1d(everybody, a)))))
    return people[best], people[np.setdiff1d(everybody, best)]


def _choices(n: int) -> Iterator[Int[np.ndarray, " half"]]:
    """Halves of n, all of them or many."""
    if math.comb(n, n // 2) <= _SPLITS:
        yield from (np.array(chosen) for chosen in itertools.combinations(range(n), n // 2))
        return
    rng = np.random.default_rng(0)
    for _ in range(_SPLITS):
        yield np.sort(rng.permutation(n)[: n // 2])
