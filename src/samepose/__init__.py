"""samepose: is this the same pose?

    import samepose

    index = samepose.Index.open("my-poses", create=True)
    index.add("photos", "clip.mp4")
    hits = index.search("query.jpg", k=10, mirror="also")
    hits.write("found.html")

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
    from samepose.index import Hit, Hits, Index
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
    "Hits",
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
    "load_poses",
    "resolve_query",
    "save_poses",
]

_HOME = {
    "samepose.detection.movenet": ("MoveNet",),
    "samepose.embed.prvipe": ("PrVipeEmbedder",),
    "samepose.matching.embeddings": ("Embeddings", "Matching"),
    "samepose.errors": ("FormatError", "MediaError", "SameposeError", "StoreError", "UsageError"),
    "samepose.formats.keypoints": ("load_poses", "save_poses"),
    "samepose.index": ("Hit", "Hits", "Index"),
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
