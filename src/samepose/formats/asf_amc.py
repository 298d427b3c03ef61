"""Acclaim motion capture: a skeleton (.asf) and the motions recorded on it (.amc)."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from samepose.errors import FormatError
from samepose.formats.bvh import LARGEST, JointTracks, rotation
from samepose.media import irregular
from samepose.media.remote import located

INCH = 0.0254  # an ASF length is so many inches divided by its `length` unit
FRAME_RATE = 120.0  # AMC files do not say; CMU and HDM05 record at 120


@dataclass
class _Bone:
    name: str
    direction: Float[np.ndarray, " 3"] = field(default_factory=lambda: np.zeros(3))
    length: float = 0.0
    axis: Float[np.ndarray, " 3"] = field(default_factory=lambda: np.zeros(3))  # in the file's angle unit
    order: str = "xyz"  # about the fixed axes, the first first
    dof: tuple[str, ...] = ()
    parent: str = ""


@dataclass
class _Skeleton:
    bones: dict[str, _Bone]  # root first, parents before children
    metres: float  # per unit of length
    radians: bool
    root_position: Float[np.ndarray, " 3"]


def read_amc(path: str | Path, asf: str | Path | None = None) -> JointTracks:
    """Read an AMC motion on its ASF skeleton; points in metres.

    A bone's name stands for its END: `lfemur` is the left knee, `root` the root itself.

    Args:
        path: the .amc file, at 120 frames a second.
        asf: its skeleton; searched for beside it when not given (see `find_asf`).

    Raises:
        FormatError: a file is missing, truncated, or the two do not belong together.
    """
    path = located(path)
    skeleton = _read_asf(find_asf(path) if asf is None else located(asf))
    values, in_radians = _read_motion(path, skeleton)
    in_degrees = not (skeleton.radians if in_radians is None else in_radians)
    frames = len(next(iter(values.values())))
    turns: dict[str, np.ndarray] = {}
    points: dict[str, np.ndarray] = {}
    for name, bone in skeleton.bones.items():
        motion = dict(zip(bone.dof, values[name].T)) if bone.dof else {}
        rest = Rotation.from_euler(bone.order, bone.axis, degrees=not skeleton.radians).as_matrix()
        turn = np.broadcast_to(np.eye(3), (frames, 3, 3))
        for axis in bone.order:
            if f"r{axis}" in motion:
                turn = rotation(axis, motion[f"r{axis}"], degrees=in_degrees) @ turn
        turn = rest @ turn @ rest.T
        if name == "root":
            moved = np.stack([motion.get(f"t{a}", np.zeros(frames)) for a in "xyz"], axis=1)
            turns[name], points[name] = turn, moved + skeleton.root_position
        else:
            turns[name] = turns[bone.parent] @ turn
            points[name] = points[bone.parent] + turns[name] @ (bone.direction * bone.length)
    stacked = np.stack(list(points.values()), axis=1) * skeleton.metres
    return JointTracks(tuple(points), stacked, 1 / FRAME_RATE)


def find_asf(amc: Path) -> Path:
    """The skeleton beside a motion: the longest ASF name that begins the motion's name, or the only one there.

    Raises:
        FormatError: there is none, or several and none fits, or the folder may not be looked into.
    """
    try:
        here = sorted(p for p in amc.parent.iterdir() if p.suffix.lower() == ".asf")
    except OSError as error:
        raise FormatError(f"{amc.parent}: cannot be searched for the skeleton ({error.strerror}); check path and "
                          "permissions") from error
    stem = amc.stem.lower()
    fits = [p for p in here if stem == p.stem.lower() or stem.startswith(p.stem.lower() + "_")]
    if fits:
        return max(fits, key=lambda p: len(p.stem))
    if len(here) == 1:
        return here[0]
    many = f"none of the {len(here)} .asf files beside it fits its name" if here else "no .asf skeleton lies beside it"
    missing = FileNotFoundError(errno.ENOENT, "no skeleton")  # as with any file: it may be there the next time
    raise FormatError(f"{amc}: {many}; put the skeleton there as '{amc.stem.rsplit('_', 1)[0]}.asf', or name it"
                      ) from missing


def _read_lines(path: Path) -> list[list[str]]:
    if what := irregular(path):
        raise FormatError(f"{path}: {what}")
    try:
        text = path.read_text("latin-1")  # HDM05 headers hold names with umlauts that are not UTF-8
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    return [line.split("#", 1)[0].split() for line in text.splitlines()]


def _read_asf(path: Path) -> _Skeleton:
    sections: dict[str, list[list[str]]] = {}
    current: list[list[str]] = []
    for words in _read_lines(path):
        if words and words[0].startswith(":"):
            current = sections.setdefault(words[0].lower(), [])
        elif words:
            current.append(words)
    for needed in (":root", ":bonedata", ":hierarchy"):
        if needed not in sections:
            raise FormatError(f"{path}: has no {needed} section; the file is cut short or is no ASF skeleton")
    try:
        units = {w[0].lower(): w[1] for w in sections.get(":units", []) if len(w) > 1}
        root, position = _parse_root(sections[":root"])
        bones = {"root": root} | {b.name: b for b in _parse_bones(sections[":bonedata"])}
        ordered = _link(bones, sections[":hierarchy"])
        metres = INCH / float(units.get("length", "1"))
        if not (0 < metres < LARGEST and (np.abs(position) < LARGEST).all()):
            raise ValueError("its unit of length or the root's position is not finite")
    except (ValueError, IndexError, KeyError, ZeroDivisionError) as error:
        raise FormatError(f"{path}: the skeleton cannot be read ({error!s}); export it again") from error
    return _Skeleton(ordered, metres, units.get("angle", "deg").lower().startswith("rad"), position)


def _parse_root(lines: list[list[str]]) -> tuple[_Bone, Float[np.ndarray, " 3"]]:
    root, position = _Bone("root", dof=("tx", "ty", "tz", "rx", "ry", "rz")), np.zeros(3)
    for key, *values in lines:
        if key == "order":
            root.dof = tuple(v.lower() for v in values)
        elif key == "axis":
            root.order = _order(values[0])
        elif key == "position":
            position = np.array(values[:3], np.float64).reshape(3)
        elif key == "orientation":
            root.axis = np.array(values[:3], np.float64).reshape(3)
    return root, position


def _order(word: str) -> str:
    if sorted(word.lower()) != ["x", "y", "z"]:
        raise ValueError(f"axes {word}, expected each of X, Y and Z")
    return word.lower()


def _parse_bones(lines: list[list[str]]) -> list[_Bone]:
    bones: list[_Bone] = []
    for key, *values in lines:
        if key == "begin":
            bones.append(_Bone(""))
        elif key == "name":
            bones[-1].name = values[0]
        elif key == "direction":
            bones[-1].direction = np.array(values[:3], np.float64).reshape(3)
        elif key == "length":
            bones[-1].length = float(values[0])
        elif key == "axis":
            bones[-1].axis = np.array(values[:3], np.float64).reshape(3)
            bones[-1].order = _order(values[3])
        elif key == "dof":
            bones[-1].dof = tuple(v.lower() for v in values)
            if not set(bones[-1].dof) <= {"rx", "ry", "rz"}:
                raise ValueError(f"bone {bones[-1].name}: degrees of freedom {' '.join(values)} other than rx ry rz")
    for bone in bones:
        if not ((np.abs([*bone.direction, bone.length, *bone.axis]) < LARGEST).all()):
            raise ValueError(f"bone {bone.name} is not finite")
    return bones


def _link(bones: dict[str, _Bone], lines: list[list[str]]) -> dict[str, _Bone]:
    ordered = {"root": bones["root"]}
    waiting = [w for w in lines if w[0] not in ("begin", "end")]
    while waiting:
        ready = [w for w in waiting if w[0] in ordered]
        if not ready:
            raise ValueError(f"bone {waiting[0][0]} hangs on nothing")
        for parent, *children in ready:
            for child in children:
                bones[child].parent = parent
                ordered[child] = bones[child]
        waiting = [w for w in waiting if w not in ready]
    return ordered


def _read_motion(path: Path, skeleton: _Skeleton) -> tuple[dict[str, Float[np.ndarray, "frame dof"]], bool | None]:
    moving = {name: len(bone.dof) for name, bone in skeleton.bones.items() if bone.dof}
    rows: dict[str, list[list[str]]] = {name: [] for name in moving}
    radians: bool | None = None
    frames = 0
    for words in _read_lines(path):
        if not words:
            continue
        if words[0].startswith(":"):
            radians = {":RADIANS": True, ":DEGREES": False}.get(words[0].upper(), radians)
        elif len(words) == 1 and re.fullmatch(r"\d+", words[0]):
            frames += 1
        elif words[0] not in moving:
            raise FormatError(f"{path}: moves a bone {words[0]!r} that its skeleton has not; give the right .asf")
        elif len(words) - 1 != moving[words[0]] or len(rows[words[0]]) != frames - 1:
            raise FormatError(f"{path}: frame {frames}: bone {words[0]} should have {moving[words[0]]} values once; "
                              "the file is damaged, export it again")
        else:
            rows[words[0]].append(words[1:])
    if not frames:
        raise FormatError(f"{path}: has no frame; export the file again with its motion")
    short = [name for name, row in rows.items() if len(row) != frames]
    if short:
        raise FormatError(f"{path}: {frames} frames, but bone {short[0]} has {len(rows[short[0]])}; "
                          "the file is cut short, export it again")
    try:
        return {name: np.array(row, np.float64) for name, row in rows.items()}, radians
    except ValueError as error:
        raise FormatError(f"{path}: holds something that is not a number; export the file again") from error
