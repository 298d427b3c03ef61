"""BVH motion capture: the joint tree, its motion, and where every joint is in the world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from samepose.errors import FormatError
from samepose.media import irregular
from samepose.media.remote import located

_AXES = "XYZ"
_LONGEST_FRAME = 3600.0  # seconds
LARGEST = 1e9  # of a length or an angle in a file: beyond it is damage, as good as infinite


@dataclass(frozen=True, eq=False)
class JointTracks:
    """World positions of a file's own joints, in the file's own unit and axes.

    Attributes:
        names: J joint names as the file spells them; an end site is `"<parent>_end"`.
        points: (T, J, 3) float64.
        frame_time: seconds per frame.
        starts_in_rest_pose: frame 0 does not turn the root at all while the next frame does: the sign of a
            T-pose put in front of the motion.
    """

    names: tuple[str, ...]
    points: Float[np.ndarray, "frame joint 3"]
    frame_time: float
    starts_in_rest_pose: bool = False


@dataclass(frozen=True, eq=False)
class Bvh:
    """A BVH file as it is written.

    Attributes:
        names: J joint names, parents before children; an end site is `"<parent>_end"`.
        parents: index of each joint's parent, -1 for the root.
        offsets: (J, 3) float64, where a joint sits in its parent's axes.
        channels: per joint, in file order, such as `("Xposition", "Zrotation")`.
        values: (T, C) float64, the channels of all joints one after the other; angles in degrees.
        frame_time: seconds per frame.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float[np.ndarray, "joint 3"]
    channels: tuple[tuple[str, ...], ...]
    values: Float[np.ndarray, "frame channel"]
    frame_time: float

    def tracks(self) -> JointTracks:
        """World positions by forward kinematics.

        A joint's position channels replace its OFFSET on the axes they name.
        """
        return JointTracks(self.names, _forward_kinematics(self), self.frame_time, _starts_in_rest_pose(self))


def read_bvh(path: str | Path, *, keep_nan: bool = False) -> JointTracks:
    """World positions of every joint of a BVH file: `parse_bvh(path).tracks()`."""
    return parse_bvh(path, keep_nan=keep_nan).tracks()


def parse_bvh(path: str | Path, *, keep_nan: bool = False) -> Bvh:
    """Read a BVH file: any order of channels, position channels on any joint.

    Args:
        path: the .bvh file.
        keep_nan: let frames with NaN through (their joints become NaN) rather than refuse the file.

    Raises:
        FormatError: the file is truncated, not BVH, has another number of values than its channels ask for, holds
            NaN or infinite values, or has no frame.
    """
    path = located(path)
    if what := irregular(path):
        raise FormatError(f"{path}: {what}")
    try:
        text = path.read_text("latin-1")
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    header, found, motion = text.partition("MOTION")
    if "HIERARCHY" not in header:
        raise FormatError(f"{path}: has no HIERARCHY section; is it a BVH file?")
    if not found:
        raise FormatError(f"{path}: has no MOTION section; the file is cut short, export it again")
    names, parents, offsets, channels = _parse_tree(path, header.split())
    values, frame_time = _parse_motion(path, motion, sum(map(len, channels)), keep_nan)
    return Bvh(names, parents, offsets, channels, values, frame_time)


def rotation(axis: str, angles: Float[np.ndarray, "*n"], *, degrees: bool) -> Float[np.ndarray, "*n 3 3"]:
    """Right-handed turns about `"x"`, `"y"` or `"z"`, acting on column vectors.

    Matrices, to be multiplied as such: two of scipy's `Rotation` take twelve times as long (1.1 ms against 0.09 ms for
    1,300 frames), and refuse NaN.
    """
    out: np.ndarray = Rotation.from_euler(axis.lower(), angles[..., None], degrees=degrees).as_matrix()
    return out


