"""Pr-VIPE's losses against loops, and against the library's own closed form."""

import math

import numpy as np
import torch

from samepose.losses.matching import (
    all_moments,
    all_pairs_loss,
    contrast_loss,
    distance,
    gaussian_prior,
    log_matching_probability,
    log_matching_probability_sampled,
    matching_probability,
    moments,
    semi_hard_negatives,
    shortlist_loss,
    smoothed,
    triplet_ratio_loss,
)
from samepose.matching.embeddings import Embeddings, Matching

torch.manual_seed(0)
A, B = torch.tensor(1.6), torch.tensor(0.8)


def gaussians(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, 16) * 0.5, torch.rand(n, 16) * 0.2 + 1e-3


def test_training_and_inference_use_one_probability() -> None:
    (m1, v1), (m2, v2) = gaussians(7), gaussians(9)
    ours = Matching(float(A), float(B)).probability(
        Embeddings(m1.numpy(), v1.numpy()), Embeddings(m2.numpy(), v2.numpy())
    )
    np.testing.assert_allclose(log_matching_probability(*all_moments(m1, v1, m2, v2), A, B).exp(), ours, atol=2e-5)
    e, w = moments(m1[:, None], v1[:, None], m2, v2)
    np.testing.assert_allclose(log_matching_probability(e, w, A, B).exp(), ours, atol=2e-5)


def test_sampled_probability_equals_a_loop_over_all_pairs_of_samples() -> None:
    z1, z2 = torch.randn(3, 4, 16), torch.randn(3, 4, 16)
    log_p = log_matching_probability_sampled(z1, z2, A, B)
    for i, value in enumerate(distance(log_p, smoothing=0.1)):
        total = 0.0
        for x in z1[i]:
            for y in z2[i]:  # the paper smooths each sample
                total += 0.9 / (1 + math.exp(float(A) * math.dist(x.tolist(), y.tolist()) - float(B))) + 0.05
        assert math.isclose(float(value), -math.log(total / 16), rel_tol=1e-5)
    torch.testing.assert_close(distance(log_p, smoothing=0.0), -log_p)


def test_a_smoothed_probability_stays_within_its_bounds_and_has_a_gradient() -> None:
    p = torch.tensor([0.0, 0.5, 1.0])
    torch.testing.assert_close(smoothed(p, 0.1), torch.tensor([0.05, 0.5, 0.95]))
    torch.testing.assert_close(smoothed(p, 0.0), p)
    log_p = torch.tensor([-200.0, -1.0, 0.0], requires_grad=True)  # exp(-200) is 0 in float32
    d = distance(log_p, 0.1)
    torch.testing.assert_close(d, -torch.tensor([0.05, 0.9 / math.e + 0.05, 0.95]).log())
    d.sum().backward()
    assert log_p.grad is not None and torch.isfinite(log_p.grad).all()


def test_sampled_approaches_the_closed_form() -> None:
    (m1, v1), (m2, v2) = gaussians(20), gaussians(20)
    z1, z2 = (m[:, None] + v[:, None].sqrt() * torch.randn(20, 300, 16) for m, v in ((m1, v1), (m2, v2)))
    sampled = log_matching_probability_sampled(z1, z2, A, B).exp()
    closed = log_matching_probability(*moments(m1, v1, m2, v2), A, B).exp()
    assert (sampled - closed).abs().mean() < 0.004


def test_semi_hard_negatives_against_a_loop() -> None:
    distance, match = torch.rand(30, 30), torch.rand(30, 30) < 0.3
    match |= torch.eye(30, dtype=torch.bool)
    match[4] = True  # an anchor without any negative
    found_index, found = semi_hard_negatives(distance, match)
    for i in range(30):
        rivals = [(float(distance[i, j]), j) for j in range(30) if not match[i, j] and distance[i, j] > distance[i, i]]
        assert bool(found[i]) == bool(rivals)
        if rivals:
            assert int(found_index[i]) == min(rivals)[1]


