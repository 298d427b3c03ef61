"""The line search of Algorithm 1."""

from __future__ import annotations

import pytest
import torch

from samepose.training.line_search import STEPS, LineSearch


def test_the_steps_are_half_decades_of_the_papers_range() -> None:
    assert STEPS[0] == pytest.approx(1e-7) and STEPS[-1] == pytest.approx(1e2) and len(STEPS) == 19


@pytest.mark.parametrize("curvature", [1e-3, 0.07, 1.0, 40.0, 3e5])
def test_the_step_is_the_best_of_all_in_a_valley(curvature: float) -> None:
    x = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    optimiser = LineSearch([{"params": [x], "share": 1.0}])

    def cost() -> torch.Tensor:
        return curvature * x.square().sum() / 2

    for _ in range(3):
        start = x.detach().clone()
        optimiser.zero_grad()
        cost().backward()
        optimiser.step(cost)
        best = min(STEPS, key=lambda step: abs(1 - step * curvature))
        torch.testing.assert_close(x.detach(), start * (1 - best * curvature), rtol=1e-4, atol=1e-6)


def test_nothing_moves_where_every_step_costs_more() -> None:
    x = torch.nn.Parameter(torch.tensor([1.0]))
    optimiser = LineSearch([{"params": [x], "share": 1.0}])
    x.grad = torch.tensor([-1.0])  # uphill
    optimiser.step(lambda: x.square().sum())
    assert float(x) == 1.0
    assert int(optimiser.state_dict()["state"][0]["step"]) < 10  # the next search begins lower


def test_no_momentum_and_the_last_step_travels_with_the_state() -> None:
    x = torch.nn.Parameter(torch.tensor([1.0]))
    optimiser = LineSearch([{"params": [x], "share": 1.0}])
    (0.5 * x.square()).sum().backward()
    optimiser.step(lambda: (0.5 * x.square()).sum())
    state = optimiser.state_dict()["state"]
    assert set(state) == {0} and set(state[0]) == {"step"}
