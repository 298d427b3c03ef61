"""Search against a naive ranking of everything, with every filter, with and without the vector index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index_fakes import FakeEmbedder, opened
from samepose.errors import StoreError, UsageError
from samepose.index import Hit, Index, filter, search, shortlist, upkeep
from samepose.index.options import SearchOptions
from samepose.index.ranking import Found, Question, Route, fold
from samepose.index.schema import Medium, people_batch, with_id
from samepose.matching.embeddings import Embeddings
from samepose.poses import Poses
from samepose.skeleton import COCO17

EMBEDDER = FakeEmbedder()
CLIPS, FRAMES, PHOTOS = 30, 40, 200


class Everything:
    """The same people in plain arrays."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.path = np.array([f"clips/{c % 3}/c{c:02d}.mp4" for c in range(CLIPS) for _ in range(2 * FRAMES)]
                             + [f"photos/p{p:03d}.jpg" for p in range(PHOTOS)])
        n = len(self.path)
        clip = np.arange(n) < CLIPS * 2 * FRAMES
        self.time = np.where(clip, np.arange(n) % (2 * FRAMES) // 2 / 10, np.nan)
        self.track = np.where(clip, np.arange(n) % 2, 0)
        self.label = np.where(np.char.startswith(self.path, "clips/1"), "jump's", "")
        walk = rng.standard_normal((n, 16)) * 0.3
        mean = np.where(clip[:, None], rng.standard_normal((n // 20 + 1, 16))[np.arange(n) // 20] + walk, walk * 3)
        spread = np.exp(rng.normal(-2.5, 1, (n, 1)) + rng.normal(0, 0.3, (n, 16)))
        self.embeddings = Embeddings(mean.astype(np.float32), spread.astype(np.float32))
        self.searchable = np.arange(n) % 11 != 3

    def best(self, query: Embeddings, keep: np.ndarray, k: int = 10, distinct: float = 0.0) -> list[tuple]:
        """(path, time, track, score) of the k best, folded by a plain loop."""
        scores = EMBEDDER.matching.probability(query, self.embeddings).max(axis=0)
        rows: list[tuple] = []
        for i in np.argsort(-scores, kind="stable"):
            if not (keep[i] and self.searchable[i]):
                continue
            folded = any(r[0] == self.path[i] and r[2] == self.track[i] and abs(r[1] - self.time[i]) <= distinct
                         for r in rows) and distinct > 0
            if not folded:
                rows.append((str(self.path[i]), self.time[i], int(self.track[i]), float(scores[i])))
            if len(rows) == k:
                break
        return rows


ALL = Everything()
EVERYBODY = np.ones(len(ALL.path), bool)


@pytest.fixture(scope="module", params=["scan", "ivf"])
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp(request.param)
    index = opened(folder / "ix")
    store, space = index._store, index.spaces[0]
    rng, media, batches = np.random.default_rng(1), [], []
    for path in dict.fromkeys(ALL.path.tolist()):
        at = np.flatnonzero(ALL.path == path)
        medium = with_id(Medium(0, path, 1, 1, path, "video", 10.0, "test", people=len(at), skeleton="COCO17",
                                label=ALL.label[at[0]] or None), {})
        poses = Poses.of(rng.random((len(at), 17, 2)), COCO17, times=ALL.time[at], tracks=ALL.track[at],
                         frames=np.nan_to_num(ALL.time[at] * 10).round())
        seen = ALL.searchable[at]
        vectors = space.vectors(ALL.embeddings[at[seen]], seen)
        batches.append(people_batch(medium, 0, poses, store.people.schema, vectors))
        media.append(medium)
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "ivf":
            patch.setattr(upkeep, "IVF_FROM_ROWS", 1000)
            patch.setattr(upkeep, "SCALAR_FROM_ROWS", 1000)
            patch.setattr(filter, "FEW_ROWS", 300)  # so that the larger filters go through the vector index
        with store.writing():
            store.add_people(batches)
            store.put_media(media, key="")
        names = {i.name.split("_")[0] for i in store.people.list_indices()}
        assert names == ({"rank", "id", "media", "time", "label"} if request.param == "ivf" else set())
        yield index


def search_(index: Index, query: Embeddings, exclude_id: str | None = None, **options: Any) -> list[Hit]:
    """`Index.search` by embeddings, of one pose or of a pose and its mirror image; nothing folded by default."""
    asked = SearchOptions(**{"distinct": 0.0, **options})
    chosen = {"off": query[:1], "also": query, "only": query[1:]}[asked.mirror]
    return search.search(index._store, [Route(index.spaces[0], EMBEDDER.matching, chosen)], asked,
                         index._excluded(exclude_id))


def queries(n: int) -> Iterator[Embeddings]:
    rng = np.random.default_rng(2)
    for _ in range(n):
        some = ALL.embeddings[rng.integers(0, len(ALL.path), 2)]
        yield Embeddings(some.mean + 0.2 * rng.standard_normal((2, 16)).astype(np.float32), some.var)


def same(hits: list[Hit], expected: list[tuple]) -> bool:
    return [(h.path, h.person) for h in hits] == [(e[0], e[2]) for e in expected] and np.allclose(
        [np.nan if h.time is None else h.time for h in hits], [e[1] for e in expected], equal_nan=True
    ) and np.allclose([h.score for h in hits], [e[3] for e in expected], atol=1e-5)


@pytest.mark.parametrize("distinct", [0.0, 0.5, 2.0])
def test_plain_search_is_the_naive_ranking(index: Index, distinct: float) -> None:
    for query in queries(10):
        assert same(search_(index, query[:1], distinct=distinct), ALL.best(query[:1], EVERYBODY, distinct=distinct))


def test_mirror(index: Index) -> None:
    for query in queries(5):
        assert same(search_(index, query, mirror="also"), ALL.best(query, EVERYBODY))
        only = search_(index, query, mirror="only")
        assert same(only, ALL.best(query[1:], EVERYBODY))
        assert all(h.mirrored for h in only)
        assert not any(h.mirrored for h in search_(index, query))
        straight = {h.id: h.score for h in search_(index, query, k=4000)}
        for hit in search_(index, query, mirror="also"):
            assert hit.mirrored == (hit.score > straight[hit.id] + 1e-6)


@pytest.mark.parametrize("pattern", ["clips/0/c00.mp4", "clips/1/*", "*.jpg", "p01?.jpg", "clips", "*"])
def test_where(index: Index, pattern: str) -> None:
    keep = np.array([fnmatch(p, pattern) or fnmatch(p, f"*/{pattern}") or p.startswith(f"{pattern}/")
                     for p in ALL.path.tolist()])
    assert keep.any()
    for query in queries(4):
        assert same(search_(index, query[:1], where=pattern), ALL.best(query[:1], keep))


def test_label_and_times(index: Index) -> None:
    cases = [
        ({"label": "jump's"}, ALL.label == "jump's"),
        ({"time_from": 3.05}, ALL.time >= 3.05),
        ({"time_to": 0.25}, ALL.time <= 0.25),
        ({"time_from": 1.95, "time_to": 2.05}, np.abs(ALL.time - 2) < 0.05),
        ({"label": "jump's", "time_from": 3.85, "where": "clips/1/c0*"},
         (ALL.label == "jump's") & (ALL.time >= 3.85) & np.char.startswith(ALL.path, "clips/1/c0")),
    ]
    for options, keep in cases:
        for query in queries(3):
            assert same(search_(index, query[:1], **options), ALL.best(query[:1], keep))
    query = next(queries(1))[:1]
    assert search_(index, query, label="none of this name") == []
    assert search_(index, query, where="none of this name") == []
    assert search_(index, query, time_from=9.0) == []


def test_min_score_and_exhaustion(index: Index) -> None:
    query = next(queries(1))[:1]
    expected = ALL.best(query, EVERYBODY, k=3000)
    assert len(expected) == ALL.searchable.sum()
    assert same(search_(index, query, k=3000), expected)
    worst = expected[25][3]
    found = search_(index, query, k=100, min_score=worst)
    assert same(found, expected[:len(found)])
    assert len(found) in (25, 26)
    assert search_(index, query, min_score=0.999) == []


def test_span_covers_what_was_folded(index: Index) -> None:
    for query in queries(5):
        for hit in search_(index, query[:1], distinct=1.0):
            if hit.time is None:
                assert hit.span is None
            else:
                assert hit.span is not None
                assert hit.time - 1.0 <= hit.span[0] <= hit.time <= hit.span[1] <= hit.time + 1.0
    assert any(h.span and h.span[0] < h.span[1] for q in queries(5) for h in search_(index, q[:1], distinct=1.0))


def test_more_like_this_leaves_itself_and_its_neighbours_out(index: Index) -> None:
    medium = next(m for m in index.select() if m.path == "clips/0/c00.mp4")
    person = index.row(f"{medium.id:09x}-20")
    assert person.embedding is not None
    assert person.time is not None
    assert search_(index, person.embedding)[0].id == person.id
    near = (ALL.path == medium.path) & (ALL.track == person.person) & (np.abs(ALL.time - person.time) <= 0.5)
    found = search_(index, person.embedding, exclude_id=person.id, distinct=0.5)
    assert same(found, ALL.best(person.embedding, ~near, distinct=0.5))
    alone = search_(index, person.embedding, exclude_id=person.id)
    assert same(alone, ALL.best(person.embedding, np.arange(len(near)) != 20))


def test_hits_are_full_rows(index: Index) -> None:
    for hit in search_(index, next(queries(1))[:1]):
        row = index.row(hit.id)
        assert (hit.path, hit.time, hit.frame, hit.person, hit.label) == (
            row.path, row.time, row.frame, row.person, row.label)
        np.testing.assert_array_equal(hit.pose.points, row.pose.points)
        np.testing.assert_array_equal(hit.pose.scores, row.pose.scores)
        assert hit.box == tuple(row.pose.boxes[0].tolist())


@pytest.mark.parametrize(("options", "says"), [
    ({"k": 0}, "`k` is 0"), ({"mirror": "yes"}, "expected off, also or only"), ({"distinct": -1.0}, "`distinct` is -1"),
    ({"min_score": 1.5}, "`min_score` is 1.5"), ({"time_from": float("nan")}, "`time_from`"),
])
@pytest.mark.usefixtures("unchecked")
def test_options_out_of_range(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        SearchOptions(**options)


def test_an_excluded_person_must_be_there(index: Index) -> None:
    with pytest.raises(StoreError, match="no person"):
        search_(index, next(queries(1)), exclude_id="000000001-3")


def test_rows_that_moved_are_found_again(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files merged between shortlist and reading: the addresses are those of other people."""
    query, calls = next(queries(1))[:1], []
    expected = [h.id for h in search_(index, query)]

    def moved(*question: Any) -> list[Found]:
        calls.append(0)
        found = shortlist.best(*question)
        return found if len(calls) > 1 else [replace(f, row=(f.row + 1) % 1000) for f in found]

    monkeypatch.setattr(search, "best", moved)
    assert [h.id for h in search_(index, query)] == expected
    assert len(calls) == 2


def test_the_two_ways_agree(index: Index) -> None:
    """Through the vector index, with the filter applied after it, as exactly with the filter in the store."""
    store = index._store
    for query in queries(4):
        for options in (SearchOptions(), SearchOptions(label="jump's"), SearchOptions(where="clips/1", k=30)):
            chosen = filter.Filter.of(store, options)
            question = Question([Route(index.spaces[0], EMBEDDER.matching, query[:1])], np.array([False]), options.k,
                                0.5, 0.0, None, np.zeros(0, np.int64))
            exact, near = (fold(way(store, question, chosen, 200), options.k, 0.5)
                           for way in (shortlist.exact, shortlist.approximate))
            assert [f.id for f in near] == [f.id for f in exact]
            assert len(exact) == options.k


def test_empty_index(tmp_path: Path) -> None:
    index = opened(tmp_path / "ix")
    assert search_(index, next(queries(1))) == []
    assert index.info().people == 0


def test_shortlist_grows_when_its_end_is_likelier_than_its_start(tmp_path: Path) -> None:
    """From the 170th nearest by E r² on, every tenth person is uncertain and so matches with more probability."""
    n = 800
    e, number = np.linspace(3.5, 5, n), np.arange(n)
    uncertain = (number >= 170) & (number % 10 == 0)
    mean, var = np.zeros((n, 16), np.float32), np.zeros((n, 16), np.float32)
    mean[:, 1], var[:, 0] = np.sqrt(e) * ~uncertain, e * uncertain
    index = opened(tmp_path / "ix")
    store, space = index._store, index.spaces[0]
    medium = with_id(Medium(0, "a.jpg", 1, 1, "a", "image", None, "test", people=n, skeleton="COCO17"), {})
    poses = Poses.of(np.random.default_rng(0).random((n, 17, 2)), COCO17)
    with store.writing():
        vectors = space.vectors(Embeddings(mean, var), np.ones(n, bool))
        store.add_people([people_batch(medium, 0, poses, store.people.schema, vectors)])
        store.put_media([medium], key="")
    query = Embeddings(np.zeros((1, 16), np.float32), np.zeros((1, 16), np.float32))
    assert [h.person for h in search_(index, query)] == list(range(170, 270, 10))
