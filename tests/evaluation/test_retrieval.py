"""Cross-view retrieval: frames, cameras, hit rates, scorers and reports."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from made_up_motion import some_people
from samepose.errors import FormatError, UsageError
from samepose.evaluation.report import hidden_pairs_text, markdown_table, text_table, to_json
from samepose.evaluation.retrieval import (
    KAPPAS,
    RANKS,
    Keypoints2D,
    Lifting,
    PointEmbedding,
    PrVipe,
    RetrievalResult,
    evaluate,
    evaluate_hidden_pairs,
    evaluate_views,
    hit_rates,
    near_duplicates_removed,
    select_frames,
)
from samepose.evaluation.views import (
    ALL11,
    CHEST4,
    NOISE,
    Camera,
    cameras_of,
    keypoint_views,
    project_views,
    read_cameras,
)
from samepose.geometry.normalise import torso_scale_2d
from samepose.geometry.procrustes import np_mpjpe, np_mpjpe_matrix
from samepose.matching.embeddings import Embeddings, Matching
from samepose.skeleton import BODY13


class Oracle:
    """Knows the 3D poses."""

    def __init__(self, points: np.ndarray) -> None:
        self.points = points

    def describe(self, keypoints: np.ndarray) -> None:
        assert keypoints.shape == (len(self.points), 13, 2)

    def scores(self, query: None, index: None) -> np.ndarray:
        return -np_mpjpe_matrix(self.points, self.points)


class Dice:
    """Knows nothing."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def describe(self, keypoints: np.ndarray) -> int:
        return len(keypoints)

    def scores(self, query: int, index: int) -> np.ndarray:
        return self.rng.random((query, index))


def test_near_duplicates_against_a_naive_loop() -> None:
    centres = some_people(30)
    rng = np.random.default_rng(1)
    points = (centres[rng.integers(0, 30, 200)] + rng.normal(0, 0.006, (200, 17, 3))).astype(np.float32)
    points[17, 3] = np.nan
    kept: list[int] = []
    for i in range(len(points)):
        if i != 17 and all(np_mpjpe(points[k][None], points[i][None])[0] > 0.02 for k in kept):
            kept.append(i)
    assert 30 <= len(kept) < 190
    assert near_duplicates_removed(points).tolist() == kept
    assert near_duplicates_removed(points[:0]).tolist() == []


def test_near_duplicates_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.concatenate([some_people(40), some_people(20, seed=1), some_people(40)])
    whole = near_duplicates_removed(points)
    monkeypatch.setattr("samepose.evaluation.retrieval._BLOCK", 7)
    assert near_duplicates_removed(points).tolist() == whole.tolist() == list(range(60))


def test_frames_are_drawn_by_seed_and_without_near_duplicates() -> None:
    points = np.repeat(some_people(50), 3, axis=0)
    chosen = select_frames(points, n=20, seed=0)
    assert len(set(chosen.tolist())) == 20
    assert set(chosen % 3) == {0}
    assert chosen.tolist() == select_frames(points, n=20, seed=0).tolist()
    assert chosen.tolist() != select_frames(points, n=20, seed=1).tolist()
    assert len(select_frames(points, n=1000)) == 50


def test_camera_tables() -> None:
    assert [c.azimuth for c in CHEST4] == [20, 110, 200, 290]
    assert all(c.elevation == 0 and c.roll == 0 for c in CHEST4)
    assert len(set(ALL11)) == 11
    assert ALL11[:4] == CHEST4
    assert {c.elevation for c in ALL11} >= {-20, 30}
    assert all(-20 <= c.elevation <= 30 and abs(c.roll) <= 10 and 0 <= c.azimuth < 360 for c in ALL11)
    assert cameras_of("chest4") == CHEST4
    assert cameras_of("all11") == ALL11


def test_cameras_from_files(tmp_path: Path) -> None:
    expected = (Camera(10), Camera(-30, 20, 5))
    table, document = tmp_path / "c.csv", tmp_path / "c.json"
    table.write_text("azimuth,elevation,roll\n10,0,0\n\n-30,20,5\n")
    document.write_text("[[10], [-30, 20, 5]]")
    assert cameras_of(table) == cameras_of(str(document)) == expected
    table.write_text("10,0,0\n-30,20,5\n")
    assert read_cameras(table) == expected
    with pytest.raises(UsageError, match=r"use chest4, all11 or a \.json or \.csv file"):
        cameras_of("nowhere.csv")


