"""Indexes whose people are found by their pixels, by their keypoints, or by both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from image_network import DIMENSIONS, Patches, image_embedder, patches, photo, picture, video
from index_fakes import FakeEmbedder, rows
from samepose.embed.image import ImageEmbedder
from samepose.errors import SameposeError, StoreError, UsageError
from samepose.index import Index, filter, upkeep
from samepose.index.options import SearchOptions
from samepose.index.ranking import Route, fused
from samepose.index.schema import Medium, people_batch, with_id
from samepose.index.search import search
from samepose.index.spaces import Space
from samepose.index.store import Store
from samepose.matching.embeddings import Embeddings, Matching
from samepose.media.image import read_image
from samepose.media.video import read_frames
from samepose.poses import Poses
from samepose.skeleton import COCO17


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> ImageEmbedder:
    return image_embedder(tmp_path_factory.mktemp("network"))


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """Seven people in photos, one of them without joints, and 2 x 12 in a video."""
    folder = tmp_path / "m"
    for seed in range(4):
        photo(folder / f"{seed}.png", patches(seed))
    photo(folder / "two.png", patches(10), patches(11))
    photo(folder / "hidden.png", patches(20, joints=False))
    photo(folder / "nobody.png")
    video(folder / "clip.mp4", 3, 4)
    return folder


def opened(place: Path, looks: ImageEmbedder, **how: Any) -> Index:
    return Index.open(place, **{"create": True, "root": place.parent, "detector": Patches(), "image_embedder": looks,
                                "embedder": FakeEmbedder(), **how})


@pytest.fixture
def both(media: Path, looks: ImageEmbedder) -> Index:
    index = opened(media.parent / "ix", looks, embedding="both")
    report = index.add(media)
    assert (report.people, report.no_pixels, report.failed) == (7 + 24, 0, [])
    return index


def pixels_of(index: Index) -> dict[tuple[str, int, int], list[float] | None]:
    """The image embedding of everybody by path, frame and person."""
    people, media = rows(index)
    paths = {m["id"]: m["path"] for m in media}
    return {(paths[p["media"]], p["frame"], p["track"] & 0xFFFF): p["rank_pixels"] for p in people}


def logit(p: np.ndarray) -> np.ndarray:
    return np.log(p) - np.log1p(-p)


def test_people_are_embedded_as_they_look_in_their_boxes(both: Index, looks: ImageEmbedder) -> None:
    found = pixels_of(both)
    assert len(found) == 31
    image = read_image(both.root / "m" / "two.png")
    boxes = Patches().detect(image).boxes
    for person in range(2):
        expected = looks.embed(image, boxes[person : person + 1]).mean[0]
        np.testing.assert_allclose(found["m/two.png", 0, person], expected, atol=1e-6)
    frames = {frame.index: frame.image for frame in read_frames(both.root / "m" / "clip.mp4", 10.0)}
    for (path, frame, person), vector in found.items():
        if path == "m/clip.mp4":
            assert np.abs(looks.embed(frames[frame], boxes[person : person + 1]).mean[0] - vector).max() < 1e-6
    info = both.info()
    assert [(s.name, s.gaussian, s.dimensions) for s in info.spaces] == [
        ("keypoints", True, 16), ("pixels", False, DIMENSIONS)]
    assert info.covered == {"keypoints": 30, "pixels": 31} and (info.people, info.searchable) == (31, 31)


@pytest.mark.parametrize("by", ["keypoints", "pixels", "both"])
def test_everybody_is_ranked_as_by_hand(both: Index, looks: ImageEmbedder, by: Any) -> None:
    file = both.root / "m" / "2.png"
    pose = Patches().detect(read_image(file))
    everyone, ids = both._store.people.search().limit(None).to_arrow(), []
    embedder, chances = FakeEmbedder(), []
    if by != "pixels":
        seen = np.asarray(everyone["rank_keypoints"].is_valid())
        some = both._store.spaces_of(["keypoints"])["keypoints"].embeddings(everyone.filter(seen))
        own = np.full(len(seen), np.nan)
        own[seen] = logit(embedder.matching.probability(embedder.embed(pose), some)[0])
        chances.append(own)
    if by != "keypoints":
        stack = np.array(everyone["rank_pixels"].to_pylist(), np.float32)
        gap = np.linalg.norm(stack - looks.embed(read_image(file), pose.boxes).mean, axis=1)
        chances.append(-4.0 * gap + 2.0)  # the network's `Matching`, of points
    unknown = np.isnan(chances).all(axis=0)
    score = 1 / (1 + np.exp(-np.nanmean(np.where(unknown, 0, chances), axis=0)))
    known = np.flatnonzero(~unknown)
    order = known[np.argsort(-score[known], kind="stable")]
    ids = [both.row(f"{i >> 27:09x}-{i & ((1 << 27) - 1)}").id for i in everyone["id"].take(order).to_pylist()]
    hits = both.search(file, by=by, k=40, distinct=0)
    assert hits.query.by == by and hits.to_json()["query"]["by"] == by
    np.testing.assert_allclose([h.score for h in hits], score[order], atol=2e-3)
    assert hits[0].path == "m/2.png" and len(hits) == len(order)
    assert [h.id for h in hits[:5]] == ids[:5]


def test_somebody_without_joints_is_found_by_pixels(both: Index) -> None:
    hidden = both.root / "m" / "hidden.png"
    with pytest.raises(SameposeError, match="only 0 of 13 joints"):
        both.search(hidden)
    for by in ("pixels", "both"):
        hits = both.search(hidden, by=by)
        assert (hits[0].path, hits.query.by) == ("m/hidden.png", "pixels")
    assert "m/hidden.png" not in {h.path for h in both.search(both.root / "m" / "0.png", k=40)}
    assert "m/hidden.png" in {h.path for h in both.search(both.root / "m" / "0.png", k=40, by="both")}
    (medium,) = both.select("hidden.png")
    assert both.people_of(medium).searchable.tolist() == [False]


def test_a_mirrored_picture_is_found_by_the_mirrored_crop(both: Index) -> None:
    flipped = photo(both.root / "m" / "flipped.png", patches(2)[:, ::-1])
    both.add(flipped)
    query = both.root / "m" / "2.png"
    assert [(h.path, h.mirrored) for h in both.search(query, by="pixels", mirror="only", k=1)] == [
        ("m/flipped.png", True)]
    also = both.search(query, by="pixels", mirror="also", k=2)
    assert {(h.path, h.mirrored) for h in also} == {("m/flipped.png", True), ("m/2.png", False)}
    assert both.search(query, by="pixels", k=40)[0].mirrored is False
    own = both.search(query, by="pixels", k=1)[0]
    again = both.search(own.id, by="pixels", mirror="also", k=1)  # the stored vector, and the picture for its mirror
    assert (again[0].path, again[0].mirrored) == ("m/flipped.png", True)


def test_a_person_of_the_index_needs_no_picture(both: Index) -> None:
    hit = both.search(both.root / "m" / "two.png", by="pixels", k=1)[0]
    before = [h.id for h in both.search(hit, by="pixels")]
    for file in (both.root / "m").iterdir():
        file.unlink()
    assert hit.id not in before and [h.id for h in both.search(hit.id, by="pixels")] == before
    assert [h.id for h in both.search("m/two.png", by="pixels", copies=False)] == before
    with pytest.raises(SameposeError, match=r"cut out of its picture, and .*two\.png: there is no such file"):
        both.search(hit, by="pixels", mirror="also")


def test_filters_and_labels_hold_for_pixels(both: Index) -> None:
    query = both.root / "m" / "2.png"
    both.label("m/clip.mp4", "dance")
    assert {h.path for h in both.search(query, by="pixels", label="dance")} == {"m/clip.mp4"}
    assert {h.path for h in both.search(query, by="both", where="m/?.png")} == {f"m/{n}.png" for n in range(4)}
    assert all(1 <= (h.time or 0) <= 2 for h in both.search(query, by="pixels", time_from=1, time_to=2))
    assert len(both.search(query, by="pixels", where="*.mp4", distinct=9)) == 2
    assert query.name not in {Path(h.path).name for h in both.search(query, by="both", copies=False, k=40)}


def test_what_cannot_be_asked_for(both: Index, looks: ImageEmbedder, tmp_path: Path) -> None:
    query = both.root / "m" / "2.png"
    for by in ("pixels", "both"):
        with pytest.raises(UsageError, match=r'`ignore`.*`by="keypoints"`'):
            both.search(query, by=by, ignore="left_arm")
        with pytest.raises(UsageError, match=r'no picture, only keypoints.*`by="keypoints"`'):
            both.search(Patches().detect(read_image(query)), by=by)
    plain = opened(tmp_path / "plain", looks)
    assert [s.name for s in plain.spaces] == ["keypoints"]
    with pytest.raises(StoreError, match=r"by pixels here, only by keypoints; `Index.re_embed\(embedding='both'\)"):
        plain.search(query, by="pixels")
    with pytest.raises(StoreError, match=r"found by keypoints; change that with `Index.re_embed\(embedding='pixels'\)"):
        opened(tmp_path / "plain", looks, embedding="pixels")


def test_given_keypoints_have_no_pixels_and_that_is_said(both: Index) -> None:
    report = both.add(Patches().detect(picture(patches(1), patches(2))), name=both.root / "given.png")
    assert (report.people, report.no_pixels) == (2, 2)
    assert both.info().covered == {"keypoints": 32, "pixels": 31}
    query = both.root / "m" / "2.png"
    assert "given.png" not in {h.path for h in both.search(query, by="pixels", k=40)}
    assert "given.png" in {h.path for h in both.search(query, by="both", k=40)}


def test_an_index_of_pixels_alone(media: Path, looks: ImageEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samepose.embed.prvipe.PrVipeEmbedder.load", lambda **_: pytest.fail("keypoints are not asked"))
    index = opened(media.parent / "ix", looks, embedding="pixels", embedder=None)
    index.add(media)
    hits = index.search(media / "hidden.png")
    assert (hits[0].path, hits.query.by, [s.name for s in index.spaces]) == ("m/hidden.png", "pixels", ["pixels"])
    with pytest.raises(StoreError, match="found by keypoints here, only by pixels"):
        index.search(media / "0.png", by="keypoints")


def test_keypoints_alone_never_ask_for_the_image_network(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageEmbedder, "load", lambda **_: pytest.fail("nobody asked for pixels"))
    index = Index.open(media.parent / "ix", create=True, root=media.parent, detector=Patches(), embedder=FakeEmbedder())
    index.add(media)
    assert index.search(media / "0.png")[0].path == "m/0.png"
    index.re_embed()
    assert index.re_embed(embedding="keypoints").people == 31


def test_an_index_of_keypoints_is_filled_with_pixels(media: Path, looks: ImageEmbedder, tmp_path: Path) -> None:
    """By the boxes that it has: people keep ids and labels, and get what a fresh index would have."""
    index = opened(tmp_path / "ix", looks)
    index.add(media)
    index.add(Patches().detect(picture(patches(1))), name=tmp_path / "given.png")
    person = index.search(media / "two.png", k=1)[0]
    index.label(person.id, "she")
    (media / "3.png").unlink()
    photo(media / "1.png", patches(77))
    before, told = rows(index)[0], []
    done = index.re_embed(lambda *said: told.append(said), embedding="both")
    assert (done.people, sorted(path for path, _ in done.lost)) == (32, ["m/1.png", "m/3.png"])
    assert dict(done.lost)["m/3.png"] == "is not there any more" and "has changed" in dict(done.lost)["m/1.png"]
    assert told[-1][0] == told[-1][1] == 64 and [t[0] for t in told] == sorted(t[0] for t in told)
    after = rows(index)[0]
    assert repr([{k: v for k, v in p.items() if k != "rank_pixels"} for p in after]) == repr(before)  # NaN is not NaN
    assert Index.open(tmp_path / "ix").row(person.id).label == "she"
    fresh = opened(tmp_path / "fresh", looks, embedding="both", root=tmp_path)
    fresh.add(media)
    mine, theirs = pixels_of(index), pixels_of(fresh)
    assert {k[0] for k, v in mine.items() if v is None} == {"m/1.png", "m/3.png", "given.png"}
    for key, vector in mine.items():
        if vector is not None:
            np.testing.assert_allclose(vector, theirs[key], atol=1e-6)


def test_what_was_missing_is_read_the_next_time_and_nothing_else(
    media: Path, looks: ImageEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = opened(media.parent / "ix", looks)
    index.add(media)
    (media / "3.png").rename(media.parent / "away.png")
    assert index.re_embed(embedding="both").lost == [("m/3.png", "is not there any more")]
    had = pixels_of(index)
    (media.parent / "away.png").rename(media / "3.png")
    crops: list[int] = []
    embed = ImageEmbedder.embed_crops
    monkeypatch.setattr(ImageEmbedder, "embed_crops", lambda self, some: crops.append(len(some)) or embed(self, some))
    assert index.re_embed().lost == [] and crops == [1]
    now = pixels_of(index)
    assert all(now.values()) and {k: v for k, v in now.items() if had[k]} == {k: v for k, v in had.items() if v}
    assert [s.name for s in index.spaces] == ["keypoints", "pixels"]
    index.re_embed(embedding="keypoints")
    assert "rank_pixels" not in rows(index)[0][0] and [s.name for s in index.spaces] == ["keypoints"]


def test_a_killed_re_embedding_changes_nothing(
    media: Path, looks: ImageEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = opened(media.parent / "ix", looks)
    index.add(media)
    before, calls, embed = rows(index), [], ImageEmbedder.embed_crops

    def failing(self: ImageEmbedder, crops: np.ndarray) -> Embeddings:
        calls.append(len(crops))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return embed(self, crops)

    monkeypatch.setattr(ImageEmbedder, "embed_crops", failing)
    with pytest.raises(KeyboardInterrupt):
        index.re_embed(embedding="both")
    assert repr(rows(Index.open(index.uri))) == repr(before) and [s.name for s in index.spaces] == ["keypoints"]
    assert index.re_embed(embedding="both").lost == [] and all(pixels_of(index).values())


def test_another_image_model_is_refused_until_everybody_is_embedded_anew(both: Index, tmp_path: Path) -> None:
    other = image_embedder(tmp_path, "image-2", scale=3.0)
    index, query = opened(tmp_path / "ix", other), both.root / "m" / "0.png"
    for ask in (lambda: index.search(query, by="pixels"), lambda: index.search(query, by="both"),
                lambda: index.add(query)):
        with pytest.raises(StoreError, match=r"with the model image-1 .* not image-2 .*`Index.re_embed\(\)`, which"):
            ask()
    assert index.search(query)[0].path == "m/0.png"
    (both.root / "m" / "1.png").unlink()
    assert [path for path, _ in index.re_embed().lost] == ["m/1.png"]
    found = pixels_of(index)
    assert [k[0] for k, v in found.items() if v is None] == ["m/1.png"]  # of the old model nothing is kept
    image = read_image(query)
    np.testing.assert_allclose(found["m/0.png", 0, 0], other.embed(image, Patches().detect(image).boxes).mean[0],
                               atol=1e-6)


def test_an_interrupted_video_goes_on_with_its_pixels(
    media: Path, looks: ImageEmbedder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from samepose.index import batch

    monkeypatch.setattr(batch, "_PART", 0.0)
    monkeypatch.setattr("samepose.index.pixels._CROPS", 4)

    class Interrupted(Patches):
        left = 8

        def detect(self, image: np.ndarray) -> Poses:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return super().detect(image)

    index = opened(tmp_path / "ix", looks, embedding="both", detector=Interrupted())
    with pytest.raises(KeyboardInterrupt):
        index.add(media / "clip.mp4")
    part = index.info().people
    assert 0 < part < 24
    again = opened(tmp_path / "ix", looks)
    assert again.add(media / "clip.mp4").people == 24 - part
    whole = opened(tmp_path / "whole", looks, embedding="both", root=tmp_path)
    whole.add(media / "clip.mp4")
    mine, theirs = pixels_of(again), pixels_of(whole)
    assert mine.keys() == theirs.keys()
    np.testing.assert_allclose(np.array(list(mine.values())), np.array([theirs[k] for k in mine]), atol=1e-6)


# -- many people, in plain arrays ------------------------------------------------------------------------------------

MANY = 4000
KEYPOINTS, PIXELS = Space("keypoints", 16, "fake", "ab" * 32), Space("pixels", 24, "image-1", "cd" * 32, gaussian=False)
MATCHINGS = {"keypoints": Matching(2.0, 2.0), "pixels": Matching(5.0, 1.0)}


class Many:
    """People whose two embeddings tell much the same; a tenth lacks the one, another tenth the other."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        pose = rng.standard_normal((MANY, 6))
        mean = np.tanh(pose @ rng.standard_normal((6, 16))) + 0.1 * rng.standard_normal((MANY, 16))
        look = np.tanh(pose @ rng.standard_normal((6, 24))) + 0.4 * rng.standard_normal((MANY, 24))
        self.keypoints = Embeddings(mean.astype(np.float32), np.full((MANY, 16), 0.02, np.float32))
        look = (look / np.linalg.norm(look, axis=1, keepdims=True)).astype(np.float32)
        self.pixels = Embeddings(look, np.zeros_like(look))
        self.known = {"keypoints": np.arange(MANY) % 10 != 1, "pixels": np.arange(MANY) % 10 != 2}

    def score(self, person: int) -> np.ndarray:
        """What everybody scores by both, by hand."""
        logits = []
        for name, own in (("keypoints", self.keypoints), ("pixels", self.pixels)):
            chance = MATCHINGS[name].probability(own[person : person + 1], own)[0].astype(float)
            logits.append(np.where(self.known[name], logit(chance.clip(1e-6, 1 - 1e-6)), np.nan))
        return 1 / (1 + np.exp(-np.nanmean(logits, axis=0)))


