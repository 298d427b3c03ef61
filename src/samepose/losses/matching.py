"""The matching probability on tensors, and the losses over it: of Pr-VIPE (Sun 2020, section 3.2-3.4), and ours."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from samepose.matching.closed_form import GAMMA_POLY, GAUSS_HERMITE_NODES, GAUSS_HERMITE_WEIGHTS


def moments(
    mean_1: Tensor, var_1: Tensor, mean_2: Tensor, var_2: Tensor
) -> tuple[Float[Tensor, "*pair"], Float[Tensor, "*pair"]]:
    """Mean and variance of ||z1 - z2||² for broadcast pairs of Gaussians (..., D): eq. 2 of `matching.closed_form`."""
    m2, s = (mean_1 - mean_2) ** 2, var_1 + var_2
    return (m2 + s).sum(-1), (2 * s * s + 4 * m2 * s).sum(-1)


def all_moments(
    mean_1: Float[Tensor, "n dim"], var_1: Float[Tensor, "n dim"],
    mean_2: Float[Tensor, "m dim"], var_2: Float[Tensor, "m dim"],
) -> tuple[Float[Tensor, "n m"], Float[Tensor, "n m"]]:
    """`moments` of all pairs, by matrix products: (2) with its squares expanded."""
    def own(mu: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return (mu * mu + v).sum(1), (2 * v * v + 4 * mu * mu * v).sum(1)

    (e1, w1), (e2, w2) = own(mean_1, var_1), own(mean_2, var_2)
    e = e1[:, None] + e2 - 2 * mean_1 @ mean_2.T
    left = torch.cat([4 * var_1, 4 * mean_1**2, -8 * mean_1 * var_1, -8 * mean_1], 1)
    right = torch.cat([var_2 + mean_2**2, var_2, mean_2, mean_2 * var_2], 1)
    return e.clamp_min(1e-9), (w1[:, None] + w2 + left @ right.T).clamp_min(0)


def smoothed(p: Float[Tensor, "*pair"], smoothing: float) -> Float[Tensor, "*pair"]:
    """P of training, (1 - s) P + s / 2: within s / 2 and 1 - s / 2, sampled or in closed form alike.

    Sun 2020, supplement B, keeps P within 0.05 and 0.95, s = 0.1. Linear in P, so the mean over samples may be taken
    before or after; increasing, so no ranking changes.
    """
    return (1 - smoothing) * p + smoothing / 2


def distance(log_p: Float[Tensor, "*pair"], smoothing: float) -> Float[Tensor, "*pair"]:
    """D = -log P (Sun 2020, eq. 4), P smoothed."""
    return -smoothed(log_p.exp(), smoothing).log() if smoothing else -log_p


def log_matching_probability(e: Tensor, w: Tensor, a: Tensor, b: Tensor) -> Float[Tensor, "*pair"]:
    """log E[sigmoid(b - a r)] from the moments of r²: eq. 5 of `matching.closed_form`."""
    e = e.clamp_min(1e-9)
    u = (w / (e * e)).clamp(0, 2)
    c = GAMMA_POLY
    q = u * (c[0] + u * (c[1] + u * (c[2] + u * (c[3] + u * c[4]))))
    centre, spread = b - a * torch.sqrt(e * (1 - q)), a * torch.sqrt(e * q + 1e-12)
    terms = [torch.nn.functional.logsigmoid(centre) + math.log(GAUSS_HERMITE_WEIGHTS[0])]
    for node, weight in zip(GAUSS_HERMITE_NODES, GAUSS_HERMITE_WEIGHTS[1:]):
        terms += [torch.nn.functional.logsigmoid(centre + sign * node * spread) + math.log(weight) for sign in (-1, 1)]
    total: Tensor = torch.logsumexp(torch.stack(terms), 0)
    return total


def matching_probability(
    e: Float[Tensor, "*pair"], w: Float[Tensor, "*pair"], a: Tensor, b: Tensor
) -> Float[Tensor, "*pair"]:
    """P of many pairs, closed form. On the CPU one compiled pass gives value and gradients: for all pairs of a
    batch it is some ten times faster than autograd through `log_matching_probability`, which runs elsewhere."""
    if e.device.type != "cpu":
        return log_matching_probability(e, w, a, b).exp()
    result: Tensor = _Fused.apply(e, w, a, b)  # type: ignore[no-untyped-call]
    return result


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, e: Tensor, w: Tensor, a: Tensor, b: Tensor) -> Tensor:
        from samepose.matching._kernel import probability_with_gradients
        from samepose.matching._layout import Derivatives

        p, *gradients = (torch.empty_like(e, memory_format=torch.contiguous_format) for _ in range(5))
        arrays = (x.detach().contiguous().view(-1).numpy() for x in (e, w))
        flat = Derivatives(*(x.view(-1).numpy() for x in (p, *gradients)))
        probability_with_gradients(*arrays, float(a), float(b), flat)
        ctx.save_for_backward(*gradients)
        return p

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        de, dw, da, db = ctx.saved_tensors
        g = outer[0]
        return g * de, g * dw, (g * da).sum(), (g * db).sum()


def log_matching_probability_sampled(
    z1: Float[Tensor, "n k dim"], z2: Float[Tensor, "n k dim"], a: Tensor, b: Tensor
) -> Float[Tensor, " n"]:
    """The paper's log of eq. 7 for rows of samples: of the mean sigmoid over all k x k pairs."""
    return torch.sigmoid(b - a * torch.cdist(z1, z2)).mean(dim=(1, 2)).clamp_min(1e-30).log()


