"""Gradient descent whose step is searched for anew in every batch (Li, Zhang and Chan 2015, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

# Half decades of [1e-7, 1e2] (section 5.3); how the paper searched that range is not told.
STEPS = tuple(10 ** (k / 2 - 7) for k in range(19))


class LineSearch(torch.optim.Optimizer):
    """Plain descent, no momentum: along the gradient by whichever of `STEPS` gives the least cost.

    The search climbs down from the last batch's step, in both directions, as long as the cost falls; the cost along a
    line is mostly that of a valley, so this finds what trying all 19 would, with 3 or 4 of them. Where no step lowers
    the cost nothing moves.
    """

    def __init__(self, params: Iterable[dict[str, Any]]) -> None:
        super().__init__(params, {"lr": 1.0})
        self._parameters: list[Tensor] = [p for group in self.param_groups for p in group["params"]]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move.

        Args:
            closure: cost of the batch at the weights as they are, without gradients, always by the same random choices.
        """
        assert closure is not None
        moving = [p for p in self._parameters if p.grad is not None]
        before, slopes = [p.clone() for p in moving], [-p.grad for p in moving if p.grad is not None]

        def cost_after(step: float) -> float:
            for p, start, slope in zip(moving, before, slopes):
                torch.add(start, slope, alpha=step, out=p)
            return float(closure())

        state = self.state[self._parameters[0]]
        last = int(state.get("step", torch.tensor(10)))
        chosen = _valley(cost_after, float(closure()), last)
        cost_after(0.0 if chosen is None else STEPS[chosen])
        state["step"] = torch.tensor(max(last - 2, 0) if chosen is None else chosen)


def _valley(cost_after: Callable[[float], float], now: float, start: int) -> int | None:
    """Which of `STEPS` gives the least cost, from a first guess; None where all that were tried raise it."""
    costs = {start: cost_after(STEPS[start])}

    def climb(way: int) -> int:
        best = start
        while 0 <= best + way < len(STEPS):
            costs[best + way] = cost_after(STEPS[best + way])
            if not costs[best + way] < min(costs[best], now):
                break
            best += way
        return best

    best = climb(1) if costs[start] < now else start
    if best == start:
        best = climb(-1)
    while not costs[best] < now and best > 0:
        best -= 1
        costs[best] = cost_after(STEPS[best])
    return best if costs[best] < now else None
