"""What the search knows of a transcript: its utterances made comparable, with when and whose the call was."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.answers.masking import mask
from app.checks.models import Attempt, Recording
from app.transcripts import search_repository as repository
from app.transcripts.models import CHANNELS, Transcription, TranscriptPiece
from app.transcripts.search_words import plain, sought, with_pairs
from sip.progress.transcript import Transcript


async def index(session: AsyncSession, transcription: Transcription, keys: Collection[str] = ()) -> None:
    """Let the search find what a transcription that is done says, in place of its recording's earlier ones.

    `keys`: numbers of answer keys (`app.answers.books`), which are masked and hence never found. Called in the unit of
    work that stores the transcription, which must be flushed. Does nothing where the recording is gone or a newer
    transcription of it is done already.
    """
    # Who withdraws the recording at this moment waits, or was first and is seen here.
    recording = await session.get(
        Recording, transcription.recording_id, populate_existing=True, with_for_update={"read": True}
    )
    if recording is None or await repository.newer_is_done(session, transcription):
        return
    await forget(session, recording.id)
    if recording.gone_why is not None or transcription.state == "withdrawn":
        return
    called_at, unit_id = await _call(session, recording)
    common = {
        "transcription_id": transcription.id,
        "recording_id": recording.id,
        "called_at": called_at,
        "unit_id": unit_id,
    }
    in_pairs = session.get_bind().dialect.name == "postgresql"
    rows = [common | row for row in _utterances(transcription.content or {}, keys, in_pairs)]
    if rows:
        await session.execute(insert(TranscriptPiece), rows)


async def forget(session: AsyncSession, recording_id: int) -> None:
    """Let the search find nothing more of a recording."""
    await session.execute(delete(TranscriptPiece).where(TranscriptPiece.recording_id == recording_id))


async def moved(session: AsyncSession, recording_id: int, called_at: datetime, unit_id: int | None) -> None:
    """Note that a call that came in was at another time, or from another unit, than was known."""
    statement = update(TranscriptPiece).where(TranscriptPiece.recording_id == recording_id)
    await session.execute(statement.values(called_at=called_at, unit_id=unit_id))


async def _call(session: AsyncSession, recording: Recording) -> tuple[datetime, int | None]:
    """When the call of a recording was, and the unit at its other end."""
    if recording.attempt_id is not None:
        attempt = await session.get_one(Attempt, recording.attempt_id)
        return attempt.claimed_at, attempt.unit_id
    record = (await repository.phone_records(session, [recording.id])).get(recording.id)
    return (recording.created_at, None) if record is None else (record.called_at, record.unit_id)


def _utterances(content: dict[str, Any], keys: Collection[str], in_pairs: bool) -> Iterator[dict[str, Any]]:
    for channel in CHANNELS:
        if channel not in content:
            continue
        for utterance in Transcript.from_json(content[channel]).utterances:
            text = mask(plain(utterance.text), keys)
            tokens = sought(text)
            if tokens:
                yield {
                    "channel": channel,
                    "start_ms": utterance.start_ms,
                    "end_ms": utterance.end_ms,
                    "text": text,
                    "sought": with_pairs(tokens) if in_pairs else tokens,
                }
