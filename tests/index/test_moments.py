"""Search by moment against a naive ranking: every row by plain loops over the frames before and after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index_fakes import FakeEmbedder, opened
from samepose.embed import Embedder
from samepose.errors import UsageError
from samepose.index import Index
from samepose.index.asking import Ways
from samepose.index.neighbours import neighbours
from samepose.index.schema import number_of
from samepose.matching.moment import MomentMatching
from samepose.poses import Poses
from samepose.query.moment import Query
from samepose.skeleton import COCO17

OFFSETS = (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3)


class Timed(FakeEmbedder):
    """The fake, calibrated for moments."""

    moment = MomentMatching((0.3, 0.6), ((0.8, 1.5), (1.0, 1.0)), ((0.2, 1.0), (0.0, 0.0)))


EMBEDDER = Timed()


def moving(seed: int, times: np.ndarray, people: int = 1) -> Poses:
    """People who go from pose to pose, one after the other in each frame."""
    rng, tracks = np.random.default_rng(seed), np.tile(np.arange(people), len(times))
    stops = rng.uniform(0, 300, (people, 60, 17, 2))
    at = np.repeat(times * 2, people)  # two stops a second
    part = (at % 1)[:, None, None]
    points = stops[tracks, at.astype(int)] * (1 - part) + stops[tracks, at.astype(int) + 1] * part
    return Poses.of(points + rng.normal(0, 4, points.shape), COCO17, times=np.repeat(times, people), tracks=tracks,
                    frames=np.repeat(np.arange(len(times)), people))


TEN, THIRTY = np.arange(40) / 10, np.arange(90) / 30
GAPS = np.delete(TEN, [3, 4, 11, 20, 21, 22, 23, 30])


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    index = opened(tmp_path_factory.mktemp("moments") / "ix", embedder=EMBEDDER)
    clips = {"a.mp4": moving(0, TEN), "again.mp4": moving(0, TEN + 0.01), "crowd.mp4": moving(1, THIRTY, 5),
             "gaps.mp4": moving(2, GAPS), "short.mp4": moving(3, TEN[:3]), "slow.mp4": moving(4, np.arange(8) / 2)}
    photos = [moving(5 + n, np.zeros(1)) for n in range(3)]
    bare = [Poses.of(p.points, COCO17) for p in photos]
    parts = clips | {f"p{n}.jpg": pose for n, pose in enumerate(bare)}
    names = [str(index.root / name) for name, poses in parts.items() for _ in range(len(poses))]
    index.add(*parts.values(), name=names)
    yield index


class Rows:
    """Everybody of an index in plain arrays."""

    def __init__(self, index: Index) -> None:
        table = index._store.people.search().limit(None).to_arrow().sort_by("id")
        paths = {m.id: m.path for m in index.select()}
        self.id, self.track = np.array(table["id"]), np.array(table["track"])
        self.time = np.array(table["time"], float)
        self.path = [paths[medium] for medium in table["media"].to_pylist()]
        self.embeddings = index.spaces[0].embeddings(table)

    def at(self, i: int, offset: float) -> int | None:
        """The row of the same track nearest to a time, within half of what lies between two of the seven."""
        gaps = np.where(self.track == self.track[i], np.abs(self.time - (self.time[i] + offset)), np.inf)
        gaps[np.isnan(gaps)] = np.inf
        best = int(gaps.argmin())
        return best if gaps[best] <= 0.05 + 1e-6 else None

    def scores(self, query: list[Any]) -> list[tuple[float, bool]]:
        """Of everybody, see `score`."""
        frames = [None if e is None else EMBEDDER.matching.probability(e, self.embeddings)[0] for e in query]
        return [self.score(frames, i) for i in range(len(self.id))]

    def score(self, frames: list[Any], i: int) -> tuple[float, bool]:
        """Probability of the moment, or of the frame where fewer than four frame pairs are there."""
        far = []
        for offset, mine in zip(OFFSETS, frames):
            theirs = i if offset == 0 else None if np.isnan(self.time[i]) else self.at(i, offset)
            if mine is not None and theirs is not None:
                far.append(-np.log(np.clip(mine[theirs], 1e-12, 1)))
        if len(far) < 4:
            return float(frames[3][i]), False
        share = (len(far) - 4) / 3
        p = np.exp(-np.mean(far))
        logit = (0.8 + share * 0.7) * np.log(p / (1 - p)) + 0.2 + share * 0.8
        return float(1 / (1 + np.exp(-logit))), True


def asked(poses: Poses, at: float, mirrored: bool = False) -> list[Any]:
    """The query's own seven embeddings, None where there is no frame."""
    found = []
    for offset in OFFSETS:
        near = np.flatnonzero(np.abs(poses.times - at - offset) <= 0.05 + 1e-6)
        pose = poses[int(near[np.abs(poses.times[near] - at - offset).argmin()])] if len(near) else None
        found.append(None if pose is None else EMBEDDER.embed(pose.mirrored() if mirrored else pose))
    return found


