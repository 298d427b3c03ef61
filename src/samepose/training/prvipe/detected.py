"""Training on what a detector saw of real people in real cameras, mixed with projections of their 3D poses.

Sun 2020, section 3.4: with camera augmentation a view is a detection or a projection with equal probability; without it
all views are detections. Bodies are then not varied, since a detector saw them as they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from samepose.errors import UsageError
from samepose.formats.h36m import FPS
from samepose.formats.motion import thinned
from samepose.formats.multiview import MultiView
from samepose.geometry.normalise import normalise_2d, normalise_3d
from samepose.training.prvipe.augment import Views
from samepose.training.prvipe.recipe import MotionPool, PrVipeRecipe, PrVipeRecipeConfig

RATE = 30.0  # frames per second that are trained on, as of other motion capture
_FEWEST = 4  # joints of a view, as in `augment`


@dataclass(frozen=True, eq=False)
class Seen:
    """Keypoints of N poses in C cameras, normalised; 0 where hidden."""

    points: Float[Tensor, "n camera 13 2"]
    visible: Bool[Tensor, "n camera 13"]


def pool_of(views: MultiView) -> tuple[MotionPool, Seen]:
    """What to train on: 30 of the 50 poses a second, and their views."""
    kept = np.concatenate([frames[thinned(len(frames), FPS, RATE)] for frames in (
        np.flatnonzero(views.clip == c) for c in dict.fromkeys(views.clip.tolist()))])
    few = views.take(kept)
    flat, visible = normalise_2d(few.keypoints.reshape(-1, *few.keypoints.shape[2:]))
    shape = few.keypoints.shape[:3]
    seen = Seen(torch.from_numpy(flat.reshape(*shape, 2)).transpose(0, 1).contiguous(),
                torch.from_numpy(visible.reshape(shape)).transpose(0, 1).contiguous())
    return MotionPool(normalise_3d(few.points).astype(np.float32), few.clip), seen


class DetectedRecipe(PrVipeRecipe):
    """`PrVipeRecipe` whose views are detections with probability `share`, else projections.

    Args:
        share: Sun 2020, section 3.4: 0.5; 1 is their training without camera augmentation.

    Raises:
        UsageError: the recipe varies bodies; or is of lifting, whose camera axes a keypoint file does not tell.
    """

    def __init__(
        self, config: PrVipeRecipeConfig, pool: MotionPool, seen: Seen, share: float = 0.5, validation: Any = None
    ) -> None:
        if config.model.kind == "lifting":
            raise UsageError("lifting learns poses in camera axes, which a detector's keypoints do not tell; train it "
                             "on projections alone")
        if varied := [name for name in ("mirror", "limbs", "bones") if getattr(config.augment, name)]:
            raise UsageError(f"a detector saw bodies as they were; set augment.{' and augment.'.join(varied)} to 0")
        super().__init__(config, pool, validation)
        self._seen, self._share = seen, share

    def config(self) -> dict[str, Any]:
        """The settings, JSON-able."""
        return {**super().config(), "detected": self._share}

    def _views(self, bodies: Float[Tensor, "n 17 3"], index: Tensor, rng: torch.Generator) -> tuple[Views, Views]:
        return mixed(super()._views(bodies, index, rng), self._seen, index, self._share, rng)


def mixed(
    projected: tuple[Views, Views], seen: Seen, index: Int[Tensor, " n"], share: float, rng: torch.Generator
) -> tuple[Views, Views]:
    """The two views of each body, each with probability `share` what a camera saw of it; never twice the same camera.

    Args:
        index: which poses of `seen` the bodies are.
    """
    usable = seen.visible[index].sum(dim=2) >= _FEWEST
    order = (torch.rand(usable.shape, generator=rng) + usable).argsort(dim=1, descending=True)

    def one(view: Views, camera: Int[Tensor, " n"]) -> Views:
        take = (torch.rand(len(index), generator=rng) < share) & usable[torch.arange(len(index)), camera]
        return Views(torch.where(take[:, None, None], seen.points[index, camera], view.points),
                     torch.where(take[:, None], seen.visible[index, camera], view.visible), view.turned)

    return one(projected[0], order[:, 0]), one(projected[1], order[:, 1])
