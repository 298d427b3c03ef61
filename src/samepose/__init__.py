"""samepose: is this the same pose?

    import samepose

    detector, embedder = samepose.MoveNet(), samepose.PrVipeEmbedder.load()
    index = samepose.Index.create("samepose-index", embedder)
    samepose.index_media(index, ["photos"], detector, embedder)
    query = samepose.resolve_query("query.jpg", index, detector)
    hits = samepose.search(index, samepose.embed_query(query, embedder), k=10)

Importing this costs nothing: each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samepose.detection.movenet import MoveNet
    from samepose.embed.prvipe import PrVipeEmbedder
    from samepose.errors import FormatError, MediaError, SameposeError, StoreError, UsageError
    from samepose.formats.keypoints import load_poses, save_poses
    from samepose.index import Hit, Index, index_media, index_poses, re_embed, search
    from samepose.matching.embeddings import Embeddings, Matching
    from samepose.poses import Poses
    from samepose.query.query import Query, embed_query, resolve_query
    from samepose.skeleton import SKELETONS, Skeleton

    __version__: str

__all__ = [
    "SKELETONS",
    "Embeddings",
    "FormatError",
    "Hit",
    "Index",
    "Matching",
    "MediaError",
    "MoveNet",
    "Poses",
    "PrVipeEmbedder",
    "Query",
    "SameposeError",
    "Skeleton",
    "StoreError",
    "UsageError",
    "__version__",
    "embed_query",
    "index_media",
    "index_poses",
    "load_poses",
    "re_embed",
    "resolve_query",
    "save_poses",
    "search",
]

_HOME = {
    "samepose.detection.movenet": ("MoveNet",),
    "samepose.embed.prvipe": ("PrVipeEmbedder",),
    "samepose.matching.embeddings": ("Embeddings", "Matching"),
    "samepose.errors": ("FormatError", "MediaError", "SameposeError", "StoreError", "UsageError"),
    "samepose.formats.keypoints": ("load_poses", "save_poses"),
    "samepose.index": ("Hit", "Index", "index_media", "index_poses", "re_embed", "search"),
    "samepose.poses": ("Poses",),
    "samepose.query.query": ("Query", "embed_query", "resolve_query"),
    "samepose.skeleton": ("SKELETONS", "Skeleton"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("samepose")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'samepose' has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
