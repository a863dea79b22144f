"""How phone records begin: by hand, from a call back, or with a sound file that is kept and filled from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.archive import open_archive
from app.database import Database
from app.errors import BadInputError, ConflictError, Fault, UnavailableError
from app.phone_records import repository, service, sounds
from app.phone_records.filling import fill
from app.phone_records.models import PhoneRecord
from app.phone_records.schemas import NewRecord
from app.phone_records.sounds import Sound
from app.settings import Settings
from app.transcripts.requests import enqueue
from recordings import Archive, RecordingError
from sip.record import RecordingInfo

log = structlog.get_logger(__name__)


async def begin_record(session: AsyncSession, settings: Settings, body: NewRecord, who: str) -> int:
    """Begin a record by hand, or from a call back; return its key. Raises `BadInputError`."""
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


async def bring(
    database: Database,
    settings: Settings,
    chunks: AsyncIterator[bytes],
    name: str,
    given: service.Given,
    who: str,
) -> PhoneRecord:
    """Keep a sound file, let it be transcribed, and begin the record that is filled from it.

    Raises `BadInputError` for what is no sound, `ConflictError` for one that is here or was withdrawn,
    `UnavailableError` where it cannot be kept just now.
    """
    async with sounds.received(settings.data_dir, chunks) as sound:
        async with database.reading() as session:
            await _must_be_new(session, sound.kept_sha256)
        archive = open_archive(settings)
        origin = {"name": name, "sha256": sound.sha256, "size": sound.size, "converted": sound.converted}
        info = await _kept(archive, sound)
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
        raise UnavailableError("录音暂时无法存入档案，请稍后再试 (the archive does not take it)") from error


async def _entered(
    database: Database,
    settings: Settings,
    info: RecordingInfo,
    given: service.Given,
    origin: dict[str, Any],
    who: str,
) -> PhoneRecord:
    async with database.unit_of_work() as session:
        await _must_be_new(session, info.sha256)
        recording = await service.keep_report(session, info)
        enqueue(session, recording)
        return await service.begin(session, given.on(recording.id), settings, who, origin)


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
