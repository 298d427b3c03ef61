"""What lifting gives: poses in metres that stand upright, the alternatives, and how sure it is of each joint."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, UInt8

from samepose.errors import UsageError
from samepose.files import written
from samepose.poses import Poses
from samepose.skeleton import BODY13, H36M17

if TYPE_CHECKING:
    from samepose.query.query import Query

_PELVIS = H36M17.index("pelvis")
_DOWN = [("pelvis", "spine"), ("spine", "thorax"), ("thorax", "neck"), ("neck", "head_top")]
_LEGS = [(f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in (("hip", "knee"), ("knee", "ankle"))]
JOINT_SCORE = 0.25  # a keypoint that scores less counts as missing
MIN_JOINTS = 6  # of BODY13: a person with fewer is not lifted
_HEIGHTS = (0.3, 3.0)  # metres
_ANKLE = 0.039  # height of the ankle over the floor as a share of stature (Drillis and Contini 1966)


def check_height(height: float) -> None:
    """Whether somebody may be that tall, in metres; worth asking before a video is read.

    Raises:
        UsageError: nobody is.
    """
    if not _HEIGHTS[0] <= height <= _HEIGHTS[1]:
        raise UsageError(f"`height` is {height:g}; give metres from {_HEIGHTS[0]:g} to {_HEIGHTS[1]:g}")


@dataclass(frozen=True, eq=False)
class Lifted:
    """People of a photo, or moments of one person of a video, in space.

    Axes: x to the right of the picture, y up, z towards the viewer (right-handed), metres. The pelvis is over x = z = 0
    and the lowest joint at y = 0; through a video the first pelvis is there, and later ones are where the feet say.

    Attributes:
        poses: (n, 17, 3) H36M17, the most likely pose of each; scores say how surely a joint's place is known, 1 where
            nothing is in doubt; times and tracks are those of the 2D poses. Of a video, a motion: see `lifting.steady`.
        alternatives: (n, hypothesis, 17, 3), the most likely first, each moment alone, the pelvis over x = z = 0: a
            picture often does not tell front from back.
        weights: (n, hypothesis) their probabilities, which sum to 1.
        spread: (n, 17) metres: standard deviation of each joint along one axis, other hypotheses included.
        name, picture, video: what they were lifted from, where that is known.
    """

    poses: Poses
    alternatives: Float[np.ndarray, "pose hypothesis 17 3"]
    weights: Float[np.ndarray, "pose hypothesis"]
    spread: Float[np.ndarray, "pose 17"]
    name: str = ""
    picture: UInt8[np.ndarray, "height width 3"] | None = None
    video: Path | None = None

    @property
    def moving(self) -> bool:
        """Are these moments of one person through time?"""
        return len(self) > 1 and not bool(np.isnan(self.poses.times).any())

    def __len__(self) -> int:
        return len(self.poses)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Save the poses as the suffix says: .json as `to_json`; .html a page with a figure that one can turn, beside
        the photo or in time with the video; else as `formats.save_motion`: .npz, .bvh, .c3d.

        Raises:
            UsageError: another suffix, or a motion (.bvh, .c3d) of several people.
            SameposeError: it cannot be written.
        """
        place = Path(path)
        if place.suffix.lower() == ".json":
            with written(place) as part:
                part.write_text(json.dumps(self.to_json(), allow_nan=False) + "\n", "utf-8")
        elif place.suffix.lower() == ".html":
            from samepose.report.figure import write_figure

            write_figure(place, self.poses, picture=self.picture, video=self.video, alternatives=self.alternatives,
                         weights=self.weights, title=Path(self.name).name or "Pose in 3D")
        else:
            from samepose.formats.save_motion import save_motion

            save_motion(place, self.poses)

    def to_json(self) -> dict[str, Any]:
        """For programs: metres, seconds; `time` is null in a photo."""
        return {"people": [
            {
                "person": int(self.poses.tracks[k]),
                "time": None if np.isnan(self.poses.times[k]) else round(float(self.poses.times[k]), 4),
                "skeleton": H36M17.name, "points": _rounded(self.poses.points[k]), "spread": _rounded(self.spread[k]),
                "alternatives": [{"points": _rounded(points), "weight": round(float(weight), 4)}
                                 for points, weight in zip(self.alternatives[k], self.weights[k])],
            } for k in range(len(self))
        ]}


