"""Keypoints of the videos of a multi-camera data set in one `.npz`, in the layout that VideoPose3D made common.

`positions_2d`: subject -> clip -> cameras. Subject and clip are the data set's ("S9", "Directions 1"; "S1", "Seq1").
The cameras are a list in the data set's order, with None for a camera without a video, or a dictionary by camera name.
Each is (T, J, 2), pixels, x right and y down, NaN where a joint was not found, a row for every frame of the video.
`metadata`: `keypoints_symmetry`, the numbers of the left and of the right joints, and `num_joints`: from these follows
whether the joints are COCO's 17, Human3.6M's 17, MPII's 16 or our 13.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.errors import FormatError
from samepose.formats.objectnpz import read_object
from samepose.media import one_line
from samepose.skeleton import BODY13, COCO17, H36M17, MPII16, Skeleton


@dataclass(frozen=True, eq=False)
class Positions2D:
    """Keypoints by subject, clip and camera. Build with `Positions2D.read`.

    Attributes:
        table: subject -> clip -> cameras, as in the file.
    """

    path: Path
    skeleton: Skeleton
    table: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, path: str | Path) -> Positions2D:
        """Open a file.

        Raises:
            FormatError: not such a file, damaged, or keypoints of a layout that we do not know.
        """
        path = Path(path)
        return cls(path, _skeleton(path, read_object(path, "metadata")), read_table(path, "positions_2d"))

    def clip(
        self, subject: str, clip: str, cameras: Sequence[str]
    ) -> dict[str, Float[np.ndarray, "frame 13 2"]] | None:
        """What each camera saw, BODY13 in pixels; None if the file has nothing of the clip.

        Args:
            cameras: names of all cameras of the data set, in its order.

        Raises:
            FormatError: neither a list of that many cameras nor a dictionary of some, or of another shape.
        """
        found = self.table.get(subject, {}).get(clip)
        if found is None:
            return None
        if isinstance(found, (list, tuple)) and len(found) == len(cameras):
            found = dict(zip(cameras, found))
        if not isinstance(found, dict) or not found or not set(found) <= set(cameras):
            what = f"cameras {', '.join(map(str, found))}" if isinstance(found, dict) else (
                f"{len(found)} cameras" if isinstance(found, (list, tuple)) else kind_of(found))
            raise FormatError(f"{self.path}: {subject} {clip} is {what}; expected those of the data set, "
                              f"{', '.join(cameras)}, as a list in this order (None: no video) or by name")
        return {name: self._body13(f"{subject} {clip}", seen) for name, seen in found.items() if seen is not None}

    def _body13(self, clip: str, seen: Any) -> Float[np.ndarray, "frame 13 2"]:
        joints = len(self.skeleton)
        if not isinstance(seen, np.ndarray) or seen.ndim != 3 or seen.shape[1:] != (joints, 2):
            raise FormatError(f"{self.path}: {clip} is {kind_of(seen)} in a camera; expected (T, {joints}, 2)")
        return self.skeleton.convert(seen.astype(np.float32), BODY13)


def read_table(path: Path, key: str) -> dict[str, dict[str, Any]]:
    """subject -> action -> what the file holds of it.

    Raises:
        FormatError: no such file, or not such a table.
    """
    table = read_object(path, key)
    if not isinstance(table, dict) or not all(isinstance(actions, dict) for actions in table.values()):
        raise FormatError(f"{path}: {key} is {kind_of(table)}; expected subject -> action -> positions")
    return table


def kind_of(value: Any) -> str:
    """What came in place of what was expected, for an error."""
    return f"an array {value.shape}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"


def _skeleton(path: Path, metadata: Any) -> Skeleton:
    """The skeleton whose left and right joints are where the metadata say."""
    said = metadata if isinstance(metadata, dict) else {}
    try:
        sides = [sorted(int(k) for k in side) for side in said.get("keypoints_symmetry", ())]
        joints = int(said["num_joints"]) if "num_joints" in said else None
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"{path}: its metadata do not tell which joints are left and right ({one_line(error)}); give "
                          "the file as VideoPose3D writes it") from error
    for skeleton in (COCO17, H36M17, MPII16, BODY13):
        ours = [[k for k, j in enumerate(skeleton.joints) if j.startswith(side)] for side in ("left_", "right_")]
        if sides == ours and joints in (None, len(skeleton)):
            return skeleton
    raise FormatError(f"{path}: its left and right joints {sides} are those of no layout we know; give keypoints of "
                      "COCO's 17, Human3.6M's 17 or MPII's 16 joints")
