"""Clips, distances of their moments, dynamic time warping, and alignments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lifters import Flat
from moving_people import waving
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import SameposeError, UsageError
from samepose.matching.embeddings import Embeddings, Matching
from samepose.matching.moment import OFFSETS
from samepose.poses import Poses
from samepose.sequences.alignment import ANGLES, align, csv_text, joint_angles
from samepose.sequences.clip import Clip, clip_of
from samepose.sequences.distance import frame_distances, window
from samepose.sequences.dtw import dtw, dtw_mean, dtw_overlap
from samepose.skeleton import BODY13, COCO17

matrices = arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 9)),
                  elements=st.integers(0, 4).map(float))  # small whole numbers: ties everywhere, sums exact
MATCHING = Matching(1.7, 2.5, 1.2, -0.1)


@pytest.fixture(scope="module")
def embedder() -> PrVipeEmbedder:
    return PrVipeEmbedder.load(threads=1)


def random_clip(rng: np.random.Generator, n: int, rate: float = 30.0, missing: float = 0.0) -> Clip:
    poses = waving(np.arange(n) / rate)
    sides = [Embeddings(rng.normal(0, 0.5, (n, 16)).astype(np.float32),
                        rng.uniform(0.01, 0.1, (n, 16)).astype(np.float32)) for _ in range(2)]
    found = rng.random(n) >= missing
    found[n // 2] = True
    return Clip(sides[0], sides[1], poses.times, found, poses, MATCHING)


# -- clips -------------------------------------------------------------------------------------------------------


def test_a_clip_at_its_own_rate_keeps_every_pose(embedder: PrVipeEmbedder) -> None:
    poses = waving(np.round(np.arange(300) / 29.97, 3))  # milliseconds, as containers write them
    clip = clip_of(poses, embedder)
    assert len(clip) == len(clip.poses) == 300 and clip.found.all()
    np.testing.assert_array_equal(clip.poses.frames, np.arange(300))
    assert clip.rate == pytest.approx(29.97, abs=0.01)
    np.testing.assert_allclose(clip.embeddings.mean, embedder.embed(poses).mean)
    np.testing.assert_allclose(clip.mirrored.mean, embedder.embed(poses.mirrored()).mean)


def test_clips_of_different_rates_are_brought_to_one(embedder: PrVipeEmbedder) -> None:
    slow, fast = (clip_of(waving(np.arange(n) / fps), embedder, rate=20) for n, fps in ((31, 10), (181, 60)))
    assert len(slow) == len(fast) == 61 and slow.found.all() and fast.found.all()
    np.testing.assert_allclose(slow.times, fast.times)
    assert np.abs(slow.poses.times - slow.times).max() <= 0.05 + 1e-9
    np.testing.assert_array_equal(fast.poses.frames, np.arange(0, 181, 3))


def test_gaps_stay_gaps_and_the_rate_is_of_where_nothing_is_missing(embedder: PrVipeEmbedder) -> None:
    times = np.arange(90) / 30
    seen = (times < 1) | (times >= 2)
    seen[10] = False
    clip = clip_of(waving(times)[seen], embedder)
    np.testing.assert_array_equal(clip.found, seen)
    assert np.isnan(clip.poses.points[~seen]).all() and not np.isnan(clip.poses.points[seen]).any()


def test_a_variable_frame_rate_does_no_harm(embedder: PrVipeEmbedder) -> None:
    rng = np.random.default_rng(0)
    clip = clip_of(waving(np.arange(120) / 30 + rng.uniform(-0.012, 0.012, 120)), embedder)
    assert abs(len(clip) - 120) <= 4 and clip.found.mean() > 0.97
    assert (np.abs(clip.poses.times - clip.times)[clip.found] < 0.03).all()


def test_moments_with_too_few_joints_are_not_found(embedder: PrVipeEmbedder) -> None:
    poses = waving(np.arange(60) / 30)
    points = poses.points.copy()
    points[20:40] = np.nan  # every joint is gone for two thirds of a second
    clip = clip_of(Poses.of(points, BODY13, times=poses.times), embedder)
    np.testing.assert_array_equal(np.flatnonzero(~clip.found), np.arange(20, 40))


def test_a_clip_of_one_pose_works(embedder: PrVipeEmbedder) -> None:
    one = clip_of(waving(np.zeros(1)), embedder, rate=10)
    many = clip_of(waving(np.arange(30) / 30), embedder)
    assert len(one) == 1 and one.found.all()
    assert frame_distances(one, many, embedder.matching).shape == (1, 30)
    path = dtw(frame_distances(one, one, embedder.matching))
    np.testing.assert_array_equal(path.pairs, [[0, 0]])


def test_poses_without_times_go_by_their_frame_numbers(embedder: PrVipeEmbedder) -> None:
    poses = waving(np.arange(30) / 30)
    shuffled = replace(poses, times=np.full(30, np.nan), fps=10.0)[np.random.default_rng(0).permutation(30)]
    clip = clip_of(shuffled, embedder)
    np.testing.assert_allclose(clip.times, np.arange(30) / 10)
    np.testing.assert_array_equal(clip.poses.frames, np.arange(30))


def test_nobody_several_people_and_absurd_times_are_refused(embedder: PrVipeEmbedder) -> None:
    poses = waving(np.arange(30) / 30)
    with pytest.raises(UsageError, match="at least one pose"):
        clip_of(Poses.empty(COCO17), embedder)
    with pytest.raises(SameposeError, match="none shows more than 4 joints, and 7 are needed"):
        clip_of(poses.hide(BODY13.joints[4:]), embedder)
    with pytest.raises(UsageError, match="several poses at 0 s"):
        clip_of(Poses.concatenate([poses, poses]), embedder)
    with pytest.raises(UsageError, match="are the times in seconds"):
        clip_of(replace(poses, times=np.append(poses.times[:-1], 1e9)), embedder)
    with pytest.raises(UsageError, match="`rate` is -1"):
        clip_of(poses, embedder, rate=-1)


# -- distances ---------------------------------------------------------------------------------------------------


def naive_distances(a: Clip, b: Clip, offsets: tuple[int, ...], mirror: bool) -> np.ndarray:
    """The module's words as one reads them."""
    out = np.full((len(a), len(b)), np.nan)
    for i in range(len(a)):
        for j in range(len(b)):
            values = []
            for offset in offsets:
                x = min(max(i + round(offset * a.rate / 30), 0), len(a) - 1)
                y = min(max(j + round(offset * b.rate / 30), 0), len(b) - 1)
                if a.found[x] and b.found[y]:
                    pairs = [(p[x], q[y]) for p in (a.embeddings, a.mirrored)[: 1 + mirror]
                             for q in (b.embeddings, b.mirrored)[: 1 + mirror]]
                    values.append(min(-np.log(MATCHING.probability_rows(*pair)[0]) for pair in pairs))
            if values:
                out[i, j] = np.mean(values)
    return np.where(np.isnan(out), np.nanmean(out), out)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("offsets", [OFFSETS, (-6, -3, 0, 3, 6), (0,)])
