"""What lifts 2D poses in tests without networks."""

from __future__ import annotations

import numpy as np

from samepose.lifting import Lifted
from samepose.poses import Poses
from samepose.skeleton import H36M17


class Flat:
    """Takes the picture for a plane in space: angles in space are those in the picture."""

    name = "flat"

    def lift(self, poses: Poses, height: float = 1.7) -> Lifted:
        poses = poses.to(H36M17)
        depth = np.zeros((*poses.points.shape[:2], 1), np.float32)
        points = np.concatenate([poses.points * np.array([1, -1], np.float32), depth], axis=2)
        solid = Poses.of(points, poses.skeleton, times=poses.times, tracks=poses.tracks, unit="metre")
        return Lifted(solid, points[:, None], np.ones((len(poses), 1)), np.zeros(points.shape[:2]))
