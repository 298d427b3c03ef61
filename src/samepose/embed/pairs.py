"""Two views at a time: the matching probability of a pair of poses, with the exported pair network; no torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from samepose.geometry.two_views import FEATURES, FEWEST, two_view_features
from samepose.weights import Network, weight_file

SHORTLIST = 50  # people of a search whom the network looks at; among 100 it found no more
_BATCH = 2048
_SUREST = 1e-6  # an embedding's probability is taken to be no nearer to 0 or 1, where its logit has no end


@dataclass(frozen=True)
class PairMatching:
    """From the network's logit and the embedding's probability to a calibrated probability.

    The network knows two pictures and nothing of the embedding; the embedding knows what each picture is likely to
    show. P = sigmoid(network x logit + embedding x log-odds of the embedding's P + offset).

    Attributes:
        network, embedding: weights, 0 or more, one of them above.
    """

    network: float
    embedding: float
    offset: float

    @classmethod
    def of_fields(cls, fields: Mapping[str, Any]) -> PairMatching:
        """From a file's numbers; TypeError or ValueError when they are none that can be."""
        found = cls(**{name: float(value) for name, value in fields.items()})
        if not (np.isfinite(list(vars(found).values())).all() and min(found.network, found.embedding) >= 0
                and found.network + found.embedding > 0):
            raise ValueError(f"{found} is no matching probability")
        return found

    def probability(
        self, logit: Float[np.ndarray, "*pair"], embedded: Float[np.ndarray, "*pair"]
    ) -> Float[np.ndarray, "*pair"]:
        """Of pairs with the network's logit and the embedding's matching probability."""
        p: np.ndarray = 1 / (1 + np.exp(-(self.network * logit + self.embedding * log_odds(embedded) + self.offset)))
        return p.astype(np.float32)


def log_odds(probability: Float[np.ndarray, "*pair"]) -> Float[np.ndarray, "*pair"]:
    """The logit of a probability, of one near 0 or 1 that of one in a million."""
    p = np.clip(np.asarray(probability, np.float64), _SUREST, 1 - _SUREST)
    odds: np.ndarray = np.log(p / (1 - p))
    return odds


@dataclass(frozen=True)
class PairsInfo:
    """What an exported pair network carries besides its weights.

    Attributes:
        name: model and version, e.g. "pairs-1".
        matching: how the two probabilities become one.
        subjects: people of the motion capture it was trained on; none where the file does not tell.
    """

    name: str
    matching: PairMatching
    subjects: tuple[str, ...] = ()

    def to_json(self) -> str:
        """As stored in the ONNX file's metadata."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> PairsInfo:
        """The inverse of `to_json`; KeyError, TypeError or ValueError when it is not one."""
        fields = json.loads(text)
        return cls(str(fields["name"]), PairMatching.of_fields(fields["matching"]),
                   tuple(map(str, fields.get("subjects", ()))))


class PairModel:
    """A pair network, and what makes probabilities of its logits. Build with `PairModel.load`.

    Args:
        run: features of pairs (`two_view_features`) -> logits (n,) float32.

    Attributes:
        info: its name, and how its word and the embedding's become one.
    """

    def __init__(
        self, run: Callable[[Float[np.ndarray, "n feature"]], Float[np.ndarray, " n"]], info: PairsInfo
    ) -> None:
        self._run, self.info = run, info

    @classmethod
    def load(cls, path: Path | str | None = None, threads: int | None = None) -> PairModel:
        """Load an exported network, the shipped one by default.

        Raises:
            FormatError: the file is missing or is no pair network exported by samepose.
            SameposeError: the shipped file is damaged.
        """
        network = Network(Path(path) if path else weight_file("pairs"), threads, "pair network")
        try:
            info = PairsInfo.from_json(network.facts["samepose_pairs"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise network.unexpected from error

        def run(features: Float[np.ndarray, "n feature"]) -> Float[np.ndarray, " n"]:
            (logit,) = network.run(["logit"], {"x": features})
            return logit

        if (logit := run(np.zeros((2, FEATURES), np.float32))).shape != (2,) or logit.dtype != np.float32:
            raise network.unexpected
        return cls(run, info)

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
        self, first: Float[np.ndarray, "n 13 2"], second: Float[np.ndarray, "n 13 2"],
        embedded: Float[np.ndarray, " n"],
    ) -> Float[np.ndarray, " n"]:
        """Calibrated probability that pose i of `first` matches pose i of `second`.

        Args:
            first, second: see `logits`.
            embedded: the embedding's matching probability, which stays where the network says nothing.
        """
        logits = self.logits(first, second)
        told = self.info.matching.probability(np.nan_to_num(logits), embedded)
        return np.where(np.isnan(logits), embedded, told).astype(np.float32)
