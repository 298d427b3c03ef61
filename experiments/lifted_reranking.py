"""What lifting adds to the second look: shortlists ranked by the embedding, the pair network and distances in space.

    python -m experiments.lifted_reranking MOCAP [MOCAP ...] --embedder HELD_OUT.onnx [--pairs PAIRS.onnx]

On 1,500 frames of held-out people as in `samepose eval retrieval`, the first of the embedding's 50 likeliest, in the
order of a search (`embed.pairs`). Each half of the people asks with the numbers fitted to the other half, of every way
of ranking its own (`evaluation.pair_calibrator`). In %: Hit@1 and Hit@10 at kappa 0.1 (0.05), how many of the first
five and ten match.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
from experiments.agreement import measured
from jaxtyping import Bool, Float

from samepose.embed.lifting import shipped_lifting
from samepose.embed.pairs import Compared, PairMatching, PairModel
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.evaluation.calibrator import FRAMES, alike_halves
from samepose.evaluation.pair_calibrator import fitted, scene
from samepose.evaluation.retrieval import select_frames
from samepose.evaluation.views import CAMERAS, Keypoints, keypoint_views
from samepose.formats.subjects import load_many, only, read_subjects
from samepose.geometry.procrustes import np_mpjpe_matrix

# What is heard beside the embedding.
WAYS: dict[str, Callable[[Compared], Compared]] = {
    "pair network": lambda said: said._replace(apart=np.ones_like(said.apart)),
    "lifting": lambda said: said._replace(logit=0 * said.logit),
    "both": lambda said: said,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mocap", type=Path, nargs="+", help="motion capture with the held-out people in it")
    parser.add_argument("--embedder", type=Path, required=True, help="embedding that never saw them")
    parser.add_argument("--pairs", type=Path, help="pair network that never saw them (default: the shipped one)")
    parser.add_argument("--cameras", choices=list(CAMERAS), nargs="+", default=list(CAMERAS))
    parser.add_argument("--keypoints", choices=get_args(Keypoints), nargs="+", default=list(get_args(Keypoints)))
    words = parser.parse_args()
    people = only(load_many(words.mocap, None), read_subjects(None))
    embedder, network = PrVipeEmbedder.load(words.embedder), PairModel.load(words.pairs)
    pairs = PairModel(network._run, network.info, shipped_lifting())
    halves, matchings = alike_halves(people.points, people.subject), []
    for half in halves[::-1]:
        theirs = people.points[np.isin(people.subject, half)]
        lists = list(scene(embedder, pairs, theirs[select_frames(theirs, FRAMES)]).values())
        matchings.append({name: fitted([one._replace(**way(one.said)._asdict()) for one in lists])
                          for name, way in WAYS.items()})
    print(json.dumps({name: [vars(matching[name]) for matching in matchings] for name in WAYS}), flush=True)
    rows = select_frames(people.points)
    points, first = people.points[rows], np.isin(people.subject[rows], halves[0])
    errors = np_mpjpe_matrix(points, points)
    for cameras in words.cameras:
        for keypoints in words.keypoints:
            views = keypoint_views(points, CAMERAS[cameras], keypoints)
            found = measured(views, errors, embedder, pairs, partial(orders, matchings, first))
            print(json.dumps({"cameras": cameras, "keypoints": keypoints, "found": found}), flush=True)


def orders(
    matchings: Sequence[dict[str, PairMatching]], first: Bool[np.ndarray, " query"], said: Compared,
    theirs: Float[np.ndarray, "query k"], between: Float[np.ndarray, "query k k"],
) -> dict[str, Float[np.ndarray, "query k"]]:
    """That of a search, by every way.

    Args:
        matchings: of the queries that are of the `first` half of the people, and of the others.
    """
    return {name: np.where(first[:, None], *(of[name].order(way(said), theirs, between) for of in matchings))
            for name, way in WAYS.items()}


if __name__ == "__main__":
    main()
