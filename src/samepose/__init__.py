"""samepose: is this the same pose?

    import samepose

    index = samepose.Index.open("my-poses", create=True)
    index.add("photos", "clip.mp4")
    hits = index.search("query.jpg", k=10, mirror="also")
    for hit in hits:
        print(f"{hit.score:.2f}", hit.path, hit.time, hit.mirrored)
    hits.write("found.html")

    a, b = samepose.Clip.open("coach.mp4"), samepose.Clip.open("me.mp4")
    samepose.align(a, b).write("synced.mp4")

What is named here is public; every other module is private and may change without notice. Importing this costs nothing:
each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samepose.detection import Detected, Detector, detect
    from samepose.detection.cpm import CPM
    from samepose.detection.movenet import MoveNet
    from samepose.embed import Embedder
    from samepose.embed.image import ImageEmbedder
    from samepose.embed.lifting import LiftingNetwork
    from samepose.embed.pairs import PairModel
    from samepose.embed.prvipe import PrVipeEmbedder
    from samepose.errors import FormatError, MediaError, SameposeError, StoreError, UsageError
    from samepose.formats.arrays import from_mediapipe, from_rtmlib, from_ultralytics
    from samepose.formats.coco import coco_results
    from samepose.formats.keypointfile import KeypointFile
    from samepose.formats.keypoints import load_poses, save_poses
    from samepose.geometry.angles import SPORTS, sports_angles
    from samepose.index import Group, Groups, Hit, Hits, Index, Report
    from samepose.lifting import Lifted, lift
    from samepose.lifting.lifting import LiftingModel
    from samepose.matching.embeddings import Embeddings, Matching, in_words
    from samepose.matching.moment import MomentMatching
    from samepose.media.draw import draw_poses
    from samepose.media.files import media_files
    from samepose.media.video import Frame
    from samepose.poses import Poses
    from samepose.query.kinds import open_source
    from samepose.query.query import Query
    from samepose.query.source import Source
    from samepose.sequences.alignment import Alignment, align
    from samepose.sequences.clip import Clip
    from samepose.sequences.finding import Finds, Sighting, count, find
    from samepose.sequences.recognition import Named, Recogniser, recognise
    from samepose.skeleton import SKELETONS, Skeleton

    __version__: str

__all__ = [
    "CPM",
    "SKELETONS",
    "SPORTS",
    "Alignment",
    "Clip",
    "Detected",
    "Detector",
    "Embedder",
    "Embeddings",
    "Finds",
    "FormatError",
    "Frame",
    "Group",
    "Groups",
    "Hit",
    "Hits",
    "ImageEmbedder",
    "Index",
    "KeypointFile",
    "Lifted",
    "LiftingModel",
    "LiftingNetwork",
    "Matching",
    "MediaError",
    "MomentMatching",
    "MoveNet",
    "Named",
    "PairModel",
    "Poses",
    "PrVipeEmbedder",
    "Query",
    "Recogniser",
    "Report",
    "SameposeError",
    "Sighting",
    "Skeleton",
    "Source",
    "StoreError",
    "UsageError",
    "__version__",
    "align",
    "coco_results",
    "count",
    "detect",
    "draw_poses",
    "find",
    "from_mediapipe",
    "from_rtmlib",
    "from_ultralytics",
    "in_words",
    "lift",
    "load_poses",
    "media_files",
    "open_source",
    "recognise",
    "save_poses",
    "sports_angles",
]

_HOME = {
    "samepose.detection": ("Detected", "Detector", "detect"),
    "samepose.detection.cpm": ("CPM",),
    "samepose.detection.movenet": ("MoveNet",),
    "samepose.embed": ("Embedder",),
    "samepose.embed.image": ("ImageEmbedder",),
    "samepose.embed.lifting": ("LiftingNetwork",),
    "samepose.embed.pairs": ("PairModel",),
    "samepose.embed.prvipe": ("PrVipeEmbedder",),
    "samepose.errors": ("FormatError", "MediaError", "SameposeError", "StoreError", "UsageError"),
    "samepose.formats.arrays": ("from_mediapipe", "from_rtmlib", "from_ultralytics"),
    "samepose.formats.coco": ("coco_results",),
    "samepose.formats.keypointfile": ("KeypointFile",),
    "samepose.formats.keypoints": ("load_poses", "save_poses"),
    "samepose.geometry.angles": ("SPORTS", "sports_angles"),
    "samepose.index": ("Group", "Groups", "Hit", "Hits", "Index", "Report"),
    "samepose.lifting": ("Lifted", "lift"),
    "samepose.lifting.lifting": ("LiftingModel",),
    "samepose.matching.embeddings": ("Embeddings", "Matching", "in_words"),
    "samepose.matching.moment": ("MomentMatching",),
    "samepose.media.draw": ("draw_poses",),
    "samepose.media.files": ("media_files",),
    "samepose.media.video": ("Frame",),
    "samepose.poses": ("Poses",),
    "samepose.query.kinds": ("open_source",),
    "samepose.query.source": ("Source",),
    "samepose.query.query": ("Query",),
    "samepose.sequences.alignment": ("Alignment", "align"),
    "samepose.sequences.clip": ("Clip",),
    "samepose.sequences.finding": ("Finds", "Sighting", "count", "find"),
    "samepose.sequences.recognition": ("Named", "Recogniser", "recognise"),
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
