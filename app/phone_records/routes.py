"""Phone records (电话记录单) as JSON and as documents, and the sound files that they are begun with."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse, Response

from app.accounts import service as audit
from app.api import idempotency
from app.api.actor import Actor
from app.api.newest import Place
from app.api.paging import After, Key, Limit, Page, cut, pack, unpack
from app.api.text import Moment, Title
from app.archive import open_archive
from app.database import Database
from app.directory.routing import PathKey, State
from app.errors import BadInputError, ConflictError, Fault, NotFoundError
from app.phone_records import repository, service, sounds
from app.phone_records.document import MEDIA_TYPE as DOCX
from app.phone_records.document import document
from app.phone_records.filling import fill
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
from app.phone_records.sounds import Sound
from app.settings import Settings
from app.transcripts.requests import enqueue
from recordings import Archive, RecordingError
from sip.record import RecordingInfo

log = structlog.get_logger(__name__)
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
        return 201, {"id": await _begun(session, settings, body, who)}

    asked = [body.model_dump(mode="json"), who]
    begun = await idempotency.once(database, key, "POST /phone-records", asked, work)
    record = await _record(state, json.loads(bytes(begun.body))["id"])
    replay = {name: begun.headers[name] for name in (idempotency.REPLAY,) if name in begun.headers}
    return JSONResponse(record_out(record).model_dump(mode="json"), begun.status_code, replay)


async def _begun(session: AsyncSession, settings: Settings, body: NewRecord, who: str) -> int:
    if body.call_back is not None:
        if body.model_fields_set != {"call_back"}:
            fault = Fault("call_back", "is given alone")
            raise BadInputError("由回拨开立时不再填写其他内容 (a call back brings its own)", [fault])
        return (await service.begin_from_call_back(session, body.call_back, settings, who)).id
    if body.called_at is None:
        raise BadInputError("须填写来电时间 (when the call came)", [Fault("called_at", "is missing")])
    given = service.Given(body.called_at, body.source, body.fields.given(), body.unit_id, body.recording_id)
    record = await service.begin(session, given, settings, who)
    if record.recording_id is not None:
        said = await repository.transcription(session, record.recording_id)
        if said is not None:
            await fill(session, record, said, settings)
    return record.id


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
    async with sounds.received(settings.data_dir, request.stream()) as sound:
        async with database.reading() as session:
            await _must_be_new(session, sound.kept_sha256)
        archive = open_archive(settings)
        origin = {"name": name, "sha256": sound.sha256, "size": sound.size, "converted": sound.converted}
        info = await _kept(archive, sound)
        given = service.Given(called_at, source, fields, unit)
        try:
            return await _entered(database, settings, info, given, origin, who)
        except Exception:
            await _discard(database, archive, info, who)
            raise


async def _must_be_new(session: AsyncSession, sha256: str) -> None:
    known = await repository.report_with(session, sha256)
    if known is not None:
        raise ConflictError(f"这段录音已在档案中（录音 {known.id}）(this sound is in the archive already)")
    withdrawn = await repository.withdrawn_with(session, sha256)
    if withdrawn is not None:
        raise ConflictError(f"这段录音已封存（录音 {withdrawn.id}），不得再次存入 (this sound was withdrawn)")


async def _kept(archive: Archive, sound: Sound) -> RecordingInfo:
    try:
        return await asyncio.to_thread(archive.add, sound.path, f"report/{sound.kept_sha256}", "report")
    except RecordingError as error:
        log.error("a sound that was brought could not be kept", reason=str(error))
        raise ConflictError("录音无法存入档案，请稍后再试 (the archive does not take it)") from error


async def _entered(
    database: Database,
    settings: Settings,
    info: RecordingInfo,
    given: service.Given,
    origin: dict[str, Any],
    who: str,
) -> RecordOut:
    async with database.unit_of_work() as session:
        await _must_be_new(session, info.sha256)
        recording = await service.keep_report(session, info)
        enqueue(session, recording)
        record = await service.begin(session, given.on(recording.id), settings, who, origin)
        return record_out(record)


async def _discard(database: Database, archive: Archive, info: RecordingInfo, who: str) -> None:
    """Take out of the archive what did not become part of the records, and nothing that did by another request."""
    async with database.reading() as session:
        known = await repository.report_with(session, info.sha256)
    try:
        await asyncio.to_thread(_take_out, archive, info, 0 if known is None else 1, who)
    except RecordingError as error:
        log.error("a sound that is of no use stays in the archive", reason=str(error))


def _take_out(archive: Archive, info: RecordingInfo, known: int, who: str) -> None:
    """Each bringing has an entry of its own in the manifest: ours goes where there are more than the records know."""
    kept = archive.index.refresh().by_key.get(info.path)
    if kept is not None and len(kept.entries) > known:
        reason = "it did not become part of the records"
        archive.erase(info.path, info.sha256, "removed", reason, who)


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
