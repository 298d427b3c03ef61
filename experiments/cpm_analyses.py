"""The analyses of Wei et al. 2016 (sections 3.2 to 4.1) at a size that a CPU can do, and ours of the two losses.

    python -m experiments.cpm_analyses gradients --data lspet     # Figure 5
    python -m experiments.cpm_analyses schemes --data lspet       # Figure 6b
    python -m experiments.cpm_analyses stages --data lspet        # Figure 6c
    python -m experiments.cpm_analyses field --data lspet         # Figure 4
    python -m experiments.cpm_analyses losses --data lspet        # l2 against the softmax's cross-entropy

Each prints a Markdown table; `--json` one JSON object; `--quick` shows that it runs. Data: a folder that
`samepose train cpm` accepts; 300 of its people are kept to measure on.

The network is the paper's with fewer channels and, the images being small, with 3 x 3 instead of 9 x 9 and 5 x 5
convolutions over the image: stage 1 then sees 54 of 96 pixels, where the paper's sees 160 of 368.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks._machine import describe
from torch import nn

from samepose.formats.keypointset import read_keypoint_set
from samepose.models.cpm import Cpm, CpmConfig, paper_stage, receptive_field
from samepose.skeleton import LSP14
from samepose.training.cpm.data import Batch, People
from samepose.training.cpm.recipe import stage_losses
from samepose.training.cpm.validate import pck_of_stages

VALIDATED = 300
KERNELS = (1, 3, 5, 7, 11)
PCK = "PCK@0.2 of each stage"
Row = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What all runs of an analysis have in common."""

    config: CpmConfig
    train: Batch
    validation: People
    steps: int
    batch: int = 16
    rate: float = 2e-3


def trained(
    setting: Setting, model: Cpm, supervised: Sequence[int], steps: int, seed: int = 0,
    parameters: list[nn.Parameter] | None = None, look: Callable[[int, Cpm], None] | None = None,
) -> Cpm:
    """Train in place with a loss at some stages (counted from 0), all parameters or some; `look` before each step."""
    rng = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(parameters or list(model.parameters()), setting.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, setting.rate, total_steps=steps + 1)
    for step in range(steps):
        chosen = torch.randint(len(setting.train.images), (setting.batch,), generator=rng)
        batch = Batch(setting.train.images[chosen], setting.train.points[chosen], setting.train.visible[chosen])
        loss = stage_losses(model(batch.images), batch, model.config)[list(supervised)].sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if look:
            look(step, model)
        optimiser.step()
        schedule.step()
    return model


def fresh(config: CpmConfig, seed: int = 0) -> Cpm:
    """A network for small images that begins with equal weights for equal seeds."""
    torch.manual_seed(seed)
    model = Cpm(config)
    model.features, model.first = shrunk(model.features), shrunk(model.first)
    return model


def shrunk(layers: nn.Module) -> nn.Sequential:
    """The same layers with convolutions of at most 3 x 3."""
    return nn.Sequential(*(
        nn.Conv2d(layer.in_channels, layer.out_channels, 3, padding=1)
        if isinstance(layer, nn.Conv2d) and layer.kernel_size[0] > 3 else layer for layer in layers.children()
    ))


def pck(setting: Setting, model: Cpm) -> list[float]:
    """PCK@0.2 of each stage, percent."""
    found = pck_of_stages(model.eval(), model.config, setting.validation, VALIDATED)
    model.train()
    return [100 * rate for rate in found.values()]


