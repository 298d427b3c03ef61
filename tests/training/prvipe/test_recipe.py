"""The losses of the recipe: the paper's as written, sampled and in closed form, and those of each kind of model."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from made_up_motion import standing
from samepose.matching.embeddings import Embeddings, Matching
from samepose.models.prvipe import Kind, PrVipeConfig
from samepose.training.prvipe.recipe import MotionPool, PrVipeRecipe, PrVipeRecipeConfig

PAPER = PrVipeRecipeConfig(samples=20, smoothing=0.1, triplet=1.0, positive=0.005, prior=0.001, pairs=0.0, contrast=0.0)


def recipe_of(kind: Kind = "gaussian", **changes: Any) -> PrVipeRecipe:
    torch.manual_seed(0)
    points = standing() + np.random.default_rng(0).normal(0, 0.12, (60, 17, 3))
    config = replace(PAPER, model=PrVipeConfig(kind, width=24), batch=32, **changes)
    return PrVipeRecipe(config, MotionPool.of(points.astype(np.float32), np.arange(60)))


def some_embeddings(n: int = 9) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Mean and variance of two views of n poses, near each other, and which match: each itself, and 0 and 1."""
    draw = torch.Generator().manual_seed(2)
    mean = 0.35 * torch.randn((n, 16), generator=draw)
    near = mean + 0.25 * torch.randn((n, 16), generator=draw)
    var_1, var_2 = (0.01 + 0.05 * torch.rand((n, 16), generator=draw) for _ in range(2))
    match = torch.eye(n, dtype=torch.bool)
    match[0, 1] = match[1, 0] = True
    return mean, var_1, near, var_2, match


def by_hand(model: Any, embeddings: tuple[Tensor, ...], smoothing: float) -> tuple[float, float]:
    """Triplet ratio and positive loss (Sun 2020, eq. 4 and 6) by loops, P by the library that searches."""
    mean_1, var_1, mean_2, var_2, match = embeddings
    matching = Matching(float(model.a.detach()), float(model.raw_b.detach()))
    p = matching.probability(*(Embeddings(m.numpy(), v.numpy()) for m, v in ((mean_1, var_1), (mean_2, var_2))))
    d = -np.log((1 - smoothing) * p + smoothing / 2)
    gaps = []
    for i in range(len(d)):
        away = [float((mean_1[i] - mean_2[j]).norm()) for j in range(len(d))]
        rivals = [j for j in range(len(d)) if not match[i, j] and away[j] > away[i]]
        if rivals:
            gap = math.log(2) + d[i, i] - d[i, min(rivals, key=away.__getitem__)]
            gaps += [gap] if gap > 0 else []
    return float(np.mean(gaps)), float(np.mean(np.diagonal(d)))


@pytest.mark.parametrize("smoothing", [0.1, 0.0])
def test_the_papers_losses_in_closed_form_are_a_loops(smoothing: float) -> None:
    recipe, embeddings = recipe_of(samples=0, smoothing=smoothing), some_embeddings()
    total = recipe._retrieval_loss(*embeddings, torch.Generator(), {})
    ratio, positive = by_hand(recipe.model, embeddings, smoothing)
    assert ratio > 0.05 and math.isclose(float(total.detach()), ratio + 0.005 * positive, rel_tol=1e-3)


@pytest.mark.parametrize("smoothing", [0.1, 0.0])
def test_the_papers_losses_sampled_approach_the_closed_form(smoothing: float) -> None:
    recipe, embeddings = recipe_of(samples=400, smoothing=smoothing), some_embeddings()
    ratio, positive = by_hand(recipe.model, embeddings, smoothing)
    total = recipe._retrieval_loss(*embeddings, torch.Generator().manual_seed(0), {})
    assert math.isclose(float(total.detach()), ratio + 0.005 * positive, rel_tol=0.02)


