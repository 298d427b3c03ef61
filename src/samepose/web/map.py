"""`/api/map` and `/api/cluster`: all poses of the index in a plane, and in groups."""

from __future__ import annotations

import hashlib

import numpy as np
from fastapi import APIRouter, Request, Response

from samepose.index.plane import Plane as Points
from samepose.web.answers_moves import Grouped, Plane
from samepose.web.problems import missing
from samepose.web.requests import Group
from samepose.web.service import Service, service_of

router = APIRouter(tags=["map"])

MOST = 100_000  # points


@router.get("/api/map")
async def the_map(request: Request) -> Plane:
    """How to read the points."""
    service = service_of(request)
    points, version, _ = await service.work("picture", _made, service)
    return Plane(points=len(points.number), people=points.people, explained=points.explained,
                 media=[f"{medium:09x}" for medium in points.media.tolist()], labels=list(points.labels),
                 version=version, url=f"/api/map/{version}.bin")


@router.get("/api/map/{version}.bin", response_class=Response)
async def the_points(request: Request, version: str) -> Response:
    """The points, column by column."""
    service = service_of(request)
    _, now, content = await service.work("picture", _made, service)
    if version != now:
        raise missing()
    return Response(content, media_type="application/octet-stream",
                    headers={"Cache-Control": "private, max-age=31536000, immutable"})


@router.post("/api/cluster")
async def cluster(request: Request, asked: Group) -> Grouped:
    """The people in groups of one pose, the largest first."""
    return await service_of(request).work("moves", _grouped, service_of(request), asked)


def _grouped(service: Service, asked: Group) -> Grouped:
    """The groups of the index as it is now, made once of what is asked for again."""
    index = service.index()
    key = index.state, asked.by, asked.min_size
    with service.groups_lock:
        if service.groups is None or service.groups[0] != key:
            found = index.cluster(by=asked.by or index.spaces[0].name, min_size=asked.min_size)  # type: ignore[arg-type]
            service.groups = key, Grouped.model_validate(found.to_json())
        return service.groups[1]


def _made(service: Service) -> tuple[Points, str, bytes]:
    """The points of the index as it is now, made once."""
    index = service.index()
    state = index.state
    with service.map_lock:
        if service.map is None or service.map[0] != state:
            points = index.plane(MOST)
            content = packed(points)
            service.map = state, (points, hashlib.sha256(content).hexdigest()[:16], content)
        return service.map[1]


def packed(points: Points) -> bytes:
    """x, y uint16, file and number uint32, label uint16; little endian, one column after the other."""
    low, high = points.xy.min(axis=0, initial=0), points.xy.max(axis=0, initial=0)
    scale = 65535 / max(float((high - low).max()), 1e-9)
    xy = np.clip(np.round((points.xy - low) * scale), 0, 65535)
    columns = (xy[:, 0].astype("<u2"), xy[:, 1].astype("<u2"), points.medium.astype("<u4"),
               points.number.astype("<u4"), points.label.astype("<u2"))
    return b"".join(column.tobytes() for column in columns)
