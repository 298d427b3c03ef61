"""The index: media and people in LanceDB, filled by `index_media`, asked by `search`."""

from samepose.index.ingest import Report, index_media, index_poses
from samepose.index.records import Info, Person
from samepose.index.reembed import re_embed
from samepose.index.schema import Medium
from samepose.index.search import Hit, search
from samepose.index.store import Index

__all__ = [
    "Hit", "Index", "Info", "Medium", "Person", "Report", "index_media", "index_poses", "re_embed", "search",
]
