"""A Convolutional Pose Machine small enough to be trained many times on a CPU, and what happens in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from samepose.formats.labelled import LabelledPeople
from samepose.models.cpm import Cpm, CpmConfig
from samepose.training.cpm.data import Batch, People
from samepose.training.cpm.recipe import stage_losses

ROOM = 1.25  # side of a square in longer sides of the box of the joints
LOOKED_AT = 64  # squares by which a unit is called dead
CLIPPED = 50.0  # norm of the gradient
HEAD = 0.01  # deviation of the first weights of a stage's last layer
Init = Literal["he", "pytorch"]


@dataclass(frozen=True)
class Setting:
    """What all runs of an analysis have in common."""

    config: CpmConfig
    train: Batch
    validation: People
    steps: int
    seeds: range
    batch: int = 16
    rate: float = 2e-3


def trained(
    setting: Setting, model: Cpm, supervised: Sequence[int], steps: int, seed: int,
    parts: Sequence[nn.Module] | None = None, look: Callable[[Cpm], None] | None = None,
) -> Cpm:
    """Train in place with a loss at some stages (counted from 0), all of it or some parts; `look` at each gradient."""
    rng = torch.Generator().manual_seed(seed)
    model.train().requires_grad_(parts is None)
    for part in parts or ():
        part.requires_grad_(True)
    learning = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, setting.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, setting.rate, total_steps=steps + 1)
    for _ in range(steps):
        batch = setting.train[torch.randint(len(setting.train.images), (setting.batch,), generator=rng)]
        loss = stage_losses(model(batch.images), batch, model.config)[list(supervised)].sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if look:
            look(model)
        nn.utils.clip_grad_norm_(learning, CLIPPED)
        optimiser.step()
        schedule.step()
    return model.requires_grad_(True)


def fresh(config: CpmConfig, seed: int, init: Init = "he", second: nn.Sequential | None = None) -> Cpm:
    """A network for small images that begins with equal weights for equal seeds; `second` replaces its second stage."""
    torch.manual_seed(seed)
    model = Cpm(config)
    model.features, model.first = shrunk(model.features), shrunk(model.first)
    if second:
        model.later[0] = second
    if init == "he":
        for conv in convolutions(model).values():
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        for head in heads(model):
            nn.init.normal_(head.weight, std=HEAD)  # type: ignore[arg-type]
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def shrunk(layers: nn.Module) -> nn.Sequential:
    """The same layers with convolutions of at most 3 x 3."""
    return nn.Sequential(*(
        nn.Conv2d(layer.in_channels, layer.out_channels, 3, padding=1)
        if isinstance(layer, nn.Conv2d) and layer.kernel_size[0] > 3 else layer for layer in layers.children()
    ))


def convolutions(model: Cpm) -> dict[str, nn.Conv2d]:
    """By name, from the image to the last stage; the features of the later stages come after stage 1."""
    order = [("first", model.first), ("features", model.features), *((f"later.{k}", s) for k, s in
                                                                     enumerate(model.later))]
    return {f"{name}.{k}": layer for name, part in order for k, layer in part.named_children()
            if isinstance(layer, nn.Conv2d)}


def heads(model: Cpm) -> list[nn.Module]:
    """The last layer of each stage."""
    return [stage[-1] for stage in (model.first, *model.later)]  # type: ignore[index]


@torch.no_grad()
def dead_units(model: Cpm, images: Tensor) -> dict[str, float]:
    """Share of the channels of each convolution before a ReLU that give 0 everywhere."""
    highest: dict[str, Tensor] = {}
    hooks = [
        conv.register_forward_hook(lambda _, __, out, name=name: highest.update({name: out.amax((0, 2, 3))}))
        for name, conv in convolutions(model).items() if conv not in heads(model)
    ]
    model(images[:LOOKED_AT])
    for hook in hooks:
        hook.remove()
    return {name: float((top <= 0).float().mean()) for name, top in highest.items()}


def around_joints(people: LabelledPeople) -> LabelledPeople:
    """The same people with the square around their joints as their place."""
    low, high = np.nanmin(people.poses.points, axis=1), np.nanmax(people.poses.points, axis=1)
    return replace(people, centres=(low + high) / 2, sides=ROOM * np.maximum((high - low).max(axis=1), 1))
