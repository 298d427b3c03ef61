"""From a query to the routes it is searched by: what of it is compared with whom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from samepose.errors import UsageError
from samepose.index.ranking import Route
from samepose.index.schema import person_id
from samepose.index.spaces import KEYPOINTS, PIXELS, Embedding, Space, spaces_meant
from samepose.matching.moment import LEAST_PAIRS, MOMENT
from samepose.poses import mirrors
from samepose.skeleton import BODY13

if TYPE_CHECKING:
    from samepose.embed import Embedder
    from samepose.embed.image import ImageEmbedder
    from samepose.index.models import Models
    from samepose.index.moments import Moment
    from samepose.index.pairs import Pairs
    from samepose.index.store import Store
    from samepose.matching.embeddings import Embeddings
    from samepose.poses import Mirror
    from samepose.query.query import Query


class Ways(NamedTuple):
    """By what an index is searched: the embedders of it, and the spaces they fill."""

    keypoints: Embedder | None
    pixels: ImageEmbedder | None
    spaces: Mapping[str, Space]

    @classmethod
    def of(cls, store: Store, models: Models, by: Embedding | None) -> Ways:
        """What was asked for; by default the first that the index has. Looks at no query yet.

        Raises:
            StoreError: the index cannot be searched so, or is of another model.
        """
        spaces = store.spaces_of(None if by is None else spaces_meant(by))
        for space in spaces.values():
            models.check(store.uri, space)
        return cls(models.keypoints if KEYPOINTS in spaces else None, models.pixels if PIXELS in spaces else None,
                   spaces)

    def check(self, ignored: tuple[str, ...]) -> None:
        """UsageError where joints shall not matter that cannot be done without."""
        from samepose.query.query import check_ignored

        if ignored and self.pixels:
            raise UsageError('`ignore` leaves out joints, and pixels know none; search with `by="keypoints"`')
        if self.keypoints:
            check_ignored(ignored, self.keypoints)

    def routes(self, store: Store, query: Query, mirror: Mirror) -> tuple[Embedding, list[Route]]:
        """The query's embeddings; of one with too few joints, by pixels alone where these were asked for too.

        Raises:
            UsageError: there are no pixels of it.
            SameposeError: too few joints are known, or the picture cannot be read any more.
        """
        from samepose.query.pixels import embed_pixels
        from samepose.query.query import embed_query

        routes: list[Route] = []
        if self.keypoints and (self.pixels is None or self.keypoints.searchable(query.pose)[0]):
            embedded = embed_query(query, self.keypoints, mirror)
            routes.append(Route(self.spaces[KEYPOINTS], self.keypoints.matching, embedded))
        if self.pixels:
            space = self.spaces[PIXELS]
            stored = None if query.exclude_id is None else _stored(store, space, query.exclude_id)
            routes.append(Route(space, self.pixels.matching, embed_pixels(query, self.pixels, mirror, stored)))
        by: Embedding = "both" if len(routes) > 1 else "pixels" if self.pixels else "keypoints"
        return by, routes

    def moment(self, query: Query, mirror: Mirror, seconds: float | None) -> tuple[Moment | None, str | None]:
        """What the query does before and after, to search by; or None, and why not where it was to be expected.

        Args:
            query: `by` of which says what is compared.
            seconds: before and after; None: as usual.

        Raises:
            UsageError: it was asked for where joints are not compared.
            SameposeError: the video cannot be read any more.
        """
        from samepose.index.moments import Moment
        from samepose.query.query import embed_around

        if seconds == 0:
            return None, None
        if self.keypoints is None:
            if seconds:
                raise UsageError('`moment` compares joints before and after, and pixels know none; leave it out, or '
                                 'search with `by="keypoints"`')
            return None, None
        if query.around is None:
            return None, None if seconds is None else "the query has no frames before and after"
        if query.by == "pixels":
            return None, "too few joints are seen in it"
        matching = getattr(self.keypoints, "moment", None)
        if matching is None:
            return None, f"{self.keypoints.name} is not calibrated for moments"
        seconds = seconds or MOMENT
        frames, found = embed_around(query, self.keypoints, seconds, mirror)
        if found.sum() < LEAST_PAIRS:
            return None, (f"the clip is too short: of the 7 frames within {seconds:g} s the person is seen in "
                          f"{found.sum()}, and {LEAST_PAIRS} are needed")
        return Moment(seconds, frames, found, matching), None

    def pairs(self, query: Query, mirror: Mirror) -> Pairs | None:
        """What the query looks like, for a second look; None where there is no view of it or nothing to look with."""
        model = getattr(self.keypoints, "pairs", None)
        if self.keypoints is None or model is None or query.by == "pixels" or query.body is not None or query.ignored:
            return None
        from samepose.index.pairs import Pairs

        poses = [query.pose.mirrored() if flip else query.pose for flip in mirrors(mirror)]
        seen = [pose.hide(below=self.keypoints.joint_score).to(BODY13).points for pose in poses]
        return Pairs(self.keypoints, model, np.concatenate(seen))


def _stored(store: Store, space: Space, id: str) -> Embeddings | None:
    """The embedding of a person of the index."""
    rows = store.person(person_id(id)[1])
    return space.embeddings(rows) if len(rows) and rows[space.rank][0].is_valid else None
