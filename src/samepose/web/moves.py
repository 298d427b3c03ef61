"""`/api/find`, `/api/count` and `/api/align`: moves of people in the index."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from samepose.index import Index
from samepose.query.kinds import open_source
from samepose.query.source import Source
from samepose.sequences.alignment import align
from samepose.sequences.clip import Clip
from samepose.sequences.finding import Sighting, count, find
from samepose.web.answers_moves import Aligned, Counted, Example, Place, Places
from samepose.web.requests import Align, Count, Find, Span
from samepose.web.service import Service, service_of

router = APIRouter(tags=["moves"])


@router.post("/api/find")
async def find_move(request: Request, asked: Find) -> Places:
    """Where a move is, in the whole index."""
    return await service_of(request).work("moves", _find, service_of(request), asked)


@router.post("/api/count")
async def count_move(request: Request, asked: Count) -> Counted:
    """How often a move is in a clip."""
    return await service_of(request).work("moves", _count, service_of(request), asked)


@router.post("/api/align")
async def align_clips(request: Request, asked: Align) -> Aligned:
    """Two performances at one pace, and where they differ."""
    return await service_of(request).work("moves", _align, service_of(request), asked)


def _find(service: Service, asked: Find) -> Places:
    index = service.index()
    _, clip = _clip(service, asked.example)
    found = find(clip, index, k=asked.k, mirror=asked.mirror, embedder=service.embedder)
    media = {medium.path: medium.shown for medium in index.clips()}
    return Places(example=Example(**clip.to_json()), mirror=asked.mirror, failed=list(found.failed),
                  results=[_place(sighting, sighting.path, media.get(sighting.path)) for sighting in found])


def _count(service: Service, asked: Count) -> Counted:
    source, example = _clip(service, asked.example)
    _, clip = _clip(service, asked.clip, source if asked.clip.media == asked.example.media else None)
    found = count(example, clip, mirror=asked.mirror)
    media = asked.clip.media.partition("-")[0]
    path = service.medium(media).path
    return Counted(example=Example(**example.to_json()), mirror=asked.mirror, path=path, person=clip.person,
                   count=len(found), repetitions=[_place(sighting, path, media) for sighting in found])


def _align(service: Service, asked: Align) -> Aligned:
    source, a = _clip(service, asked.a)
    _, b = _clip(service, asked.b, source if asked.a.media == asked.b.media else None)
    found = align(a, b, mirror=asked.mirror, open_ends=asked.open_ends)
    return Aligned(**found.to_json(), a=asked.a.media, b=asked.b.media, person_a=a.person, person_b=b.person)


def _clip(service: Service, side: Span, source: Source | None = None) -> tuple[Source, Clip]:
    """One person's part of a file of the index; and the file, which need not be read again."""
    index: Index = service.index()
    service.medium(side.media.partition("-")[0])  # an id of nothing must not be taken for a file's name
    source = source or open_source(side.media, index=index)
    clip = Clip.open(source, person=side.person, embedder=service.embedder)
    return source, clip.part(side.time_from, side.time_to)


def _place(sighting: Sighting, path: str, media: str | None) -> Place:
    values: dict[str, Any] = sighting.to_json()
    return Place(**{**values, "path": path}, media=media)
