"""Search where some joints shall not matter: the people of a shortlist are embedded anew without these joints.

What an index holds are embeddings of all joints, and a query without arms is nearer to people whose arms are hidden
than to its own row. Seen through the same mask, two sightings of a pose embed alike again. What the mask does to a
variance it does to everybody's, and it says nothing about whether two poses are the same in what is left; so that
part is taken off, by the median over the shortlist of the variance with all joints over that without. And nobody
counts as surer than the query: else whoever is surer, but poses a little differently, would come before one who poses
exactly so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from samepose.embed.views import embed_any
from samepose.geometry.frontal import solid
from samepose.index.masked import Masked, Memory
from samepose.index.rows import by_skeleton
from samepose.index.schema import keypoints_of
from samepose.index.spaces import Space
from samepose.matching.embeddings import Embeddings
from samepose.poses import Poses
from samepose.query.moment import without_joints
from samepose.skeleton import SKELETONS, mirrored_name

if TYPE_CHECKING:
    import pyarrow as pa

    from samepose.embed import Embedder
    from samepose.index.store import Store

_LEAST = 1e-12  # variance; points have none


@dataclass(frozen=True, eq=False)
class Ignoring:
    """Some joints of everybody left out.

    Attributes:
        store: whose people they are.
        embedder: the one of the index.
        joints: names of those that shall not matter.
        memory: who was embedded without them before.
    """

    store: Store
    embedder: Embedder
    joints: tuple[str, ...]
    memory: Memory

    COLUMNS = ("keypoints",)

    def probability(
        self, queries: Embeddings, mirrored: Bool[np.ndarray, " query"], rows: pa.Table, space: Space
    ) -> Float[np.ndarray, "query n"]:
        """That people match in the joints that are left; -1 for those with too few of them.

        Args:
            queries: embedded without the joints.
            mirrored: for each, is it of the mirrored pose? Then it is the other side's joints that people are without.
            rows: people, with their columns of the space and `COLUMNS`.
        """
        other_side = tuple(map(mirrored_name, self.joints))
        return np.concatenate([self._scores(queries[n : n + 1], other_side if mirrored[n] else self.joints, rows, space)
                               for n in range(len(queries))])

    def _scores(
        self, query: Embeddings, joints: tuple[str, ...], rows: pa.Table, space: Space
    ) -> Float[np.ndarray, "1 n"]:
        scores = np.full((1, len(rows)), -1.0)
        if not len(rows):
            return scores
        masked = self.memory.embedded((self.store.state, joints), np.asarray(rows["id"]),
                                      lambda at: self._masked(rows.take(at), joints, space))
        if not masked.seen.any():
            return scores
        seen, whole = masked.seen, space.spread(rows)[masked.seen]
        masked = masked[seen]
        freed = np.float32(min(np.median(whole / np.maximum(masked.var.sum(axis=1), _LEAST)), 1))
        candidates = Embeddings(masked.mean, np.maximum(masked.var, query.var) * freed)
        asked = Embeddings(query.mean, query.var * freed)
        scores[:, seen] = self.embedder.matching.probability(asked, candidates)
        return scores

    def _masked(self, rows: pa.Table, joints: tuple[str, ...], space: Space) -> Masked:
        """People without some joints."""
        id = np.asarray(rows["id"])
        seen = np.zeros(len(rows), bool)
        mean, var = np.zeros((2, len(rows), space.dimensions), np.float32)
        for name, at in by_skeleton(self.store, id):
            skeleton = SKELETONS[name]
            keypoints, depth = keypoints_of(rows.take(at), skeleton)
            poses = Poses.of(keypoints[..., :2], skeleton, scores=keypoints[..., 2])
            deep = ~np.isnan(depth).all(axis=1)
            enough = self.embedder.searchable(without_joints(poses, joints))
            for some in (np.flatnonzero(enough & ~deep), np.flatnonzero(enough & deep)):
                if len(some):
                    own = solid(poses[some], depth[some]) if deep[some[0]] else without_joints(poses[some], joints)
                    embedded = embed_any(own, self.embedder, joints)
                    mean[at[some]], var[at[some]] = embedded.mean, embedded.var
                    seen[at[some]] = True
        return Masked(id, seen, mean, var)