def test_distances_equal_a_naive_loop(offsets: tuple[int, ...], mirror: bool) -> None:
    rng = np.random.default_rng(1)
    a, b = random_clip(rng, 25, missing=0.3), random_clip(rng, 14, rate=10, missing=0.6)
    got = frame_distances(a, b, MATCHING, offsets=offsets, mirror=mirror)
    assert got.dtype == np.float32 and got.shape == (25, 14)
    np.testing.assert_allclose(got, naive_distances(a, b, offsets, mirror), rtol=1e-4, atol=1e-5)


def test_distances_are_finite_whatever_is_missing() -> None:
    rng = np.random.default_rng(2)
    a, b = random_clip(rng, 200, missing=0.97), random_clip(rng, 150, missing=0.97)
    far = replace(b, embeddings=Embeddings(b.embeddings.mean + 1e6, b.embeddings.var))
    for other in (b, far):
        values = frame_distances(a, other, MATCHING, offsets=(-6, -3, 0, 3, 6))
        assert np.isfinite(values).all() and (values >= 0).all()


def test_what_a_missing_moment_holds_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    a, b = random_clip(rng, 40, missing=0.4), random_clip(rng, 30)
    mean = a.embeddings.mean.copy()
    mean[~a.found] = np.nan
    spoilt = replace(a, embeddings=Embeddings(mean, a.embeddings.var))
    np.testing.assert_array_equal(frame_distances(a, b, MATCHING), frame_distances(spoilt, b, MATCHING))


