"""Evidence bundles as downloads."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import StreamingResponse

from app.api.actor import Reader
from app.api.paging import Key
from app.database import Database
from app.evidence.bundle import Bundle, prepare
from app.listening.names import disposition
from app.settings import Settings

ZIP = "application/zip"
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bundle", "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}},
    503: {"description": "It cannot be made just now"},
}
router = APIRouter()


def state_of(request: Request) -> tuple[Database, Settings]:
    """The database and the settings of this service."""
    return request.app.state.database, request.app.state.settings


State = Annotated[tuple[Database, Settings], Depends(state_of)]


@router.get(
    "/api/v1/checks/{check_id}/bundle",
    tags=["checks"],
    operation_id="bundle_check",
    response_class=StreamingResponse,
    responses=ANSWERS,
)
async def of_check(state: State, who: Reader, check_id: Key) -> StreamingResponse:
    """All that there is of an order as one ZIP that can be checked without us. Put on record."""
    return _answer(await prepare(*state, who, check_id=check_id))


@router.get(
    "/api/v1/attempts/{attempt_id}/bundle",
    tags=["checks"],
    operation_id="bundle_attempt",
    response_class=StreamingResponse,
    responses=ANSWERS,
)
async def of_attempt(state: State, who: Reader, attempt_id: Key) -> StreamingResponse:
    """The same of one call of an order."""
    return _answer(await prepare(*state, who, attempt_id=attempt_id))


def _answer(bundle: Bundle) -> StreamingResponse:
    headers = {"Content-Disposition": disposition("attachment", bundle.plain, bundle.title)}
    return StreamingResponse(bundle.stream(), media_type=ZIP, headers=headers)
