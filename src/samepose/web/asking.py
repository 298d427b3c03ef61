"""`/api/query`: whom to search for. A picture that is sent, a moment of the index, a person of it, or a figure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from pydantic import ValidationError

from samepose.detection import in_photo
from samepose.errors import SameposeError, UsageError
from samepose.index import Medium
from samepose.media.video import VIDEO_SUFFIXES, probe
from samepose.poses import Poses
from samepose.web.answers import Asked, Picture
from samepose.web.figures import BOARD, figures, standing
from samepose.web.pictures import SHOWN, file_of, is_image, jpeg, named, picture, smaller
from samepose.web.problems import Refusal, missing
from samepose.web.requests import Ask
from samepose.web.service import Service, service_of
from samepose.web.uploads import Kept, scaled, shown_name

router = APIRouter(tags=["query"])

_BODY = {"requestBody": {"required": True, "content": {
    "application/json": {"schema": {"$ref": "#/components/schemas/Ask"}},
    **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/*", "video/*")}}}}


@router.post("/api/query", openapi_extra=_BODY)
async def query(
    request: Request, name: Annotated[str | None, Query(max_length=1000)] = None,
    at: Annotated[float, Query(ge=0, le=1e6)] = 0.0,
) -> Asked:
    """Who can be searched for in a picture or video that is sent, or in what the index has (see `Ask`)."""
    service = service_of(request)
    if not request.headers.get("content-type", "").startswith("application/json"):
        file = await service.queries.receive(request.stream())
        try:
            return await service.work("detect", _kept, service, _sent, file, shown_name(name), at)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
    try:
        asked = Ask.model_validate_json(await request.body())
    except ValidationError as error:
        raise Refusal(422, "usage", _reason(error), "see /api/openapi.json") from error
    return await service.work("picture" if asked.query is None else "detect", _kept, service, _named, asked)


@router.get("/api/query/{query}/picture.jpg", response_class=Response)
async def query_picture(request: Request, query: str) -> Response:
    """The picture that was looked at."""
    service = service_of(request)
    kept = await service.work("picture", service.queries.get, query)
    if kept.picture is None:
        raise missing()
    return Response(kept.picture, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=1800"})


def _kept(service: Service, make: Callable[..., Kept], *of: Any) -> Asked:
    """What is made, remembered."""
    return _shown(service.queries.keep(make(service, *of)))


def _named(service: Service, asked: Ask) -> Kept:
    if asked.person is not None:
        return _row(service, asked.person)
    if asked.media is not None:
        return _moment(service, service.medium(asked.media), asked.at)
    if asked.query is not None:
        before = service.queries.get(asked.query)
        if before.file is None or before.kind != "video":
            raise UsageError("only a video that was sent has other moments; send it again")
        return _sent(service, before.file, before.source, asked.at or 0.0)
    return Kept("figure", "standing figure", standing(), size=BOARD)


def _sent(service: Service, file: Path, name: str, at: float) -> Kept:
    """Look for people in what was sent."""
    with named(file, name):
        image = is_image(file)
        duration = None if image else probe(file).duration
        pixels = picture(file, None if image else at)
        poses = in_photo(pixels, service.detector)
    shown, factor = smaller(pixels, SHOWN)
    return Kept("image" if image else "video", name, scaled(poses, factor), picture=jpeg(shown),
                size=(shown.shape[1], shown.shape[0]), time=None if image else at, duration=duration, file=file)


def _row(service: Service, person: str) -> Kept:
    """A person of the index, in their picture."""
    row = service.index().row(person)
    medium = service.medium(person.partition("-")[0])
    return _in_index(service, "person", medium, row.pose, [row.id], row.time)


def _moment(service: Service, medium: Medium, at: float | None) -> Kept:
    """Everyone in a photo of the index, or in a video at the moment that was looked at nearest to `at`."""
    ids: list[str] = []
    poses, time = None, at
    if medium.people:
        ids, poses = service.index().people_of(medium)[:2]
        times = np.unique(poses.times[~np.isnan(poses.times)])
        if len(times):
            time = float(times[np.abs(times - (times[0] if at is None else at)).argmin()])
            poses, ids = _only(poses, ids, np.flatnonzero(poses.times == time))
            poses, ids = _only(poses, ids, np.argsort(-poses.prominence(), kind="stable"))
        else:
            time = None
    if poses is None:
        from samepose.skeleton import COCO17

        poses, time = Poses.empty(COCO17), time if medium.kind == "video" else None
    return _in_index(service, "media", medium, poses, ids, time)


def _only(poses: Poses, ids: list[str], at: Any) -> tuple[Poses, list[str]]:
    return poses[at], [ids[k] for k in at]


def _in_index(service: Service, kind: Any, medium: Medium, poses: Poses, ids: list[str], time: float | None) -> Kept:
    """With their picture, where the file is still there."""
    made, size, factor, duration = None, (0, 0), 1.0, None
    try:
        file = file_of(service.index(), medium)
        if file.suffix.lower() in VIDEO_SUFFIXES:
            duration, time = probe(file).duration, 0.0 if time is None else time
        shown, factor = smaller(picture(file, time), SHOWN)
        made, size = jpeg(shown), (shown.shape[1], shown.shape[0])
    except (Refusal, SameposeError):  # it has vanished since, or cannot be read any more: the keypoints are there
        pass
    return Kept(kind, medium.path, scaled(poses, factor), ids, made, size, time, duration, medium=medium)


def _shown(kept: Kept) -> Asked:
    url = None if kept.picture is None else f"/api/query/{kept.id}/picture.jpg"
    width, height = kept.size if kept.size[0] else _extent(kept.people)
    media = None if kept.medium is None else kept.medium.shown
    return Asked(query=kept.id, kind=kept.kind, source=kept.source, media=media, time=kept.time, duration=kept.duration,
                 picture=Picture(url=url, width=width, height=height), people=figures(kept.people, kept.ids))


def _extent(people: Poses) -> tuple[int, int]:
    """Where all joints fit in, of a picture that is not there."""
    if not people.visible.any():
        return BOARD
    width, height = np.nanmax(people.points, axis=(0, 1)).clip(1, 1e5) * 1.1
    return int(width), int(height)


def _reason(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else str(first["msg"])
