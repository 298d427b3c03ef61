"""Train Pr-VIPE's rivals or variants side by side and print tables of hit rates: one command per experiment.

    python -m experiments.compare_prvipe losses --data DIR… --out RUNS --steps 4000 --seeds 2

EXPERIMENT is one of
  baselines-paper  lifting, L2-VIPE, VIPE and Pr-VIPE under the losses of Sun 2020, each trained on four fixed
                   chest-level views and on those mixed half and half with random ones (table 1), 2D Procrustes beside;
  baselines-ours   the same with our losses for VIPE and Pr-VIPE; lifting and L2-VIPE keep theirs: the same runs;
  losses           Pr-VIPE on random views, one thing changed from row to row: samples, the smoothing of P, our losses;
  lifting          lifting and Pr-VIPE on random views, the latter's runs those of `losses`: to be run with more and
                   more --steps;
  dim              8, 16 and 32 dimensions (Sun 2020, section 4.4);
  samples          the paper's losses with K = 5 and 20 samples, and in closed form (supplement C);
  beta             the paper's losses, in closed form, with a ratio of 1.25, 2 and 3 (supplement C);
  angles           random elevation and roll of ±0, ±15, ±30 and ±45 degrees, uniform (supplement C);
  kappa            poses that match within 0.05, 0.1 and 0.2 in training (supplement C);
  keypoints        trained on perfect keypoints, with Gaussian jitter, with the measured faults of the detector;
  dropout          with and without hidden keypoints, measured with two limbs hidden as well.

All variants of an experiment train on the subjects that are not held out, for equally many steps of the same batch,
width and optimiser, from the same seeds, and are measured on the same frames of the held-out ones. Bodies, keypoint
faults and the batch's hard negatives are those of our recipe in every one: "paper" is the paper's losses, not its data,
optimiser (Adagrad) or 5,000,000 steps. A run that is already there is continued, or used if complete.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from samepose.evaluation.report import markdown_table
from samepose.evaluation.retrieval import Hits, Keypoints2D, RetrievalResult, Scorer, evaluate, select_frames
from samepose.evaluation.views import CAMERAS, Keypoints
from samepose.formats.subjects import load_many, read_subjects, split
from samepose.models.prvipe import Kind, PrVipeConfig
from samepose.training.loop import LoopConfig
from samepose.training.prvipe.recipe import PrVipeRecipeConfig
from samepose.training.prvipe.train import load_model, train_prvipe
from samepose.training.prvipe.validate import scorer_of

OURS = PrVipeRecipeConfig(samples=0, smoothing=0.0, triplet=0.0, positive=0.0, prior=0.001, contrast=3.0, pairs=0.5)
PAPER = PrVipeRecipeConfig(samples=20, smoothing=0.1, triplet=1.0, positive=0.005, prior=0.001, contrast=0.0, pairs=0.0)
EXPERIMENTS = ("baselines-paper", "baselines-ours", "losses", "lifting", "dim", "samples", "beta", "angles", "kappa",
               "keypoints", "dropout")
LIMBS = ("left_elbow", "left_wrist", "right_knee", "right_ankle")
KEYPOINTS: tuple[Keypoints, ...] = ("perfect", "noisy", "detected")
_CURVE_POINTS, _CURVE_FRAMES = 4, 300


def augmented(recipe: PrVipeRecipeConfig, **changes: Any) -> PrVipeRecipeConfig:
    """The recipe with other views."""
    return replace(recipe, augment=replace(recipe.augment, **changes))


def on_both_views(label: str, recipe: PrVipeRecipeConfig, kind: Kind) -> dict[str, PrVipeRecipeConfig]:
    """A kind of model on the fixed views, and with camera augmentation: uniform random views, as in the paper."""
    recipe = replace(recipe, model=PrVipeConfig(kind=kind))
    return {label: augmented(recipe, cameras="chest4", level=0.0),
            f"{label}, augmented": augmented(recipe, cameras="mixed", level=0.0)}


def variants(experiment: str) -> dict[str, PrVipeRecipeConfig]:
    """Label -> recipe of each run of an experiment."""
    rivals = (on_both_views("lifting + Procrustes", PAPER, "lifting")
              | on_both_views("L2-VIPE (squared-L2 triplet)", PAPER, "l2"))
    match experiment:
        case "baselines-paper":
            return (rivals | on_both_views("VIPE (paper's losses)", PAPER, "point")
                    | on_both_views("Pr-VIPE (paper's losses, K = 20)", PAPER, "gaussian"))
        case "baselines-ours":
            return (rivals | on_both_views("VIPE (our losses)", OURS, "point")
                    | on_both_views("Pr-VIPE (our losses)", OURS, "gaussian"))
        case "losses":
            return {
                "paper: K = 20, P in 0.05-0.95": PAPER,
                "paper, closed form, P in 0.05-0.95": replace(PAPER, samples=0),
                "paper, closed form, P as it is": replace(PAPER, samples=0, smoothing=0.0),
                "ours, closed form, P as it is": OURS,
                "ours, closed form, P in 0.05-0.95": replace(OURS, smoothing=0.1),
            }
        case "lifting":
            lifting = {"lifting + Procrustes, random views": replace(PAPER, model=PrVipeConfig(kind="lifting"))}
            return lifting | {label: recipe for label, recipe in variants("losses").items() if recipe in (PAPER, OURS)}
        case "dim":
            return {f"{n} dimensions": replace(OURS, model=PrVipeConfig(dim=n)) for n in (8, 16, 32)}
        case "samples":
            return {f"K = {k}" if k else "closed form": replace(PAPER, samples=k) for k in (5, 20, 0)}
        case "beta":
            return {f"beta = {beta}": replace(PAPER, samples=0, beta=beta) for beta in (1.25, 2.0, 3.0)}
        case "angles":
            return {f"±{a}°": augmented(OURS, elevation=float(a), roll=float(a), level=0.0) for a in (0, 15, 30, 45)}
        case "kappa":
            return {f"kappa = {kappa}": replace(OURS, kappa=kappa) for kappa in (0.05, 0.1, 0.2)}
        case "keypoints":
            return {"perfect": augmented(OURS, jitter=0.0, swap=0.0, nose=0.0), "jitter": OURS,
                    "detector": augmented(OURS, detector=0.6)}
        case _:
            return {"hidden keypoints": OURS, "none hidden": augmented(OURS, hide=0.0)}


def described(recipe: PrVipeRecipeConfig) -> str:
    """Losses and views of a run, in words."""
    views = recipe.augment.cameras if recipe.augment.cameras == "chest4" else (
        f"{recipe.augment.cameras}, ±{recipe.augment.elevation:.0f}°, level share {recipe.augment.level}")
    if recipe.model.kind == "lifting":
        losses = "mean squared error of 13 joints in camera axes"
    elif recipe.model.kind == "l2":
        losses = f"squared-L2 triplet, margin {recipe.l2_margin}"
    else:
        weights = {name: getattr(recipe, name) for name in ("triplet", "positive", "prior", "contrast", "pairs")}
        if recipe.model.kind == "point":
            del weights["prior"]
        form = f"K = {recipe.samples}" if recipe.samples and recipe.model.kind == "gaussian" else "closed form"
        losses = ", ".join(f"{name} {w:g}" for name, w in weights.items() if w) + f", {form}, s = {recipe.smoothing:g}"
    return f"{losses}; views {views}"


def measure(scorers: dict[str, Scorer], points: Any, hide: Sequence[str] = ()) -> list[RetrievalResult]:
    """Every condition; with `hide` only perfect keypoints."""
    return [
        result for cameras in ("chest4", "all11") for keypoints in (KEYPOINTS[:1] if hide else KEYPOINTS)
        for result in evaluate(points, scorers, CAMERAS[cameras], cameras_name=cameras, keypoints=keypoints, hide=hide)
    ]


def averaged(seeds: Sequence[Sequence[RetrievalResult]]) -> list[RetrievalResult]:
    """Mean hit rates over the seeds, whose results come in the same order."""
    def mean(hits: Sequence[Hits]) -> Hits:
        return {kappa: {k: float(np.mean([h[kappa][k] for h in hits])) for k in row} for kappa, row in hits[0].items()}

    return [replace(same[0], hit=mean([r.hit for r in same])) for same in zip(*seeds, strict=True)]


def spread(seeds: Sequence[Sequence[RetrievalResult]]) -> str:
    """Hit@1 at kappa 0.1, lowest to highest of the seeds, a line for each variant."""
    lines: dict[str, list[str]] = {}
    for same in zip(*seeds, strict=True):
        first = sorted(100 * r.hit[0.1][1] for r in same)
        lines.setdefault(same[0].model, []).append(
            f"{same[0].cameras} {same[0].keypoints} {first[0]:.1f}-{first[-1]:.1f}")
    return "\n".join(f"{label}: {', '.join(cells)}" for label, cells in lines.items())


def curve(run: Path) -> dict[int, dict[str, float]]:
    """Step -> validation figures, in % (a resumed run writes some steps twice)."""
    lines = [json.loads(line) for line in (run / "validation.jsonl").read_text().splitlines()]
    return {line.pop("step"): {name: round(100 * rate, 1) for name, rate in line.items()} for line in lines}


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", metavar="EXPERIMENT", choices=EXPERIMENTS)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--held-out", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=1, help="runs of each variant, from seeds 0, 1, …")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--precision", default="bf16-mixed")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = arguments(argv)
    train, held = split(load_many(args.data), read_subjects(args.held_out))
    points = held.points[select_frames(held.points, args.frames)]
    recipes = {label: replace(recipe, batch=args.batch, model=replace(recipe.model, width=args.width))
               for label, recipe in variants(args.experiment).items()}
    results: list[list[RetrievalResult]] = []
    curves: dict[str, dict[int, dict[str, float]]] = {}
    for seed in range(args.seeds):
        loop = LoopConfig(steps=args.steps, validate_every=max(1, args.steps // _CURVE_POINTS), seed=seed,
                          save_every=max(1, args.steps // 5), threads=args.threads, precision=args.precision)
        scorers: dict[str, Scorer] = {}
        for label, recipe in recipes.items():
            run = args.out / f"{label}, {args.steps} steps, seed {seed}".replace(" ", "_").replace(",", "")
            train_prvipe(train, held, run, recipe, loop, resume=True, frames=_CURVE_FRAMES)
            scorers[label], curves[run.name] = scorer_of(load_model(run)), curve(run)
            print(f"{label}, seed {seed}: " + ", then ".join(
                f"{figures} at step {step}" for step, figures in list(curves[run.name].items())[-2:]), flush=True)
        if args.experiment.startswith("baselines"):
            scorers["2D Procrustes"] = Keypoints2D()
        results.append(measure(scorers, points))
        if args.experiment == "dropout":
            results[-1] += measure(scorers, points, LIMBS)
        report(args, recipes, results, curves, len(points))


def report(
    args: argparse.Namespace, recipes: dict[str, PrVipeRecipeConfig], results: list[list[RetrievalResult]],
    curves: dict[str, dict[int, dict[str, float]]], frames: int,
) -> None:
    """Tables and what they are of, and all of it as JSON."""
    for kappa in (0.1, 0.05):
        print(f"\n{markdown_table(averaged(results), kappa)}")
    if len(results) > 1:
        print(f"\nHit@1, lowest to highest of {len(results)} seeds\n{spread(results)}")
    words = {label: described(recipe) for label, recipe in recipes.items()}
    print(f"\nN = {frames} frames of held-out subjects; {args.steps} steps of {args.batch} pairs, width {args.width}, "
          f"seeds 0 to {len(results) - 1}; the learning rate falls to 0, so a curve that is flat at its end does not "
          "show convergence: compare with more steps.")
    print("\n".join(f"{label}: {text}" for label, text in words.items()), flush=True)
    rows = [{**vars(r), "seed": seed, "hit": {str(k): v for k, v in r.hit.items()}}
            for seed, of_seed in enumerate(results) for r in of_seed]
    (args.out / f"{args.experiment}-{args.steps}.json").write_text(json.dumps(
        {"steps": args.steps, "batch": args.batch, "width": args.width, "runs": words, "rows": rows, "curves": curves},
        indent=1))


if __name__ == "__main__":
    main()