def test_triplet_ratio_loss_counts_violated_triplets_only() -> None:
    positive, negative = torch.tensor([1.0, 2.0, 0.5]), torch.tensor([5.0, 2.1, 0.9])
    margin = math.log(2)
    expected = ((margin - 0.1) + (margin - 0.4)) / 2
    assert math.isclose(float(triplet_ratio_loss(positive, negative, margin)), expected, rel_tol=1e-5)
    assert float(triplet_ratio_loss(positive, positive + 1, margin)) == 0


def test_gaussian_prior_is_zero_for_the_prior_and_equals_torch() -> None:
    assert float(gaussian_prior(torch.zeros(3, 16), torch.ones(3, 16))) == 0
    mean, var = gaussians(5)
    kl = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, var.sqrt()), torch.distributions.Normal(torch.zeros(16), torch.ones(16))
    )
    torch.testing.assert_close(gaussian_prior(mean, var), kl.sum(1).mean())


def test_all_pairs_loss_and_contrast_against_loops() -> None:
    p, match = torch.rand(6, 6) * 0.9 + 0.05, torch.rand(6, 6) < 0.3
    match |= torch.eye(6, dtype=torch.bool)
    cross, contrast = 0.0, 0.0
    for i in range(6):
        for pairs, allowed in ((p[i], ~match[i]), (p[:, i], ~match[:, i])):
            rivals = sum(float(v) for v, negative in zip(pairs, allowed) if negative)
            contrast -= math.log(float(p[i, i]) / (float(p[i, i]) + rivals)) / 12
        for j in range(6):
            cross -= math.log(float(p[i, j]) if match[i, j] else 1 - float(p[i, j])) / 6
    assert math.isclose(float(all_pairs_loss(p, match)), cross, rel_tol=1e-4)
    assert math.isclose(float(contrast_loss(p, match)), contrast, rel_tol=1e-4)


def test_the_loss_of_shortlists_against_loops() -> None:
    logits, match = torch.randn(5, 4), torch.rand(5, 4) < 0.4
    match[0], match[1, 2] = False, True  # a list in which nobody matches has no order
    order, pairs = [], 0.0
    for row, right in zip(logits.tolist(), match.tolist()):
        if any(right):
            together = sum(math.exp(x) for x, is_right in zip(row, right) if is_right)
            order.append(-math.log(together / sum(map(math.exp, row))))
        pairs += sum(math.log1p(math.exp(-x if is_right else x)) for x, is_right in zip(row, right)) / 20
    assert math.isclose(float(shortlist_loss(logits, match)), sum(order) / len(order) + pairs, rel_tol=1e-4)
    assert float(shortlist_loss(logits[:1], match[:1])) > 0


def test_the_compiled_gradients_are_autograds() -> None:
    (m1, v1), (m2, v2) = gaussians(12), gaussians(15)
    weight = torch.randn(12, 15)

    def gradients(compiled: bool) -> list[torch.Tensor]:
        leaves = [x.clone().requires_grad_() for x in (m1, v1, m2, v2, A, B)]
        e, w = all_moments(*leaves[:4])
        p = matching_probability(e, w, *leaves[4:]) if compiled else log_matching_probability(e, w, *leaves[4:]).exp()
        (p * weight).sum().backward()
        return [x.grad for x in leaves]  # type: ignore[misc]

    for ours, autograd in zip(gradients(True), gradients(False)):
        torch.testing.assert_close(ours, autograd, rtol=2e-3, atol=2e-4)


def test_gradients_are_finite_where_embeddings_coincide() -> None:
    mean, var = torch.zeros(4, 16, requires_grad=True), torch.full((4, 16), 1e-6, requires_grad=True)
    for probability in (matching_probability, log_matching_probability):
        probability(*all_moments(mean, var, mean, var), A, B).sum().backward()
        assert torch.isfinite(mean.grad).all() and torch.isfinite(var.grad).all()
