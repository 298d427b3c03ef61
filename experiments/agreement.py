"""What it brings that those on a shortlist who show the same pose help each other: the second look with and without.

    python -m experiments.agreement MOCAP [MOCAP ...] --embedder HELD_OUT.onnx [--pairs PAIRS.onnx] [--cameras all11]

On 1,500 frames of held-out people as in `samepose eval retrieval`, the first of the embedding's 50 likeliest: by the
embedding alone; by what each is worth alone (network and embedding, the weights of the file); by what these agree on
(`embed.pairs.agreed`) and a share of what each is worth (--own, the first that of a search). In %: Hit@1 and Hit@10 at
kappa 0.1 (0.05), and how many of the first five and ten match.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
from jaxtyping import Float

from samepose.embed.pairs import OWN, SHORTLIST, Compared, PairMatching, PairModel, agreed, log_odds
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.retrieval import select_frames
from samepose.evaluation.views import CAMERAS, Keypoints, keypoint_views
from samepose.formats.subjects import load_many, only, read_subjects
from samepose.geometry.procrustes import np_mpjpe_matrix

ALONE = "each alone"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, nargs="+", help="motion capture with the held-out people in it")
    parser.add_argument("--embedder", type=Path, required=True, help="embedding that never saw them")
    parser.add_argument("--pairs", type=Path, help="pair network that never saw them (default: the shipped one)")
    parser.add_argument("--cameras", choices=list(CAMERAS), default="all11")
    parser.add_argument("--keypoints", choices=get_args(Keypoints), nargs="+", default=list(get_args(Keypoints)))
    parser.add_argument("--own", type=float, nargs="+", default=[OWN, 0.0, 1.0])
    words = parser.parse_args()
    people = only(load_many(words.mocap, None), read_subjects(None)).points
    points, embedder = people[select_frames(people)], PrVipeEmbedder.load(words.embedder)
    pairs = PairModel.load(words.pairs)
    errors = np_mpjpe_matrix(points, points)
    for keypoints in words.keypoints:
        views = keypoint_views(points, CAMERAS[words.cameras], keypoints)
        found = measured(views, errors, embedder, pairs, partial(orders, pairs.info.matching, words.own))
        print(json.dumps({"cameras": words.cameras, "keypoints": keypoints, "frames": len(points), "found": found}),
              flush=True)


def orders(
    matching: PairMatching, shares: Sequence[float], said: Compared, theirs: Float[np.ndarray, "query k"],
    between: Float[np.ndarray, "query k k"],
) -> dict[str, Float[np.ndarray, "query k"]]:
    """By what each is worth alone, and by what all agree on with a share of that."""
    worth = matching.worth(said, theirs)
    common = log_odds(agreed(worth, between))
    return {ALONE: worth} | {f"agreed, own {own:g}": common + own * worth for own in shares}


def measured(
    views: Float[np.ndarray, "camera n 13 2"], errors: Float[np.ndarray, "n n"], embedder: PrVipeEmbedder,
    pairs: PairModel, ways: Callable[[Compared, np.ndarray, np.ndarray], dict[str, np.ndarray]],
) -> dict[str, dict[str, float]]:
    """Way of ranking -> figures in %, the mean over all ordered pairs of cameras.

    Args:
        ways: orders of shortlists by name, of what two pictures say, the embedding's probabilities of each, and those
            of any two on a list; NaN where the embedding's word stays.
    """
    embedded, looks = [embedder.embed_keypoints(view) for view in views], [pairs.look(view) for view in views]
    told, rows = dict[str, list[list[float]]](), np.arange(len(errors))[:, None]
    for e in range(len(views)):
        alike = embedder.matching.probability(embedded[e], embedded[e])
        for q in set(range(len(views))) - {e}:
            p = embedder.matching.probability(embedded[q], embedded[e])
            best = np.argpartition(-p, SHORTLIST - 1, axis=1)[:, :SHORTLIST]
            said = pairs.compared(looks[q], looks[e][best.ravel()])
            theirs = np.take_along_axis(p, best, axis=1)
            found = {"embedding": theirs} | ways(said, theirs, alike[best[:, :, None], best[:, None, :]])
            for name, order in found.items():
                ranked = np.argsort(-np.where(np.isnan(order), theirs - 1e3, order), axis=1, kind="stable")[:, :10]
                told.setdefault(name, []).append(figures(errors[rows, np.take_along_axis(best, ranked, axis=1)]))
    return {name: dict(zip(FIGURES, np.round(100 * np.mean(each, axis=0), 1).tolist())) for name, each in told.items()}


FIGURES = ("hit1", "hit1_tight", "hit10", "hit10_tight", "of5", "of10")


def figures(error: Float[np.ndarray, "query 10"]) -> list[float]:
    """Shares in 0..1, in the order of `FIGURES`, of the first ten of each query."""
    same, tight = error <= 0.1, error <= 0.05
    found = (same[:, 0], tight[:, 0], same.any(axis=1), tight.any(axis=1), same[:, :5], same)
    return [float(one.mean()) for one in found]


if __name__ == "__main__":
    main()