def test_offsets_are_the_same_fractions_of_a_second_at_any_rate() -> None:
    rng = np.random.default_rng(4)
    for rate, steps in ((30, (-9, -3, 0, 6)), (10, (-3, -1, 0, 2)), (60, (-18, -6, 0, 12)), (1, (0, 0, 0, 0))):
        clip = random_clip(rng, 101, rate=rate)
        np.testing.assert_array_equal(window(clip, (-9, -3, 0, 6)).taps[:, 50], 50 + np.array(steps))


def test_mirroring_both_clips_is_no_difference_and_mirroring_one_is_found(embedder: PrVipeEmbedder) -> None:
    poses = waving(np.arange(45) / 30)
    a, b = clip_of(poses, embedder), clip_of(poses.mirrored(), embedder)
    same = frame_distances(a, a, embedder.matching)
    np.testing.assert_allclose(np.diag(frame_distances(a, b, embedder.matching, mirror=True)), np.diag(same), atol=5e-3)
    assert np.diag(frame_distances(a, b, embedder.matching)).mean() > 3 * np.diag(same).mean()


# -- dynamic time warping ----------------------------------------------------------------------------------------


def naive_dtw(d: np.ndarray, open_begin: bool = False, open_end: bool = False) -> tuple[list[tuple[int, int]], float]:
    n, m = d.shape
    cost = np.full((n, m), np.inf)
    before: dict[tuple[int, int], tuple[int, int]] = {}
    for i in range(n):
        for j in range(m):
            if i == 0 and (j == 0 or open_begin):
                cost[i, j] = d[i, j]
                continue
            steps = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
            steps = [s for s in steps if min(s) >= 0]
            best = min(steps, key=lambda s: cost[s])  # the first of equals
            before[i, j], cost[i, j] = best, cost[best] + d[i, j]
    at = (n - 1, int(cost[-1].argmin()) if open_end else m - 1)
    total, pairs = float(cost[at]), [at]
    while pairs[-1] in before:
        pairs.append(before[pairs[-1]])
    return pairs[::-1], total


@settings(max_examples=200, deadline=None)
@given(matrices, st.booleans(), st.booleans())
def test_paths_equal_a_naive_loop_ties_and_all(d: np.ndarray, open_begin: bool, open_end: bool) -> None:
    path = dtw(d, open_begin=open_begin, open_end=open_end)
    pairs, total = naive_dtw(d, open_begin, open_end)
    assert [tuple(p) for p in path.pairs.tolist()] == pairs
    assert path.total == total and path.mean == pytest.approx(total / len(pairs))
    if not (open_begin or open_end):
        assert dtw_mean(d) == pytest.approx(path.mean)


@pytest.mark.parametrize("shape", [(40, 40), (37, 90), (90, 37), (1, 30), (30, 1), (1, 1)])
def test_paths_equal_tslearns(shape: tuple[int, int]) -> None:
    metrics = pytest.importorskip("tslearn.metrics", reason="tslearn is not installed; it comes with samepose[test]")
    rng = np.random.default_rng(5)
    for _ in range(5):
        d = rng.random(shape)
        theirs, cost = metrics.dtw_path_from_metric(d, metric="precomputed")
        ours = dtw(d)
        assert [tuple(p) for p in ours.pairs.tolist()] == theirs and ours.total == pytest.approx(cost)
        assert dtw_mean(d) == pytest.approx(ours.mean)
        as_float32 = dtw(d.astype(np.float32))
        assert as_float32.total == pytest.approx(cost, rel=1e-5)


def test_a_golden_path() -> None:
    d = np.array([[1, 5, 9, 9], [4, 1, 2, 9], [9, 4, 5, 1], [9, 9, 6, 2]], np.float32)
    path = dtw(d)
    np.testing.assert_array_equal(path.pairs, [[0, 0], [1, 1], [1, 2], [2, 3], [3, 3]])
    assert path.total == 7 and path.mean == pytest.approx(1.4)


@settings(max_examples=100, deadline=None)
@given(matrices, st.integers(0, 9))
def test_a_band_is_kept_and_a_wide_one_changes_nothing(d: np.ndarray, band: int) -> None:
    n, m = d.shape
    path, free = dtw(d, band=band), dtw(d)
    assert path.total >= free.total
    np.testing.assert_array_equal(dtw(d, band=max(n, m)).pairs, free.pairs)
    assert path.pairs[0].tolist() == [0, 0] and path.pairs[-1].tolist() == [n - 1, m - 1]
    assert (np.abs(np.diff(path.pairs, axis=0) - 0.5) == 0.5).all()
    if n > 1:
        slope = (m - 1) / (n - 1)
        off = np.abs(path.pairs[:, 1] - path.pairs[:, 0] * slope)
        assert off.max() <= max(band, slope / 2, 0.5) + 1e-9


