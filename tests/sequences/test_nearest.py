"""Nearest clips: with bounds as without, and as a plain loop finds them; the bounds are bounds."""

from __future__ import annotations

import numpy as np
import pytest

from moving_people import waving
from samepose.errors import UsageError
from samepose.matching.embeddings import Embeddings, Matching
from samepose.matching.moment import OFFSETS
from samepose.sequences import nearest
from samepose.sequences._nearest_bound import averaged_stretches, farther, stretch_distances
from samepose.sequences.clip import Clip
from samepose.sequences.distance import frame_distances, minus_log, window
from samepose.sequences.dtw import dtw_mean
from samepose.sequences.nearest import Gallery

PLAIN, CALIBRATED = Matching(1.5, 8.0), Matching(1.7, 2.5, 1.2, -0.1)


def wandering(rng: np.random.Generator, n: int, *, rate: float = 30.0, missing: float = 0.0, dim: int = 16) -> Clip:
    """Somebody whose embedding wanders about, like a moving person's, with variances of all sizes."""
    sides = []
    for _ in range(2):
        mean = rng.normal(0, 2.5, dim) + np.cumsum(rng.normal(0, 0.25, (n, dim)), axis=0)
        var = np.exp(rng.normal(-2, 1.5, (1, dim)) + np.cumsum(rng.normal(0, 0.1, (n, dim)), axis=0))
        sides.append(Embeddings(mean.astype(np.float32), np.minimum(var, 30).astype(np.float32)))
    found = rng.random(n) >= missing
    found[n // 2] = True
    poses = waving(np.arange(n) / rate)
    return Clip(sides[0], sides[1], poses.times, found, poses, PLAIN)


def many(seed: int, count: int = 40) -> list[Clip]:
    rng = np.random.default_rng(seed)
    clips = [wandering(rng, int(n)) for n in rng.integers(3, 60, count)]
    clips += [wandering(rng, 1), wandering(rng, 2), wandering(rng, 40, missing=0.3), wandering(rng, 40, rate=12.0)]
    near = [replace_noise(clip, rng) for clip in clips[:10]]  # so that there is something near
    return clips + near


def replace_noise(clip: Clip, rng: np.random.Generator) -> Clip:
    noisy = [Embeddings((e.mean + rng.normal(0, 0.3, e.mean.shape)).astype(np.float32), e.var)
             for e in (clip.embeddings, clip.mirrored)]
    return Clip(noisy[0], noisy[1], clip.times, clip.found, clip.poses, PLAIN)


def plainly(a: Clip, b: Clip, matching: Matching) -> float:
    return dtw_mean(frame_distances(a, b, matching, mirror=True))


@pytest.mark.parametrize("matching", [PLAIN, CALIBRATED])
@pytest.mark.parametrize("k", [1, 3])
def test_bounds_do_not_change_the_answer(matching: Matching, k: int) -> None:
    clips = many(k)
    gallery = Gallery(clips, matching)
    allowed = ~np.eye(len(clips), dtype=bool)
    quick = gallery.nearest(clips, k, allowed=allowed)
    slow = gallery.nearest(clips, k, allowed=allowed, exhaustive=True)
    assert (quick.clips == slow.clips).all()
    assert (quick.distances == slow.distances).all()
    assert slow.pruned == 0
    assert quick.pairs == slow.pairs == len(clips) * (len(clips) - 1)
    assert quick.pruned > 0.1


def test_as_a_plain_loop_finds_them() -> None:
    clips = many(5, 14)
    queries = [clips[0], clips[3], *clips[14:18]]
    found = Gallery(clips, PLAIN).nearest(queries, 4, threads=1)
    for i, query in enumerate(queries):
        distances = np.array([plainly(query, clip, PLAIN) for clip in clips])
        assert found.clips[i].tolist() == np.argsort(distances, kind="stable")[:4].tolist()
        np.testing.assert_allclose(found.distances[i], np.sort(distances)[:4], rtol=2e-4, atol=2e-4)


def test_another_number_of_dimensions() -> None:
    rng = np.random.default_rng(0)
    clips = [wandering(rng, 9, dim=6) for _ in range(4)]
    found = Gallery(clips, PLAIN).nearest(clips[:1], 4)
    distances = np.array([plainly(clips[0], clip, PLAIN) for clip in clips])
    np.testing.assert_allclose(found.distances[0], np.sort(distances), rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("matching", [PLAIN, CALIBRATED])
def test_a_bound_is_below_every_distance_of_its_stretch(matching: Matching) -> None:
    rng = np.random.default_rng(2)
    for size in (1, 3, 8):
        a, b = wandering(rng, 23), wandering(rng, 31)
        ours, theirs = nearest.boxes(a, size), nearest.boxes(b, size)
        bound = np.empty((-(-23 // size), -(-31 // size)), np.float32)
        stretch_distances(ours, nearest.as_columns_of(theirs), matching._parameters(), bound)
        sides = [(x, y) for x in (a.embeddings, a.mirrored) for y in (b.embeddings, b.mirrored)]
        plain = np.min([minus_log(x, y, matching) for x, y in sides], axis=0)
        at_cells = bound.repeat(size, axis=0)[:23].repeat(size, axis=1)[:, :31]
        assert (at_cells <= plain).all()
        rows = np.empty((23, bound.shape[1]), np.float32)
        averaged_stretches(bound, size, window(a, OFFSETS), window(b, OFFSETS), rows)
        distances = frame_distances(a, b, matching, mirror=True)
        assert (rows.repeat(size, axis=1)[:, :31] <= distances + 1e-5).all()
        for limit in (0.5, 0.9, 1.1):
            if farther(rows, size, 31, limit * dtw_mean(distances)):
                assert limit < 1


def test_bounds_of_single_moments_are_tight() -> None:
    """Without stretches to be cautious about, only the bound on P itself is left to lose anything."""
    rng = np.random.default_rng(3)
    a = wandering(rng, 12)
    point = Clip(Embeddings(a.embeddings.mean, 0 * a.embeddings.var), Embeddings(a.mirrored.mean, 0 * a.mirrored.var),
                 a.times, a.found, a.poses, PLAIN)
    ours = nearest.boxes(point, 1)
    bound = np.empty((12, 12), np.float32)
    stretch_distances(ours, nearest.as_columns_of(ours), PLAIN._parameters(), bound)
    plain = np.minimum(minus_log(point.embeddings, point.embeddings, PLAIN),
                       minus_log(point.embeddings, point.mirrored, PLAIN))
    plain = np.minimum(plain, minus_log(point.mirrored, point.mirrored, PLAIN))
    plain = np.minimum(plain, minus_log(point.mirrored, point.embeddings, PLAIN))
    np.testing.assert_allclose(bound, np.maximum(plain - 1e-3, 0), atol=1e-3)


def test_far_clips_are_passed_over() -> None:
    rng = np.random.default_rng(4)
    clips = [wandering(rng, 30) for _ in range(20)]
    moved = [Clip(Embeddings(c.embeddings.mean + 40, c.embeddings.var),
                  Embeddings(c.mirrored.mean + 40, c.mirrored.var), c.times, c.found, c.poses, PLAIN) for c in clips]
    found = Gallery([*moved, *clips], PLAIN).nearest([replace_noise(clips[7], rng)])
    assert found.clips.tolist() == [[27]]
    assert found.pruned >= 0.5


def test_of_equally_near_clips_the_first() -> None:
    clip = many(6, 3)[0]
    assert Gallery([clip] * 5, PLAIN).nearest([clip], 5).clips.tolist() == [[0, 1, 2, 3, 4]]


def test_only_allowed_clips() -> None:
    clips = many(7, 6)
    allowed = np.zeros((2, len(clips)), bool)
    allowed[0, [2, 4]] = True
    found = Gallery(clips, PLAIN).nearest(clips[:2], 3, allowed=allowed)
    assert set(found.clips[0].tolist()) == {2, 4, -1}
    assert found.clips[1].tolist() == [-1, -1, -1]
    assert np.isinf(found.distances[1]).all()
    assert found.pairs == 2


def test_progress_and_wrong_use() -> None:
    clips, seen = many(8, 3), []
    gallery = Gallery(clips, PLAIN)
    gallery.nearest(clips[:3], progress=lambda done, total, what: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert len(gallery) == len(clips)
    with pytest.raises(UsageError, match="k is 0"):
        gallery.nearest(clips, 0)
    with pytest.raises(UsageError, match="allowed"):
        gallery.nearest(clips, allowed=np.ones((2, 2), bool))
    with pytest.raises(UsageError, match="at least one clip"):
        Gallery([], PLAIN)