@pytest.mark.parametrize(
    "text", ["10,0,0\n", "10,95,0\n20,0,0\n", "10,north\n20,0\n", "1,2,3,4\n1,2,3,4\n", "nan\n1\n"]
)
def test_bad_camera_files_are_named(tmp_path: Path, text: str) -> None:
    table = tmp_path / "bad.csv"
    table.write_text(text)
    with pytest.raises(FormatError, match=r"bad\.csv: "):
        read_cameras(table)


def test_views_do_not_depend_on_place_or_size() -> None:
    people = some_people(6)
    views = project_views(people, ALL11)
    assert views.shape == (11, 6, 13, 2)
    assert views.dtype == np.float32
    np.testing.assert_allclose(torso_scale_2d(views.reshape(-1, 13, 2)), 0.5, rtol=1e-5)
    np.testing.assert_allclose(project_views(people * 3 + 10, ALL11), views, atol=1e-4)


def test_views_from_the_front_and_the_back_are_told_apart() -> None:
    front, back = project_views(some_people(1, spread=0), (Camera(0), Camera(180)))[:, 0]
    left, right = BODY13.index("left_shoulder"), BODY13.index("right_shoulder")
    assert front[left, 0] > front[right, 0]
    assert back[left, 0] < back[right, 0]
    assert front[BODY13.index("nose"), 1] < front[BODY13.index("left_ankle"), 1]


def test_noisy_keypoints() -> None:
    people = some_people(200)
    clean, noisy = (keypoint_views(people, CHEST4, kind) for kind in ("perfect", "noisy"))
    difference = noisy - clean
    assert np.abs(np.std(difference) - NOISE) < 0.006
    np.testing.assert_allclose(torso_scale_2d(noisy.reshape(-1, 13, 2)), 0.5, rtol=1e-5)
    np.testing.assert_array_equal(noisy, keypoint_views(people, CHEST4, "noisy", seed=0))
    assert not np.array_equal(noisy, keypoint_views(people, CHEST4, "noisy", seed=1))


@pytest.mark.usefixtures("unchecked")
def test_keypoints_of_no_known_kind() -> None:
    with pytest.raises(UsageError, match="use perfect, noisy or detected"):
        keypoint_views(some_people(2), CHEST4, "guessed")  # type: ignore[arg-type]


def test_hit_rates_against_a_naive_loop() -> None:
    rng = np.random.default_rng(2)
    scores, match = rng.random((80, 50)), rng.random((80, 50)) < 0.05
    match[:5] = False
    expected = [
        np.mean([any(match[q, e] for e in sorted(range(50), key=lambda e: -scores[q, e])[:k]) for q in range(80)])
        for k in RANKS
    ]
    np.testing.assert_allclose(hit_rates(scores, match), expected)
    assert 0 < expected[0] < expected[-1] < 1
    scores[np.unravel_index(np.arange(0, 4000, 7), scores.shape)] = np.nan
    for ours, q in ((hit_rates(scores[q : q + 1], match[q : q + 1]), q) for q in range(80)):
        best = np.where(match[q], scores[q], -np.inf).max()  # NaN if any right one is
        ahead = (~match[q] & ~(scores[q] < best)).sum() if match[q].any() else 99
        assert ours.tolist() == [float(ahead < k) for k in RANKS], q


def test_ties_nan_and_queries_without_a_match_are_no_hits() -> None:
    match = np.eye(40, dtype=bool)
    assert hit_rates(np.zeros((40, 40)), match).tolist() == [0, 0, 0]
    assert hit_rates(np.full((40, 40), np.nan), match).tolist() == [0, 0, 0]
    assert hit_rates(np.zeros((2, 3)), np.zeros((2, 3), bool)).tolist() == [0, 0, 0]
    assert hit_rates(np.eye(40), match).tolist() == [1, 1, 1]


