"""The shipped pair network, and what makes probabilities of its logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from made_up_motion import some_people
from samepose.embed.pairs import PairMatching, PairModel, PairsInfo, log_odds
from samepose.embed.prvipe import PrVipeEmbedder
from samepose.errors import FormatError
from samepose.evaluation.retrieval import PrVipe, Reranked
from samepose.evaluation.views import CHEST4, project_views
from samepose.skeleton import BODY13
from samepose.weights import weight_file


@pytest.fixture(scope="module")
def model() -> PairModel:
    return PairModel.load()


def test_the_shipped_embedder_has_the_shipped_network(model: PairModel) -> None:
    shipped = PrVipeEmbedder.load()
    assert shipped.pairs is not None and shipped.pairs.info == model.info
    assert model.info.name == "pairs-2" and "cmu-02" not in model.info.subjects
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
    told = model.probability(first, second[:, None], embedded)
    assert np.isnan(model.logits(first, second)).tolist() == [True, False, False]
    assert told[0] == embedded[0] and (told[1:] != embedded[1:]).all() and told.dtype == np.float32
    assert len(model.logits(first[:0], second[:0])) == 0


def test_the_two_probabilities_become_one() -> None:
    matching = PairMatching(0.5, 2.0, -1.0)
    p = matching.probability(np.array([[1.2]]), np.array([[0.8]]), np.array([[13]]))
    assert float(p[0, 0]) == pytest.approx(1 / (1 + np.exp(-(0.5 * 1.2 + 2 * np.log(4) - 1))))
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()
    info = PairsInfo("x", matching, ("ann",))
    assert PairsInfo.from_json(info.to_json()) == info


def test_the_best_five_move_the_level_of_their_list_alone() -> None:
    logit = np.array([[6, 5, 4, 3, 2, -9, np.nan], [0, 0, np.nan, np.nan, np.nan, np.nan, np.nan]])
    embedded, joints = np.full((2, 7), 0.5, np.float32), np.array([[13, 13, 11, 13, 10, 6, 5], [8, 6, 5, 5, 5, 5, 5]])
    embedded[:, 6] = 0.25
    plain = PairMatching(1.0, 0.0, 0.0).probability(logit, embedded, joints)
    p = PairMatching(1.0, 0.0, -2.0, best_logit=0.5, best_joints=0.1).probability(logit, embedded, joints)
    level = np.array([0.5 * 4 + 0.1 * 12 - 2, 0.1 * 7 - 2])
    told = ~np.isnan(logit)
    assert log_odds(p)[told] == pytest.approx((log_odds(plain) + level[:, None])[told], abs=1e-3)
    assert (p[~told] == embedded[~told]).all()
    none = np.full((1, 3), np.nan)
    assert (PairMatching(1.0, 1.0, 5.0, 2.0, 2.0).probability(none, embedded[:1, :3], joints[:1, :3]) == 0.5).all()


@pytest.mark.parametrize("fields", [{"network": -1, "embedding": 1, "offset": 0}, {"network": 0, "embedding": 0,
                         "offset": 0}, {"network": 1, "embedding": float("nan"), "offset": 0}])
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
    again = model.probability(first[[i]], second[best[[i]]], p[[i], best[i]][None])
    assert scores[i, j] == pytest.approx(again[0, 3], abs=1e-6)
