"""Fills drafts from what was said on their recording, once it has a transcript."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncSession

from app import clock
from app.accounts import service as audit
from app.answers.books import answer_keys
from app.phone_records import form, hearing, repository, service
from app.phone_records.models import PhoneRecord, PhoneRecordVersion
from app.settings import Settings
from app.transcripts import search
from app.transcripts.models import Transcription
from sip.progress.transcript import Transcript

MACHINE = "machine"


async def fill_from(session: AsyncSession, transcription: Transcription, settings: Settings) -> int:
    """Fill every draft on the recording of a transcription that is done; return how many were.

    A field that a person wrote or checked stays, and 拟办意见 is left to people. The same transcription fills a form
    once.
    """
    count = 0
    for record in await repository.of_recording(session, transcription.recording_id):
        count += await fill(session, record, transcription, settings)
    return count


async def fill(
    session: AsyncSession, record: PhoneRecord, transcription: Transcription, settings: Settings
) -> bool:
    """Fill one draft; False where there is nothing to do. The record's versions must be loaded."""
    before = service.newest(record)
    done = before.content["transcription_id"] == transcription.id
    if record.state != "draft" or before.content["withdrawn"] or done or not transcription.content:
        return False
    channels = {name: Transcript.from_json(said) for name, said in transcription.content.items()}
    units = await repository.unit_names(session)
    people = {key: await repository.people_of(session, key) for key in await _candidates(channels, units)}
    keys = await answer_keys(session, settings)
    heard, unit_id = await asyncio.to_thread(hearing.hear, channels, hearing.Books(units, people), keys)
    made = form.filled(
        before.content, {name: found.told() for name, found in heard.items()}, transcription.id
    )
    session.add(
        PhoneRecordVersion(
            record_id=record.id,
            version=before.version + 1,
            content=made,
            written_at=clock.now(),
            written_by=MACHINE,
        )
    )
    if unit_id is not None and record.unit_id is None and made["fields"]["unit"] == units[unit_id]:
        record.unit_id = unit_id
        await search.moved(session, transcription.recording_id, record.called_at, unit_id)
    await session.flush()
    detail = f"version {before.version + 1}: {', '.join(sorted(heard))}"
    await audit.record(session, "fill", f"phone_record:{record.id}", detail, MACHINE)
    return True


async def _candidates(channels: dict[str, Transcript], units: dict[int, str]) -> list[int]:
    """The unit that called, as far as it can be heard: its people are looked for too."""
    _, unit_id = await asyncio.to_thread(hearing.hear, channels, hearing.Books(units, {}), ())
    return [] if unit_id is None else [unit_id]
