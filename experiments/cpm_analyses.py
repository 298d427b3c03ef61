"""The analyses of Wei et al. 2016 (sections 3.2 to 4.1) at a size that a CPU can do, and ours of the two losses.

    samepose synth MOCAP --out people --count 4000 --seed 0
    samepose synth MOCAP --out heldout --count 1000 --seed 1 --subjects held-out
    python -m experiments.cpm_analyses gradients --data people --validation heldout --steps 300 --seeds 3  # Figure 5
    python -m experiments.cpm_analyses schemes --data people --validation heldout  # Figure 6b
    python -m experiments.cpm_analyses stages --data people --validation heldout  # Figure 6c
    python -m experiments.cpm_analyses field --data people --validation heldout  # Figure 4
    python -m experiments.cpm_analyses losses --data people --validation heldout

Each runs from several seeds and prints a Markdown table, mean ± standard deviation over the seeds; `--json` one JSON
object with the figure of every seed; `--quick` shows that it runs. A seed sets the first weights and the order of the
squares, which are the same for all rows, so rows are compared seed by seed: "against" is the mean ± standard error of
the differences.

The network is the paper's with fewer channels and, the images being small, with 3 x 3 instead of 9 x 9 and 5 x 5
convolutions over the image: stage 1 then sees 54 of 96 pixels, where the paper's sees 160 of 368. Squares are those
around the labelled joints (the scale is given, as in MPII). The loss is the paper's l2 unless the rows say otherwise.
Weights begin as in He et al. 2015, with small last layers of the stages; from PyTorch's own beginning more units die. A
unit is dead that is 0 in every cell of 64 squares: the gradient of a dead layer says nothing about vanishing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks._machine import describe
from experiments._small_cpm import Init, Setting, around_joints, convolutions, dead_units, fresh, trained
from torch import nn

from samepose.formats.keypointset import read_keypoint_set
from samepose.models.cpm import Cpm, CpmConfig, paper_stage, receptive_field
from samepose.skeleton import LSP14
from samepose.training.cpm.data import People
from samepose.training.cpm.validate import pck_of_stages

KERNELS = (1, 3, 5, 7, 11)
PCK, AGAINST, DEAD = "PCK@0.2 of each stage", "last stage, against", "dead units of the worst layer, %"
Row = dict[str, Any]


def measured(setting: Setting, models: Iterable[Cpm]) -> Row:
    """PCK@0.2 of each stage in percent, seed by seed, and how much of the network died."""
    rates, dead = [], []
    for model in models:
        found = pck_of_stages(model.eval(), model.config, setting.validation, len(setting.validation))
        rates.append([100 * rate for rate in found.values()])
        dead.append(100 * max(dead_units(model, setting.train.images).values()))
    return {PCK: rates, DEAD: dead}


def against(rows: list[Row], pairs: Sequence[tuple[int, int]], what: str) -> None:
    """Adds to the first row of each pair the differences of its last stage to the second's, seed by seed."""
    others = dict(pairs)
    for k, row in enumerate(rows):
        row[f"{AGAINST} {what}"] = [
            [a[-1] - b[-1]] for a, b in zip(row[PCK], rows[others[k]][PCK])] if k in others else None


