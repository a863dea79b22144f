"""Checks as JSON, and the traces of their calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from app.accounts import service as audit
from app.accounts.principal import current
from app.api.paging import After, Key, Limit
from app.api.text import Code, Moment
from app.checks import cursor, repository, service
from app.checks.models import Attempt
from app.checks.repository import ListFilter
from app.checks.schemas import AttemptDetail, AttemptOut, AttemptPage, CheckOut, RecordingOut, TargetOut
from app.database import Database
from app.evidence.sight import sight_of
from app.settings import Settings

router = APIRouter()


def state_of(request: Request) -> tuple[Database, Settings]:
    """The database and the settings of this service."""
    return request.app.state.database, request.app.state.settings


State = Annotated[tuple[Database, Settings], Depends(state_of)]
CheckKind = Literal["random", "designated", "verification", "demo"]


@router.get("/api/v1/checks", tags=["checks"], operation_id="list_checks")
async def list_checks(
    state: State,
    unit: Annotated[Key | None, Query(description="This unit and all below it")] = None,
    alone: Annotated[bool, Query(description="The unit alone, without those below it")] = False,
    verdict: Annotated[str | None, Query(max_length=40, description="Code of the call's verdict")] = None,
    review: Annotated[bool | None, Query(description="Whether the call's verdict needs a person")] = None,
    kind: Annotated[CheckKind | None, Query(description="计划抽查, 指定抽查, 核号, 演示")] = None,
    code: Annotated[Code | None, Query(description="Code of its order's proposal")] = None,
    since: Annotated[Moment | None, Query(alias="from", description="Dialled from here on")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Dialled before this")] = None,
    after: After = None,
    limit: Limit = 50,
) -> AttemptPage:
    """Attempts, newest first."""
    database, _ = state
    try:
        place = cursor.unpack(after) if after else None
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    narrowed = ListFilter(unit, verdict, review, kind, code, since, until, alone)
    async with database.reading() as session:
        found = await repository.page(session, narrowed, place, limit + 1)
    items = [AttemptOut.model_validate(attempt) for attempt in found[:limit]]
    return AttemptPage(items=items, next=cursor.pack(found[limit - 1]) if len(found) > limit else None)


@router.get("/api/v1/checks/{check_id}", tags=["checks"], operation_id="show_check")
async def show_check(state: State, check_id: int) -> CheckOut:
    """One check with the facts, verdict and recording of each attempt."""
    database, _ = state
    async with database.reading() as session:
        check = await repository.check(session, check_id) if 0 < check_id < 2**63 else None
    if check is None or not check.attempts:
        raise HTTPException(404, "no such check")
    return CheckOut(
        id=check.id,
        state=check.state,
        reason=check.reason,
        # When another call comes is nobody's to know.
        due_at=check.first_due_at if check.state == "retry" else check.due_at,
        attempts=[detail_of(attempt) for attempt in check.attempts],
    )


def detail_of(attempt: Attempt) -> AttemptDetail:
    """A dial with all that it left behind, as JSON, as far as who asks may see it."""
    sight = sight_of(current())
    return AttemptDetail(
        **AttemptOut.model_validate(attempt).model_dump(),
        call_id=attempt.call_id,
        error=attempt.error,
        facts=sight.facts(attempt, None) or None,
        verdict=sight.verdict(attempt),
        recording=RecordingOut.model_validate(attempt.recording) if attempt.recording else None,
        targets=[TargetOut.model_validate(target) for target in attempt.targets],
    )


@router.get(
    "/api/v1/attempts/{attempt_id}/trace",
    tags=["checks"],
    operation_id="download_trace",
    response_class=PlainTextResponse,
)
async def trace(state: State, attempt_id: int) -> Response:
    """The SIP messages of a dial as text, secrets blanked. Numbers stand in them, so each download is put on record."""
    database, settings = state
    async with database.reading() as session:
        attempt = await session.get(Attempt, attempt_id) if 0 < attempt_id < 2**63 else None
    path = None if attempt is None else trace_file(settings, attempt)
    if path is None:
        raise HTTPException(404, "no such trace")
    async with database.unit_of_work() as session:
        await audit.record(session, "download", f"trace:{attempt_id}")
    headers = {
        "Content-Disposition": f'attachment; filename="check-attempt-{attempt_id}{service.TRACE_SUFFIX}"'
    }
    return FileResponse(path, media_type="text/plain; charset=utf-8", headers=headers)


def trace_file(settings: Settings, attempt: Attempt) -> Path | None:
    """The file with the SIP messages of a dial, None where none were kept."""
    path = settings.recordings_dir / f"{service.recording_name(attempt)}{service.TRACE_SUFFIX}"
    return path if path.is_file() else None
