"""The application: the gate, the routes, the page's own files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

import samepose
from samepose.errors import SameposeError
from samepose.web import asking, library, map, media, moves, search, space
from samepose.web.answers import Failure
from samepose.web.problems import handle, missing, problem
from samepose.web.requests import Ask
from samepose.web.security import Gate, Guard, same
from samepose.web.service import Service
from samepose.web.uploads import Queries

if TYPE_CHECKING:
    from samepose.detection import Detector
    from samepose.embed import Embedder

STATIC = Path(__file__).parent / "static"
_FAILURES: dict[int | str, dict[str, Any]] = {"4XX": {"model": Failure}, "5XX": {"model": Failure}}


def create_app(
    uri: str, gate: Gate | None = None, *, threads: int | None = None, detector: Detector | None = None,
    embedder: Embedder | None = None, copies: str | None = None, warm: bool = False, queries: Queries | None = None,
) -> FastAPI:
    """The page and API of an index, which need not be there yet.

    Args:
        uri: of the index.
        gate: what the server answers to; by default this computer, without a token.
        threads, detector, embedder, copies: see `Index.open`.
        warm: load what the first search will need as soon as the server answers.
        queries: that several servers share; then the index is not added to through one of them.
    """
    service = Service(uri, gate or Gate(), threads=threads, detector=detector, embedder=embedder, copies=copies,
                      queries=queries)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(service.work("search", service.warm)) if warm else None
        yield
        if warming is not None:
            warming.cancel()
        service.close()

    app = FastAPI(title="samepose", version=samepose.__version__, summary="Is this the same pose?",
                  openapi_url="/api/openapi.json", docs_url=None, redoc_url=None, lifespan=lifespan,
                  responses=_FAILURES, redirect_slashes=False)
    app.state.service = service
    for room in (library, asking, search, space, media, moves, map):
        app.include_router(room.router)
    _add_page(app, service)
    for kind in (SameposeError, HTTPException, OSError):
        app.add_exception_handler(kind, handle)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Guard, gate=service.gate)
    _describe(app)
    return app


def _add_page(app: FastAPI, service: Service) -> None:
    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        gate, given = service.gate, request.query_params.get("token")
        if given is not None:  # out of the address, which a browser keeps
            answer = RedirectResponse("/", 303)
            if gate.token is not None and same(given, gate.token):
                answer.headers["Set-Cookie"] = gate.set_cookie
            return answer
        if not (STATIC / "index.html").is_file():
            raise missing()
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    # Beside its own files those that it shares with the pages of `report`.
    shared: list[str | tuple[str, str]] = [("samepose.report", "static")]
    app.mount("/static", _Static(directory=STATIC, packages=shared, check_dir=False), name="static")


class _Static(StaticFiles):
    """The page's own files; asked for anew each time, so that an update is seen."""

    async def get_response(self, path: str, scope: Any) -> Response:
        if "\0" in path or "\\" in path:
            raise missing()
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    """One line about what the body or the address should be."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return JSONResponse(problem("usage", f"{where}: {first['msg']}" if where else str(first["msg"]),
                                "see /api/openapi.json"), 422)


def _describe(app: FastAPI) -> None:
    """Put the body of `/api/query`, which is read by hand, among the types."""
    made = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = made()
            schema["components"]["schemas"]["Ask"] = Ask.model_json_schema(ref_template="#/components/schemas/{model}")
        return app.openapi_schema or {}

    app.openapi = described  # type: ignore[method-assign]
