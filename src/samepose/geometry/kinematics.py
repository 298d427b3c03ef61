"""A body as a tree of segments with joint angles: from angles to joints, and back.

The H36M17 joints of a person hang on 15 segments, from the pelvis outwards. At rest the body stands in a T-pose: y up,
the face to +z, the person's own left at +x. A segment's angles turn it and all that hangs on it against the segment
above, about the axes x, y and z of that one at rest. The angle about the segment's own bone is its twist and acts
first; the two others together are a swing: its axis times its angle. So an arm or thigh may point anywhere but straight
back through the body without the gimbal lock that any order of three Euler angles has somewhere in its range; files
that want Euler angles get them from the matrices of `turns_of`. All angles are radians and all lengths metres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from samepose.errors import UsageError
from samepose.geometry import _kinematics_kernel as kernel
from samepose.skeleton import H36M17

__all__ = ["ABOVE", "SEGMENTS", "TREE", "Segment", "Template", "angles_of", "bone_lengths", "pose_of", "turns_of"]

_AT = H36M17.index
_SHORTEST = 1e-3  # metres: below, a bone has no direction
_FREE = (-np.pi, np.pi)
_NONE = (0.0, 0.0)
Limits = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


class Segment(NamedTuple):
    """A rigid part of the body.

    Attributes:
        name: of the part.
        above: the segment it hangs on, "" for the pelvis.
        start, end: the joints its bone leads from and to; the pelvis carries both hips.
        rest: axis and sign of its bone in the T-pose, such as "+x".
        limits: least and greatest angle about x, y and z, radians.
        flexes: the direction to which it bends as a hinge, such as "+z"; "" for other joints.
    """

    name: str
    above: str
    start: str
    end: str
    rest: str
    limits: Limits
    flexes: str = ""


def _limb(side: str) -> tuple[Segment, ...]:
    """Arm and leg of one side. Limits are wider than a goniometer's: 17 joints show neither the shoulder blade nor how
    the hip's socket lies, and what a clip shows must remain possible. They are those of the left; the right is
    mirrored.
    """
    out, s = ("+x", 1) if side == "left" else ("-x", -1)

    def limits(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> Limits:
        return (x, y, z) if s == 1 else (x, (-y[1], -y[0]), (-z[1], -z[0]))

    return (
        Segment(f"{side}_collar", "chest", "thorax", f"{side}_shoulder", out,
                limits(_NONE, (-0.9, 0.9), (-0.9, 0.9))),
        Segment(f"{side}_upper_arm", f"{side}_collar", f"{side}_shoulder", f"{side}_elbow", out,
                limits((-2.6, 2.6), (-2.7, 1.7), (-2.3, 2.3))),
        Segment(f"{side}_forearm", f"{side}_upper_arm", f"{side}_elbow", f"{side}_wrist", out,
                limits(_NONE, (-2.8, 0.2), (-0.5, 0.5)), "+z"),
        Segment(f"{side}_thigh", "pelvis", f"{side}_hip", f"{side}_knee", "-y",
                limits((-2.7, 1.1), (-1.4, 1.4), (-0.9, 1.6))),
        Segment(f"{side}_shin", f"{side}_thigh", f"{side}_knee", f"{side}_ankle", "-y",
                limits((-0.2, 2.8), _NONE, (-0.5, 0.5)), "-z"),
    )


SEGMENTS: tuple[Segment, ...] = (
    Segment("pelvis", "", "pelvis", "pelvis", "+y", (_FREE, _FREE, _FREE)),
    Segment("abdomen", "pelvis", "pelvis", "spine", "+y", ((-1.2, 1.4), _NONE, (-1.0, 1.0))),
    Segment("chest", "abdomen", "spine", "thorax", "+y", ((-1.0, 1.6), (-1.3, 1.3), (-1.0, 1.0))),
    Segment("neck", "chest", "thorax", "neck", "+y", ((-1.3, 1.7), _NONE, (-1.1, 1.1))),
    Segment("head", "neck", "neck", "head_top", "+y", ((-1.7, 1.4), _NONE, (-1.2, 1.2))),
    *_limb("left"), *_limb("right"),
)
_PLACE = {segment.name: k for k, segment in enumerate(SEGMENTS)}
TREE: Mapping[str, str] = {s.end: s.start for s in SEGMENTS[1:]} | {"left_hip": "pelvis", "right_hip": "pelvis"}
ABOVE: tuple[int, ...] = tuple(_PLACE.get(s.above, -1) for s in SEGMENTS)  # segment -> the one above it
LIMITS = np.array([s.limits for s in SEGMENTS])

_HIPS = np.array([_AT("right_hip"), _AT("left_hip")])
_PARENT = np.array([_AT(TREE[j]) if j in TREE else -1 for j in H36M17.joints])
_CARRIER = np.array([next((k for k, s in enumerate(SEGMENTS) if s.end == j and k), 0) for j in H36M17.joints])
_ORDER = np.array(ABOVE)
_AXIS = np.array(["xyz".index(s.rest[1]) for s in SEGMENTS])
_SIGN = np.array([1.0 if s.rest[0] == "+" else -1.0 for s in SEGMENTS])
_ENDS = np.array([(_AT(s.start), _AT(s.end)) for s in SEGMENTS])
_LATERAL = np.array([[_AT(f"{side}_shoulder") if s.name == "chest" else -1 for side in ("right", "left")]
                     for s in SEGMENTS])
_HINGED = np.array([next((k for k, b in enumerate(SEGMENTS) if b.above == s.name and b.flexes), -1) for s in SEGMENTS])


def _axis(text: str) -> Float[np.ndarray, "3"]:
    vector = np.zeros(3)
    if text:
        vector["xyz".index(text[1])] = 1.0 if text[0] == "+" else -1.0
    return vector


_FLEXING = np.array([_axis(s.flexes) for s in SEGMENTS])
_DIRECTIONS = np.array([_axis(SEGMENTS[k].rest) for k in _CARRIER])  # of the bone that ends at each joint, at rest
_DIRECTIONS[_HIPS, :] = _axis("-x"), _axis("+x")


@dataclass(frozen=True, eq=False)
class Template:
    """The bones of one person: who they are, in a T-pose.

    Attributes:
        offsets: (17, 3) metres, H36M17: each joint from the one above it in `TREE`, at rest; the pelvis at 0.
        limits: (15, 3, 2) radians: least and greatest angle of each segment about x, y and z.
    """

    offsets: Float[np.ndarray, "17 3"]
    limits: Float[np.ndarray, "15 3 2"]

    @classmethod
    def of_lengths(cls, lengths: Float[np.ndarray, "17"]) -> Template:
        """A body of given bones; the pelvis lies on the line between the hips.

        Args:
            lengths: metres, of the bone that ends at each joint of H36M17; the pelvis' own does not matter.

        Raises:
            UsageError: a bone without length, or one that is no number.
        """
        for joint, length in zip(H36M17.joints[1:], lengths[1:]):
            if not _SHORTEST < length < np.inf:
                raise UsageError(f"the bone from {TREE[joint]} to {joint} is {length:g} m long; give poses of a person "
                                 "whose joints are apart")
        offsets = lengths[:, None] * _DIRECTIONS
        offsets[0] = 0
        return cls(offsets, LIMITS)

    @classmethod
    def measured(cls, points: Float[np.ndarray, "*pose 17 3"]) -> Template:
        """The body whose bones are the medians over some poses of one person, metres; incomplete poses do not count.

        Raises:
            UsageError: no complete pose, or a bone without length.
        """
        whole = points.reshape(-1, 17, 3).astype(np.float64)
        whole = whole[np.isfinite(whole).all(axis=(1, 2))]
        if not len(whole):
            raise UsageError("no pose has all 17 joints of H36M17; a body cannot be measured on it")
        return cls.of_lengths(np.median(bone_lengths(whole), axis=0))

    @property
    def lengths(self) -> Float[np.ndarray, "17"]:
        """Metres of the bone that ends at each joint; 0 for the pelvis."""
        length: np.ndarray = np.linalg.norm(self.offsets, axis=-1)
        return length

    def symmetric(self) -> Template:
        """The same person with each left bone as long as the right one: the mean of both."""
        lengths = self.lengths
        return Template.of_lengths((lengths + lengths[H36M17.mirror]) / 2)


def bone_lengths(points: Float[np.ndarray, "*pose 17 3"]) -> Float[np.ndarray, "*pose 17"]:
    """Length of the bone that ends at each joint of H36M17, in the unit of the points; 0 for the pelvis."""
    above = np.maximum(_PARENT, 0)
    length: np.ndarray = np.linalg.norm(points - points[..., above, :], axis=-1)
    return length


def with_lengths(
    points: Float[np.ndarray, "*pose 17 3"], lengths: Float[np.ndarray, "17"]
) -> Float[np.ndarray, "*pose 17 3"]:
    """The same bones, each in its direction, in other lengths; about the pelvis. A bone of no length keeps none."""
    out = np.zeros(points.shape)
    own = bone_lengths(points)
    for joint in range(1, len(H36M17)):  # whoever is above a joint comes before it
        bone = points[..., joint, :] - points[..., _PARENT[joint], :]
        share = lengths[joint] / np.maximum(own[..., joint, None], 1e-9)
        out[..., joint, :] = out[..., _PARENT[joint], :] + share * bone
    return out


def pose_of(template: Template, angles: Float[np.ndarray, "*pose 15 3"]) -> Float[np.ndarray, "*pose 17 3"]:
    """Where the joints are: H36M17, float64 metres, the pelvis at 0, every bone as long as the template's."""
    return _forward(template, angles)[0]


