"""What the pair network owes to the geometry of two views: variants side by side, at equal steps.

    python -m experiments.compare_pairs --data DIR… --embedder HELD_OUT.onnx --out RUNS --steps 300 --seeds 2

Rows are
  embedding   the embedding alone, whose shortlists the others rank;
  left over   no network: minus the logarithm of what two views leave over of rank 3, the least eigenvalue of the pair;
  raw         the network without the features of that geometry, which it could work out of the two poses: they are 0;
  pairs       the network of the recipe.

Networks learn from the subjects that are not held out, for equally many steps of the same batches from the same seeds.
The weights of network and embedding are fitted to one half of the held-out people, and Hit@1 is measured on the other
half (four level cameras, shortlists of 50), whom nothing has seen. A run that is there is used if it is complete.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from samepose.embed.pairs import PairModel, PairsInfo
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.calibrator import FITTED, alike_halves
from samepose.evaluation.pair_calibrator import fitted, listed
from samepose.evaluation.retrieval import PrVipe, Reranked, Scorer, evaluate, select_frames
from samepose.evaluation.views import CHEST4, Keypoints, keypoint_views
from samepose.formats.subjects import load_many, read_subjects, split
from samepose.geometry.procrustes import np_mpjpe_matrix
from samepose.skeleton import BODY13
from samepose.training.loop import LoopConfig, fit
from samepose.training.pairs.recipe import UNFITTED, PairsRecipe, PairsRecipeConfig, model_of
from samepose.training.pairs.train import load_model
from samepose.training.prvipe.recipe import MotionPool

KEYPOINTS: tuple[Keypoints, ...] = ("perfect", "noisy", "detected")
_POSES = 5 * len(BODY13)  # features that are the two poses and their mask
_LEAST = -4  # the least eigenvalue's logarithm among the features
Run = Callable[[Float[np.ndarray, "n feature"]], Float[np.ndarray, " n"]]


class RawRecipe(PairsRecipe):
    """The recipe without the features of two-view geometry."""

    def loss(self, model: nn.Module, rng: torch.Generator, device: torch.device) -> tuple[Tensor, dict[str, float]]:
        return super().loss(lambda x: model(without_geometry(x)), rng, device)  # type: ignore[arg-type]

    def config(self) -> dict[str, Any]:
        return {**super().config(), "raw": True}


def without_geometry(x: Tensor) -> Tensor:
    """Features of which only the two poses and their mask are left."""
    return torch.cat([x[:, :_POSES], torch.zeros_like(x[:, _POSES:])], 1)


def main(argv: Sequence[str] | None = None) -> None:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--embedder", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    embedder = PrVipeEmbedder.load(options.embedder, options.threads)
    train, held_out = split(load_many(options.data, None), read_subjects(None))
    first, second = alike_halves(held_out.points, held_out.subject)
    own, others = (held_out.points[np.isin(held_out.subject, half)] for half in (first, second))
    own, others = own[select_frames(own)], others[select_frames(others)]
    pool, told = MotionPool.of(train.points, train.clip), dict[str, Any]()
    alone = PrVipe(embedder.embed_keypoints, embedder.matching)
    told["embedding"] = [measured(alone, others)]
    print("embedding", told["embedding"], flush=True)
    told["left over"] = [measured(ranked(alone, embedder, lambda x: -x[:, _LEAST], own), others)]
    print("left over", told["left over"], flush=True)
    for name, recipe in (("raw", RawRecipe), ("pairs", PairsRecipe)):
        told[name] = []
        for seed in range(options.seeds):
            run = options.out / f"{name}-{options.steps}-{seed}"
            torch.manual_seed(seed)
            loop = LoopConfig(steps=options.steps, learning_rate=1e-3, weight_decay=1e-2, seed=seed,
                              threads=options.threads, precision="bf16-mixed")
            fit(recipe(PairsRecipeConfig(), pool, embedder), loop, run, resume=True)
            network = model_of(load_model(run))._run
            raw: Run = lambda x, network=network: network(without_geometry(torch.from_numpy(x)).numpy())  # noqa: E731
            told[name].append(measured(ranked(alone, embedder, raw if name == "raw" else network, own), others))
            print(name, seed, told[name][-1], flush=True)
    print(json.dumps({"frames": len(others), "steps": options.steps, "rows": told}))


def ranked(alone: PrVipe, embedder: PrVipeEmbedder, run: Run, points: Float[np.ndarray, "n 17 3"]) -> Reranked:
    """The embedding's shortlists in the order of a network, the weights of both fitted to `points`."""
    pairs = PairModel(run, PairsInfo("compared", UNFITTED))
    errors = np_mpjpe_matrix(points, points)
    matching = fitted([listed(embedder, pairs, keypoint_views(points, CHEST4, kind), errors) for kind in FITTED])
    return Reranked(alone, PairModel(run, replace(pairs.info, matching=matching)))


def measured(scorer: Scorer, points: Float[np.ndarray, "n 17 3"]) -> dict[str, list[float]]:
    """For each kind of keypoints Hit@1 in % at kappa 0.1 and 0.05."""
    found = {}
    for kind in KEYPOINTS:
        (result,) = evaluate(points, {"it": scorer}, CHEST4, cameras_name="chest4", keypoints=kind)
        found[kind] = [round(100 * result.hit[kappa][1], 1) for kappa in (0.1, 0.05)]
    return found


if __name__ == "__main__":
    main()