def _parse_tree(
    path: Path, tokens: list[str]
) -> tuple[tuple[str, ...], tuple[int, ...], Float[np.ndarray, "joint 3"], tuple[tuple[str, ...], ...]]:
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[tuple[str, ...]] = []
    stack: list[int] = []
    at = 0
    try:
        while at < len(tokens):
            word = tokens[at].upper()
            if word in ("ROOT", "JOINT", "END"):
                # Names may hold spaces ("Bip01 L Thigh"), so a name ends where its brace opens.
                brace = tokens.index("{", at)
                parents.append(stack[-1] if stack else -1)
                names.append(f"{names[stack[-1]]}_end" if word == "END" else " ".join(tokens[at + 1 : brace]))
                offsets.append([0.0, 0.0, 0.0])
                channels.append(())
                stack.append(len(names) - 1)
                at = brace
            elif word == "OFFSET":
                offsets[stack[-1]] = [float(v) for v in tokens[at + 1 : at + 4]]
                at += 3
            elif word == "CHANNELS":
                count = int(tokens[at + 1])
                if count < 0:  # reading would go back, and on for ever
                    raise ValueError(count)
                channels[stack[-1]] = tuple(_channel(c) for c in tokens[at + 2 : at + 2 + count])
                at += 1 + count
            elif word == "}":
                stack.pop()
            elif word not in ("{", "HIERARCHY"):
                raise ValueError(word)
            at += 1
    except (ValueError, IndexError) as error:
        raise FormatError(f"{path}: HIERARCHY cannot be read near {' '.join(tokens[at:at + 5])!r}; "
                          "export the file again") from error
    if stack or not names:
        raise FormatError(f"{path}: HIERARCHY does not close its braces; the file is cut short, export it again")
    array = np.array(offsets)
    if not (np.abs(array) < LARGEST).all():
        raise FormatError(f"{path}: an OFFSET in HIERARCHY is not a finite number; export the file again")
    return _unique(names), tuple(parents), array, tuple(channels)


def _channel(word: str) -> str:
    name = word.capitalize()
    if name[0] not in _AXES or name[1:] not in ("position", "rotation"):
        raise ValueError(word)
    return name


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return tuple(out)


def _parse_motion(
    path: Path, motion: str, width: int, keep_nan: bool
) -> tuple[Float[np.ndarray, "frame channel"], float]:
    words = motion.split()
    try:
        if words[0].lower() != "frames:" or [w.lower() for w in words[2:4]] != ["frame", "time:"]:
            raise ValueError
        frames, frame_time = int(words[1]), float(words[4])
    except (ValueError, IndexError) as error:
        raise FormatError(f"{path}: MOTION must begin with 'Frames: N' and 'Frame Time: SECONDS'; "
                          "export the file again") from error
    if frames <= 0:
        raise FormatError(f"{path}: has no frame (Frames: {frames}); export the file again with its motion")
    if not 0 < frame_time <= _LONGEST_FRAME:
        raise FormatError(f"{path}: Frame Time is {words[4]}; write the seconds per frame there, at most an hour")
    try:
        values = np.array(words[5:], np.float64)
    except ValueError as error:
        raise FormatError(f"{path}: MOTION holds something that is not a number; export the file again") from error
    if values.size != frames * width:
        missing = "the file is cut short" if values.size < frames * width else "the file holds more"
        raise FormatError(f"{path}: {frames} frames of {width} channels need {frames * width} values, found "
                          f"{values.size}; {missing}, export it again or correct 'Frames:'")
    values = values.reshape(frames, width)
    bad = np.abs(values) > LARGEST if keep_nan else ~(np.abs(values) <= LARGEST)
    if bad.any():
        raise FormatError(f"{path}: frame {int(bad.any(axis=1).argmax())} holds NaN or infinite values; "
                          "remove the frame or export the file again")
    return values, frame_time


def _forward_kinematics(bvh: Bvh) -> Float[np.ndarray, "frame joint 3"]:
    frames = len(bvh.values)
    points = np.zeros((frames, len(bvh.names), 3))
    turns: list[np.ndarray] = []  # world rotation per joint, (T, 3, 3)
    column = 0
    for k, (parent, channels) in enumerate(zip(bvh.parents, bvh.channels)):
        place = np.broadcast_to(bvh.offsets[k], (frames, 3)).copy()
        above = turns[parent] if parent >= 0 else np.broadcast_to(np.eye(3), (frames, 3, 3))
        own = above
        for channel in channels:
            if channel.endswith("position"):
                place[:, _AXES.index(channel[0])] = bvh.values[:, column]
            else:
                own = own @ rotation(channel[0], bvh.values[:, column], degrees=True)
            column += 1
        points[:, k] = np.einsum("tij,tj->ti", above, place) + (points[:, parent] if parent >= 0 else 0)
        turns.append(own)
    return points


def _starts_in_rest_pose(bvh: Bvh) -> bool:
    root = [i for i, c in enumerate(bvh.channels[0]) if c.endswith("rotation")]
    return len(bvh.values) > 1 and bool(root) and not bvh.values[0, root].any() and bool(bvh.values[1, root].any())
