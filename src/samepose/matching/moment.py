"""Two moments compared: a frame with those before and after it (Sun 2020, section 4.3 and the supplement).

Two frames are -log P apart, P being the matching probability. That is averaged over a dilated temporal kernel "of size
7 and rate 3", frames at 30 a second as in the videos of the paper: over the frame pairs 0.1, 0.2 and 0.3 s before and
after. `sequences.distance` averages so over whole clips; a search does it for the people of a shortlist.

The mean is a distance. That two moments match, the mean NP-MPJPE of the frame pairs being at most kappa, has a
probability, fitted like the calibration of frames (`evaluation.moment_calibrator`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.matching import closed_form

PAPER_RATE = 30.0  # frames per second that offsets in frames are meant at
OFFSETS = (-9, -6, -3, 0, 3, 6, 9)  # frames at 30 per second: size 7, rate 3
MOMENT = OFFSETS[-1] / PAPER_RATE  # seconds before and after
LONGEST = 1.0  # seconds before and after; a longer move is one to be found, not a moment
LEAST_PAIRS = 4  # of the seven that make a moment: the first frame of a video has so many
LEAST_PROBABILITY = 1e-12  # -log of it, 27.6, is the largest distance


def offsets_of(seconds: float) -> Float[np.ndarray, "7"]:
    """Seconds from a moment's own frame to its seven; the fourth is the frame itself."""
    offsets: np.ndarray = np.array(OFFSETS) / OFFSETS[-1] * seconds
    return offsets


def near(seconds: float) -> float:
    """By so many seconds a sighting may be off its place in a moment: half of what lies between two places."""
    return seconds / (len(OFFSETS) - 1) + 1e-6


def minus_log(p: Float[np.ndarray, "*pair"]) -> Float[np.ndarray, "*pair"]:
    """-log P, in place: 0..27.6."""
    return -np.log(np.clip(p, LEAST_PROBABILITY, 1, out=p), out=p)


def mean_found(
    distances: Float[np.ndarray, "*moments 7"], found: Bool[np.ndarray, "*#moments 7"]
) -> Float[np.ndarray, "*moments"]:
    """The mean over those of seven frame pairs in which both people are found; NaN where there are none."""
    pairs = found.sum(axis=-1)
    total = np.where(found, distances, 0).sum(axis=-1)
    mean: np.ndarray = np.where(pairs > 0, total / np.maximum(pairs, 1), np.nan)
    return mean


@dataclass(frozen=True)
class MomentMatching:
    """The probability that two moments match, from their distance: two numbers on the logit of exp(-distance).

    Fitted for a few lengths of a moment, and for as few frame pairs as a moment may have and for all seven: the more
    there are, the more a distance says. What lies between is interpolated.

    Attributes:
        seconds: lengths (before and after) that it was fitted for, ascending.
        slope, offset: for each length, those of `LEAST_PAIRS` and of seven frame pairs; slope > 0.
    """

    seconds: tuple[float, ...]
    slope: tuple[tuple[float, float], ...]
    offset: tuple[tuple[float, float], ...]

    @classmethod
    def of_fields(cls, fields: Mapping[str, Any]) -> MomentMatching:
        """From a file's lists; KeyError, TypeError or ValueError when they are none that can be."""
        seconds = tuple(float(v) for v in fields["seconds"])
        slope, offset = (tuple((float(few), float(all)) for few, all in fields[name]) for name in ("slope", "offset"))
        table = np.array([slope, offset]).reshape(2, -1, 2)
        if not (0 < len(seconds) == len(slope) == len(offset) and np.isfinite([*seconds, *table.ravel()]).all()
                and seconds[0] > 0 and (np.diff(seconds) > 0).all() and (table[0] > 0).all()):
            raise ValueError(f"{fields} is no probability of moments")
        return cls(seconds, slope, offset)

    def probability(
        self, distance: Float[np.ndarray, "*pair"], pairs: Int[np.ndarray, "*pair"], seconds: float
    ) -> Float[np.ndarray, "*pair"]:
        """That moments match which are so far apart in so many frame pairs; NaN where a distance is.

        Args:
            seconds: length of the moments.
        """
        share = np.clip((pairs - LEAST_PAIRS) / (len(OFFSETS) - LEAST_PAIRS), 0, 1)
        numbers = []
        for table in (np.array(self.slope), np.array(self.offset)):
            few, all = (np.interp(seconds, self.seconds, column) for column in table.T)
            numbers.append(few + share * (all - few))
        return closed_form.calibrated(np.exp(-distance), *numbers)
