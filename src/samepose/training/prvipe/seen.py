"""Pairs of views that a real detector saw, among the made-up ones of a batch (ours).

Simulated faults are as good as what is known of a detector. Of rendered people the truth is exact and the pictures are
real enough for the detector itself: `samepose synth --views` tells what it made of each instant in several cameras.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from samepose.errors import UsageError
from samepose.formats.multiview import MultiView
from samepose.geometry.normalise import normalise_3d
from samepose.skeleton import BODY13, H36M17
from samepose.training.prvipe.augment import AugmentConfig, Views, hidden_parts, normalise

_FEWEST = 6  # joints of a view: of whom less is seen is seldom found at all
_HALF = 0.5  # of the pairs are mirrored


class SeenPairs:
    """What to draw them from.

    Args:
        views: an instant that fewer than two cameras see is left out.

    Raises:
        UsageError: none is left.
    """

    def __init__(self, views: MultiView) -> None:
        found = ((~np.isnan(views.keypoints).any(axis=3)).sum(axis=2) >= _FEWEST).T  # (n, camera)
        self.instants = views.take(np.flatnonzero(found.sum(axis=1) >= 2))
        if not len(self.instants):
            raise UsageError("views: no instant in which two cameras see six joints; render more people, of more "
                             "cameras an instant")
        self._usable = torch.from_numpy(found[found.sum(axis=1) >= 2])
        self._seen = torch.from_numpy(self.instants.keypoints.transpose(1, 0, 2, 3).copy())
        self._bodies = torch.from_numpy(normalise_3d(self.instants.points).astype(np.float32))

    def __len__(self) -> int:
        return len(self.instants)

    def after(
        self, bodies: Float[Tensor, "n 17 3"], simulated: tuple[Views, Views], count: int, augment: AugmentConfig,
        rng: torch.Generator,
    ) -> tuple[Float[Tensor, "m 17 3"], tuple[Views, Views]]:
        """Bodies and their two views, and after them `count` instants, each in two cameras."""
        index = torch.randint(len(self), (count,), generator=rng)
        usable = self._usable[index]
        order = (torch.rand(usable.shape, generator=rng) + usable).argsort(dim=1, descending=True)
        mirrored = torch.rand(count, generator=rng) < _HALF
        theirs = self._bodies[index]
        flipped = theirs[:, torch.as_tensor(H36M17.mirror)] * torch.tensor([-1.0, 1.0, 1.0])
        theirs = torch.where(mirrored[:, None, None], flipped, theirs)
        views = (self._view(index, order[:, k], mirrored, augment, rng) for k in range(2))
        first, second = (_joined(before, view) for before, view in zip(simulated, views))
        return torch.cat([bodies, theirs]), (first, second)

    def _view(
        self, index: Int[Tensor, " n"], camera: Int[Tensor, " n"], mirrored: Tensor, augment: AugmentConfig,
        rng: torch.Generator,
    ) -> Views:
        """Of some instants, seen by one camera each."""
        seen = self._seen[index, camera]
        flipped = seen[:, torch.as_tensor(BODY13.mirror)] * torch.tensor([-1.0, 1.0])
        seen = torch.where(mirrored[:, None, None], flipped, seen)
        found = ~seen.isnan().any(dim=2)
        visible = found & ~hidden_parts(len(index), augment.hide, rng)
        visible = torch.where(visible.sum(1, keepdim=True) >= 4, visible, found)
        return Views(normalise(seen.nan_to_num(0.0), visible), visible, torch.zeros(len(index), len(BODY13), 3))


def _joined(simulated: Views, seen: Views) -> Views:
    return Views(torch.cat([simulated.points, seen.points]), torch.cat([simulated.visible, seen.visible]),
                 torch.cat([simulated.turned, seen.turned]))