@pytest.fixture(scope="module", params=["scan", "ivf"])
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Many]]:
    folder, made = tmp_path_factory.mktemp(request.param), Many()
    store = Store.create(str(folder / "ix"), [KEYPOINTS, PIXELS], folder)
    medium = with_id(Medium(0, "a.jpg", 1, 1, "a", "image", None, "test", people=MANY, skeleton="COCO17"), {})
    poses = Poses.of(np.random.default_rng(1).random((MANY, 17, 2)), COCO17)
    vectors = {**KEYPOINTS.vectors(made.keypoints[made.known["keypoints"]], made.known["keypoints"]),
               **PIXELS.vectors(made.pixels[made.known["pixels"]], made.known["pixels"])}
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "ivf":
            patch.setattr(upkeep, "IVF_FROM_ROWS", 1000)
            patch.setattr(filter, "FEW_ROWS", 300)
        with store.writing():
            store.add_people([people_batch(medium, 0, poses, store.people.schema, vectors)])
            store.put_media([medium], key="")
        indexed = {i.columns[0] for i in store.people.list_indices()}
        assert {"rank_keypoints", "rank_pixels"} <= indexed or request.param == "scan"
        yield store, made


def test_both_find_the_best_of_everybody(many: tuple[Store, Many]) -> None:
    store, made = many
    for person in range(0, 400, 20):
        routes = [Route(KEYPOINTS, MATCHINGS["keypoints"], made.keypoints[person]),
                  Route(PIXELS, MATCHINGS["pixels"], made.pixels[person])]
        hits = search(store, routes, SearchOptions(distinct=0.0))
        score = made.score(person)
        best = np.argsort(-score, kind="stable")[:10]
        np.testing.assert_allclose([h.score for h in hits], score[best], atol=1e-4)
        assert [h.person for h in hits] == best.tolist()


def test_fusion_takes_the_mean_of_the_log_odds_of_the_routes_that_know() -> None:
    p = np.array([[0.9, 0.2, np.nan, np.nan, 1.0], [0.9, 0.8, 0.3, np.nan, 0.5]], np.float32)
    odds = 1e6 - 1
    np.testing.assert_allclose(fused(p), [0.9, 0.5, 0.3, 0.0, odds**0.5 / (1 + odds**0.5)], atol=1e-5)
    np.testing.assert_array_equal(fused(p[:1]), p[0])
