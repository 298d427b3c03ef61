"""Which order finds a person's own row when a part of the body is ignored and the keypoints are a little astray.

    python -m experiments.masked_reranking PENN [--every 5] [--queries 300]

PENN is Penn Action's folder of labels; people and errors as in `experiments.ignored_joints`, without an index. Orders:
the rule of the index; the distance of the means; the expected squared distance; the nearest in 2D, of the remaining
joints moved and scaled onto each other (not turned), among the 50 likeliest; and the same among those at least 0.9
times as likely as the likeliest. Each is given for the first half of the queries, on which one would choose, and for
the second.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from samepose.embed.prvipe import PrVipeEmbedder
from samepose.formats.penn import read_penn_action
from samepose.matching.embeddings import Embeddings
from samepose.skeleton import BODY13, PARTS

_STRIDE, _ERROR, _NEAR = 6, 0.01, 2
ORDERS = ("rule", "means", "squared", "2D of 50", "2D of 0.9")


def apart(query: Float[np.ndarray, "joint 2"], others: Float[np.ndarray, "n joint 2"]) -> Float[np.ndarray, " n"]:
    """Squared 2D distance of poses, centred and of unit size, over the joints that both have."""
    both = ~np.isnan(query[:, 0]) & ~np.isnan(others[..., 0])

    def unit(points: Float[np.ndarray, "n joint 2"]) -> Float[np.ndarray, "n joint 2"]:
        seen = np.where(both[..., None], points, 0)
        centred = np.where(both[..., None], seen - seen.sum(1, keepdims=True) / both.sum(1)[:, None, None], 0)
        scaled: np.ndarray = centred / np.sqrt((centred**2).sum((1, 2), keepdims=True) + 1e-9)
        return scaled

    distance: np.ndarray = 2 - 2 * (unit(np.broadcast_to(query, others.shape)) * unit(others)).sum((1, 2))
    return distance


def main(argv: Sequence[str] | None = None) -> None:
    """Print the share of own rows that are first, for each part and order, of both halves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--queries", type=int, default=300)
    options = parser.parse_args(argv)
    clips = [v.poses[::_STRIDE].to(BODY13).points for v in read_penn_action(options.folder).videos[:: options.every]]
    points = np.concatenate(clips)
    place = np.array([(c, k) for c, clip in enumerate(clips) for k in range(len(clip))])
    embedder = PrVipeEmbedder.load(threads=1)
    print("ignored        " + "".join(f"{order:>16}" for order in ORDERS))
    for part in ("left_arm", "right_arm", "arms", "left_leg", "right_leg", "legs", "head", "lower_body"):
        found = firsts(embedder, points, place, part, options.queries)
        halves = [np.array_split(found[:, k], 2) for k in range(len(ORDERS))]
        print(f"{part:<15}" + "".join(f"{100 * a.mean():9.1f} {100 * b.mean():6.1f}" for a, b in halves), flush=True)


def firsts(
    embedder: PrVipeEmbedder, points: Float[np.ndarray, "n 13 2"], place: np.ndarray, part: str, queries: int
) -> np.ndarray:
    """(query, order): whether the first is within the half second around the query's own row."""
    hidden = [BODY13.index(j) for j in PARTS[part] if j in BODY13.joints]
    left = points.copy()
    left[:, hidden] = np.nan
    enough = (~np.isnan(left[..., 0])).sum(1) >= embedder.min_joints
    left, points, place = left[enough], points[enough], place[enough]
    masked, rng = embedder.embed_keypoints(left), np.random.default_rng(0)
    freed = np.float32(min(np.median(embedder.embed_keypoints(points).var.sum(1) / masked.var.sum(1)), 1))
    found = []
    for i in rng.permutation(len(left))[:queries]:
        size = (np.nanmax(points[i], 0) - np.nanmin(points[i], 0)).max()
        query = (left[i] + rng.normal(0, _ERROR * size, left[i].shape)).astype(np.float32)
        asked = embedder.embed_keypoints(query[None])
        likely = embedder.matching.probability(
            Embeddings(asked.mean, asked.var * freed),
            Embeddings(masked.mean, np.maximum(masked.var, asked.var) * freed))[0]
        distance = ((asked.mean - masked.mean) ** 2).sum(1)
        best = np.argsort(-likely)[:50]
        close = best[likely[best] >= 0.9 * likely[best[0]]]
        first = (best[0], distance.argmin(), (distance + masked.var.sum(1)).argmin(),
                 best[apart(query, left[best]).argmin()], close[apart(query, left[close]).argmin()])
        found.append([place[k][0] == place[i][0] and abs(place[k][1] - place[i][1]) <= _NEAR for k in first])
    return np.array(found)


if __name__ == "__main__":
    main()