def semi_hard_negatives(
    distance: Float[Tensor, "n n"], match: Bool[Tensor, "n n"]
) -> tuple[Tensor, Bool[Tensor, " n"]]:
    """For each anchor the nearest negative that is farther than its positive (Sun 2020, section 3.2).

    Args:
        distance: [anchor, candidate]; candidate i is anchor i's positive (its other view).
        match: [anchor, candidate] True where the 3D poses match; no such pair is a negative.

    Returns:
        Index of the negative per anchor, and which anchors have one.
    """
    positive = distance.diagonal()[:, None]
    allowed = ~match & (distance > positive)
    nearest = distance.masked_fill(~allowed, math.inf).min(dim=1)
    return nearest.indices, torch.isfinite(nearest.values)


def triplet_ratio_loss(positive: Float[Tensor, " n"], negative: Float[Tensor, " n"], margin: float) -> Tensor:
    """mean over violated triplets of max(0, margin + D(pos) - D(neg)), D = -log P (Sun 2020, eq. 3-4).

    With margin = log beta this asks P(pos) >= beta P(neg); beta = 2 in the paper.
    """
    loss = (margin + positive - negative).clamp_min(0)
    return loss.sum() / (loss > 0).sum().clamp_min(1)


def gaussian_prior(mean: Tensor, var: Tensor) -> Tensor:
    """KL(N(mean, var) || N(0, I)), summed over dimensions, averaged over poses (Sun 2020, eq. 8)."""
    return 0.5 * (var + mean**2 - 1 - torch.log(var.clamp_min(1e-10))).sum(1).mean()


def all_pairs_loss(p: Float[Tensor, "n n"], match: Bool[Tensor, "n n"]) -> Tensor:
    """Binary cross-entropy of P over all pairs, summed per anchor: each is one positive against its batch."""
    return -torch.where(match, p, 1 - p).clamp_min(1e-6).log().sum() / len(p)


def contrast_loss(p: Float[Tensor, "n n"], match: Bool[Tensor, "n n"]) -> Tensor:
    """The ratio loss against all negatives at once: -log P(pos) / (P(pos) + sum of P over the negatives).

    Either view may be the anchor: the mean of both directions.
    """
    positive = p.diagonal()
    rivals = p.masked_fill(match, 0)
    both = torch.log(positive + rivals.sum(0)) + torch.log(positive + rivals.sum(1))
    return (both / 2 - torch.log(positive.clamp_min(1e-12))).mean()


def shortlist_loss(logits: Float[Tensor, "n k"], match: Bool[Tensor, "n k"]) -> Tensor:
    """Of n shortlists: -log of the softmax that those who match have together; plus the cross-entropy of each pair.

    The first learns the order within a shortlist, where it counts (listwise ranking, Cao et al. 2007, section 4); the
    second keeps the logits of different shortlists comparable. A shortlist without a match has no order to learn.
    """
    pairs = binary_cross_entropy_with_logits(logits, match.to(logits.dtype))
    some = match.any(1)
    listed, right = logits[some], logits[some].masked_fill(~match[some], -torch.inf)
    order = (listed.logsumexp(1) - right.logsumexp(1)).sum() / some.sum().clamp_min(1)
    return order + pairs