def test_the_oracle_is_perfect_and_dice_are_at_the_base_rate() -> None:
    people = some_people(300, spread=0.05)
    oracle, dice = evaluate(people, {"oracle": Oracle(people), "dice": Dice()}, CHEST4, cameras_name="chest4")
    assert oracle.hit == {kappa: dict.fromkeys(RANKS, 1.0) for kappa in KAPPAS}
    match = np_mpjpe_matrix(people, people) <= 0.1
    for k in RANKS:
        by_chance = np.mean(1 - (1 - match.mean(axis=1)) ** k)
        assert dice.hit[0.1][k] == pytest.approx(by_chance, abs=0.03)
    assert (dice.frames, dice.cameras, dice.keypoints, dice.hidden) == (300, "chest4", "perfect", ())


def test_every_ordered_pair_of_cameras_counts_once() -> None:
    people = some_people(40)
    views = project_views(people, CHEST4)
    match = np_mpjpe_matrix(people, people) <= 0.1
    rates = [
        hit_rates(Keypoints2D().scores(views[q], views[e]), match) for q, e in itertools.permutations(range(4), 2)
    ]
    (found,) = evaluate(people, {"2d": Keypoints2D()}, CHEST4, cameras_name="chest4")
    assert len(rates) == 12
    assert list(found.hit[0.1].values()) == pytest.approx(np.mean(rates, axis=0).tolist())


def test_every_scorer_finds_the_same_view() -> None:
    """Query and index from one camera: each scorer must put every frame before all others."""
    views = project_views(some_people(60), CHEST4[:1])[0]
    flat = views.reshape(60, 26)
    scorers = (
        PrVipe(lambda k: Embeddings(k.reshape(-1, 26), np.full((len(k), 26), 1e-4, np.float32)), Matching(5.0, 0.0)),
        PointEmbedding(lambda k: k.reshape(-1, 26)),
        Keypoints2D(),
        Lifting(lambda k: np.concatenate([k[:, [*range(13), 0, 1, 2, 3]], np.ones((len(k), 17, 1))], axis=2)),
    )
    for scorer in scorers:
        described = scorer.describe(views)
        assert hit_rates(scorer.scores(described, described), np.eye(60, dtype=bool))[0] == 1, scorer
    ranked = PointEmbedding(lambda k: k).scores(flat, flat).argsort(axis=1)
    by_distance = (-((flat[:, None] - flat[None]) ** 2).sum(axis=2)).argsort(axis=1)
    assert (ranked == by_distance).mean() > 0.99


def test_hidden_joints_reach_the_queries_as_nan_and_never_matter() -> None:
    people, seen = some_people(30), []

    def embed(keypoints: np.ndarray) -> np.ndarray:
        seen.append(np.isnan(keypoints[..., 0]).any(axis=0))
        return np.nan_to_num(keypoints).reshape(-1, 26)

    hide = ("left_wrist", "nose")
    columns = [BODY13.index(j) for j in hide]
    evaluate(people, {"p": PointEmbedding(embed)}, CHEST4, cameras_name="chest4", hide=hide)
    assert [np.flatnonzero(s).tolist() for s in seen] == [sorted(columns)] * 4 + [[]] * 4
    seen.clear()
    evaluate(people, {"p": PointEmbedding(embed)}, CHEST4, cameras_name="chest4", hide=hide, hide_index=True)
    assert [np.flatnonzero(s).tolist() for s in seen] == [sorted(columns)] * 4

    # Whatever a camera made of the joints that are hidden: the figures are those without them.
    views = project_views(people, CHEST4)
    scorers = {"p": PointEmbedding(embed), "k": Keypoints2D()}
    kept = {"cameras_name": "chest4", "keypoints": "x", "hide": hide, "hide_index": True}
    expected = [r.hit for r in evaluate_views(people, views, scorers, **kept)]
    for value in (1e6, -3e4, 0.0):
        views[:, :, columns] = value + 10 * np.arange(30, dtype=np.float32)[:, None, None] * np.abs(value)
        assert [r.hit for r in evaluate_views(people, views, scorers, **kept)] == expected
    assert evaluate_views(people, views, scorers, cameras_name="chest4", keypoints="x")[1].hit != expected[1]

    query, index = project_views(people, CHEST4[:2])
    query[:, columns] = np.nan
    kept = [j for j in range(13) if j not in columns]
    without = Keypoints2D().scores(query[:, kept], index[:, kept])
    np.testing.assert_allclose(Keypoints2D().scores(query, index), without, atol=1e-6)
    query[3] = np.nan
    assert (Keypoints2D().scores(query, index)[3] == -np.inf).all()  # ranks last, and can be compared
    with pytest.raises(UsageError, match="no joint 'tail'"):
        evaluate(people, {}, CHEST4, cameras_name="chest4", hide=("tail",))


