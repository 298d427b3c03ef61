"""Photos found by a 3D pose, against photos found by a photo: the same people, rendered and in perfect projection.

    samepose synth MOCAP --subjects held-out --held-out HALF.txt --cameras-per-instant 4 --count 1000 --seed 7 \\
        --out VIEWS
    python -m experiments.search_3d VIEWS --weights HELD_OUT.onnx [--choose]

VIEWS holds each instant of a person as four cameras see it. MoveNet (balanced) looks at each picture; the person whose
joints lie nearest to the truth is taken. Each instant is asked for among the pictures of the other three cameras: once
by the picture that the fourth has of it, as a search does by the embedding alone and with its second look, once by its
3D pose in the world's axes, from all sides at once. The first
find is right when its 3D pose lies within NP-MPJPE 0.1 of the query's. Both kinds of query are asked for the same
instants among the same pictures: those that have a picture, found by MoveNet, in the camera that is left out. And the
other way round: by a picture among the 3D poses of all instants, as an index of motion capture holds them, against
among the pictures. `--choose` prints the rival ways of combining views; weights are those of a network that has seen
none of the subjects.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from benchmarks._machine import describe
from jaxtyping import Bool, Float, Int

from samepose.detection.movenet import MoveNet
from samepose.embed.pairs import PairModel
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.embed.views import combined, views_of
from samepose.evaluation.retrieval import PrVipe, Reranked
from samepose.formats.npz import read_npz
from samepose.formats.rendered import read_shard, shards_of
from samepose.geometry.procrustes import np_mpjpe_matrix
from samepose.matching.embeddings import Embeddings, Matching
from samepose.poses import Poses
from samepose.skeleton import BODY13, H36M17

KAPPA = 0.1
GRIDS = ((8, (0.0,)), (12, (0.0,)), (8, (0.0, 20.0)), (12, (-15.0, 0.0, 15.0, 30.0)))
Rival = Callable[[Embeddings, int, Embeddings, Matching], Float[np.ndarray, "q e"]]


def main(argv: Sequence[str] | None = None) -> None:
    """Look, embed, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("views", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--instants", type=int, default=10**6, help="the first so many of the set")
    parser.add_argument("--choose", action="store_true", help="all rival combinations, not only the one that is used")
    options = parser.parse_args(argv)
    print(describe("numpy", "onnxruntime"))
    embedder = PrVipeEmbedder.load(options.weights)
    world, perfect, detected = read_views(options.views, options.instants)
    print(f"{len(world)} instants of {len(perfect)} cameras; MoveNet finds "
          f"{100 * np.mean([embedder.searchable(p).mean() for p in detected]):.1f} % of the pictures' people")
    found = {}
    for name, cameras in (("perfect", perfect), ("detected", detected)):
        test = _Test(world, cameras, embedder)
        found[f"{name}: photo among photos"] = test.photo_among_photos()
        found[f"{name}: photo among photos, second look"] = test.photo_among_photos_twice()
        found[f"{name}: 3D pose among photos"] = test.pose_among_photos(_one(combined), None)
        found[f"{name}: photo among 3D poses"] = test.photo_among_poses()
        if options.choose:
            for azimuths, elevations in GRIDS:
                for rival, scores in RIVALS.items():
                    found[f"{name}: {azimuths} x {len(elevations)} {rival}"] = test.pose_among_photos(
                        scores, (azimuths, elevations))
    for name, (rate, asked) in found.items():
        print(f"{name:44}  Hit@1 {100 * rate:5.1f} %  ± {100 * np.sqrt(rate * (1 - rate) / asked):.1f} of {asked}")
    print(json.dumps({name: round(100 * rate, 1) for name, (rate, _) in found.items()}))


def read_views(folder: Path, most: int) -> tuple[Poses, list[Poses], list[Poses]]:
    """Each instant in 3D (metres, y up), and as each camera sees it: exactly, and by MoveNet (no joint: not found)."""
    detector = MoveNet("balanced", threads=1)
    turned: dict[int, np.ndarray] = {}
    exact: dict[tuple[int, int], np.ndarray] = {}
    seen: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
    for shard in shards_of(folder):
        turns = read_npz(shard)["turn"]
        for turn, whole, body in zip(turns, read_shard(shard, H36M17), read_shard(shard, BODY13)):
            if body.instant not in turned and len(turned) == most:
                continue
            key = (body.instant, body.camera)
            turned.setdefault(body.instant, (whole.joints_3d - whole.joints_3d[:1]) @ turn)
            exact[key] = body.joints_2d
            seen[key] = _nearest(detector.detect(body.image).to(BODY13), body.joints_2d)
    cameras = range(max(c for _, c in exact) + 1)
    whole_instants = [i for i in turned if all((i, c) in exact for c in cameras)]
    world = Poses.of(np.stack([turned[i] for i in whole_instants]), H36M17, unit="metre")
    return (world, [Poses.of(np.stack([exact[i, c] for i in whole_instants]), BODY13) for c in cameras],
            [Poses.of(np.stack([seen[i, c][0] for i in whole_instants]), BODY13,
                      scores=np.stack([seen[i, c][1] for i in whole_instants])) for c in cameras])


def _nearest(found: Poses, truth: Float[np.ndarray, "13 2"]) -> tuple[np.ndarray, np.ndarray]:
    """Who lies nearest to the truth, within a quarter of its extent; else nobody."""
    gaps = np.linalg.norm(found.points - truth, axis=-1)
    known = np.isfinite(gaps).any(axis=1)
    errors = np.where(known, np.nanmedian(np.where(known[:, None], gaps, 0), axis=1), np.inf)
    if not len(errors) or errors.min() > 0.25 * np.ptp(truth, axis=0).max():
        return np.full((len(BODY13), 2), np.nan), np.zeros(len(BODY13))
    best = int(errors.argmin())
    return found.points[best], found.scores[best]


class _Test:
    """Hit@1 of each kind of query, as a share, and of how many."""

    def __init__(self, world: Poses, cameras: Sequence[Poses], embedder: PrVipeEmbedder) -> None:
        self._world, self._embedder, self._matching = world, embedder, embedder.matching
        self._there = [embedder.searchable(poses) for poses in cameras]
        self._seen = [embedder.embed(poses) for poses in cameras]
        self._keypoints = [poses.hide(below=embedder.joint_score).points for poses in cameras]
        self._right: Bool[np.ndarray, "n n"] = np_mpjpe_matrix(world.points, world.points) <= KAPPA

    def photo_among_photos(self) -> tuple[float, int]:
        return self._hit(lambda c: self._matching.probability(self._seen[c], self._others(c)[0]),
                         lambda c: self._others(c)[1])

    def photo_among_photos_twice(self) -> tuple[float, int]:
        """By the shipped pair network and lifting beside these weights."""
        scorer = Reranked(PrVipe(self._embedder.embed_keypoints, self._matching), PairModel.load())

        def scores(camera: int) -> Float[np.ndarray, "q e"]:
            others = [self._keypoints[c][self._there[c]] for c in range(len(self._keypoints)) if c != camera]
            return scorer.scores(scorer.describe(self._keypoints[camera]), scorer.describe(np.concatenate(others)))

        return self._hit(scores, lambda c: self._others(c)[1])

    def pose_among_photos(
        self, rival: Rival, grid: tuple[int, tuple[float, ...]] | None
    ) -> tuple[float, int]:
        views = views_of(self._world, *grid) if grid else views_of(self._world)
        number = len(views) // len(self._world)
        embedded = self._embedder.embed(views)
        return self._hit(lambda c: rival(embedded, number, self._others(c)[0], self._matching),
                         lambda c: self._others(c)[1])

    def photo_among_poses(self) -> tuple[float, int]:
        """An instant's own 3D pose is among them, as its pictures are among the photos."""
        views = views_of(self._world)
        poses = combined(self._embedder.embed(views), len(views) // len(self._world))
        return self._hit(lambda c: self._matching.probability(self._seen[c], poses),
                         lambda c: np.arange(len(self._world)))

    def _others(self, camera: int) -> tuple[Embeddings, Int[np.ndarray, " e"]]:
        """The pictures of all other cameras in which somebody was found, and the instants they show."""
        others = [c for c in range(len(self._seen)) if c != camera]
        return (Embeddings.concatenate([self._seen[c][self._there[c]] for c in others]),
                np.concatenate([np.flatnonzero(self._there[c]) for c in others]))

    def _hit(
        self, scores: Callable[[int], np.ndarray], instants: Callable[[int], np.ndarray]
    ) -> tuple[float, int]:
        hits = []
        for camera, there in enumerate(self._there):
            first = instants(camera)[scores(camera).argmax(axis=1)]
            hits.append(self._right[np.arange(len(first)), first][there])
        return float(np.concatenate(hits).mean()), sum(map(len, hits))


def _one(combine: Callable[[Embeddings, int], Embeddings]) -> Rival:
    return lambda embedded, number, others, matching: matching.probability(combine(embedded, number), others)


def _over_views(reduce: Callable[..., np.ndarray]) -> Rival:
    """The probability by each view, reduced over these."""
    def scores(
        embedded: Embeddings, number: int, others: Embeddings, matching: Matching
    ) -> Float[np.ndarray, "q e"]:
        each = matching.probability(embedded, others)
        return reduce(each.reshape(-1, number, len(others)), axis=1)

    return scores


def _moments(embedded: Embeddings, number: int) -> Embeddings:
    mean, var = (x.reshape(-1, number, x.shape[-1]) for x in (embedded.mean, embedded.var))
    return Embeddings(mean.mean(axis=1), var.mean(axis=1) + mean.var(axis=1))


def _means(embedded: Embeddings, number: int) -> Embeddings:
    mean, var = (x.reshape(-1, number, x.shape[-1]) for x in (embedded.mean, embedded.var))
    return Embeddings(mean.mean(axis=1), var.mean(axis=1))


RIVALS: dict[str, Rival] = {
    "max of P": _over_views(np.max), "mean of P": _over_views(np.mean), "Gaussian of the moments": _one(_moments),
    "mean Gaussian": _one(_means), "precision-weighted moments": _one(combined),
}


if __name__ == "__main__":
    main()