@runtime_checkable
class Lifter(Protocol):
    """Whatever lifts 2D poses; `name` changes whenever its results might."""

    @property
    def name(self) -> str: ...

    def lift(self, poses: Poses, height: float = 1.7) -> Lifted:
        """2D poses of any skeleton that has the joints of BODY13.

        Args:
            height: of the people when they stand, metres.
        """
        ...


def keypoints_of(poses: Poses) -> Float[np.ndarray, "n 13 2"]:
    """BODY13 points of 2D poses, NaN where missing or too unsure."""
    return poses.hide(below=JOINT_SCORE).to(BODY13).points


def liftable(poses: Poses) -> Bool[np.ndarray, " n"]:
    """Which 2D poses have enough joints."""
    enough: np.ndarray = (~np.isnan(keypoints_of(poses)[..., 0])).sum(axis=1) >= MIN_JOINTS
    return enough


def upright(up: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    """From axes of the camera (x right, y down, z away) to those of `Lifted`: the smallest rotation that is upright.

    Args:
        up: unit vectors against gravity, in camera axes.

    Returns:
        Matrices R: a point p becomes R @ p.
    """
    x, y, z = (up * [1.0, -1.0, -1.0]).T  # y up and z towards the viewer, not yet upright
    share = 1 / np.maximum(1 + y, 1e-6)
    rows = [1 - x * x * share, -x, -x * z * share, x, y, z, -x * z * share, -z, 1 - z * z * share]
    turned: np.ndarray = np.stack(rows, axis=1).reshape(-1, 3, 3) * [1.0, -1.0, -1.0]
    return turned


def stature(points: Float[np.ndarray, "n 17 3"]) -> float:
    """How tall the person of these poses stands, floor to crown, in their unit: medians of bones, ankles' height."""
    return float(_tall(lambda a, b: float(np.median(_bone(points, a, b)))))


def statures(points: Float[np.ndarray, "n 17 3"]) -> Float[np.ndarray, " n"]:
    """How tall each of these poses stands by its own bones, as `stature`."""
    each: np.ndarray = _tall(lambda a, b: _bone(points, a, b))
    return each


def _tall(length: Callable[[str, str], Any]) -> Any:
    return (sum(length(*bone) for bone in _DOWN) + sum(length(*bone) for bone in _LEGS) / 2) / (1 - _ANKLE)


def _bone(points: Float[np.ndarray, "n 17 3"], a: str, b: str) -> Float[np.ndarray, " n"]:
    length: np.ndarray = np.linalg.norm(points[:, H36M17.index(a)] - points[:, H36M17.index(b)], axis=1)
    return length


def grounded(points: Float[np.ndarray, "*batch 17 3"]) -> Float[np.ndarray, "*batch 17 3"]:
    """The pelvis at x = z = 0 and the lowest joint at y = 0 (y up)."""
    moved = points - points[..., _PELVIS : _PELVIS + 1, :]
    moved[..., 1] -= moved[..., 1].min(axis=-1, keepdims=True)
    return moved


def _rounded(values: Float[np.ndarray, "..."]) -> Any:
    """Lists of numbers; null where nothing is known."""
    whole = np.round(values.astype(np.float64), 4).astype(object)
    whole[np.isnan(values)] = None
    return whole.tolist()


def timed(query: Query) -> Poses:
    """The pose of a query with the moment it is of; NaN in a photo."""
    return replace(query.pose, times=np.full(1, np.nan if query.time is None else query.time))
