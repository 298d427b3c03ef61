"""Two performances brought to one pace, and where they differ.

WHEN they differ is told by the distance of embeddings, which does not depend on the camera angle. WHICH joint differs
is told by the angles at elbows, shoulders, hips and knees in space: of motion capture its own, of what a camera saw
those of the 3D poses that it is lifted to (`samepose.lifting`). Angles in the picture, between projected limbs, differ
from camera to camera even where the poses are the same (results/align-3d.json).
"""

from __future__ import annotations

import json
import os
import pathlib
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from samepose.errors import SameposeError, UsageError
from samepose.files import refuse_inputs, written
from samepose.geometry.angles import ANGLES, joint_angles
from samepose.matching.moment import PAPER_RATE
from samepose.poses import Mirror, Poses
from samepose.progress import Progress, silent
from samepose.sequences.clip import Clip, matching_of
from samepose.sequences.distance import frame_distances
from samepose.sequences.dtw import Path, dtw, dtw_overlap

if TYPE_CHECKING:
    from samepose.lifting import Lifter

# What leaving a moment out at an open end costs (see `dtw_overlap`), the lesser of two: as a share of the mean of all
# distances, and of the mean along the path. Ours: on four cameras' videos any share from 1/5 to 1/2, and 2 to 4, did.
_SKIP_OF_ALL, _SKIP_OF_PATH = 1 / 3, 3.0
_ROUNDS = 3
_MOST_PAIRS = 150_000_000  # of moments: 1.5 GB of matrices
_SMOOTH = 2  # moments before and after whose median is the angle: a joint misplaced in one frame is no difference
_APART = 0.5  # seconds between two of the worst moments
_FLIPS = {"off": (False,), "only": (True,), "also": (False, True)}
_SUFFIXES = (".mp4", ".webm", ".png", ".csv", ".json")


@dataclass(frozen=True)
class Moment:
    """One of the moments that differ most.

    Attributes:
        time_a, time_b: seconds.
        distance: of the two moments, mean -log P over the kernel.
        joint: whose angle in space differs most; None where no angle is known in both.
        degrees: that difference.
    """

    time_a: float
    time_b: float
    distance: float
    joint: str | None
    degrees: float | None


@dataclass(frozen=True, eq=False)
class Alignment:
    """The moments of clip A and of clip B that belong together.

    Attributes:
        a, b: the clips, on grids of one rate.
        matrix: (A, B) distance of every two moments.
        path: which belong together.
        mirrored: B was taken mirrored; `b` still holds it as it was.
        lifter: what gives 2D poses their depth; None for the one that comes with samepose.
    """

    a: Clip
    b: Clip
    matrix: Float[np.ndarray, "a b"]
    path: Path
    mirrored: bool
    lifter: Lifter | None

    @property
    def times(self) -> Float[np.ndarray, "k 2"]:
        """Seconds in A and B of each pair."""
        return np.stack([self.a.times[self.path.pairs[:, 0]], self.b.times[self.path.pairs[:, 1]]], axis=1)

    @property
    def pace(self) -> float:
        """How many times as fast A performs the movement as B, 1/4 to 4: over the path without a twentieth at each end,
        where it may stand still in one clip."""
        edge = len(self.path.pairs) // 20
        seconds = np.ptp(self.times[edge : len(self.times) - edge], axis=0)
        return float(np.clip(seconds[1] / seconds[0], 0.25, 4)) if (seconds > 0).all() else 1.0

    @property
    def distance(self) -> Float[np.ndarray, " k"]:
        """Distance of each pair; NaN where nobody is found in A or B."""
        i, j = self.path.pairs.T
        return np.where(self.a.found[i] & self.b.found[j], self.matrix[i, j], np.nan)

    @cached_property
    def degrees(self) -> Float[np.ndarray, "k 8"]:
        """By how many degrees each of `ANGLES` in space differs in each pair, >= 0; NaN where one is not known."""
        bodies = self._bodies(self.b)
        other = bodies.mirrored() if self.mirrored else bodies
        a, b = smoothed(joint_angles(self._bodies(self.a))), smoothed(joint_angles(other))
        return np.abs(a[self.path.pairs[:, 0]] - b[self.path.pairs[:, 1]])

    def worst(self, count: int = 5) -> list[Moment]:
        """The moments that differ most, worst first, at least half a second of A apart."""
        found: list[int] = []
        order = np.argsort(-np.nan_to_num(self.distance, nan=-1), kind="stable")
        for k in order[~np.isnan(self.distance[order])]:
            if len(found) < count and all(abs(self.times[k, 0] - self.times[f, 0]) >= _APART for f in found):
                found.append(int(k))
        return [self._moment(k) for k in found]

    def to_json(self) -> dict[str, Any]:
        """As other programs read it; null where somebody or a joint is not seen."""
        return {
            "pairs": self.path.pairs.tolist(), "times": np.round(self.times, 4).tolist(),
            "distance": _rounded(self.distance, 4), "mean_distance": round(self.path.mean, 4),
            "mirrored": self.mirrored,
            "degrees": {name: _rounded(self.degrees[:, k], 1) for k, name in enumerate(ANGLES)},
            "worst": [{"time_a": round(m.time_a, 4), "time_b": round(m.time_b, 4), "distance": round(m.distance, 4),
                       "joint": m.joint, "degrees": m.degrees} for m in self.worst()],
        }

    def write(self, path: str | os.PathLike[str], progress: Progress = silent) -> None:
        """Write the alignment as the suffix of `path` says; an existing file is replaced, but the clips' never.

        .mp4, .webm: a video of both side by side at A's pace. .png: a picture of all distances and the path (needs
        samepose[eval]). .csv: a line for each pair of moments. .json: `to_json`.

        Args:
            progress: told of each frame of a video.

        Raises:
            UsageError: another suffix, or the file of a clip.
            MediaError: a clip's video cannot be read, or the new one cannot be written.
            SameposeError: matplotlib is missing for the picture, or the file cannot be written.
        """
        out = pathlib.Path(path)
        suffix = out.suffix.lower()
        if suffix not in _SUFFIXES:
            raise UsageError(f"{out}: name it *{', *'.join(_SUFFIXES[:-1])} or *{_SUFFIXES[-1]}")
        refuse_inputs([out], [given for clip in (self.a, self.b) for given in (clip.name, clip.video) if given])
        if suffix in (".mp4", ".webm"):
            from samepose.report.synced_video import write_synced

            write_synced(self, out, progress)
        elif suffix == ".png":
            _plot(self, out)
        else:
            text = csv_text(self) if suffix == ".csv" else json.dumps(self.to_json(), allow_nan=False) + "\n"
            with written(out) as part:
                part.write_text(text, "utf-8")

    def _bodies(self, clip: Clip) -> Poses:
        """The moments in 3D; NaN where nobody is found, and joints that are not seen."""
        if clip.bodies is not None:
            return clip.bodies
        if (lifter := self.lifter) is None:
            from samepose.lifting.lifting import load_lifter

            lifter = load_lifter()
        lifted = lifter.lift(replace(clip.poses, times=clip.times)[clip.found]).poses
        seen = clip.poses.to(lifted.skeleton).visible
        points = np.full((len(clip), len(lifted.skeleton), 3), np.nan, np.float32)
        points[clip.found] = np.where(seen[clip.found][..., None], lifted.points, np.float32(np.nan))
        return Poses.of(points, lifted.skeleton, times=clip.times, tracks=clip.poses.tracks, unit="metre")

    def _moment(self, k: int) -> Moment:
        degrees, (time_a, time_b) = self.degrees[k], self.times[k].tolist()
        distance = float(self.distance[k])
        if np.isnan(degrees).all():
            return Moment(time_a, time_b, distance, None, None)
        joint = int(np.nanargmax(degrees))
        return Moment(time_a, time_b, distance, list(ANGLES)[joint], round(float(degrees[joint]), 1))


