"""What the score of `samepose find` says, on real clips: how often the best place of a clip shows the move.

    python -m experiments.find_scores --jhmdb FOLDER [--poses CACHE] --penn FOLDER [--per-action 8]

Each clip is the example for all others, whose best place counts as right when the clip is of the same action. Right and
wrong pairs weigh the same in all: the score is a probability where half of the clips show the move. Prints the
temperature under which the right answers are likeliest, and what the scores are with it and without.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from benchmarks._machine import describe
from experiments.recognition_cutoff import jhmdb, penn

from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import UsageError
from samepose.sequences.clip import Clip
from samepose.sequences.subsequence import Example

_TRIED = np.geomspace(0.5, 4, 200)
_EDGES = (0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.97, 1)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, find, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jhmdb", type=Path, required=True)
    parser.add_argument("--penn", type=Path, required=True)
    parser.add_argument("--poses", type=Path, help="folder to keep the poses of JHMDB in")
    parser.add_argument("--per-action", type=int, default=8, help="clips of each action of Penn's training part")
    options = parser.parse_args(argv)
    print(describe("numpy", "onnxruntime", "numba"))
    embedder = PrVipeEmbedder.load()
    for name, (clips, actions) in (("jhmdb, from pixels", jhmdb(options.jhmdb, options.poses, embedder)),
                                   ("penn, annotated joints", penn(options.penn, options.per_action, embedder))):
        _report(name, *_found(clips, actions))


def _found(clips: Sequence[Clip], actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each pair: number of the example, logit of the best place, and whether it is of the same action."""
    rows = []
    for n, clip in enumerate(clips):
        try:
            example = Example.of(clip)
        except UsageError:  # seen too briefly
            continue
        for other in set(range(len(clips))) - {n}:
            for place in example.places(clips[other], most=1):
                rows.append((n, place.logit, actions[n] == actions[other]))
    example, logit, same = map(np.array, zip(*rows))
    return example, logit, same


def _loss(logit: np.ndarray, same: np.ndarray, temperature: float) -> float:
    """Mean -log of the probability of what is the case, right and wrong pairs weighing the same."""
    loss = np.logaddexp(0, np.where(same, -logit, logit) / temperature)
    return float((loss[same].mean() + loss[~same].mean()) / 2)


def _likeliest(logit: np.ndarray, same: np.ndarray) -> float:
    return float(_TRIED[np.argmin([_loss(logit, same, t) for t in _TRIED])])


def _report(name: str, example: np.ndarray, logit: np.ndarray, same: np.ndarray) -> None:
    fitted, rng, drawn = _likeliest(logit, same), np.random.default_rng(0), []
    for _ in range(100):
        chosen = np.concatenate([np.flatnonzero(example == n) for n in rng.choice(np.unique(example), example.max())])
        drawn.append(_likeliest(logit[chosen], same[chosen]))
    low, high = np.percentile(drawn, [5, 95])
    print(f"\n{name}: {len(logit):,} pairs, {same.mean():.1%} of one action; likeliest temperature {fitted:.2f} "
          f"(5 to 95 % of 100 draws of the examples: {low:.2f} to {high:.2f})")
    best = np.array([logit[example == n].max() for n in np.unique(example)])
    ten = np.concatenate([np.sort(logit[example == n])[-10:] for n in np.unique(example)])
    for temperature in (1.0, 1.83):
        score, first, tens = (1 / (1 + np.exp(-values / temperature)) for values in (logit, best, ten))
        print(f"  temperature {temperature}: loss {_loss(logit, same, temperature):.3f}; shown as 1.00: "
              f"{(first >= 0.995).mean():.1%} of the best finds, {(tens >= 0.995).mean():.1%} of the ten best; ten "
              f"best, 10, 25, 50, 75, 90 %: {', '.join(f'{v:.2f}' for v in np.percentile(tens, [10, 25, 50, 75, 90]))}")
        for low, high in pairwise(_EDGES):
            inside = (score >= low) & (score < high)
            right, wrong = (inside & same).sum() / same.sum(), (inside & ~same).sum() / (~same).sum()
            if inside.any():
                true = right / (right + wrong)
                print(f"    score {low:4.2f} to {high:4.2f}: {inside.sum():5d} pairs, {true:.1%} right")


if __name__ == "__main__":
    main()
