"""The maximum-margin loss against naive loops, and what must hold of it."""

from __future__ import annotations

import pytest
import torch

from samepose.losses.max_margin import margins, max_margin_loss, most_violated, prediction_loss, weight_penalty


@pytest.fixture(autouse=True)
def fixed() -> None:
    torch.manual_seed(0)


def test_margins_are_a_loops_mean_distances() -> None:
    poses, others = torch.randn(4, 17, 3), torch.randn(5, 17, 3)
    found = margins(poses, others)
    for i in range(4):
        for k in range(5):
            away = [float((poses[i, j] - others[k, j]).square().sum().sqrt()) for j in range(17)]
            assert float(found[i, k]) == pytest.approx(sum(away) / 17, rel=1e-5)
    assert float(margins(poses, poses).diagonal().abs().max()) < 1e-6


def test_the_most_violated_pose_is_a_loops() -> None:
    image, candidates, margin = torch.randn(6, 8), torch.randn(9, 8), torch.rand(6, 9)
    found = most_violated(image, candidates, margin)
    for i in range(6):
        values = [float(image[i] @ candidates[k] + margin[i, k]) for k in range(9)]
        assert int(found[i]) == values.index(max(values))


def test_the_loss_is_a_loops_and_nothing_where_no_margin_is_violated() -> None:
    image, pose, other, margin = torch.randn(7, 8), torch.randn(7, 8), torch.randn(7, 8), torch.rand(7)
    expected = [max(0.0, float(image[i] @ other[i] + margin[i] - image[i] @ pose[i])) for i in range(7)]
    assert 0 < sum(e == 0 for e in expected) < 7
    assert float(max_margin_loss(image, pose, other, margin)) == pytest.approx(sum(expected) / 7, rel=1e-5)
    far = max_margin_loss(image, 100 * image, -image, margin)
    assert float(far) == 0
    assert float(max_margin_loss(image, pose, pose, torch.zeros(7))) == 0  # the true pose is among the candidates


def test_gradients_push_the_scores_apart_by_exactly_the_other_embedding() -> None:
    image = torch.randn(1, 8, requires_grad=True)
    pose, other = torch.zeros(1, 8, requires_grad=True), torch.zeros(1, 8, requires_grad=True)
    max_margin_loss(image, pose, other, torch.ones(1)).backward()
    assert pose.grad is not None and other.grad is not None
    torch.testing.assert_close(pose.grad, -image.detach())
    torch.testing.assert_close(other.grad, image.detach())


def test_the_prediction_loss_is_the_squared_distance_of_all_coordinates() -> None:
    found, true = torch.randn(3, 17, 3), torch.randn(3, 17, 3)
    expected = sum(float((found[i] - true[i]).square().sum()) for i in range(3)) / 3
    assert float(prediction_loss(found, true)) == pytest.approx(expected, rel=1e-5)


def test_the_penalty_is_of_weights_that_learn_alone() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    model[1].requires_grad_(False)
    assert float(weight_penalty(model)) == pytest.approx(float(model[0].weight.square().sum()))