@pytest.mark.parametrize(("seed", "times", "at"), [(0, TEN, 1.5), (0, TEN, 0.0), (2, GAPS, 1.5), (4, THIRTY, 2.9)])
@pytest.mark.parametrize("mirror", ["off", "also"])
def test_ranking_is_the_naive_one(index: Index, seed: int, times: np.ndarray, at: float, mirror: Any) -> None:
    query, rows = moving(seed, times), Rows(index)
    ways = [rows.scores(asked(query, at, mirrored)) for mirrored in ((False, True) if mirror == "also" else (False,))]
    scores = list(map(max, *ways)) if len(ways) > 1 else ways[0]
    hits = index.search(query, at=at, k=60, mirror=mirror, distinct=0.0)  # a shortlist of everybody
    order = sorted(range(len(scores)), key=lambda i: (-scores[i][0], rows.id[i]))[:60]
    assert hits.query.moment == 0.3 and hits.query.alone is None
    np.testing.assert_allclose([h.score for h in hits], [scores[i][0] for i in order], atol=2e-5)
    assert [(h.path, h.person) for h in hits][:5] == [(rows.path[i], number_of(rows.track[i])) for i in order][:5]
    assert [h.moment > 0 for h in hits] == [scores[i][1] for i in order]


def test_a_query_finds_itself_first(index: Index) -> None:
    for at in (0.0, 0.7, 2.0, 3.9):
        hits = index.search(moving(0, TEN), at=at)
        assert (hits[0].path, hits[0].time, hits[0].moment) == ("a.mp4", at, 0.3)
        assert index.search(moving(0, TEN), at=at, ignore="left_arm")[0].time == at


def test_a_person_of_the_index_has_its_neighbours_there(index: Index) -> None:
    hit = index.search(moving(0, TEN), at=1.5)[0]
    more = index.search(hit)
    assert more.query.moment == 0.3
    assert (more[0].path, more[0].moment) == ("again.mp4", 0.3) and abs((more[0].time or 0) - 1.51) < 1e-9
    again = index.search(moving(0, TEN), at=1.5)
    assert {h.id: h.score for h in again}[more[0].id] == pytest.approx(more[0].score, abs=1e-5)


def test_the_frame_alone_is_as_ever(index: Index) -> None:
    query, rows = moving(0, TEN), Rows(index)
    hits = index.search(query, at=1.5, moment=0, k=20, distinct=0.0)
    frame = EMBEDDER.matching.probability(asked(query, 1.5)[3], rows.embeddings)[0]
    order = np.lexsort((rows.id, -frame))[:20]
    assert [h.score for h in hits] == frame[order].tolist()
    assert hits.query.moment == 0 and not any(h.moment for h in hits) and hits.query.alone is None
    uncalibrated = Index.open(index.uri, embedder=FakeEmbedder()).search(query, at=1.5, k=20, distinct=0.0)
    assert [(h.id, h.score) for h in uncalibrated] == [(h.id, h.score) for h in hits]
    assert uncalibrated.query.alone == "fake is not calibrated for moments"


