"""The distance and probability of moments, against `align`'s distance and plain formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from index_fakes import FakeEmbedder
from moving_people import waving
from samepose.matching.moment import MOMENT, OFFSETS, MomentMatching, mean_found, minus_log, near, offsets_of
from samepose.sequences.clip import clip_of
from samepose.sequences.distance import frame_distances

TABLE = {"seconds": [0.1, 0.3, 1.0], "slope": [[1, 2], [1, 4], [2, 2]], "offset": [[0, 1], [0, 3], [0, 0]]}


def test_a_search_compares_moments_as_align_does() -> None:
    embedder = FakeEmbedder()
    a, b = (clip_of(waving(np.arange(30) / 30, speed), embedder) for speed in (3.0, 4.0))
    frames = [minus_log(embedder.matching.probability(a.embeddings[15 + step], b.embeddings[12 + step]))[0]
              for step in OFFSETS]
    mean = mean_found(np.stack(frames, axis=-1), np.ones((1, 7), bool))
    assert mean[0] == pytest.approx(frame_distances(a, b, embedder.matching)[15, 12], abs=1e-5)
    assert offsets_of(MOMENT).tolist() == pytest.approx([o / 30 for o in OFFSETS])
    assert near(0.3) == pytest.approx(0.05, abs=1e-5)


def test_pairs_without_somebody_are_left_out() -> None:
    distances, found = np.arange(14.0).reshape(2, 7), np.zeros((2, 7), bool)
    found[0, [1, 5]] = True
    mean = mean_found(distances, found)
    assert mean[0] == 3 and np.isnan(mean[1])


@pytest.mark.parametrize(("seconds", "pairs", "slope", "offset"), [
    (0.3, 7, 4, 3), (0.3, 4, 1, 0), (0.3, 5, 2, 1), (0.2, 7, 3, 2), (0.05, 7, 2, 1), (1.0, 6, 2, 0)])
def test_what_lies_between_is_interpolated(seconds: float, pairs: int, slope: float, offset: float) -> None:
    p, matching = 0.3, MomentMatching.of_fields(TABLE)
    found = matching.probability(-np.log(np.array([p, p])), np.array([pairs, pairs]), seconds)
    assert found == pytest.approx(1 / (1 + np.exp(-(slope * np.log(p / (1 - p)) + offset))))


@pytest.mark.parametrize("change", [
    {"seconds": [0.3, 0.1, 1.0]}, {"seconds": [0.1]}, {"slope": [[1, 2], [0, 4], [2, 2]]}, {"slope": [1, 2, 3]},
    {"offset": [[0, float("nan")], [0, 3], [0, 0]]}, {"seconds": [], "slope": [], "offset": []}, {"seconds": None}])
def test_a_table_that_cannot_be(change: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        MomentMatching.of_fields({**TABLE, **change})
