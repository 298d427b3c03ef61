"""FLIC (Sapp & Taskar 2013): `examples.mat`, upper bodies in film stills."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from samepose.errors import FormatError
from samepose.formats.labelled import LabelledPeople, image_paths
from samepose.poses import Poses
from samepose.skeleton import COCO17

# The first 17 of the 29 columns of `coords`; the others are middles of these.
_COLUMNS = ("left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist", "left_hip",
            "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle", "left_eye", "right_eye", "left_ear",
            "right_ear", "nose")
_COCO17 = [_COLUMNS.index(joint) for joint in COCO17.joints]
_TORSOS = 4.0  # side of the square around a person in heights of the torso's box: holds head and stretched arms (ours)


def parse_flic(examples: Any, path: Path, root: Path) -> LabelledPeople:
    """Everyone of the `examples` of an `examples.mat` on COCO17, of which FLIC marks 11 joints at most.

    Args:
        path: of the file, for messages.
        root: folder to look for images in.

    Raises:
        FormatError: of another layout.
    """
    examples = np.atleast_1d(examples)
    try:
        points = np.array([_floats(e.coords)[:2, _COCO17].T for e in examples]).reshape(-1, 17, 2)
        boxes = np.array([_floats(e.torsobox).reshape(4) for e in examples]).reshape(-1, 4)
        names = [str(e.filepath) for e in examples]
        subsets = [_subset(e) for e in examples]
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise FormatError(f"{path}: examples lack coords, torsobox or filepath as FLIC has them ({error})") from error
    poses = Poses.of(np.where(np.isinf(points), np.nan, points) - 1, COCO17)  # MATLAB's pixels count from 1
    return LabelledPeople.of(
        "FLIC", poses, image_paths(names, root),
        centres=(boxes[:, :2] + boxes[:, 2:]) / 2 - 1, sides=_TORSOS * (boxes[:, 3] - boxes[:, 1]), subsets=subsets,
    )


def _floats(values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"{array.dtype} in place of numbers")
    return array.astype(np.float32)


def _subset(example: Any) -> str:
    return "test" if np.any(getattr(example, "istest", 0)) else "train" if np.any(
        getattr(example, "istrain", 0)) else ""
