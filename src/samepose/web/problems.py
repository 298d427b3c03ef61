"""What went wrong, as the API says it: a message, a remedy and a kind; and one line for the terminal."""

from __future__ import annotations

import logging
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from samepose.errors import FormatError, MediaError, SameposeError, StoreError, UsageError

log = logging.getLogger("samepose.web")

_LONGEST = 500
_STATUS = ((UsageError, 400, "usage"), (MediaError, 422, "media"), (FormatError, 422, "format"),
           (StoreError, 409, "store"))
_KINDS = {404: "missing", 405: "missing", 413: "large", 431: "large", 422: "usage", 400: "usage", 503: "busy"}
MISSING = "there is nothing under this address; it was moved or removed, or never was there"


class Refusal(HTTPException):
    """A request that is not carried out, with the kind of problem and what to do."""

    def __init__(self, status: int, kind: str, message: str, remedy: str | None = None) -> None:
        super().__init__(status, message)
        self.kind, self.remedy = kind, remedy


def missing() -> Refusal:
    """The one answer for all that is not there, whatever the reason: nothing can be probed by it."""
    return Refusal(404, "missing", MISSING)


def problem(kind: str, message: str, remedy: str | None = None) -> dict[str, Any]:
    """The JSON object."""
    return {"error": {"message": message, "remedy": remedy, "kind": kind}}


def problem_of(error: BaseException) -> tuple[int, dict[str, Any]]:
    """Status and JSON object of what was raised."""
    if isinstance(error, Refusal):
        return error.status_code, problem(error.kind, error.detail, error.remedy)
    if isinstance(error, HTTPException):
        text = MISSING if error.status_code in (404, 405) else str(error.detail)
        return error.status_code, problem(_KINDS.get(error.status_code, "refused"), text)
    if isinstance(error, SameposeError):
        status, kind = next(((s, k) for of, s, k in _STATUS if isinstance(error, of)), (422, "usage"))
        message, _, remedy = " ".join(str(error).split()).rpartition("; ")
        return status, problem(kind, message or remedy, remedy if message else None)
    if isinstance(error, OSError):
        return 422, problem("media", f"a file could not be read or written ({error.strerror or type(error).__name__})",
                            "check the disk and its permissions")
    return 500, problem("unexpected", "samepose made a mistake; the terminal it was started from says more")


def respond(error: BaseException) -> JSONResponse:
    """The answer, after a line in the terminal where somebody should look at it there."""
    status, body = problem_of(error)
    if status >= 500 and status != 503:
        debug = log.isEnabledFor(logging.DEBUG)
        log.error("%s", one_line(f"unexpected {type(error).__name__}: {error}"), exc_info=error if debug else None)
    elif isinstance(error, (SameposeError, OSError)):
        log.warning("%s", one_line(str(error)))
    return JSONResponse(body, status)


async def handle(request: Request, error: Exception) -> JSONResponse:
    """As an exception handler of the application."""
    return respond(error)


def one_line(text: str) -> str:
    """A line that a terminal may show, whatever names are in it."""
    flat = " ".join(text.split())[:_LONGEST]
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in flat)