def gradients(setting: Setting) -> list[Row]:
    """Spread of the gradients of each layer's weights, with and without intermediate supervision, under the l2 loss."""
    last, config = setting.config.stages - 1, replace(setting.config, beliefs="linear")
    spread: dict[str, dict[str, list[float]]] = {}
    for name, supervised in (("every stage", range(last + 1)), ("last only", [last])):
        spread[name] = {}

        def look(step: int, model: Cpm, into: dict[str, list[float]] = spread[name]) -> None:
            for layer, tensor in model.named_parameters():
                if layer.endswith("weight"):
                    assert tensor.grad is not None
                    into.setdefault(layer, []).append(float(tensor.grad.std()))

        trained(setting, fresh(config), supervised, setting.steps, look=look)
    part = max(setting.steps // 5, 1)
    layers = [k for k in spread["last only"] if k.startswith("first.")]
    layers += [k for k in spread["last only"] if k.startswith("features.")]
    layers += [k for k in spread["last only"] if k.startswith("later.")]
    return [{"layer": layer, **{
        f"{name}, {when}": float(np.median(values[layer][at]))
        for when, at in (("early", slice(0, part)), ("late", slice(-part, None))) for name, values in spread.items()
    }} for layer in layers]


def schemes(setting: Setting) -> list[Row]:
    """The four ways to train: joint, stage-wise, stage-wise then joint, joint without intermediate supervision."""
    config, everything = setting.config, range(setting.config.stages)
    rows: list[Row] = []

    def note(name: str, steps: int, model: Cpm) -> None:
        rows.append({"scheme": name, "steps": steps, PCK: pck(setting, model)})

    note("(i) joint, every stage supervised", setting.steps,
         trained(setting, fresh(config), everything, setting.steps))
    stacked = fresh(config)
    for stage in everything:
        parts = [stacked.first] if stage == 0 else [stacked.later[stage - 1]]
        parts += [stacked.features] if stage == 1 else []
        own = [p for part in parts for p in part.parameters()]
        trained(setting, stacked, [stage], setting.steps // len(everything), parameters=own)
    note("(ii) stage by stage", setting.steps, stacked)
    note("(iii) joint from (ii)", 2 * setting.steps, trained(setting, stacked, everything, setting.steps))
    note("(iv) joint, last stage supervised", setting.steps,
         trained(setting, fresh(config), [config.stages - 1], setting.steps))
    return rows


def stages(setting: Setting, most: int = 6) -> list[Row]:
    """Networks of one to six stages, jointly trained."""
    rows: list[Row] = []
    for n in range(1, most + 1):
        model = trained(setting, fresh(replace(setting.config, stages=n)), range(n), setting.steps)
        rows.append({"stages": n, PCK: pck(setting, model)})
    return rows


def field(setting: Setting) -> list[Row]:
    """Two stages; wider kernels over the belief maps, with fewer channels so that parameters stay as many."""
    rows: list[Row] = []
    most = _parameters(_second_stage(setting.config, KERNELS[-1], setting.config.width))
    for kernel in KERNELS:
        widths = count(setting.config.width)
        width = next(w for w in widths if _parameters(_second_stage(setting.config, kernel, w)) >= most)
        model = fresh(replace(setting.config, stages=2))
        second = model.later[0] = _second_stage(setting.config, kernel, width)
        trained(setting, model, range(2), setting.steps)
        reach = receptive_field([model.first, second])[0]
        rows.append({"kernel": kernel, "channels": width, "receptive field, pixels": reach,
                     "parameters of stage 2": _parameters(second), PCK: pck(setting, model)})
    return rows


def _second_stage(config: CpmConfig, kernel: int, width: int) -> nn.Sequential:
    maps = len(config.joints) + 1
    return paper_stage(config.width // 4 + maps + 1, maps, replace(config, kernel=kernel, width=width))


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def losses(setting: Setting) -> list[Row]:
    """The paper's l2 distance to the ideal maps, and the cross-entropy of a softmax over each map."""
    rows: list[Row] = []
    l2, softmax = replace(setting.config, beliefs="linear"), replace(setting.config, beliefs="softmax")
    for config, name in ((l2, "l2 (paper)"), (softmax, "cross-entropy of a softmax over each map")):
        model = trained(setting, fresh(config), range(config.stages), setting.steps)
        rows.append({"loss": name, PCK: pck(setting, model)})
    return rows


def prepared(args: argparse.Namespace) -> Setting:
    """Squares of some people, decoded once; others to validate on."""
    config = CpmConfig("paper", LSP14.joints, args.size, args.stages, args.width)
    people = read_keypoint_set(args.data)
    order = np.random.default_rng(0).permutation(len(people))
    kept = min(VALIDATED, len(people) // 2)
    train = People([people[order[kept : kept + args.people]]], LSP14.joints)
    batch = train.batch(range(len(train)), args.size, None, np.random.default_rng(0))
    return Setting(config, batch, People([people[order[:kept]]], LSP14.joints), args.steps)


def markdown(rows: list[Row]) -> str:
    """A table; lists of rates as "30.1 / 34.2"."""
    def cell(value: Any) -> str:
        if isinstance(value, list):
            return " / ".join(f"{v:.1f}" for v in value)
        return f"{value:.2e}" if isinstance(value, float) else str(value)

    head = list(rows[0])
    lines = [head, ["---"] * len(head), *([cell(row[k]) for k in head] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    analyses: dict[str, Callable[[Setting], list[Row]]] = {
        "gradients": gradients, "schemes": schemes, "stages": stages, "field": field, "losses": losses}
    parser.add_argument("analysis", choices=analyses)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--stages", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="3 steps of a tiny network")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    if args.quick:
        args.steps, args.people, args.size, args.width = 3, 20, 32, 4
    torch.set_num_threads(args.threads)
    print(describe("numpy", "torch"), file=sys.stderr)
    started = time.process_time()
    rows = analyses[args.analysis](prepared(args))
    seconds = round(time.process_time() - started)
    print(json.dumps({"analysis": args.analysis, "cpu_seconds": seconds, "rows": rows}) if args.json
          else f"{markdown(rows)}\n\n{seconds} s of CPU time")


if __name__ == "__main__":
    main()
