"""The maximum-margin loss of StructNet (Li, Zhang and Chan 2015, sections 3.4 and 3.5)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def margins(poses: Float[Tensor, "n joint 3"], others: Float[Tensor, "c joint 3"]) -> Float[Tensor, "n c"]:
    """Equation 8, MPJPE of every two, in the poses' unit; joint by joint, so that no (n, c, joint, 3) is kept."""
    total = poses.new_zeros(len(poses), len(others))
    for joint in range(poses.shape[1]):
        total += torch.cdist(poses[:, joint], others[:, joint], compute_mode="donot_use_mm_for_euclid_dist")
    return total / poses.shape[1]


@torch.no_grad()
def most_violated(
    image: Float[Tensor, "n dim"], candidates: Float[Tensor, "c dim"], margin: Float[Tensor, "n c"]
) -> Int[Tensor, " n"]:
    """Equation 7: the candidate of highest score + margin for each image; f_S(x, y) is the same for all of them."""
    return (image @ candidates.T + margin).argmax(1)


def max_margin_loss(
    image: Float[Tensor, "n dim"], pose: Float[Tensor, "n dim"], violating: Float[Tensor, "n dim"],
    margin: Float[Tensor, " n"],
) -> Float[Tensor, ""]:
    """Equation 6, its mean over the images.

    Args:
        pose: embeddings of the true poses.
        violating: those of the most violated ones.
        margin: MPJPE between the two.
    """
    return ((image * (violating - pose)).sum(1) + margin).clamp_min(0).mean()


def prediction_loss(found: Float[Tensor, "n joint 3"], true: Float[Tensor, "n joint 3"]) -> Float[Tensor, ""]:
    """Equation 11, its mean over the images: squared distance of all coordinates together."""
    return (found - true).square().sum((1, 2)).mean()


def weight_penalty(model: nn.Module) -> Float[Tensor, ""]:
    """The sum of squares of all weight matrices that learn (Equation 12, last term); biases are none."""
    return torch.stack([p.square().sum() for p in model.parameters() if p.requires_grad and p.ndim > 1]).sum()
