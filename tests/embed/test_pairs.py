"""The shipped pair network, and what makes probabilities of its logits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from made_up_motion import some_people
from samepose.embed.pairs import Compared, Looks, PairMatching, PairModel, PairsInfo, agreed, apart_in_space, log_odds
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import FormatError
from samepose.evaluation.retrieval import PrVipe, Reranked
from samepose.evaluation.views import CHEST4, project_views
from samepose.geometry.procrustes import np_mpjpe_matrix, np_mpjpe_of_few
from samepose.skeleton import BODY13
from samepose.weights import weight_file


def flat(logit: np.ndarray) -> Compared:
    """What two pictures say where nobody lifts them."""
    return Compared(logit, np.ones_like(logit))


@pytest.fixture(scope="module")
def model() -> PairModel:
    return PairModel.load()


def test_the_shipped_embedder_has_the_shipped_network(model: PairModel) -> None:
    shipped = PrVipeEmbedder.load()
    assert shipped.pairs is not None and shipped.pairs.info == model.info
    assert model.info.name == "pairs-4" and "cmu-02" not in model.info.subjects
    assert shipped.accepting(5).pairs is not None
    assert PrVipeEmbedder.load(weight_file("prvipe")).pairs is None
    assert PrVipeEmbedder.load(weight_file("prvipe"), pairs=model).pairs is model


def test_it_knows_a_pose_from_another_side_and_left_from_right(model: PairModel) -> None:
    first, second = project_views(some_people(200, spread=0.08), (CHEST4[0], CHEST4[1]))
    same = model.logits(first, second)
    other = model.logits(first, np.roll(second, 1, axis=0))
    mirrored = model.logits(first, second[:, list(BODY13.mirror)])
    assert (same > other).mean() > 0.97 and (same > mirrored).mean() > 0.97
    assert model.logits(first * 3 + 100, second) == pytest.approx(same, abs=0.05)


def test_both_orders_say_much_the_same(model: PairModel) -> None:
    first, second = project_views(some_people(200, spread=0.08), (CHEST4[0], CHEST4[1]))
    assert np.corrcoef(model.logits(first, second), model.logits(second, first))[0, 1] > 0.8


def test_too_few_shared_joints_leave_the_embeddings_word(model: PairModel) -> None:
    first, second = project_views(some_people(3), CHEST4[:2])
    first[0, :4], second[0, 4:8] = np.nan, np.nan  # five are left
    embedded = np.array([[0.3], [0.4], [0.5]], np.float32)
    told = model.probability(model.look(first), model.look(second), embedded, np.ones((3, 1, 1), np.float32))
    assert np.isnan(model.logits(first, second)).tolist() == [True, False, False]
    assert told[0] == embedded[0] and (told[1:] != embedded[1:]).all() and told.dtype == np.float32
    assert len(model.logits(first[:0], second[:0])) == 0


def test_what_two_words_are_worth() -> None:
    matching = PairMatching(0.5, 2.0, 1.5, -1.0, 0.2, lifting=3.0)
    worth = matching.worth(Compared(np.array([[1.2, np.nan]]), np.array([[0.5, 0.5]])), np.array([[0.8, 0.8]]))
    assert worth[0, 0] == pytest.approx(0.5 * 1.2 + 2 * np.log(4) + 3 * np.log(2)) and np.isnan(worth[0, 1])
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()
    info = PairsInfo("x", matching, ("ann",))
    assert PairsInfo.from_json(info.to_json()) == info


def test_two_pictures_are_as_near_in_space_as_their_nearest_likely_hypotheses() -> None:
    poses = some_people(7, spread=0.3).astype(np.float32)
    one = Looks(np.zeros((1, 13, 2), np.float32), poses[None, :2], np.array([[0.75, 0.25]]))
    others = Looks(np.zeros((2, 13, 2), np.float32), np.stack([poses[[3, 0]], poses[[4, 5]]]), np.full((2, 2), 0.5))
    d = [[np_mpjpe_matrix(one.poses[0], other)[i, j] for i in range(2) for j in range(2)] for other in others.poses]
    found = apart_in_space(one, others, np_mpjpe_matrix)
    weights = np.array([0.375, 0.375, 0.125, 0.125])
    assert found == pytest.approx([(weights @ np.maximum(row, 0.01) ** -6.0) ** (-1 / 6) for row in d], rel=1e-4)
    assert found[0] < 0.02 and found == pytest.approx(apart_in_space(one, others, np_mpjpe_of_few), rel=1e-4)
    assert apart_in_space(one, others[:0], np_mpjpe_of_few).shape == (0,)


def test_lifting_knows_a_pose_from_another_side(model: PairModel) -> None:
    first, second = (model.look(view) for view in project_views(some_people(40, spread=0.2), CHEST4[:2]))
    everybody = np.tile(np.arange(40), (40, 1))
    said = model.compared(first, second[everybody.ravel()])
    same = np.diagonal(said.apart)  # of people made up by chance, whom lifting knows little of: 0.5 would be nothing
    assert (same[:, None] <= said.apart).mean() > 0.65
    pictures = model.compared(first, first[everybody.ravel()])
    assert (np.diagonal(pictures.apart)[:, None] <= pictures.apart).mean() > 0.95
    alone = model.compared(first[[3]], second)
    assert alone.apart[0] == pytest.approx(said.apart[3], rel=1e-4) and alone.logit[0] == pytest.approx(said.logit[3])
    nobody = PairModel(model._run, model.info)
    assert (nobody.compared(nobody.look(first.keypoints), nobody.look(second.keypoints)).apart == 1).all()
    assert model.compared(first[:0], second[:0]).apart.shape == (0, 0)


def test_numbers_for_another_lifting_are_refused(tmp_path: Path) -> None:
    from samepose.training.pairs.export import rewrite

    info = PairModel.load().info
    rewrite(weight_file("pairs"), replace(info, lifting="lifting-1"), tmp_path / "old.onnx")
    with pytest.raises(FormatError, match=r"old\.onnx: its numbers are for lifting-1, and lifting-2 is installed"):
        PairModel.load(tmp_path / "old.onnx")


def test_those_who_show_the_same_pose_help_each_other() -> None:
    worth = np.array([[2.0, 0.0, 0.5, -4.0]])  # the second is spoiled: it shows the pose of the first
    apart, alike = (np.full((1, 4, 4), 0.0, np.float32) for _ in range(2))
    alike[0, 0, 1] = alike[0, 1, 0] = 0.6
    alone, helped = agreed(worth, apart)[0], agreed(worth, alike)[0]
    weights = np.exp(worth[0])
    assert alone == pytest.approx(weights / (1 + weights.sum()))  # nobody helps: how likely each is the one
    assert agreed(worth[:, :1], apart[:, :1, :1]) == pytest.approx(1 / (1 + np.exp(-2)))  # of one: is it that?
    weights[:2] /= 1.6
    w = weights / (1 + weights.sum())
    assert helped == pytest.approx([w[0] + 0.6 * w[1], w[1] + 0.6 * w[0], w[2], w[3]])
    assert alone.argsort()[::-1].tolist() == [0, 2, 1, 3] and helped.argsort()[::-1].tolist() == [0, 1, 2, 3]


def test_a_pose_is_not_likelier_for_being_shown_often() -> None:
    worth = np.array([[1.0, 0.5, 0.5, 0.5, 0.5]])
    copies = np.zeros((1, 5, 5), np.float32)
    copies[0, 1:, 1:] = 1
    once = agreed(worth[:, :2], copies[:, :2, :2])[0]
    often = agreed(worth, copies)[0]
    assert often == pytest.approx([once[0], *[once[1]] * 4])


def test_however_long_the_list_the_score_of_the_first_is_the_same() -> None:
    rng = np.random.default_rng(3)
    worth, between = rng.normal(size=(2, 8)), rng.random((2, 8, 8)).astype(np.float32)
    few = agreed(worth[:, :5], between[:, :5, :5])
    many = agreed(worth, between[:, :, :5])
    assert many[:, :5] == pytest.approx(few)
    e = np.exp(worth)
    e[:, :5] /= 1 + between[:, :5, :5].sum(2) - np.diagonal(between[:, :5, :5], axis1=1, axis2=2)
    e[:, 5:] /= 1 + between[:, 5:, :5].sum(2)
    voices = np.einsum("qij,qj->qi", between[:, 5:, :5], e[:, :5])
    told = (voices + e[:, 5:]) / (1 + e[:, :5].sum(1)[:, None] + e[:, 5:])
    assert many[:, 5:] == pytest.approx(told)


def test_who_is_not_heard_moves_no_level() -> None:
    rng = np.random.default_rng(4)
    logit, embedded = rng.normal(size=(2, 8)), rng.uniform(0.1, 0.9, (2, 8)).astype(np.float32)
    logit[:, 6] = 50.0  # of no great embedding, and yet first
    between = rng.random((2, 8, 8)).astype(np.float32)
    matching = PairMatching(1.0, 1.0, best=0.7)
    few = matching.probability(flat(logit[:, :6]), embedded[:, :6], between[:, :6, :6])
    many = matching.probability(flat(logit), embedded, between[:, :, :6])
    assert many[:, 6] == pytest.approx(1) and many[:, :6] == pytest.approx(few)


def test_whom_the_network_knows_nothing_of_takes_no_part() -> None:
    rng = np.random.default_rng(0)
    worth, between = rng.normal(size=(3, 6)), rng.random((3, 6, 6)).astype(np.float32)
    between = (between + between.transpose(0, 2, 1)) / 2
    silent = worth.copy()
    silent[:, 4:] = np.nan
    found = agreed(silent, between)
    assert np.isnan(found[:, 4:]).all() and found[:, :4] == pytest.approx(agreed(worth[:, :4], between[:, :4, :4]))
    assert np.isnan(agreed(np.full((2, 3), np.nan), between[:2, :3, :3])).all()
    assert agreed(worth + 1000, between).sum() > 3 and agreed(worth - 1000, between).max() < 1e-9


def test_the_best_five_move_the_level_of_their_list_alone() -> None:
    logit = np.array([[6, 5, 4, 3, 2, -9, np.nan], [0, 0, np.nan, np.nan, np.nan, np.nan, np.nan]])
    embedded = np.full((2, 7), 0.8, np.float32)
    embedded[:, 6] = 0.25
    between = np.full((2, 7, 7), 0.5, np.float32)
    embedded[1, :2] = 0.5
    plain = PairMatching(1.0, 0.0).probability(flat(logit), embedded, between)
    moved = PairMatching(1.0, 0.0, 2.0, -2.0, best=0.5)
    p = moved.probability(flat(logit), embedded, between)
    level = np.array([0.5 * np.log(4) - 2, -2])
    told = ~np.isnan(logit)
    assert log_odds(p)[told] == pytest.approx((2 * log_odds(plain) + level[:, None])[told], abs=1e-3)
    assert (p[~told] == embedded[~told]).all()
    none = np.full((1, 3), np.nan)
    assert moved.probability(flat(none), embedded[:1, :3], between[:1, :3, :3]) == pytest.approx(0.8)


@pytest.mark.parametrize("fields", [
    {"network": -1, "embedding": 1}, {"network": 0, "embedding": 0}, {"network": 1, "embedding": float("nan")},
    {"network": 1, "embedding": 1, "slope": 0}, {"network": 1, "embedding": 1, "lifting": -1}])
def test_no_matching_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no matching probability"):
        PairMatching.of_fields(fields)


def test_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="not a pair network"):
        PairModel.load(weight_file("prvipe"))
    with pytest.raises(FormatError, match=r"none\.onnx"):
        PairModel.load(tmp_path / "none.onnx")


def test_in_an_evaluation_it_ranks_a_shortlist_and_leaves_the_rest_behind(model: PairModel) -> None:
    embedder = PrVipeEmbedder.load()
    first, second = project_views(some_people(60, spread=0.08), (CHEST4[0], CHEST4[2]))
    alone = PrVipe(embedder.embed_keypoints, embedder.matching)
    scorer = Reranked(alone, model, shortlist=10)
    p = alone.scores(alone.describe(first), alone.describe(second))
    scores = scorer.scores(scorer.describe(first), scorer.describe(second))
    best = np.argsort(-p, axis=1)[:, :10]
    listed = np.zeros(p.shape, bool)
    np.put_along_axis(listed, best, True, axis=1)
    assert (scores[listed] >= 0).all() and (scores[~listed] < 0).all()
    i, j = 5, int(best[5, 3])
    among = alone.scores(alone.describe(second[best[i]]), alone.describe(second[best[i]]))
    again = model.probability(model.look(first[[i]]), model.look(second[best[i]]), p[[i], best[i]][None], among[None])
    assert scores[i, j] == pytest.approx(again[0, 3], abs=1e-6)
