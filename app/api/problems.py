"""Errors of `/api` as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse

from app.errors import Fault, OfficeError

MEDIA_TYPE = "application/problem+json"
MOST_FAULTS = 1_000
MOST_SIGNS = 1_000
"""Of a message."""


def problem(
    status: int,
    detail: str = "",
    title: str = "",
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a problem; `errors` names each member that is wrong."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": _writable(detail),
    }
    if faults:
        content["errors"] = [
            {"where": _writable(fault.where), "message": _writable(fault.message)}
            for fault in faults[:MOST_FAULTS]
        ]
    return JSONResponse(content, status_code=status, media_type=MEDIA_TYPE, headers=headers)


def _writable(text: str) -> str:
    """What a caller sent may come back in a message: shortened, and without what is no Unicode."""
    plain = text.encode("utf-8", "replace").decode()
    return plain if len(plain) <= MOST_SIGNS else f"{plain[: MOST_SIGNS - 1]}…"


def of_office(error: OfficeError) -> JSONResponse:
    """Return the problem of one of our own errors."""
    return problem(error.status, error.detail, error.title, error.faults)
