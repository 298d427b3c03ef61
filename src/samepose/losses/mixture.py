"""The loss of several poses of which one is right: lifting's (ours)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_INDEPENDENT = 6.0  # of 16 joints: their errors go together, so a pose counts as so many observations (ours)
_NEAREST = 5.0  # weight of the nearest hypothesis' error, per unit of length (ours)
_EVERY = 0.1  # of that of all, so that none is ever lost


def mixture_loss(
    poses: Float[Tensor, "*batch hypothesis joint 3"], logits: Float[Tensor, "*batch hypothesis"],
    spread: Float[Tensor, "*batch hypothesis joint"], target: Float[Tensor, "*batch joint 3"],
) -> Float[Tensor, ""]:
    """-log of the density of the true pose, in nats a joint, and the error of the hypothesis nearest to it.

    Each joint's error has the density exp(-|e| / s) / (8 pi s^3): an error counts by its length, as in the figure of
    merit, and not by its square, so that one limb taken for the other does not rule. A hypothesis is a product over its
    joints, tempered as they are not independent. By the density alone one hypothesis with a wide spread soon has all
    the probability and the others learn nothing more; the second term teaches whichever is nearest, probable or not
    (multiple choice learning, Guzman-Rivera 2012).
    """
    away = (poses - target[..., None, :, :]).norm(dim=-1)
    likelihood = torch.log_softmax(logits, -1) - _INDEPENDENT * (away / spread + 3 * spread.log()).mean(-1)
    density = -torch.logsumexp(likelihood, -1).mean() / _INDEPENDENT
    error = away.mean(-1)
    return density + _NEAREST * error.amin(-1).mean() + _EVERY * error.mean()
