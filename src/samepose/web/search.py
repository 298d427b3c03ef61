"""`/api/search` and `/api/export`: the people of the index in a pose."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Request, Response

from samepose.errors import UsageError
from samepose.index import Hit, Hits
from samepose.matching.embeddings import in_words
from samepose.query.query import Query
from samepose.web.answers import Asking, Crop, Found, Result
from samepose.web.around import around
from samepose.web.figures import pose_of
from samepose.web.pictures import file_of, window
from samepose.web.problems import Refusal
from samepose.web.requests import MOST_HITS, Export, Search
from samepose.web.service import Service, service_of

router = APIRouter(tags=["search"])

_ON_A_SHEET = 60
_TYPES = {"html": "text/html; charset=utf-8", "png": "image/png", "csv": "text/csv; charset=utf-8",
          "json": "application/json"}


@router.post("/api/search")
async def search(request: Request, asked: Search) -> Found:
    """The likeliest matches, best first, from `offset` on."""
    return await service_of(request).work("search", _search, service_of(request), asked)


@router.post("/api/export", response_class=Response)
async def export(request: Request, asked: Export) -> Response:
    """The same as a page, a picture, a table or JSON."""
    content = await service_of(request).work("picture", _export, service_of(request), asked)
    disposition = f'attachment; filename="samepose.{asked.format}"'
    # A page that is opened from here must not act as a page of this server.
    return Response(content, media_type=_TYPES[asked.format], headers={
        "Content-Disposition": disposition,
        "Content-Security-Policy": "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"})


def _search(service: Service, asked: Search) -> Found:
    wanted = min(asked.offset + asked.k, MOST_HITS)
    hits = _hits(service, asked, wanted + 1)  # one more tells whether there are more
    shown = hits[asked.offset : wanted]
    more = len(hits) > wanted and wanted < MOST_HITS
    return Found(query=Asking(**hits.query.to_json()), results=[_result(hit) for hit in shown],
                 next=wanted if more else None, nothing=None if hits else _why_nothing(service, asked))


def _hits(service: Service, asked: Search, k: int) -> Hits:
    query = asked.person or _query(service, asked)
    hits = service.index().search(
        query, k=k, ignore=asked.ignore, mirror=asked.mirror, where=asked.where,
        label=asked.label, time_from=asked.time_from, time_to=asked.time_to, distinct=asked.distinct,
        min_score=asked.min_score, copies=asked.copies, by=asked.by, moment=asked.moment)
    if hits.query.image is None or not hits.query.image.is_relative_to(service.queries.folder):
        return hits
    # What was sent is known by its name; where it is kept meanwhile is nobody's business.
    return Hits(replace(hits.query, image=None), list(hits), hits.root)


def _query(service: Service, asked: Search) -> Query:
    """The pose as it was bent, with the picture it is from, if it is from one."""
    pose = pose_of(asked.keypoints or {}, asked.skeleton)
    if asked.query is None:
        return Query(pose, "keypoints", None, None, None, 1)
    kept = service.queries.get(asked.query)
    image = kept.file
    if kept.medium is not None:
        try:
            image = file_of(service.index(), kept.medium)
        except Refusal:
            image = None
    if asked.who is not None and asked.who < len(kept.people):
        pose = replace(pose, boxes=kept.people.boxes[asked.who][None])
    pixels = kept.pixels if asked.by in ("pixels", "both") else None
    return Query(pose, kept.source, image, kept.time, None, max(len(kept.people), 1), pixels=pixels,
                 around=around(service, kept, pose))


def _result(hit: Hit) -> Result:
    pose = hit.pose
    rows: Any = np.concatenate([pose.points[0], pose.scores[0][:, None]], axis=1).astype(float).round(2).tolist()
    joints = {joint: tuple(row) for joint, row, seen in zip(pose.skeleton.joints, rows, pose.visible[0]) if seen}
    return Result(**hit.to_json(), media=hit.id.partition("-")[0], words=in_words(hit.score), keypoints=joints,
                  crop=Crop(url=f"/api/crop/{hit.id}.jpg", window=window(pose)), skeleton=pose.skeleton.name)


def _why_nothing(service: Service, asked: Search) -> Literal["index", "where", "label", "score", "nobody"]:
    index = service.index()
    if not any(medium.people for medium in index.select()):
        return "index"
    if asked.where is not None and not index.select(asked.where):
        return "where"
    if asked.label is not None and asked.label not in index.info().labels:
        return "label"
    return "score" if asked.min_score > 0 else "nobody"


def _export(service: Service, asked: Export) -> bytes:
    hits = _hits(service, asked, min(asked.offset + asked.k, MOST_HITS))[asked.offset :]
    if asked.query is not None and asked.format in ("html", "png"):
        shown = replace(hits.query, pixels=service.queries.get(asked.query).pixels)
        hits = Hits(shown, list(hits), hits.root)
    if asked.only is not None:
        only = set(asked.only)
        hits = Hits(hits.query, [hit for hit in hits if hit.id in only], hits.root)
    if asked.format == "png" and len(hits) > _ON_A_SHEET:
        raise UsageError(f"a picture shows at most {_ON_A_SHEET} results; choose fewer, or take a page")
    with tempfile.TemporaryDirectory(prefix="samepose-") as folder:
        file = Path(folder) / f"samepose.{asked.format}"
        hits.write(file)
        return file.read_bytes()
