"""Two views at a time: the matching probability of a pair of poses, by the pair network and by lifting; no torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from samepose.embed.lifting import LiftingNetwork, shipped_lifting
from samepose.errors import FormatError
from samepose.geometry.procrustes import np_mpjpe_matrix, np_mpjpe_of_few
from samepose.geometry.two_views import FEATURES, FEWEST, two_view_features
from samepose.weights import Network, weight_file

SHORTLIST = 50  # people of a search whom the network looks at, at least
BEST = 5  # of a shortlist, who tell how well the query is seen
OWN = 0.25  # of each one's worth, beside what all agree on: most of the first ten match (results/agreement.json)
_BATCH = 2048
_POWER = 6  # of the mean over hypotheses; 2 to 14 rank much the same, the nearest pair alone worse: results/lifted.json
_NEAREST = 0.01  # torso lengths; two poses are taken to be no nearer
_SUREST = 1e-6  # a probability is taken to be no nearer to 0 or 1, where its logit has no end


class Compared(NamedTuple):
    """What a look at two pictures says of pairs.

    Attributes:
        logit: the pair network's; NaN where it says nothing.
        apart: how far the two are from each other in space, in torso lengths; 1 where nobody lifts them.
    """

    logit: Float[np.ndarray, "query k"]
    apart: Float[np.ndarray, "query k"]


@dataclass(frozen=True)
class PairMatching:
    """From what two pictures and the embedding say of a shortlist to calibrated probabilities.

    The pair network knows two pictures; lifting knows how bodies are built and what a detector gets wrong, but one
    picture at a time; the embedding knows what each picture is likely to show. network x logit + embedding x log-odds
    of the embedding's P - lifting x log of the distance in space is what somebody on a shortlist is `worth` alone.
    A worth is drawn from two pictures and now and then off, each in its own way; so those who show the same pose
    help each other: the `order` is by the log-odds of what they agree on and, a quarter, by their own worth. How far
    that can be taken at its word depends on how well the query is seen, which its own best five tell: the logit of P is
    slope x order + best x the mean log-odds of their embeddings' P + offset. The last two change no order.

    Attributes:
        network, embedding, lifting: weights, 0 or more, one of them above.
        slope: above 0.
        best: weight of what the best five say.
    """

    network: float
    embedding: float
    slope: float = 1.0
    offset: float = 0.0
    best: float = 0.0
    lifting: float = 0.0

    @classmethod
    def of_fields(cls, fields: Mapping[str, Any]) -> PairMatching:
        """From a file's numbers; TypeError or ValueError when they are none that can be."""
        found = cls(**{name: float(value) for name, value in fields.items()})
        weights = found.network, found.embedding, found.lifting
        if not (np.isfinite(list(vars(found).values())).all() and min(weights) >= 0 and sum(weights) > 0
                and found.slope > 0):
            raise ValueError(f"{found} is no matching probability")
        return found

    def worth(self, said: Compared, embedded: Float[np.ndarray, "query k"]) -> Float[np.ndarray, "query k"]:
        """What each is worth alone: a logit; NaN where the network says nothing."""
        summed: np.ndarray = (self.network * said.logit + self.embedding * log_odds(embedded)
                              - self.lifting * np.log(said.apart))
        return summed

    def order(
        self, said: Compared, embedded: Float[np.ndarray, "query k"], between: Float[np.ndarray, "query k heard"],
    ) -> Float[np.ndarray, "query k"]:
        """What ranks the shortlists of some queries, as of `probability`; NaN where the network says nothing."""
        worth = self.worth(said, embedded)
        return log_odds(agreed(worth, between)) + OWN * worth

    def probability(
        self, said: Compared, embedded: Float[np.ndarray, "query k"], between: Float[np.ndarray, "query k heard"],
    ) -> Float[np.ndarray, "query k"]:
        """Of the shortlists of some queries.

        Args:
            said: where it says nothing, the embedding's word stays.
            embedded: the embedding's matching probability.
            between: the embedding's matching probability of each and the first `SHORTLIST`, or all if they are fewer.
        """
        order = self.order(said, embedded, between)
        heard = between.shape[2]
        level = self.best * of_best(order[:, :heard], log_odds(embedded[:, :heard])) + self.offset
        p = 1 / (1 + np.exp(-(self.slope * order + level[:, None])))
        told: np.ndarray = np.where(np.isnan(said.logit), embedded, p)
        return told.astype(np.float32)


