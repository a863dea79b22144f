"""Phone records (电话记录单) as JSON and as documents, and the sound files that they are begun with."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse, Response

from app.accounts import service as audit
from app.api import idempotency
from app.api.actor import Actor
from app.api.newest import Place
from app.api.paging import After, Key, Limit, Page, cut, pack, unpack
from app.api.text import Moment, Title
from app.database import Database
from app.directory.routing import PathKey, State
from app.errors import BadInputError, Fault, NotFoundError
from app.phone_records import repository, service, sounds
from app.phone_records.bringing import begin_record, bring
from app.phone_records.document import MEDIA_TYPE as DOCX
from app.phone_records.document import document
from app.phone_records.models import PhoneRecord
from app.phone_records.repository import Narrowed
from app.phone_records.schemas import (
    Change,
    NewRecord,
    Number,
    OneLine,
    PersonName,
    RecordOut,
    Signing,
    Source,
    VersionsOut,
    record_out,
    version_out,
)
from app.phone_records.sheet import sheet
from app.settings import Settings

router = APIRouter(prefix="/api/v1", tags=["phone records"])
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"The file itself, at most {sounds.MOST_BYTES // 2**20} MB: WAV, FLAC, MP3, Ogg or M4A",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in sounds.MEDIA_TYPES},
    }
}


@router.post("/phone-records", status_code=201, operation_id="begin_phone_record", response_model=RecordOut)
async def begin(state: State, who: Actor, key: idempotency.Key, body: NewRecord) -> JSONResponse:
    """Begin a record by hand, or from a call back. None can be made of a call that we placed."""
    database, settings = state

    async def work(session: AsyncSession) -> tuple[int, dict[str, Any]]:
        # Its key alone is kept for a second request: what was said must not outlive a withdrawal.
        return 201, {"id": await begin_record(session, settings, body, who)}

    asked = [body.model_dump(mode="json"), who]
    begun = await idempotency.once(database, key, "POST /phone-records", asked, work)
    record = await _record(state, json.loads(bytes(begun.body))["id"])
    replay = {name: begun.headers[name] for name in (idempotency.REPLAY,) if name in begun.headers}
    return JSONResponse(record_out(record).model_dump(mode="json"), begun.status_code, replay)


@router.post(
    "/phone-records/from-sound",
    status_code=201,
    operation_id="begin_phone_record_from_sound",
    openapi_extra=_BODY,
)
async def begin_from_sound(
    request: Request,
    state: State,
    who: Actor,
    name: Annotated[Title, Query(description="Name of the file")],
    called_at: Annotated[Moment, Query(description="来电时间")],
    number: Annotated[Number, Query(description="来电号码, where it is known")] = "",
    recorder: Annotated[PersonName, Query(description="记录人")] = "",
    office: Annotated[OneLine, Query(description="值班室: in the heading [as in the last record]")] = "",
    source: Annotated[
        Source, Query(description="A call that came in, or a report received otherwise")
    ] = "incoming",
    unit: Annotated[Key | None, Query(description="来电单位 in the directory")] = None,
) -> RecordOut:
    """Bring the recording of a call: it is kept, transcribed, and a record is filled from it. The body is the file."""
    database, settings = state
    fields = {"number": number, "recorder": recorder} | ({"office": office} if office else {})
    given = service.Given(called_at, source, fields, unit)
    record = await bring(database, settings, request.stream(), name, given, who)
    return record_out(record)


@router.get("/phone-records", operation_id="list_phone_records")
async def list_records(
    state: State,
    status: Annotated[
        Literal["draft", "signed"] | None, Query(alias="state", description="未签, 已签")
    ] = None,
    source: Annotated[Source | None, Query(description="Where it came from")] = None,
    unit: Annotated[Key | None, Query(description="This unit and all below it")] = None,
    since: Annotated[Moment | None, Query(alias="from", description="Calls from here on")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Calls before this")] = None,
    after: After = None,
    limit: Limit = 50,
) -> Page[RecordOut]:
    """Phone records, newest call first."""
    database, _ = state
    place = _place(after) if after else None
    async with database.reading() as session:
        head = None
        if unit is not None:
            head = await repository.unit(session, unit)
            if head is None:
                raise NotFoundError(f"没有单位 {unit} (no such unit)")
        rows = await repository.page(session, Narrowed(status, source, head, since, until), place, limit + 1)
    shown, last = cut(rows, limit)
    items = [record_out(row) for row in shown]
    return Page(items=items, next=None if last is None else pack(last.called_at, last.id))


@router.get("/phone-records/{record_id}", operation_id="show_phone_record")
async def show(state: State, record_id: PathKey) -> RecordOut:
    """One record with its newest version."""
    return record_out(await _record(state, record_id))


@router.get("/phone-records/{record_id}/versions", operation_id="list_phone_record_versions")
async def versions(state: State, record_id: PathKey) -> VersionsOut:
    """Everything that ever stood in a record."""
    record = await _record(state, record_id)
    return VersionsOut(items=[version_out(record, version) for version in record.versions])


@router.post("/phone-records/{record_id}/versions", status_code=201, operation_id="write_phone_record")
async def write(state: State, record_id: PathKey, body: Change, who: Actor) -> RecordOut:
    """Write fields of a draft, or say that what a machine filled was checked: a further version."""
    database, _ = state
    fields = body.fields.given()
    if not fields and not body.checked and body.called_at is None and body.unit_id is None:
        raise BadInputError("没有任何修改 (nothing is changed)", [Fault("fields", "is empty")])
    async with database.unit_of_work() as session:
        record = await service.write(
            session,
            record_id,
            body.version,
            fields,
            who,
            checked=body.checked,
            unit_id=body.unit_id,
            called_at=body.called_at,
        )
        return record_out(record)


@router.post("/phone-records/{record_id}/sign", operation_id="sign_phone_record")
async def sign(state: State, record_id: PathKey, body: Signing, who: Actor) -> RecordOut:
    """Sign the newest version: from then on it never changes."""
    database, _ = state
    async with database.unit_of_work() as session:
        return record_out(await service.sign(session, record_id, body.version, who))


@router.post("/phone-records/{record_id}/corrections", status_code=201, operation_id="correct_phone_record")
async def correct(state: State, record_id: PathKey, who: Actor) -> RecordOut:
    """Begin the record that puts a signed one right."""
    database, settings = state
    async with database.unit_of_work() as session:
        return record_out(await service.correct(session, record_id, settings, who))


@router.get("/phone-records/{record_id}/docx", operation_id="download_phone_record", response_class=Response)
async def download(state: State, record_id: PathKey, who: Actor) -> Response:
    """The form as a Word document. Each download is put on record."""
    database, settings = state
    record = await _record(state, record_id)
    async with database.reading() as session:
        corrected = None if record.corrects_id is None else await service.get(session, record.corrects_id)
    laid_out = sheet(record, settings.zone, corrected.number if corrected else "")
    content = await asyncio.to_thread(document, laid_out)
    async with database.unit_of_work() as session:
        await audit.record(session, "download", f"phone_record:{record.id}", "docx", who)
    headers = {"Content-Disposition": f'attachment; filename="phone-record-{record.number}.docx"'}
    return Response(content, media_type=DOCX, headers=headers)


async def _record(state: tuple[Database, Settings], record_id: int) -> PhoneRecord:
    async with state[0].reading() as session:
        return await service.get(session, record_id)


def _place(after: str) -> Place:
    at, key = unpack(after, datetime, int)
    assert isinstance(at, datetime)
    assert isinstance(key, int)
    return Place(at, key)
