"""Errors of `/api` as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from app.errors import Fault, OfficeError

MEDIA_TYPE = "application/problem+json"


def problem(status: int, detail: str = "", title: str = "", faults: Sequence[Fault] = ()) -> JSONResponse:
    """Return a problem; `errors` names each member that is wrong."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if faults:
        content["errors"] = [{"where": fault.where, "message": fault.message} for fault in faults]
    return JSONResponse(content, status_code=status, media_type=MEDIA_TYPE)


def of_office(error: OfficeError) -> JSONResponse:
    """Return the problem of one of our own errors."""
    return problem(error.status, error.detail, error.title, error.faults)
