"""Skeletons: joints by name, and the one way to go from one to another.

Names are anatomical, "left" being the person's own left. The names that differ between data sets:

- ``thorax``: base of the neck between the shoulders (OpenPose "Neck", MPII "thorax", H36M "Thorax")
- ``neck``: upper neck (MPII "upper neck", LSP "neck", H36M "Neck/Nose")
- ``head_top``: crown (MPII, LSP "head top", H36M "Head")
- ``head``: middle of the head (Penn Action "head")
- ``pelvis``: middle of the hips (H36M "Hip", OpenPose "MidHip")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from samepose.errors import UsageError

_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_BODY_BONES = (
    ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"),
    *((f"{s}_{a}", f"{s}_{b}") for s in ("left", "right") for a, b in pairwise(_LIMBS)
      if (a, b) != ("wrist", "hip")),
    ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"),
)
_EXTRA_BONES = (
    ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"),
    ("nose", "thorax"), ("pelvis", "spine"), ("spine", "thorax"), ("thorax", "neck"), ("neck", "head_top"),
    ("pelvis", "left_hip"), ("pelvis", "right_hip"), ("thorax", "left_shoulder"), ("thorax", "right_shoulder"),
    ("left_ankle", "left_heel"), ("right_ankle", "right_heel"), ("left_ankle", "left_big_toe"),
    ("right_ankle", "right_big_toe"), ("left_ankle", "left_foot_index"), ("right_ankle", "right_foot_index"),
)

# A joint that a skeleton lacks, from joints it may have: the mean of the first group whose joints all exist.
DERIVED: dict[str, tuple[tuple[str, ...], ...]] = {
    "pelvis": (("left_hip", "right_hip"),),
    "thorax": (("left_shoulder", "right_shoulder"),),
    "spine": (("pelvis", "thorax"), ("left_hip", "right_hip", "left_shoulder", "right_shoulder")),
    "nose": (("head",), ("neck", "head_top"), ("left_eye", "right_eye"), ("left_ear", "right_ear")),
    "head": (("neck", "head_top"), ("left_ear", "right_ear"), ("nose",)),
    "left_foot_index": (("left_big_toe",),),
    "right_foot_index": (("right_big_toe",),),
    "left_big_toe": (("left_foot_index",),),
    "right_big_toe": (("right_foot_index",),),
}

# Parts of the body that `ignore` and keypoint dropout name.
PARTS: dict[str, tuple[str, ...]] = {
    "left_arm": ("left_elbow", "left_wrist"),
    "right_arm": ("right_elbow", "right_wrist"),
    "arms": ("left_elbow", "left_wrist", "right_elbow", "right_wrist"),
    "left_leg": ("left_knee", "left_ankle"),
    "right_leg": ("right_knee", "right_ankle"),
    "legs": ("left_knee", "left_ankle", "right_knee", "right_ankle"),
    "head": ("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    "upper_body": ("nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist",
                   "right_wrist"),
    "lower_body": ("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
}


@dataclass(frozen=True)
class Skeleton:
    """An ordered set of named joints.

    Attributes:
        name: how files and messages call it.
        joints: joint names in storage order, unique.
    """

    name: str
    joints: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.joints)) != len(self.joints):
            raise UsageError(f"skeleton {self.name}: joint names repeat")

    def __len__(self) -> int:
        return len(self.joints)

    def index(self, joint: str) -> int:
        """Position of a joint; UsageError lists the joints when there is none of that name."""
        if joint not in self.joints:
            raise UsageError(f"skeleton {self.name} has no joint {joint!r}; it has {', '.join(self.joints)}")
        return self.joints.index(joint)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """Pairs of joint positions to draw a line between."""
        have = set(self.joints)
        bones = [(a, b) for a, b in _BODY_BONES if a in have and b in have]
        bones += [(a, b) for a, b in _EXTRA_BONES if a in have and b in have]
        return tuple((self.joints.index(a), self.joints.index(b)) for a, b in bones)

    @cached_property
    def mirror(self) -> Int[np.ndarray, " joint"]:
        """Permutation that swaps left and right: `points[:, skeleton.mirror]`."""
        return np.array([self.joints.index(mirrored_name(j)) for j in self.joints])

    def convert(
        self, points: Float[np.ndarray, "n joint dim"], to: Skeleton
    ) -> Float[np.ndarray, "n joint_to dim"]:
        """Reorder joints by name; derive what is missing by `DERIVED`, else NaN.

        Derived joints are means of their sources, so a source that is NaN makes the result NaN.
        """
        out = np.full((len(points), len(to), points.shape[-1]), np.nan, points.dtype)
        for k, joint in enumerate(to.joints):
            source = self._source(joint)
            if source:
                out[:, k] = points[:, source].mean(axis=1)
        return out

    def convert_scores(self, scores: Float[np.ndarray, "n joint"], to: Skeleton) -> Float[np.ndarray, "n joint_to"]:
        """Scores for `convert`: the lowest of the sources, 0 where there is none."""
        out = np.zeros((len(scores), len(to)), scores.dtype)
        for k, joint in enumerate(to.joints):
            source = self._source(joint)
            if source:
                out[:, k] = scores[:, source].min(axis=1)
        return out

    def _source(self, joint: str) -> list[int]:
        if joint in self.joints:
            return [self.joints.index(joint)]
        for group in DERIVED.get(joint, ()):
            if all(j in self.joints for j in group):
                return [self.joints.index(j) for j in group]
        return []


def mirrored_name(joint: str) -> str:
    """`left_knee` for `right_knee` and the other way round; other names stay."""
    if joint.startswith("left_"):
        return "right_" + joint[5:]
    if joint.startswith("right_"):
        return "left_" + joint[6:]
    return joint


def parts(names: str | Sequence[str]) -> tuple[str, ...]:
    """Joints named by parts or joints: a list of them, or a text with commas such as `"left_arm,legs"`.

    Raises:
        UsageError: a name is neither a part nor a joint of COCO17.
    """
    found: list[str] = []
    listed = names.split(",") if isinstance(names, str) else names
    for name in (n.strip() for n in listed if n.strip()):
        if name in PARTS:
            found += PARTS[name]
        elif name in COCO17.joints:
            found.append(name)
        else:
            raise UsageError(f"no body part {name!r}; use {', '.join(PARTS)} or a joint such as left_knee")
    return tuple(dict.fromkeys(found))


def _sides(*stems: str) -> tuple[str, ...]:
    return tuple(f"{side}_{stem}" for stem in stems for side in ("left", "right"))


def _limb(side: str, *stems: str) -> tuple[str, ...]:
    return tuple(f"{side}_{stem}" for stem in stems)


COCO17 = Skeleton("COCO17", ("nose", *_sides("eye", "ear", *_LIMBS)))
BODY13 = Skeleton("BODY13", ("nose", *_sides(*_LIMBS)))
H36M17 = Skeleton("H36M17", (
    "pelvis", *_limb("right", "hip", "knee", "ankle"), *_limb("left", "hip", "knee", "ankle"),
    "spine", "thorax", "neck", "head_top",
    *_limb("left", "shoulder", "elbow", "wrist"), *_limb("right", "shoulder", "elbow", "wrist"),
))
MPII16 = Skeleton("MPII16", (
    *_limb("right", "ankle", "knee", "hip"), *_limb("left", "hip", "knee", "ankle"),
    "pelvis", "thorax", "neck", "head_top",
    *_limb("right", "wrist", "elbow", "shoulder"), *_limb("left", "shoulder", "elbow", "wrist"),
))
LSP14 = Skeleton("LSP14", (
    *_limb("right", "ankle", "knee", "hip"), *_limb("left", "hip", "knee", "ankle"),
    *_limb("right", "wrist", "elbow", "shoulder"), *_limb("left", "shoulder", "elbow", "wrist"),
    "neck", "head_top",
))
PENN13 = Skeleton("PENN13", ("head", *_sides(*_LIMBS)))
BODY25 = Skeleton("BODY25", (
    "nose", "thorax", *_limb("right", "shoulder", "elbow", "wrist"), *_limb("left", "shoulder", "elbow", "wrist"),
    "pelvis", *_limb("right", "hip", "knee", "ankle"), *_limb("left", "hip", "knee", "ankle"),
    "right_eye", "left_eye", "right_ear", "left_ear",
    *_limb("left", "big_toe", "small_toe", "heel"), *_limb("right", "big_toe", "small_toe", "heel"),
))
BLAZEPOSE33 = Skeleton("BLAZEPOSE33", (
    "nose", *_limb("left", "eye_inner", "eye", "eye_outer"), *_limb("right", "eye_inner", "eye", "eye_outer"),
    *_sides("ear"), "left_mouth", "right_mouth",
    *_sides("shoulder", "elbow", "wrist", "pinky", "index", "thumb", "hip", "knee", "ankle", "heel", "foot_index"),
))
# What is rendered: H36M17 and the face.
SYNTH22 = Skeleton("SYNTH22", (*H36M17.joints, "nose", *_sides("eye", "ear")))
SKELETONS: dict[str, Skeleton] = {
    s.name: s for s in (COCO17, BODY13, H36M17, MPII16, LSP14, PENN13, BODY25, BLAZEPOSE33)
}