def agreed(
    worth: Float[np.ndarray, "query k"], between: Float[np.ndarray, "query k heard"]
) -> Float[np.ndarray, "query k"]:
    """That each of a shortlist shows the query's pose, by what the first of it, who are heard, and itself are worth.

    Suppose the query's pose is that of one of them, j with probability w_j, which is in proportion to exp(worth_j), or
    of none, in proportion to 1: somebody alone matches with the sigmoid of the worth. Then i shows it too if it shows
    the pose of j: P_i = sum over j of w_j P(i and j match). Before that exp(worth_j) is divided by how many there are
    of j's pose, sum over i of P(i and j match), lest a pose be likelier for being shown often. However long a list, as
    many are heard, so that nobody's score depends on how many were asked for.

    Args:
        worth: logits, NaN: takes no part.
        between: that each and those who are heard match; of each with itself 1, whatever is given.

    Returns:
        0..1, NaN where worth is.
    """
    known, heard = ~np.isnan(worth), between.shape[2]
    same = np.where(known[:, :, None] & known[:, None, :heard], between, np.float32(0))
    same[:, np.arange(heard), np.arange(heard)] = 1
    besides = np.arange(worth.shape[1]) >= heard
    best = np.where(known, worth, 0).max(axis=1, keepdims=True, initial=0)
    weight = np.exp(np.where(known, worth, -np.inf) - best) / (same.sum(axis=2) + besides)
    own, voices = np.where(besides, weight, 0), weight[:, :heard]
    p = (np.matmul(same, voices[..., None])[..., 0] + own) / (voices.sum(axis=1, keepdims=True) + own + np.exp(-best))
    return np.where(known, p, np.nan)


def of_best(order: Float[np.ndarray, "query k"], of: Float[np.ndarray, "query k"]) -> Float[np.ndarray, " query"]:
    """The mean of something over the best five of each list, of those who are ranked; 0 where nobody is."""
    first = np.argsort(np.where(np.isnan(order), np.inf, -order), axis=1, kind="stable")[:, :BEST]
    ranked = ~np.isnan(np.take_along_axis(order, first, axis=1))
    values = np.where(ranked, np.take_along_axis(of, first, axis=1), 0)
    mean: np.ndarray = values.sum(axis=1) / np.maximum(ranked.sum(axis=1), 1)
    return mean


def log_odds(probability: Float[np.ndarray, "*pair"]) -> Float[np.ndarray, "*pair"]:
    """The logit of a probability, of one near 0 or 1 that of one in a million."""
    p = np.clip(np.asarray(probability, np.float64), _SUREST, 1 - _SUREST)
    odds: np.ndarray = np.log(p / (1 - p))
    return odds


