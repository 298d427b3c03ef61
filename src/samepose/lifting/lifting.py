"""2D poses to 3D by an exported network of single pictures, and if given one of tracks. No torch."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float

from samepose.embed.lifting import Hypotheses, LiftingNetwork, agreed, shipped_lifting
from samepose.errors import SameposeError, UsageError
from samepose.lifting.lifted import (
    MIN_JOINTS,
    Lifted,
    check_height,
    grounded,
    keypoints_of,
    liftable,
    stature,
    upright,
)
from samepose.poses import Poses
from samepose.skeleton import BODY13, H36M17

RATE = 30.0  # frames per second of the motion that networks of tracks have learned
_GAP = 0.25  # seconds between two sightings over which joints are taken to move in a straight line


class LiftingModel:
    """Lifting from 2D keypoints.

    Args:
        single: of single frames, which photos and moments of a track are lifted by.
        tracks: of the frames around each moment (`train lifting --model.kernel 3`), whose opinion of a track is heard
            too. None ships: none was as good as what `lifting.steady` makes of single frames.
    """

    def __init__(self, single: LiftingNetwork, tracks: LiftingNetwork | None = None) -> None:
        self.single, self.tracks = single, tracks

    @property
    def name(self) -> str:
        """Of the networks."""
        return "+".join(network.info.name for network in (self.single, self.tracks) if network)

    def lift(self, poses: Poses, height: float = 1.7) -> Lifted:
        """Lift 2D poses; those that carry times are taken for moments of their tracks: one body, one upright camera.

        Args:
            poses: of any skeleton that has BODY13's joints, pixels.
            height: of the people when they stand, metres.

        Returns:
            A pose for each, in order. A pose with too few joints gets what the moments around it tell, or in a photo
            a guess: leave it out (`liftable`).

        Raises:
            UsageError: 3D poses, or a height that no person has.
            SameposeError: nobody has enough joints.
        """
        if poses.points.shape[-1] != 2:
            raise UsageError("the poses are 3D already; give 2D poses in pixels")
        check_height(height)
        keypoints, enough = keypoints_of(poses), liftable(poses)
        if not enough.any():
            most = int((~np.isnan(keypoints[..., 0])).sum(axis=1).max(initial=0))
            raise SameposeError(f"at most {most} of {len(BODY13)} joints are known of anybody, and {MIN_JOINTS} are "
                                "needed; choose another `person` or picture")
        if np.isnan(poses.times).all():
            return _placed(poses, self.single.run(keypoints[:, None]), height)
        parts, rows = [], []
        for track in np.unique(poses.tracks):
            mine = np.flatnonzero(poses.tracks == track)
            mine = mine[np.argsort(poses.times[mine], kind="stable")]
            rows.append(mine)
            parts.append(self._track(poses[mine], keypoints[mine], height))
        back = np.argsort(np.concatenate(rows))
        return Lifted(
            Poses.concatenate([p.poses for p in parts])[back], np.concatenate([p.alternatives for p in parts])[back],
            np.concatenate([p.weights for p in parts])[back], np.concatenate([p.spread for p in parts])[back])

    def _track(self, poses: Poses, keypoints: Float[np.ndarray, "n 13 2"], height: float) -> Lifted:
        """One person's moments; the camera is taken not to tilt meanwhile, so up is the same in all."""
        clear = liftable(poses)
        if clear.sum() < 2:  # nothing moves, or nothing is known of how
            return _placed(poses, self.single.run(keypoints[:, None]), height, together=True)
        window = self.tracks.info.window if self.tracks else 1
        around = moments_around(keypoints[clear], poses.times[clear], poses.times, window)
        said = self.single.run(around[:, window // 2 : window // 2 + 1])
        if self.tracks:
            said = agreed(said, self.tracks.run(around))
        up = said.up.mean(axis=0)
        level = np.broadcast_to(up / max(float(np.linalg.norm(up)), 1e-6), said.up.shape)
        return _placed(poses, Hypotheses(said.poses, said.weights, said.spread, level), height, together=True)


@cache
def load_lifter(threads: int | None = None) -> LiftingModel:
    """The shipped network.

    Raises:
        SameposeError: the file is missing or damaged.
    """
    return LiftingModel(shipped_lifting(threads))


def moments_around(
    keypoints: Float[np.ndarray, "m 13 2"], times: Float[np.ndarray, " m"], at: Float[np.ndarray, " n"], window: int,
) -> Float[np.ndarray, "n window 13 2"]:
    """What is seen at 30 moments a second around each time, whatever rate the sightings have.

    Between two sightings at most a quarter of a second apart joints move in a straight line, else the nearer counts; so
    it does for a joint that only one of them shows. Before the first and after the last sighting nothing moves.

    Args:
        times: of the sightings, at least two, seconds, rising.
    """
    wanted = at[:, None] + (np.arange(window) - window // 2) / RATE
    after = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1)
    before = after - 1
    gap = np.maximum(times[after] - times[before], 1e-9)
    share = np.clip((wanted - times[before]) / gap, 0, 1)
    share = np.where(gap > _GAP, np.round(share), share)[..., None, None]
    a, b = keypoints[before], keypoints[after]
    nearer = np.where(share < 0.5, a, b)
    between = a + (b - a) * share
    out: np.ndarray = np.where(np.isnan(between), nearer, between).astype(np.float32)
    return out


def _placed(poses: Poses, said: Hypotheses, height: float, *, together: bool = False) -> Lifted:
    """In metres, upright, on the floor.

    Args:
        together: all are one person, whose bones are as long in all.
    """
    likely = said.poses[:, 0].astype(np.float64)
    size = [stature(likely)] * len(likely) if together else [stature(pose[None]) for pose in likely]
    scale = (height / np.maximum(size, 1e-6))[:, None, None, None]
    turn = upright(said.up.astype(np.float64))[:, None]
    points = grounded(scale * (said.poses @ turn.swapaxes(-1, -2))).astype(np.float32)
    spread = said.doubt * scale[:, 0, 0]
    made = Poses.of(points[:, 0], H36M17, scores=np.exp(-spread / (0.1 * height)), person_scores=poses.person_scores,
                    frames=poses.frames, times=poses.times, tracks=poses.tracks, unit="metre", fps=poses.fps)
    return Lifted(made, points, said.weights, spread.astype(np.float32))
