"""People seen by several cameras at once: keypoints per camera and one 3D pose per frame.

A file of them (`write_views`, `read_views`) is an `.npz` without pickle:

============  ===========================================================================================
`keypoints`   (C, N, 13, 2) float32 BODY13 in pixels, x right and y down; NaN where missing
`scores`      (C, N, 13) float32 0..1, of a detector; may lack
`points`      (N, 17, 3) float32 H36M17, y up, any unit
`cameras`     C names
`clip`        (N,) int64 position in `clip_names`, which are `"<subject>/<clip>"`
`frame`       (N,) int64
============  ===========================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.errors import FormatError, UsageError
from samepose.files import written
from samepose.formats.npz import read_npz
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
        scores: (C, N, 13) float32 what a detector says of each keypoint, 0..1; None where nobody does.
    """

    keypoints: Float[np.ndarray, "camera n 13 2"]
    points: Float[np.ndarray, "n 17 3"]
    cameras: tuple[str, ...]
    clip: Int[np.ndarray, " n"]
    clip_names: tuple[str, ...]
    frame: Int[np.ndarray, " n"]
    notes: tuple[str, ...] = ()
    scores: Float[np.ndarray, "camera n 13"] | None = None

    def __post_init__(self) -> None:
        n, c = len(self.points), len(self.cameras)
        shapes = [a.shape for a in (self.keypoints, self.points, self.clip, self.frame)]
        if shapes != [(c, n, len(BODY13), 2), (n, len(H36M17), 3), (n,), (n,)]:
            raise UsageError(f"views: keypoints, points, clip and frame have shapes {', '.join(map(str, shapes))}, "
                             f"which do not fit; expected ({c}, N, 13, 2), (N, 17, 3), (N,), (N,) for {c} cameras")
        if self.scores is not None and self.scores.shape != (c, n, len(BODY13)):
            raise UsageError(f"views: scores have shape {self.scores.shape}; expected ({c}, {n}, 13)")

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
        scores = [m.scores for m in many if m.scores is not None]
        return cls(
            np.concatenate([m.keypoints for m in many], axis=1), np.concatenate([m.points for m in many]),
            many[0].cameras, np.concatenate(clips), names, np.concatenate([m.frame for m in many]),
            tuple(note for m in many for note in m.notes),
            np.concatenate(scores, axis=1) if len(scores) == len(many) else None,
        )

    @property
    def subjects(self) -> tuple[str, ...]:
        """Who has a frame, each once."""
        return tuple(dict.fromkeys(self.clip_names[c].split("/")[0] for c in np.unique(self.clip)))

    def in_all_cameras(self) -> Bool[np.ndarray, " n"]:
        """Which frames every camera sees, be it one joint: what can be looked for across views (Sun 2020, 4.1)."""
        found: np.ndarray = (~np.isnan(self.keypoints).any(axis=3)).any(axis=2).all(axis=0)
        return found

    def seen_in(self, least: int = 4, joints: int = 6) -> MultiView:
        """The frames that as many cameras see, camera k being the k-th of these, of cameras that move between frames.

        Args:
            joints: that a camera must see.
        """
        found = (~np.isnan(self.keypoints).any(axis=3)).sum(axis=2) >= joints
        frames = np.flatnonzero(found.sum(axis=0) >= least)
        camera = np.argsort(~found[:, frames], axis=0, kind="stable")[:least]
        return replace(self.take(frames), keypoints=self.keypoints[camera, frames], cameras=self.cameras[:least],
                       scores=None if self.scores is None else self.scores[camera, frames])

    def take(self, frames: Int[np.ndarray, " kept"]) -> MultiView:
        """Some of the frames, the same in all cameras."""
        return replace(self, keypoints=self.keypoints[:, frames], points=self.points[frames], clip=self.clip[frames],
                       frame=self.frame[frames], scores=None if self.scores is None else self.scores[:, frames])

    def seen_by(self, cameras: Sequence[str]) -> MultiView:
        """Some of the cameras, in the order given.

        Raises:
            UsageError: a camera that does not exist.
        """
        unknown = [c for c in cameras if c not in self.cameras]
        if unknown:
            raise UsageError(f"no camera {', '.join(unknown)}; there are {', '.join(self.cameras)}")
        chosen = [self.cameras.index(c) for c in cameras]
        return replace(self, keypoints=self.keypoints[chosen], cameras=tuple(cameras),
                       scores=None if self.scores is None else self.scores[chosen])


def write_views(path: Path, views: MultiView) -> None:
    """A file of views, as the module describes it."""
    arrays = {name: getattr(views, name) for name in ("keypoints", "points", "clip", "frame", "scores")}
    with written(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, cameras=np.array(views.cameras),
                            clip_names=np.array(views.clip_names),
                            **{name: array for name, array in arrays.items() if array is not None})


def read_views(path: Path) -> MultiView:
    """The inverse of `write_views`.

    Raises:
        FormatError: missing, damaged, or not such a file.
    """
    data = read_npz(path)
    try:
        names = {name: tuple(map(str, data.pop(name))) for name in ("cameras", "clip_names")}
        views = MultiView(**names, **data)  # type: ignore[arg-type]
        fits = (np.isfinite(views.points).all() and views.clip.dtype.kind == views.frame.dtype.kind == "i"
                and ((views.clip >= 0) & (views.clip < len(views.clip_names))).all()
                and views.keypoints.dtype.kind == views.points.dtype.kind == "f")
    except (KeyError, TypeError, AttributeError, UsageError) as error:
        raise FormatError(f"{path}: is no file of views ({error}); make one with `samepose synth`") from error
    if not fits:
        raise FormatError(f"{path}: its clips or points are damaged; make it again with `samepose synth`")
    return views
