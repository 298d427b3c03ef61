"""Writing BVH: a skeleton of joint offsets, and its turns over time."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from samepose.files import written
from samepose.formats.resample import resampled
from samepose.geometry.kinematics import ABOVE, SEGMENTS, Template, angles_of, turns_of
from samepose.poses import Poses
from samepose.skeleton import H36M17

ORDER = ("Zrotation", "Xrotation", "Yrotation")  # R = Rz @ Rx @ Ry, as most programs write it
_POSITION = ("Xposition", "Yposition", "Zposition")


class _Joint(NamedTuple):
    """A joint of the file.

    Attributes:
        name: as it is written; those that animation programs know.
        turns: the segment that turns about it, "" for hands and feet, which do not turn.
        at: the joint of H36M17 where it is.
        end: where its end site is: a joint of H36M17, or metres from it at rest; None where joints follow.
    """

    name: str
    turns: str
    at: str
    end: str | tuple[float, float, float] | None = None


# H36M17 ends at wrists and ankles, but a bone needs an end: hands and feet get a stump of a usual length.
_HAND, _FOOT = 0.09, (0.0, -0.06, 0.16)
_JOINTS: dict[str, _Joint] = {
    "pelvis": _Joint("Hips", "pelvis", "pelvis"),
    "abdomen": _Joint("SpineBase", "abdomen", "pelvis"),
    "chest": _Joint("Spine", "chest", "spine"),
    "neck": _Joint("Neck", "neck", "thorax"),
    "head": _Joint("Head", "head", "neck", "head_top"),
    **{f"{side}_{part}": _Joint(f"{side.capitalize()}{name}", f"{side}_{part}", f"{side}_{at}".removeprefix(off))
       for side in ("left", "right") for part, name, at, off in (
           ("collar", "Shoulder", "thorax", f"{side}_"), ("upper_arm", "Arm", "shoulder", ""),
           ("forearm", "ForeArm", "elbow", ""), ("thigh", "UpLeg", "hip", ""), ("shin", "Leg", "knee", ""))},
}
_ENDS = {
    "left_forearm": _Joint("LeftHand", "", "left_wrist", (_HAND, 0.0, 0.0)),
    "right_forearm": _Joint("RightHand", "", "right_wrist", (-_HAND, 0.0, 0.0)),
    "left_shin": _Joint("LeftFoot", "", "left_ankle", _FOOT),
    "right_shin": _Joint("RightFoot", "", "right_ankle", _FOOT),
}


def write_bvh(path: str | os.PathLike[str], poses: Poses, fps: float = 30.0) -> None:
    """Write 3D poses of one person over time as BVH, in metres, y up, in a skeleton with the person's bones.

    The rest pose is a T-pose that faces +z. The root has a position and each joint three rotations in the order of
    `ORDER`. Bones have one length in BVH: where those of the poses vary, see `lifting.steady`, it is their median, and
    the joints lie where bones of that length lead to.

    Args:
        path: the .bvh file, replaced when it exists.
        poses: see `resample.resampled`.
        fps: frames per second of the file.

    Raises:
        UsageError: poses that cannot be a motion, or bones without length.
        SameposeError: it cannot be written.
    """
    points = resampled(poses, fps)
    template = Template.measured(points)
    turns = turns_of(template, angles_of(template, points))
    tree = _joint(template, _JOINTS["pelvis"], template.offsets[0], 0)
    text = "\n".join(["HIERARCHY", *tree, "MOTION", f"Frames: {len(points)}",
                      f"Frame Time: {1 / fps:.9f}", *_rows(points[:, 0], turns), ""])
    with written(path) as part:
        part.write_text(text, "ascii")


def _below(segment: str) -> Iterator[_Joint]:
    yield from (_JOINTS[s.name] for s in SEGMENTS if s.above == segment)
    if segment in _ENDS:
        yield _ENDS[segment]


def _joint(template: Template, joint: _Joint, offset: Float[np.ndarray, "3"], depth: int) -> list[str]:
    indent = "\t" * depth
    channels = (*(_POSITION if depth == 0 else ()), *ORDER)
    lines = [f"{indent}{'JOINT' if depth else 'ROOT'} {joint.name}", f"{indent}{{",
             f"{indent}\tOFFSET {_three(offset)}", f"{indent}\tCHANNELS {len(channels)} {' '.join(channels)}"]
    for child in _below(joint.turns) if joint.turns else ():
        apart = np.zeros(3) if child.at == joint.at else template.offsets[H36M17.index(child.at)]
        lines += _joint(template, child, apart, depth + 1)
    if joint.end is not None:
        end = template.offsets[H36M17.index(joint.end)] if isinstance(joint.end, str) else np.array(joint.end)
        lines += [f"{indent}\t{line}" for line in ("End Site", "{", f"\tOFFSET {_three(end)}", "}")]
    return [*lines, f"{indent}}}"]


def _three(offset: Float[np.ndarray, "3"]) -> str:
    return " ".join(f"{v:.6f}" for v in offset)


def _rows(root: Float[np.ndarray, "frame 3"], turns: Float[np.ndarray, "frame 15 3 3"]) -> Iterator[str]:
    """A line for each frame, joints in the order of the tree."""
    own = euler(np.stack([turns[:, k] if above < 0 else np.swapaxes(turns[:, above], -1, -2) @ turns[:, k]
                          for k, above in enumerate(ABOVE)], axis=1))
    place = {s.name: k for k, s in enumerate(SEGMENTS)}
    columns = [root]
    for name in _written("pelvis"):
        columns.append(own[:, place[name]] if name else np.zeros((len(root), 3)))
    for row in np.concatenate(columns, axis=1):
        yield " ".join(f"{v:.6f}" for v in row)


def _written(segment: str) -> Iterator[str]:
    """Segments in the order in which `_joint` writes their joints, "" for one that does not turn."""
    yield segment
    for child in _below(segment):
        yield from _written(child.turns) if child.turns else ("",)


def euler(turns: Float[np.ndarray, "frame segment 3 3"]) -> Float[np.ndarray, "frame segment 3"]:
    """Degrees about z, x, y: R = Rz @ Rx @ Ry. Of the angles that say the same, those nearest to the frame before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # gimbal lock: scipy then sets one angle to 0, which is right too
        first = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_euler("ZXY", degrees=True).reshape(*turns.shape[:2], 3)
    both = np.stack([first, np.array([180.0, 180, 180]) + first * (1, -1, 1)])
    out = first.copy()
    for k in range(1, len(out)):
        near = both[:, k] + 360 * np.round((out[k - 1] - both[:, k]) / 360)
        flipped = np.abs(near[1] - out[k - 1]).sum(-1) < np.abs(near[0] - out[k - 1]).sum(-1)
        out[k] = np.where(flipped[:, None], near[1], near[0])
    return out
