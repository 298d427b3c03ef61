"""The lifting network: its windows, and that on single frames it is Pr-VIPE's backbone."""

from __future__ import annotations

import torch
from torch import nn

from samepose.models.lifting import FEATURES, Lifting, LiftingConfig
from samepose.models.prvipe import PrVipe, PrVipeConfig


def network(kernel: int, width: int = 24) -> Lifting:
    torch.manual_seed(0)
    made = Lifting(LiftingConfig(kernel=kernel, width=width, hypotheses=3))
    for name, weights in made.named_parameters():
        if name.endswith("taps"):
            nn.init.normal_(weights)
    made(torch.randn(5, made.config.window + 4, FEATURES))  # BatchNorm has seen something
    return made.eval()


def test_a_frame_is_told_from_its_own_window_alone() -> None:
    model, track = network(3), torch.randn(2, 31, FEATURES)
    with torch.no_grad():
        together = model(track)
        assert together.poses.shape == (2, 5, 3, 17, 3)
        for k in range(5):
            alone = model(track[:, k : k + 27])
            for whole, part in zip(together, alone):
                assert torch.allclose(whole[:, k], part[:, 0], atol=1e-5)
        track[:, 27] += 1.0
        assert torch.equal(model(track).poses[:, 0], together.poses[:, 0])
        assert not torch.allclose(model(track).poses[:, 1], together.poses[:, 1])


def test_on_single_frames_it_is_the_backbone_of_prvipe() -> None:
    model = network(1)
    other = PrVipe(PrVipeConfig(width=24)).eval()
    ours = list(model.stem.parameters()) + list(model.blocks.parameters())
    theirs = list(other.stem.parameters()) + list(other.blocks.parameters())
    assert [p.numel() for p in ours[1:]] == [p.numel() for p in theirs[1:]]
    for to, at in zip(theirs, ours):
        to.data.copy_(at.data[:, :39] if at.ndim == 2 and at.shape[1] == FEATURES else at.data)
    for to, at in zip(other.buffers(), model.buffers()):
        to.copy_(at)
    x = torch.randn(7, 1, FEATURES)
    x[..., 39:] = 0  # motion, which Pr-VIPE knows nothing of
    with torch.no_grad():
        ours_say = model.blocks(model.stem(x[:, 0])[:, None])[:, 0]
        assert torch.allclose(other.blocks(other.stem(x[:, 0, :39])), ours_say, atol=1e-5)


def test_what_comes_out_is_in_its_range() -> None:
    with torch.no_grad():
        poses, logits, spread, up = network(1)(100 * torch.randn(6, 2, FEATURES))
    assert torch.equal(poses[..., 0, :], torch.zeros(6, 2, 3, 3)) and logits.shape == (6, 2, 3)
    assert (spread[..., 0] == 0).all() and spread[..., 1:].min() >= 0.01 and spread.max() <= 0.6
    assert torch.allclose(up.norm(dim=-1), torch.ones(6, 2))