@dataclass(frozen=True)
class PairsInfo:
    """What an exported pair network carries besides its weights.

    Attributes:
        name: model and version, e.g. "pairs-4".
        matching: how what is said of a pair becomes a probability.
        subjects: people of the motion capture it was trained on; none where the file does not tell.
        lifting: name of the lifting network that `matching` weighs; "" if none is asked.
    """

    name: str
    matching: PairMatching
    subjects: tuple[str, ...] = ()
    lifting: str = ""

    def to_json(self) -> str:
        """As stored in the ONNX file's metadata."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PairsInfo:
        """The inverse of `to_json`; KeyError, TypeError or ValueError when it is not one."""
        fields = json.loads(text)
        return cls(str(fields["name"]), PairMatching.of_fields(fields["matching"]),
                   tuple(map(str, fields.get("subjects", ()))), str(fields.get("lifting", "")))


def info_of(network: Network) -> PairsInfo:
    """What a file says of itself.

    Raises:
        FormatError: it is no pair network exported by samepose.
    """
    try:
        return PairsInfo.from_json(network.facts["samepose_pairs"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise network.unexpected from error


@dataclass(frozen=True, eq=False)
class Looks:
    """People to be held against each other: what is seen of them, and what lifting makes of each.

    Attributes:
        keypoints: BODY13 in any unit, x right and y down, NaN where missing.
        poses: hypotheses, H36M17 about the pelvis; none if nobody lifts them.
        weights: their probabilities.
    """

    keypoints: Float[np.ndarray, "n 13 2"]
    poses: Float[np.ndarray, "n hypothesis 17 3"]
    weights: Float[np.ndarray, "n hypothesis"]

    def __len__(self) -> int:
        return len(self.keypoints)

    def __getitem__(self, index: Any) -> Looks:
        return Looks(self.keypoints[index], self.poses[index], self.weights[index])


class PairModel:
    """A pair network, and what makes probabilities of what two pictures say. Build with `PairModel.load`.

    Args:
        run: features of pairs (`two_view_features`) -> logits (n,) float32.
        lifting: what lifts each picture; None: nobody does.

    Attributes:
        info: its name, and how its word and the embedding's become one.
    """

    def __init__(
        self, run: Callable[[Float[np.ndarray, "n feature"]], Float[np.ndarray, " n"]], info: PairsInfo,
        lifting: LiftingNetwork | None = None,
    ) -> None:
        self._run, self.info, self._lifting = run, info, lifting

    @classmethod
    def load(cls, path: Path | str | None = None, threads: int | None = None) -> PairModel:
        """Load an exported network, the shipped one by default, and the shipped lifting network if it weighs that.

        Raises:
            FormatError: the file is missing, is no pair network exported by samepose, or weighs another lifting.
            SameposeError: a shipped file is damaged.
        """
        source = Path(path) if path else weight_file("pairs")
        network = Network(source, threads, "pair network")
        info = info_of(network)

        def run(features: Float[np.ndarray, "n feature"]) -> Float[np.ndarray, " n"]:
            (logit,) = network.run(["logit"], {"x": features})
            return logit

        if (logit := run(np.zeros((2, FEATURES), np.float32))).shape != (2,) or logit.dtype != np.float32:
            raise network.unexpected
        lifting = shipped_lifting(threads) if info.lifting else None
        if lifting and lifting.info.name != info.lifting:
            raise FormatError(f"{source}: its numbers are for {info.lifting}, and {lifting.info.name} is installed; "
                              "calibrate it anew")
        return cls(run, info, lifting)

    def look(self, keypoints: Float[np.ndarray, "n 13 2"]) -> Looks:
        """What can be told of people alone, before they are compared.

        Args:
            keypoints: as of `Looks`.
        """
        if self._lifting is None:
            return Looks(keypoints, np.zeros((len(keypoints), 0, 17, 3), np.float32), np.zeros((len(keypoints), 0)))
        said = self._lifting.run(keypoints[:, None])
        return Looks(keypoints, said.poses, said.weights)

    def compared(self, query: Looks, others: Looks) -> Compared:
        """What is said of n queries and of the k on the shortlist of each.

        Args:
            others: n x k, those of the first query first.
        """
        n = len(query)
        k = len(others) // max(n, 1)
        logit = self.logits(np.repeat(query.keypoints, k, axis=0), others.keypoints).reshape(n, k)
        distances = np_mpjpe_of_few if n == 1 else np_mpjpe_matrix
        apart = [apart_in_space(query[[i]], others[i * k : (i + 1) * k], distances) for i in range(n)]
        return Compared(logit, np.reshape(apart, (n, k)))

    def logits(
        self, first: Float[np.ndarray, "n 13 2"], second: Float[np.ndarray, "n 13 2"]
    ) -> Float[np.ndarray, " n"]:
        """The network's logit of a match of pose i of `first` with pose i of `second`, uncalibrated.

        Args:
            first, second: BODY13 keypoints in any unit, x right and y down, NaN where missing.

        Returns:
            (N,) float32; NaN where fewer than `FEWEST` joints are in both: then geometry says nothing.
        """
        shared = ~(np.isnan(first).any(axis=-1) | np.isnan(second).any(axis=-1))
        logits = np.full(len(first), np.nan, np.float32)
        enough = np.flatnonzero(shared.sum(axis=1) >= FEWEST)
        for start in range(0, len(enough), _BATCH):
            at = enough[start : start + _BATCH]
            logits[at] = self._run(two_view_features(first[at], second[at], shared[at]))
        return logits

    def probability(
        self, query: Looks, others: Looks, embedded: Float[np.ndarray, "query k"],
        between: Float[np.ndarray, "query k heard"],
    ) -> Float[np.ndarray, "query k"]:
        """Calibrated probabilities that queries match those on their shortlists.

        Args:
            query, others: as of `compared`.
            embedded, between: the embedding's matching probabilities, as of `PairMatching.probability`.
        """
        return self.info.matching.probability(self.compared(query, others), embedded, between)


def apart_in_space(
    one: Looks, others: Looks, distances: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Float[np.ndarray, " k"]:
    """How far somebody and others are from each other in space, in torso lengths; 1 where nobody lifts them.

    Of two pictures and their hypotheses the power mean of NP-MPJPE, (sum of w_i w_j d_ij^-6)^(-1/6): a picture that
    allows two poses is near to another that allows one of them.

    Args:
        distances: NP-MPJPE of every pose of one array and every pose of another.
    """
    if not (hypotheses := one.poses.shape[1]):
        return np.ones(len(others), np.float32)
    d = distances(one.poses[0], others.poses.reshape(-1, 17, 3)).reshape(hypotheses, len(others), hypotheses)
    near = np.maximum(d, _NEAREST).astype(np.float64) ** -_POWER
    mean: np.ndarray = np.einsum("h,hki,ki->k", one.weights[0], near, others.weights) ** (-1 / _POWER)
    return mean
