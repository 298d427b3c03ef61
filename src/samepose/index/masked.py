"""Embeddings of people without some joints, remembered: whoever bends a pose asks for the same people again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock

import numpy as np
from jaxtyping import Bool, Float32, Int

_MOST = 400_000  # people, those of all masks together: 55 MB of 16 dimensions


@dataclass(frozen=True, eq=False)
class Masked:
    """n people without some joints.

    Attributes:
        id: of each, sorted.
        seen: who has joints enough without them; what the others' embeddings are means nothing.
    """

    id: Int[np.ndarray, " n"]
    seen: Bool[np.ndarray, " n"]
    mean: Float32[np.ndarray, "n dim"]
    var: Float32[np.ndarray, "n dim"]

    def __len__(self) -> int:
        return len(self.id)

    def __getitem__(self, at: np.ndarray | slice) -> Masked:
        """Some of them."""
        return Masked(self.id[at], self.seen[at], self.mean[at], self.var[at])

    def find(self, ids: Int[np.ndarray, " m"]) -> tuple[Int[np.ndarray, " m"], Bool[np.ndarray, " m"]]:
        """Where people are among these, and who is."""
        at = np.minimum(np.searchsorted(self.id, ids), max(len(self) - 1, 0))
        return at, (self.id[at] == ids) if len(self) else np.zeros(len(ids), bool)

    def joined(self, other: Masked) -> Masked:
        """Both; nobody may be in both."""
        columns = [np.concatenate(pair) for pair in ((self.id, other.id), (self.seen, other.seen),
                                                     (self.mean, other.mean), (self.var, other.var))]
        order = np.argsort(columns[0], kind="stable")
        return Masked(*(column[order] for column in columns))


class Memory:
    """What was made before, by mask; for several threads. The masks not asked for lately are forgotten first."""

    def __init__(self) -> None:
        self._lock, self._kept = Lock(), OrderedDict[Hashable, Masked]()

    def embedded(
        self, mask: Hashable, ids: Int[np.ndarray, " n"], make: Callable[[Int[np.ndarray, " m"]], Masked]
    ) -> Masked:
        """People through a mask, in the order of `ids`, who may come several times.

        Args:
            mask: what is left out, and of which state of the index.
            make: takes positions in `ids`, sorted by id, and gives these people.
        """
        who, first, back = np.unique(ids, return_index=True, return_inverse=True)
        with self._lock:
            known = self._kept.get(mask)
        if known is None:
            known = make(first)
        at, there = known.find(who)
        if not there.all():
            made = make(first[~there])
            if len(known) + len(made) > _MOST:  # who is not asked for now goes
                known = known[at[there]]
            known = known.joined(made)
            at, _ = known.find(who)
        self._keep(mask, known)
        return known[at[back.ravel()]]

    def _keep(self, mask: Hashable, known: Masked) -> None:
        with self._lock:
            self._kept[mask] = known
            self._kept.move_to_end(mask)
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > _MOST:
                self._kept.popitem(last=False)
