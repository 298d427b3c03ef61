"""Ideal belief maps and the losses of Convolutional Pose Machines (Wei et al. 2016, section 3.3)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional


def ideal_belief_maps(
    points: Float[Tensor, "n people joint 2"], visible: Bool[Tensor, "n people joint"], cells: int, stride: int,
    sigma: float,
) -> Float[Tensor, "n joint+1 cells cells"]:
    """Gaussian peaks of height 1 where the joints are; of several people the highest; last, the background.

    Give all people near for the first stage, the primary person alone for the others (section 4.2).

    Args:
        points: in pixels of the image, whole numbers being the middles of pixels.
        visible: which points count.
        cells: side of the maps.
        stride: pixels from one cell to the next.
        sigma: of the peaks, in cells.
    """
    joints = torch.where(visible[..., None, None], _peaks(points, cells, stride, sigma), 0).amax(1)
    return torch.cat([joints, 1 - joints.amax(1, keepdim=True)], 1)


def centre_maps(
    centres: Float[Tensor, "n 2"], cells: int, stride: int, sigma: float
) -> Float[Tensor, "n 1 cells cells"]:
    """A Gaussian peak where the primary person is: what every stage after the first is also given (section 4.2).

    Args:
        centres: as `points` of `ideal_belief_maps`, and so are the others.
    """
    return _peaks(centres[:, None], cells, stride, sigma)


def _peaks(
    points: Float[Tensor, "... 2"], cells: int, stride: int, sigma: float
) -> Float[Tensor, "... cells cells"]:
    at = (points + 0.5) / stride - 0.5
    axis = torch.arange(cells, device=points.device)
    off = torch.exp(-((axis - at[..., None]) ** 2) / (2 * sigma**2))  # ... 2 cells
    return off[..., 1, :, None] * off[..., 0, None, :]


def l2_loss(
    out: Float[Tensor, "n stages maps h w"], near: Float[Tensor, "n maps h w"], primary: Float[Tensor, "n maps h w"],
    known: Bool[Tensor, "n maps"],
) -> Float[Tensor, " stages"]:
    """Equation 4 of each stage, per image: the squared differences, summed over the maps and cells.

    Args:
        out: beliefs of each stage.
        near: ideal maps of everyone near, for the first stage.
        primary: ideal maps of the primary person, for the others.
        known: maps that the labels say something about; the others cost nothing. The flat map of a joint that is
            known to lie outside the image is one of them.
    """
    ideal = _of_stages(out, near, primary)
    return ((out - ideal) ** 2 * known[:, None, :, None, None]).sum((2, 3, 4)).mean(0)


def softmax_loss(
    out: Float[Tensor, "n stages maps h w"], near: Float[Tensor, "n maps h w"], primary: Float[Tensor, "n maps h w"],
    known: Bool[Tensor, "n maps"],
) -> Float[Tensor, " stages"]:
    """Ours, for `beliefs = "softmax"`: cross-entropy, per joint that has a peak in the map.

    A joint's cells share out one whole in proportion to the ideal map; the background's are each there or not.
    """
    ideal = _of_stages(out, near, primary)
    target = ideal[:, :, :-1].flatten(-2)
    total = target.sum(-1)
    here = known[:, None, :-1] & (total > 0.5)
    share = target / total.clamp_min(1e-6)[..., None]
    entropy = -(share * functional.log_softmax(out[:, :, :-1].flatten(-2), -1)).sum(-1)
    joints = (entropy * here).sum((0, 2)) / here.sum((0, 2)).clamp_min(1)
    rest = functional.binary_cross_entropy_with_logits(out[:, :, -1], ideal[:, :, -1], reduction="none")
    return joints + rest.mean((0, 2, 3))


def _of_stages(
    out: Float[Tensor, "n stages maps h w"], near: Float[Tensor, "n maps h w"], primary: Float[Tensor, "n maps h w"]
) -> Float[Tensor, "n stages maps h w"]:
    return torch.stack([near] + [primary] * (out.shape[1] - 1), 1)