def test_photographs_are_compared_by_the_frame_alone(index: Index) -> None:
    photo = Poses.of(moving(0, TEN)[15].points, COCO17)
    hits, told = index.search(photo), index.search(photo, moment=0.3)
    assert (hits.query.moment, hits.query.alone) == (0.0, None)
    assert told.query.alone == "the query has no frames before and after"
    alone = index.search(photo, moment=0)
    assert [(h.id, h.score) for h in hits] == [(h.id, h.score) for h in alone] == [(h.id, h.score) for h in told]


def test_a_clip_that_is_too_short_says_so(index: Index) -> None:
    short = moving(0, TEN)[list(range(10, 13))]
    hits = index.search(short, at=1.1)
    assert hits.query.moment == 0 and "the person is seen in 3, and 4 are needed" in (hits.query.alone or "")
    assert [h.id for h in hits] == [h.id for h in index.search(short, at=1.1, moment=0)]
    assert hits.to_json()["query"]["alone"] == hits.query.alone


def test_filters_scores_and_folding_go_on_working(index: Index) -> None:
    query = moving(0, TEN)
    everything = index.search(query, at=1.5, k=700, distinct=0.0)
    some = index.search(query, at=1.5, k=700, distinct=0.0, min_score=0.3)
    assert [h.id for h in some] == [h.id for h in everything if h.score >= 0.3] and len(some) > 1
    inside = index.search(query, at=1.5, where="crowd.mp4", time_from=1.0, time_to=1.2, k=700, distinct=0.0)
    assert {h.path for h in inside} == {"crowd.mp4"} and all(1 <= (h.time or 0) <= 1.2 for h in inside)
    assert {h.id: h.score for h in everything}.items() >= {h.id: h.score for h in inside}.items()
    one = index.search(query, at=1.5, k=2, where="a*", distinct=100.0)
    assert [h.path for h in one] == ["a.mp4", "again.mp4"] and one[0].span == (0.0, 3.9)


@pytest.mark.usefixtures("unchecked")
def test_what_does_not_go_together(index: Index) -> None:
    pose = moving(0, TEN)
    with pytest.raises(UsageError, match="`moment` is 2 seconds"):
        index.search(pose, at=1.0, moment=2)
    query = Query(pose[0], "", None, 0.0, 0, 1, around=lambda offsets: pose)
    with pytest.raises(UsageError, match="`moment` compares joints"):
        Ways(None, EMBEDDER, {}).moment(query, "off", 0.3)  # type: ignore[arg-type]
    assert Ways(None, EMBEDDER, {}).moment(query, "off", None) == (None, None)  # type: ignore[arg-type]


def test_neighbours_are_found_in_crowds_and_at_ends(index: Index) -> None:
    rows, offsets = Rows(index), np.array(OFFSETS)
    found = neighbours(index._store, rows.id, rows.track, rows.time, offsets, 0.05 + 1e-6, ["frame"])
    ids = np.asarray(found.rows["id"])
    for i in range(len(rows.id)):
        expected = [None if np.isnan(rows.time[i]) else rows.at(i, o) for o in OFFSETS]
        got = [None if at < 0 else int(ids[at]) for at in found.at[i]]
        times = [None if e is None else abs(rows.time[e] - rows.time[i] - o) for e, o in zip(expected, OFFSETS)]
        mine = [None if g is None else abs(rows.time[np.flatnonzero(rows.id == g)[0]] - rows.time[i] - o)
                for g, o in zip(got, OFFSETS)]
        assert [m is None for m in mine] == [t is None for t in times]
        assert np.allclose([m for m in mine if m is not None], [t for t in times if t is not None])
        assert all(g is None or rows.track[np.flatnonzero(rows.id == g)[0]] == rows.track[i] for g in got)


def test_the_fake_is_an_embedder() -> None:
    assert isinstance(EMBEDDER, Embedder)


def test_nothing_is_found_in_an_empty_index(tmp_path: Path) -> None:
    assert not len(opened(tmp_path / "ix", embedder=EMBEDDER).search(moving(0, TEN), at=1.0))
