"""The loss of several hypotheses against a plain loop in float64."""

from __future__ import annotations

import math

import pytest
import torch

from samepose.losses.mixture import mixture_loss


def made_up(n: int = 5, hypotheses: int = 3, joints: int = 16) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(0)
    return (torch.randn(n, hypotheses, joints, 3), torch.randn(n, hypotheses), torch.rand(n, hypotheses, joints) + 0.1,
            torch.randn(n, joints, 3))


def by_loops(poses: torch.Tensor, logits: torch.Tensor, spread: torch.Tensor, target: torch.Tensor) -> float:
    total = 0.0
    for i in range(len(poses)):
        odds = [math.exp(v) for v in logits[i].double()]
        density, errors = 0.0, []
        for h in range(poses.shape[1]):
            away = [math.dist(poses[i, h, j].double().tolist(), target[i, j].double().tolist())
                    for j in range(poses.shape[2])]
            cost = [a / float(s) + 3 * math.log(float(s)) for a, s in zip(away, spread[i, h])]
            density += odds[h] / sum(odds) * math.exp(-6 * sum(cost) / len(cost))
            errors.append(sum(away) / len(away))
        total += -math.log(density) / 6 + 5 * min(errors) + 0.1 * sum(errors) / len(errors)
    return total / len(poses)


def test_it_is_what_the_loop_says() -> None:
    batch = made_up()
    assert float(mixture_loss(*batch)) == pytest.approx(by_loops(*batch), rel=1e-5)


def test_the_order_of_hypotheses_does_not_matter() -> None:
    poses, logits, spread, target = made_up()
    order = torch.tensor([2, 0, 1])
    assert torch.isclose(mixture_loss(poses[:, order], logits[:, order], spread[:, order], target),
                         mixture_loss(poses, logits, spread, target))


def test_the_nearest_learns_though_it_is_improbable() -> None:
    poses, logits, spread, target = made_up()
    poses[:, 2] = target + 0.05
    logits[:, 2] = -40.0
    poses.requires_grad_(True)
    mixture_loss(poses, logits, spread, target).backward()
    assert poses.grad is not None
    norms = poses.grad.norm(dim=(2, 3))
    assert (norms[:, 2] > 0.1).all()
