"""What makes people comparable: for each space its embedder, loaded when it is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samepose.errors import StoreError
from samepose.index.spaces import KEYPOINTS, PIXELS, Space

if TYPE_CHECKING:
    from samepose.embed import Embedder
    from samepose.embed.image import ImageEmbedder
    from samepose.index.store import Store
    from samepose.matching.embeddings import Matching


class Models:
    """The embedders that an index was opened with; the shipped ones where none was given.

    Args:
        threads: of the shipped ones.
    """

    def __init__(self, keypoints: Embedder | None, pixels: ImageEmbedder | None, threads: int | None) -> None:
        self._keypoints, self._pixels, self._threads = keypoints, pixels, threads

    @property
    def keypoints(self) -> Embedder:
        """What embeds keypoints."""
        if self._keypoints is None:
            from samepose.embed.prvipe import PrVipeEmbedder

            self._keypoints = PrVipeEmbedder.load(threads=self._threads)
        return self._keypoints

    @property
    def pixels(self) -> ImageEmbedder:
        """What embeds pictures of people."""
        if self._pixels is None:
            from samepose.embed.image import ImageEmbedder

            self._pixels = ImageEmbedder.load(threads=self._threads)
        return self._pixels

    def space(self, name: str) -> Space:
        """The space of that name, as the embedder for it fills it."""
        return Space.of(name, self.pixels if name == PIXELS else self.keypoints)

    def keypoints_of(self, store: Store) -> Embedder | None:
        """What embeds keypoints for an index; None where it has no space of them.

        Raises:
            StoreError: it was filled by another one.
        """
        return self.keypoints if self._fits(store, KEYPOINTS) else None

    def pixels_of(self, store: Store) -> ImageEmbedder | None:
        """As `keypoints_of`, of pictures."""
        return self.pixels if self._fits(store, PIXELS) else None

    def matching(self, store: Store, name: str) -> Matching:
        """Of the embedder that filled an index's space of that name.

        Raises:
            StoreError: it is another one.
        """
        self._fits(store, name)
        return (self.pixels if name == PIXELS else self.keypoints).matching

    def check(self, uri: str, have: Space) -> None:
        """StoreError where the space of an index was filled by another embedder."""
        name, mine = have.name, self.space(have.name)
        if (have.model, have.sha256) != (mine.model, mine.sha256):
            again = "" if name == KEYPOINTS else ", which reads its photos and videos again"
            raise StoreError(
                f"{uri}: made with the model {have.model} ({have.sha256[:8]}), not {mine.model} "
                f"({mine.sha256[:8]}); bring it up to this model with `Index.re_embed()`{again}"
            )

    def _fits(self, store: Store, name: str) -> bool:
        have = next((space for space in store.spaces if space.name == name), None)
        if have is not None:
            self.check(store.uri, have)
        return have is not None
