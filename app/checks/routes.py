"""Checks as JSON, and the recordings' sound."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from app.accounts import service as audit
from app.api.paging import After, Key, Limit
from app.api.text import Code, Moment
from app.checks import cursor, repository, service
from app.checks.listening import AuditedFile, Reading
from app.checks.models import Attempt, Recording
from app.checks.repository import ListFilter
from app.checks.schemas import AttemptDetail, AttemptOut, AttemptPage, CheckOut, RecordingOut, TargetOut
from app.database import Database
from app.evidence.wordless import shown_facts
from app.settings import Settings

MOST_RANGE = 80
"""Characters kept of a Range header."""
MEDIA_TYPES = {".flac": "audio/flac", ".wav": "audio/wav"}
SOUND: dict[str, Any] = {
    "description": "The sound",
    "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()},
}
router = APIRouter()


def state_of(request: Request) -> tuple[Database, Settings]:
    """The database and the settings of this service."""
    return request.app.state.database, request.app.state.settings


State = Annotated[tuple[Database, Settings], Depends(state_of)]
CheckKind = Literal["random", "designated", "verification", "demo"]
View = Annotated[str, Query(max_length=40)]


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
    """A dial with all that it left behind, as JSON."""
    return AttemptDetail(
        **AttemptOut.model_validate(attempt).model_dump(),
        call_id=attempt.call_id,
        error=attempt.error,
        facts=shown_facts(attempt) or None,
        verdict=attempt.verdicts[-1].content if attempt.verdicts else None,
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


@router.get(
    "/recordings/{recording_id}",
    tags=["recordings"],
    operation_id="listen",
    response_class=FileResponse,
    responses={200: SOUND, 206: SOUND | {"description": "The range that was asked for"}},
)
@router.head("/recordings/{recording_id}", include_in_schema=False)
async def sound(
    request: Request, state: State, recording_id: int, download: bool = False, view: View = ""
) -> Response:
    """A recording's sound, whole or a range of it.

    What is heard leaves an audit line before its first byte; the ranges that the player of one page view
    (`view`) asks for are one listening.
    """
    database, settings = state
    async with database.reading() as session:
        recording = await repository.recording(session, recording_id) if 0 < recording_id < 2**63 else None
    path = None if recording is None else _file(settings, recording)
    if recording is None or path is None:
        raise HTTPException(404, "no such recording")
    kind = "attachment" if download else "inline"
    return AuditedFile(
        path,
        media_type=MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
        headers={
            "ETag": f'"{recording.sha256}"',
            "Content-Disposition": f'{kind}; filename="check-recording-{recording.attempt_id}{path.suffix}"; '
            f"filename*=UTF-8''{quote(_title(recording, path))}",
        },
        database=database,
        reading=Reading(
            f"recording:{recording.id}",
            "download" if download else "play",
            "" if download else view,
            request.headers.get("range", "")[:MOST_RANGE],
        ),
    )


def _title(recording: Recording, path: Path) -> str:
    return f"抽查录音-{recording.attempt_id:06}{path.suffix}"


def _file(settings: Settings, recording: Recording) -> Path | None:
    root = settings.recordings_dir.resolve()
    path = (root / recording.path).resolve()
    return path if path.is_relative_to(root) and path.is_file() else None
