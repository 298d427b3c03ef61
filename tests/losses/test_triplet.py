"""The losses of pose embeddings from pixels, against loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from samepose.losses.triplet import hard_negatives, joint_loss, neighbour_loss, squared_distances, triplet_loss


def points(n: int = 7, seed: int = 0) -> Tensor:
    drawn = torch.randn((n, 5), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=-1)


def test_squared_distances_are_a_loops() -> None:
    z = points()
    loop = [[math.dist(a, b) ** 2 for b in z.tolist()] for a in z.tolist()]
    torch.testing.assert_close(squared_distances(z), torch.tensor(loop), atol=1e-6, rtol=0)


def test_the_hinge_is_a_loops() -> None:
    a, p, n = points(seed=1), points(seed=2), points(seed=3)
    costs = [max(0, 0.7 + math.dist(x, y) ** 2 - math.dist(x, w) ** 2)
             for x, y, w in zip(a.tolist(), p.tolist(), n.tolist())]
    assert 0 < sum(c > 0 for c in costs) < len(costs)
    assert float(triplet_loss(a, p, n, 0.7)) == pytest.approx(sum(costs) / len(costs), rel=1e-5)


def test_the_hinge_of_a_triplet_worked_out_by_hand() -> None:
    a, p, n = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.8, 0.6]]), torch.tensor([[0.0, 1.0]])
    assert float(triplet_loss(a, p, n, 0.2)) == 0  # 0.4 + 0.2 < 2
    assert float(triplet_loss(a, n, p, 0.2)) == pytest.approx(1.8)


def test_turning_all_embeddings_changes_no_loss() -> None:
    z = points(9)
    turn = torch.linalg.qr(torch.randn((5, 5), generator=torch.Generator().manual_seed(4)))[0]
    differences = 20 * torch.rand((9, 9), generator=torch.Generator().manual_seed(5))
    for loss in (lambda x: triplet_loss(x[:3], x[3:6], x[6:], 0.5), lambda x: neighbour_loss(x, differences, 0.1, 3)):
        torch.testing.assert_close(loss(z), loss(z @ turn), atol=1e-5, rtol=1e-5)


def drawn(z: Tensor, candidates: Tensor, gap: float, times: int = 400) -> list[set[int]]:
    """Which negatives two triplets, of anchors 0 and 3 and positives 1 and 4, ever get."""
    rng, found = torch.Generator().manual_seed(0), [set(), set()]
    for _ in range(times):
        got = hard_negatives(z, torch.tensor([0, 3]), torch.tensor([1, 4]), candidates, gap, rng)
        for k, j in enumerate(got.tolist()):
            found[k].add(j)
    return found


def test_hard_negatives_are_all_the_candidates_that_cost_something_and_no_others() -> None:
    z, gap = points(12), 1.7
    z[1], z[4] = z[0] + 0.1 * z[1], z[3] + 0.1 * z[4]
    candidates = torch.rand((2, 12), generator=torch.Generator().manual_seed(1)) < 0.7
    expected = []
    for row, (anchor, positive) in enumerate(((0, 1), (3, 4))):
        near = math.dist(z[anchor].tolist(), z[positive].tolist()) ** 2
        expected.append({j for j in range(12) if candidates[row, j]
                         and math.dist(z[anchor].tolist(), z[j].tolist()) ** 2 < near + gap})
        assert 1 < len(expected[row]) < int(candidates[row].sum())
    assert drawn(z, candidates, gap) == expected


def test_where_no_candidate_costs_anything_any_of_them_comes() -> None:
    z = torch.eye(12)
    z[1], z[4] = z[0], z[3]
    candidates = torch.zeros((2, 12), dtype=torch.bool)
    candidates[0, 6:8] = candidates[1, 9] = True
    assert drawn(z, candidates, 0.1, 50) == [{6, 7}, {9}]


def test_the_same_generator_draws_the_same_negatives() -> None:
    z, candidates = points(12), torch.ones((2, 12), dtype=torch.bool)
    once, again = ([hard_negatives(z, torch.tensor([0, 3]), torch.tensor([1, 4]), candidates, 4.0, rng).tolist()
                    for _ in range(5)] for rng in (torch.Generator().manual_seed(7), torch.Generator().manual_seed(7)))
    assert once == again


def neighbours_by_loop(z: Tensor, differences: Tensor, temperature: float, width: float) -> float:
    rows = []
    for i, row in enumerate(differences.tolist()):
        others = [j for j, d in enumerate(row) if j != i and not math.isnan(d)]
        if others:
            wanted = [math.exp(-row[j] / width) for j in others]
            found = [math.exp(-math.dist(z[i].tolist(), z[j].tolist()) ** 2 / temperature) for j in others]
            rows.append(sum(w / sum(wanted) * (math.log(w / sum(wanted)) - math.log(f / sum(found)))
                            for w, f in zip(wanted, found)))
    return sum(rows) / len(rows)


def test_the_neighbour_loss_is_a_loops_and_pairs_that_do_not_compare_do_not_count() -> None:
    z = points(8).requires_grad_()
    differences = 20 * torch.rand((8, 8), generator=torch.Generator().manual_seed(5))
    differences[0, 3] = differences[5] = torch.nan
    loss = neighbour_loss(z, differences, 0.3, 4.0)
    assert float(loss.detach()) == pytest.approx(neighbours_by_loop(z.detach(), differences, 0.3, 4.0), rel=1e-4)
    loss.backward()
    assert z.grad is not None and torch.isfinite(z.grad).all()


def test_the_neighbour_loss_is_nothing_where_distances_tell_the_differences() -> None:
    z = points(8)
    assert float(neighbour_loss(z, squared_distances(z) * 40, 0.1, 4.0)) == pytest.approx(0, abs=1e-5)
    assert float(neighbour_loss(z, (4 - squared_distances(z)) * 40, 0.1, 4.0)) > 1
    assert float(neighbour_loss(z, torch.full((8, 8), torch.nan), 0.1, 4.0)) == 0


def test_joints_that_are_not_marked_cost_nothing() -> None:
    found = torch.zeros((2, 3, 2))
    marked = torch.tensor([[[3.0, 4], [0, 0], [1, 0]], [[0, 2], [torch.nan] * 2, [0, 0]]])
    found[1, 1] = 1e6
    assert float(joint_loss(found, marked)) == pytest.approx((25 + 0 + 1 + 4 + 0) / 5)