def test_samples_of_a_point_are_the_point_and_P_stays_within_the_clamp() -> None:
    recipe, (mean_1, var_1, mean_2, var_2, _) = recipe_of(samples=3), some_embeddings()
    zero, other = torch.zeros_like(var_1), torch.arange(9).roll(1)
    near, far = recipe._distances(mean_1, zero, mean_2, zero, other, torch.Generator())
    a, b = float(recipe.model.a.detach()), float(recipe.model.raw_b.detach())
    for i in range(9):
        for value, j in ((near[i], i), (far[i], int(other[i]))):
            r = math.dist(mean_1[i].tolist(), mean_2[j].tolist())
            expected = -math.log(0.9 / (1 + math.exp(a * r - b)) + 0.05)
            assert math.isclose(float(value.detach()), expected, rel_tol=1e-4)
    for samples in (3, 0):  # as far apart as may be, P is not below 0.05; as near as may be, not above 0.95
        recipe = recipe_of(samples=samples)
        with torch.no_grad():
            recipe.model.raw_b.fill_(50.0)
            near, far = recipe._distances(mean_1, var_1, 1e4 * mean_2, var_2, other, torch.Generator())
            assert torch.allclose(torch.cat([near, far]), -torch.tensor(0.05).log())
            near, _ = recipe._distances(mean_1, var_1, mean_1, var_2, other, torch.Generator())
            assert torch.allclose(near, -torch.tensor(0.95).log())


@pytest.mark.parametrize("samples", [5, 0])
def test_every_parameter_learns_from_the_papers_losses(samples: int) -> None:
    recipe = recipe_of(samples=samples)
    loss, logs = recipe.loss(recipe.model, torch.Generator().manual_seed(0), torch.device("cpu"))
    loss.backward()
    assert set(logs) == {"a", "b", "var"}
    for name, parameter in recipe.model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_samples_are_drawn_anew_and_the_closed_form_has_none() -> None:
    def twice(samples: int) -> tuple[float, float]:
        recipe, draw = recipe_of(samples=samples), torch.Generator().manual_seed(0)
        first, second = (float(recipe._retrieval_loss(*some_embeddings(), draw, {}).detach()) for _ in range(2))
        return first, second

    assert twice(5)[0] != twice(5)[1] and twice(5) == twice(5) and twice(0)[0] == twice(0)[1]


def test_points_take_no_samples_and_no_prior() -> None:
    """VIPE: the ratio and the positive loss (Sun 2020, section 3.3)."""
    losses = []
    for changes in ({}, {"samples": 0}, {"prior": 0.0}):
        recipe = recipe_of("point", **changes)
        loss, _ = recipe.loss(recipe.model, torch.Generator().manual_seed(0), torch.device("cpu"))
        losses.append(float(loss.detach()))
    assert losses[0] == losses[1] == losses[2] > 0


def test_l2_vipe_is_a_triplet_loss_on_squared_distances() -> None:
    recipe = recipe_of("l2")
    mean_1, _, mean_2, _, match = some_embeddings()
    mean_1, mean_2 = (torch.nn.functional.normalize(m) for m in (mean_1, mean_2))
    zero, gaps = torch.zeros_like(mean_1), []
    for i in range(9):
        squared = [math.dist(mean_1[i].tolist(), mean_2[j].tolist()) ** 2 for j in range(9)]
        rivals = [s for j, s in enumerate(squared) if not match[i, j] and s > squared[i]]
        gap = 0.2 + squared[i] - min(rivals) if rivals else 0
        gaps += [gap] if gap > 0 else []
    loss = recipe._retrieval_loss(mean_1, zero, mean_2, zero, match, torch.Generator(), {})
    assert bool(gaps) == (float(loss) > 0) and math.isclose(float(loss), float(np.mean(gaps or [0])), abs_tol=1e-5)


def test_smoothing_reaches_the_losses_over_all_pairs() -> None:
    sharp, smooth = (recipe_of(triplet=0.0, positive=0.0, pairs=1.0, samples=0, smoothing=s) for s in (0.0, 0.1))
    mean_1, var_1, mean_2, var_2, match = some_embeddings()
    far = (300 * mean_1, var_1, 300 * mean_2, var_2, match)  # every P is 0
    assert float(smooth._retrieval_loss(*far, torch.Generator(), {}).detach()) == pytest.approx(
        -(11 * math.log(0.05) + 70 * math.log(0.95)) / 9, rel=1e-4)
    assert float(sharp._retrieval_loss(*far, torch.Generator(), {}).detach()) > 11 / 9 * 13
