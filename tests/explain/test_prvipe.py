"""Calibration, the numbers behind `samepose explain prvipe`, and the verb."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawn_people import Shell
from made_up_motion import made_up, some_people
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import UsageError
from samepose.evaluation.calibration import brier_score, expected_calibration_error, reliability, top_pairs
from samepose.evaluation.views import ALL11, CHEST4
from samepose.explain.prvipe import KAPPA, NEIGHBOURS, Scene, ambiguity, confidence, retrievals, space
from samepose.geometry.procrustes import np_mpjpe, np_mpjpe_2d_matrix
from samepose.matching.embeddings import Embeddings, Matching

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene.of(some_people(40), CHEST4, PrVipeEmbedder.load(threads=1), cameras_name="chest4")


def test_honest_probabilities_have_no_calibration_error_and_liars_do() -> None:
    p = RNG.random(60_000)
    hit = RNG.random(60_000) < p
    assert expected_calibration_error(p, hit) < 0.015
    assert brier_score(p, hit) == pytest.approx(1 / 6, abs=0.01)  # E p (1 - p), p uniform
    assert expected_calibration_error(p**3, hit) == pytest.approx(0.25, abs=0.01)  # E p - p³
    assert brier_score(hit.astype(float), hit) == 0 == expected_calibration_error(hit.astype(float), hit)


def test_bins_hold_the_same_mass_and_equal_a_naive_count() -> None:
    p, hit = RNG.random(101), RNG.random(101) < 0.3
    bins = reliability(p, hit, 15)
    assert set(bins.count) == {6, 7} and bins.count.sum() == 101 and (np.diff(bins.probability) > 0).all()
    rows, start = sorted(zip(p, hit)), 0
    for k, n in enumerate(bins.count.astype(int)):
        part = rows[start : start + n]
        assert bins.probability[k] == pytest.approx(sum(q for q, _ in part) / n)
        assert bins.accuracy[k] == pytest.approx(sum(bool(h) for _, h in part) / n)
        start += n
    ece = sum(n * abs(a - q) for n, a, q in zip(bins.count, bins.accuracy, bins.probability)) / 101
    assert expected_calibration_error(p, hit) == pytest.approx(ece)
    assert reliability(p[:3], hit[:3]).count.tolist() == [1, 1, 1]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("p", "hit"), [([], []), ([0.5], [True, False])])
def test_nothing_to_bin(p: list[float], hit: list[bool]) -> None:
    with pytest.raises(UsageError, match="one length, not empty"):
        reliability(np.array(p), np.array(hit, bool))


def test_top_pairs_are_the_most_probable_of_every_pair_of_cameras() -> None:
    n, matching = 12, Matching(1.5, 0.5)
    cameras = [Embeddings(RNG.normal(size=(n, 4)).astype(np.float32), RNG.random((n, 4)).astype(np.float32))
               for _ in range(3)]
    errors = RNG.random((n, n)).astype(np.float32)
    pairs = top_pairs(cameras, matching, errors, kappa=0.4, queries=100, top=2)  # so all frames are queries
    expected = []
    for q in range(3):
        for e in range(3):
            if q != e:
                p = matching.probability(cameras[q], cameras[e])
                for i in range(n):
                    best = sorted(range(n), key=lambda j: -p[i, j])[:2]
                    expected += [(p[i, j], errors[i, j] <= 0.4) for j in best]
    assert sorted(zip(pairs.probability, pairs.hit)) == sorted(expected) and len(expected) == 6 * n * 2
    few = top_pairs(cameras, matching, errors, queries=5, top=2)
    assert len(few.hit) == 6 * 5 * 2
    again, other = top_pairs(cameras, matching, errors, queries=5, top=2), top_pairs(
        cameras, matching, errors, queries=5, top=2, seed=1)
    assert np.array_equal(few.probability, again.probability) and not np.array_equal(few.probability, other.probability)
    with pytest.raises(UsageError, match="two cameras"):
        top_pairs(cameras[:1], matching, errors)
    with pytest.raises(UsageError, match="12"):
        top_pairs(cameras, matching, errors[:5, :5])


def test_confidence_of_a_scene(scene: Scene) -> None:
    told = confidence(scene, queries=20, top=3).to_json()
    assert told["pairs"] == 12 * 20 * 3 == sum(told["bins"]["count"]) and len(told["bins"]["count"]) == 15
    mean = np.average(told["bins"]["accuracy"], weights=told["bins"]["count"])
    assert told["base_rate"] == pytest.approx(mean) and 0 < told["base_rate"] < 1


def test_confidence_is_told_before_and_after_calibration(scene: Scene) -> None:
    plain = confidence(replace(scene, matching=scene.matching.uncalibrated), queries=20, top=3)
    found = confidence(replace(scene, matching=replace(scene.matching, slope=0.5, offset=-1.0)), queries=20, top=3)
    assert plain.before is None and plain.to_json()["uncalibrated"] is None
    assert found.before is not None and found.before.to_json() == plain.to_json()
    assert (found.pairs.hit == plain.pairs.hit).all() and found.base_rate == plain.base_rate
    logit = np.log(plain.pairs.probability) - np.log1p(-plain.pairs.probability.astype(float))
    np.testing.assert_allclose(found.pairs.probability, 1 / (1 + np.exp(1 - 0.5 * logit)), rtol=1e-4)


def test_ambiguity_equals_a_naive_search(scene: Scene) -> None:
    found = ambiguity(scene)
    m, n = len(scene.distinct), len(scene.views)
    assert len(found.views) == m * n and found.neighbours.shape == (m * n, NEIGHBOURS)
    for a in (0, 7, m * n - 1):
        nearest: dict[int, tuple[float, int]] = {}
        gaps = np_mpjpe_2d_matrix(found.views[[a]], found.views)[0]
        for b in range(m * n):
            if b % m != a % m:
                nearest[b % m] = min(nearest.get(b % m, (np.inf, -1)), (float(gaps[b]), b))
        best = sorted(nearest.values())[:NEIGHBOURS]
        assert [b for _, b in best] == found.neighbours[a].tolist()
        assert found.distance[a] == pytest.approx(np.mean([g for g, _ in best]), rel=1e-5)
    np.testing.assert_allclose(found.variance[m], scene.embeddings[1].var[scene.distinct[0]].mean(), rtol=1e-6)
    assert found.rank_correlation == found.to_json()["rank_correlation"] and len(found.binned(12)) == 12
    errors = scene.errors[np.ix_(scene.distinct, scene.distinct)]
    assert (errors[~np.eye(m, dtype=bool)] > KAPPA - 1e-4).all()


def test_a_variance_that_knows_ambiguity_correlates(scene: Scene) -> None:
    found = ambiguity(scene)
    var = (1 / found.distance).reshape(len(scene.views), -1)
    knowing = []
    for row, e in zip(var, scene.embeddings):
        v = np.ones_like(e.var)
        v[scene.distinct] = row[:, None]
        knowing.append(Embeddings(e.mean, v))
    assert ambiguity(replace(scene, embeddings=tuple(knowing))).rank_correlation == pytest.approx(-1, abs=1e-3)


def test_space_is_the_principal_plane(scene: Scene) -> None:
    found = space(scene)
    means = np.concatenate([e.mean[scene.distinct] for e in scene.embeddings])
    values = np.sort(np.linalg.eigvalsh(np.cov(means.T.astype(np.float64))))[::-1]
    np.testing.assert_allclose(found.explained, values[:2] / values.sum(), rtol=1e-5)
    flat = found.position.reshape(-1, 2)
    np.testing.assert_allclose(np.cov(flat.T), np.diag(values[:2]), atol=1e-6 * values[0])
    blind = replace(scene, embeddings=tuple(scene.embeddings[0] for _ in scene.views))
    assert space(blind).spread < 1e-6 < found.spread < 1


def test_retrievals_are_ranked_and_judged(scene: Scene) -> None:
    found = retrievals(scene, queries=6, top=4)
    assert found.found.shape == (6, 4, 13, 2) and (found.cameras[:, 0] != found.cameras[:, 1]).all()
    assert (np.diff(found.probability, axis=1) <= 0).all()
    for row in range(6):
        q, e = found.cameras[row]
        (frame,) = np.flatnonzero((scene.views[q] == found.query[row]).all(axis=(1, 2)))
        (best,) = np.flatnonzero((scene.views[e] == found.found[row, 0]).all(axis=(1, 2)))
        error = np_mpjpe(scene.points[[frame]], scene.points[[best]])[0]
        assert found.error[row, 0] == pytest.approx(error, abs=1e-4)
        assert found.match[row, 0] == (error <= KAPPA)


def test_too_few_poses(scene: Scene) -> None:
    with pytest.raises(UsageError, match="too few"):
        Scene.of(some_people(5), ALL11, PrVipeEmbedder.load(threads=1), cameras_name="all11")
    alike = replace(scene, points=np.repeat(some_people(1), 40, 0) + RNG.normal(0, 0.01, (40, 17, 3)))
    with pytest.raises(UsageError, match="more varied motion"):
        ambiguity(alike)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    made_up(tmp_path / "motion.npz", ("ann", "bob"), 20)
    return Shell(capsys)


def test_four_pictures_and_their_numbers(run: Shell) -> None:
    told = run.json("explain", "prvipe", "--data", "motion.npz", "--out", "deep/pictures", "--frames", 30, "--quiet")
    assert (told["frames"], told["cameras"], told["keypoints"]) == (30, "chest4", "perfect")
    assert told["model"] == PrVipeEmbedder.load().name
    assert {"confidence", "ambiguity", "space", "retrievals"} < told.keys()
    for name in ("confidence", "ambiguity", "space", "retrievals"):
        pixels = np.asarray(Image.open(Path("deep/pictures") / f"{name}.png").convert("L"))
        assert min(pixels.shape) > 500 and 0.005 < (pixels < 250).mean() < 0.5, name


def test_wrong_usage(run: Shell) -> None:
    base = ["explain", "prvipe", "--data", "motion.npz", "--out", "p"]
    run.fails(*base[:-2], code=2, says=["--out"])
    run.fails(*base, "--keypoints", "detected", code=2, says=["perfect"])
    run.fails(*base, "--cameras", "two", code=2, says=["chest4"])
    run.fails(*base, "--model", "no.onnx", code=3, says=["no.onnx"])
    run.fails(*base, "--frames", "5", "--quiet", code=2, says=["too few"])
    Path("file").write_text("")
    run.fails(*base[:-1], "file", code=3, says=["file"])


def test_matplotlib_is_named_when_missing(tmp_path: Path) -> None:
    script = ("import sys; sys.modules['matplotlib'] = None; from samepose.cli import main;"
              "sys.exit(main(['explain', 'prvipe', '--data', 'a.npz', '--out', 'p']))")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "") and not (tmp_path / "p").exists()
    assert "matplotlib" in done.stderr and "samepose[eval]" in done.stderr and done.stderr.count("\n") == 1
