"""OpenPose's JSON: a folder with one file per frame (or image), each with the people seen in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from samepose.errors import FormatError
from samepose.formats.keypointfile import KeypointFile, mark_missing, ranked, read_json, triples
from samepose.poses import Poses
from samepose.skeleton import BODY25, MPII16, Skeleton

_ARMS_AND_LEGS = (
    "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
)
# OpenPose's older models. Its MPI "Chest" is the middle of pelvis and thorax, our spine.
_COCO18 = Skeleton(
    "OpenPose COCO-18", ("nose", "thorax", *_ARMS_AND_LEGS, "right_eye", "left_eye", "right_ear", "left_ear")
)
_MPI15 = Skeleton("OpenPose MPI-15", ("head_top", "neck", *_ARMS_AND_LEGS, "spine"))
# By number of joints: the order in the file, and the known skeleton to give.
_LAYOUTS = {25: (BODY25, BODY25), 18: (_COCO18, BODY25), 15: (_MPI15, MPII16)}
_NAME = re.compile(r"(?P<clip>.*?)_?(?P<frame>\d{1,18})")


def read_openpose(path: Path | str, fps: float | None = None) -> KeypointFile:
    """People of an OpenPose folder or of one of its files, ordered by file and by their order in it.

    BODY_25 and COCO-18 come back as BODY25, MPI-15 as MPII16. Files named alike but for a number at the end are frames
    of one clip: the number is the frame, the rest the clip's name (the folder's name if nothing is left). Otherwise
    each file is an image. `tracks` are OpenPose's person ids if it gave any, else the rank in the frame.

    Args:
        fps: frames per second of the clip, to give times by; without it times are NaN.

    Raises:
        FormatError: no such folder, no OpenPose file in it, or a file with another number of joints.
    """
    path = Path(path)
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise FormatError(f"{path}: has no .json files; give the folder that OpenPose's --write_json wrote")
    return parse_openpose([(file, read_json(file)) for file in files], fps)


def parse_openpose(contents: list[tuple[Path, Any]], fps: float | None = None) -> KeypointFile:
    """`read_openpose` for files that are already parsed."""
    names = _media_and_frames([file for file, _ in contents])
    order: Skeleton | None = None
    rows, media, frames, ids = [], [], [], []
    for (file, content), (name, frame) in zip(contents, names):
        for joints, person in _people(content, file):
            layout = _LAYOUTS[len(joints)][0]
            order = order or layout
            if layout != order:
                raise FormatError(f"{file}: has {layout.name} people, earlier files {order.name}; split the folder")
            rows.append(joints)
            media.append(name)
            frames.append(frame)
            ids.append(person)
    if order is None:
        return KeypointFile(Poses.empty(BODY25), ())
    raw = np.array(rows)
    poses = Poses.of(
        mark_missing(raw[..., :2], raw[..., 2]), order, scores=raw[..., 2], frames=frames, fps=fps,
        times=None if fps is None else np.array(frames) / fps,
        tracks=ids if min(ids) >= 0 else None,
    )
    if min(ids) < 0:
        poses = ranked(poses, list(zip(media, frames)))
    return KeypointFile(poses.to(_LAYOUTS[len(order)][1]), tuple(media))


def _people(content: Any, file: Path) -> list[tuple[np.ndarray, int]]:
    """(joints as x, y, score; person id or -1) of each person of a file who has any joint."""
    if not isinstance(content, dict) or not isinstance(content.get("people"), list):
        raise FormatError(f"{file}: not an OpenPose file (no 'people'); keep other .json files out of the folder")
    found = []
    for i, person in enumerate(content["people"]):
        # Before version 1.2 the field had no "_2d".
        values = person.get("pose_keypoints_2d", person.get("pose_keypoints")) if isinstance(person, dict) else None
        joints = triples([] if values is None else values, f"{file}: person {i}")
        if len(joints) not in _LAYOUTS:
            raise FormatError(
                f"{file}: person {i} has {len(joints)} body joints; known: BODY_25 (25), COCO (18), MPI (15)"
            )
        if (joints[:, 2] > 0).any():
            found.append((joints, _person_id(person.get("person_id"))))
    return found


def _person_id(value: Any) -> int:
    """OpenPose writes [id], [-1] when it was not tracking; anything else is no id either."""
    known = isinstance(value, list) and len(value) == 1 and isinstance(value[0], int) and 0 <= value[0] < 2**31
    return value[0] if known else -1


def _media_and_frames(files: list[Path]) -> list[tuple[str, int]]:
    stems = [file.stem.removesuffix("_keypoints") for file in files]
    matches = [_NAME.fullmatch(stem) for stem in stems]
    clips = {match["clip"] if match else None for match in matches}
    if len(clips) > 1 or None in clips:
        return [(stem, 0) for stem in stems]
    return [(m["clip"] or f.absolute().parent.name, int(m["frame"])) for f, m in zip(files, matches) if m]