def align(
    a: Clip, b: Clip, *, mirror: Mirror = "off", open_ends: bool = False,
    lifter: Lifter | None = None,
) -> Alignment:
    """The path of least distance through two clips, which are brought to one rate, the higher of the two.

    Args:
        mirror: take B as it is ("off"), mirrored ("only"), or whichever of the two is nearer to A ("also").
        open_ends: either clip may begin and end without the other: only what they share is aligned.
        lifter: what gives the poses of videos their depth, to compare joints in space; the shipped one by default.

    Raises:
        UsageError: embedded by different models, or so long that the distances would fill the memory.
    """
    matching_of(a, b)
    rate = max((clip.rate for clip in (a, b) if len(clip) > 1), default=PAPER_RATE)
    a, b = a.at_rate(rate), b.at_rate(rate)
    if len(a) * len(b) > _MOST_PAIRS:
        raise UsageError(f"clips of {len(a):,} and {len(b):,} moments are too long to compare every pair; "
                         "take fewer with `fps`, or cut them")
    if mirror not in _FLIPS:
        raise UsageError(f"mirror is {mirror!r}; expected {', '.join(_FLIPS)}")
    return min((_aligned(a, b, flip, open_ends, lifter) for flip in _FLIPS[mirror]), key=lambda found: found.path.mean)


def csv_text(found: Alignment) -> str:
    """One line for each pair: times, distance, and the difference of each angle in degrees; empty where not seen."""
    lines = [",".join(["time_a", "time_b", "distance", *ANGLES])]
    for times, distance, degrees in zip(found.times, found.distance, found.degrees):
        cells = [*(f"{t:.4f}" for t in times), f"{distance:.4f}", *(f"{d:.1f}" for d in degrees)]
        lines.append(",".join("" if cell == "nan" else cell for cell in cells))
    return "\n".join(lines) + "\n"


def _aligned(
    a: Clip, b: Clip, flip: bool, open_ends: bool, lifter: Lifter | None
) -> Alignment:
    """Three times: the pace that the kernel needs (see `distance`) and the limit of open ends come from the path."""
    other = b.flipped() if flip else b
    pace, near = 1.0, np.inf
    for _ in range(_ROUNDS):
        matrix = frame_distances(a, other, a.matching, pace=pace)
        if open_ends:
            path = dtw_overlap(matrix, min(_SKIP_OF_ALL * float(matrix.mean()), _SKIP_OF_PATH * near))
        else:
            path = dtw(matrix)
        found = Alignment(a, b, matrix, path, flip, lifter)
        pace, near = found.pace, path.mean
    return found


def _plot(found: Alignment, out: pathlib.Path) -> None:
    try:
        from samepose.report.alignment_plot import plot_alignment
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("samepose"):
            raise
        raise SameposeError(f"{out}: this needs {error.name}, which is not installed: pip install 'samepose[eval]'"
                            ) from error
    plot_alignment(found, out)


def smoothed(angles: Float[np.ndarray, "n angle"]) -> Float[np.ndarray, "n angle"]:
    """The median of each moment with those around it; NaN where it was."""
    padded = np.pad(angles, ((_SMOOTH, _SMOOTH), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * _SMOOTH + 1, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a joint that is nowhere seen stays NaN
        return np.where(np.isnan(angles), np.nan, np.nanmedian(windows, axis=-1))


def _rounded(values: Float[np.ndarray, " k"], digits: int) -> list[float | None]:
    return [None if np.isnan(v) else round(float(v), digits) for v in values]
