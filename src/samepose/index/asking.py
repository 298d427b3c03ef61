"""From a query to the routes it is searched by: what of it is compared with whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from samepose.errors import UsageError
from samepose.index.ranking import Route
from samepose.index.schema import person_id
from samepose.index.spaces import KEYPOINTS, PIXELS, Embedding, Space, spaces_meant
from samepose.poses import mirrors

if TYPE_CHECKING:
    from samepose.embed import Embedder
    from samepose.embed.image import ImageEmbedder
    from samepose.index.models import Models
    from samepose.index.store import Store
    from samepose.matching.embeddings import Embeddings
    from samepose.poses import Mirror
    from samepose.query.query import Query


class Ways(NamedTuple):
    """By what an index is searched: the embedders of it."""

    keypoints: Embedder | None
    pixels: ImageEmbedder | None

    @classmethod
    def of(cls, store: Store, models: Models, by: Embedding | None) -> Ways:
        """What was asked for; by default the first that the index has. Looks at no query yet.

        Raises:
            StoreError: the index cannot be searched so, or is of another model.
        """
        names = (store.spaces[0].name,) if by is None else spaces_meant(by)
        for name in names:
            store.space(name)
        return cls(models.keypoints_of(store) if KEYPOINTS in names else None,
                   models.pixels_of(store) if PIXELS in names else None)

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
            space, embedded = store.space(KEYPOINTS), embed_query(query, self.keypoints)
            chosen = embedded[[int(mirrored) for mirrored in mirrors(mirror)]]
            routes.append(Route(space, self.keypoints.matching, chosen))
        if self.pixels:
            space = store.space(PIXELS)
            stored = None if query.exclude_id is None else _stored(store, space, query.exclude_id)
            routes.append(Route(space, self.pixels.matching, embed_pixels(query, self.pixels, mirror, stored)))
        by: Embedding = "both" if len(routes) > 1 else "pixels" if self.pixels else "keypoints"
        return by, routes


def _stored(store: Store, space: Space, id: str) -> Embeddings | None:
    """The embedding of a person of the index."""
    rows = store.person(person_id(id)[1])
    return space.embeddings(rows) if len(rows) and rows[space.rank][0].is_valid else None
