"""Two words weighed: who matches comes first, and the score of what is shown is how often it is right."""

from __future__ import annotations

import numpy as np
import pytest

from samepose.embed.pairs import PairMatching
from samepose.errors import UsageError
from samepose.evaluation.calibration import expected_calibration_error
from samepose.evaluation.pair_calibrator import Listed, fitted


def made_up(
    queries: int, seed: int, network: float = 1.0, embedding: float = 1.0, seen: float = 0.0, harder: float = 0.0,
    lifting: float | None = None,
) -> Listed:
    """Shortlists of 12: of each pair what it is worth, and what both words say of it with noise of their own.

    Args:
        seen: what the embedding says more of everybody.
        harder: how much less pairs are worth than both words know.
        lifting: whether distances in space say anything; None: nobody lifts.
    """
    rng = np.random.default_rng(seed)
    worth = rng.normal(-1, 2, (queries, 12))
    match = rng.random(worth.shape) < 1 / (1 + np.exp(harder - worth))
    said = [worth + rng.normal(0, 1.5, worth.shape) if sure else rng.normal(0, 2, worth.shape)
            for sure in (network, embedding)]
    apart = np.full(worth.shape, 1.0) if lifting is None else np.exp(-0.3 * (
        worth + rng.normal(0, 1.5, worth.shape) if lifting else rng.normal(0, 2, worth.shape)))
    return Listed(said[0].astype(np.float32), apart, (1 / (1 + np.exp(-seen - said[1]))).astype(np.float32),
                  np.full((queries, 12, 12), 0.05, np.float16), match, queries)


def test_what_is_shown_is_right_as_often_as_its_score_says() -> None:
    matching = fitted([made_up(6000, 0), made_up(6000, 1)])
    p, hit = made_up(3000, 2).best(matching)
    assert len(p) == 5 * 3000 and expected_calibration_error(p, hit) < 0.02
    assert matching.network == pytest.approx(matching.embedding, rel=0.3)
    embedded, right = made_up(3000, 2).best_embedded()
    assert hit.mean() > right.mean() + 0.02 and len(embedded) == len(p)


def test_who_is_seen_badly_is_believed_less() -> None:
    matching = fitted([made_up(2000, 0), made_up(2000, 1, seen=-3, harder=2)])
    blind = fitted([made_up(2000, 0), made_up(2000, 1, harder=2)])
    for seen, harder in ((0, 0), (-3, 2)):
        unseen = made_up(3000, 2, seen=seen, harder=harder)
        assert expected_calibration_error(*unseen.best(matching)) < 0.03
        assert expected_calibration_error(*made_up(3000, 2, harder=harder).best(blind)) > 0.08
    assert matching.best > 0


def test_every_condition_counts_the_same() -> None:
    many, few = made_up(4000, 0), made_up(400, 3, harder=2)
    assert fitted([many, few]).offset < fitted([many]).offset - 0.5
    assert vars(fitted([many, few])) == pytest.approx(vars(fitted([many, made_up(4000, 4, harder=2)])), abs=0.15)


def test_a_word_that_says_nothing_has_no_weight() -> None:
    assert (m := fitted([made_up(2000, 0, embedding=0)])).embedding < 0.05 * m.network
    assert (m := fitted([made_up(2000, 0, network=0)])).network < 0.05 * m.embedding


def test_distances_in_space_are_weighed_where_they_say_something() -> None:
    assert fitted([made_up(2000, 0)]).lifting == 0
    assert fitted([made_up(2000, 0, lifting=0)]).lifting < 0.2
    matching = fitted([made_up(4000, 0, lifting=1)])
    assert 0.3 * matching.lifting == pytest.approx(matching.network, rel=0.3)
    p, hit = made_up(3000, 2, lifting=1).best(matching)
    assert hit.mean() > made_up(3000, 2).best(fitted([made_up(4000, 0)]))[1].mean() + 0.01
    assert expected_calibration_error(p, hit) < 0.02


def test_whom_the_network_knows_nothing_of_keeps_the_embeddings_word() -> None:
    some = made_up(50, 3)
    silent = some._replace(logit=np.full_like(some.logit, np.nan))
    assert silent.best(PairMatching(1, 1))[0] == pytest.approx(some.best_embedded()[0])


def test_nothing_to_fit_is_refused() -> None:
    some = made_up(50, 4)
    for match in (np.zeros_like(some.match), np.ones_like(some.match)):
        with pytest.raises(UsageError, match="pairs that match and pairs that do not"):
            fitted([some._replace(match=match)])
