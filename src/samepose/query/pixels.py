"""A query by its pixels: the person cut out of the picture, and mirrored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from samepose.errors import MediaError, SameposeError, UsageError
from samepose.media.picture import picture_at
from samepose.poses import mirrors

if TYPE_CHECKING:
    from samepose.embed.image import ImageEmbedder
    from samepose.matching.embeddings import Embeddings
    from samepose.poses import Mirror
    from samepose.query.moment import Query


def embed_pixels(
    query: Query, embedder: ImageEmbedder, mirror: Mirror, stored: Embeddings | None = None
) -> Embeddings:
    """Embeddings of the person's picture, of the mirrored one, or of both in this order, as `mirror` says.

    Args:
        stored: the embedding of the picture where the index has it; then the picture is read only to be mirrored.

    Raises:
        UsageError: there is no picture.
        SameposeError: the picture cannot be read any more, or the person has no box in it.
    """
    from samepose.matching.embeddings import Embeddings

    meant = mirrors(mirror)
    if stored is not None and meant == (False,):
        return stored
    crop = _crop(query)
    drawn = embedder.embed_crops(np.concatenate([crop[:, :, ::-1] if mirrored else crop for mirrored in meant]))
    return drawn if stored is None or not (~np.array(meant)).any() else Embeddings.concatenate([stored, drawn[1:]])


def _crop(query: Query) -> UInt8[np.ndarray, "1 size size 3"]:
    from samepose.embed.image import person_crops

    if not np.isfinite(query.pose.boxes).all():
        raise SameposeError(f"{query.describe()}: has no box to be cut out of the picture by; search with "
                            '`by="keypoints"`')
    if query.pixels is not None:
        return person_crops(query.pixels, query.pose.boxes)
    if query.exclude_id is None or query.image is None:
        raise UsageError(f"{query.source}: holds no picture, only keypoints; search with `by=\"keypoints\"`, or give "
                         "a photo or video")
    try:
        return person_crops(picture_at(query.image, query.time), query.pose.boxes)
    except MediaError as error:
        raise SameposeError(f"{query.source}: has to be cut out of its picture, and {error}") from error
