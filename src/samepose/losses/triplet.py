"""Losses of pose embeddings from pixels: Mori 2015's triplet hinge, its hard negatives, and ours over all pairs."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def squared_distances(z: Float[Tensor, "n dim"]) -> Float[Tensor, "n n"]:
    """Squared Euclidean distance (equation 2) of every two rows, by one matrix product, which keeps no (n, n, dim)."""
    norms = z.square().sum(-1)
    return (norms[:, None] + norms[None] - 2 * z @ z.T).clamp_min(0)


def triplet_loss(
    anchor: Float[Tensor, "n dim"], positive: Float[Tensor, "n dim"], negative: Float[Tensor, "n dim"], gap: float
) -> Float[Tensor, ""]:
    """Equation 3, its mean over the triplets: max(0, gap + D(anchor, positive) - D(anchor, negative))."""
    near, far = ((anchor - other).square().sum(-1) for other in (positive, negative))
    return (gap + near - far).clamp_min(0).mean()


@torch.no_grad()
def hard_negatives(
    z: Float[Tensor, "n dim"], anchor: Int[Tensor, " t"], positive: Int[Tensor, " t"],
    candidates: Bool[Tensor, "t n"], gap: float, rng: torch.Generator,
) -> Int[Tensor, " t"]:
    """A negative for each triplet from the whole batch, by its present embeddings (section 3.2).

    Of the candidates that cost something in equation 3 one is drawn, each as likely as any other; where none does, any
    candidate, which then costs nothing either. The paper says "sampled … based on the embedding" and not how: that is
    ours; the hardest alone would be the mislabelled.

    Args:
        z: of the batch.
        anchor, positive: rows of the triplets.
        candidates: which rows may be a triplet's negative; at least one of each.
        rng: on the CPU.
    """
    away = squared_distances(z)[anchor]
    near = away.gather(1, positive[:, None])
    hard = candidates & (away < near + gap)
    allowed = torch.where(hard.any(1, keepdim=True), hard, candidates)
    return torch.multinomial(allowed.float().cpu(), 1, generator=rng)[:, 0].to(z.device)


def neighbour_loss(
    z: Float[Tensor, "n dim"], differences: Float[Tensor, "n n"], temperature: float, width: float
) -> Float[Tensor, ""]:
    """Ours: who is how near whom in the batch, learned from all pairs at once, graded.

    Each row shares out one whole among the others, by -D / temperature of its embeddings and by -difference / width of
    its poses; the loss is the cross-entropy of the two, less its least, which is 0 where both agree.

    Args:
        differences: of the poses, pixels of the crop; NaN for pairs that do not compare. The diagonal does not count.
        temperature: of the squared distances.
        width: pixels.
    """
    known = ~torch.isnan(differences) & ~torch.eye(len(z), dtype=torch.bool, device=z.device)
    known = known[rows := known.any(1)]
    wanted = torch.where(known, -differences[rows] / width, -torch.inf).log_softmax(1)
    found = torch.where(known, -squared_distances(z)[rows] / temperature, -torch.inf).log_softmax(1)
    gap = torch.where(known, wanted.exp() * (wanted - found), 0.0)
    return gap.sum() / max(len(known), 1)


def joint_loss(found: Float[Tensor, "n joint 2"], marked: Float[Tensor, "n joint 2"]) -> Float[Tensor, ""]:
    """Mean squared distance of the joints that are marked, the others being NaN (Toshev 2014, equation 4)."""
    known = ~torch.isnan(marked).any(-1)
    return (found - marked)[known].square().sum(-1).mean()
