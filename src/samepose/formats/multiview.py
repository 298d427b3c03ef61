"""People seen by several real cameras at once: keypoints per camera and one 3D pose per frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.errors import UsageError
from samepose.skeleton import BODY13, H36M17


@dataclass(frozen=True, eq=False)
class MultiView:
    """N frames seen by C cameras. `evaluation.retrieval.evaluate_views` takes `points` and `keypoints`.

    Attributes:
        keypoints: (C, N, 13, 2) float32 BODY13 in pixels, x right and y down; a missing joint is NaN, and so are all of
            them where a camera has no video.
        points: (N, 17, 3) float32 H36M17 in metres, no NaN; y up as far as the source knows what is up.
        cameras: C names.
        clip: (N,) int64 position in `clip_names`.
        clip_names: names of the clips, `"<subject>/<clip>"`.
        frame: (N,) int64 frame number in its clip, counted as the data set does.
        notes: one line for each known error of the data set that was mended or left out.
    """

    keypoints: Float[np.ndarray, "camera n 13 2"]
    points: Float[np.ndarray, "n 17 3"]
    cameras: tuple[str, ...]
    clip: Int[np.ndarray, " n"]
    clip_names: tuple[str, ...]
    frame: Int[np.ndarray, " n"]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n, c = len(self.points), len(self.cameras)
        shapes = [a.shape for a in (self.keypoints, self.points, self.clip, self.frame)]
        if shapes != [(c, n, len(BODY13), 2), (n, len(H36M17), 3), (n,), (n,)]:
            raise UsageError(f"views: keypoints, points, clip and frame have shapes {', '.join(map(str, shapes))}, "
                             f"which do not fit; expected ({c}, N, 13, 2), (N, 17, 3), (N,), (N,) for {c} cameras")

    def __len__(self) -> int:
        return len(self.points)

    @classmethod
    def concatenate(cls, many: Sequence[MultiView]) -> MultiView:
        """Clips of the same cameras, one after the other.

        Raises:
            UsageError: nothing given, or other cameras.
        """
        if not many or any(m.cameras != many[0].cameras for m in many):
            raise UsageError("only views of the same cameras go together")
        names = tuple(dict.fromkeys(name for m in many for name in m.clip_names))
        clips = [np.array([names.index(name) for name in m.clip_names], np.int64)[m.clip] for m in many]
        return cls(
            np.concatenate([m.keypoints for m in many], axis=1), np.concatenate([m.points for m in many]),
            many[0].cameras, np.concatenate(clips), names, np.concatenate([m.frame for m in many]),
            tuple(note for m in many for note in m.notes),
        )

    @property
    def subjects(self) -> tuple[str, ...]:
        """Who has a frame, each once."""
        return tuple(dict.fromkeys(self.clip_names[c].split("/")[0] for c in np.unique(self.clip)))

    def in_all_cameras(self) -> Bool[np.ndarray, " n"]:
        """Which frames every camera sees, be it one joint: what can be looked for across views (Sun 2020, 4.1)."""
        found: np.ndarray = (~np.isnan(self.keypoints).any(axis=3)).any(axis=2).all(axis=0)
        return found

    def take(self, frames: Int[np.ndarray, " kept"]) -> MultiView:
        """Some of the frames, the same in all cameras."""
        return replace(self, keypoints=self.keypoints[:, frames], points=self.points[frames], clip=self.clip[frames],
                       frame=self.frame[frames])

    def seen_by(self, cameras: Sequence[str]) -> MultiView:
        """Some of the cameras, in the order given.

        Raises:
            UsageError: a camera that does not exist.
        """
        unknown = [c for c in cameras if c not in self.cameras]
        if unknown:
            raise UsageError(f"no camera {', '.join(unknown)}; there are {', '.join(self.cameras)}")
        return replace(self, keypoints=self.keypoints[[self.cameras.index(c) for c in cameras]],
                       cameras=tuple(cameras))
