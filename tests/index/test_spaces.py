"""Spaces: their columns, points beside Gaussians, and two of them in one table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from image_network import image_embedder
from index_fakes import FakeEmbedder, opened
from samepose.errors import StoreError
from samepose.index.models import Models
from samepose.index.re_embedding import re_embed
from samepose.index.schema import Medium, batch_of, people_batch, people_schema
from samepose.index.spaces import Space, from_json, to_json
from samepose.index.store import Store
from samepose.matching.embeddings import Embeddings
from samepose.poses import Poses
from samepose.progress import silent
from samepose.skeleton import COCO17

KEYPOINTS = Space("keypoints", 16, "fake", "ab" * 32)
PIXELS = Space("pixels", 3, "image-1", "cd" * 32, gaussian=False)


def random(n: int, dimensions: int, variance: float) -> Embeddings:
    rng = np.random.default_rng(0)
    return Embeddings(rng.standard_normal((n, dimensions)).astype(np.float32),
                      (variance * rng.random((n, dimensions))).astype(np.float32))


@pytest.mark.parametrize(("space", "variance"), [(KEYPOINTS, 1.0), (PIXELS, 0.0)])
def test_vectors_come_back_as_they_were(space: Space, variance: float) -> None:
    embeddings, searchable = random(2, space.dimensions, variance), np.array([True, False, True])
    columns = space.vectors(embeddings, searchable)
    assert list(columns) == space.columns
    rows = pa.table(columns)
    assert rows.schema.equals(pa.schema(space.fields))
    assert rows[space.rank].is_valid().to_pylist() == searchable.tolist()
    back = space.embeddings(rows.filter(searchable))
    np.testing.assert_array_equal(back.mean, embeddings.mean)
    np.testing.assert_array_equal(back.var, embeddings.var)


@pytest.mark.parametrize(("space", "variance"), [(KEYPOINTS, 1.0), (PIXELS, 0.0)])
def test_rank_distance_is_the_expected_squared_distance(space: Space, variance: float) -> None:
    """Up to the query's own variance: compared with draws."""
    e, query = random(4, space.dimensions, variance), random(1, space.dimensions, variance)
    rank = np.array(space.vectors(e, np.ones(4, bool))[space.rank].to_pylist())
    distance = ((rank - space.targets(query)) ** 2).sum(axis=1)
    rng = np.random.default_rng(1)
    draws = e.mean + np.sqrt(e.var) * rng.standard_normal((100_000, *e.mean.shape))
    np.testing.assert_allclose(distance, ((draws - query.mean) ** 2).sum(axis=-1).mean(axis=0), rtol=0.02)


def test_json_keeps_everything() -> None:
    assert from_json(to_json([KEYPOINTS, PIXELS])) == (KEYPOINTS, PIXELS)


def test_the_space_of_an_embedder_is_remembered(tmp_path: Path) -> None:
    assert opened(tmp_path / "ix").spaces == (KEYPOINTS,)
    assert opened(tmp_path / "ix", create=False).info().spaces == (Space.of("keypoints", FakeEmbedder()),)


def test_a_table_of_two_spaces(tmp_path: Path) -> None:
    """Points rank by plain distance; people who are in one space only are found in that one."""
    store = Store.create(str(tmp_path / "ix"), [KEYPOINTS, PIXELS], tmp_path)
    poses = Poses.of(np.random.default_rng(0).random((5, 17, 2)), COCO17)
    keypoints, pixels = random(5, 16, 1.0), random(5, 3, 0.0)
    seen = np.array([True, True, False, True, True])
    medium = Medium(1, "a.jpg", 1, 1, "a", "image", None, "test", people=5, skeleton="COCO17")
    with store.writing():
        store.add_people([people_batch(medium, 0, poses, store.people.schema, PIXELS.vectors(pixels[seen], seen)),
                          people_batch(medium, 5, poses, store.people.schema,
                                       KEYPOINTS.vectors(keypoints, np.ones(5, bool)))])
        store.put_media([medium], key="")
    facts = store.info()
    assert facts.spaces == (KEYPOINTS, PIXELS) and (facts.people, facts.searchable) == (10, 9)
    rows = store.nearest(PIXELS.rank, PIXELS.targets(pixels[:1]), ["id", "_distance"], 10)
    expected = ((pixels.mean[seen] - pixels.mean[0]) ** 2).sum(axis=1)
    np.testing.assert_allclose(rows["_distance"].to_numpy(), np.sort(expected), atol=1e-5)
    assert len(store.nearest(KEYPOINTS.rank, KEYPOINTS.targets(keypoints[:1]), ["id", "_distance"], 10)) == 5
    with pytest.raises(StoreError, match="cannot be found by sound here, only by keypoints, pixels"):
        store.spaces_of(["sound"])


def test_re_embedding_leaves_the_other_space_where_its_model_is_the_same(tmp_path: Path) -> None:
    looks = image_embedder(tmp_path)
    space = Space.of("pixels", looks)
    store = Store.create(str(tmp_path / "ix"), [space, KEYPOINTS], tmp_path)
    poses = Poses.of(np.random.default_rng(0).random((5, 17, 2)), COCO17)
    medium = Medium(1, "a.jpg", 1, 1, "a", "image", None, "test", people=5, skeleton="COCO17")
    pixels, everybody = random(5, space.dimensions, 0.0), np.ones(5, bool)
    with store.writing():
        store.add_people([people_batch(medium, 0, poses, store.people.schema, space.vectors(pixels, everybody))])
        store.put_media([medium], key="")
    embedder = FakeEmbedder("new", "ef" * 32)
    assert re_embed(store, Models(embedder, looks, None), None, silent) == (5, [])
    assert store.spaces == (space, Space.of("keypoints", embedder))
    rows = store.people_of(1)
    np.testing.assert_array_equal(space.embeddings(rows).mean, pixels.mean)
    np.testing.assert_array_equal(KEYPOINTS.embeddings(rows).mean, embedder.embed(poses).mean)


def test_columns_that_are_not_given_are_null() -> None:
    schema = people_schema([PIXELS], "/")
    rows = batch_of({f.name: pa.array([], f.type) for f in schema if f.name != "rank_pixels"}, 0, schema)
    assert rows.schema.equals(schema, check_metadata=True)
