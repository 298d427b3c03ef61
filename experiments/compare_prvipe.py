"""Train Pr-VIPE's rivals or variants side by side and print one table of hit rates: one command per experiment.

    python -m experiments.compare_prvipe baselines --data DIR… --out RUNS

EXPERIMENT is one of
  baselines  lifting, L2-VIPE, VIPE and Pr-VIPE, each trained on four fixed chest-level views only and on those mixed
             half and half with random views (Sun 2020, table 1), with 2D Procrustes beside them;
  dim        8, 16 and 32 dimensions (Sun 2020, section 4.2);
  samples    the paper's losses with K = 5 and 20 samples, and in closed form (supplement, "Number of samples K");
  beta       the paper's losses with a ratio of 1.25, 2 and 3 (supplement, "Margin parameter");
  angles     random elevation and roll of ±0, ±15, ±30 and ±45 degrees (supplement, "Camera augmentation");
  kappa      poses that match within 0.05, 0.1 and 0.2 in training (section 4.2, "Ablation");
  keypoints  trained on perfect keypoints, with Gaussian jitter, with the measured faults of the detector;
  dropout    with and without hidden keypoints, measured with two limbs hidden as well.
All train on the subjects that are not held out, for equally many steps, from the same seed, and are measured on the
same frames of the held-out ones. A run that is already there is continued, or used if complete.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from samepose.evaluation.report import markdown_table
from samepose.evaluation.retrieval import Keypoints2D, RetrievalResult, Scorer, evaluate, select_frames
from samepose.evaluation.views import CAMERAS, Keypoints
from samepose.formats.subjects import load_many, read_subjects, split
from samepose.models.prvipe import PrVipeConfig
from samepose.training.loop import LoopConfig
from samepose.training.prvipe.recipe import PrVipeRecipeConfig
from samepose.training.prvipe.train import load_model, train_prvipe
from samepose.training.prvipe.validate import scorer_of

OURS = PrVipeRecipeConfig(triplet=0, positive=0, contrast=3, pairs=0.5, prior=0.001)
PAPER = PrVipeRecipeConfig(pairs=0)
NAMES = {"lifting": "lifting + Procrustes", "l2": "L2-VIPE", "point": "VIPE", "gaussian": "Pr-VIPE"}
LIMBS = ("left_elbow", "left_wrist", "right_knee", "right_ankle")
KEYPOINTS: tuple[Keypoints, ...] = ("perfect", "noisy", "detected")


def variants(experiment: str) -> dict[str, PrVipeRecipeConfig]:
    """Label -> recipe of each run of an experiment."""
    def augmented(recipe: PrVipeRecipeConfig, **changes: Any) -> PrVipeRecipeConfig:
        return replace(recipe, augment=replace(recipe.augment, **changes))

    if experiment == "baselines":
        return {
            name + tail: augmented(replace(OURS, model=PrVipeConfig(kind=kind)), cameras=cameras)  # type: ignore[arg-type]
            for kind, name in NAMES.items() for tail, cameras in (("", "chest4"), (", augmented", "mixed"))
        }
    if experiment == "dim":
        return {f"{n} dimensions": replace(OURS, model=PrVipeConfig(dim=n)) for n in (8, 16, 32)}
    if experiment == "samples":
        return {f"K = {k}" if k else "closed form": replace(PAPER, samples=k) for k in (5, 20, 0)}
    if experiment == "beta":
        return {f"beta = {beta}": replace(PAPER, beta=beta) for beta in (1.25, 2.0, 3.0)}
    if experiment == "angles":
        return {f"±{a}°": augmented(OURS, elevation=float(a), roll=float(a)) for a in (0, 15, 30, 45)}
    if experiment == "kappa":
        return {f"kappa = {kappa}": replace(OURS, kappa=kappa) for kappa in (0.05, 0.1, 0.2)}
    if experiment == "keypoints":
        return {"perfect": augmented(OURS, jitter=0, swap=0, nose=0), "jitter": OURS,
                "detector": augmented(OURS, detector=0.6)}
    return {"hidden keypoints": OURS, "none hidden": augmented(OURS, hide=0.0)}


def measure(scorers: dict[str, Scorer], points: Any, hide: Sequence[str] = ()) -> list[RetrievalResult]:
    """Every condition; with `hide` only perfect keypoints."""
    return [
        result for cameras in ("chest4", "all11") for keypoints in (KEYPOINTS[:1] if hide else KEYPOINTS)
        for result in evaluate(points, scorers, CAMERAS[cameras], cameras_name=cameras, keypoints=keypoints, hide=hide)
    ]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", metavar="EXPERIMENT", choices=(
        "baselines", "dim", "samples", "beta", "angles", "kappa", "keypoints", "dropout"))
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--held-out", type=Path)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--precision", default="bf16-mixed")
    args = parser.parse_args(argv)
    train, held = split(load_many(args.data), read_subjects(args.held_out))
    points = held.points[select_frames(held.points, args.frames)]
    loop = LoopConfig(steps=args.steps, validate_every=args.steps, save_every=max(1, args.steps // 5),
                      threads=args.threads, precision=args.precision)
    scorers: dict[str, Scorer] = {}
    for label, recipe in variants(args.experiment).items():
        recipe = replace(recipe, batch=args.batch, model=replace(recipe.model, width=args.width))
        run = args.out / args.experiment / label.replace(" ", "_").replace(",", "")
        train_prvipe(train, None, run, recipe, loop, resume=True)
        scorers[label] = scorer_of(load_model(run))
        print(f"{label}: trained", flush=True)
    if args.experiment == "baselines":
        scorers["2D Procrustes"] = Keypoints2D()
    results = measure(scorers, points)
    if args.experiment == "dropout":
        results += measure(scorers, points, LIMBS)
    for kappa in (0.1, 0.05):
        print(f"\n{markdown_table(results, kappa)}")
    print(f"\nN = {len(points)} frames of held-out subjects; {args.steps} steps of {args.batch}, width {args.width}")
    rows = [{**vars(r), "hit": {str(k): v for k, v in r.hit.items()}} for r in results]
    (args.out / f"{args.experiment}.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
