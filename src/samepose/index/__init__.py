"""The index: media and people in LanceDB. `Index` is its door; the tables behind it are private."""

from samepose.index.cluster import Group, Groups
from samepose.index.hits import Hit, Hits
from samepose.index.index import Index
from samepose.index.ingest import Report
from samepose.index.records import Info, People, Person
from samepose.index.schema import Medium
from samepose.index.spaces import Space

__all__ = ["Group", "Groups", "Hit", "Hits", "Index", "Info", "Medium", "People", "Person", "Report", "Space"]
