"""Poses: a batch of 2D or 3D poses of one skeleton, validated once where it enters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from samepose.errors import UsageError
from samepose.skeleton import Skeleton

Unit = Literal["pixel", "metre", "normalised"]
Mirror = Literal["off", "also", "only"]  # also, or only, take poses mirrored


def check_mirror(mirror: str) -> None:
    """`UsageError` unless it is a `Mirror`."""
    if mirror not in get_args(Mirror):
        raise UsageError(f"`mirror` is {mirror!r}; expected off, also or only")


def mirrors(mirror: Mirror) -> tuple[bool, ...]:
    """Of a pose and its mirror image, which are meant: for each of them, is it mirrored?"""
    return {"off": (False,), "also": (False, True), "only": (True,)}[mirror]


@dataclass(frozen=True, eq=False)
class Poses:
    """N poses of one skeleton. Images: x right, y down, in pixels. 3D: y up, in metres.

    A missing joint is NaN in every coordinate, never (0, 0). Build with `Poses.of`, which validates.

    Attributes:
        points: (N, J, D) float32, D = 2 or 3.
        skeleton: names the J joints.
        scores: (N, J) float32 in 0..1; 1 where the source gives none, 0 for a missing joint.
        boxes: (N, 4) float32 x0, y0, x1, y1 in pixels; NaN in 3D.
        person_scores: (N,) float32 in 0..1, how sure the source is that this is a person.
        frames: (N,) int64 frame number in its clip, 0 for an image.
        times: (N,) float64 seconds from the start of its clip, NaN for an image.
        tracks: (N,) int64: person id within a clip, or rank of prominence (0 = first) in an image.
        unit: of `points`.
        fps: frames per second of a clip, or None.
    """

    points: Float[np.ndarray, "n joint dim"]
    skeleton: Skeleton
    scores: Float[np.ndarray, "n joint"]
    boxes: Float[np.ndarray, "n 4"]
    person_scores: Float[np.ndarray, " n"]
    frames: Int[np.ndarray, " n"]
    times: Float[np.ndarray, " n"]
    tracks: Int[np.ndarray, " n"]
    unit: Unit = "pixel"
    fps: float | None = None

    @classmethod
    def of(
        cls,
        points: Any,
        skeleton: Skeleton,
        *,
        scores: Any = None,
        boxes: Any = None,
        person_scores: Any = None,
        frames: Any = None,
        times: Any = None,
        tracks: Any = None,
        unit: Unit = "pixel",
        fps: float | None = None,
    ) -> Poses:
        """Validate arrays and fill what is not given.

        Args:
            points: (N, J, 2 or 3), or (J, D) for a single pose; NaN (any coordinate) = missing.
            scores: (N, J), or (J,) for a single pose.

        Raises:
            UsageError: a shape, range or infinite value that cannot be a pose.
        """
        xy = _cast(points, np.float32, 2)
        if xy.ndim == 2:
            xy = xy[None]
        if xy.size == 0:
            xy = xy.reshape(0, len(skeleton), xy.shape[-1] if xy.ndim == 3 and xy.shape[-1] in (2, 3) else 2)
        if xy.ndim != 3 or xy.shape[1] != len(skeleton) or xy.shape[2] not in (2, 3):
            raise UsageError(
                f"points have shape {xy.shape}; expected (N, {len(skeleton)}, 2 or 3) for skeleton {skeleton.name}"
            )
        if np.isinf(xy).any():
            raise UsageError("points hold infinite values; mark a missing joint with NaN")
        n = len(xy)
        missing = np.isnan(xy).any(axis=-1)
        xy[missing] = np.nan
        sc = np.ones(missing.shape, np.float32) if scores is None else _cast(scores, np.float32, 2)
        if sc.shape != missing.shape:
            raise UsageError(f"scores have shape {sc.shape}; expected {missing.shape}")
        sc = np.clip(np.where(missing, 0, np.nan_to_num(sc)), 0, 1)
        return cls(
            xy, skeleton, sc,
            _boxes_of(xy) if boxes is None else _column(boxes, (n, 4), np.float32, "boxes"),
            _mean_score(sc) if person_scores is None else _column(person_scores, (n,), np.float32, "person_scores"),
            np.zeros(n, np.int64) if frames is None else _column(frames, (n,), np.int64, "frames"),
            np.full(n, np.nan) if times is None else _column(times, (n,), np.float64, "times"),
            np.arange(n) if tracks is None else _column(tracks, (n,), np.int64, "tracks"),
            unit, fps,
        )

    @classmethod
    def empty(cls, skeleton: Skeleton, unit: Unit = "pixel") -> Poses:
        """No pose at all."""
        return cls.of(np.zeros((0, len(skeleton), 2 if unit == "pixel" else 3)), skeleton, unit=unit)

    @classmethod
    def concatenate(cls, many: Sequence[Poses]) -> Poses:
        """One batch of several of the same skeleton, unit and dimension, in order; `fps` is kept if all agree on it.

        Raises:
            UsageError: nothing given, or poses that do not go together.
        """
        if not many:
            raise UsageError("nothing to concatenate")
        if any(p.skeleton != many[0].skeleton for p in many):
            raise UsageError(f"skeletons differ: {', '.join(sorted({p.skeleton.name for p in many}))}")
        first, *rest = [p for p in many if len(p)] or many[:1]
        kinds = {f"{p.points.shape[2]}D {p.unit}" for p in (first, *rest)}
        if len(kinds) > 1:
            raise UsageError(f"units or dimensions differ: {', '.join(sorted(kinds))}")
        fields: dict[str, Any] = {n: np.concatenate([getattr(p, n) for p in (first, *rest)]) for n in _PER_POSE}
        return replace(first, **fields, fps=first.fps if all(p.fps == first.fps for p in rest) else None)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, key: Any) -> Poses:
        """Poses at an index, slice, list or mask; always a batch."""
        if isinstance(key, (int, np.integer)):
            key = [key]
        return replace(self, **{name: getattr(self, name)[key] for name in _PER_POSE})

    @property
    def visible(self) -> Bool[np.ndarray, "n joint"]:
        """True where the joint has coordinates."""
        return ~np.isnan(self.points[..., 0])

    def to(self, skeleton: Skeleton) -> Poses:
        """The same poses on another skeleton, by joint name (see `Skeleton.convert`)."""
        if skeleton == self.skeleton:
            return self
        points = self.skeleton.convert(self.points, skeleton)
        scores = self.skeleton.convert_scores(self.scores, skeleton)
        scores[np.isnan(points[..., 0])] = 0
        return replace(self, points=points, scores=scores, skeleton=skeleton)

    def hide(self, joints: Sequence[str] = (), below: float = 0.0) -> Poses:
        """Named joints, and those that score under `below`, made missing."""
        mask = self.scores < below
        mask[:, [i for i, j in enumerate(self.skeleton.joints) if j in joints]] = True
        return replace(
            self,
            points=np.where(mask[..., None], np.float32(np.nan), self.points),
            scores=np.where(mask, np.float32(0), self.scores),
        )

    def mirrored(self) -> Poses:
        """Reflected in x about 0 with left and right joints exchanged: what a mirror would show."""
        order = self.skeleton.mirror
        points = self.points[:, order].copy()
        points[..., 0] *= -1
        boxes = self.boxes[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], np.float32)
        return replace(self, points=points, scores=self.scores[:, order], boxes=boxes)

    def prominence(self) -> Float[np.ndarray, " n"]:
        """How much each person stands out: person score times the square root of the box area."""
        width, height = self.boxes[:, 2] - self.boxes[:, 0], self.boxes[:, 3] - self.boxes[:, 1]
        return self.person_scores * np.sqrt(np.maximum(np.nan_to_num(width * height), 0))


_PER_POSE = ("points", "scores", "boxes", "person_scores", "frames", "times", "tracks")


def _column(values: Any, shape: tuple[int, ...], dtype: Any, name: str) -> np.ndarray:
    given = np.asarray(values)
    if dtype is np.int64 and given.dtype.kind == "f" and not (np.abs(given) < 2**53).all():
        raise UsageError(f"{name} hold {given[~(np.abs(given) < 2**53)][0]}; expected whole numbers")
    array = _cast(values, dtype)
    if array.shape != shape:
        raise UsageError(f"{name} have shape {array.shape}; expected {shape}")
    if np.isinf(array).any():
        raise UsageError(f"{name} hold infinite values; mark what is not known with NaN")
    return array


def _cast(values: Any, dtype: Any, ndmin: int = 0) -> np.ndarray:
    """What is too large for the type becomes infinite, without a warning: whoever asks refuses it."""
    if np.asarray(values).dtype.kind not in "biufO":
        raise UsageError(f"{np.asarray(values).dtype} where numbers are expected")
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array(values, dtype, ndmin=ndmin)


def _boxes_of(points: Float[np.ndarray, "n joint dim"]) -> Float[np.ndarray, "n 4"]:
    boxes = np.full((len(points), 4), np.nan, np.float32)
    seen = ~np.isnan(points[..., 0]).all(axis=1)
    if points.shape[2] == 2 and seen.any():
        boxes[seen, :2] = np.nanmin(points[seen], axis=1)
        boxes[seen, 2:] = np.nanmax(points[seen], axis=1)
    return boxes


def _mean_score(scores: Float[np.ndarray, "n joint"]) -> Float[np.ndarray, " n"]:
    seen = scores > 0
    mean: np.ndarray = (scores.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)).astype(np.float32)
    return mean