def gradients(setting: Setting) -> list[Row]:
    """Spread of the gradients of each layer's weights, with and without intermediate supervision."""
    last, part = setting.config.stages - 1, max(setting.steps // 5, 1)
    rows: dict[tuple[Init, str], Row] = {}
    for init in ("he", "pytorch"):
        for name, supervised in (("every stage", range(last + 1)), ("last only", [last])):
            for seed in setting.seeds:
                spread: dict[str, list[float]] = {}

                def look(model: Cpm, into: dict[str, list[float]] = spread) -> None:
                    for layer, conv in convolutions(model).items():
                        into.setdefault(layer, []).append(float(conv.weight.grad.std()))  # type: ignore[union-attr]

                model = trained(setting, fresh(setting.config, seed, init), supervised, setting.steps, seed, look=look)
                dead = dead_units(model, setting.train.images)
                for layer, values in spread.items():
                    row = rows.setdefault((init, layer), {"first weights": init, "layer": layer})
                    for when, at in (("early", slice(0, part)), ("late", slice(-part, None))):
                        row.setdefault(f"{name}, {when}", []).append(float(np.median(values[at])))
                    row.setdefault(f"{name}, dead", []).append(dead.get(layer, 0.0))
    return list(rows.values())


def schemes(setting: Setting) -> list[Row]:
    """The four ways to train, at equal numbers of updates of every weight; the joint one also twice as long."""
    config, everything, last = setting.config, range(setting.config.stages), setting.config.stages - 1

    def joint(seed: int, steps: int, supervised: Sequence[int]) -> Cpm:
        return trained(setting, fresh(config, seed), supervised, steps, seed)

    @cache
    def stacked(seed: int) -> Cpm:
        model = fresh(config, seed)
        for stage in everything:
            parts = [model.first] if stage == 0 else [model.later[stage - 1], *([model.features] * (stage == 1))]
            trained(setting, model, [stage], setting.steps, seed, parts)
        return model

    once, twice = setting.steps, 2 * setting.steps
    runs: list[tuple[str, int, Callable[[int], Cpm]]] = [
        ("(i) joint, every stage supervised", once, lambda seed: joint(seed, once, everything)),
        ("(ii) stage by stage", once, stacked),
        ("(iv) joint, last stage supervised", once, lambda seed: joint(seed, once, [last])),
        ("(i) joint, every stage supervised", twice, lambda seed: joint(seed, twice, everything)),
        ("(iii) joint from (ii)", twice, lambda seed: trained(
            setting, deepcopy(stacked(seed)), everything, once, seed)),
        ("(iv) joint, last stage supervised", twice, lambda seed: joint(seed, twice, [last])),
    ]
    rows = [{"scheme": name, "updates of each weight": updates, **measured(setting, map(run, setting.seeds))}
            for name, updates, run in runs]
    against(rows, [(1, 0), (2, 0), (4, 3), (5, 3)], "(i)")
    return rows


def stages(setting: Setting, most: int = 6) -> list[Row]:
    """Networks of one to six stages, jointly trained."""
    rows = [{"stages": n, **measured(setting, (
        trained(setting, fresh(replace(setting.config, stages=n), seed), range(n), setting.steps, seed)
        for seed in setting.seeds))} for n in range(1, most + 1)]
    against(rows, [(k, k - 1) for k in range(1, most)], "one fewer")
    return rows


def field(setting: Setting) -> list[Row]:
    """Two stages; wider kernels over the belief maps, with fewer channels so that parameters stay as many."""
    rows: list[Row] = []
    config = replace(setting.config, stages=2)
    most = _parameters(_second_stage(config, KERNELS[-1], config.width))
    for kernel in KERNELS:
        width = next(w for w in count(config.width) if _parameters(_second_stage(config, kernel, w)) >= most)
        model = fresh(config, 0, second=_second_stage(config, kernel, width))
        rows.append({
            "kernel": kernel, "channels": width,
            "receptive field, pixels": receptive_field([model.first, model.later[0]])[0],
            "parameters of stage 2": _parameters(model.later[0]),
            **measured(setting, (trained(
                setting, fresh(config, seed, second=_second_stage(config, kernel, width)), range(2), setting.steps, seed
            ) for seed in setting.seeds)),
        })
    against(rows, [(k, k - 1) for k in range(1, len(rows))], "the row above")
    return rows


def _second_stage(config: CpmConfig, kernel: int, width: int) -> nn.Sequential:
    maps = len(config.joints) + 1
    return paper_stage(config.width // 4 + maps + 1, maps, replace(config, kernel=kernel, width=width))


def _parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def losses(setting: Setting) -> list[Row]:
    """The paper's l2 distance to the ideal maps, and the cross-entropy of a softmax over each map, from both inits."""
    rows = [{"loss": loss, "first weights": init, **measured(setting, (
        trained(setting, fresh(config, seed, init), range(config.stages), setting.steps, seed)
        for seed in setting.seeds))}
        for init in ("he", "pytorch") for loss, config in (
            ("l2 (paper)", replace(setting.config, beliefs="linear")),
            ("cross-entropy of a softmax over each map", replace(setting.config, beliefs="softmax")))]
    against(rows, [(1, 0), (3, 2)], "l2")
    return rows


def prepared(args: argparse.Namespace) -> Setting:
    """Squares of some people, decoded once; others to validate on."""
    config = CpmConfig("paper", LSP14.joints, args.size, args.stages, args.width, beliefs="linear")
    train = People([around_joints(read_keypoint_set(args.data))[: args.people]], LSP14.joints)
    validation = People([around_joints(read_keypoint_set(args.validation))[: args.validated]], LSP14.joints)
    batch = train.batch(range(len(train)), args.size, None, np.random.default_rng(0))
    batch = replace(batch, images=batch.images.contiguous(memory_format=torch.channels_last))
    return Setting(config, batch, validation, args.steps, range(args.seeds))


def markdown(rows: list[Row]) -> str:
    """A table; of the seeds, mean ± deviation (rates), median (gradients)."""
    def cell(name: str, value: Any) -> str:
        if value is None:
            return "-"
        if not isinstance(value, list):
            return str(value)
        seeds = np.array(value)
        if seeds.ndim == 1:
            return f"{seeds.max():.0f}" if name == DEAD else f"{np.median(seeds):.2g}"
        spread = seeds.std(axis=0, ddof=1) if len(seeds) > 1 else np.full(seeds.shape[1], np.nan)
        sign, spread = ("+", spread / np.sqrt(len(seeds))) if name.startswith(AGAINST) else ("", spread)
        return " / ".join(f"{m:{sign}.1f} ± {s:.1f}" for m, s in zip(seeds.mean(axis=0), spread))

    head = list(rows[0])
    lines = [head, ["---"] * len(head), *([cell(k, row[k]) for k in head] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    analyses: dict[str, Callable[[Setting], list[Row]]] = {
        "gradients": gradients, "schemes": schemes, "stages": stages, "field": field, "losses": losses}
    parser.add_argument("analysis", choices=analyses)
    parser.add_argument("--data", type=Path, required=True, help="people to train on")
    parser.add_argument("--validation", type=Path, required=True, help="people to measure on")
    for name, default in (("steps", 600), ("seeds", 4), ("people", 4000), ("validated", 500), ("size", 96),
                          ("width", 16), ("stages", 3), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--quick", action="store_true", help="3 steps of a tiny network, two seeds")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    if args.quick:
        args.steps, args.seeds, args.people, args.size, args.width = 3, 2, 20, 32, 4
    torch.set_num_threads(args.threads)
    print(describe("numpy", "torch"), file=sys.stderr)
    started = time.process_time()
    rows = analyses[args.analysis](prepared(args))
    seconds = round(time.process_time() - started)
    print(json.dumps({"analysis": args.analysis, "cpu_seconds": seconds, "rows": rows}) if args.json
          else f"{markdown(rows)}\n\n{seconds} s of CPU time")


if __name__ == "__main__":
    main()
