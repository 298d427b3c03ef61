"""The session, what is indexed, changes of it, and indexing runs."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

import samepose
from samepose.errors import SameposeError, UsageError
from samepose.skeleton import PARTS, SKELETONS
from samepose.web.answers import Folder, Job, Labelled, Library, Medium, Problem, Removed, Session
from samepose.web.figures import skeleton_of
from samepose.web.pictures import MOST_PIXELS
from samepose.web.problems import Refusal, missing, problem_of
from samepose.web.requests import MOST_HITS, Add, Label, Login, Remove
from samepose.web.security import LARGEST_UPLOAD, same
from samepose.web.service import Service, service_of

router = APIRouter(tags=["library"])

_MOST_FOLDERS = 2000


@router.get("/api/session")
async def session(request: Request) -> Session:
    """What to know first."""
    service = service_of(request)
    problem, spaces = await service.work("picture", _state, service)
    return Session(
        version=samepose.__version__, index=service.uri, there=problem is None, problem=problem,
        csrf=service.gate.csrf, local=service.fillable,
        spaces=spaces,
        parts={name: list(joints) for name, joints in PARTS.items()},
        skeletons=[skeleton_of(skeleton) for skeleton in SKELETONS.values()],
        limits={"upload": LARGEST_UPLOAD, "pixels": MOST_PIXELS, "hits": MOST_HITS})


@router.post("/api/login", status_code=204, response_class=Response)
async def login(request: Request, given: Login) -> Response:
    """The cookie for the token."""
    gate = service_of(request).gate
    if gate.token is not None and not same(given.token, gate.token):
        raise Refusal(401, "refused", "that is not the token", "give the one that the terminal shows")
    return Response(status_code=204, headers={"Set-Cookie": gate.set_cookie})


@router.get("/api/library")
async def library(
    request: Request, offset: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    failed: bool = False, where: Annotated[str | None, Query(max_length=4096)] = None,
) -> Library:
    """What is indexed."""
    service = service_of(request)

    def listed() -> Library:
        index = service.index()
        media = [m for m in index.select("*" if where is None else where)
                 if not failed or m.error is not None or m.status == "partial"]
        part = media[offset : offset + limit]
        after = offset + limit
        return Library(info=asdict(index.info()), total=len(media), next=after if after < len(media) else None,
                       media=[Medium.model_validate({**m.to_json(), "id": m.shown, "kind": m.kind}) for m in part])

    return await service.work("picture", listed)


@router.post("/api/label")
async def label(request: Request, asked: Label) -> Labelled:
    """Label people, or take labels off."""
    service = service_of(request)
    name = asked.name or None
    people = await service.work("picture", lambda: service.index().label(asked.what, name))
    if not people:
        raise _nobody(asked.what)
    return Labelled(index=service.uri, people=people, label=name)


@router.post("/api/remove", response_model_exclude_none=True)
async def remove(request: Request, asked: Remove) -> Removed:
    """Remove people or files from the index, much only when it was said twice."""
    return await service_of(request).work("picture", _remove, service_of(request), asked)


@router.get("/api/folders")
async def folders(request: Request, path: Annotated[str | None, Query(max_length=4096)] = None) -> Folder:
    """Folders of this computer to choose from."""
    service = _local(request)
    return await service.work("picture", _folder, path)


@router.post("/api/index", status_code=202)
async def index(request: Request, asked: Add) -> Job:
    """Begin to index folders of this computer."""
    service = _local(request)
    for path in asked.paths:
        if "\0" in path or not Path(path).is_absolute() or not Path(path).exists():
            raise UsageError("no such folder or file; choose another")
    return service.jobs.start(asked.paths, asked.label or None, asked.prune)


@router.get("/api/jobs")
async def jobs(request: Request) -> list[Job]:
    """All runs, newest first."""
    return service_of(request).jobs.all()


@router.get("/api/jobs/{job}")
async def job(request: Request, job: str) -> Job:
    """One run."""
    return service_of(request).jobs.get(job)


@router.get("/api/jobs/{job}/events", response_class=StreamingResponse)
async def events(request: Request, job: str) -> StreamingResponse:
    """One run as server-sent events."""
    running = service_of(request).jobs
    running.get(job)
    return StreamingResponse(running.events(job), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.post("/api/jobs/{job}/cancel")
async def cancel(request: Request, job: str) -> Job:
    """Call one off."""
    return service_of(request).jobs.cancel(job)


def _state(service: Service) -> tuple[Problem | None, list[str]]:
    """What is wrong with the index, and what its people can be found by."""
    try:
        service.index().check()
        return None, [space.name for space in service.index().spaces]
    except SameposeError as error:
        return Problem(**problem_of(error)[1]["error"]), []


def _remove(service: Service, asked: Remove) -> Removed:
    index = service.index()
    meant = index.remove(asked.what, dry_run=True)
    if not any(meant):
        raise _nobody(asked.what)
    if asked.dry_run:
        return Removed(index=service.uri, **meant._asdict(), paths=[medium.path for medium in index.select(asked.what)])
    if not asked.yes and meant.much(index.info().media):
        what = f"{meant.files:,} files and {meant.people:,} people would be removed"
        raise Refusal(409, "confirm", what, "say yes to go on")
    return Removed(index=service.uri, **index.remove(asked.what)._asdict())


def _folder(path: str | None) -> Folder:
    from samepose.media.image import IMAGE_SUFFIXES
    from samepose.media.video import VIDEO_SUFFIXES

    try:
        folder = Path.home() if path is None else Path(path)
        if not folder.is_absolute():
            raise missing()
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
        names = sorted(entry.name for entry in entries if entry.is_dir())
        media = sum(Path(e.name).suffix.lower() in IMAGE_SUFFIXES | VIDEO_SUFFIXES for e in entries if e.is_file())
    except (OSError, ValueError) as error:
        raise missing() from error
    parent = None if folder.parent == folder else str(folder.parent)
    return Folder(path=str(folder), parent=parent, folders=names[:_MOST_FOLDERS], media=media)


def _local(request: Request) -> Service:
    """The service, when it is served to this computer only, and alone."""
    service = service_of(request)
    if not service.fillable:
        raise Refusal(403, "refused", "folders are indexed from the computer itself", "use `samepose index` there")
    return service


def _nobody(what: list[str]) -> SameposeError:
    return UsageError(f"nobody matches {', '.join(what[:3])}{' …' if len(what) > 3 else ''}; look at what is indexed")