def test_a_clip_aligned_with_itself_is_the_diagonal(embedder: PrVipeEmbedder) -> None:
    clip = clip_of(waving(np.arange(90) / 30), embedder)
    distance = frame_distances(clip, clip, embedder.matching)
    path = dtw(distance - np.diag(distance)[:, None].clip(max=distance.min()))
    np.testing.assert_array_equal(path.pairs, np.stack([np.arange(90)] * 2, axis=1))
    zero_diagonal = distance.astype(np.float64) + 1e-3
    np.fill_diagonal(zero_diagonal, 0)
    assert dtw(zero_diagonal).total == 0 and dtw_mean(zero_diagonal) == 0


def test_a_part_is_found_in_the_whole(embedder: PrVipeEmbedder) -> None:
    whole = clip_of(waving(np.arange(120) / 30), embedder)
    path = dtw(frame_distances(whole[40:80], whole, embedder.matching, offsets=(0,)), open_begin=True, open_end=True)
    assert np.abs(path.pairs[[0, -1], 1] - [40, 79]).max() <= 3


def test_a_performance_at_half_speed_is_aligned(embedder: PrVipeEmbedder) -> None:
    a, b = (clip_of(waving(np.arange(n) / 30, speed), embedder) for n, speed in ((60, 1.0), (120, 0.5)))
    path = dtw(frame_distances(a, b, embedder.matching))
    assert np.median(np.abs(b.times[path.pairs[:, 1]] - 2 * a.times[path.pairs[:, 0]])) < 0.1


def naive_overlap(d: np.ndarray, skip: float) -> float:
    """The least cost of any path with its skipped moments, by trying every beginning and end."""
    n, m = d.shape
    best = np.inf
    for i, j in [(i, 0) for i in range(n)] + [(0, j) for j in range(1, m)]:
        for k, end in [(k, m - 1) for k in range(i, n)] + [(n - 1, end) for end in range(j, m - 1)]:
            if end >= j:
                _, total = naive_dtw(d[i : k + 1, j : end + 1])
                best = min(best, total + skip * (i + j + n - 1 - k + m - 1 - end))
    return best


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(0, 4).map(float)),
       st.sampled_from([0.0, 0.5, 1.0, 3.0, 100.0]))
def test_overlaps_cost_as_little_as_any_beginning_and_end(d: np.ndarray, skip: float) -> None:
    path = dtw_overlap(d, skip)
    (i, j), (k, end) = path.pairs[0].tolist(), path.pairs[-1].tolist()
    n, m = d.shape
    assert min(i, j) == 0 and (k == n - 1 or end == m - 1)
    skipped = i + j + n - 1 - k + m - 1 - end
    assert path.total == d[path.pairs[:, 0], path.pairs[:, 1]].sum()
    assert path.total + skip * skipped == pytest.approx(naive_overlap(d, skip))
    if skip == 100:
        assert path.total == pytest.approx(dtw(d).total)


def test_clips_that_share_only_their_middle_are_aligned_there(embedder: PrVipeEmbedder) -> None:
    whole = clip_of(waving(np.arange(120) / 30, speed=2.0), embedder)
    a, b = whole[:80], whole[30:]
    found = align(a, b, open_ends=True)
    assert np.abs(found.path.pairs[0] - [30, 0]).max() <= 4 and np.abs(found.path.pairs[-1] - [79, 49]).max() <= 4
    assert np.abs(found.times[:, 0] - found.times[:, 1]).max() < 0.15
    whole_path = align(a, b).times
    assert np.abs(whole_path[:, 0] - whole_path[:, 1]).max() > 0.5  # closed ends must start and end together


# -- alignments --------------------------------------------------------------------------------------------------


def test_angles_are_those_of_known_triangles() -> None:
    points = np.full((1, 13, 2), np.nan)
    for joint, at in {"left_shoulder": (0, 0), "left_elbow": (10, 0), "left_wrist": (10, 7), "left_hip": (0, 20),
                      "right_hip": (5, 0), "right_knee": (5, 5), "right_ankle": (5, 11)}.items():
        points[0, BODY13.index(joint)] = at
    angles = dict(zip(ANGLES, joint_angles(Poses.of(points, BODY13))[0]))
    assert {k: round(float(v), 6) for k, v in angles.items() if not np.isnan(v)} == {
        "left_elbow": 90.0, "left_shoulder": 90.0, "right_knee": 180.0}


