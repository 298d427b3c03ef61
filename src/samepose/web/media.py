"""Photos, videos and people of the index, by id: the files themselves, pictures of them, and tracks."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from pydantic import BeforeValidator
from starlette.responses import FileResponse

from samepose.errors import SameposeError, StoreError
from samepose.index import Medium
from samepose.media.image import image_size
from samepose.media.remote import is_remote
from samepose.media.video import VIDEO_SUFFIXES, probe
from samepose.poses import Poses
from samepose.web.answers import MediumDetail, TrackSpan
from samepose.web.answers_moves import Tracked
from samepose.web.figures import box, skeleton_of
from samepose.web.pictures import crop, file_of, jpeg, part_of, picture, smaller
from samepose.web.problems import Refusal, missing
from samepose.web.requests import MEDIUM, PERSON
from samepose.web.service import Service, service_of

router = APIRouter(tags=["media"])

FrameSize = Annotated[Literal[320, 640, 1280, 1920], BeforeValidator(int)]  # pixels; no others: each is kept
CropSize = Annotated[Literal[160, 320, 640], BeforeValidator(int)]
_KEEP = "private, max-age=3600"
_TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm",
          ".mkv": "video/x-matroska", ".avi": "video/x-msvideo", ".ogv": "video/ogg", ".jpg": "image/jpeg",
          ".jpeg": "image/jpeg", ".jpe": "image/jpeg", ".jfif": "image/jpeg", ".png": "image/png",
          ".webp": "image/webp", ".gif": "image/gif", ".bmp": "image/bmp", ".avif": "image/avif"}


@router.get("/api/media/{media}", response_class=FileResponse)
async def media_file(request: Request, media: str) -> Response:
    """The file, or a range of it."""
    service = service_of(request)
    file = await service.work("picture", lambda: file_of(service.index(), _medium(service, media)))
    kind = _TYPES.get(file.suffix.lower(), "application/octet-stream")
    headers = {"Cache-Control": _KEEP, "Content-Security-Policy": "sandbox; default-src 'none'"}
    if is_remote(file):
        content, status, more = await service.work("picture", part_of, file, request.headers.get("range"))
        return Response(content, status, headers | more, kind)
    return FileResponse(file, media_type=kind, headers=headers)


@router.get("/api/media/{media}/info")
async def media_info(request: Request, media: str) -> MediumDetail:
    """What is known of it, and who is in it."""
    return await service_of(request).work("picture", _info, service_of(request), media)


@router.get("/api/frame/{media}.jpg", response_class=Response)
async def frame(
    request: Request, media: str, t: Annotated[float | None, Query(ge=0, le=1e6)] = None,
    size: FrameSize = 1280,
) -> Response:
    """A photo, or the frame of a video at a time."""
    service = service_of(request)

    def made() -> bytes:
        file = file_of(service.index(), _medium(service, media))
        time = (t or 0.0) if file.suffix.lower() in VIDEO_SUFFIXES else None
        return jpeg(smaller(picture(file, time), size)[0])

    return _jpeg(await service.work("picture", made))


@router.get("/api/crop/{person}.jpg", response_class=Response)
async def crop_of(request: Request, person: str, size: CropSize = 320) -> Response:
    """A person, in their window."""
    service = service_of(request)
    _like(person, PERSON)

    def made() -> bytes:
        try:
            return service.crops.get((person, size), lambda: crop(service.index(), person, size))
        except StoreError as error:
            raise _gone(service) from error

    return _jpeg(await service.work("picture", made))


@router.get("/api/track/{person}")
async def track(request: Request, person: str) -> Tracked:
    """A person through the whole clip."""
    _like(person, PERSON)
    return await service_of(request).work("picture", _track, service_of(request), person)


def _track(service: Service, person: str) -> Tracked:
    medium = _medium(service, person.partition("-")[0])
    ids, poses = service.index().people_of(medium)[:2] if medium.people else ([], None)
    if poses is None or person not in ids:
        raise missing()
    at = np.flatnonzero(poses.tracks == poses.tracks[ids.index(person)])
    poses = poses[at]
    rows = np.concatenate([poses.points, poses.scores[..., None]], axis=2).astype(float).round(2).tolist()
    seen = poses.visible.tolist()
    joints = [[tuple(joint) if there else None for joint, there in zip(*pair)] for pair in zip(rows, seen)]
    return Tracked(
        media=medium.shown, person=int(poses.tracks[0]), skeleton=skeleton_of(poses.skeleton),
        ids=[ids[k] for k in at], times=[None if np.isnan(t) else round(float(t), 4) for t in poses.times],
        boxes=[box(b) for b in poses.boxes], keypoints=joints)


def _info(service: Service, media: str) -> MediumDetail:
    medium, width, height, duration, fps, there = _medium(service, media), None, None, None, None, False
    try:
        file = file_of(service.index(), medium)
        there = True
        if file.suffix.lower() in VIDEO_SUFFIXES:
            facts = probe(file)
            width, height, duration, fps = facts.width, facts.height, facts.duration, facts.fps
        else:
            width, height = image_size(file)
    except (Refusal, SameposeError):
        pass
    kind: Any = medium.kind
    return MediumDetail(**medium.to_json(), id=medium.shown, kind=kind, there=there, width=width, height=height,
                        duration=duration, fps=fps, tracks=_tracks(service, medium))


def _tracks(service: Service, medium: Medium) -> list[TrackSpan]:
    """Who is in it, the most prominent first."""
    if not medium.people:
        return []
    ids, poses = service.index().people_of(medium)[:2]
    numbers, which = np.unique(poses.tracks, return_inverse=True)
    order = np.argsort(-np.bincount(which, poses.prominence()), kind="stable")
    return [_span(int(numbers[k]), np.flatnonzero(which == k), poses, ids) for k in order]


def _span(number: int, at: np.ndarray, poses: Poses, ids: list[str]) -> TrackSpan:
    times = poses.times[at]
    timeless = np.isnan(times).all()
    return TrackSpan(person=number, start=None if timeless else round(float(np.nanmin(times)), 3),
                     end=None if timeless else round(float(np.nanmax(times)), 3), sightings=len(at), id=ids[at[0]])


def _medium(service: Service, media: str) -> Medium:
    _like(media, MEDIUM)
    return service.medium(media)


def _like(id: str, pattern: str) -> None:
    """What is no id at all gets the answer of one that is not there."""
    import re

    if not re.fullmatch(pattern.strip("^$"), id):
        raise missing()


def _gone(service: Service) -> Exception:
    """Of a person who is not found: missing, unless it is the index itself that is."""
    service.index().check()
    return missing()


def _jpeg(content: bytes) -> Response:
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": _KEEP})
