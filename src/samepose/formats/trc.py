"""TRC: one person's joints through time, as OpenSim, Sports2D and Pose2Sim exchange markers.

Text with tabs: five lines of header, a line with nothing, then frame number, time and X, Y, Z of each marker; an empty
cell is a marker that is not seen. Markers are named as Pose2Sim's skeletons are (`RHip`, `LKnee`, `Nose`). What a
camera sees of a person is pixels, so `Units` says px, and not the metres or millimetres that OpenSim computes with;
X runs right and Y down from the upper left corner of the picture, as in Sports2D's pixel files, and Z is 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from samepose.errors import UsageError
from samepose.poses import Poses

_SIDES = {"left": "L", "right": "R"}
_HEAD = ("DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units", "OrigDataRate", "OrigDataStartFrame",
         "OrigNumFrames")


def trc_text(poses: Poses, path: Path) -> str:
    """The file's content: a row for each moment from the person's first to the last, evenly spaced; empty in gaps.

    Args:
        poses: 2D in pixels, one person, at different times.
        path: that the file will have; its first line names it.

    Raises:
        UsageError: 3D poses, several people, fewer than two moments, or poses without times.
    """
    if poses.points.shape[-1] != 2:
        raise UsageError(f"{path}: the poses are 3D; a .trc here holds 2D poses in pixels")
    if len(set(poses.tracks.tolist())) > 1:
        raise UsageError(f"{path}: the poses are of {len(set(poses.tracks.tolist()))} people and a .trc holds one; "
                         "choose a `person`")
    poses = poses[np.argsort(poses.times, kind="stable")]
    steps = np.diff(poses.times)
    if not len(steps) or not (steps > 0).all():
        raise UsageError(f"{path}: a .trc holds one person at two different times or more; save other poses as .npz")
    step = float(np.median(steps))
    rows: list[tuple[float, Float[np.ndarray, "joint 2"] | None]] = []
    for time, points in zip(poses.times.tolist(), poses.points):
        before = rows[-1][0] if rows else time
        rows += [(before + n * step, None) for n in range(1, round((time - before) / step))]
        rows.append((time, points))
    markers, rate = [marker(joint) for joint in poses.skeleton.joints], f"{1 / step:.6g}"
    values = (rate, rate, len(rows), len(markers), "px", rate, 1, len(rows))
    lines = [("PathFileType", "4", "(X/Y/Z)", path.name), _HEAD, tuple(map(str, values)),
             ("Frame#", "Time", *(cell for name in markers for cell in (name, "", ""))),
             ("", "", *(f"{axis}{n}" for n in range(1, len(markers) + 1) for axis in "XYZ")), ()]
    for number, (time, points) in enumerate(rows, 1):
        lines.append((str(number), f"{time:.6f}", *_cells(points, len(markers))))
    return "".join("\t".join(cells) + "\n" for cells in lines)


def marker(joint: str) -> str:
    """`right_hip` as `RHip`, `nose` as `Nose`."""
    words = joint.split("_")
    return _SIDES.get(words[0], words[0].capitalize()) + "".join(word.capitalize() for word in words[1:])


def _cells(points: Float[np.ndarray, "joint 2"] | None, markers: int) -> list[str]:
    if points is None:
        return [""] * (3 * markers)
    return [cell for x, y in points.tolist() for cell in (("", "", "") if x != x else (f"{x:.3f}", f"{y:.3f}", "0"))]