def turns_of(template: Template, angles: Float[np.ndarray, "*pose 15 3"]) -> Float[np.ndarray, "*pose 15 3 3"]:
    """Rotation of each segment from the T-pose to the pose, in the world's axes, acting on column vectors."""
    return _forward(template, angles)[1]


def angles_of(template: Template, points: Shaped[np.ndarray, "*pose 17 3"]) -> Float[np.ndarray, "*pose 15 3"]:
    """The angles whose pose resembles given points, within the template's limits.

    In closed form from the pelvis outwards: each bone aims as the one of the points, so that where the limits allow it
    only lengths differ. The pelvis lies along the line of the hips, its top towards the spine; the chest's twist comes
    from the line of the shoulders, that of upper arms and
    thighs from the plane in which elbow and knee bend; a limb that is nearly straight has none. Where an angle is
    limited the bones beyond still aim right.

    Args:
        points: H36M17, any unit, y up; wherever the pelvis is.

    Raises:
        UsageError: a joint is missing (NaN), or two joints of a bone lie at one point.
    """
    flat = np.ascontiguousarray(points.reshape(-1, 17, 3), np.float64)
    lengths = bone_lengths(flat)[:, 1:]
    bad = ~(lengths > 1e-9)
    if bad.any():
        pose, joint = (int(k) for k in np.argwhere(bad)[0])
        name = H36M17.joints[joint + 1]
        what = "have no distance" if lengths[pose, joint] == lengths[pose, joint] else "are not both there (NaN)"
        raise UsageError(f"pose {pose}: {TREE[name]} and {name} {what}; leave the pose out, or fill its joints")
    out, turns = np.empty((len(flat), len(SEGMENTS), 3)), np.empty((len(flat), len(SEGMENTS), 3, 3))
    kernel.angles(flat, _ORDER, _AXIS, _SIGN, _ENDS, _LATERAL, _HINGED, _FLEXING, template.limits, _HIPS, turns, out)
    return out.reshape(*points.shape[:-2], len(SEGMENTS), 3)


def _forward(template: Template, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = np.ascontiguousarray(angles.reshape(-1, len(SEGMENTS), 3), np.float64)
    points, turns = np.empty((len(flat), 17, 3)), np.empty((len(flat), len(SEGMENTS), 3, 3))
    kernel.poses(flat, *TOPOLOGY, template.offsets, turns, points)
    shape = angles.shape[:-2]
    return points.reshape(*shape, 17, 3), turns.reshape(*shape, len(SEGMENTS), 3, 3)


TOPOLOGY = (_ORDER, _AXIS, _CARRIER, _PARENT)  # what `kernel.pose` wants to know about the tree
