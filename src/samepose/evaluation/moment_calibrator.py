"""The probability of moments made honest, as `calibrator` does that of frames.

The event is that the mean NP-MPJPE of the frame pairs is at most kappa: the poses match all through the moment. The
distance of two moments is that of searches (`matching.moment`), of the best few of a gallery again, from all pairs of
cameras.

How much seven frames say depends on how far the detector's faults go on from frame to frame, which simulated
detections do not tell. So each moment is seen twice: with faults drawn anew for each frame, where the mean takes most
of them away, and drawn once for all seven, where it takes away few. Real ones lie between; the map is fitted to both.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.errors import UsageError
from samepose.evaluation.calibration import brier_score, calibrated, expected_calibration_error
from samepose.evaluation.calibrator import KAPPA, alike_halves
from samepose.evaluation.retrieval import select_frames
from samepose.evaluation.views import ALL11, Keypoints, keypoint_views
from samepose.formats.poseset import PoseSet
from samepose.geometry.procrustes import np_mpjpe_matrix
from samepose.matching.embeddings import Embeddings, Matching
from samepose.matching.moment import LEAST_PAIRS, MOMENT, OFFSETS, MomentMatching, minus_log, offsets_of
from samepose.progress import Progress, silent

LENGTHS = (0.1, MOMENT, 1.0)  # seconds before and after that are fitted; others are interpolated
MOMENTS = 200  # in a gallery
CAMERAS = ALL11[::2]
# Keypoints, and are their faults drawn once for all frames of a moment?
CONDITIONS: tuple[tuple[Keypoints, bool], ...] = (
    ("perfect", False), ("noisy", False), ("noisy", True), ("detected", False), ("detected", True))
_FITTED = [c for c in CONDITIONS if c[0] != "perfect"]
_LEAST = 50  # moments of a half, with fewer nothing is fitted
_QUERIES, _TOP = 100, 5  # of a pair of cameras
_MIDDLE = len(OFFSETS) // 2

Embed = Callable[[Float[np.ndarray, "n 13 2"]], Embeddings]
Key = tuple[float, Keypoints, bool, int]  # seconds, keypoints, faults drawn once, frame pairs


@dataclass(frozen=True)
class MomentHonesty:
    """How far the probability of moments can be taken at its word in one condition, tested on people not fitted to.

    Attributes:
        steady: the faults of keypoints are drawn once for all frames of a moment.
        frames: pairs that are compared.
        pairs: queries with what they retrieved.
        base_rate: share of `pairs` that match.
        ece, brier: see `evaluation.calibration`.
    """

    seconds: float
    keypoints: str
    steady: bool
    frames: int
    pairs: int
    base_rate: float
    ece: float
    brier: float


@dataclass(frozen=True)
class MomentCalibration:
    """A fitted map and its test: each half of the people with what was fitted to the other.

    Attributes:
        matching: fitted to everybody given.
    """

    matching: MomentMatching
    tests: tuple[MomentHonesty, ...]

    def to_json(self) -> dict[str, Any]:
        """As `samepose export` reports it."""
        return {**asdict(self.matching), "tests": [asdict(test) for test in self.tests]}

    def to_markdown(self) -> str:
        """The tests as a table."""
        rows = ["| moment, s | keypoints | faults of a moment | frame pairs | base rate | ECE | Brier score | pairs |",
                "|---|---|---|---|---|---|---|---|"]
        rows += [f"| ±{t.seconds:g} | {t.keypoints} | {_faults(t)} | {t.frames} | {t.base_rate:.3f} | {t.ece:.3f} | "
                 f"{t.brier:.3f} | {t.pairs:,} |" for t in self.tests]
        return "\n".join(rows)


def _faults(test: MomentHonesty) -> str:
    return "none" if test.keypoints == "perfect" else "drawn once" if test.steady else "anew for each frame"


def calibrate_moments(
    embed: Embed, matching: Matching, poses: PoseSet, *, moments: int = MOMENTS, progress: Progress = silent
) -> MomentCalibration:
    """Fit the probability of moments to people that `embed` has not learned from, and test it on each half of them.

    Args:
        matching: of frames, calibrated.
        poses: their motion.
        moments: in a gallery, drawn without near duplicates.

    Raises:
        UsageError: fewer than two people, clips too short or of different rates, or retrievals that all match or fail.
    """
    if poses.fps is None:
        raise UsageError("the clips are of different frame rates; give motion of one rate to calibrate moments with")
    halves = [_Half({}, {}), _Half({}, {})]
    for n, (length, (half, people)) in enumerate(itertools.product(
            LENGTHS, zip(halves, alike_halves(poses.points, poses.subject)))):
        progress(n, 2 * len(LENGTHS), f"moments of ±{length:g} s")
        half.add(embed, matching, poses, centres_of(poses, people, length, moments), length)
    fits = [_fitted([half]) for half in halves]
    tests = []
    for key in halves[0].distance:
        d = np.concatenate([half.distance[key] for half in halves])
        hit = np.concatenate([half.hit[key] for half in halves])
        p = np.concatenate([fit.probability(half.distance[key], np.full(len(half.distance[key]), key[3]), key[0])
                            for half, fit in zip(halves, reversed(fits))])
        tests.append(MomentHonesty(*key, len(d), float(hit.mean()), expected_calibration_error(p, hit),
                                   brier_score(p, hit)))
    return MomentCalibration(_fitted(halves), tuple(tests))


@dataclass(frozen=True, eq=False)
class _Half:
    """Distances of what was retrieved among some people, and whether it matches, in each condition."""

    distance: dict[Key, Float[np.ndarray, " n"]]
    hit: dict[Key, Bool[np.ndarray, " n"]]

    def add(
        self, embed: Embed, matching: Matching, poses: PoseSet, centres: Int[np.ndarray, " moment"], seconds: float
    ) -> None:
        """Retrieve moments of one length."""
        frames = [poses.points[centres + step] for step in steps_of(poses, seconds)]
        errors = np.stack([np_mpjpe_matrix(points, points) for points in frames])
        for keypoints, steady in CONDITIONS:
            # embeddings[tap][camera]
            embeddings = [[embed(view) for view in keypoint_views(points, CAMERAS, keypoints, 0 if steady else tap)]
                          for tap, points in enumerate(frames)]
            for pairs in (LEAST_PAIRS, len(OFFSETS)):
                found = list(_retrieved(embeddings, matching, errors, pairs))
                key = seconds, keypoints, steady, pairs
                self.distance[key] = np.concatenate([distance for distance, _ in found])
                self.hit[key] = np.concatenate([hit for _, hit in found])


def _retrieved(
    embeddings: list[list[Embeddings]], matching: Matching, errors: Float[np.ndarray, "tap n n"], pairs: int
) -> Iterator[tuple[Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]]:
    """Distances of the best of random queries, and whether these match, for every pair of cameras.

    Args:
        pairs: frame pairs of a moment: all, or those from its own frame on, or up to it, in turns.
    """
    n, rng = errors.shape[1], np.random.default_rng(0)
    for number, (q, e) in enumerate(itertools.permutations(range(len(embeddings[0])), 2)):
        first = 0 if pairs == len(OFFSETS) or number % 2 else _MIDDLE
        taps = slice(first, first + pairs)
        rows = rng.choice(n, min(_QUERIES, n), replace=False)
        distance = np.mean([minus_log(matching.probability(tap[q][rows], tap[e])) for tap in embeddings[taps]], axis=0)
        best = np.argsort(distance, axis=1, kind="stable")[:, :_TOP]
        mean = errors[taps][:, rows[:, None], best].mean(axis=0)
        yield np.take_along_axis(distance, best, axis=1).ravel(), (mean <= KAPPA).ravel()


def _fitted(halves: list[_Half]) -> MomentMatching:
    """Fitted to noisy keypoints and simulated detections, as real ones are."""
    slope, offset = [], []
    for length in LENGTHS:
        fits = []
        for pairs in (LEAST_PAIRS, len(OFFSETS)):
            keys = [(length, *condition, pairs) for condition in _FITTED]
            distance, hit = (np.concatenate([part[key] for half in halves for part in (getattr(half, name),)
                                             for key in keys]) for name in ("distance", "hit"))
            fits.append(calibrated(Matching(1.0, 0.0), np.exp(-distance), hit))
        slope.append((round(fits[0].slope, 6), round(fits[1].slope, 6)))
        offset.append((round(fits[0].offset, 6), round(fits[1].offset, 6)))
    return MomentMatching(LENGTHS, tuple(slope), tuple(offset))


def steps_of(poses: PoseSet, seconds: float) -> list[int]:
    """Frames from a moment's own to its seven."""
    return [round(float(offset) * (poses.fps or 0)) for offset in offsets_of(seconds)]


def centres_of(
    poses: PoseSet, people: Int[np.ndarray, " k"], seconds: float, most: int
) -> Int[np.ndarray, " moment"]:
    """Frames of these people with a whole moment of one clip around them, drawn without near duplicates."""
    reach, n = steps_of(poses, seconds)[-1], len(poses)
    frame = np.flatnonzero(np.isin(poses.subject, people))
    frame = frame[(frame >= reach) & (frame < n - reach)]
    frame = frame[(poses.clip[frame - reach] == poses.clip[frame]) & (poses.clip[frame + reach] == poses.clip[frame])]
    chosen: np.ndarray = frame[select_frames(poses.points[frame], most)]
    if len(chosen) < _LEAST:
        raise UsageError(f"only {len(chosen)} moments of ±{seconds:g} s to calibrate with; give longer clips")
    return chosen