def test_all_pairs_of_hidden_joints_are_averaged() -> None:
    people = some_people(12)
    scorer = PointEmbedding(lambda k: np.nan_to_num(k).reshape(-1, 26))
    (found,) = evaluate_hidden_pairs(people, {"p": scorer}, CHEST4[:2], cameras_name="two")
    one_by_one = {
        pair: evaluate(people, {"p": scorer}, CHEST4[:2], cameras_name="two", hide=pair)[0].hit
        for pair in itertools.combinations(BODY13.joints, 2)
    }
    assert len(one_by_one) == 78
    assert found.hit[0.05][1] == pytest.approx(np.mean([hit[0.05][1] for hit in one_by_one.values()]))
    assert found.hidden == ("any two",) and found.any_two
    assert found.any_two.worst_hit == one_by_one[found.any_two.worst]
    lowest, mean = min(hit[0.1][1] for hit in one_by_one.values()), found.hit[0.1][1]
    assert found.any_two.worst_hit[0.1][1] == lowest < mean
    (whole,) = evaluate(people, {"p": scorer}, CHEST4[:2], cameras_name="two")
    assert found.any_two.complete == whole.hit
    told = json.loads(json.dumps(to_json([found])))["models"]["p"]
    complete = whole.hit[0.1][1]
    assert told["drop"] == pytest.approx({"mean": complete - mean, "worst": complete - lowest})
    assert told["complete"]["0.1"]["1"] == complete and told["worst"]["hit"]["0.1"]["1"] == lowest
    assert tuple(told["worst"]["hidden"]) == found.any_two.worst
    first, second = found.any_two.worst
    assert hidden_pairs_text(found).endswith(f"{100 * (complete - lowest):.1f} at worst ({first} and {second})")
    assert hidden_pairs_text(whole) == ""


def test_nothing_to_evaluate_is_refused() -> None:
    with pytest.raises(UsageError, match="got 0 and 4"):
        evaluate(some_people(0), {}, CHEST4, cameras_name="chest4")
    with pytest.raises(UsageError, match="got 3 and 1"):
        evaluate(some_people(3), {}, CHEST4[:1], cameras_name="one")


def some_results() -> list[RetrievalResult]:
    hit = {0.1: {1: 0.865, 10: 0.9, 20: 1.0}, 0.05: {1: 0.5, 10: 0.6, 20: 0.7}}
    return [RetrievalResult("prvipe", hit, 1500, "all11", "perfect"),
            RetrievalResult("2d", hit, 1500, "all11", "perfect", ("nose", "left_hip"))]


def test_json_has_the_agreed_form() -> None:
    document = json.loads(json.dumps(to_json(some_results())))
    assert document["models"]["prvipe"] == {
        "hit": {"0.1": {"1": 0.865, "10": 0.9, "20": 1.0}, "0.05": {"1": 0.5, "10": 0.6, "20": 0.7}},
        "frames": 1500, "cameras": "all11", "keypoints": "perfect",
    }
    assert document["models"]["2d"]["hidden"] == ["nose", "left_hip"]
    with pytest.raises(UsageError, match="prvipe has two results"):
        to_json(some_results()[:1] * 2)


def test_tables() -> None:
    text = text_table(some_results()).splitlines()
    assert text[0] == "Hit@1/10/20 in %, kappa 0.1  all11, perfect   all11, perfect, hidden nose left_hip"
    assert text[2].split() == ["prvipe", "86.5/90.0/100.0", "-"]
    assert text[3].split() == ["2d", "-", "86.5/90.0/100.0"]
    markdown = markdown_table(some_results()[:1], kappa=0.05).splitlines()
    assert markdown == [
        "| Hit@1/10/20 in %, kappa 0.05 | all11, perfect |", "|---|---|", "| prvipe | 50.0/60.0/70.0 |",
    ]
    with pytest.raises(UsageError, match=r"no hit rates at kappa 0\.2"):
        text_table(some_results(), kappa=0.2)