def test_an_alignment_finds_pace_and_the_joint_that_differs(embedder: PrVipeEmbedder) -> None:
    times = np.arange(90) / 30
    poses = waving(times)
    bent = poses.points.copy()
    knee = BODY13.index("left_ankle")
    bent[40:55, knee] = bent[40:55, BODY13.index("left_knee")] + [45, 0]  # for half a second a foot goes to the side
    other = Poses.of(bent, BODY13, times=times * 2)
    a, b = (clip_of(p, embedder) for p in (poses, other))
    found = align(a, b, lifter=Flat())
    assert found.pace == pytest.approx(2, abs=0.1)
    assert np.median(np.abs(2 * found.times[:, 0] - found.times[:, 1])) < 0.07
    worst = found.worst(1)[0]
    assert worst.joint == "left_knee" and 80 < (worst.degrees or 0) < 100 and 1.2 < worst.time_a < 1.95
    assert all(abs(x.time_a - y.time_a) >= 0.5 for x in found.worst() for y in found.worst() if x != y)


def test_a_mirrored_performance_is_taken_mirrored(embedder: PrVipeEmbedder) -> None:
    poses = waving(np.arange(60) / 30)
    a, b = clip_of(poses, embedder), clip_of(poses.mirrored(), embedder)
    also, off = (align(a, b, mirror=m, lifter=Flat()) for m in ("also", "off"))  # type: ignore[arg-type]
    assert also.mirrored and not off.mirrored and also.path.mean < off.path.mean
    assert np.nanmax(also.degrees) < 1 and np.nanmax(off.degrees) > 30
    assert not align(a, a, mirror="also").mirrored


def test_who_is_missing_for_a_second_is_null_in_the_results(embedder: PrVipeEmbedder) -> None:
    poses = waving(np.arange(90) / 30)
    gap = poses[np.r_[0:30, 60:90]]
    a, b = (clip_of(p, embedder) for p in (poses, gap))
    found = align(a, b, lifter=Flat())
    assert np.median(np.abs(found.times[:, 0] - found.times[:, 1])) < 0.1
    away = (found.times[:, 1] > 0.98) & (found.times[:, 1] < 1.99)
    assert np.isnan(found.distance[away]).all() and not np.isnan(found.distance[~away]).any()
    result = found.to_json()
    assert result["distance"].count(None) == away.sum() and None in result["degrees"]["left_knee"]
    rows = csv_text(found).splitlines()
    assert len(rows) == len(found.path.pairs) + 1 and rows[int(np.flatnonzero(away)[0]) + 1].split(",")[2] == ""
    assert all(m.joint for m in found.worst())


def test_clips_too_long_for_the_memory_are_refused(embedder: PrVipeEmbedder) -> None:
    clip = clip_of(waving(np.array([0, 2000.0])), embedder, rate=10)
    with pytest.raises(UsageError, match="20,001 and 20,001 moments are too long"):
        align(clip, clip)


def test_the_pace_stretches_the_kernel() -> None:
    rng = np.random.default_rng(6)
    clip = random_clip(rng, 101)
    np.testing.assert_array_equal(window(clip, (-6, 0, 6), 4**0.5).taps[:, 50], [38, 50, 62])
    a, b = random_clip(rng, 30), random_clip(rng, 40)
    assert (frame_distances(a, b, MATCHING, pace=4.0) != frame_distances(a, b, MATCHING)).any()


def test_errors_name_the_clip(embedder: PrVipeEmbedder) -> None:
    poses = waving(np.arange(10) / 30)
    with pytest.raises(SameposeError, match=r"^second\.mp4: nobody to compare"):
        clip_of(poses.hide(BODY13.joints[4:]), embedder, name="second.mp4")


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_matrix_of_distances_is_refused() -> None:
    for bad in (np.zeros((0, 3)), np.zeros(3), np.array([[0, np.nan]]), np.array([[np.inf]])):
        with pytest.raises(UsageError, match="distances"):
            dtw(bad)
        with pytest.raises(UsageError, match="distances"):
            dtw_mean(bad)
    with pytest.raises(UsageError, match="band is -1"):
        dtw(np.zeros((2, 2)), band=-1)
    with pytest.raises(UsageError, match="leave it out"):
        dtw(np.zeros((2, 2)), band=1, open_end=True)
