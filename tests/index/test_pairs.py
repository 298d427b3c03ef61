"""The second look of a search, by a pair network that says what a test wants it to say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index_fakes import FakeEmbedder, opened
from made_up_motion import NAMES, POSE, standing, write_bvh
from samepose.embed.pairs import Compared, PairMatching, PairModel, PairsInfo
from samepose.index import Index
from samepose.index.store import Store
from samepose.matching.moment import MomentMatching
from samepose.poses import Poses
from samepose.skeleton import BODY13, COCO17, H36M17

MATCHING = PairMatching(1.0, 0.5, offset=-0.3)


class Looking(FakeEmbedder):
    """The fake, with a pair network, and calibrated for moments."""

    moment = MomentMatching((0.3,), ((0.8, 1.5),), ((0.2, 1.0),))

    def __init__(self, logit: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
        super().__init__()
        self.pairs = Told(logit)


class Told(PairModel):
    """Logits straight from two poses."""

    def __init__(self, logit: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
        super().__init__(lambda x: np.zeros(len(x), np.float32), PairsInfo("told", MATCHING))
        self._logit = logit

    def logits(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(second).all(axis=(1, 2)), np.nan, self._logit(first, second)).astype(np.float32)


def wrist(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whoever has the left wrist farthest to the right in the picture; the query does not matter."""
    found: np.ndarray = second[:, BODY13.index("left_wrist"), 0] / 50
    return found


def people(n: int, seed: int = 0, **more: Any) -> Poses:
    rng = np.random.default_rng(seed)
    return Poses.of(rng.uniform(0, 300, (n, 17, 2)), COCO17, scores=np.ones((n, 17)), **more)


def index_of(folder: Path, logit: Callable[[np.ndarray, np.ndarray], np.ndarray] = wrist) -> Index:
    index = opened(folder / "ix", embedder=Looking(logit))
    poses = people(30)
    index.add(poses, name=[str(folder / f"p{n:02}.jpg") for n in range(30)])
    return index


def test_the_best_are_ranked_by_pairs_and_their_score_is_the_calibrated_one(tmp_path: Path) -> None:
    index, query = index_of(tmp_path), people(1, seed=1)
    plain = {h.path: h.score for h in opened(tmp_path / "ix", embedder=FakeEmbedder()).search(query, k=30)}
    hits = index.search(query, k=30)
    poses, embedder = people(30), FakeEmbedder()
    logit = poses.to(BODY13).points[:, BODY13.index("left_wrist"), 0] / 50
    embedded = np.array([plain[f"p{n:02}.jpg"] for n in range(30)])
    of = embedder.embed(poses)
    said = Compared(logit[None], np.ones_like(logit[None]))
    told = MATCHING.probability(said, embedded[None], embedder.matching.probability(of, of)[None])[0]
    for hit in hits:
        assert hit.score == pytest.approx(float(told[int(hit.path[1:3])]), abs=1e-4)
    assert [h.score for h in hits] == sorted((h.score for h in hits), reverse=True)
    assert len(hits) == 30 and [h.path for h in hits] != sorted(plain, key=plain.__getitem__, reverse=True)


def test_rows_are_read_once_and_again_when_they_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, query, read = index_of(tmp_path), people(1, seed=1), Store.rows
    expected, calls = [h.id for h in index.search(query)], list[list[int]]()

    def rows(store: Store, addresses: list[int], columns: list[str]) -> Any:
        calls.append(addresses)
        moved = [addresses[0]] * len(addresses) if len(calls) == 1 else addresses
        return read(store, moved, columns)

    monkeypatch.setattr(Store, "rows", rows)
    assert [h.id for h in index.search(query)] == expected
    assert len(calls) == 2 and sorted(calls[0]) == sorted(calls[1])  # for second look and hits together
    assert len(calls[0]) == 30


def test_the_least_score_is_of_pairs(tmp_path: Path) -> None:
    index, query = index_of(tmp_path), people(1, seed=1)
    everybody = index.search(query, k=30)
    least = everybody[9].score
    assert [h.id for h in index.search(query, k=30, min_score=least)] == [h.id for h in everybody[:10]]


def test_each_mirrored_query_is_seen_as_it_is(tmp_path: Path) -> None:
    def same(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return np.where(np.abs(first - second).max(axis=(1, 2)) < 1e-3, 8.0, -8.0)

    index = index_of(tmp_path, same)
    query = people(30)[7]
    (best,) = index.search(query.mirrored(), mirror="also", k=1)
    assert best.path == "p07.jpg" and best.mirrored
    (best,) = index.search(query, mirror="also", k=1)
    assert best.path == "p07.jpg" and not best.mirrored


def test_motion_capture_and_3d_queries_and_ignored_joints_keep_the_embeddings_word(tmp_path: Path) -> None:
    index = index_of(tmp_path)
    index.add(write_bvh(tmp_path / "move.bvh", POSE, NAMES["ours"]))
    plain = opened(tmp_path / "ix", embedder=FakeEmbedder())
    solid, flat = Poses.of(standing()[None], H36M17, unit="metre"), people(1, seed=1)
    for query, more in ((solid, {}), (flat, {"ignore": "left_arm"}), (flat, {"where": "move.bvh"})):
        mine, theirs = (i.search(query, k=5, **more) for i in (index, plain))
        assert mine and [(h.id, h.score) for h in mine] == [(h.id, h.score) for h in theirs]


def test_whoever_is_compared_by_moments_keeps_that(tmp_path: Path) -> None:
    index = index_of(tmp_path)
    times = np.arange(20) / 10
    clip = people(20, seed=3, times=times, tracks=np.zeros(20, int), frames=np.arange(20))
    index.add(clip, name=[str(tmp_path / "a.mp4")] * 20)
    hits = index.search(str(tmp_path / "a.mp4"), at=1.0, k=40, distinct=0)
    plain = {h.id: h for h in opened(tmp_path / "ix", embedder=timed()).search(str(tmp_path / "a.mp4"), at=1.0, k=60,
                                                                              distinct=0)}
    by_moment = [h for h in hits if h.moment]
    assert by_moment and all(h.score == plain[h.id].score for h in by_moment)
    alone = [h for h in hits if not h.moment]
    assert alone and all(h.score != plain[h.id].score for h in alone if h.id in plain)


def timed() -> FakeEmbedder:
    embedder = FakeEmbedder()
    embedder.moment = Looking.moment  # type: ignore[attr-defined]
    return embedder
